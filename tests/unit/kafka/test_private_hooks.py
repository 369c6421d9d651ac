"""The private parts of Faust, mode and aiokafka that are used: each is in the table, exists, and is still needed."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import monitor.kafka
from monitor.errors import Stop
from monitor.kafka.pinned_versions import PINNED, check_versions
from monitor.kafka.private_hooks import HOOKS, Hook

FILES = sorted(Path(monitor.kafka.__path__[0]).glob("*.py"))
STANDARD_LIBRARY = {"_exit"}  # os._exit is documented


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def defined_here(trees: dict[str, ast.Module]) -> set[str]:
    """Private names that this folder defines itself: methods, attributes set on `self`, functions, constants."""
    found: set[str] = set()
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not from_library(node):
                found |= set(own_names(node))
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
    return {name for name in found if private(name)}


def own_names(node: ast.ClassDef) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            yield inner.name
        elif isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store) and on_self(inner):
            yield inner.attr


def on_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def from_library(node: ast.ClassDef) -> bool:
    """Whether a class extends one of another package: `driver.Consumer`, `fetcher.Fetcher` ..."""
    return any(
        isinstance(base, ast.Attribute) and ast.unparse(base) != "asyncio.BufferedProtocol" for base in node.bases
    )


def used(tree: ast.Module, ours: set[str]) -> Iterator[tuple[int, str]]:
    """Private names of other packages that a file reads, sets or overrides, with their lines."""
    inside: dict[ast.AST, ast.ClassDef] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for inner in ast.walk(node):
                inside.setdefault(inner, node)
            if from_library(node):
                yield from (
                    (f.lineno, f.name) for f in node.body if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef)
                )
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            extends = node in inside and from_library(inside[node])
            if not on_self(node) or extends or node.attr not in ours:
                yield node.lineno, node.attr


TREES = {path.name: ast.parse(path.read_text()) for path in FILES}
OURS = defined_here(TREES)
# A helper that a class of ours adds to one of a library.
ADDED = {"_call", "_discover_participants"}
LISTED = {hook.name for hook in HOOKS}


@pytest.mark.parametrize("name", TREES)
def test_every_private_part_is_in_the_table(name: str) -> None:
    """A private attribute of another package is read, set or overridden only where a row says why."""
    found = {
        (line, attribute)
        for line, attribute in used(TREES[name], OURS)
        if private(attribute) and attribute not in LISTED | ADDED | STANDARD_LIBRARY
    }
    # An attribute of an object of this folder that is not `self`: the same file or class defines it.
    assert not {(line, a) for line, a in found if a not in OURS}, f"{name}: private parts without a row in HOOKS"


def test_a_row_that_nothing_uses_is_removed() -> None:
    """Each private name of the table is used in this folder, or in the source of another row that was read for it."""
    text = "\n".join(path.read_text() for path in FILES if path.name != "private_hooks.py")
    read_only = {"_getmany", "_unpack_records", "_read", "_on_read_task_error", "getall"}
    unused = {name for name in LISTED - read_only if not re.search(rf"\b{name}\b", text)}
    assert not unused


def test_our_own_names_hide_no_row() -> None:
    """A name of the table is not also a private name of a class of ours, where the search could not tell them apart."""
    assert not {name for name in LISTED & OURS if private(name)}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda h: f"{h.owner.__name__.rpartition('.')[2]}.{h.name}")
def test_each_hook_exists(hook: Hook) -> None:
    """What is used exists in the installed version: on the class or module, or set on its instances."""
    if isinstance(hook.owner, ModuleType) or hasattr(hook.owner, hook.name):
        assert inspect.getattr_static(hook.owner, hook.name) is not None or hook.name == "BACKOFF_OVERRIDE"
        return
    sources = [
        inspect.getsource(c)
        for c in hook.owner.__mro__
        if c.__module__.startswith(("aiokafka", "faust", "mode", "kafka."))
    ]
    assert any(re.search(rf"self\.{hook.name}\b[^\n=]*= ", source) for source in sources)


@pytest.mark.parametrize("hook", HOOKS, ids=lambda h: h.name)
def test_each_hook_says_why_and_what_would_retire_it(hook: Hook) -> None:
    """A row names its use, and the library whose change would make it unnecessary."""
    assert len(hook.reason) > 20
    assert hook.upstream.startswith(("faust: ", "mode: ", "aiokafka: ", "kafka-python: "))


def test_the_installed_versions_are_the_ones_that_were_read() -> None:
    """Faust, mode and aiokafka are pinned exactly."""
    check_versions()


@pytest.mark.parametrize("changed", sorted(PINNED))
def test_another_version_is_refused(changed: str) -> None:
    """A worker on another version of one of the three does not start, and says which one."""
    with pytest.raises(Stop, match=rf"{changed} .*found 9\.9"):
        check_versions(lambda name: "9.9" if name == changed else PINNED[name])
