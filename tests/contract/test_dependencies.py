"""What the product imports is what it declares: no library is used only because another one happens to require it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("monitor/**/*.py"), *ROOT.glob("detectors/**/*.py")])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {"monitor", "detectors"}


def normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


DECLARED = {
    normal(re.split(r"[\s<>=!~;\[]", wanted)[0])
    for wanted in [*PROJECT["dependencies"], *(w for extra in PROJECT["optional-dependencies"].values() for w in extra)]
}
GIVEN_BY = {name: {normal(d) for d in found} for name, found in packages_distributions().items()}


class Imports(ast.NodeVisitor):
    """The first part of every absolute import, however deep, but for what only a type checker runs."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        for inner in node.orelse if ast.unparse(node.test) == "TYPE_CHECKING" else [*node.body, *node.orelse]:
            self.visit(inner)

    def visit_Import(self, node: ast.Import) -> None:
        self.found |= {alias.name.split(".")[0] for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module and node.level == 0:
            self.found.add(node.module.split(".")[0])


def outside(code: str) -> set[str]:
    """The libraries in a module's imports that neither we nor Python ship."""
    search = Imports()
    search.visit(ast.parse(code))
    return search.found - OURS - sys.stdlib_module_names


def test_every_library_imported_is_declared() -> None:
    """A third-party import at run time is a dependency of ours, or one of our extras, by its own name."""
    undeclared = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in FILES
        for name in sorted(outside(path.read_text()))
        if not GIVEN_BY.get(name, set()) & DECLARED
    ]
    assert not undeclared, f"imported, and not declared in pyproject.toml: {undeclared}"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import numpy.linalg", {"numpy"}),
        ("def f():\n    try:\n        from kafka import errors\n    except ImportError:\n        pass", {"kafka"}),
        ("if TYPE_CHECKING:\n    import numpy\nelse:\n    import river", {"river"}),
        ("def f():\n    if TYPE_CHECKING:\n        import numpy", set()),
        ("import os\nfrom . import words\nfrom monitor import model", set()),
    ],
)
def test_the_search_sees_what_runs(code: str, found: set[str]) -> None:
    """An import in a function or a branch counts, one for the type checker alone does not, nor Python's own or ours."""
    assert outside(code) == found


def test_the_lock_holds_every_dependency() -> None:
    """What is declared is locked, so that `make install` gives what was tested."""
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert locked >= DECLARED


BASE = {"cryptography", "kafka-python", "msgspec"}
# Without what the base has too: `cryptography`, of which the monitor needs a newer version.
EXTRA = {normal(re.split(r"[\s<>=!~;\[]", wanted)[0]) for wanted in PROJECT["optional-dependencies"]["monitor"]} - BASE
# What Python code runs that only has the SDK: an import of anything else from an installed library fails.
WITH_THE_BASE_ONLY = """
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.split(".")[0])
        return None

sys.meta_path.insert(0, Blocker())
"""
USE_THE_SDK = """
import tempfile
import monitor.sdk
from monitor.sdk import Pilot
for to in ("http://127.0.0.1:9", "kafka://127.0.0.1:9"):
    with tempfile.TemporaryDirectory() as home:
        pilot = Pilot("p", participant="f", to=to, spool_dir=home, heartbeat_s=0)
        pilot.exposure(1, "decisions")
        pilot.close(timeout=0)
        assert pilot.status().waiting_bytes > 0
folders = {name.split(".")[1] for name in sys.modules if name.startswith("monitor.")}
print(*sorted(folders), *sorted({name.split(".")[0] for name in sys.modules} & BLOCKED))
"""
RUN_A_COMMAND = (
    "import runpy; sys.argv = ['sandbox-monitor', *ARGUMENTS]; runpy.run_module('monitor', run_name='__main__')"
)


def without(blocked: set[str], code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a new Python in which the modules `blocked` cannot be imported."""
    lines = f"BLOCKED = {blocked!r}\n{WITH_THE_BASE_ONLY}\n{code}"
    return subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, timeout=60, check=False)


def modules_of(distributions: set[str]) -> set[str]:
    """The top-level modules that these distributions install."""
    return {name for name, found in GIVEN_BY.items() if found & distributions}


def test_the_base_installation_is_what_the_sdk_imports() -> None:
    """`pip install sandbox-monitor` installs three libraries, each of which the SDK imports, and no more."""
    assert {normal(re.split(r"[\s<>=!~;\[]", wanted)[0]) for wanted in PROJECT["dependencies"]} == BASE
    used: set[str] = set()
    for path in FILES:
        if path.relative_to(ROOT).parts[:2] in {("monitor", name) for name in SDK_FOLDERS if name != "translation"}:
            used |= outside(path.read_text())
    assert used == modules_of(BASE) & used
    assert {name for module in used for name in GIVEN_BY[module]} >= {"cryptography", "kafka-python", "msgspec"}


# `words` imports Babel where another language than English is asked for.
SDK_FOLDERS = ("access", "clock.py", "errors.py", "files", "halt_ground.py", "logs.py", "model", "sdk", "translation")


def test_the_sdk_runs_without_the_monitor() -> None:
    """Importing the SDK and reporting with it loads no library of the extra, and no folder that needs one."""
    done = without(modules_of(EXTRA), USE_THE_SDK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == sorted(name.removesuffix(".py") for name in SDK_FOLDERS)


@pytest.mark.parametrize(
    ("blocked", "arguments"),
    [(modules_of(EXTRA), ["--help"]), (modules_of(EXTRA), ["worker"]), (modules_of(EXTRA - {"click"}), ["serve"])],
    ids=["no click", "a command without click", "a command without aiohttp"],
)
def test_a_command_without_the_extra_names_the_extra(blocked: set[str], arguments: list[str]) -> None:
    """A command line without its libraries ends with one line that names the fix, not with a traceback."""
    done = without(blocked, f"ARGUMENTS = {arguments!r}\n{RUN_A_COMMAND}")
    assert done.returncode == 1
    assert "sandbox-monitor[monitor]" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
