"""The fast paths of the ledger's readers decide as the slow ones do."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.model import canonical as module
from monitor.model.canonical import canonical, parse_canonical
from monitor.notary import encoding
from monitor.notary.encoding import Malformed, decode, encode
from monitor.notary.entries import entry_of
from monitor.testing.records import decision
from tests.strength import examples

NUMBERS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**60), 2**60))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(st.characters(max_codepoint=300), max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=4)),
    max_leaves=12,
)


def texts() -> st.SearchStrategy[bytes]:
    """Canonical JSON, other spellings of it, and text with one byte changed."""

    def spelt(pair: tuple[Any, int, int]) -> bytes:
        value, way, at = pair
        try:
            raw = canonical(value) if way else json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, UnicodeEncodeError):
            return b"null"
        if way == 2 and raw:
            changed = bytearray(raw)
            changed[at % len(raw)] = b' 0123456789.eE-+",:\\{}[]'[at % 24]
            return bytes(changed)
        return raw

    return st.tuples(VALUES, st.integers(0, 2), st.integers(0, 10_000)).map(spelt)


@settings(max_examples=examples(400, 20_000), deadline=None)
@given(texts())
@example(b"1.0")
@example(b"-0")
@example(b"1e+21")
@example(b"0.00001")
@example(b"100000000000000000000")
@example(b'{"b":1,"a":2}')
@example(b'{"a":1,"a":1}')
@example(b'"\\u007f"')
@example(b'"\x7f"')
@example(b"[1.5,2]")
def test_canonical_json_is_read_the_same_on_both_paths(raw: bytes) -> None:
    """What the fast path accepts is canonical with the same value; what it leaves alone is decided by the slow path."""
    fast = module._plain(raw) if raw.isascii() else None
    try:
        value = json.loads(raw.decode(), parse_int=module._whole, parse_constant=module._no_constant)
        slow = (value,) if canonical(value) == raw else None
    except ValueError:
        slow = None
    assert fast is None or (slow is not None and repr(fast) == repr(slow))
    if slow is not None:
        assert repr(parse_canonical(raw)) == repr(slow[0])


WHOLE = encode(entry_of(decision(1), b"")[0])


@settings(max_examples=examples(300, 20_000), deadline=None)
@given(st.integers(0, len(WHOLE)), st.binary(max_size=3), st.integers(0, 3))
def test_an_entry_is_decoded_the_same_on_both_paths(at: int, put: bytes, cut: int) -> None:
    """With any few bytes replaced, added or removed, both paths give the same entry, or the slow one says what is
    wrong."""
    raw = WHOLE[:at] + put + WHOLE[at + cut :]
    try:
        whole = decode(raw)
    except Malformed:
        whole = None
    fast, encoding._whole = encoding._whole, lambda raw, kind: None  # type: ignore[assignment]
    try:
        slow = decode(raw)
    except Malformed:
        slow = None
    finally:
        encoding._whole = fast
    assert whole == slow
