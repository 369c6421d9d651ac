"""What a simulated pilot of a toolkit reports in a day, as small tables: exposure, shares, counts, claims."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from msgspec import Struct

from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Severity
from monitor.simulation.fleet import binomial, gamma_poisson

DAY_MS = 86_400_000
Sent = tuple[int, Callable[[], Envelope]]
"""When an event is received (ms), and what makes it."""


class Exposure(Struct, frozen=True):
    """`amount` of exposure in `unit` each day."""

    unit: str
    amount: float

    def day(self, emit: Emitter, rng: Random, start: int, name: str, faulty: bool) -> Iterator[Sent]:
        """One tally, in the evening."""
        at = start + DAY_MS - 600_000
        yield at, lambda: emit.exposure(at, self.amount, self.unit)


class Share(Struct, frozen=True, kw_only=True):
    """Of `items` a day, each has the property with probability `rate`, from the onset of the fault on with `after`.

    `measure` names a tally of items; without it these are false positives among harmless cases. The tally is received
    `sent_after` days after its day, every `every` days for all of them.
    """

    items: int
    rate: float
    after: float | None = None
    measure: str = ""
    segment: str = ""
    sent_after: float = 0.0
    every: int = 1

    def day(self, emit: Emitter, rng: Random, start: int, name: str, faulty: bool) -> Iterator[Sent]:
        """One tally of each `every` days."""
        if start // DAY_MS % self.every:
            return
        rate = self.after if faulty and self.after is not None else self.rate
        at, n = start + DAY_MS - 500_000, self.items * self.every
        # `binomial` jumps from one to the next, so the rarer of the two outcomes is drawn.
        k = n - binomial(rng, n, 1 - rate) if rate > 0.5 else binomial(rng, n, rate)
        sent = at + int(self.sent_after * DAY_MS)
        if self.measure:
            yield sent, lambda: emit.items(at, k, n - k, self.measure, self.segment)
        else:
            yield sent, lambda: emit.outcomes(at, tp=0, fp=k, tn=n - k, fn=0, segment=self.segment)


class Reports(Struct, frozen=True, kw_only=True):
    """`mean` reports a day (variance/mean 1.2), from the onset of the fault on `after`: incidents of a `severity`, or
    complaints without it. Complaints are resolved within a week."""

    mean: float
    after: float | None = None
    severity: Severity | None = None

    def day(self, emit: Emitter, rng: Random, start: int, name: str, faulty: bool) -> Iterator[Sent]:
        """Each report at some time of the day."""
        mean = self.after if faulty and self.after is not None else self.mean
        for number in range(gamma_poisson(rng, mean, 1.2)):
            at = start + int(rng.random() * (DAY_MS - 1_000_000))
            if self.severity is not None:
                yield at, _incident(emit, at, self.severity)
                continue
            key, done = f"{name}-{number}", at + int(rng.uniform(0.5, 7) * DAY_MS)
            yield at, _complaint(emit, at, key)
            yield done, _resolved(emit, done, key, at)


class Claims(Struct, frozen=True, kw_only=True):
    """`mean` claims of `kind` a day. Each is answered after half of `promise` days, or with probability `late` after
    twice of it; from the onset of the fault on with `late_after`."""

    kind: str
    mean: float
    promise: float
    late: float = 0.01
    late_after: float | None = None

    def day(self, emit: Emitter, rng: Random, start: int, name: str, faulty: bool) -> Iterator[Sent]:
        """Each claim at some time of the day, and its answer."""
        late = self.late_after if faulty and self.late_after is not None else self.late
        for number in range(gamma_poisson(rng, self.mean, 1.2)):
            at = start + int(rng.random() * (DAY_MS - 1_000_000))
            key = f"{name}-{number}"
            done = at + int(self.promise * DAY_MS * (2 if rng.random() < late else 0.5))
            yield at, _claim(emit, at, key, self.kind)
            yield done, _answer(emit, done, key, at, self.kind)


Stream = Exposure | Share | Reports | Claims


def _incident(emit: Emitter, at: int, severity: Severity) -> Callable[[], Envelope]:
    return lambda: emit.incident(at, severity)


def _complaint(emit: Emitter, at: int, key: str) -> Callable[[], Envelope]:
    return lambda: emit.complaint(at, key)


def _resolved(emit: Emitter, at: int, key: str, filed: int) -> Callable[[], Envelope]:
    return lambda: emit.complaint_resolved(at, key, filed)


def _claim(emit: Emitter, at: int, key: str, kind: str) -> Callable[[], Envelope]:
    return lambda: emit.claim(at, key, kind)


def _answer(emit: Emitter, at: int, key: str, filed: int, kind: str) -> Callable[[], Envelope]:
    return lambda: emit.claim_closed(at, key, filed, kind)
