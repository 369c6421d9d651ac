"""Innocent pilots under the shipped templates: a year of telemetry at a fraction of every limit, end to end.

One pilot sends a tally of exposure and of outcomes a day, its incidents and complaints as they happen, and a heartbeat.
Counts have the variance/mean that the template grants, proportions the granted correlation within a day. At level 1
every indicator is at its limit all year; at .5 at half of it (limits from below: twice). Silence and drills are left
out: they take two events a minute and no statistics.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import UNSET, structs

from monitor.charter.spec import Charter, Drills, Model
from monitor.compile.load import read_charter
from monitor.engine.replay import CharterReplay, timed_records
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Severity
from monitor.model.records import Decision
from monitor.toolkits.load import shipped
from tests.bench.detbench import simulators

TEMPLATES = ("automated_driving", "consumer_finance")
DAY_MS, START, DAYS = 86_400_000, 1_767_225_600_000, 365  # 1 January 2026
MILES, RIDES, USERS, TRIALS = 10_000.0, 1_200.0, 1_500.0, 300
GROUPS = ("under-25", "25-to-64", "over-64")
NEAR_MISSES = 2.0  # a day
_Rows = list[tuple[int, Envelope]]


def template(name: str, pilot: str = "p") -> Charter:
    """A template with its placeholders filled in, without silence and drills."""
    text = shipped(name).charter_text
    text = text.replace("<pilot-id>", pilot)
    charter = read_charter(re.sub(r"<([^<>\n]+)>", lambda m: m[1].replace(" ", "-"), text)).charter
    assert charter is not None
    kept = tuple(i for i in charter.indicators if i.kind != "silence")
    return structs.replace(charter, models=(Model("m1"),), indicators=kept, drills=Drills(), identifiers=UNSET)


class Year:
    """The telemetry of one pilot. `level`: fraction of every limit."""

    def __init__(self, rng: simulators.Rng, name: str, level: float) -> None:
        self.rng, self.name, self.level = rng, name, level
        self.emitter = Emitter("svc/1", "p")
        self.rows: _Rows = []

    def events(self) -> _Rows:
        """In order of reception, numbered in that order."""
        daily = self._driving if self.name == "automated_driving" else self._finance
        for day in range(DAYS):
            start = START + day * DAY_MS
            daily(start)
            self._put(start + DAY_MS - 60_000, self.emitter.heartbeat(start + DAY_MS - 60_000))
            if self.name == "consumer_finance" and day % 30 == 15:
                self._put(start, self.emitter.cost(start, 39_999 * self.level))
                self._put(start, self.emitter.gain(start, 0.051 / self.level))
        self.rows.sort(key=lambda row: row[0])
        numbered = enumerate(self.rows, 1)
        return [(at, structs.replace(e, sequence=f"{n:012d}")) for n, (at, e) in numbered]  # type: ignore[type-var]

    def _put(self, received: int, event: Envelope) -> None:
        self.rows.append((received, event))

    def _times(self, start: int, mean: float, dispersion: float) -> Iterator[int]:
        k = int(simulators.counts(self.rng, mean, dispersion, size=1)[0])
        return iter(sorted(start + int(x * (DAY_MS - 700_000)) for x in self.rng.random(k)))

    def _received(self, at: int, late: float, closed: float) -> int:
        """Reported at once, or with probability `late` when its period has closed (`closed` days after its start),
        within the late window."""
        start = at - at % DAY_MS
        return start + int(self.rng.uniform(closed + 0.1, closed + 3.8) * DAY_MS) if self.rng.random() < late else at

    def _driving(self, start: int) -> None:
        reports = NEAR_MISSES + 3.8 * self.level
        late = 0.05 * self.level * (2 + reports) / reports  # of all events, tallies included
        for unit, amount in (("miles", MILES), ("rides", RIDES)):
            at = start + DAY_MS - 600_000
            self._put(at, self.emitter.exposure(at, amount, unit))
        for at in self._times(start, 20 * MILES / 1e6 * self.level, 2.0):
            self._put(self._received(at, late, 3.0), self.emitter.incident(at))
        for at in self._times(start, NEAR_MISSES, 2.0):
            self._put(self._received(at, late, 3.0), self.emitter.incident(at, Severity.NEAR_MISS))
        for at in self._times(start, 3 * RIDES / 1e3 * self.level, 2.0):
            self._put(self._received(at, late, 2.0), self.emitter.complaint(at))

    def _finance(self, start: int) -> None:
        at = start + DAY_MS - 600_000
        self._put(at, self.emitter.exposure(at, USERS, "users"))
        gap = 1.25 if self.level == 1 else 1.0  # of the first group over the others, the limit of `disparity`
        base = 0.02 * self.level * 3 / (2 + gap)
        for number, group in enumerate(GROUPS):
            share = base * (gap if not number else 1)
            k = int(simulators.shares(self.rng, TRIALS, share, 1 / (TRIALS - 1), size=1)[0])
            self._put(at, self.emitter.outcomes(at, fp=k, tn=TRIALS - k, segment=group))
        broken, late = 0.1 * self.level, 0.05 * self.level * (4 + 12 * self.level) / (6 * self.level)
        for filed in self._times(start, 4 * USERS / 1e3 * self.level, 2.0):
            complaint = self.emitter.complaint(filed)
            self._put(self._received(filed, late, 1.25), complaint)
            bad = self.rng.random() < broken
            days = 16.0 if bad else self.rng.uniform(4.4, 14.0) if self.level == 1 else self.rng.uniform(0.5, 8.0)
            done = filed + int(days * DAY_MS)
            if done < START + DAYS * DAY_MS:
                self._put(done, self.emitter.complaint_resolved(done, complaint.data.complaint, filed=filed))


def decided(rng: simulators.Rng, name: str, level: float, charter: Charter | None = None) -> list[Decision]:
    """The decisions about one innocent pilot in a year, by the machine as it runs."""
    events = Year(rng, name, level).events()
    replay = CharterReplay([charter or template(name)], admit=START, service=False, evidence=False)
    end = START + DAYS * DAY_MS  # what is said of the silence after the last day is left out
    return [d for out in replay.steps(timed_records(events)) for d in out.decisions if d.at < end]


def seen(decisions: list[Decision]) -> list[Any]:
    """What a person sees of them: findings that joined, by (level asked for, rule, indicator, reason)."""
    return [
        (d.finding_level, d.finding.rule, d.finding.indicator, d.reason)
        for d in decisions
        if d.finding_level is not None and d.finding_key
    ]
