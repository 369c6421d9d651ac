"""The reader for whom a page is being made, so that its frame names who is logged in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from monitor.console.access.roles import Reader

_READING: ContextVar[Reader | None] = ContextVar("reader", default=None)


@contextmanager
def reading(reader: Reader | None) -> Iterator[None]:
    """Make pages for `reader` in this block; `None` where readers do not log in."""
    token = _READING.set(reader)
    try:
        yield
    finally:
        _READING.reset(token)


def reader_now() -> Reader | None:
    """The reader of the page that is being made; `None` where readers do not log in."""
    return _READING.get()
