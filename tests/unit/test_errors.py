"""The tree of errors in `monitor/errors.py` is complete: what its docstring draws is what the package defines."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import monitor
from monitor import errors

PACKAGE = Path(monitor.__file__).parent
ROOT = "SandboxMonitorError"


def drawn() -> dict[str, str]:
    """Class -> parent, as the docstring draws them; the branches are four characters wide."""
    path, found = [ROOT], {}
    for line in (errors.__doc__ or "").splitlines():
        branch = re.match(r"^((?:│   |    )*)[├└]── (\w+)", line)
        if branch:
            depth = len(branch[1]) // 4 + 1
            path = [*path[:depth], branch[2]]
            found[branch[2]] = path[depth - 1]
    return found


def defined() -> tuple[dict[str, str], set[str]]:
    """Class -> parent of every error of the tree in the package, and the exceptions outside of the tree; fakes and
    fault injection in `monitor/testing` are left out."""
    bases = [
        (node.name, [ast.unparse(base) for base in node.bases])
        for path in PACKAGE.rglob("*.py")
        if "testing" not in path.parts
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
    ]
    tree, grown = {ROOT: ""}, True
    while grown:
        more = {name: of[0] for name, of in bases if of and of[0] in tree and name not in tree}
        tree |= more
        grown = bool(more)
    builtin = {"Exception", "ValueError", "OSError", "RuntimeError", "KeyError"}
    # A private one never leaves its module.
    outside = {name for name, of in bases if set(of) & builtin and not name.startswith("_")} - {ROOT}
    del tree[ROOT]
    return tree, outside


def test_the_drawing_of_the_errors_is_the_tree_of_their_classes() -> None:
    """Every error is drawn under the class that it inherits from, and nothing else is drawn."""
    assert drawn() == defined()[0]


def test_the_exceptions_outside_of_the_tree_are_listed() -> None:
    """What is no part of the tree is named in the docstring, with its handler."""
    text = (errors.__doc__ or "").rpartition("Outside of the tree")[2]
    listed = set(re.findall(r"\b[A-Z]\w+", text))
    assert listed == defined()[1]


def test_every_drawn_error_says_what_its_caller_does() -> None:
    """Each line of the drawing has words next to the name, and each class a docstring."""
    for line in (errors.__doc__ or "").splitlines():
        if "── " in line:
            assert re.search(r"── \w+ {2,}\w", line), line
    for name in (ROOT, *(n for n in drawn() if hasattr(errors, n))):
        assert getattr(errors, name).__doc__, name
