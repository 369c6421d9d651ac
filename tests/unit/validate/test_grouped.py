"""Rejected events of one record are grouped: a bounded number of rejections, which count every event."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.model.builders import Emitter
from monitor.model.events import encode
from monitor.model.records import Record, Rejected
from monitor.validate.grouped import GROUPS, PLACES, RejectedEvents
from monitor.validate.parse import validate
from monitor.validate.rejections import RejectionReason

NOW = 1_767_225_600_000
GOOD = encode(Emitter("svc", "p").exposure(NOW, 1.0))


def rejected(*elements: bytes, key: bytes | None = b"p") -> list[Rejected]:
    value = b"[" + b",".join(elements) + b"]"
    return validate(Record(7, NOW, key, value), "t", 2, secret=b"s").rejected


def changed(**fields: Any) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(GOOD), **fields})


def test_equal_mistakes_are_one_rejection() -> None:
    """It has the number of events, the places of the first of them, and the position of the first as its id."""
    (one,) = rejected(GOOD, *[b"{}"] * 25)
    assert (one.reason, one.count, one.index) == ("missing_field", 25, 1)
    assert one.places == tuple(range(1, 1 + PLACES))
    assert one.id == "t/2/7/1"


def test_groups_differ_by_reason_field_and_pilot() -> None:
    """In the order of their first events."""
    found = rejected(changed(subject="q"), changed(time=1), changed(source=1), changed(subject="q"))
    assert [(r.reason, r.field, r.pilot, r.places) for r in found] == [
        ("key_mismatch", "subject", "q", (0, 3)),
        ("wrong_type", "time", "p", (1,)),
        ("wrong_type", "source", "p", (2,)),
    ]


def test_no_record_gives_more_than_so_many_rejections() -> None:
    """The last one counts the rest by reason."""
    found = rejected(*[changed(subject=f"q{n}") for n in range(300)], b"{}", changed(time="x", subject="r"))
    assert len(found) == GROUPS
    assert sum(r.count for r in found) == 302
    rest = found[-1]
    assert (rest.reason, rest.index) == ("several_reasons", GROUPS - 1)
    assert rest.by_reason == {"key_mismatch": 300 - (GROUPS - 1), "missing_field": 1, "bad_time": 1}
    assert len({r.id for r in found}) == GROUPS
    assert len(rejected(*[changed(subject=f"q{n}") for n in range(GROUPS)])) == GROUPS
    assert rejected(*[changed(subject=f"q{n}") for n in range(GROUPS)])[-1].reason == "key_mismatch"


def test_what_two_stages_reject_is_merged_by_place() -> None:
    """The places are in order, whichever stage found them."""
    record = Record(1, NOW, b"p", b"")
    early, late = RejectedEvents(record), RejectedEvents(record)
    for place in (1, 5):
        early.add(RejectionReason.NOT_YOURS, "subject", index=place, pilot="p")
    for place in (0, 3):
        late.add(RejectionReason.NOT_YOURS, "subject", index=place, pilot="p")
    early.merge(late)
    (one,) = early.rejections("t", 0, b"")
    assert (one.count, one.places) == (4, (0, 1, 3, 5))


def test_a_rejection_of_an_older_version_is_read() -> None:
    """It counts one event."""
    raw = b'{"topic":"t","partition":0,"offset":1,"index":0,"field":"data","reason":"bad_time","detail":"","pilot":""}'
    old = msgspec.json.decode(raw, type=Rejected)
    assert (old.count, old.places, old.reasons) == (1, (), {"bad_time": 1})
