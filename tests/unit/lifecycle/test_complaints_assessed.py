"""An assessment holds the complaints that were counted, and of these sides: those that reporters filed."""

from __future__ import annotations

from msgspec import structs

from monitor.charter.exit_acts import Assessing
from monitor.charter.spec import Charter, Reporter
from monitor.model.assessment import Assessment
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, encode
from monitor.model.records import Record
from monitor.model.signing import HEADER
from monitor.state.snapshots import restore, snapshot
from tests.unit.engine.test_machine import HOUR

from .founded import KEYS, OWN, PUBLIC, Founded

COUNTED = structs.replace(OWN.indicators[0], name="complaints", kind="complaint_rate")
WATCHED = structs.replace(OWN, indicators=(COUNTED,), reporters=(Reporter("desk", keys=(PUBLIC["public"],)),))


def world(charter: Charter = WATCHED) -> Founded:
    return Founded(admit=charter)


def outside(made: Founded, event: Envelope) -> None:
    """An event that the reporter signs."""
    body = encode(event)
    made.number += 1
    headers = ((HEADER, KEYS["public"].sign("telemetry", body).encode()),)
    out = made.keep(made.machine.telemetry("telemetry", [Record(made.number, made.at, b"p", body, headers)]))
    assert not out.rejected, out.rejected


def assessed(made: Founded) -> Assessment:
    out = made.put(Assessing(**made.by("officer"), outcome="continue", reason="r"))
    numbers = out.decisions[-1].finding.assessment
    assert isinstance(numbers, Assessment)
    return numbers


def test_an_assessment_tells_complaints_of_reporters_from_all_that_were_counted() -> None:
    """Two of the firm and one of a reporter: three were counted, one came from outside; a restart forgets none."""
    made, desk = world(), Emitter("desk/1", "p")
    made.say(made.service.exposure(made.at, 100))
    for name in ("c-1", "c-2"):
        made.say(made.service.complaint(made.at, name))
    outside(made, desk.complaint(made.at, "c-3"))
    outside(made, desk.incident(made.at))
    assert restore(snapshot(made.pilot))[0].stay.outside == 1
    made.at += 12 * HOUR
    made.machine.time(made.at)
    numbers = assessed(made)
    assert (numbers.complaints, numbers.complaints_outside) == (3.0, 1)


def test_without_an_indicator_of_complaints_the_assessment_says_no_number() -> None:
    """A zero would claim that there were none."""
    assert assessed(world(OWN)).complaints is None
