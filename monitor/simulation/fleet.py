"""Seeded fleets of simulated pilots: telemetry in order of reception, with the true scenario of each pilot.

A fleet is a stream that stores only pending events (open complaints, late reports). The same arguments give the same
events, byte for byte. Time is event time from `start` on, in periods of any length: an hour for long simulations, two
seconds for a demo in real time.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from functools import partial
from random import Random

from monitor.charter.control import Admission
from monitor.charter.spec import Charter
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Harm, Severity
from monitor.model.periods import Period, Span, parse_span
from monitor.model.records import digest
from monitor.simulation.fleet_charter import COMPLAINT_LIMIT, FPR_LIMIT, INCIDENT_LIMIT, SEGMENTS, charter
from monitor.simulation.scenarios import DEFAULT, SCENARIOS, Scenario, Truth

DAY = 24  # periods; a week is seven of them
FPR = 0.08
TRIALS = 120  # negatives in each segment and period
QUARTERS = 4  # exposure tallies and heartbeats per period


def poisson(rng: Random, mean: float) -> int:
    """A Poisson number, by counting exponential steps (Knuth 1969), in chunks that cannot underflow."""
    count = 0
    while mean > 0:
        bound, product = math.exp(-min(mean, 500.0)), rng.random()
        mean -= 500.0
        while product > bound:
            count += 1
            product *= rng.random()
    return count


def gamma_poisson(rng: Random, mean: float, dispersion: float) -> int:
    """A count with that mean and variance/mean: Poisson of a gamma-distributed rate (plain Poisson at dispersion 1)."""
    if dispersion > 1 and mean > 0:
        mean = rng.gammavariate(mean / (dispersion - 1), dispersion - 1)
    return poisson(rng, mean)


def binomial(rng: Random, n: int, p: float) -> int:
    """A binomial number, by jumping from success to success (geometric gaps). Needs `0 <= p < 1`."""
    if p <= 0:
        return 0
    hits, at, scale = -1, 0, math.log1p(-p)
    while at <= n:
        hits += 1
        at += 1 + int(math.log(1 - rng.random()) / scale)
    return hits


class Fleet:
    """Pilots `pilot-0001 ...`, each with one scenario in turn, from `start` (ms) for `hours` periods.

    `period` is a span such as `1h` or `2s` (at least 100 ms), `volume` the mean exposure per period in decisions,
    `onset` the period in which stories begin (default: a third of the run, at most two weeks), spread over pilots by a
    tenth.

    >>> fleet = Fleet(7, pilots=2, scenarios=["calm", "step"], start=0, hours=48)
    >>> sum(1 for _ in fleet) == sum(1 for _ in fleet)
    True
    >>> [truth.worst.word for truth in fleet.truths()]
    ['normal', 'halt']
    """

    def __init__(
        self,
        seed: int,
        *,
        pilots: int = 10,
        scenarios: tuple[str, ...] | list[str] = DEFAULT,
        start: int = 1_767_571_200_000,  # Monday 5 January 2026
        hours: int = 336,
        period: str = "1h",
        volume: float = 1000.0,
        onset: int | None = None,
        prefix: str = "pilot-",
    ) -> None:
        """Raises ValueError on an unknown scenario, or on a period shorter than 100 ms or in months."""
        for name in scenarios:
            if name not in SCENARIOS:
                raise ValueError(f"scenario {name!r} does not exist; choose from {', '.join(SCENARIOS)}")
        span = parse_span(period)
        if span.ms < 100:
            raise ValueError(f"period {period!r} cannot be simulated; give at least 100ms, and no months")
        self.seed, self.hours, self.volume = seed, hours, volume
        self.grid = Period(Span(ms=span.ms))
        self.length = span.ms
        self.first = self.grid.index(start)
        self.start = self.grid.start(self.first)
        self.onset = min(hours // 3, 14 * DAY) if onset is None else onset
        self.scenarios = {f"{prefix}{i + 1:04d}": scenarios[i % len(scenarios)] for i in range(pilots)}

    @property
    def pilots(self) -> tuple[str, ...]:
        """The pilots' ids."""
        return tuple(self.scenarios)

    @property
    def end(self) -> int:
        """First millisecond after the last simulated period; complaints still open are resolved later or never."""
        return self.grid.start(self.first + self.hours)

    def __iter__(self) -> Iterator[tuple[int, Envelope]]:
        """`(received in ms, event)` in received order, over all pilots."""
        return heapq.merge(*(self.of(pilot) for pilot in self.scenarios), key=lambda pair: pair[0])

    def of(self, pilot: str) -> Iterator[tuple[int, Envelope]]:
        """`(received in ms, event)` of one pilot, in received order."""
        return _Service(self, pilot).run()

    def _onset(self, pilot: str) -> int:
        return round(self.onset * Random(f"{self.seed}/{pilot}/onset").uniform(0.9, 1.1))

    def truth(self, pilot: str) -> Truth:
        """What is true of `pilot`."""
        name = self.scenarios[pilot]
        story, onset = SCENARIOS[name], self._onset(pilot)
        changes = story.change != "none" or story.death or story.silent_for or story.model or story.fpr_after
        lasts = story.silent_for or (story.lasts if story.change == "spike" else 0)
        over = [p for p in range(self.hours) if _Service.exceeds(story, p - onset)]
        return Truth(
            pilot=pilot,
            scenario=name,
            story=story.story,
            onset=self.grid.start(self.first + onset) if changes else None,
            until=self.grid.start(self.first + onset + lasts) if changes and lasts else None,
            exceeds_from=self.grid.start(self.first + over[0]) if over else None,
            worst=story.worst,
            reasons=story.reasons,
        )

    def truths(self) -> Iterator[Truth]:
        """What is true of each pilot, in their order."""
        return (self.truth(pilot) for pilot in self.scenarios)

    def charter_for(self, pilot: str) -> Charter:
        """The charter that `pilot` was admitted under: the same limits for all, so that only behaviour differs."""
        return charter(
            pilot,
            number=self.pilots.index(pilot),
            period_ms=self.length,
            cap=float(math.ceil(self.volume * 2)),
            dispersion=SCENARIOS[self.scenarios[pilot]].dispersion,
            start=self.start,
            end=self.end,
        )

    def admission(self, pilot: str) -> Admission:
        """The control record that admits `pilot`."""
        return Admission(
            id=digest("admission", pilot, self.seed, self.start),
            pilot=pilot,
            author="regulator-1",
            charter=self.charter_for(pilot),
        )

    def admissions(self) -> Iterator[Admission]:
        """The control records that admit every pilot, in their order."""
        return (self.admission(pilot) for pilot in self.scenarios)


class _Service:
    """One pilot's service at work: draws each period, then sends what has fallen due, in order."""

    def __init__(self, fleet: Fleet, pilot: str) -> None:
        self.fleet = fleet
        self.story = SCENARIOS[fleet.scenarios[pilot]]
        self.rng = Random(f"{fleet.seed}/{pilot}")
        self.emit = Emitter(f"sim/{pilot}/{fleet.seed}.{fleet.start}", pilot)
        self.onset = fleet._onset(pilot)
        self.due: list[tuple[int, int, Callable[[], Envelope]]] = []
        self.tie = 0
        self.received = 0

    @staticmethod
    def rate(story: Scenario, since: int) -> float:
        """Rate as a share of the limit, `since` periods after the onset (negative before it), without its daily
        swing."""
        if story.change == "none" or since < 0 or (story.change == "spike" and since >= story.lasts):
            return story.rate
        if story.change == "drift":
            return story.rate + (story.after - story.rate) * min(1.0, since / story.ramp)
        return story.after

    @classmethod
    def exceeds(cls, story: Scenario, since: int) -> bool:
        """Whether the truth is above a limit in that period at any time of day."""
        fpr = story.fpr_after if story.fpr_after is not None and since >= 0 else FPR
        return cls.rate(story, since) * (1 + story.swing) > 1 or fpr > FPR_LIMIT

    def at(self, when: int, make: Callable[[], Envelope]) -> None:
        """Have `make` sent at `when` (ms)."""
        self.tie += 1
        heapq.heappush(self.due, (when, self.tie, make))

    def run(self) -> Iterator[tuple[int, Envelope]]:
        for p in range(self.fleet.hours):
            self.draw(p)
            yield from self.send(self.fleet.grid.start(self.fleet.first + p + 1))

    def send(self, until: int) -> Iterator[tuple[int, Envelope]]:
        """Send everything due before `until`; a silent service sends nothing and loses what it would have sent."""
        story, length = self.story, self.fleet.length
        while self.due and self.due[0][0] < until:
            when, _, make = heapq.heappop(self.due)
            since = (when - self.fleet.start) // length - self.onset
            if story.silent_for and 0 <= since < story.silent_for:
                continue
            event = make()
            if story.gaps and self.rng.random() < story.gaps:
                continue  # numbered, never sent
            delay = self.rng.expovariate(1.0) * length / 20_000
            self.received = max(self.received, when + int(delay))
            yield self.received, event
            if story.duplicates and self.rng.random() < story.duplicates:
                yield self.received, event

    def draw(self, p: int) -> None:
        """Draw everything that happens in period `p`."""
        story, rng, fleet = self.story, self.rng, self.fleet
        begin, length, since = fleet.grid.start(fleet.first + p), fleet.length, p - self.onset
        hour, day = p % DAY, p // DAY % 7
        wave = math.sin(2 * math.pi * (hour - 8) / DAY)
        volume = fleet.volume * (1 + 0.4 * wave) * (0.6 if day >= 5 else 1.0)
        rate = self.rate(story, since) * (1 + story.swing * wave)
        self.tally(begin, volume)
        exposed = volume / 1000
        for when in self.times(begin, COMPLAINT_LIMIT * rate * exposed):
            self.complain(when)
        for when in self.times(begin, INCIDENT_LIMIT * rate * exposed):
            self.report(when, Severity.INCIDENT)
        for when in self.times(begin, INCIDENT_LIMIT * rate * exposed / 2):
            self.report(when, rng.choice((Severity.NEAR_MISS, Severity.HAZARD)))
        for index, segment in enumerate(SEGMENTS):
            fpr = story.fpr_after if story.fpr_after is not None and since >= 0 and index == 1 else FPR
            fp, tp = binomial(rng, TRIALS, fpr), binomial(rng, TRIALS // 4, 0.9)
            self.outcome(begin + length - 3 * length // 1000 - 5, segment, fp, tp)
        self.gain(begin + length // 2, round(0.15 + rng.gauss(0, 0.02), 4))
        if hour == DAY - 1:
            self.cost(begin + length // 2, round(1000 * rng.uniform(0.9, 1.1), 2))
        if since == 0:
            self.happen(begin + length // 3)

    def happen(self, when: int) -> None:
        """The single acts of a story."""
        if self.story.death:
            self.at(when, lambda: self.emit.incident(when, Severity.SERIOUS_INCIDENT, Harm.DEATH))
        if self.story.model == "announced":
            self.at(when, lambda: self.emit.model_changed(when, "m2"))
        if self.story.model == "silent":
            self.emit.model = "m9"

    def times(self, begin: int, mean: float) -> list[int]:
        """Moments (ms) of a period in which one of `mean` expected things happens."""
        count = gamma_poisson(self.rng, mean, self.story.dispersion)
        span = self.fleet.length - 10
        return sorted(begin + int(self.rng.random() * span) for _ in range(count))

    def sent(self, when: int) -> int:
        """When something that happened at `when` is reported."""
        story = self.story
        if story.late_share and self.rng.random() < story.late_share:
            return when + int(self.rng.uniform(1, story.late_periods) * self.fleet.length)
        return when

    def tally(self, begin: int, volume: float) -> None:
        """Exposure of each quarter of a period, and a heartbeat after each that states the running counter."""
        emit, length = self.emit, self.fleet.length
        for quarter in range(QUARTERS):
            amount = float(round(volume / QUARTERS * self.rng.uniform(0.95, 1.05)))
            end = begin + (quarter + 1) * length // QUARTERS
            self.at(end - 2, partial(emit.exposure, end - 2, amount))
            self.at(end - 1, partial(emit.heartbeat, end - 1))

    def complain(self, when: int) -> None:
        """A complaint, and what becomes of it: resolved after two periods in the median, one in twenty withdrawn."""
        rng, emit, segment = self.rng, self.emit, self.rng.choice(SEGMENTS)
        name = f"c-{self.tie:x}-{when}"
        sent = self.sent(when)
        closed = max(sent, when + int(rng.lognormvariate(math.log(2), 0.8) * self.fleet.length)) + 1
        close = emit.complaint_withdrawn if rng.random() < 0.05 else emit.complaint_resolved
        self.at(sent, lambda: emit.complaint(when, name, segment))
        self.at(closed, lambda: close(closed, name, when, segment))

    def report(self, when: int, severity: Severity) -> None:
        """An incident report; one in twenty is regraded a period later."""
        emit, name, segment = self.emit, f"i-{self.tie:x}-{when}", self.rng.choice(SEGMENTS)
        sent = self.sent(when)
        self.at(sent, lambda: emit.incident(when, severity, incident=name, segment=segment))
        if severity is Severity.HAZARD and self.rng.random() < 0.05:
            self.at(
                sent + self.fleet.length,
                lambda: emit.incident_update(when, name, severity, Severity.NEAR_MISS, Harm.NONE, segment),
            )

    def outcome(self, when: int, segment: str, fp: int, tp: int) -> None:
        """Confusion counts of one segment in one period."""
        positives = TRIALS // 4
        self.at(when, lambda: self.emit.outcomes(when, tp, fp, TRIALS - fp, positives - tp, segment))

    def gain(self, when: int, share: float) -> None:
        """The efficiency gain of a period."""
        self.at(when, lambda: self.emit.gain(when, share))

    def cost(self, when: int, amount: float) -> None:
        """The cost of compliance of a day."""
        self.at(when, lambda: self.emit.cost(when, amount))
