"""A pilot whose charter watches the shape of a gauge: daily cycle, no reports at night, snapshots in between."""

from __future__ import annotations

import math

import msgspec

from detectors.shape import Shape
from monitor.charter.control import Admission
from monitor.charter.spec import Authority, Charter, Cycle, DetectorSpec, IndicatorSpec, Model, Participant
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import encode
from monitor.model.records import Decision, Level, Outputs, Record

HOUR = 3_600_000
T0 = 1_767_571_200_000  # Monday 5 January 2026
WAVE = (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6)  # 23: out of step with a day
DAYS, BREAK = 40, 36
GAIN = IndicatorSpec(
    name="gain",
    kind="efficiency_gain",
    period="1h",
    reporting_delay="30m",
    detectors=(DetectorSpec("shape", "watch", params={"block": 8}),),
)
CHARTER = Charter(
    schema="sandbox-charter/1",
    pilot="p",
    participant=Participant("firm"),
    scenario="a test",
    tier="limited",
    cycle=Cycle("2026-01-01", "2027-01-01"),
    models=(Model("m1"),),
    authorities=(Authority("authority", approvers=("anna", "ben")),),
    indicators=(GAIN,),
)


def share(hour: int) -> float:
    """The gain at an hour of the trial: a peak by day, moved to the evening from the 36th day on."""
    shift = 0 if hour < 24 * BREAK else 9
    return 0.2 + 0.1 * math.exp(-(((hour % 24 - 9 - shift) / 2) ** 2)) + 0.001 * WAVE[hour % 23]


def run(restart_every: int | None = None) -> tuple[list[Decision], Machine]:
    """Returns the decisions of the whole trial, without reports from 20 to 24 o'clock and on Sundays."""
    machine, emitter, out = Machine(journalled=False), Emitter("svc/1", "p"), Outputs()
    admitted = Admission(id="adm", pilot="p", author="anna", charter=CHARTER)
    out.decisions += machine.control(Record(0, T0, b"p", msgspec.json.encode(admitted))).decisions
    sent = 0
    for hour in range(24 * DAYS):
        if hour % 24 >= 20 or hour // 24 % 7 == 6:
            continue
        at = T0 + hour * HOUR + 1000
        out.decisions += machine.telemetry(
            "telemetry", [Record(sent, at, b"p", encode(emitter.gain(at, share(hour))))]
        ).decisions
        sent += 1
        if restart_every and sent % restart_every == 0:
            saved = {name: raw for name, raw in machine.snapshots(["p"]).items() if raw is not None}
            machine = Machine(journalled=False)
            machine.restore(saved)
    return out.decisions, machine


def test_a_day_that_moves_is_watched_and_not_before() -> None:
    """Thirty-six days with the same peak give no finding although nights and Sundays are missing; the moved peak
    does."""
    decisions, machine = run()
    raised = [d for d in decisions if d.level is Level.WATCH]
    assert raised, "the moved hill was not seen"
    assert T0 + 24 * BREAK * HOUR < raised[0].at < T0 + 24 * (BREAK + 2) * HOUR
    detector = next(iter(machine.pilots["p"].streams.values())).detectors[0]
    assert isinstance(detector, Shape)
    assert detector.cycle is not None
    profile = detector.cycle.profile
    assert sum(v is None for v in profile) == 4, "the four hours of the night never had a number"


def test_a_restored_pilot_decides_what_one_that_ran_through_decides() -> None:
    """Saved and restored every 50 reports: equal decisions at equal times."""
    assert [(d.id, d.at, d.level) for d in run(50)[0]] == [(d.id, d.at, d.level) for d in run()[0]]
