"""The progress bar of the bench: on stderr, only on a terminal, never in the figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

T = TypeVar("T")
_talk = Console(stderr=True)


def steps(things: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield from `things` while a progress bar moves; its length is `total` or that of `things`."""
    if total is None and isinstance(things, Sized):
        total = len(things)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_talk, transient=True, disable=not _talk.is_terminal) as threshold:
        task = threshold.add_task(what, total=total)
        for thing in things:
            yield thing
            threshold.advance(task)
