"""How deep JSON nests, and where an array of events is divided, from the brackets alone. Pure.

The bytes need not be JSON. A string extends from a quote to the next one that is not escaped, or to the end of the
input; outside strings a backslash means nothing. Long values are read with numpy, in a time that does not depend on
how many brackets and strings they hold, so that no record is dearer to reject than to accept; `_tokens` is the same
rule for short ones, byte for byte.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy

from monitor.validate.rejections import MAX_DEPTH, MAX_EVENTS, RejectionReason, is_utf8

SHORT = 512  # bytes up to which tokens one by one are faster
MOST_TOKENS = 50_000  # in a value with a backslash outside strings, which is no JSON: of more it is not divided
BLANK = b" \t\r\n"  # allowed between the values of a JSON text

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
_OPEN, _CLOSE, _COMMA, _QUOTE, _ESCAPE = b"[{", b"]}", b",", ord('"'), ord("\\")
_STEP = numpy.zeros(256, numpy.int8)
_STEP[list(_OPEN)], _STEP[list(_CLOSE)] = 1, -1
_IS_MARK = numpy.zeros(256, bool)
_IS_MARK[list(_OPEN + _CLOSE + _COMMA)] = True


class _Marks(NamedTuple):
    """Brackets and commas outside strings: where, which, and how deep the value nests behind each. `last`: where the
    last of them or the last quote is; -1 without any."""

    at: Any
    byte: Any
    depth: Any
    last: int


class Elements(NamedTuple):
    """The elements of a JSON array as bytes, not yet decoded, and which of them nest too deep (by place)."""

    parts: list[bytes]
    deep: frozenset[int]


def too_deep(part: bytes, most: int = MAX_DEPTH) -> bool:
    """Whether arrays and objects nest more than `most` deep."""
    if part.count(b"{") + part.count(b"[") <= most:
        return False  # too few to exceed the bound
    marks = _marks(part)
    return marks is None or (len(marks.at) > 0 and int(marks.depth.max()) > most)


def split(value: bytes) -> Elements | RejectionReason:
    """The elements of a value that begins with `[`; a reason when its brackets do not balance."""
    marks = _marks(value)
    if marks is None:
        return RejectionReason.NOT_JSON
    ends = numpy.flatnonzero((marks.depth == 0) & (marks.byte != _COMMA[0]))
    stop = int(ends[0]) if len(ends) else len(marks.at)
    commas = numpy.flatnonzero((marks.depth[:stop] == 1) & (marks.byte[:stop] == _COMMA[0]))
    if len(commas) >= MAX_EVENTS:
        return RejectionReason.TOO_MANY_EVENTS
    end = int(marks.at[stop]) if len(ends) else -1
    if 0 <= end < marks.last:
        return RejectionReason.NOT_JSON  # something follows the array
    if end < 0 or value[end : end + 1] != b"]" or value[end + 1 :].strip(BLANK):
        return RejectionReason.NOT_JSON if is_utf8(value) else RejectionReason.NOT_UTF8
    starts = [int(marks.at[0]) + 1, *(marks.at[commas] + 1).tolist()]
    parts = [value[start : stop - 1] for start, stop in zip(starts, [*starts[1:], end + 1], strict=True)]
    if len(parts) == 1 and not parts[0].strip(BLANK):
        return Elements([], frozenset())
    deepest = numpy.maximum.reduceat(marks.depth[:stop], [0, *commas])
    return Elements(parts, frozenset(numpy.flatnonzero(deepest > MAX_DEPTH + 1).tolist()))


def _marks(value: bytes) -> _Marks | None:
    """The brackets and commas of a value; `None` when there are too many in what is no JSON in any case."""
    if len(value) <= SHORT:
        return _tokens(value)
    raw = numpy.frombuffer(value, numpy.uint8)
    quotes = numpy.flatnonzero(raw == _QUOTE)
    escapes = numpy.flatnonzero(raw == _ESCAPE)
    at = numpy.flatnonzero(_IS_MARK[raw])
    if len(escapes):
        quotes = quotes[~_escaped(quotes, escapes)]
        if (numpy.searchsorted(quotes, escapes) % 2 == 0).any():  # outside strings, where it escapes nothing
            return _tokens(value) if len(at) + len(quotes) <= MOST_TOKENS else None
    at = at[numpy.searchsorted(quotes, at) % 2 == 0]
    last = max(int(each[-1]) if len(each) else -1 for each in (at, quotes))
    return _made(raw[at], at, last)


def _escaped(quotes: Any, escapes: Any) -> Any:
    """Which quotes stand behind an odd number of backslashes."""
    breaks = numpy.flatnonzero(numpy.diff(escapes) != 1) + 1
    first = numpy.concatenate(([0], breaks))  # of each run of backslashes
    length = numpy.diff(numpy.concatenate((first, [len(escapes)])))
    odd = escapes[first + length - 1][length % 2 == 1] + 1  # what stands behind a run of odd length
    return numpy.isin(quotes, odd, assume_unique=True)


def _tokens(value: bytes) -> _Marks:
    """The same, token by token."""
    at: list[int] = []
    last = -1
    for token in _TOKEN.finditer(value):
        last = token.start()
        if value[last] != _QUOTE:
            at.append(last)
        elif token.end() > last + 1:
            last = token.end() - 1
    raw = numpy.frombuffer(value, numpy.uint8)
    places = numpy.array(at, numpy.int64)
    return _made(raw[places], places, last)


def _made(byte: Any, at: Any, last: int) -> _Marks:
    return _Marks(at, byte, numpy.cumsum(_STEP[byte], dtype=numpy.int64), last)
