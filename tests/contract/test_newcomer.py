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


@pytest.mark.parametrize("kind", ADDITIONS)
def test_the_contract_suite_finds_an_addition(kind: str, tmp_path: Path) -> None:
    """A file and one line in the dict, in a copy of the packages: the suite meets the newcomer and it passes."""
    folder, opening, package, name, suite = ADDITIONS[kind]
    for part in ("detectors", "monitor"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "contract", tmp_path / "tests" / "contract")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(GIVEN / f"{kind}.py", tmp_path / folder / "newcomer.py")
    catalogue = tmp_path / folder / "__init__.py"
    text = catalogue.read_text()
    assert text.count(opening) == 1
    text = text.replace(opening, f'{opening}\n    "newcomer": {name},')
    first_import = text.index("\nfrom ", text.index("from __future__") + 5)
    text = text[:first_import] + f"\nfrom {package}.newcomer import {name}" + text[first_import:]
    catalogue.write_text(text)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/contract/{suite}", "-k", "newcomer"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-2000:]
    assert " passed" in run.stdout
