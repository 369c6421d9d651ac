"""A report that raises has recorded nothing; one that returns has recorded what the monitor reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.model.events import Event, ExposureTallied
from monitor.sdk import BadEvent, Harm, Pilot, Severity
from monitor.sdk.spool import records
from monitor.testing.memory_link import MemoryLink
from tests.strength import examples

NOW = datetime.now(UTC) - timedelta(minutes=1)
NUMBERS: list[Any] = [
    0, 7, 7.0, 7.5, -1, Decimal(-7), True, None, "7", 10**400, 2**63, 1e16, math.nan, math.inf,
    Decimal(7), Decimal("7.5"), Decimal("1e999999"), Decimal("sNaN"), Decimal("Infinity"), Fraction(7, 2),
    Fraction(10**400),
    numpy.int64(7), numpy.uint8(7), numpy.float64(7.5), numpy.float32(7.5), numpy.float64("nan"), numpy.bool_(True),
    numpy.array([7.0]), 7j, [7], object(),
]  # fmt: skip
TEXTS: list[Any] = [
    "a", "", "x" * 200, "x" * 201, "\ud800", "a\udfff", "\x00", "\U0001f642" * 200, numpy.str_("a"), b"a", 5, None,
    Severity.HAZARD, Harm.DEATH, "hazard", "EUR", "death",
]  # fmt: skip
TIMES: list[Any] = [
    NOW, NOW - timedelta(days=9), NOW.replace(tzinfo=None), NOW + timedelta(days=400), datetime(1970, 1, 1, tzinfo=UTC),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
    NOW.astimezone(timezone(timedelta(hours=5, minutes=30, seconds=7))), "2026-01-01", 0, None, NOW.date(),
]  # fmt: skip
CALLS: dict[str, tuple[tuple[list[Any], ...], dict[str, list[Any]]]] = {
    "complaint": ((TEXTS,), {"segment": TEXTS, "category": TEXTS}),
    "complaint_resolved": ((TEXTS,), {"filed": TIMES, "segment": TEXTS}),
    "complaint_withdrawn": ((TEXTS,), {"filed": TIMES}),
    "boundary_breached": ((TEXTS,), {"segment": TEXTS}),
    "incident": ((TEXTS, TEXTS), {"harm": TEXTS, "segment": TEXTS}),
    "incident_update": ((TEXTS, TEXTS), {"was": TEXTS, "harm": TEXTS}),
    "outcomes": ((), {"tp": NUMBERS, "fp": NUMBERS, "tn": NUMBERS, "fn": NUMBERS}),
    "exposure": ((NUMBERS, TEXTS), {"segment": TEXTS}),
    "exposure_corrected": ((NUMBERS, TEXTS), {"segment": TEXTS}),
    "outcomes_corrected": ((), {"tp": NUMBERS, "fp": NUMBERS}),
    "items": ((TEXTS,), {"marked": NUMBERS, "unmarked": NUMBERS, "segment": TEXTS}),
    "claim": ((TEXTS, TEXTS), {"segment": TEXTS}),
    "claim_closed": ((TEXTS, TEXTS), {"filed": TIMES, "segment": TEXTS, "withdrawn": [True, False, None, 1, "yes"]}),
    "cost": ((NUMBERS, TEXTS), {}),
    "gain": ((NUMBERS,), {}),
    "model_changed": ((TEXTS,), {}),
    "heartbeat": ((), {}),
}


@pytest.fixture(name="pilot", scope="module")
def a_pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    """A pilot whose events stay in its spool."""
    link = MemoryLink()
    link.away = True
    with Pilot(
        "p-1", participant="f", to=link, spool_dir=tmp_path_factory.mktemp("spool"), heartbeat_s=0, follow=False
    ) as pilot:
        yield pilot
        link.away = False


def newest(directory: Path, position: int) -> bytes:
    """The bytes in the spool after `position`."""
    (segment,) = directory.glob("*.segment")
    return segment.read_bytes()[position:]


@pytest.mark.parametrize("name", CALLS)
def test_the_list_of_calls_is_complete(name: str) -> None:
    """The list holds every reporting method of `Pilot` and nothing else."""
    reports = {n for n, f in vars(Pilot).items() if not n.startswith("_") and "at" in getattr(f, "__annotations__", {})}
    assert reports == set(CALLS)
    assert name in reports


@settings(max_examples=examples(500, 1500), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_report_that_raises_changed_nothing(pilot: Pilot, data: st.DataObject) -> None:
    """For all reports and hostile arguments: either `BadEvent` with a field, and spool, number, counter and model are
    unchanged; or one more event, which the monitor decodes, and the counter increased by its amount."""
    name = data.draw(st.sampled_from(sorted(CALLS)))
    positional, named = CALLS[name]
    arguments = [data.draw(st.sampled_from(values)) for values in positional]
    more = {key: data.draw(st.sampled_from(values)) for key, values in named.items()}
    more["at"] = data.draw(st.sampled_from([NOW, None, *TIMES]))
    spool = pilot._runtime.incarnation.spool
    before = (spool.written, pilot._reporter.number, pilot._reporter.counter, pilot._reporter.model)
    event_id, refused = "", None
    try:
        event_id = getattr(pilot, name)(*arguments, **more)
    except BadEvent as error:
        refused = error
    if refused is not None:
        assert refused.field
        assert refused.detail
        assert (spool.written, pilot._reporter.number, pilot._reporter.counter, pilot._reporter.model) == before
        return
    written = [payload for _, payload in records(newest(spool.directory, before[0]))]
    assert len(written) == 1
    event: Any = msgspec.json.decode(written[0], type=Event)
    assert (event.id, int(event.sequence)) == (event_id, before[1] + 1)
    raised = event.data.amount if isinstance(event, ExposureTallied) else 0.0
    assert pilot._reporter.counter == before[2] + raised
    assert pilot._reporter.model == event.data.model


@pytest.mark.parametrize(
    "amount", [Decimal(7), numpy.int64(7), numpy.float64(7.0), numpy.float32(7.0), Fraction(14, 2), 7, 7.0]
)
def test_numbers_of_other_libraries_are_accepted(pilot: Pilot, amount: Any) -> None:
    """A convertible number is recorded once, and the counter increases by it."""
    before = pilot._reporter.counter
    assert pilot.exposure(amount, "decisions")
    assert pilot._reporter.counter == before + 7


def test_an_exposure_beyond_what_a_heartbeat_can_state_does_not_end_heartbeats(pilot: Pilot) -> None:
    """The counter is capped at the largest value that the monitor accepts."""
    pilot.exposure(1e15, "decisions")
    pilot.exposure(1e15, "decisions")
    assert pilot.heartbeat()
    pilot._reporter.counter = 0.0
