"""The second stage: one order out of many partitions, and a vendor's pilots weighed together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.common_cause.machine import FEWEST, CommonCauseMachine
from monitor.engine.runner import Runner
from monitor.model.records import Closed, Decision, Evidence, Outputs, Reason, Record
from monitor.testing.clock import MovingClock
from monitor.testing.memory_log import MemoryStore

HOUR = 3_600_000
PARTS = ("evidence/0", "evidence/1")


def period(
    pilot: str, hour: int, k: float, *, vendor: str = "v", allowed: float | None = 2.0, unknown: str = ""
) -> Evidence:
    return Evidence(
        pilot=pilot,
        participant="firm",
        vendor=vendor,
        data_source="",
        model="m",
        indicator="incidents",
        segment="",
        kind="count",
        start=hour * HOUR,
        end=(hour + 1) * HOUR,
        k=k,
        m=1.0,
        unknown=unknown,
        allowed=allowed,
    )


def records(values: Sequence[Evidence | Closed], epoch: int = 1, start: int = 0) -> list[Record]:
    return [
        Record(
            start + i,
            0,
            None,
            msgspec.json.encode(value),
            (("type", b"closed" if isinstance(value, Closed) else b"evidence"), ("epoch", str(epoch).encode())),
        )
        for i, value in enumerate(values)
    ]


def story(hours: int, k: float, pilots: int = 4, first: int = 0) -> dict[str, list[Record]]:
    """Even pilots on partition 0, odd ones on 1; each hour closed at once."""
    logs: dict[str, list[Evidence | Closed]] = {part: [] for part in PARTS}
    for hour in range(first, first + hours):
        for number in range(pilots):
            logs[PARTS[number % 2]].append(period(f"p{number}", hour, k))
        for number, part in enumerate(PARTS):
            logs[part].append(Closed(partition=number, through=(hour + 1) * HOUR))
    return {part: records(values) for part, values in logs.items()}


def run(pool: CommonCauseMachine, logs: dict[str, list[Record]], now: int) -> list[Decision]:
    for part, kept in logs.items():
        pool.telemetry(part, kept)
    return pool.time(now).decisions


def test_pilots_just_above_their_limits_are_seen_together_and_not_alone() -> None:
    """Twice what is allowed, by four pilots at once, is a common cause within hours; one pilot alone is no vendor's
    matter."""
    together = run(CommonCauseMachine(), story(12, 4.0), 13 * HOUR)
    assert together
    assert together[0].reason == Reason.COMMON_CAUSE
    assert (together[0].pilot, together[0].finding.indicator) == ("vendor:v", "incidents")
    assert together[0].finding.period_end is not None
    assert together[0].finding.period_end <= 8 * HOUR
    assert "4 of 4 pilots above" in together[0].finding.detail
    assert FEWEST == 2
    assert run(CommonCauseMachine(), story(200, 4.0, pilots=1), 300 * HOUR) == []


def test_pilots_within_their_limits_are_left_alone() -> None:
    """A year of hours at the limit says nothing."""
    assert run(CommonCauseMachine(), story(2_000, 2.0), 3_000 * HOUR) == []


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_the_order_in_which_partitions_are_read_never_shows(data: st.DataObject) -> None:
    """Any interleaving and any cut into batches, one `time` at the end: the same decisions and the same state."""
    logs = story(10, 4.0)
    expected = CommonCauseMachine()
    said = run(expected, logs, 11 * HOUR)
    other, at = CommonCauseMachine(), dict.fromkeys(PARTS, 0)
    while any(at[part] < len(logs[part]) for part in PARTS):
        part = data.draw(st.sampled_from([p for p in PARTS if at[p] < len(logs[p])]))
        stop = data.draw(st.integers(at[part] + 1, len(logs[part])))
        other.telemetry(part, logs[part][at[part] : stop])
        at[part] = stop
    assert other.time(11 * HOUR).decisions == said
    assert (
        msgspec.msgpack.decode(other.snapshots(())[""] or b"")[3:]
        == msgspec.msgpack.decode(expected.snapshots(())[""] or b"")[3:]
    )


def test_a_period_waits_for_every_partition_that_spoke_and_not_for_ever() -> None:
    """One partition is behind: its periods are waited for until the time-out; what comes after that is counted, not
    weighed."""
    pool = CommonCauseMachine(wait_ms=2 * HOUR)
    logs = story(12, 4.0)
    pool.telemetry(PARTS[0], logs[PARTS[0]])
    pool.telemetry(PARTS[1], logs[PARTS[1]][:3])  # its first hour
    assert pool.time(HOUR + 1).decisions == []
    assert pool.notify_at == 2 * HOUR + 2 * HOUR
    said = pool.time(14 * HOUR).decisions
    assert said
    assert "of 2 pilots" in said[-1].finding.detail
    pool.telemetry(PARTS[1], logs[PARTS[1]][3:])
    assert pool.late == 2 * 11
    assert pool.time(15 * HOUR).decisions == []


def test_what_says_nothing_of_a_vendor_is_left_out() -> None:
    """Unknown periods, counts without a limit and pilots without a vendor are not pooled."""
    pool = CommonCauseMachine()
    values = [
        period(f"p{i}", hour, 50.0, vendor=v, allowed=a, unknown=u)
        for hour in range(5)
        for i, (v, a, u) in enumerate([("", 2.0, ""), ("v", None, ""), ("v", 2.0, "partial_data"), ("v", 2.0, "")])
    ]
    assert run(pool, {PARTS[0]: records(values)}, 100 * HOUR) == []


def test_repeats_and_void_records_do_not_count() -> None:
    """Records of a fenced owner are void, and a period emitted twice counts once."""
    once, twice = CommonCauseMachine(), CommonCauseMachine()
    logs = story(6, 4.0)
    said = run(once, logs, 20 * HOUR)
    for part in PARTS:
        good = logs[part]
        void = records([period("p9", 3, 1000.0)], epoch=0, start=len(good))
        twice.telemetry(part, good)
        twice.telemetry(part, void)
        twice.telemetry(part, records([period("p0", 3, 4.0)] if part == PARTS[0] else [], start=len(good) + 1))
    assert twice.time(20 * HOUR).decisions == said


@pytest.mark.parametrize(
    ("value", "headers", "reason"),
    [
        (b"{}", (("type", b"evidence"), ("epoch", b"1")), "unreadable"),
        (b"\xff", (("type", b"closed"), ("epoch", b"1")), "unreadable"),
        (b"{}", (), "unknown_type"),
        (b"{}", (("type", b"letter"), ("epoch", b"1")), "unknown_type"),
        (b"{}", (("type", b"decision"), ("epoch", b"1")), "wrong_topic"),
        (b'{"partition":0,"through":1}', (("type", b"closed"), ("epoch", b"1" * 99)), "bad_epoch"),
        (None, (("type", b"closed"), ("epoch", b"1")), "no_value"),
    ],
)
def test_what_the_monitor_did_not_write_is_skipped(
    value: bytes | None, headers: tuple[tuple[str, bytes], ...], reason: str
) -> None:
    """A foreign record among the evidence changes no result, and is named with its reason."""
    machine, calm = CommonCauseMachine(), CommonCauseMachine()
    good = records([period(f"p{n}", 0, 9.0) for n in range(3)])
    for either in (machine, calm):
        either.telemetry("evidence/0", good)
    machine.telemetry("evidence/0", [Record(9, 0, None, value, headers)])
    assert list(machine.skipped) == [("evidence/0", 9, reason)]
    assert machine.time(20 * HOUR) == calm.time(20 * HOUR)
    assert machine.snapshots([""]) == calm.snapshots([""])


def test_killed_anywhere_it_says_the_same_once() -> None:
    """Owners that crash after every second step emit together what one owner without a crash emits."""

    async def live(turns: int) -> Outputs:
        clock = MovingClock(0)
        store = MemoryStore(clock)
        logs = story(12, 4.0)
        runner: Runner[CommonCauseMachine] | None = None
        count = 0
        for hour in range(12):
            for part in PARTS:
                for record in logs[part][3 * hour : 3 * hour + 3]:
                    store.feed(part, record.value or b"", received=0, headers=record.headers)
            clock.set((hour + 1) * HOUR + 1)
            if runner is None or (turns and count % turns == 0):
                log = store.log(0)
                runner = Runner(log, clock=clock, machine=CommonCauseMachine, checkpoint_every_ms=3 * HOUR)
                await runner.recover()
            for part in PARTS:
                at = runner.next_telemetry.get(part, 0)
                await runner.telemetry(part, await log.telemetry(part, at, 1 << 60))
                count += 1
            if not runner.replaying:
                await runner.time()
        return store.outputs(0)

    whole, broken = asyncio.run(live(0)), asyncio.run(live(3))
    assert [d.id for d in whole.decisions] == [d.id for d in broken.decisions] != []
