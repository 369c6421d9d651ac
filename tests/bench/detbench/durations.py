"""Durations with right censoring: a limit on the proportion that takes too long, and the survival curve.

A mean over finished cases ignores the ones that never finish. So a case counts when it reaches an age, finished or
not: at the age limit it either was finished before (in time) or is still open (late). Every case is counted once, at
a known moment. Younger open cases are censored and not counted yet. The result is a proportion, which every detector
of proportions accepts.

`Survival` keeps the product-limit estimate in bounded state. Kaplan, Meier (1958), Nonparametric estimation from
incomplete observations, JASA 53: 457-481. Not part of the product: no indicator receives the ages of open cases.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import exp, log, sqrt
from typing import Self

import msgspec

from detectors.base import Proportion, within

_SETTLED = 1e12  # bound on every sum


class Ages(msgspec.Struct, kw_only=True):
    """Turns durations into one proportion per period: of the cases that came to `age` in it, how many were still open.

    Call `closed(duration)` for a case that ended at that age, and `reached()` for one still open at `age`. A case
    that ended before `age` counts as in time when it ends, at most `age` before it would have come there: nothing is
    stored per case, and for up to `age` after a surge of new cases the proportion is too low, after a lull too high.
    `take()` returns the period's proportion and starts the next one.

    >>> ages = Ages(age=30.0)
    >>> for duration in (2.0, 29.0, 30.0):
    ...     ages.closed(duration)
    >>> ages.reached()
    >>> ages.take(at=7)
    Proportion(k=1.0, n=3.0, at=7)
    """

    age: float
    late: float = 0.0
    done: float = 0.0

    @classmethod
    def limit(cls, age: float) -> Self:
        """Cases older than `age` (> 0, any unit of time) are late. Raises ValueError naming `age`."""
        return cls(age=within("age", age, low=1e-9, high=1e15))

    def closed(self, duration: float) -> None:
        """Adds a case that ended at age `duration >= 0`; ignored from `age` on, because `reached` has counted it."""
        if duration < self.age:
            self.done = min(self.done + 1, _SETTLED)

    def reached(self) -> None:
        """Adds a case that is still open at `age`."""
        self.late = min(self.late + 1, _SETTLED)

    def take(self, at: int | None = None) -> Proportion:
        """Returns late cases of all cases decided since the last call; `n` is 0 if there was none. `at` as in
        `Proportion`."""
        found = Proportion(self.late, self.late + self.done, at)
        self.late = self.done = 0.0
        return found


class Survival(msgspec.Struct, kw_only=True):
    """The product-limit curve on a grid of ages; open cases count for the time they were observed.

    `edges` are rising ages > 0; per interval it keeps the number of cases that ended in it and the total time
    observed in it. Within an interval the hazard is taken as constant, so the curve converges with a finer grid, and
    the state is two numbers per edge. `memory` is the number of cases that the past counts for (0: all of it).

    >>> survival = Survival.grid([10.0, 20.0, 40.0, 80.0])
    >>> for age in (5.0, 15.0, 15.0, 30.0):
    ...     survival.add(age, ended=True)
    >>> for age in (12.0, 70.0):
    ...     survival.add(age, ended=False)
    >>> round(survival.beyond(20.0), 2), round(survival.quantile(0.5), 1)
    (0.45, 18.2)
    """

    edges: tuple[float, ...]
    memory: float = 0.0
    ended: list[float] = []
    time: list[float] = []

    @classmethod
    def grid(cls, edges: Iterable[float], *, memory: float = 0.0) -> Self:
        """Returns a curve with these edges. Raises ValueError naming `edges` or `memory`."""
        made = tuple(within("edges", edge, low=1e-9, high=1e15) for edge in edges)
        if not 1 <= len(made) <= 64 or any(b <= a for a, b in pairwise(made)):
            raise ValueError(f"edges: {list(made)!r} are not 1 to 64 rising ages; write some")
        blank = [0.0] * len(made)
        return cls(
            edges=made, memory=within("memory", memory, low=0, high=1e12), ended=[*blank, 0.0], time=[*blank, 0.0]
        )

    def add(self, age: float, *, ended: bool) -> None:
        """Adds a case observed from its start to `age >= 0`: it `ended` there, or is still open (censored). Each case
        once."""
        age = within("age", age, low=0.0, high=1e15)
        if self.memory:
            keep = 1 - 1 / max(self.memory, 1.0)
            self.ended = [d * keep for d in self.ended]
            self.time = [t * keep for t in self.time]
        last = bisect_right(self.edges, age) if age < self.edges[-1] else len(self.edges)
        start = 0.0
        for i in range(last):
            self.time[i] += self.edges[i] - start
            start = self.edges[i]
        self.time[last] += age - start
        if ended:
            self.ended[last] = min(self.ended[last] + 1, _SETTLED)

    def beyond(self, age: float) -> float | None:
        """Returns the fraction of cases that last beyond `age`; `None` if no case was observed that long."""
        total, start = 0.0, 0.0
        for end, ended, time in zip((*self.edges, age), self.ended, self.time, strict=True):
            if age <= start:
                break
            if time <= 0:
                return None
            total += ended / time * (min(end, age) - start)
            start = end
        return exp(-total)

    def error(self, age: float) -> float | None:
        """Returns the standard error of `beyond(age)` (Greenwood's formula for constant hazards)."""
        share = self.beyond(age)
        if share is None:
            return None
        total, start = 0.0, 0.0
        for end, ended, time in zip((*self.edges, age), self.ended, self.time, strict=True):
            if age <= start:
                break
            total += max(ended, 0.0) * ((min(end, age) - start) / time) ** 2
            start = end
        return share * sqrt(total)

    def quantile(self, q: float) -> float | None:
        """Returns the age by which a fraction `q` (0 < q < 1) of cases has ended; `None` if too few were observed
        that long."""
        left, start = -log(1 - within("q", q, low=1e-9, high=1 - 1e-9)), 0.0
        for i, (ended, time) in enumerate(zip(self.ended, self.time, strict=True)):
            end = self.edges[i] if i < len(self.edges) else float("inf")
            if time <= 0:
                return None
            hazard = ended / time
            if hazard > 0 and hazard * (end - start) >= left:
                return start + left / hazard
            if i == len(self.edges):
                return None
            left -= hazard * (end - start)
            start = end
        return None


def usual_edges(longest: float, count: int = 16) -> Sequence[float]:
    """Returns `count` ages in equal ratios up to `longest`, from a thousandth of it: a grid for durations of unknown
    shape."""
    return [longest * 1000 ** ((i + 1 - count) / (count - 1)) for i in range(count)]
