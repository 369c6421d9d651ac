"""What a lint finds, and the checks that several lints share. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from msgspec import Struct

from monitor.charter.values import escaped
from monitor.model.labels import alike, tidy
from monitor.model.periods import parse_span

MONTH_MS = 28 * 86_400_000  # the shortest
LONGEST_SPAN_MS = 10 * 366 * 86_400_000


class Problem(Struct, frozen=True):
    """One finding: dotted `field` (`indicators[0].limit`), what is wrong, what to do."""

    severity: Literal["error", "warning"]
    field: str
    problem: str
    fix: str


def error(field: str, problem: str, fix: str) -> Problem:
    return Problem("error", field, problem, fix)


def warning(field: str, problem: str, fix: str) -> Problem:
    return Problem("warning", field, problem, fix)


def nearest(word: str, known: Iterable[str]) -> str:
    """The fix for an unknown word: the nearest known one, or a list of all."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {close[0]}?" if close else f"write one of {', '.join(names)}"


def length_of(text: Any) -> int | None:
    """The least length of a span in milliseconds (months differ); `None` for text that is no span."""
    try:
        span = parse_span(text)
    except (ValueError, TypeError):
        return None
    return span.ms + span.months * MONTH_MS


def twice(names: Iterable[str], at: str, suffix: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield error(f"{at}[{index}]{suffix}", f"{name!r} is listed twice", "write each once")
        seen.add(name)


def twins(names: Iterable[str], at: str, suffix: str) -> Iterator[Problem]:
    """Labels that equal an earlier one after normalisation (the later one never counts), or differ from it in case
    only."""
    seen: dict[str, tuple[str, str]] = {}
    for index, name in enumerate(names):
        before = seen.setdefault(alike(name), (name, tidy(name)))
        if before[0] == name:
            continue
        field = f"{at}[{index}]{suffix}"
        if before[1] == tidy(name):
            yield error(field, f"{escaped(name)!r} is {escaped(before[0])!r} in another Unicode form", "write it once")
        else:
            problem = f"{escaped(name)!r} differs from {escaped(before[0])!r} in case only"
            yield warning(field, problem, "write names that cannot be confused")
