"""Telemetry: what is encoded is read back, and times inside the monitor are whole milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.asyncapi import example
from monitor.model.events import EVENT_TYPES, Envelope, Event, Severity, encode, event_type, millis


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_an_event_survives_its_own_encoding(kind: str) -> None:
    """encode, decode: the same event, of the same type."""
    event = msgspec.convert(example(kind), Event)
    assert msgspec.json.decode(encode(event), type=Event) == event
    assert event_type(event) == kind
    assert type(event) is EVENT_TYPES[kind]


def test_types_are_named_after_the_sandbox_and_are_eighteen() -> None:
    """The list that charters, pages and firms rely on."""
    assert sorted(EVENT_TYPES) == [
        "sandbox.boundary.breached",
        "sandbox.claim.closed",
        "sandbox.claim.filed",
        "sandbox.command.acknowledged",
        "sandbox.complaint.filed",
        "sandbox.complaint.resolved",
        "sandbox.complaint.withdrawn",
        "sandbox.cost.reported",
        "sandbox.exposure.corrected",
        "sandbox.exposure.tallied",
        "sandbox.gain.reported",
        "sandbox.heartbeat",
        "sandbox.incident.reported",
        "sandbox.incident.updated",
        "sandbox.items.tallied",
        "sandbox.model.changed",
        "sandbox.outcomes.corrected",
        "sandbox.outcomes.tallied",
    ]
    assert all(issubclass(struct, Envelope) for struct in EVENT_TYPES.values())


@given(st.integers(0, 4_102_444_800_000), st.integers(0, 999), st.integers(-14 * 60, 14 * 60))
def test_millis_rounds_down_and_ignores_the_offset(at: int, micros: int, minutes: int) -> None:
    """Any offset, any microsecond: the millisecond that holds the instant."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at, microseconds=micros)
    assert millis(instant.astimezone(timezone(timedelta(minutes=minutes)))) == at


def test_severities_rise() -> None:
    """The order of the list is the order of gravity: thresholds rest on it."""
    assert [s.value for s in Severity] == ["near_miss", "hazard", "incident", "serious_incident"]
