"""What the product imports is what it declares: nobody gets a library by way of another that may drop it."""

from __future__ import annotations

import ast
import re
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


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_library_imported_is_declared(path: Path) -> None:
    """A third-party import at run time is a dependency of ours, or one of our extras, by its own name."""
    for name in sorted(outside(path.read_text())):
        assert GIVEN_BY.get(name, set()) & DECLARED, f"{name} is imported, and pyproject.toml does not declare it"


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
