"""A firm, or anybody who may write acts, cannot make what is remembered grow beyond its bound: hostile telemetry and
hostile acts, alone and together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgspec
import pytest

from monitor.charter.control import (
    Amendment,
    Approval,
    ControlBase,
    Evaluation,
    Override,
    Rectification,
    Release,
    Shelving,
)
from monitor.charter.spec import Charter, HardRule
from monitor.decide.stale_rules import STALE_RULES
from monitor.engine.machine import Machine
from monitor.engine.state_bounds import BY_CHARTER, LARGEST_PARTITION, LARGEST_STATE, PILOT
from monitor.kafka.topics import LARGE
from monitor.model.bounds import CHARTER_BYTES, SOURCES
from monitor.model.builders import Emitter
from monitor.model.events import Event, Severity, encode
from monitor.model.records import Claim, Level, Outputs, Reason, Record, Skipped
from monitor.state.snapshots import _Snapshot, restore, snapshot
from tests.property.test_state_bounds import BOMBS, numbered, rich, started
from tests.security.goals import Goal
from tests.strength import examples
from tests.unit.engine.test_machine import HOUR, T0

WIDE = "\U0001f4a3" * 196  # 784 bytes: the longest text that a field takes, less a number
LONG_ID = "x" * 196  # ids have an alphabet
BY_CHARTER_TOO = {"standing", "incidents", "window"}  # parts that hold keys of the charter as well


class Target:
    """A partition with one pilot under the largest charter, and what is sent to it."""

    def __init__(self) -> None:
        self.machine = Machine(journalled=False)
        self.machine.restore({"p": started()})
        self.out = Outputs()
        self.at, self.offset = T0 + 2_500, 0

    def send(self, *events: Event) -> None:
        self.at = max(self.at, *(int(event.time.timestamp() * 1000) - 299_000 for event in events))
        records = [Record(self.offset + n, self.at, b"p", encode(event)) for n, event in enumerate(events)]
        self.offset += len(records)
        self.out.extend(self.machine.telemetry("telemetry", records))

    def act(self, act: ControlBase) -> Outputs:
        self.offset += 1
        out = self.machine.control(Record(self.offset, self.at, b"p", msgspec.json.encode(act)))
        self.out.extend(out)
        return out

    def size(self) -> int:
        """The bytes of the state; each part is within its bound, and a restart restores the same."""
        raw = self.machine.pilots.raw("p")
        # Without telemetry that came too late the last fields are not there.
        parts = dict(zip(_Snapshot.__struct_fields__, msgspec.msgpack.decode(raw, strict=False), strict=False))
        for name, bound in PILOT.items():
            if name in parts and bound != BY_CHARTER:
                size = len(msgspec.msgpack.encode(parts[name]))
                assert size <= bound + (CHARTER_BYTES if name in BY_CHARTER_TOO else 0), (name, size, bound)
        assert snapshot(restore(raw)[0]) == raw
        return len(raw)


def common(n: int, author: str) -> dict[str, Any]:
    return {"id": f"{n}{LONG_ID[: 200 - len(str(n))]}", "pilot": "p", "author": author}


def approvals(author: str, halted: bool) -> Callable[[Target], Iterator[ControlBase]]:
    def acts(target: Target) -> Iterator[ControlBase]:
        if halted:
            yield Override(level="halt", reason=WIDE, **common(0, "anna"))
        for n in range(1, examples(1_000, 60_000)):
            yield Approval(**common(n, author))

    return acts


def steps_of_all(target: Target) -> Iterator[ControlBase]:
    """All steps towards a release again and again, by firm and authority, each with another id."""
    yield Override(level="halt", reason=WIDE, **common(0, "anna"))
    for n in range(1, examples(250, 5_000)):
        for author in ("anna", "firm", "ben"):
            who = common(4 * n, author)
            yield Rectification(finding=WIDE, cause=WIDE, action=WIDE, evidence=WIDE, **who)
            yield Evaluation(passed=True, report=WIDE, **{**who, "id": f"e{who['id'][1:]}"})
            yield Approval(**{**who, "id": f"a{who['id'][1:]}"})
        yield Release(reason="", **common(4 * n + 1, "anna"))


def other_rules(target: Target) -> Iterator[ControlBase]:
    """Amendments that rename a hard rule each time; an incident triggers it, and it is shelved."""
    charter: Charter = rich()
    emitter = Emitter("svc/rules", "p")
    for n in range(2, examples(18, 400)):
        rule = HardRule(f"{n}{'é' * 190}", "escalate", severity=(Severity.SERIOUS_INCIDENT,))
        yield Amendment(charter=msgspec.structs.replace(charter, version=n, hard_rules=(rule,)), **common(n, "anna"))
        target.send(emitter.incident(target.at, severity=Severity.SERIOUS_INCIDENT, incident=f"i{n}"))
        yield Shelving(finding=f"rule/{rule.name}", reason="x", **common(10_000 + n, "anna"))


FLOODS: dict[str, Callable[[Target], Iterator[ControlBase]]] = {
    "approvals-by-a-stranger": approvals("stranger", halted=True),
    "approvals-by-an-approver": approvals("anna", halted=False),
    "approvals-by-the-firm": approvals("firm", halted=True),
    "steps-of-a-release": steps_of_all,
    "renamed-rules": other_rules,
}


def test_many_sources_with_the_widest_gaps_stay_within_the_bound(goal: Goal) -> None:
    """512 sources with the longest names, each sends number 1 and then one far above."""
    target = Target()
    for n in range(SOURCES):
        emitter = Emitter(f"{n:04d}{LONG_ID}", "p")
        target.send(emitter.exposure(T0, 0.0), numbered(emitter.exposure(T0, 0.0), 9 * 10**17))
    goal("state-bytes-after-sources-with-gaps", target.size(), LARGEST_STATE, note="of one pilot")
    assert not target.out.rejected


@pytest.mark.parametrize("flood", FLOODS)
def test_no_flood_of_acts_exceeds_the_bound(flood: str, goal: Goal) -> None:
    """Acts with the longest ids, refused or not, in open mode, where anybody may write them."""
    target = Target()
    for act in FLOODS[flood](target):
        target.act(act)
    goal(f"state-bytes-after-{flood}", target.size(), LARGEST_STATE)


def test_findings_of_removed_rules_are_dropped_by_name_and_the_pilot_stays_escalated() -> None:
    """Each one dropped is recorded as cleared, the pilot carries `state_limit`, and a halt by such a rule stands."""
    target = Target()
    for n in range(2, 16):
        rule = HardRule(f"rule {n}", "halt" if n == 2 else "escalate", severity=(Severity.SERIOUS_INCIDENT,))
        charter = msgspec.structs.replace(rich(), version=n, hard_rules=(rule,))
        target.act(Amendment(id=f"a{n}", pilot="p", author="anna", charter=charter))
        incident = Emitter(f"svc/{n}", "p").incident(T0, severity=Severity.SERIOUS_INCIDENT, incident=f"i{n}")
        target.send(incident)
    cleared = {d.finding_key for d in target.out.decisions if d.reason is Reason.CLEARED}
    assert len({key for key in cleared if key.startswith("rule/rule ")}) == 14 - 1 - STALE_RULES
    limits = [d for d in target.out.decisions if d.reason is Reason.STATE_LIMIT]
    assert limits
    assert "state_limit" in target.machine.pilots["p"].standing.active
    standing = target.machine.pilots["p"].standing
    assert standing.halted
    assert standing.level is Level.HALT
    assert not any(command.action == "release" for command in target.out.commands)


def test_everything_at_once_stays_within_the_bound(goal: Goal) -> None:
    """All floods of telemetry and of acts on one pilot; a partition with it still halts another pilot."""
    target, rng = Target(), Random(12)
    for flood in FLOODS.values():
        for act in flood(target):
            target.act(act)
            if rng.random() < 1 / 400:
                target.size()
    for bomb in rng.sample(BOMBS, examples(4, len(BOMBS))):
        target.send(*bomb(rng))
        target.size()
    goal("state-bytes-after-everything", target.size(), LARGEST_STATE)
    target.machine.time(target.at + 20 * HOUR)
    goal("state-bytes-after-everything-and-a-day", target.size(), LARGEST_STATE)


@pytest.mark.long
def test_no_event_costs_much_at_the_bounds(goal: Goal) -> None:
    """Events of new sources with a gap look at the whole table of sources: the most expensive of all kinds. Compared
    with an event that changes one count, of a pilot that was just admitted."""

    def cost(target: Target, events: list[Event]) -> float:
        taken = []
        for event in events:
            began = time.process_time()
            target.send(event)
            taken.append(time.process_time() - began)
        return sorted(taken)[len(taken) // 2]

    fresh, full = Target(), Target()
    for bomb in BOMBS:
        full.send(*bomb(Random(1)))
    emitter = Emitter("svc/1", "p")
    ordinary = cost(fresh, [emitter.exposure(T0, 0.001) for _ in range(400)])
    sources = [numbered(Emitter(f"n{n}", "p").exposure(T0, 0.0), 9 * 10**17) for n in range(400)]
    goal("cost-of-an-event-at-the-bounds", cost(full, sources) / ordinary, 12.0, note="of an ordinary single event")


def test_the_state_of_a_partition_stays_within_its_bound(goal: Goal) -> None:
    """Thousands of topics, each with rejections and a loss of telemetry."""
    machine = Machine(owner_of=lambda topic: topic.rpartition(".")[2])
    machine.restore({"p": started()})
    topics = [f"{'x' * 200}.telemetry.firm-{n}" for n in range(examples(600, 3_000))]
    for n, topic in enumerate(topics):
        machine.telemetry(topic, [Record(0, T0 + n, b"p", b"{}")])
    machine.lost(dict.fromkeys(topics, (0, 5)))
    raw = machine.snapshots([])[""]
    assert raw is not None
    goal("state-bytes-of-a-partition", len(raw), LARGEST_PARTITION)
    assert len(machine.pilots.raw("p")) <= LARGEST_STATE


def test_journal_entries_of_many_participants_fit_a_record(goal: Goal) -> None:
    """Owners, positions and losses name every telemetry topic."""
    topics = [f"sandbox.telemetry.{'f' * 200}-{n}" for n in range(5_000)]
    owners = {topic: topic.rpartition(".")[2] for topic in topics}
    positions = dict.fromkeys(topics, 10**18)
    lost = dict.fromkeys(topics, (10**18, 10**18))
    largest = max(
        len(msgspec.json.encode(entry))
        for entry in (Claim(1, "owner", owners=owners), Skipped(1, positions, 10**18, lost))
    )
    goal("journal-bytes-of-5000-participants", largest, LARGE)
