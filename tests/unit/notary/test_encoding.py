"""The bytes of an entry, of a ledger and of its hashes never change: public vectors, and every way of being
malformed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.canonical import canonical, parse_canonical
from monitor.model.records import Command, Decision
from monitor.notary.encoding import TYPED, VERSIONS, Entry, EntryType, Malformed, check, decode, encode
from monitor.notary.entries import entry_of, in_order
from monitor.notary.format import frame, header, index_record
from monitor.testing.records import command, decision
from monitor.tlog.merkle import EMPTY_ROOT, Frontier, leaf_hash, root

VECTORS = Path(__file__).parents[2] / "data" / "ledger"


def vectors(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


@pytest.mark.parametrize("case", vectors("entries.json")["entries"], ids=lambda case: case["says"])
def test_entry_vectors(case: dict[str, Any]) -> None:
    """An entry's bytes and leaf hash are those published, in both directions."""
    body = case["body"].encode()
    entry = Entry(EntryType(case["type"]), case["id"], case["pilot"], case["at"], case["standing"], case["epoch"], body)
    raw = bytes.fromhex(case["entry_hex"])
    assert encode(entry) == raw
    assert check(raw) == entry
    assert leaf_hash(raw).hex() == case["leaf_hash"]


def test_ledger_vector() -> None:
    """The published entries give the published files, byte for byte, and the published root."""
    whole = vectors("entries.json")
    raws = [bytes.fromhex(case["entry_hex"]) for case in whole["entries"]]
    ledger, index = header(whole["model_file"]), b""
    for number, raw in enumerate(raws):
        ledger += frame(number, raw)
        index += index_record(len(ledger), leaf_hash(raw))
    assert ledger.hex() == whole["ledger_hex"]
    assert index.hex() == whole["index_hex"]
    assert root([leaf_hash(raw) for raw in raws]).hex() == whole["root"]


def test_an_entry_written_out_by_hand() -> None:
    """The layout is the documented one, checked without any of our encoders."""
    body = b'{"action":"halt"}'
    raw = (
        b"\x01\x03"
        + b"\x00\x02id"
        + b"\x00\x03p\xc3\xa9"
        + (1000).to_bytes(8, "big")
        + (7).to_bytes(8, "big")
        + (2).to_bytes(8, "big")
        + b"\x00\x11"
        + body
    )
    assert encode(Entry(EntryType.COMMAND, "id", "pé", 1000, 7, 2, body)) == raw


@pytest.mark.parametrize("case", vectors("tree.json")["heads"], ids=lambda case: f"{case['size']} leaves")
def test_tree_vectors(case: dict[str, Any]) -> None:
    """Tree heads are those of RFC 6962 for the leaves that Certificate Transparency has always tested with."""
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in vectors("tree.json")["leaves_hex"][: case["size"]]]
    frontier = Frontier()
    for leaf in leaves:
        frontier.push(leaf)
    assert root(leaves).hex() == case["root"] == frontier.root().hex()


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=70))
def test_the_growing_tree_is_the_defined_tree(leaves: list[bytes]) -> None:
    """Pushing leaves one by one gives the root that is computed level by level, at every size."""
    frontier = Frontier()
    for size, leaf in enumerate(leaves):
        assert frontier.root() == root(leaves[:size])
        frontier.push(leaf)
    assert frontier.root() == root(leaves)
    assert (frontier.root() == EMPTY_ROOT) == (not leaves)


@pytest.mark.parametrize(("number", "text"), vectors("numbers.json")["numbers"])
def test_numbers_are_written_as_rfc_8785_says(number: str, text: str) -> None:
    """The samples of RFC 8785, appendix B: IEEE 754 bits in, ECMAScript text out."""
    import struct

    (value,) = struct.unpack(">d", bytes.fromhex(number))
    assert canonical(value) == text.encode()


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**53 + 1, 10**400, "\ud800", {1, 2}, {"a": object()}],
    ids=["nan", "infinity", "past 2**53", "400 digits", "half a surrogate", "a set", "an object"],
)
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    """No number, text or type without exactly one JSON form gets into a ledger."""
    with pytest.raises(ValueError):  # noqa: PT011
        canonical(value)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1.0}',
        b'{"a":1,"a":1}',
        b'"\\u0041"',
        b"NaN",
        b"[",
        b"\xff",
        b"[" * 60000,
        b"1" + b"0" * 5000,
    ],
    ids=lambda raw: repr(raw[:12]),
)
def test_another_spelling_of_json_is_refused(raw: bytes) -> None:
    """JSON that is not in its one canonical form is found, whatever it is."""
    with pytest.raises(ValueError):  # noqa: PT011
        parse_canonical(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.integers(0, 2**53),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_canonical_json_reads_back(value: Any) -> None:
    """Every JSON value survives, and canonical form is a fixed point."""
    raw = canonical(value)
    assert parse_canonical(raw) == value
    assert canonical(parse_canonical(raw)) == raw


TEXT = st.text(max_size=30)
NUMBER = st.integers(0, 2**64 - 1)
ENTRIES = st.builds(
    *(Entry, st.sampled_from(EntryType), TEXT, TEXT, NUMBER, NUMBER, NUMBER, st.binary(max_size=60)),
    st.sampled_from(VERSIONS),
).filter(lambda entry: entry.type.typed == (entry.version == TYPED))


@given(ENTRIES, ENTRIES)
def test_two_entries_never_share_their_bytes(one: Entry, other: Entry) -> None:
    """Encoding is reversible, so different entries have different bytes."""
    assert decode(encode(one)) == one
    assert (encode(one) == encode(other)) == (one == other)


@given(ENTRIES, st.data())
def test_no_piece_of_an_entry_is_an_entry(entry: Entry, data: st.DataObject) -> None:
    """Every proper prefix, and every extension, is malformed."""
    raw = encode(entry)
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(Malformed):
        decode(raw[:cut])
    with pytest.raises(Malformed):
        decode(raw + b"\x00")


@pytest.mark.parametrize("record", [decision(1), decision(2, kind="act", author="officer-7"), command(3)], ids=repr)
def test_a_record_reads_back_from_its_entry(record: Decision | Command) -> None:
    """The body holds the whole record: it can be rebuilt from the ledger."""
    import msgspec

    entry = check(encode(entry_of(record, b"")[0]))
    assert msgspec.convert(entry.record(), type(record)) == record


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": "x"}, "id"),
        ({"pilot": "x"}, "pilot"),
        ({"at": 1}, "at"),
        ({"standing": 99}, "standing"),
        ({"epoch": 99}, "epoch"),
        ({"type": EntryType.ACT}, "act"),
        ({"body": b"[]"}, "object"),
    ],
)
def test_fields_must_agree_with_the_body(change: dict[str, Any], problem: str) -> None:
    """An entry whose plain fields say something else than its body is malformed."""
    with pytest.raises(Malformed, match=problem):
        check(encode(entry_of(decision(1), b"")[0]._replace(**change)))


@pytest.mark.parametrize(
    "change",
    [{"id": "x" * 70_000}, {"body": b"x" * 65_530}, {"at": -1}, {"epoch": 2**64}, {"id": "\ud800"}, {"version": 3}],
    ids=["long id", "long entry", "negative", "too large", "surrogate", "version"],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    """Nothing is ever cut or wrapped to make it fit."""
    with pytest.raises(ValueError):  # noqa: PT011
        encode(entry_of(decision(1), b"")[0]._replace(**change))


@pytest.mark.parametrize(
    ("raw", "offset"),
    [
        (b"\x04\x01", 0),
        (b"\x01\x09", 1),
        (b"\x01", 0),
        (b"\x01\x01\x00\x01\xff", 2),
        (b"\x03\x01", 1),
        (b"\x01\x04", 1),
        (b"\x02\x05", 1),
    ],
)
def test_a_reader_refuses_what_it_does_not_know(raw: bytes, offset: int) -> None:
    """Another version, another type, another alphabet: said with the offset."""
    with pytest.raises(Malformed) as caught:
        decode(raw)
    assert caught.value.offset == offset


def test_a_command_follows_its_decision() -> None:
    """However a batch was cut, a command stands right after the decision that caused it."""
    decisions, commands = [decision(n) for n in (1, 2, 3)], [command(3), command(1)]
    assert in_order(decisions, commands) == [decisions[0], commands[1], decisions[1], decisions[2], commands[0]]
    assert in_order([], commands) == commands
