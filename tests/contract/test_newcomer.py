"""A newcomer adds a detector, an indicator and an actor in under 30 lines each and one line in a dict; nothing else."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GIVEN = ROOT / "tests" / "data" / "newcomer"
ADDITIONS = {
    "detector": ("detectors", "DETECTORS: dict[str, type[Any]] = {", "detectors", "Record", "test_detectors.py"),
    "indicator": (
        "monitor/indicators",
        "INDICATORS: dict[str, Factory] = {",
        "monitor.indicators",
        "ModelChanges",
        "test_indicators.py",
    ),
    "actor": (
        "monitor/act",
        "ACTORS: dict[str, Callable[[str], AnyActor]] = {",
        "monitor.act",
        "Webhook",
        "test_actors.py",
    ),
}


def code_lines(source: str) -> int:
    """Lines that are neither blank, nor comment, nor docstring, nor import."""
    skipped: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        is_doc = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        if is_doc or isinstance(node, ast.Import | ast.ImportFrom):
            skipped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = source.splitlines()
    return sum(
        1 for i, line in enumerate(lines, 1) if i not in skipped and line.strip() and not line.strip().startswith("#")
    )


@pytest.mark.parametrize("kind", ADDITIONS)
def test_an_addition_is_under_thirty_lines(kind: str) -> None:
    """Code without imports and prose: at most 30 lines."""
    assert code_lines((GIVEN / f"{kind}.py").read_text()) <= 30


def add(kind: str, root: Path) -> None:
    """Put an addition of this kind into a copy of the packages: one file, and one line in the dict."""
    folder, opening, package, name, _ = ADDITIONS[kind]
    shutil.copy(GIVEN / f"{kind}.py", root / folder / "newcomer.py")
    catalogue = root / folder / "__init__.py"
    text = catalogue.read_text()
    assert text.count(opening) == 1
    text = text.replace(opening, f'{opening}\n    "newcomer": {name},')
    first_import = text.index("\nfrom ", text.index("from __future__") + 5)
    text = text[:first_import] + f"\nfrom {package}.newcomer import {name}" + text[first_import:]
    catalogue.write_text(text)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages with all additions."""
    root = tmp_path_factory.mktemp("newcomer")
    for part in ("detectors", "monitor"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "contract", root / "tests" / "contract")
    shutil.copy(ROOT / "tests" / "strength.py", root / "tests")
    shutil.copy(ROOT / "pyproject.toml", root)
    for kind in ADDITIONS:
        add(kind, root)
    return root


@pytest.fixture(scope="module")
def report(copy: Path) -> str:
    """The output of pytest for the contract tests of all additions."""
    suites = [f"tests/contract/{suite}" for *_, suite in ADDITIONS.values()]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *suites, "-k", "newcomer"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-2000:]
    return run.stdout


def test_the_line_of_an_actor_is_its_only_registration(copy: Path) -> None:
    """From one line in `ACTORS` the command `act` has an option for the actor, with its docstring as help."""
    run = subprocess.run(
        [sys.executable, "-m", "monitor", "act", "--help"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert "--newcomer ADDRESS" in run.stdout


@pytest.mark.parametrize("kind", ADDITIONS)
def test_the_contract_suite_finds_an_addition(kind: str, report: str) -> None:
    """A file and one line in the dict, in a copy of the packages: the suite meets the newcomer and it passes."""
    *_, suite = ADDITIONS[kind]
    assert f"PASSED tests/contract/{suite}::" in report
