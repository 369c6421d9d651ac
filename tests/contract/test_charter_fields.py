"""Every field of a charter is used by something: what is only written, and read by nothing, is not in the schema."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from msgspec import Struct

from monitor.charter.spec import Charter

ROOT = Path(__file__).parents[2]
# Files that pass a charter on as a whole: to read a field there is no use of it.
NO_USE = {"monitor/charter/spec.py", "monitor/charter/values.py"}
UNREAD = {"schema"}  # its type allows one value
PEOPLE = {("Participant", "name"), ("Reporter", "name"), ("Authority", "name"), ("Model", "version")}  # for readers


def parts(kind: Any) -> Iterator[type[Struct]]:
    """The structs that a charter consists of."""
    for inner in get_args(kind):
        yield from parts(inner)
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield kind
        for each in get_type_hints(kind).values():
            yield from parts(each)


@functools.cache
def read_names() -> frozenset[str]:
    """Every name that production code reads as an attribute, or by `getattr` or a pattern with a literal."""
    found: set[str] = set()
    for path in ROOT.glob("monitor/**/*.py"):
        name = path.relative_to(ROOT).as_posix()
        if name in NO_USE or name.startswith(("monitor/testing/", "monitor/simulation/")):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                found.add(node.attr)
            elif isinstance(node, ast.MatchClass):
                found.update(node.kwd_attrs)
    return frozenset(found)


@pytest.mark.parametrize("kind", sorted(set(parts(Charter)), key=lambda kind: kind.__name__))
def test_every_field_is_read(kind: type[Struct]) -> None:
    """By a name that nothing reads, a firm would state what has no effect, and an authority would rely on it."""
    unread = {name for name in kind.__struct_fields__ if name not in read_names() | UNREAD}
    assert {(kind.__name__, name) for name in unread} <= PEOPLE


def test_a_field_that_nothing_reads_would_be_found() -> None:
    """The search is by name, so the names of the schema must not be common words only."""
    assert "a_field_that_nothing_reads" not in read_names()
    assert {"objects", "groups", "data_boundary", "region", "sector", "conditions", "contacts"} <= read_names()
