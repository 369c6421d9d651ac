"""Where an array of events is divided, and how deep bytes nest: long values are read as short ones are."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.validate import nesting
from monitor.validate.nesting import BLANK, Elements, split, too_deep
from monitor.validate.rejections import MAX_DEPTH, MAX_EVENTS, RejectionReason, is_utf8
from tests.strength import examples

TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
PIECES = st.sampled_from(
    [b'"', b"\\", b'\\"', b"\\\\", b"[", b"]", b"{", b"}", b",", b"a", b" ", b"1", b"\xff", b"[" * 70, b"]" * 70, b'""']
)
NOISE = st.lists(PIECES, max_size=60).map(b"".join)


def by_token(value: bytes) -> list[bytes] | RejectionReason:
    """The rule, token by token."""
    parts: list[bytes] = []
    depth, begin = 0, value.index(b"[") + 1
    end = -1
    for token in TOKEN.finditer(value):
        mark = token[0]
        if end >= 0:
            return RejectionReason.NOT_JSON
        if mark in (b"{", b"["):
            depth += 1
        elif mark in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                end = token.start()
        elif mark == b"," and depth == 1:
            parts.append(value[begin : token.start()])
            begin = token.end()
            if len(parts) >= MAX_EVENTS:
                return RejectionReason.TOO_MANY_EVENTS
    if end < 0 or value[end : end + 1] != b"]" or value[end + 1 :].strip(BLANK):
        return RejectionReason.NOT_JSON if is_utf8(value) else RejectionReason.NOT_UTF8
    last = value[begin:end]
    return [*parts, last] if parts or last.strip(BLANK) else []


def depth_of(part: bytes) -> int:
    depth = deepest = 0
    for token in TOKEN.finditer(part):
        depth += (token[0] in (b"{", b"[")) - (token[0] in (b"}", b"]"))
        deepest = max(deepest, depth)
    return deepest


@given(NOISE, st.booleans())
@settings(max_examples=examples(400, 5_000), deadline=None)
def test_an_array_is_divided_by_the_rule_of_single_tokens(noise: bytes, closed: bool) -> None:
    """Whatever the bytes are, long or short: the same elements or the same reason, and the same are too deep."""
    body = b"[" + noise + (b"]" if closed else b"")
    for value in (body, body + b" " * nesting.SHORT, b" [" + b'"x",' * 200 + body[1:]):
        expected, found = by_token(value), split(value)
        if isinstance(found, Elements):
            assert found.parts == expected
            assert found.deep == {n for n, part in enumerate(found.parts) if depth_of(part) > MAX_DEPTH}
        else:
            assert found == expected


@given(NOISE, st.integers(1, 70))
@settings(max_examples=examples(400, 5_000), deadline=None)
def test_depth_is_that_of_single_tokens(noise: bytes, most: int) -> None:
    """Brackets in strings do not nest; a backslash outside strings means nothing."""
    for value in (noise, noise + b" " * nesting.SHORT):
        assert too_deep(value, most) == (depth_of(value) > most)


def test_what_is_no_json_is_not_divided_token_by_token_for_long() -> None:
    """With a backslash outside strings and more marks than any record of events holds, the record is rejected."""
    value = b"[[\\" + b"[]," * nesting.MOST_TOKENS + b"1]]"
    assert split(value) is RejectionReason.NOT_JSON
    assert too_deep(value)
    assert isinstance(split(b"[[\\" + b"[]," * 1_000 + b"1]]"), Elements)
