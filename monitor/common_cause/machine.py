"""The second stage: closed periods of all partitions in one order, pooled over the pilots of a vendor.

It is a separate deployment over the same `Log` and runner: its telemetry are the partitions of `evidence`, one topic
each. Records are stored as they arrive; they are evaluated at a journalled `time`, sorted by (end of period, indicator,
vendor, pilot, segment), so that results do not depend on the order in which partitions were read. A period is evaluated
when every partition with records reports it as closed, or `WAIT_MS` after its end; later records are counted and
skipped. Pure.

A finding is about a vendor and never about a pilot: its level is watch, and no pilot's level depends on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec
from msgspec import Struct

from detectors.base import Count, Design
from detectors.e_detector import EDetector
from detectors.explain import explain
from monitor.errors import LogBroken, SetAside
from monitor.model.epochs import EpochFilter
from monitor.model.output_records import OutputRejection, judge_output
from monitor.model.records import Closed, Decision, Evidence, Finding, Level, Outputs, Reason, Record, digest

VERSION = 1
WAIT_MS = 3_600_000  # after its end a period waits no longer for partitions without records
FEWEST = 2  # pilots; one alone shows no common cause
ARL0 = 87_600.0  # average run length to a false alarm, in periods: ten years of hours
MOST = 200_000  # stored periods; beyond it the oldest are evaluated without waiting

SKIPS_KEPT = 1_000  # skipped records that wait to be reported


class Group(NamedTuple):
    """One indicator of one vendor, in periods of one length (ms)."""

    indicator: str
    vendor: str
    length: int


class PartitionProgress(Struct, array_like=True):
    """Of one partition: the highest epoch read, and the time up to which all its periods are closed (ms)."""

    epoch: int = 0
    through: int = 0


class _State(Struct, array_like=True):
    version: int
    progress: dict[str, PartitionProgress]
    kept: list[Evidence]
    evaluated: int
    late: int
    counter: int
    detectors: list[tuple[Group, EDetector]]


class CommonCauseMachine:
    """The state machine of the second stage; one partition. See `monitor.engine.machine.Machine` for what a runner asks
    of it.

    The statistic: events of all pilots of a vendor against the sum of what their limits allow, one e-detector per
    group. If the counts of the pilots are independent, Poisson and within their limits, its theorem bounds the rate of
    false alarms by one in `ARL0` periods on average. Counts that increase together violate this, and are what it
    detects.
    """

    def __init__(self, partition: int = 0, epoch: int = 0, *, wait_ms: int = WAIT_MS) -> None:
        self.partition = partition
        self.epoch = epoch
        self.dirty: set[str] = set()
        self.events = 0
        self.late = 0  # periods that arrived after their evaluation
        self.skipped: deque[tuple[str, int, OutputRejection]] = deque(maxlen=SKIPS_KEPT)  # for reports; no result of it
        self._wait = wait_ms
        self._progress: dict[str, PartitionProgress] = {}
        self._kept: dict[tuple[str, str, str, int], Evidence] = {}
        self._evaluated = 0
        self._counter = 0
        self._detectors: dict[Group, EDetector] = {}

    # ---- state in and out

    @property
    def notify_at(self) -> int | None:
        """0 (now) when periods can be evaluated, else the time-out of the oldest; `None` without periods."""
        if not self._kept:
            return None
        oldest = min(e.end for e in self._kept.values())
        return 0 if oldest <= self._closed() or len(self._kept) > MOST else oldest + self._wait

    def snapshots(self, names: Iterable[str]) -> dict[str, bytes | None]:
        """The whole state under one name."""
        kept, detectors = list(self._kept.values()), list(self._detectors.items())
        whole = _State(VERSION, self._progress, kept, self._evaluated, self.late, self._counter, detectors)
        return {"": msgspec.msgpack.encode(whole)}

    def restore(self, snapshots: dict[str, bytes]) -> None:
        """Restore the state from a snapshot. Raises LogBroken when it cannot be read."""
        if "" not in snapshots:
            return
        try:
            state = msgspec.msgpack.decode(snapshots[""], type=_State)
        except msgspec.MsgspecError as error:
            raise LogBroken(f"the state of the second stage cannot be read: {error}") from error
        if state.version != VERSION:
            raise LogBroken(f"the second stage's state has version {state.version}, this code reads {VERSION}")
        self._progress, self._evaluated, self.late, self._counter = (
            state.progress,
            state.evaluated,
            state.late,
            state.counter,
        )
        self._kept = {_key(e): e for e in state.kept}
        self._detectors = dict(state.detectors)

    @property
    def unreadable(self) -> Collection[str]:
        """None: the state is one snapshot, without which there is nothing to continue."""
        return ()

    def set_aside(self, pilots: Collection[str]) -> Outputs:
        """Change nothing: this stage has no pilots."""
        return Outputs()

    # ---- the three inputs

    def telemetry_steps(self, topic: str, records: Sequence[Record]) -> Generator[None, None, Outputs]:
        """`telemetry` as a generator whose result are the outputs."""
        yield
        return self.telemetry(topic, records)

    def telemetry(self, topic: str, records: Sequence[Record]) -> Outputs:
        """Keep the periods of one partition of `evidence`, `<topic>/<partition>`. What is no evidence of the monitor is
        skipped, and stands in `skipped`."""
        progress = self._progress.setdefault(topic, PartitionProgress())
        for record in records:
            found = judge_output(topic.rpartition("/")[0], record.key, record.value, record.headers)
            if isinstance(found, OutputRejection):
                self.skipped.append((topic, record.offset, found))
                continue
            value = found.value
            epochs = EpochFilter(progress.epoch)
            if not epochs.accepts(found.epoch):
                continue
            progress.epoch = epochs.highest
            self.events += 1
            if isinstance(value, Closed):
                progress.through = max(progress.through, value.through)
            elif isinstance(value, Evidence) and _pooled(value):
                if value.end <= self._evaluated:
                    self.late += 1
                else:
                    self._kept.setdefault(_key(value), value)
        return Outputs()

    def control(self, record: Record) -> Outputs:
        """Refuse: the second stage takes no acts."""
        raise SetAside("control", "no_control", "the second stage takes no acts")

    def lost(self, lost: dict[str, tuple[int, int]], keys: Mapping[str, str]) -> Outputs:
        """Evidence that the log deleted unread is missing in its periods; there is no finding about it."""
        return Outputs()

    def time(self, now: int) -> Outputs:
        """Evaluate every period that is complete or timed out at `now` (ms)."""
        out = Outputs()
        through = max(self._evaluated, self._closed(), now - self._wait)
        if len(self._kept) > MOST:
            through = max(through, sorted(e.end for e in self._kept.values())[len(self._kept) - MOST - 1])
        ready = sorted((e for e in self._kept.values() if e.end <= through), key=_order)
        for (end, group), periods in groupby(ready, key=lambda e: (e.end, _group(e))):
            self._evaluate(group, list(periods), end, now, out)
        for e in ready:
            del self._kept[_key(e)]
        self._evaluated = through
        return out

    # ---- evaluate

    def _evaluate(self, group: Group, periods: list[Evidence], end: int, now: int, out: Outputs) -> None:
        pilots = {e.pilot for e in periods}
        if len(pilots) < FEWEST:
            return
        detector = self._detectors.get(group)
        if detector is None:
            # The allowed number is the exposure, so that the rate of pilots at their limits is 1.
            detector = EDetector.design(Design(), arl0=ARL0, baseline=1.0, side="up")
            self._detectors[group] = detector
        count = Count(sum(e.k for e in periods), sum(e.allowed or 0.0 for e in periods))
        score = detector.update(count)
        if score is None or not score.alarm:
            return
        self._counter += 1
        words = explain(count, score, "e_detector")
        above = sorted(e.pilot for e in periods if e.k > (e.allowed or 0.0))
        some = f"{', '.join(above[:8])}{' and more' if len(above) > 8 else ''}" or "none"
        finding = Finding(
            indicator=group.indicator,
            rule="pooled_e_detector",
            statistic=score.statistic,
            bar=score.threshold,
            observed=score.observed,
            expected=score.expected,
            period_start=end - group.length,
            period_end=end,
            detail=f"{len(above)} of {len(pilots)} pilots above what their limits allow: {some}",
            explanation=words.sentence,
        )
        out.decisions.append(
            Decision(
                id=digest("pool", *group, end),
                pilot=f"vendor:{group.vendor}",
                participant="",
                charter="",
                kind="finding",
                level=Level.WATCH,
                was=Level.WATCH,
                reason=Reason.COMMON_CAUSE,
                at=now,
                standing=self._counter,
                epoch=self.epoch,
                cause=f"evidence:{group.indicator}@{end}",
                finding=finding,
            )
        )

    def _closed(self) -> int:
        return min((h.through for h in self._progress.values()), default=0)


def _pooled(e: Evidence) -> bool:
    """Counts with a limit, closed with all their data, of a pilot whose vendor is known."""
    return bool(e.kind == "count" and e.allowed and e.vendor and not e.unknown and not e.late)


def _key(e: Evidence) -> tuple[str, str, str, int]:
    return e.pilot, e.indicator, e.segment, e.start


def _group(e: Evidence) -> Group:
    return Group(e.indicator, e.vendor, e.end - e.start)


def _order(e: Evidence) -> tuple[int, Group, str, str]:
    return e.end, _group(e), e.pilot, e.segment
