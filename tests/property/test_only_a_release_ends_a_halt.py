"""Only a release ends a halt: every act, by every author, in every state, alone and in sequences.

The walks are seeded; `QUICK=1` takes fewer of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec import structs

from monitor.charter.control import (
    CONTROL_TYPES,
    Acceptance,
    Admission,
    Amendment,
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
from monitor.charter.spec import Authority, Bound, Charter, Participant, Responses, Trial
from monitor.decide.authority import ROLES_OF_ACT, rights
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, encode
from monitor.model.records import Command, Decision, Level, Outputs, Reason, Record
from monitor.model.signing import HEADER, Signer, Trusted
from monitor.state.acts_once import validity
from monitor.state.snapshots import restore, snapshot
from tests.contract.golden.filler import least
from tests.running_acts import running_acts
from tests.strength import examples
from tests.unit.engine.test_machine import RATE, T0, charter

QUICK = os.environ.get("QUICK", "") not in ("", "0")
WALKS, STEPS = (100 if QUICK else examples(240, 600, fast=240)), 14
KEYS = {
    name: Signer(bytes([n]) * 32) for n, name in enumerate(("anna", "ben", "olga", "firm", "mallory", "admitter"), 1)
}
PUBLIC = {name: key.public for name, key in KEYS.items()}
BY = Authority(
    "authority",
    approvers=("anna", "ben"),
    officers=("olga",),
    keys={name: PUBLIC[name] for name in ("anna", "ben", "olga")},
)
OWN = charter(
    RATE,
    tier="limited",
    participant=Participant("firm", keys=(PUBLIC["firm"],)),
    authorities=(BY,),
    responses=Responses(tolerate_first=True, shelve_at_most="8h"),
    evaluation=(Trial("routine", {"error": Bound(most=0.1)}),),
)
TAKEN_OVER = Authority("authority", approvers=("x", "y"), officers=("x",), keys={"x": PUBLIC["firm"]})
RESULTS = {"routine": {"error": 0.05}}


class Author(NamedTuple):
    """The name that an act claims, and the key that signs it."""

    name: str
    key: str

    @property
    def own(self) -> bool:
        return self.key == self.name


AUTHORS = [
    *(Author(name, name) for name in ("firm", "olga", "anna", "ben", "mallory")),
    Author("olga", ""),  # unsigned
    Author("olga", "firm"),  # signed with another's key
    Author("anna", "mallory"),
    Author("firm", ""),
    Author("x", "firm"),
    Author("regulator", "admitter"),
]
ATTACKERS = [author for author in AUTHORS if not (author.own and author.name in BY.keys) and author.key != "admitter"]


class World:
    """A monitor with one pilot, everything it emitted, and every act ever sent."""

    def __init__(self, open_mode: bool = False) -> None:
        self.admitters = None if open_mode else Trusted([PUBLIC["admitter"]])
        self.machine = Machine(journalled=False, admitters=self.admitters)
        self.at, self.number = T0, 0
        self.decisions: list[Decision] = []
        self.commands: list[Command] = []
        self.sent: list[Record] = []
        self.service = Emitter("svc/1", "p")
        self.put(Admission(**self.by("regulator"), charter=OWN), "" if open_mode else "admitter")

    def by(self, name: str) -> dict[str, Any]:
        self.number += 1
        pilot = self.machine.pilots.get("p")
        given = validity(pilot.standing.counter if pilot else 0, self.at)
        return {"id": f"n{self.number}", "pilot": "p", "author": name, **given}

    def put(self, act: ControlBase, key: str) -> Outputs:
        body = msgspec.json.encode(act)
        signature = KEYS[key].sign("control", body).encode() if key else b""
        record = Record(self.number, self.at, b"p", body, ((HEADER, signature),) if key else ())
        self.sent.append(record)
        return self.step(record)

    def step(self, record: Record) -> Outputs:
        self.number += 1
        self.at += 1000
        return self.keep(self.machine.control(structs.replace(record, offset=self.number, received=self.at)))

    def say(self, event: Envelope) -> Outputs:
        body = encode(event)
        headers = ((HEADER, KEYS["firm"].sign("telemetry", body).encode()),)
        self.number += 1
        return self.keep(self.machine.telemetry("telemetry", [Record(self.number, self.at, b"p", body, headers)]))

    def keep(self, out: Outputs) -> Outputs:
        self.decisions += out.decisions
        self.commands += out.commands
        return out

    def beat(self, serving: bool) -> None:
        self.at += 1000
        self.say(self.service.heartbeat(self.at, serving))

    def acknowledge(self) -> None:
        command = self.commands[-1]
        self.say(self.service.acknowledged(self.at, command.id, command.standing))

    def copy(self) -> World:
        other = World.__new__(World)
        other.__dict__ |= self.__dict__
        other.decisions, other.commands, other.sent = self.decisions[:], self.commands[:], self.sent[:]
        other.service = Emitter("svc/1", "p", first=self.service.next)
        other.machine = Machine(journalled=False, admitters=self.admitters)
        other.machine.restore({"p": snapshot(self.machine.pilots["p"])})
        return other

    @property
    def charter(self) -> Charter:
        return self.machine.pilots["p"].charter


NAMED = {
    Admission, Amendment, Override, Shelving, Acceptance, Drill, Rectification, Evaluation, Approval, Release,
    Withdrawal,
}  # fmt: skip


def acts(world: World, author: Author) -> Iterator[ControlBase]:
    """One act of each kind, in the variants that matter, by `author`."""

    def by() -> dict[str, Any]:
        return world.by(author.name)

    new = world.charter.version + 1
    yield Admission(**by(), charter=OWN)
    yield Admission(**by(), charter=structs.replace(OWN, authorities=(TAKEN_OVER,)))
    yield Amendment(**by(), charter=structs.replace(OWN, version=new))
    yield Amendment(**by(), charter=structs.replace(OWN, version=new, authorities=(TAKEN_OVER,)))
    yield Amendment(**by(), charter=structs.replace(OWN, version=new, evaluation=()))
    yield Amendment(**by(), charter=structs.replace(OWN, version=new, participant=Participant("firm", keys=())))
    for level in ("normal", "watch", "escalate", "halt"):
        yield Override(**by(), level=level, reason="x")  # type: ignore[arg-type]
    yield Shelving(**by(), finding="override", reason="x")
    yield Acceptance(**by(), indicator="incidents", reason="x")
    yield Drill(**by())
    yield Drill(**by(), full_stop=True)
    yield Rectification(**by(), finding="f", cause="c", action="a", evidence="e")
    yield Evaluation(**by(), passed=True, report="r", results=RESULTS)
    yield Approval(**by())
    yield Release(**by(), reason="x")
    yield Withdrawal(**by(), reason="x")
    tried = list(running_acts(by, world.at))
    yield from tried
    named = {type(act) for act in tried} | NAMED
    for kind in CONTROL_TYPES.values():
        if kind not in named:
            yield structs.replace(least(kind), **by())


def normal(world: World) -> None:
    """Nothing has happened."""


def escalated(world: World) -> None:
    """By an officer."""
    world.put(Override(**world.by("olga"), level="escalate", reason="x"), "olga")


def halted(world: World) -> None:
    """By an officer, not acknowledged."""
    world.put(Override(**world.by("olga"), level="halt", reason="x"), "olga")


def half_released(world: World) -> None:
    """All but one approval and the release are on record."""
    halted(world)
    world.put(Rectification(**world.by("firm"), finding="f", cause="c", action="a", evidence="e"), "firm")
    world.put(Evaluation(**world.by("olga"), passed=True, report="r", results=RESULTS), "olga")
    world.put(Approval(**world.by("anna")), "anna")


def drilled(world: World) -> None:
    """A drill is open."""
    world.put(Drill(**world.by("olga")), "olga")


def leaving(world: World) -> None:
    """Halted, and its exit is pending."""
    halted(world)
    world.put(Withdrawal(**world.by("olga"), reason="x"), "olga")


def gone(world: World) -> None:
    """Halted, verified, and exited."""
    leaving(world)
    world.acknowledge()
    for _ in range(3):
        world.beat(False)
    assert world.machine.pilots["p"].exited


def amended(world: World) -> None:
    """By the admitter, then halted."""
    world.put(Amendment(**world.by("regulator"), charter=structs.replace(OWN, version=2)), "admitter")
    halted(world)


def tolerated(world: World) -> None:
    """The first crossing of a limit was tolerated, the next one halted."""
    for _ in range(2):
        for _ in range(80):
            world.say(world.service.incident(world.at))
        world.at += 1000


STATES: list[Callable[[World], None]] = [
    normal, escalated, halted, half_released, drilled, leaving, gone, amended, tolerated,
]  # fmt: skip


def made(state: Callable[[World], None]) -> World:
    world = World()
    state(world)
    assert world.machine.pilots["p"].standing.halted == (state not in (normal, escalated, drilled)), state
    return world


def hold(world: World, before: World) -> None:
    """What must be true after whatever was sent to a world that was `before`."""
    was, pilot = before.machine.pilots["p"], world.machine.pilots["p"]
    new = world.decisions[len(before.decisions) :]
    released = [d for d in new if d.reason is Reason.RELEASED]
    for decision in released:
        complete(world, decision)
    if not was.standing.halted or released:
        return
    assert pilot.standing.halted
    assert pilot.standing.level == Level.HALT
    assert rights(pilot.charter) == rights(was.charter)
    assert world.commands[-1].halts
    assert not pilot.exited or pilot.standing.halt_state.state == "verified" or was.exited
    if not pilot.exited:
        assert pilot.standing.retransmission is not None
        assert pilot.standing.retransmission.command.halts


def complete(world: World, release: Decision) -> None:
    """A release rests on a rectification, a passed evaluation after it and two people's approvals after that, each
    signed by who is named for it in the charter under which the pilot was halted."""
    halt = max(
        d.standing
        for d in world.decisions
        if d.level == Level.HALT and d.was < Level.HALT and d.standing < release.standing
    )
    since = [d for d in world.decisions if halt < d.standing < release.standing]
    rectified = max(d.standing for d in since if d.reason is Reason.RECTIFICATION_RECORDED)
    evaluated = max(d.standing for d in since if d.reason is Reason.EVALUATION_RECORDED and d.standing > rectified)
    approvals = {d.author: d.signed for d in since if d.reason is Reason.APPROVAL_RECORDED and d.standing > evaluated}
    assert approvals == {name: KEYS[name].key_id for name in ("anna", "ben")}
    assert release.signed == KEYS[release.author].key_id
    assert release.author in BY.keys


def test_every_act_has_its_row_in_the_table() -> None:
    """An act that is in no row would be allowed to no author, or to every author."""
    assert set(ROLES_OF_ACT) == set(CONTROL_TYPES.values()) - {Admission}
    assert {type(act) for act in acts(made(normal), AUTHORS[0])} == set(CONTROL_TYPES.values())


@pytest.mark.parametrize("state", STATES, ids=lambda s: s.__name__)
def test_no_single_act_ends_a_halt_but_a_release(state: Callable[[World], None]) -> None:
    """No act by any author in this state ends the halt, also when it is sent twice or again a year later."""
    start = made(state)
    tried = 0
    for author in AUTHORS:
        for act in acts(start, author):
            world = start.copy()
            world.put(act, author.key)
            hold(world, start)
            after = world.copy()
            after.at += 366 * 86_400_000
            assert after.step(after.sent[-1]).decisions == []
            hold(after, world)
            tried += 1
    assert tried == len(AUTHORS) * len(list(acts(start, AUTHORS[0])))


@pytest.mark.parametrize("state", [halted, half_released, leaving, gone], ids=lambda s: s.__name__)
def test_no_two_acts_of_attackers_change_anything_under_a_halt(state: Callable[[World], None]) -> None:
    """The firm, strangers and forgers, in every pair of acts: no command, no other level, no new author who may
    release; only the firm's own steps are recorded."""
    start = made(state)
    for first in ATTACKERS:
        for act in acts(start, first):
            once = start.copy()
            once.put(act, first.key)
            if snapshot(once.machine.pilots["p"]) == snapshot(start.machine.pilots["p"]):
                continue  # refused without a trace
            for second in ATTACKERS:
                for then in acts(once, second):
                    world = once.copy()
                    world.put(then, second.key)
                    hold(world, start)
                    assert world.commands == start.commands
                    own = {Reason.RECTIFICATION_RECORDED, Reason.EVALUATION_RECORDED, Reason.GUIDANCE_ASKED}
                    own |= {Reason.INCIDENT_REPORT_RECEIVED, Reason.CHANGE_NOTIFIED, Reason.CHARTER_SIGNED}
                    assert {d.reason for d in world.decisions[len(start.decisions) :]} <= own


@pytest.mark.parametrize("part", range(4))
def test_no_sequence_ends_a_halt_but_a_complete_release(part: int) -> None:
    """Random sequences of acts, duplicates, acknowledgements and heartbeats from every state end a halt only by a
    release."""
    released = left = 0
    for number in range(part, WALKS, 4):
        rng = Random(number)
        world = made(rng.choice(STATES)).copy()
        for _ in range(STEPS):
            before = world.copy()
            what = rng.random()
            if what < 0.15:
                world.step(rng.choice(world.sent))
            elif what < 0.25 and world.commands:
                world.acknowledge()
            elif what < 0.45:
                world.beat(rng.random() < 0.2)
            elif what < 0.6:
                due = world.machine.pilots["p"].standing
                wanted = next_step(world, due.lifting.rectified, due.lifting.evaluated, due.lifting.approvals)
                world.put(*wanted)
            else:
                author = rng.choice(AUTHORS)
                world.put(rng.choice(list(acts(world, author))), author.key)
            hold(world, before)
        released += any(d.reason is Reason.RELEASED for d in world.decisions)
        left += world.machine.pilots["p"].exited
    assert released >= 1
    assert left >= 1


def next_step(world: World, rectified: bool, evaluated: bool, approvals: tuple[str, ...]) -> tuple[ControlBase, str]:
    """The next true step of a release."""
    if not rectified:
        return Rectification(**world.by("firm"), finding="f", cause="c", action="a", evidence="e"), "firm"
    if not evaluated:
        return Evaluation(**world.by("olga"), passed=True, report="r", results=RESULTS), "olga"
    for name in ("anna", "ben"):
        if name not in approvals:
            return Approval(**world.by(name)), name
    return Release(**world.by("olga"), reason="seen on site"), "olga"


def test_a_snapshot_keeps_the_deduplication_of_acts() -> None:
    """A restored pilot still recognises duplicates of acts."""
    world = made(half_released)
    pilot = world.machine.pilots["p"]
    assert restore(snapshot(pilot))[0].acts == pilot.acts
    assert pilot.acts.keys
