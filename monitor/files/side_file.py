"""Side files: small files that only save repeated work. A damaged one is moved aside and started empty; it never
prevents a start.

Only for files whose loss costs repeats. A file whose loss would lose or hide something is refused with the fix instead.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from monitor.errors import Refused
from monitor.logs import EventLogger

T = TypeVar("T")
DAMAGED = ".damaged"

log = EventLogger(__name__)


def read_side_file(path: Path, decode: Callable[[bytes], T], empty: T, price: str) -> T:
    """Return `decode` of the bytes at `path`, or `empty` when there is no such file.

    A file that cannot be read or decoded is moved to `<name>.damaged` (then `.damaged.1` ...), a warning names it and
    the `price` of starting empty, and `empty` is returned. Raises Refused when it cannot be moved either.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return empty
    except OSError as error:
        return _start_empty(path, f"cannot be read: {error.strerror}", empty, price)
    try:
        return decode(raw)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, msgspec.MsgspecError) as error:
        return _start_empty(path, f"is damaged ({error})" if raw else "is empty", empty, price)


def _start_empty(path: Path, problem: str, empty: T, price: str) -> T:
    try:
        kept = move_aside(path)
    except OSError as error:
        raise Refused(
            f"{path} {problem}, and it cannot be moved aside: {error.strerror}; move it away and start again: {price}"
        ) from error
    log.warning("side_file.damaged", path=path, problem=problem, moved_to=kept.name, consequence=price)
    return empty


def move_aside(path: Path, suffix: str = DAMAGED) -> Path:
    """Rename a file or directory to the first free `<name><suffix>[.n]` and return the new path. Raises OSError."""
    kept, number = path.with_name(path.name + suffix), 0
    while kept.exists():
        number += 1
        kept = path.with_name(f"{path.name}{suffix}.{number}")
    return path.rename(kept)
