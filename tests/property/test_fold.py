"""The fast path equals the slow path: batches of ordinary events leave the same bytes as single events, however
records are cut."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.charter.control import (
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
from monitor.charter.spec import (
    Charter,
    DetectorSpec,
    Drills,
    ExposureSpec,
    IndicatorSpec,
    Participant,
    Reporter,
    UsersChannel,
    Window,
)
from monitor.deadlines.shipped import example_table
from monitor.decide.authority import ROLES_OF_ACT, Role
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import Severity, encode
from monitor.model.records import Outputs, Record
from monitor.model.signing import HEADER, Signer
from monitor.simulation.fleet import Fleet
from monitor.simulation.simulated_service import SimulatedService
from tests.running_acts import running_acts
from tests.strength import examples
from tests.users_acts import users_acts

OUTSIDE = (  # of complaints that users make outside the firm
    IndicatorSpec("gap", "outside_gap", limit=0.4, weight=0.05,
                  detectors=(DetectorSpec("limit_e_process", "escalate"),)),
    IndicatorSpec("outside", "outside_complaint_rate", exposure=ExposureSpec("decisions"), limit=0.001,
                  detectors=(DetectorSpec("cusum", "watch"),)),
)  # fmt: skip
STORIES = ["step", "silence", "late", "gaps", "duplicates", "busy", "calm", "death", "silent_model"]
FIRM, SECOND_KEY, DESK = (Signer(bytes([n]) * 32) for n in (1, 2, 3))
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
encoded = msgspec.msgpack.encode
Step = tuple[str, Any]  # ("telemetry", record), ("control", record) or ("time", ms)


class SlowPath(Machine):
    """A machine whose events all take the slow path."""

    fast_path = False


class Script:
    """A day of a fleet as a partition meets it: records of telemetry packed at random, acts of regulators, time.

    Made with a machine on the slow path, whose commands the services acknowledge.
    """

    def __init__(self, seed: int, volume: int, pack: int, hours: int) -> None:
        self.rng = Random(f"{seed}/{volume}/{pack}")
        self.public = Random(f"public/{seed}/{volume}/{pack}")
        self.replica = Random(f"replica/{seed}/{volume}/{pack}")
        stories = self.rng.sample(STORIES, 6)
        self.fleet = Fleet(seed, pilots=6, scenarios=stories, hours=hours, onset=1, volume=volume)
        self.machine = SlowPath(journalled=False)
        self.steps: list[Step] = []
        self.obedience = SimulatedService()
        self.waiting: dict[str, list[bytes]] = {}
        self.bursts: dict[str, Emitter] = {}
        self.charters: dict[str, Charter] = {}
        self.pack, self.offset, self.acts = pack, 0, 0
        for pilot in self.fleet.pilots:
            act = self.fleet.admission(pilot)
            tier = self.rng.choice(["limited", "high"])
            charter = msgspec.structs.replace(
                act.charter,
                drills=Drills(every="7h", full_stops=(Window(DAYS, "00:00", "23:59"),)),
                tier=tier,
                indicators=(*act.charter.indicators, *OUTSIDE),
                users_channel=UsersChannel(answer_within="2h", redress_within="3h", counted_per_day=20),
                responses=msgspec.structs.replace(act.charter.responses, tolerate_first=tier == "limited"),
            )
            if pilot in self.fleet.pilots[1:3]:
                keys = Participant(charter.participant.id, keys=(FIRM.public, SECOND_KEY.public))
                desk = Reporter("desk", keys=(DESK.public,))
                charter = msgspec.structs.replace(charter, participant=keys, reporters=(desk,))
            self.charters[pilot] = charter
            self.control(self.fleet.start, msgspec.structs.replace(act, charter=charter))
        self.tell()
        self.step(("time", self.fleet.end + 7 * 3_600_000))

    def tell(self) -> None:
        """Make the whole day."""
        rng = self.rng
        ticks = 0
        story = list(self.fleet)
        for at, event in story:
            passed = self.obedience.passes(event)
            if passed is not None:
                self.send(at, event.subject, self.spoil(encode(passed)))
            if rng.random() < 30 / len(story):
                self.act(at, rng.choice(self.fleet.pilots))
            if self.public.random() < 8 / len(story):
                self.users(at, self.public.choice(self.fleet.pilots))
            if rng.random() < 6 / len(story):
                self.burst(at, rng.choice(self.fleet.pilots), rng.choice([5, 30, 200]))
            if at // 600_000 > ticks and rng.random() < 0.9:
                ticks = at // 600_000
                self.step(("time", at))

    def spoil(self, value: bytes) -> bytes:
        """Corrupt one event in fifty."""
        if self.rng.random() > 0.02:
            return value
        old, new = self.rng.choice(
            [
                (b'"amount":', b'"amount":1e4,"x":'),
                (b'"model":"m1"', b'"model":"m7"'),
                (b'"source":"', b'"source":"z'),
                (b'"segment":"north"', b'"segment":"elsewhere"'),
                (b'"time":"2026', b'"time":"1999'),
                (b'"time":"2026-01-05T0', b'"time":"2026-01-05T1'),
                (b'"id":"', b'"id":5,"x":"'),
            ]
        )
        return value.replace(old, new)

    def send(self, at: int, pilot: str, value: bytes) -> None:
        """Send an event; events of a pilot since its last record are packed together."""
        run = self.waiting.setdefault(pilot, [])
        run.append(value)
        if self.rng.random() < 1 / self.pack or at > self.fleet.end - 600_000:
            self.flush(at, pilot)

    def burst(self, at: int, pilot: str, count: int) -> None:
        """Report `count` incidents at once, from a separate source."""
        source = self.bursts.setdefault(pilot, Emitter(f"desk/{pilot}", pilot))
        for _ in range(count):
            self.send(at, pilot, encode(source.incident(at, severity=Severity.INCIDENT)))

    def signature(self, pilot: str, value: bytes) -> tuple[tuple[str, bytes], ...]:
        """The header of a record of a pilot with keys: mostly of the firm's key, sometimes of its other key or of a
        reporter, and sometimes missing."""
        if pilot not in self.fleet.pilots[1:3]:
            return ()
        signer = self.replica.choices([FIRM, SECOND_KEY, DESK, None], [90, 4, 3, 3])[0]
        return ((HEADER, signer.sign("telemetry", value).encode()),) if signer else ()

    def flush(self, at: int, pilot: str) -> None:
        """Send what is pending; sometimes a record is resent, has other content under its numbers, or has no key."""
        run = self.waiting.pop(pilot, [])
        if not run:
            return
        value = run[0] if len(run) == 1 and self.rng.random() < 0.97 else b"[" + b",".join(run) + b"]"
        copies = [value, value] if self.rng.random() < 0.03 else [value]
        if pilot == self.fleet.pilots[0] and self.replica.random() < 0.03:  # another replica under the same source
            copies.append(value.replace(b'"id":"', b'"id":"other-'))
        for copy in copies:
            key = None if self.rng.random() < 0.01 else pilot.encode()
            self.step(("telemetry", Record(self.offset, at, key, copy, self.signature(pilot, copy))))
            self.offset += 1

    def control(self, at: int, act: ControlBase) -> None:
        """Send an act."""
        self.step(("control", Record(self.acts, at, act.pilot.encode(), msgspec.json.encode(act))))
        self.acts += 1

    def act(self, at: int, pilot: str) -> None:
        """Send an act of a regulator, or all acts that end a halt."""
        common: dict[str, Any] = {"pilot": pilot, "author": "regulator-1"}
        new = self._id
        halted = self.machine.pilots[pilot].standing.halted
        kinds = ["drill", "full_stop", "override", "amend", "shelve", "exit", "running", "running"]
        kind = "release" if halted and self.rng.random() < 0.8 else self.rng.choice(kinds)
        if kind in ("drill", "full_stop"):
            self.control(at, Drill(id=new(), full_stop=kind == "full_stop", **common))
        elif kind == "override":
            self.control(
                at,
                Override(
                    id=new(),
                    level=self.rng.choice(["watch", "escalate", "watch", "escalate", "halt"]),
                    reason="r",
                    **common,
                ),
            )
        elif kind == "amend":
            charter = self.charters[pilot]
            indicators = (msgspec.structs.replace(charter.indicators[0], limit=9.0), *charter.indicators[1:])
            charter = msgspec.structs.replace(charter, version=charter.version + 1, indicators=indicators)
            self.charters[pilot] = charter
            self.control(at, Amendment(id=new(), charter=charter, **common))
        elif kind == "shelve":
            self.control(at, Shelving(id=new(), finding="complaints//cusum", reason="r", span="2h", **common))
        elif kind == "running":
            for act in self.rng.sample(list(running_acts(lambda: {"id": "", **common}, at)), 3):
                firm = Role.FIRM in ROLES_OF_ACT[type(act)]
                author = self.charters[pilot].participant.id if firm else "regulator-1"
                self.control(at, msgspec.structs.replace(act, id=new(), author=author))
        elif kind == "exit" and self.rng.random() < 0.2:
            self.control(at, Withdrawal(id=new(), reason="r", **common))
        elif kind == "release":
            self.control(at, Rectification(id=new(), finding="f", cause="c", action="a", evidence="e", **common))
            self.control(at, Evaluation(id=new(), passed=True, report="r", **common))
            for author in ("regulator-1", "regulator-2"):
                self.control(at, Approval(id=new(), pilot=pilot, author=author))
            self.control(at, Release(id=new(), reason="seen on site", **common))

    def users(self, at: int, pilot: str) -> None:
        """Send acts of the users' channel."""
        common: dict[str, Any] = {"pilot": pilot, "author": "regulator-1"}
        for act in users_acts(lambda: {"id": "", **common}, at, self.public):
            self.control(at, msgspec.structs.replace(act, id=self._id()))

    def _id(self) -> str:
        return f"act-{self.acts}"

    def step(self, step: Step) -> None:
        """Take a step, and let the services acknowledge commands."""
        self.steps.append(step)
        out = taken(self.machine, [step])
        for command in out.commands:
            if self.rng.random() < 0.9:
                answer = self.obedience.command(command, command.at)
                if answer is not None:
                    self.waiting.setdefault(answer.subject, []).append(encode(answer))


@functools.lru_cache(maxsize=32)
def script(seed: int, volume: int, pack: int, clocks: bool = False) -> tuple[list[Step], list[bytes]]:
    """A script, with the outputs and the states of a machine on the slow path."""
    made = Script(seed, volume, pack, 10 if volume < 1000 else 3)
    return made.steps, recorded(machine_of(SlowPath, clocks), made.steps, [1000])


def machine_of(kind: type[Machine], clocks: bool) -> Machine:
    """A machine; with `clocks` complaints have deadlines."""
    machine = kind(journalled=False)
    if clocks:
        machine.use_clock_table(example_table(), 0)
    return machine


def taken(machine: Machine, steps: Iterable[Step]) -> Outputs:
    """Take steps; consecutive records of telemetry are stepped together."""
    out, batch = Outputs(), list[Record]()
    for kind, what in (*steps, ("end", None)):
        if kind == "telemetry":
            batch.append(what)
            continue
        if batch:
            out.extend(machine.telemetry("telemetry", batch))
            batch = []
        if kind == "control":
            out.extend(machine.control(what))
        elif kind == "time":
            out.extend(machine.time(what))
    return out


def recorded(machine: Machine, steps: Sequence[Step], cuts: Sequence[int]) -> list[bytes]:
    """All outputs of a machine, and its state at the end."""
    out, start, turn = Outputs(), 0, 0
    while start < len(steps):
        stop = start + cuts[turn % len(cuts)]
        out.extend(taken(machine, steps[start:stop]))
        start, turn = stop, turn + 1
    out.newest_permits()
    rows = [encoded(row) for row in (out.rejected, out.decisions, out.commands, out.permits, out.evidence)]
    return [
        *rows,
        encoded(out.uncounted.get("complaint_without_clock", 0)),
        encoded([machine.notify_at, machine.events]),
        encoded(sorted(machine.snapshots(machine.pilots).items())),
    ]


@pytest.mark.parametrize(("volume", "clocks"), [(100, False), (100, True), (20_000, False), (20_000, True)])
@settings(max_examples=examples(4, 12), deadline=None)
@given(
    seed=st.integers(0, 5),
    pack=st.sampled_from([1, 3, 40, 200]),
    cuts=st.lists(st.integers(1, 500), min_size=1, max_size=20),
)
def test_the_fast_path_equals_the_slow_path(volume: int, clocks: bool, seed: int, pack: int, cuts: list[int]) -> None:
    """However events are packed and cut, with exceeded caps, unknown models, new sources, resent records, halts,
    drills, releases, amendments and deadlines of complaints in between: the same outputs and the same state bytes."""
    steps, expected = script(seed, volume, pack, clocks)
    assert recorded(machine_of(Machine, clocks), steps, cuts) == expected


@settings(max_examples=examples(4, 12), deadline=None)
@given(
    seed=st.integers(0, 5),
    pack=st.sampled_from([1, 40]),
    resident=st.integers(1, 5),
    hot=st.integers(1, 3),
    cuts=st.lists(st.integers(1, 200), min_size=1, max_size=20),
)
def test_outputs_do_not_depend_on_which_pilots_are_resident(
    seed: int, pack: int, resident: int, hot: int, cuts: list[int]
) -> None:
    """With only some of the pilots resident, and fewer of them hot: the same outputs and the same state bytes."""
    steps, expected = script(seed, 20_000, pack)
    machine = Machine(journalled=False, resident=resident, hot=hot)
    assert recorded(machine, steps, cuts) == expected
    assert len(machine.pilots.resident) <= resident < len(machine.pilots)


def test_the_scripts_cover_the_fast_path_and_all_kinds_of_outputs() -> None:
    """The scripts above have permits, halts, releases, drills and rejections, and much of them takes the fast path."""
    reasons, actions, permits, rejected = set[str](), set[str](), 0, 0
    machines = Machine(journalled=False), Machine(journalled=False)
    for machine, seed, pack in zip(machines, (0, 3), (1, 40), strict=True):
        steps, expected = script(seed, 20_000, pack)
        found = [msgspec.msgpack.decode(row) for row in expected[:4]]
        reasons |= {d["reason"] for d in found[1]}
        actions |= {c["action"] for c in found[2]}
        permits, rejected = permits + len(found[3]), rejected + len(found[0])
        taken(machine, steps)
        assert machine.fast_path_events > machine.events * 0.35
    assert "source_conflict" in reasons
    assert {"released", "drill_begun", "command_acknowledged", "amended"} <= reasons
    assert {"complaint_filed", "complaint_answered", "redress_recorded", "user_left"} <= reasons
    assert actions == {"halt", "release"}
    assert permits
    assert rejected
