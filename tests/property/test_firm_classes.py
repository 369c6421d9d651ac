"""Properties of records and classes of firms: order, repetition, monotonicity, and how often a class errs."""

from __future__ import annotations

import functools
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from monitor.firms.classes import firm_class
from monitor.firms.fold import FirmsFold
from monitor.firms.record import YEAR_MS, FirmRecord
from monitor.firms.rules import SHIPPED_RULES, FirmClass, FirmRules, Limits, Measure
from monitor.model.clock_record import Change, Owes
from monitor.model.records import Decision, Evidence, Level, Outputs, Reason
from tests.strength import examples
from tests.unit.firms.decisions import Pilot, annulment

STEPS = (
    Reason.HALT_VERIFIED, Reason.HALT_OVERDUE, Reason.HALT_CONTRADICTED, Reason.SOURCE_CONFLICT, Reason.LIMIT_TOLERATED,
    Reason.RECTIFICATION_RECORDED, Reason.RECTIFICATION_OVERDUE, Reason.CHANGE_REFUSED, Reason.PAUSE_GRANTED,
    Reason.RESUMED, Reason.EXITED, Reason.GUIDANCE_ASKED, Reason.CYCLE_STARTED,
)  # fmt: skip


def story(random: Random, pilots: int) -> list[Pilot]:
    """Pilots of three firms with decisions of every kind that counts."""
    made = []
    for number in range(pilots):
        pilot = Pilot(f"p-{number}", f"firm-{random.randrange(3)}")
        for _ in range(random.randrange(20)):
            pilot.day += random.random() * 9
            pilot.unknown = random.choice(("", "", "silence", "monitor_gap"))
            kind = random.randrange(5)
            if kind == 0:
                pilot.halt() if pilot.level < Level.HALT else pilot.release()
            elif kind == 1:
                pilot.clock(random.choice(list(Change)), random.choice(list(Owes)), f"k-{random.randrange(3)}")
            elif kind == 2:
                pilot.period(late=random.random() < 0.2)
            else:
                pilot.act(random.choice(STEPS))
        made.append(pilot)
    return made


def logs_of(pilots: list[Pilot], partitions: int) -> list[list[Decision | Evidence]]:
    """The decisions and the evidence of each partition, as logs."""
    logs: list[list[Decision | Evidence]] = [[] for _ in range(2 * partitions)]
    for number, pilot in enumerate(pilots):
        logs[number % partitions] += pilot.decisions
        logs[partitions + number % partitions] += pilot.evidence
    wrong = [d for one in pilots for d in one.decisions if d.level == Level.HALT > d.was][:2]
    logs[0] += [annulment("firm-1", number, decision) for number, decision in enumerate(wrong, 1)]
    return logs


def read(fold: FirmsFold, one: Decision | Evidence) -> None:
    fold.add(Outputs(decisions=[one]) if isinstance(one, Decision) else Outputs(evidence=[one]))


@given(seed=st.integers(0, 10**9), partitions=st.integers(1, 4))
@settings(max_examples=examples(40, 400), deadline=None)
def test_the_order_of_partitions_and_restarts_change_nothing(seed: int, partitions: int) -> None:
    """However the logs of partitions are interleaved, wherever the reader stops and continues from its snapshots, and
    whatever decision arrives again, the records are the same."""
    random = Random(seed)
    logs = logs_of(story(random, 8), partitions)
    plain = FirmsFold()
    for log in logs:
        for one in log:
            read(plain, one)
    other, waiting = FirmsFold(), [list(log) for log in logs]
    seen: list[Decision] = []
    while any(waiting):
        log = random.choice([log for log in waiting if log])
        one = log.pop(0)
        read(other, one)
        if isinstance(one, Decision):
            seen.append(one)
        if seen and random.random() < 0.3:
            read(other, random.choice(seen))
        if random.random() < 0.1:
            again = FirmsFold()
            for name in other.firms:
                raw = other.snapshot(name)
                assert raw is not None
                again.restore(name, raw)
            other = again
    assert other.records() == plain.records()


def better_or_same(one: FirmRecord, worse: FirmRecord, rules: FirmRules) -> bool:
    return firm_class(one, rules).gives.rank <= firm_class(worse, rules).gives.rank


NUMBERS = st.integers(0, 30)
AGAINST = [one.value for one in Measure if one is not Measure.LATE_SHARE] + ["observations_late"]


@given(
    counts=st.lists(NUMBERS, min_size=8, max_size=8),
    years=st.floats(0.01, 30),
    pilots=st.integers(0, 6),
    worse=st.sampled_from(AGAINST),
    more=st.integers(1, 20),
    limits=st.lists(st.floats(0, 8), min_size=3, max_size=3),
)
@settings(max_examples=examples(40, 2000), deadline=None)
def test_a_worse_record_never_gives_a_better_class(
    counts: list[int], years: float, pilots: int, worse: str, more: int, limits: list[float]
) -> None:
    """More of anything against the firm, fewer pilots, or a record that is cut, gives the same class or a worse one;
    less operation never makes a record good."""
    low, middle, high = sorted(limits)
    rules = structs.replace(SHIPPED_RULES, limits={**SHIPPED_RULES.limits, Measure.HALTS: Limits(low, middle, high)})
    one = FirmRecord(
        firm="f", pilots=pilots, operated_ms=round(years * YEAR_MS), observations=60,
        **dict(zip(AGAINST, counts, strict=True)),
    )  # fmt: skip
    bad = structs.replace(one, **{worse: getattr(one, worse) + more})
    assert better_or_same(one, bad, rules)
    assert better_or_same(one, structs.replace(one, pilots=max(0, pilots - 1)), rules)
    assert better_or_same(one, structs.replace(one, truncated=True), rules)
    assert better_or_same(one, structs.replace(one, operated_ms=one.operated_ms // 2), rules)


def test_a_good_class_is_rarely_given_to_a_firm_above_the_limit() -> None:
    """At one look, a firm whose true rate is just above the limit of B gets B or better with a probability of at most
    (1 - confidence)/2 for Poisson counts; halts that come in bursts err more often, as the module says."""
    random, looks, years = Random(7), examples(1500, 20_000), 6.0
    rules = FirmRules(schema="firm-rules/1", id="x", version=1, limits={Measure.HALTS: Limits(0.5, 1, 2)})

    @functools.cache
    def good(halts: int) -> bool:
        record = FirmRecord(firm="f", pilots=3, operated_ms=round(years * YEAR_MS), halts=halts)
        return firm_class(record, rules).gives.rank <= FirmClass.B.rank

    def errs(burst: int) -> float:
        wrong = 0
        for _ in range(looks):
            halts, at = 0, random.expovariate(1.001 / burst)
            while at < years:
                halts, at = halts + burst, at + random.expovariate(1.001 / burst)
            wrong += good(halts)
        return wrong / looks

    assert errs(1) <= 0.05 + 3 * (0.05 * 0.95 / looks) ** 0.5
    assert errs(4) > 0.1
