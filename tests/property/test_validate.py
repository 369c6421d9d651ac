"""`validate` never raises for any bytes, and returns one result for every event of a record."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.asyncapi import EXAMPLES, example
from monitor.model.records import Record
from monitor.validate.parse import Validated, validate
from monitor.validate.rejections import SENTENCES, RejectionReason
from tests.strength import examples

RECEIVED = 1_772_359_260_000  # a minute after the examples
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "ce_type", "ce_id", "ce_time", "traceparent"]),
        st.one_of(
            st.binary(max_size=12),
            st.sampled_from(
                [b"application/cloudevents+json", b"application/cloudevents-batch+json", b"application/json"]
            ),
        ),
    ),
    max_size=4,
).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
EVENTS = st.sampled_from(list(EXAMPLES)).map(example)


def read(value: bytes | None, headers: tuple[tuple[str, bytes], ...] = (), key: bytes | None = None) -> Validated:
    result = validate(Record(0, RECEIVED, key, value, headers), "t", 0, secret=b"k")
    assert len(result.events) == len(result.places)
    assert all(r.reason in set(RejectionReason) and r.detail for r in result.rejected)
    assert set(SENTENCES) >= {RejectionReason(r.reason) for r in result.rejected}
    return result


@given(st.none() | st.binary(max_size=200), HEADERS, st.none() | st.binary(max_size=8))
@settings(max_examples=examples(120, 300), deadline=None)
def test_arbitrary_bytes_never_raise(value: bytes | None, headers: Any, key: bytes | None) -> None:
    """Bytes, headers and keys of any kind give events or rejections, at least one of them unless a batch is empty."""
    events, _, rejected = read(value, headers, key)
    assert events or rejected or (value or b"").strip(b" \t\r\n[]") == b""


@given(EVENTS, st.data())
@settings(max_examples=examples(120, 300), deadline=None)
def test_a_damaged_event_never_raises(event: dict[str, Any], data: st.DataObject) -> None:
    """A valid event with bytes removed, doubled or overwritten gives at most one event and at least one result."""
    raw = msgspec.json.encode(event)
    start = data.draw(st.integers(0, len(raw)))
    stop = data.draw(st.integers(start, min(len(raw), start + 30)))
    value = raw[:start] + data.draw(st.binary(max_size=10)) + raw[stop:]
    events, _, rejected = read(value, key=b"pilot-17")
    assert len(events) + len(rejected) >= 1 or value.strip() == b"[]"


@given(st.lists(EVENTS | JSON, max_size=8))
@settings(max_examples=examples(120, 300), deadline=None)
def test_every_event_of_a_batch_is_accounted_for_and_judged_by_itself(items: list[Any]) -> None:
    """The places of events and rejections together are 0 to n-1, and each element gets the result that it gets
    alone."""
    elements = [msgspec.json.encode(item) for item in items]
    events, places, rejected = read(b"[" + b",".join(elements) + b"]")
    assert sorted([*places, *(place for r in rejected for place in r.places)]) == list(range(len(items)))
    assert all((r.index, r.count) == (r.places[0], len(r.places)) for r in rejected)
    for place, event in zip(places, events, strict=True):
        assert read(elements[place], (("content-type", b"application/cloudevents+json"),)).events == [event]
    for one, place in ((r, place) for r in rejected for place in r.places):
        alone = read(elements[place], (("content-type", b"application/cloudevents+json"),)).rejected
        assert [(r.field, r.reason, r.pilot) for r in alone] == [(one.field, one.reason, one.pilot)]


@given(EVENTS, st.sampled_from(["time", "sequence", "source", "subject", "data", "id", "specversion", "type"]), JSON)
@settings(max_examples=examples(120, 300), deadline=None)
def test_any_value_in_any_field_gives_one_result(event: dict[str, Any], field: str, value: Any) -> None:
    """One event in, one event or one rejection out."""
    events, _, rejected = read(msgspec.json.encode({**event, field: value}))
    assert len(events) + len(rejected) == 1
