"""Builders of events for tests: the same calls give the same bytes, and the monitor reads them."""

from __future__ import annotations

import msgspec

from monitor.model.builders import Emitter, one_of_each, packed
from monitor.model.events import EVENT_TYPES, Event, event_type


def test_one_of_each_is_every_type_there_is() -> None:
    """No event type is without a builder, and what is built is what the monitor decodes."""
    events = list(one_of_each(Emitter("s", "p"), 1_700_000_000_000))
    assert {event_type(event) for event in events} == set(EVENT_TYPES)
    assert msgspec.json.decode(packed(events), type=list[Event]) == events


def test_the_same_calls_give_the_same_bytes() -> None:
    """Nothing but source, number and arguments decides what an event is."""
    one, two = (packed(one_of_each(Emitter("s", "p"), 5_000)) for _ in range(2))
    assert one == two
    assert packed(one_of_each(Emitter("other", "p"), 5_000)) != one


def test_skip_leaves_the_gap_that_a_lost_event_leaves() -> None:
    """Numbers go on behind the gap."""
    emitter = Emitter("s", "p", first=7)
    emitter.gain(0)
    emitter.skip(2)
    assert emitter.gain(0).sequence == "000000000010"
