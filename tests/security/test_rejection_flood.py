"""A firm that sends nothing but garbage: what is written about it is bounded, no event is lost from the counts, and no
record costs more to reject than ordinary ones cost to take."""

from __future__ import annotations

import functools
import gc
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.charter.control import Admission
from monitor.charter.spec import Participant
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import encode
from monitor.model.pseudonyms import shown
from monitor.model.records import Outputs, Record, Rejected
from monitor.state.rejection_rate import BUCKET_BYTES, BUCKETS, BURST, FIRMS, HELD_MS, PER_SECOND, RejectionRates
from monitor.validate.grouped import GROUPS
from monitor.validate.rejections import RejectionReason
from tests.security.goals import Goal
from tests.strength import examples
from tests.unit.engine.test_machine import T0, charter

MIB = 1 << 20
FIRM_OF = {"p1": "hostile", "p2": "hostile", "p3": "honest"}


def machine(**options: object) -> Machine:
    """A partition with three pilots of two firms."""
    made = Machine(**options)  # type: ignore[arg-type]
    for offset, (pilot, firm) in enumerate(FIRM_OF.items()):
        each = msgspec.structs.replace(charter(), pilot=pilot, participant=Participant(firm))
        act = Admission(id=f"a{offset}", pilot=pilot, author="anna", charter=each)
        out = made.control(Record(offset, T0, pilot.encode(), msgspec.json.encode(act)))
        assert not out.rejected, out.rejected
    return made


def packed(events: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(events) + b"]"


@functools.cache
def good(pilot: str = "p1", count: int = 3_500) -> tuple[bytes, ...]:
    emitter = Emitter("svc/1", pilot)
    return tuple(encode(emitter.exposure(T0 + n, 0.001)) for n in range(count))


def events_of(rejected: Sequence[Rejected]) -> Counter[str]:
    """Rejected events by reason."""
    found: Counter[str] = Counter()
    for each in rejected:
        found.update(each.reasons)
        assert each.count == sum(each.reasons.values())
    return found


def written(out: Outputs) -> int:
    return sum(len(msgspec.json.encode(each)) for each in out.rejected)


def test_what_is_written_about_a_flood_is_bounded(goal: Goal) -> None:
    """400 records of 5,000 empty objects each, sent within one second, were 0.57 GB of rejections once."""
    records, each = examples(60, 400), 5_000
    m = machine()
    m.time(T0 + 1)
    flood = [Record(n, T0 + 2 * n, b"p1", packed([b"{}"] * each)) for n in range(records)]
    out = m.telemetry("t", flood)
    out.extend(m.time(T0 + 10_000))
    goal("rejected-bytes-of-a-flood", written(out), records * 1024, note=f"{records * each:,} bad events")
    assert events_of(out.rejected) == {"missing_field": records * each}


def test_no_rejection_is_lost_from_the_counts_beyond_the_rate(goal: Goal) -> None:
    """One bad event per record: beyond the burst they are summed up, and the sums count each of them."""
    count = examples(20_000, 100_000)
    m = machine()
    m.time(T0 + 1)
    out = m.telemetry("t", [Record(n, T0 + n // 10, b"p1", b"{}") for n in range(count)])
    last = T0 + count // 10
    assert m.notify_at is not None
    assert m.notify_at <= last + HELD_MS
    out.extend(m.time(last + HELD_MS + 1))
    most = BURST + PER_SECOND * (count // 10_000 + 1) + 1
    goal("rejections-written-beyond-the-rate", len(out.rejected), most, note=f"of {count:,}")
    goal("rejected-events-lost", count - events_of(out.rejected)["missing_field"], 0)
    sums = [r for r in out.rejected if r.reason == "rate_limited"]
    assert sums
    assert all(r.pilot == "p1" and r.through for r in sums)
    assert len({r.id for r in out.rejected}) == len(out.rejected)
    assert m._partition.state.rates == RejectionRates() or m.time(last + 60_000).rejected == []


def test_another_firms_rejections_are_not_summed_up(goal: Goal) -> None:
    """Each firm has its own rate, and all of its pilots share it; unknown pilots share another one."""
    m = machine()
    flood = [Record(n, T0 + 1, key, b"{}") for n, key in enumerate([b"p1", b"p2", b"unknown"] * 2 * BURST)]
    honest = Record(len(flood), T0 + 2, b"p3", b"{}")
    out = m.telemetry("t", [*flood, honest])
    own = [r for r in out.rejected if r.pilot == "p3"]
    goal("another-firms-rejections-summed-up", sum(r.reason == "rate_limited" for r in own) + (not own), 0)
    assert sum(r.pilot in ("p1", "p2") for r in out.rejected) == BURST
    assert sum(r.pilot == shown("unknown") for r in out.rejected) == BURST


def test_a_topic_with_an_owner_has_the_rate_of_its_owner() -> None:
    """Whatever key the firm writes, its own rejections are summed up."""
    m = machine(owner_of={"own": "hostile"}.get)
    out = m.telemetry("own", [Record(n, T0 + 1, b"p3", b"{}") for n in range(BURST + 5)])
    out.extend(m.telemetry("t", [Record(0, T0 + 1, b"p3", b"{}")]))
    assert [r.topic for r in out.rejected].count("own") == BURST
    assert out.rejected[-1].topic == "t"


def test_the_firm_sees_all_its_rejections_in_the_notice() -> None:
    """The counts in the permits do not depend on what was written."""
    m = machine()
    m.telemetry("t", [Record(n, T0 + 1, b"p1", packed([b"{}"] * 7)) for n in range(2 * BURST)])
    assert m.pilots["p1"].rejections.by_reason == {"missing_field": 14 * BURST}


@settings(max_examples=examples(6, 100), deadline=None)
@given(seed=st.integers(0, 10_000))
def test_rejections_do_not_depend_on_batches_or_on_a_restart(seed: int) -> None:
    """Records cut into any pieces, single events in place of batches, topics in another order, a restart from snapshots
    in between: the same rejections and the same state."""
    rng = Random(seed)
    bad = [b"{}", b"[{},1]", packed([b"{}", *good("p3", 3)]), *good("p2", 2), b"rubbish"]
    offsets: Counter[str] = Counter()
    steps: list[tuple[str, list[Record]] | int] = []
    at = T0
    for _ in range(12):
        at += rng.choice([0, 5, 400, 2_500])
        if rng.random() < 0.3:
            steps.append(at)
            continue
        for topic in ("t", "own"):
            records = []
            for _ in range(rng.choice([1, 30, 400])):
                key = rng.choice([b"p1", b"p2", b"p3", b"x", None])
                records.append(Record(offsets[topic], at + rng.randrange(-50, 50), key, rng.choice(bad)))
                offsets[topic] += 1
            steps.append((topic, records))

    def run(step: Callable[[Machine, str, list[Record]], Outputs], restarts: bool) -> tuple[bytes, bytes | None]:
        m = machine(owner_of={"own": "hostile"}.get)
        by_topic: dict[str, list[Rejected]] = {"t": [], "own": []}
        for number, each in enumerate(steps):
            out = m.time(each) if isinstance(each, int) else step(m, *each)
            for r in out.rejected:
                by_topic[r.topic].append(r)
            if restarts and number % 3 == 0:
                states = m.snapshots(m.pilots)
                m = machine(owner_of={"own": "hostile"}.get)
                m.restore({name: raw for name, raw in states.items() if raw is not None})
        return msgspec.json.encode(by_topic), m.snapshots([])[""]

    def whole(m: Machine, topic: str, records: list[Record]) -> Outputs:
        return m.telemetry(topic, records)

    def cut(m: Machine, topic: str, records: list[Record]) -> Outputs:
        out, left = Outputs(), records
        while left:
            count = rng.randrange(1, 40)
            out.extend(m.telemetry(topic, left[:count]))
            left = left[count:]
        return out

    def slowly(m: Machine, topic: str, records: list[Record]) -> Outputs:
        m.fast_path = False
        return m.telemetry(topic, records)

    expected = run(whole, False)
    assert run(cut, False) == expected
    assert run(slowly, False) == expected
    assert run(cut, True) == expected


def test_the_table_of_rates_is_bounded(goal: Goal) -> None:
    """However many firms and topics there are, and however long their names: firms share a bucket, and at each `time`
    what is held in too many buckets is written. Nothing is lost from the counts."""
    reasons = {reason.value: 10**15 for reason in RejectionReason}
    rates, summed, sent = RejectionRates(), 0, 0
    largest = most = 0
    for n in range(2 * BUCKETS):
        topic = f"{n:04d}" + "t" * 245
        for firm in range(2):
            each = Rejected(topic=topic, partition=0, offset=10**18, field="", reason="x", pilot="é" * 200, count=1)
            each = msgspec.structs.replace(each, by_reason=reasons)
            bucket = rates._bucket(topic, f"{firm}{'é' * 190}", T0)
            bucket.tokens = 0
            assert list(bucket.admit(each)) == list(bucket.admit(each)) == []
            sent += 2 * sum(reasons.values())
        if n % 100 == 99:
            summed += sum(r.count for r in rates.released(T0))
            largest = max(largest, len(msgspec.msgpack.encode(rates)))
            most = max(most, sum(len(firms) for firms in rates.buckets.values()))
    assert most == BUCKETS
    goal("state-bytes-of-a-rejection-rate", largest / BUCKETS, BUCKET_BYTES)
    goal("state-bytes-of-all-rejection-rates", largest, BUCKETS * BUCKET_BYTES)
    kept = [b.held for firms in rates.buckets.values() for b in firms.values() if b.held is not None]
    assert summed + sum(sum(held.by_reason.values()) for held in kept) == sent
    one = RejectionRates()
    for firm in range(3 * FIRMS):
        one._bucket("t", str(firm), T0).tokens = 0
    assert len(one.buckets["t"]) == FIRMS + 1


@pytest.mark.parametrize("seed", range(examples(3, 30)))
def test_rejections_beyond_the_bound_do_not_depend_on_the_order_of_topics(seed: int) -> None:
    """Between two `time` entries the records of many topics are stepped in any order, each topic's own in the order of
    its offsets: the same rejections of each topic, at each `time` the same, and the same state."""
    rng = Random(seed)
    topics = [f"t{n}" for n in range(BUCKETS // 2 + 10)]
    offsets: Counter[str] = Counter()
    rounds: list[tuple[int, dict[str, list[tuple[int, list[tuple[str, Rejected]]]]]]] = []
    at = T0
    for _ in range(4):
        at += rng.choice([300, 1_100, 2_500])
        queues: dict[str, list[tuple[int, list[tuple[str, Rejected]]]]] = {}
        for topic in topics:
            queues[topic] = []
            for _ in range(rng.choice([0, 1, 2, 3])):
                made = []
                for firm in ("a", "b", rng.choice("cd")):
                    count = rng.choice([1, 1, BURST])
                    each = Rejected(topic=topic, partition=0, offset=offsets[topic], field="", reason="x", count=1)
                    made += [(firm, each)] * count
                    offsets[topic] += 1
                queues[topic].append((at - rng.randrange(250), made))
        rounds.append((at, queues))

    def run(order: Random) -> tuple[object, bytes]:
        rates, by_topic, at_times = RejectionRates(), {topic: list[str]() for topic in topics}, list[list[str]]()
        for now, queues in rounds:
            left = {topic: list(records) for topic, records in queues.items() if records}
            while left:
                topic = order.choice(list(left))
                received, rejected = left[topic].pop(0)
                by_topic[topic] += [r.id for r in rates.limited(topic, received, rejected)]
                if not left[topic]:
                    del left[topic]
            at_times.append([r.id for r in rates.released(now)])
            assert sum(len(firms) for firms in rates.buckets.values()) <= BUCKETS
        return (by_topic, at_times), msgspec.msgpack.encode(rates, order="deterministic")

    expected = run(Random(1))
    for other in (2, 3):
        assert run(Random(other)) == expected


WORST: dict[str, Callable[[], bytes]] = {
    "one MiB of empty objects": lambda: packed([b"{}"] * (MIB // 3)),
    "empty objects": lambda: packed([b"{}"] * 5_000),
    "events of other pilots": lambda: packed(e.replace(b'"p1"', b'"q%d"' % n) for n, e in enumerate(good())),
    "a bracket, again and again": lambda: b"[" * MIB,
    "shallow brackets": lambda: b"[[" + b"[]," * (MIB // 3 - 5) + b"[]]]",
    "objects in objects": lambda: (b'{"":' * (MIB // 4))[:MIB],
    "brackets behind a backslash": lambda: b"[[\\" + b"[]," * (MIB // 3 - 5) + b"[]]]",
    "empty strings": lambda: b"[[" + b'"",' * (MIB // 3 - 5) + b'""]]',
    "escapes": lambda: b"[" + b'"\\\\"' * (MIB // 4 - 4) + b"]",
    "one long string": lambda: b'[{"type":"' + b"x" * (MIB - 20) + b'"}]',
    "no number": lambda: packed([b"NaN"] * 5_000),
    "good events nested to the bound": lambda: packed(
        e[:-1] + b',"x":' + b"[" * 60 + b"]" * 60 + b"}" for e in good()[:2_500]
    ),
    "different mistakes": lambda: packed(
        e.replace(b'"time":"2', b'"time":"%d' % (n % 10)).replace(b'"p1"', b'"q%d"' % n) for n, e in enumerate(good())
    ),
}


def seconds(value: bytes) -> float:
    """The shortest of three measured times of one record."""
    shortest = float("inf")
    for _ in range(3):
        m = machine(journalled=False)
        gc.collect()
        began = time.perf_counter()
        m.telemetry("t", [Record(1, T0 + 6_000, b"p1", value)])
        shortest = min(shortest, time.perf_counter() - began)
    return shortest


@pytest.mark.parametrize("name", WORST)
def test_no_record_gives_more_than_so_many_rejections(name: str) -> None:
    """Whatever one record holds."""
    out = machine().telemetry("t", [Record(1, T0 + 6_000, b"p1", WORST[name]())])
    assert len(out.rejected) <= GROUPS
    assert written(out) < 16 * 1024


@pytest.mark.long
def test_no_record_costs_more_to_reject_than_events_cost_one_by_one(goal: Goal) -> None:
    """Compared with a full record of events that are stepped one by one, as events of many sources are."""
    emitters = [Emitter(f"svc/{n % 20}", "p1") for n in range(3_500)]
    ordinary = seconds(packed(encode(e.exposure(T0 + n, 0.001)) for n, e in enumerate(emitters)))
    for name in WORST:
        label = name.replace(",", "").replace(" ", "-")
        goal(f"cost-of-{label}", seconds(WORST[name]()) / ordinary, 3.0, note="of an ordinary record")
