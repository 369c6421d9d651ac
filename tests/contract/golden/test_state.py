"""The bytes of a pilot's state: every later version reads them, so places in the arrays never move."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from . import names, signed, story
from .filler import full, least
from .pins import pinned
from .test_streams import WAYS, played, signed_hour

RULE = "A state snapshot never changes its bytes."
CHARTER, STREAMS, DETECTORS = 2, 9, 16  # places in a snapshot
WHOLE = ("pilot-0001", "pilot-0005", "pilot-0008")  # pilots whose state is kept in full


def opened(raw: bytes) -> list[Any]:
    """A snapshot as plain values, what is compressed in it unpacked. Compressed bytes depend on the zlib that is
    installed."""
    state: list[Any] = msgspec.msgpack.decode(raw)
    state[CHARTER] = msgspec.msgpack.decode(zlib.decompress(state[CHARTER]))
    blobs = msgspec.msgpack.decode(zlib.decompress(state[DETECTORS]))
    # One list of detectors for each stream, in the order of the charter: named here, so that a failure names them too.
    state[DETECTORS] = dict(zip(state[STREAMS], blobs, strict=True))
    return _plain(state)  # type: ignore[no-any-return]


def leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in nested arrays by its place; keys of maps are `*`, but for those that name fields."""
    if isinstance(value, list | dict) and not value:
        yield at, value
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, f"{at}/{place}")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{at}/{key if key.isidentifier() else '*'}")
    else:
        yield at, value


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex() if len(value) <= 64 else f"{len(value)} bytes, sha256 {hashlib.sha256(value).hexdigest()}"
    if isinstance(value, dict):
        # Explanations travel with a command; they are pinned by themselves.
        return {str(key): "" if key == "explanation" else _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:16]


@pytest.mark.parametrize("way", WAYS)
def test_states_after_a_scripted_day_are_the_same(way: str) -> None:
    """Each place of each pilot's snapshot, with every detector and indicator, halts, drills, releases and exits behind
    it."""
    machine = played(way).machine
    states = {pilot: opened(names.state_of(machine, pilot)) for pilot in story.script().fleet.pilots}
    assert {state[0] for state in states.values()} == {7}
    pinned("state_whole", RULE, {pilot: states[pilot] for pilot in WHOLE})
    places = {pilot: {str(n): _digest(value) for n, value in enumerate(state)} for pilot, state in states.items()}
    pinned("state_places", RULE, places)


@pytest.mark.parametrize("way", WAYS)
def test_each_place_of_a_state_holds_the_same_through_the_day(way: str) -> None:
    """One digest for each place in the nested arrays, over snapshots of all pilots taken at several times."""
    columns: dict[str, list[Any]] = {}
    for states in (played(way).states, signed_hour(way).states):
        for (step, pilot), raw in states.items():
            state = opened(raw)
            state[CHARTER] = None  # pinned on the wire
            for place, value in leaves(state):
                columns.setdefault(place, []).append([step, pilot, value])
    found = {
        place: f"{_digest(values)} {len({repr(value[2]) for value in values})} values"
        for place, values in sorted(columns.items())
    }
    pinned("state_leaves", RULE, found)


@pytest.mark.parametrize("way", WAYS)
def test_states_after_an_hour_with_keys_are_the_same(way: str) -> None:
    """Keys of acts, an outage, lost telemetry; and the partition's own state."""
    machine = signed_hour(way).machine
    found: dict[str, Any] = {pilot: opened(names.state_of(machine, pilot)) for pilot in signed.PILOTS}
    found["partition"] = names.state_of(machine, "").hex()
    pinned("state_signed", RULE, found)


def test_a_state_is_read_and_written_again_to_the_same_bytes() -> None:
    """Also the charter and the detectors, which are packed."""
    machine = played("one by one").machine
    for pilot in story.script().fleet.pilots:
        raw = names.state_of(machine, pilot)
        assert names.written_again(raw) == raw


def test_the_state_of_the_partition_and_the_state_topic_keep_their_bytes() -> None:
    """Watermark, position and snapshot records, and their keys."""
    keys = names.state_keys
    found = {
        "partition": msgspec.msgpack.encode(full(names.PartitionState)).hex(),
        "partition least": msgspec.msgpack.encode(least(names.PartitionState)).hex(),
        "snapshot": keys.encode(full(keys.Snapshot)).hex(),
        "watermark": keys.encode(full(keys.Watermark)).hex(),
        "position": keys.encode(full(names.Position)).hex(),
        "keys": [keys.key(kind, 7, "pilot/a").decode() for kind in (keys.SNAPSHOT, keys.WATERMARK, keys.THROUGH)],
    }
    pinned("state_topic", "Records of the state topic never change their bytes.", found)
