"""Is this pilot above its limit? Evidence that may be looked at as often as one likes without spending more than alpha."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Self

import msgspec

from detectors.base import LARGEST, Count, Design, Observation, Proportion, Score, events_of, ratios_of, within
from detectors.likelihood import Line, count_line, share_line
from detectors.mixture import NOTHING, advance, log_value, onset


class LimitEProcess(msgspec.Struct, kw_only=True):
    """Mixture over onsets (weight of onset j: 1/(j(j+1))) and over rate ratios (equal weights) of e-values against a limit.

    P(ever an alarm) <= alpha for a pilot that keeps its limit in every period given the past, whenever and however often one
    looks (Ville's inequality). `statistic` is ln of the e-value, `bar` is ln(1/alpha). Mixing over onsets is what keeps
    a quiet year from paying for a bad month.

    Until `minimum_events` are counted (for `below`: are expected) the statistic is capped just below the bar.

    Late events: `raise_late` adds them to their own period while the window keeps it, and returns the largest value over
    the periods since. The guarantee stands, because with `ratio > 1` every e-value rises in k: a value computed from
    part of a period's events, or with more exposure than there was, is path by path at most the value computed from all of
    it, and that one is the e-process. The same argument covers `peek`. For `below` it fails (few events are the
    evidence), so there `peek` and `raise_late` have no opinion.

    >>> detector = LimitEProcess.design(Design(limit=2.0, alpha=0.01))
    >>> [round(detector.update(Count(k=k, m=1.0)).statistic, 2) for k in (2, 9, 12)]
    [-0.29, 3.89, 14.52]
    """

    observes: ClassVar[tuple[type, ...]] = (Count, Proportion)
    claims: ClassVar[str] = (
        "P(ever alarming) <= alpha if every period's events, given the past, are Poisson, negative binomial or binomial "
        "within the limit, its uncertainty and the granted variance/mean."
    )

    bar: float
    alpha: float
    rate: float
    above: bool
    ratios: tuple[float, ...]
    minimum_events: int
    late_window: int
    count_lines: tuple[Line, ...]
    share_lines: tuple[Line, ...]
    periods: int = 0
    seen: float = 0.0
    value: float = 0.0  # ln of the e-process now
    logs: list[float] = []
    start: list[float] = []  # ln A before the oldest period that late events may still raise
    recent: list[tuple[float, float]] = []  # events and exposure of the periods that late events may still raise
    share: bool = False  # k of n, not k over m

    @classmethod
    def design(cls, design: Design, *, ratios: tuple[float, ...] = (1.25, 1.5, 2.0, 3.0, 5.0)) -> Self:
        """From the charter; `ratios` (> 1) are the rate ratios mixed over, inverted for `below`."""
        if design.alpha is None or not 0 < design.alpha < 1:
            raise ValueError(f"alpha: {design.alpha!r} gives no bar; give the indicator a weight above 0")
        rate = design.allowed()
        spread = within("variance_mean", design.variance_mean, low=1, high=1000)
        powers = [r**design.sign for r in ratios_of(ratios)]
        count_lines, share_lines = _both(powers, rate, spread)
        return cls(
            bar=-math.log(design.alpha),
            alpha=design.alpha,
            rate=rate,
            above=design.sign > 0,
            ratios=tuple(powers),
            minimum_events=design.minimum_events,
            late_window=design.late_window,
            count_lines=count_lines,
            share_lines=share_lines,
            logs=[NOTHING] * len(powers),
            start=[NOTHING] * len(powers),
        )

    def update(self, observation: Observation) -> Score | None:
        """One closed period. A share limit of 1 or more (room included) cannot be exceeded: no opinion."""
        self.share = isinstance(observation, Proportion)
        lines = self._lines()
        if not lines:
            return None
        k, x = events_of(observation)
        self.periods += 1
        self.seen += k if self.above else self.rate * x
        self.logs = advance(self.logs, lines, k, x, onset(self.periods))
        self.value = log_value(self.logs, self.periods)
        if self.late_window:
            self.recent.append((k, x))
            if len(self.recent) > self.late_window:
                self.start = advance(self.start, lines, *self.recent.pop(0), onset(self.periods - self.late_window))
        return self._score(self.value, self.seen, k, x)

    def peek(self, observations: tuple[Observation, ...]) -> Score | None:
        """The largest value over prefixes of the closed, then the open periods, exposure standing at its cap."""
        if not (self.above and observations):
            return None
        share = isinstance(observations[0], Proportion)
        lines = self.share_lines if share else self.count_lines
        if not lines:
            return None
        logs, period, seen = self.logs, self.periods, self.seen
        best, total_k, total_x = self.value, 0.0, 0.0
        for observation in observations:
            k, x = events_of(observation)
            period, seen, total_k, total_x = period + 1, seen + k, total_k + k, total_x + x
            logs = advance(logs, lines, k, x, onset(period))
            best = max(best, log_value(logs, period))
        return self._score(best, seen, total_k, total_x, share)

    def raise_late(self, lag: int, k: float) -> Score | None:
        """Add `k` late events to the period `lag` updates ago; the largest value since then, or `None` out of the window."""
        if not (self.above and 0 <= lag < len(self.recent)):
            return None
        at = len(self.recent) - 1 - lag
        was, x = self.recent[at]
        now = min(was + k, x if self.share else LARGEST)
        self.recent[at] = (now, x)
        self.seen += now - was
        lines, logs, best, period = self._lines(), self.start, NOTHING, self.periods - len(self.recent)
        for i, (events, exposure) in enumerate(self.recent):
            period += 1
            logs = advance(logs, lines, events, exposure, onset(period))
            if i >= at:
                self.value = log_value(logs, period)
                best = max(best, self.value)
        self.logs = logs
        return self._score(best, self.seen, now, x)

    def amend(self, design: Design) -> None:
        """A changed limit enters the same product from the next period; bar and evidence stay, the late window closes.

        The product of e-values against the limits that were in force, each in its period, is still an e-process.
        """
        self.rate = design.allowed()
        spread = within("variance_mean", design.variance_mean, low=1, high=1000)
        self.count_lines, self.share_lines = _both(self.ratios, self.rate, spread)
        self.start, self.recent = self.logs, []

    def _lines(self) -> tuple[Line, ...]:
        return self.share_lines if self.share else self.count_lines

    def _score(self, value: float, seen: float, k: float, x: float, share: bool | None = None) -> Score:
        if seen < self.minimum_events:
            value = min(value, math.nextafter(self.bar, -math.inf))
        if self.share if share is None else share:
            return Score(value, self.bar, self.rate, k / x if x else 0.0, self.alpha)
        return Score(value, self.bar, self.rate * x, k, self.alpha)


def _both(ratios: Sequence[float], rate: float, spread: float) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    counts = tuple(count_line(r, rate, spread) for r in ratios)
    return counts, tuple(share_line(r, rate, spread) for r in ratios) if rate < 1 else ()
