"""YAML files of settings: a value of one type in, or every mistake with its line out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from monitor.charter.values import Flaw
from monitor.compile.load import LARGEST_FILE, LocatedProblem, Tree
from monitor.errors import SandboxMonitorError

T = TypeVar("T")


def read_settings(
    path: Path,
    kind: type[T],
    flaws: Callable[[T], Iterable[Flaw]],
    error: type[SandboxMonitorError],
    *,
    smaller: str,
    see: str,
) -> T:
    """The settings in a file. `flaws` are mistakes of meaning; `smaller` says how to shorten a file that is too large,
    `see` where its format is described.

    Raises:
        SandboxMonitorError: of the type `error`, with every mistake in its own line.
        OSError: the file cannot be read.
    """
    raw = path.read_bytes()
    if len(raw) > LARGEST_FILE:
        raise error(f"{path}: the file is larger than {LARGEST_FILE} bytes; {smaller}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise error(f"{path}: not UTF-8; save it as UTF-8") from None
    tree = Tree(str(path))
    data = tree.load(text)
    if tree.found:
        raise error(_said(tree.sorted()))
    try:
        settings = msgspec.convert(data, kind)
    except msgspec.ValidationError as invalid:
        tree.check(kind, data, "")
        if not tree.found:
            problem, _, where = str(invalid).partition(" - at `$")
            tree.add(where.rstrip("`").lstrip("."), problem, f"see {see}")
        raise error(_said(tree.sorted())) from None
    for flaw in flaws(settings):
        tree.add(flaw.field, flaw.problem, flaw.fix)
    if tree.found:
        raise error(_said(tree.sorted()))
    return settings


def _said(found: tuple[LocatedProblem, ...]) -> str:
    return "\n".join(map(str, found))
