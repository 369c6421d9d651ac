"""The closed periods of a pilot as series: points by indicator and segment, and the times without data. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from msgspec import Struct

from monitor.model.records import Decision, Evidence, Level, Reason
from monitor.projections.formats import is_evidence
from monitor.projections.open_commands import LEFT
from monitor.translation import mark

Panel = tuple[str, str]
"""Indicator and segment."""

NO_DATA, PAUSED, HALTED = mark("no data"), mark("paused"), mark("halted")
INCOMPLETE, UNKNOWN, NO_SCORE = mark("data missing"), mark("unknown"), mark("no statistic")
NOT_ADMITTED, GONE = mark("before admission"), mark("left")


class Point(Struct, frozen=True):
    """One closed period as drawn: edges in ms, observation, scores, and whether data was missing."""

    start: int
    end: int
    kind: str
    k: float
    m: float
    unknown: str
    scores: dict[str, tuple[float, float]]


class Stretch(NamedTuple):
    """A time (ms) with the word for it."""

    start: int
    end: int
    word: str


def panels_of(records: Sequence[Evidence]) -> dict[Panel, list[Point]]:
    """Points by indicator and segment, in order of time. A late revision adds its events to its period, and its scores
    replace lower ones."""
    grid: dict[Panel, dict[int, Point]] = {}
    for e in sorted((e for e in records if not e.dropped), key=lambda e: e.late):
        row = grid.setdefault((e.indicator, e.segment), {})
        old = row.get(e.start)
        if old is None or not e.late:
            row[e.start] = Point(e.start, e.end, e.kind, e.k, e.m, e.unknown, dict(e.scores))
            continue
        higher = {n: s for n, s in e.scores.items() if n not in old.scores or s[0] > old.scores[n][0]}
        row[e.start] = Point(e.start, e.end, e.kind, old.k + e.k, old.m + e.m, old.unknown, old.scores | higher)
    return {key: [row[start] for start in sorted(row)] for key, row in sorted(grid.items())}


def detectors_of(points: Sequence[Point]) -> list[str]:
    """The detectors with a score, those with e-values first."""
    return sorted({name for p in points for name in p.scores}, key=lambda n: (not is_evidence(n), n))


def connected(points: Sequence[Point]) -> Callable[[Point, Point], bool]:
    """Whether no period is missing between two neighbours. A long series may hold only some of its periods, evenly; so
    a time counts as missing where it is longer than two usual distances."""
    steps = [b.end - a.end for a, b in pairwise(points)]
    usual = median(steps) if steps else 0
    length = median(p.end - p.start for p in points) if points else 0
    allowed = 0.0 if usual <= 1.2 * length else 2.0 * usual  # months differ in length
    return lambda a, b: b.start - a.end <= allowed


def runs(points: Sequence[Point], name: str) -> list[list[Point]]:
    """The scores of one detector in pieces that may be drawn as one line: no period is missing in them, every period
    has a score, and the threshold is the same (a restart begins a new statistic)."""
    joined = connected(points)
    found: list[list[Point]] = []
    before: Point | None = None
    for point in points:
        if name in point.scores:
            whole = before is not None and name in before.scores and joined(before, point)
            if before is None or not whole or abs(before.scores[name][1] - point.scores[name][1]) > 1e-9:
                found.append([])
            found[-1].append(point)
        before = point
    return found


def missing(points: Sequence[Point], decisions: Sequence[Decision]) -> list[Stretch]:
    """The times between the first and the last period that have none, and the periods with data missing; each with its
    word. Neighbours of one word are one stretch."""
    joined = connected(points)
    stopped = stretches(decisions)
    found: list[Stretch] = []
    for before, point in zip([None, *points], points, strict=False):
        if before is not None and not joined(before, point):
            found += _named(before.end, point.start, stopped)
        if point.unknown:
            found.append(Stretch(point.start, point.end, INCOMPLETE))
    return _merged(found)


def unscored(points: Sequence[Point], names: Sequence[str]) -> list[Stretch]:
    """The times between two scores in which periods have none, because a statistic began again."""
    found: list[Stretch] = []
    last: Point | None = None
    passed = False
    for point in points:
        if any(name in point.scores for name in names):
            if last is not None and passed:
                found.append(Stretch(last.end, point.start, NO_SCORE))
            last, passed = point, False
        elif last is not None:
            passed = True
    return found


def stretches(decisions: Sequence[Decision]) -> list[Stretch]:
    """When the pilot was paused, halted or away, from its decisions in order. What has not ended lasts for ever."""
    forever = 1 << 60
    found: list[Stretch] = []
    since: dict[str, int] = {}
    for d in decisions:
        now = {
            PAUSED: d.reason is Reason.PAUSE_GRANTED or (PAUSED in since and not _ends_pause(d)),
            HALTED: d.level is Level.HALT and d.reason not in LEFT,
            GONE: d.reason in LEFT or (GONE in since and d.reason is not Reason.ADMITTED),
        }
        for word, holds in now.items():
            if holds and word not in since:
                since[word] = d.at
            elif not holds and word in since:
                found.append(Stretch(since.pop(word), d.at, word))
    return found + [Stretch(at, forever, word) for word, at in since.items()]


def unknown_times(decisions: Sequence[Decision], end: int) -> list[Stretch]:
    """When the state of the pilot was unknown, from its decisions in order: each carries the flag as it is after it."""
    found: list[Stretch] = []
    since: int | None = None
    for at, d in enumerate(decisions):
        if at == 0 and d.kind == "flag" and not d.unknown:
            since = 0  # it began before the first decision that is known here
        if d.unknown and since is None:
            since = d.at
        elif not d.unknown and since is not None:
            found.append(Stretch(since, d.at, UNKNOWN))
            since = None
    return found + ([Stretch(since, end, UNKNOWN)] if since is not None else [])


def _ends_pause(d: Decision) -> bool:
    return d.reason in (Reason.RESUMED, Reason.CYCLE_STARTED, Reason.ADMITTED, *LEFT)


def _named(start: int, end: int, stopped: Sequence[Stretch]) -> list[Stretch]:
    """A time without periods in pieces: paused, halted or away, as far as that explains it, else without data."""
    found, at = [], start
    for one in sorted(stopped):
        begin, stop = max(one.start, at), min(one.end, end)
        if begin >= stop:
            continue
        if begin > at:
            found.append(Stretch(at, begin, NO_DATA))
        found.append(Stretch(begin, stop, one.word))
        at = stop
    return [*found, Stretch(at, end, NO_DATA)] if at < end else found


def _merged(found: Sequence[Stretch]) -> list[Stretch]:
    merged: list[Stretch] = []
    for one in found:
        if merged and merged[-1].word == one.word and one.start <= merged[-1].end:
            merged[-1] = Stretch(merged[-1].start, max(one.end, merged[-1].end), one.word)
        else:
            merged.append(one)
    return merged
