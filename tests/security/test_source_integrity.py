"""A source is what it says: forks, rollbacks, gaps, squatted numbers and downgrades of telemetry are found within
seconds, and honest histories are not accused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import pytest

from monitor.charter.control import Admission
from monitor.charter.spec import Participant, Reporter
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.records import Level, Outputs, Reason, Record
from monitor.state.snapshots import restore, snapshot
from tests.security.goals import Goal
from tests.security.histories import ATTACKS, FIRM, HOSPITAL, NEXT, SECOND, History, Sent, signature
from tests.strength import examples
from tests.unit.engine.test_machine import RATE, T0, charter

FINDINGS = (Reason.SOURCE_CONFLICT, Reason.SEQUENCE_GAP)
REJECTIONS = ("forged", "source_conflict", "unknown_value")
WITHIN_MS = 5_000


class Found(NamedTuple):
    """Something that was found: when (ms), and the reason of the decision or rejection."""

    at: int
    reason: str


class Bench:
    """A machine with a pilot whose charter names two keys of the firm and one reporter."""

    def __init__(self, fast_path: bool) -> None:
        self.machine = Machine(journalled=False)
        self.machine.fast_path = fast_path
        admitted = charter(
            RATE,
            participant=Participant("firm", keys=(FIRM.public, NEXT.public)),
            reporters=(Reporter("hospital", keys=(HOSPITAL.public,)),),
        )
        act = Admission(id="p", pilot="p", author="anna", charter=admitted)
        self.machine.control(Record(0, T0, b"p", msgspec.json.encode(act)))
        self.offset = 0
        self.out = Outputs()

    def send(self, records: list[Sent]) -> Outputs:
        """Step records in batches of up to two seconds, with the time read after each."""
        while records:
            cut = next((n for n, r in enumerate(records) if r.at > records[0].at + 2 * SECOND), len(records))
            batch, records = records[:cut], records[cut:]
            self.out.extend(self.machine.telemetry("telemetry", [self.record(sent) for sent in batch]))
            self.out.extend(self.machine.time(batch[-1].at + 1))
        return self.out

    def record(self, sent: Sent) -> Record:
        self.offset += 1
        return Record(self.offset, sent.at, b"p", sent.body, sent.headers)

    def found(self) -> list[Found]:
        """All findings and rejections about sources."""
        decided = [Found(d.at, d.reason.value) for d in self.out.decisions if d.reason in FINDINGS]
        rejected = [Found(r.received, r.reason) for r in self.out.rejected if r.reason in REJECTIONS]
        return sorted([*decided, *rejected])


def seeds(name: str, count: int) -> Iterator[tuple[int, bool]]:
    """Seeds, each with the path that its events take."""
    base = list(ATTACKS).index(name) if name in ATTACKS else len(ATTACKS)
    for number in range(count):
        yield base * 1_000_003 + number, number % 2 == 0


def test_honest_histories_are_not_accused(goal: Goal) -> None:
    """Restarts, replicas, resent and reordered records, adopted spools, rotated keys, summer time and corrections: no
    finding, and no rejection but of records resent so late that they are too old to compare."""
    wrong, runs, sources, rotated = 0, examples(40, 3_000), 0, 0
    for seed, fast_path in seeds("honest", runs):
        bench = Bench(fast_path)
        bench.send(History(seed, T0).honest())
        wrong += len(bench.found()) + sum(r.reason != "sequence_too_old" for r in bench.out.rejected)
        found = bench.machine.pilots["p"].sources.values()
        sources += len(found)
        rotated += any(source.earlier for source in found)
    assert sources > 3 * runs
    assert rotated > runs / 10
    goal("source_integrity_false_findings", wrong, 0, note=f"in {runs} honest histories")


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_on_a_source_are_found(name: str, goal: Goal) -> None:
    """Each attack is a finding or a rejection with a closed reason within five seconds, and the firm's permits say so.
    A death under a used number halts."""
    late, runs, longest = 0, examples(12, 1_200), 0
    for seed, fast_path in seeds(name, runs):
        bench, attack = Bench(fast_path), History(seed, T0).attacked(name)
        bench.send(attack.records)
        bench.out.extend(bench.machine.time(attack.at + 20 * SECOND))
        times = [found.at - attack.at for found in bench.found()]
        assert all(time >= -SECOND for time in times), (seed, bench.found())
        late += not times or times[0] > WITHIN_MS
        longest = max(longest, *times[:1], 0)
        if name == "hidden_death":
            late += bench.machine.pilots["p"].standing.level != Level.HALT
        told = bench.machine.pilots["p"].rejections.by_reason.keys() | bench.machine.pilots["p"].standing.active.keys()
        assert told & {"sequence", "source_conflict", *REJECTIONS}, seed
    goal(
        f"source_attacks_not_found_{name}",
        late,
        0,
        note=f"of {runs}; found after {longest} ms, bound {WITHIN_MS}",
    )


def test_a_record_of_an_earlier_key_that_is_resent_is_no_finding_and_a_new_one_is() -> None:
    """After a source has passed to the next key, copies of what it sent before are repeats, or too old to tell; a new
    event with the earlier key is rejected as forged and is a finding."""
    bench, service = Bench(True), Emitter("svc/1", "p")
    bodies = [msgspec.json.encode([service.exposure(T0 + n, 0.1) for _ in range(100)]) for n in range(4)]
    for body, signer in zip(bodies, (FIRM, FIRM, NEXT, NEXT), strict=True):
        bench.send([Sent(T0 + 10, body, signature(body, signer))])
    for body in bodies:
        bench.send([Sent(T0 + 20, body, signature(body, FIRM))])
    assert not bench.found()
    assert {r.reason for r in bench.out.rejected} == {"sequence_too_old"}
    new = msgspec.json.encode([service.exposure(T0 + 5, 0.1)])
    bench.send([Sent(T0 + 30, new, signature(new, FIRM))])
    assert [found.reason for found in bench.found()] == ["forged", "source_conflict"]
    assert bench.out.decisions[-1].finding.rule == "key"


def test_a_gap_that_is_filled_in_time_is_no_finding_and_one_that_is_not_is_one() -> None:
    """Records that were retried may arrive out of order: a missing number becomes a finding three seconds after it was
    noticed, once, and each later gap has the same time."""
    bench, service = Bench(True), Emitter("svc/1", "p")
    first, second, third = (service.exposure(T0 + n, 10.0) for n in range(3))
    service.skip()
    fifth = service.exposure(T0 + 5, 10.0)
    for at, event in ((0, first), (1_000, third), (3_999, second), (4_000, fifth)):
        body = msgspec.json.encode([event])
        bench.send([Sent(T0 + at, body, signature(body, FIRM))])
    assert not bench.found()
    bench.out.extend(bench.machine.time(T0 + 7_000))
    assert not bench.found()
    bench.machine.restore({"p": snapshot(restore(snapshot(bench.machine.pilots["p"]))[0])})  # the timer survives
    bench.out.extend(bench.machine.time(T0 + 7_001))
    assert bench.found() == [Found(T0 + 7_000, "sequence_gap")]
