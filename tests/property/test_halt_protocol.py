"""The protocol of a halt as a state machine: acts, reports, clocks and crashes in any order.

The model knows only what was sent, not the internal state of the machine.
"""

from __future__ import annotations

import os

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

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
)
from monitor.charter.spec import (
    Authority,
    Charter,
    Cycle,
    DetectorSpec,
    Drills,
    ExposureSpec,
    HardRule,
    IndicatorSpec,
    Model,
    Participant,
    Responses,
    Window,
)
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Harm, Severity, encode
from monitor.model.records import Command, Level, Outputs, Reason, Record
from tests.strength import examples

T0 = 1_767_571_200_000  # Monday 5 January 2026
APPROVERS = ("anna", "ben")
PEOPLE = (*APPROVERS, "olga", "mallory", "firm")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
RATE = IndicatorSpec(
    name="incidents",
    kind="incident_rate",
    limit=5,
    per=1000,
    exposure=ExposureSpec(unit="decisions", cap=1000),
    weight=1,
    detectors=(DetectorSpec("limit_e_process", "halt"),),
)
SILENCE = IndicatorSpec(
    name="silence", kind="silence", params={"every": "60s"}, detectors=(DetectorSpec("silence", "watch"),)
)


def charter(tier: str, tolerate: bool, every: str | None) -> Charter:
    return Charter(
        schema="sandbox-charter/1",
        pilot="p",
        participant=Participant("firm"),
        scenario="a test",
        tier=tier,  # type: ignore[arg-type]
        cycle=Cycle("2026-01-01", "2027-01-01"),
        models=(Model("m1"),),
        authorities=(Authority("authority", approvers=APPROVERS, officers=("olga",)),),
        indicators=(RATE, SILENCE),
        hard_rules=(HardRule("death", "halt", harm=(Harm.DEATH,)),),
        responses=Responses(tolerate_first=tolerate, unknown_escalates_after="2h"),
        drills=Drills(every=every, full_stops=(Window(DAYS, "00:00", "12:00"),)),
    )


class Service:
    """What a service knows: the command of the highest standing that it met, in whatever order they came."""

    def __init__(self) -> None:
        self.met: Command | None = None

    def meet(self, command: Command) -> None:
        if self.met is None or command.standing > self.met.standing:
            self.met = command

    @property
    def stopped(self) -> bool:
        return self.met is not None and self.met.halts


class Protocol(RuleBasedStateMachine):
    """One pilot, its service, the regulators, and a past of everything that was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine(journalled=False)
        self.now = T0
        self.offset = 0
        self.number = 0
        self.service = Service()
        self.emitters = [Emitter("svc/1", "p"), Emitter("svc/2", "p")]
        self.acts: list[ControlBase] = []  # all that were ever sent
        self.steps: list[ControlBase] = []  # since the halt that stands began
        self.events: list[Envelope] = []
        self.commands: list[Command] = []
        self.standing = 0
        self.full_stop = False
        self.acknowledged: set[str] = set()
        self.row: dict[str, list[bool]] = {}
        self.open = False  # the last command may be resent

    @initialize(
        tier=st.sampled_from(["minimal", "limited", "high", "critical"]),
        tolerate=st.booleans(),
        every=st.sampled_from([None, "1d"]),
    )
    def admitted(self, tier: str, tolerate: bool, every: str | None) -> None:
        tolerate = tolerate and tier in ("minimal", "limited")
        self._control(Admission(id="adm", pilot="p", author="anna", charter=charter(tier, tolerate, every)))

    # ---- what is sent

    def _id(self) -> str:
        self.number += 1
        return f"a{self.number}"

    def _control(self, act: ControlBase) -> None:
        self.acts.append(act)
        if act.author != "mallory":  # who has no part in it prepares no release
            self.steps.append(act)
        self.offset += 1
        raw = msgspec.json.encode(act)
        self._check(self.machine.control(Record(self.offset, self.now, b"p", raw)), act)

    def _send(self, event: Envelope) -> None:
        self.events.append(event)
        self.offset += 1
        self._check(self.machine.telemetry("telemetry", [Record(self.offset, self.now, b"p", encode(event))]), None)

    @rule(count=st.integers(1, 60), death=st.booleans())
    def incidents(self, count: int, death: bool) -> None:
        emitter = self.emitters[0]
        for _ in range(count):
            self._send(emitter.incident(self.now))
        if death:
            self._send(emitter.incident(self.now, Severity.SERIOUS_INCIDENT, Harm.DEATH))

    @rule(amount=st.sampled_from([0.0, 10.0, 1000.0]), who=st.integers(0, 1))
    def exposure(self, amount: float, who: int) -> None:
        self._send(self.emitters[who].exposure(self.now, amount))

    @rule(serving=st.booleans(), who=st.integers(0, 1), gap=st.booleans())
    def heartbeat(self, serving: bool, who: int, gap: bool) -> None:
        if gap:
            self.emitters[who].skip()
        self._beat(serving, who, gap)

    def _word(self, source: str) -> None:
        """Each incarnation sends its evidence once; what comes after it counts."""
        if source not in self.acknowledged:
            self.acknowledged.add(source)
            self.row[source] = []

    def _beat(self, serving: bool, who: int, gap: bool = False) -> None:
        source = self.emitters[who].source
        row = self.row.setdefault(source, [])
        if gap:
            row.clear()  # the row begins again, with this heartbeat
        row.append(not serving)
        self._send(self.emitters[who].heartbeat(self.now, serving=serving))

    @precondition(lambda self: self.commands)
    @rule(data=st.data(), who=st.integers(0, 1), forged=st.booleans())
    def acknowledge(self, data: st.DataObject, who: int, forged: bool) -> None:
        command = data.draw(st.sampled_from(self.commands))
        if command is self.commands[-1] and not forged:
            self._word(self.emitters[who].source)
        standing = command.standing + forged
        self._send(self.emitters[who].acknowledged(self.now, command.id, standing))

    @precondition(lambda self: self.commands)
    @rule(who=st.integers(0, 1))
    def obey(self, who: int) -> None:
        """The whole of it at once, so that verified stands are reached often."""
        command = self.commands[-1]
        source = self.emitters[who].source
        self._word(source)
        self._send(self.emitters[who].acknowledged(self.now, command.id, command.standing))
        for _ in range(3):
            self.now += 1000
            self._beat(False, who)

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def repeated_event(self, data: st.DataObject) -> None:
        event = data.draw(st.sampled_from(self.events))
        before = self.events[:]
        self._send(event)
        self.events = before

    @rule(level=st.sampled_from(["normal", "watch", "escalate", "halt"]), who=st.sampled_from(PEOPLE))
    def override(self, level: str, who: str) -> None:
        self._control(Override(id=self._id(), pilot="p", author=who, level=level, reason="x"))  # type: ignore[arg-type]

    @rule(who=st.sampled_from(PEOPLE))
    def rectify(self, who: str) -> None:
        self._control(
            Rectification(id=self._id(), pilot="p", author=who, finding="f", cause="c", action="a", evidence="e")
        )

    @rule(who=st.sampled_from(PEOPLE), passed=st.booleans())
    def evaluate(self, who: str, passed: bool) -> None:
        self._control(Evaluation(id=self._id(), pilot="p", author=who, passed=passed, report="r"))

    @rule(who=st.sampled_from(PEOPLE))
    def approve(self, who: str) -> None:
        self._control(Approval(id=self._id(), pilot="p", author=who))

    @rule(who=st.sampled_from(PEOPLE))
    def release(self, who: str) -> None:
        self._control(Release(id=self._id(), pilot="p", author=who, reason="seen on site"))

    @rule(leave_out=st.integers(0, 12), order=st.sampled_from([[0, 1, 2, 3], [0, 1, 3, 2], [1, 0, 2, 3], [0, 2, 1, 3]]))
    def lift(self, leave_out: int, order: list[int]) -> None:
        """The steps of a release, not always in order, often one of them left out: so that releases are reached, and
        almost reached."""
        steps = [lambda: self.rectify("firm"), lambda: self.evaluate("olga", True)]
        steps += [lambda who=who: self.approve(who) for who in APPROVERS]
        for index in order:
            if index != leave_out:
                steps[index]()
        self.release("olga")

    @precondition(lambda self: self.acts)
    @rule(data=st.data())
    def repeated_act(self, data: st.DataObject) -> None:
        """A control record comes again, however old it is: nothing may move."""
        act = data.draw(st.sampled_from(self.acts))
        self.offset += 1
        was = self.machine.pilots["p"].standing.halted
        out = self.machine.control(Record(self.offset, self.now, b"p", msgspec.json.encode(act)))
        self._check(out, None)
        # Timers that were due fire with it; the act itself has no second effect.
        assert self.machine.pilots["p"].standing.halted >= was
        assert not any(d.cause == f"control:{act.id}" and d.kind == "level" for d in out.decisions) or not was

    @rule(full=st.booleans(), who=st.sampled_from(PEOPLE))
    def drill(self, full: bool, who: str) -> None:
        self._control(Drill(id=self._id(), pilot="p", author=who, full_stop=full))

    @rule(data=st.data(), who=st.sampled_from(PEOPLE), span=st.sampled_from(["1h", "8h", "9h"]))
    def shelve(self, data: st.DataObject, who: str, span: str) -> None:
        keys = [*self.machine.pilots["p"].standing.active, "nothing"]
        key = data.draw(st.sampled_from(keys))
        self._control(Shelving(id=self._id(), pilot="p", author=who, finding=key, reason="x", span=span))

    @rule(ms=st.sampled_from([1, 1_000, 61_000, 3_600_000, 86_400_000]))
    def pass_time(self, ms: int) -> None:
        self.now += ms
        self._check(self.machine.time(self.now), None)

    @rule()
    def crash(self) -> None:
        """The process ends; another one goes on from the bytes of the state."""
        other = Machine(journalled=False)
        other.restore(self.machine.snapshots(self.machine.pilots))
        self.machine = other

    @precondition(lambda self: self.commands)
    @rule(data=st.data())
    def replayed_command(self, data: st.DataObject) -> None:
        """A command comes to the service again, late or by an attacker: it changes nothing."""
        before = self.service.met
        self.service.meet(data.draw(st.sampled_from(self.commands)))
        assert self.service.met is before

    # ---- what must hold after each of it

    def _check(self, out: Outputs, act: ControlBase | None) -> None:
        raised: Level | None = None
        opened = self.open
        for d in out.decisions:
            assert d.standing == self.standing + 1, "standing rises by one and never falls"
            self.standing = d.standing
            if d.was == Level.HALT and d.level < Level.HALT:
                assert d.reason == Reason.RELEASED
                assert isinstance(act, Release)
                self._earned(act)
            if d.level == Level.HALT and d.was < Level.HALT:
                self.steps = []
            if d.kind == "level" and d.level > d.was:
                assert d.first_out, "what brought the pilot to its level is marked"
                raised = d.level
            else:
                assert not d.first_out, "and nothing else is"
            if d.reason in (Reason.HALT_VERIFIED, Reason.DRILL_PASSED, Reason.DRILL_OVERDUE):
                self.open = False
            if d.reason == Reason.HALT_CONTRADICTED:
                self.open = True
            if d.reason == Reason.HALT_VERIFIED:
                assert d.author in self.acknowledged
                assert self.row[d.author][-3:] == [True, True, True]
            if d.reason == Reason.DRILL_ENDED:
                self.full_stop = False
        for command in out.commands:
            if self.commands and command.standing == self.commands[-1].standing:
                told = msgspec.structs.replace(command, epoch=self.commands[-1].epoch, again=0)
                assert told == self.commands[-1], "what is resent is the same command, and the last one"
                assert opened or self.open, "what was answered is told no more"
                continue
            assert not self.commands or command.standing > self.commands[-1].standing
            self.open = True
            self.commands.append(command)
            self.service.meet(command)
            self.acknowledged, self.row = set(), {}
            self.full_stop = command.reason == Reason.DRILL_BEGUN and command.halts
        if raised == Level.HALT:
            assert out.commands
        for permit in out.permits:
            assert not self.halted
            assert not self.full_stop
            assert permit.standing == (self.commands[-1].standing if self.commands else 0)

    def _earned(self, release: Release) -> None:
        """Everything that a release needs was sent after the halt began, by those who may."""
        assert release.author in (*APPROVERS, "olga")
        kinds = [type(a) for a in self.steps]
        assert Rectification in kinds
        rectified = len(kinds) - 1 - kinds[::-1].index(Rectification)
        later = self.steps[rectified:]
        tried = [i for i, a in enumerate(later) if isinstance(a, Evaluation)]
        assert tried, "what is evaluated is the rectified system"
        last = later[tried[-1]]
        assert isinstance(last, Evaluation)
        assert last.passed
        approved = {a.author for a in later[tried[-1] :] if isinstance(a, Approval)}
        assert approved >= set(APPROVERS), "what is approved is what was evaluated"

    @property
    def halted(self) -> bool:
        pilot = self.machine.pilots.get("p")
        return pilot is not None and pilot.standing.halted

    @invariant()
    def the_service_knows(self) -> None:
        """A service that met every command, in whatever order, is stopped exactly while a halt or a full stop
        stands."""
        assert self.service.stopped == (self.halted or self.full_stop)

    @invariant()
    def a_halt_is_the_level(self) -> None:
        pilot = self.machine.pilots.get("p")
        if pilot is not None:
            assert (pilot.standing.level == Level.HALT) == pilot.standing.halted


def run(examples: int) -> None:
    limits = settings(
        max_examples=examples,
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Protocol, settings=limits)


def test_only_the_complete_release_leads_from_halted_to_running() -> None:
    """Rectification, passed evaluation, two different approvals, release; standing never falls; first-out is right. 150
    runs of at most 50 steps, which on average have 39; 650 runs, 25,000 steps, with FULL=1; 60 runs with QUICK=1."""
    quick = os.environ.get("QUICK", "") not in ("", "0")
    run(60 if quick else examples(150, 650))


@pytest.mark.long
def test_only_the_complete_release_leads_from_halted_to_running_in_many_more_runs() -> None:
    """The same, 2,000 runs of 50 steps."""
    run(2_000)
