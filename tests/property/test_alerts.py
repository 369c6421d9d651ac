"""The active alerts, computed from decisions alone, are the severe findings that the machine holds active."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.charter.control import (
    Admission,
    Approval,
    ControlBase,
    Drill,
    Evaluation,
    Override,
    Rectification,
    Release,
    Shelving,
    Withdrawal,
)
from monitor.charter.spec import (
    Authority,
    Charter,
    Cycle,
    DetectorSpec,
    ExposureSpec,
    HardRule,
    IndicatorSpec,
    Model,
    Participant,
    Responses,
)
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Harm, Severity, encode
from monitor.model.records import Decision, Level, Outputs, Reason, Record
from monitor.projections.alert_table import BEYOND, HALTED
from monitor.projections.alerts import MOST, PilotAlerts, after_decision, difference
from monitor.projections.severity import GRAVE

T0 = 1_767_571_200_000  # Monday 5 January 2026
HARMS = (Harm.DEATH, Harm.SERIOUS_INJURY, Harm.PROPERTY)


def charter(level: str) -> Charter:
    """A limit that may cause `level`, and hard rules for three harms that halt, escalate and watch."""
    limit = IndicatorSpec(
        name="incidents",
        kind="incident_rate",
        limit=5,
        per=1000,
        exposure=ExposureSpec(unit="decisions", cap=1000),
        weight=1,
        detectors=(DetectorSpec("limit_e_process", level),),  # type: ignore[arg-type]
    )
    rules = (
        HardRule("death", "escalate", harm=(Harm.DEATH,)),
        HardRule("injury", "halt", harm=(Harm.SERIOUS_INJURY,)),
        HardRule("property", "watch", harm=(Harm.PROPERTY,)),
    )
    return Charter(
        schema="sandbox-charter/1",
        pilot="p",
        participant=Participant("firm"),
        scenario="a test",
        tier="limited",
        cycle=Cycle("2026-01-01", "2027-01-01"),
        models=(Model("m1"),),
        authorities=(Authority("authority", approvers=("anna", "ben"), officers=("olga",)),),
        indicators=(limit,),
        hard_rules=rules,
        responses=Responses(tolerate_first=level == "halt", escalate_clears_after=2),
    )


class World:
    """One pilot on a real machine, next to the projection of its decisions."""

    def __init__(self, level: str) -> None:
        self.machine = Machine(journalled=False)
        self.now, self.offset = T0, 0
        self.emitter = Emitter("svc/1", "p")
        self.standing, self.old = PilotAlerts(), PilotAlerts()
        self.decisions: list[Decision] = []
        self.command: Any = None
        self.act(Admission(id="admission", pilot="p", author="olga", charter=charter(level)))

    def took(self, out: Outputs) -> None:
        for decision in out.decisions:
            self.decisions.append(decision)
            self.standing = after_decision(self.standing, decision)
            self.old = after_decision(self.old, msgspec.structs.replace(decision, finding_key="", finding_level=None))
        self.command = out.commands[-1] if out.commands else self.command

    def act(self, act: ControlBase) -> None:
        self.offset += 1
        self.took(self.machine.control(Record(self.offset, self.now, b"p", msgspec.json.encode(act))))

    def send(self, event: Envelope) -> None:
        self.offset += 1
        self.took(self.machine.telemetry("telemetry", [Record(self.offset, self.now, b"p", encode(event))]))

    def do(self, what: str, number: int) -> None:
        """One operation; those that the machine refuses change nothing."""
        names: dict[str, Any] = {"id": f"a{self.offset}", "pilot": "p", "author": "olga"}
        active = sorted(self.machine.pilots["p"].standing.active) or ["none"]
        match what:
            case "harm":
                self.send(self.emitter.incident(self.now, Severity.SERIOUS_INCIDENT, HARMS[number % 3]))
            case "incidents":
                for _ in range(number):
                    self.send(self.emitter.incident(self.now))
            case "traffic":
                self.send(self.emitter.exposure(self.now, 500.0))
            case "beat":
                self.send(self.emitter.heartbeat(self.now, serving=number % 2 == 0))
            case "obey" if self.command is not None:
                self.send(self.emitter.acknowledged(self.now, self.command.id, self.command.standing))
                for _ in range(3):
                    self.now += 1000
                    self.send(self.emitter.heartbeat(self.now, serving=False))
            case "override":
                level = ("normal", "watch", "escalate", "halt")[number % 4]
                self.act(Override(**names, level=level, reason="x"))  # type: ignore[arg-type]
            case "shelve":
                self.act(Shelving(**names, finding=active[number % len(active)], reason="x", span="1h"))
            case "drill":
                self.act(Drill(**names))
            case "lift":
                self.act(Rectification(**names, finding="f", cause="c", action="a", evidence="e"))
                self.act(Evaluation(**names | {"id": f"b{self.offset}"}, passed=True, report="r"))
                for author in ("anna", "ben"):
                    self.act(Approval(**names | {"id": f"c{self.offset}", "author": author}))
                self.act(Release(**names | {"id": f"d{self.offset}", "reason": "x"}))
            case "time":
                self.now += (1_000, 61_000, 3_600_000, 86_400_000)[number % 4]
                self.took(self.machine.time(self.now))


WHAT = ("harm", "incidents", "traffic", "beat", "obey", "override", "shelve", "drill", "lift", "time", "time")
steps = st.lists(st.tuples(st.sampled_from(WHAT), st.integers(0, 40)), max_size=30)


@settings(max_examples=150, deadline=None)
@given(level=st.sampled_from(["escalate", "halt"]), steps=steps)
def test_the_alerts_that_stand_are_the_active_grave_findings(level: str, steps: list[tuple[str, int]]) -> None:
    """After every operation: a grave finding is held exactly while the machine holds it active, and a halt while it is
    halted."""
    world = World(level)
    for what, number in steps:
        world.do(what, number)
        truth = world.machine.pilots["p"].standing
        grave = {key: active.level for key, active in truth.active.items() if active.reason in GRAVE}
        assert {key: held.level for key, held in world.standing.held.items()} == grave
        assert set(world.standing.shelved) == set(truth.shelved)
        names = [alert.name for alert in world.standing.alerts()]
        assert (HALTED in names) == truth.halted
        assert len(names) <= MOST + 2
    assert len({d.id for d in world.decisions}) == len(world.decisions), "no two decisions share an id"


@settings(max_examples=60, deadline=None)
@given(level=st.sampled_from(["escalate", "halt"]), steps=steps)
def test_decisions_of_an_older_version_give_the_same_halts(level: str, steps: list[tuple[str, int]]) -> None:
    """Without finding keys nothing raises, and findings about a halt are still distinguished."""
    world = World(level)
    for what, number in steps:
        world.do(what, number)
        ours = {key for key in world.standing.held if key.startswith(("halt/", "rule/"))}
        assert {key for key in world.old.held if key.startswith(("halt/", "rule/"))} <= ours
        assert (world.old.of_level is None) == (world.standing.of_level is None)


@settings(max_examples=60, deadline=None)
@given(steps=steps, cut=st.integers(0, 60))
def test_folding_is_the_same_from_a_saved_standing(steps: list[tuple[str, int]], cut: int) -> None:
    """Saved in the middle, read again and fed everything once more: the same standing, alert for alert."""
    world = World("halt")
    for what, number in steps:
        world.do(what, number)
    saved = PilotAlerts()
    for decision in world.decisions[:cut]:
        saved = after_decision(saved, decision)
    again = msgspec.json.decode(msgspec.json.encode(saved), type=PilotAlerts)
    for decision in world.decisions:
        again = after_decision(again, decision)
    assert again == world.standing


def test_changes_transform_one_set_of_alerts_into_the_next() -> None:
    """The active alerts are those that began and have not ended."""
    world = World("halt")
    told: dict[str, Any] = {}
    before = PilotAlerts()
    for what in ("harm", "time", "obey", "traffic", "lift", "harm"):
        world.do(what, 1)
    for decision in world.decisions:
        now = after_decision(before, decision)
        begun, ended = difference(before, now)
        told |= {alert.identity: alert for alert in begun}
        for alert in ended:
            del told[alert.identity]
        before = now
    assert told == {alert.identity: alert for alert in world.standing.alerts()}


def test_findings_that_end_together_have_separate_ids() -> None:
    """A halt that was overdue and then contradicted is verified: both findings leave with one cause, in two
    decisions."""
    world = World("halt")
    for what in ("harm", "time", "traffic"):
        world.do(what, 1)
    world.now += 60_000
    world.do("traffic", 1)
    assert set(world.standing.held) == {"rule/injury", "halt/overdue", "halt/contradicted"}
    world.do("obey", 0)
    ended = [d for d in world.decisions if d.reason is Reason.CLEARED]
    assert [d.finding_key for d in ended] == ["halt/overdue", "halt/contradicted"]
    assert ended[0].cause == ended[1].cause
    assert ended[0].id != ended[1].id


def test_an_exit_ends_the_alerts_of_a_halt_only_when_the_stop_is_verified() -> None:
    """After an exit under a halt the alert stays active until the stop of the service is verified."""
    world = World("halt")
    world.do("harm", 1)
    world.act(Withdrawal(id="w", pilot="p", author="olga", reason="x"))
    assert HALTED in [alert.name for alert in world.standing.alerts()]
    world.do("obey", 0)
    assert world.decisions[-1].reason is Reason.EXITED
    assert list(world.standing.alerts()) == []


def test_a_flood_of_incidents_is_bounded() -> None:
    """A thousand deaths give at most the bounded number of alerts and one for the rest; a lowered level ends all."""
    world = World("escalate")
    for _ in range(1000):
        world.send(world.emitter.incident(world.now, Severity.SERIOUS_INCIDENT, Harm.DEATH))
    names = [alert.name for alert in world.standing.alerts()]
    assert len(names) == MOST + 2
    assert names.count(BEYOND) == 1
    world.act(Override(id="o", pilot="p", author="olga", level="normal", reason="all dealt with"))
    assert list(world.standing.alerts()) == []
    assert world.standing.level is Level.NORMAL
    assert world.decisions[-1].reason is Reason.OVERRIDDEN
