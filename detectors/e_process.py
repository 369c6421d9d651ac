"""E-process of counts or proportions against a limit: an anytime-valid test whose error probability is at most
alpha."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log, nextafter
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import msgspec

from detectors.base import LARGEST, Count, Design, Observation, Proportion, Score, events_of, ratios_of, within
from detectors.likelihood import count_line, proportion_line
from detectors.mixture import NOTHING, Coefficients, advance, flattened, log_value, onset, unstarted

Period: TypeAlias = tuple[float, float, Sequence[float], bool]
"""Events and exposure of a closed period, the sums before it, and whether they are logarithms."""

Parameters: TypeAlias = tuple[bool, float, float, float, bool, int, Coefficients]
"""Derived values of an update: is_proportion, rate, threshold, alpha, above, late_window, and the coefficients (empty
for a limit of 1 or more on a proportion, which cannot be exceeded)."""


_FIRST_YEAR = 8_785
_ONSETS = tuple((onset(max(j, 1)) / 5, unstarted(j)) for j in range(_FIRST_YEAR))
"""Weight of onset j per ratio (for five ratios), and of all later onsets. A table saves three divisions, 6 % of an
update."""


class LimitEProcess(msgspec.Struct, kw_only=True, array_like=True, dict=True):
    """Mixture of e-values over onsets (weight of onset j: 1/(j(j+1))) and over rate ratios (equal weights).

    Ville (1939), Etude critique de la notion de collectif; Shin, Ramdas, Rinaldo (2024), E-detectors.

    P(ever an alarm) <= alpha for a pilot whose conditional rate keeps the limit in every period, at every stopping time
    (Ville's inequality). `statistic` is ln of the e-value, `threshold` is ln(1/alpha). The mixture over onsets prevents
    a low past rate from offsetting a later excess.

    Until `minimum_events` are counted (direction `below`: expected), the statistic is capped just below the threshold.

    Late events: `raise_late` adds them to their own period while it is in the window, and returns the largest value
    over the periods since. The guarantee holds, because with `ratio > 1` every e-value increases in k: a value
    computed from part of a period's events, or with more exposure than the true one, is path by path at most the
    value computed from all of them, which is the e-process. The same argument covers `peek`. It fails for direction
    `below` and for `two_sided`, so there `peek` and `raise_late` return `None`.

    `two_sided` tests the stated rate (with its margin) from both sides: too few events are evidence as well. Use it
    for a rate that is promised rather than limited, or where events may go unreported.

    >>> detector = LimitEProcess.design(Design(limit=2.0, alpha=0.01))
    >>> [round(detector.update(Count(k=k, m=1.0)).statistic, 2) for k in (2, 9, 12)]
    [-0.29, 3.89, 14.52]
    """

    observes: ClassVar[tuple[type, ...]] = (Count, Proportion)
    claims: ClassVar[str] = (
        "P(ever alarming) <= alpha if every period's events, given the past, are Poisson, negative binomial or "
        "binomial within the limit, its uncertainty and the assumed variance/mean."
    )

    threshold: float
    alpha: float
    rate: float
    other: float  # boundary of the null hypothesis on the other side, if two-sided
    dispersion: float
    above: bool
    two_sided: bool
    ratios: tuple[float, ...]
    minimum_events: int
    late_window: int
    is_proportion: bool = False  # k of n trials instead of k over exposure m
    periods: int = 0
    seen: float = 0.0  # events (direction `below`: expected events), counted up to `minimum_events`
    sums: Sequence[float] = ()
    logs: bool = False  # whether `sums` are logarithms
    recent: list[Period] = []  # the periods that accept late events, oldest first

    if TYPE_CHECKING:
        parameters: Parameters | None = None  # derived, not part of the snapshot
        unpacked: Any = None  # `parameters` for five ratios in one flat tuple; derived as well

    def __post_init__(self) -> None:
        """Clears the derived values. Also runs when a snapshot is decoded."""
        self.parameters = self.unpacked = None

    @classmethod
    def design(
        cls,
        design: Design,
        *,
        ratios: tuple[float, ...] = (1.25, 1.5, 2.0, 3.0, 5.0),
        two_sided: bool = False,
        check_dispersion: bool = False,
        dispersion_prior: int = 1,
    ) -> LimitEProcess:
        """Builds the detector from the charter's settings. Raises ValueError naming the parameter.

        `ratios` (> 1): the rate ratios of the mixture, inverted for direction `below`; `two_sided` adds their inverses.
        `check_dispersion` and `dispersion_prior`: see `detectors/checked_limit.py`, whose detector is then returned.
        """
        if design.alpha is None or not 0 < design.alpha < 1:
            raise ValueError(f"alpha: {design.alpha!r} allows no threshold; give the indicator a weight above 0")
        if not isinstance(two_sided, bool):
            raise ValueError(f"two_sided: {two_sided!r} is neither true nor false; write one of them")
        powers = [r**design.sign for r in ratios_of(ratios)]
        if two_sided:
            powers += [1 / r for r in powers]
        made = cls(
            threshold=-log(design.alpha),
            alpha=design.alpha,
            rate=0.0,
            other=0.0,
            dispersion=1.0,
            above=design.sign > 0,
            two_sided=two_sided,
            ratios=tuple(powers),
            minimum_events=design.minimum_events,
            late_window=design.late_window,
            sums=[0.0] * len(powers),
        )
        made.amend(design)
        if check_dispersion is False and dispersion_prior == 1:
            return made
        from detectors.checked_limit import checked  # it is a subclass

        return checked(made, design, check_dispersion, dispersion_prior)

    def update(self, observation: Observation) -> Score | None:
        """Processes one closed period. Returns `None` if the limit is a proportion of 1 or more (with its margin)."""
        if type(observation) is Count:  # inlined `events_of`: this is the hot path
            k, x, is_proportion = observation.k, observation.m, False
        elif type(observation) is Proportion:
            k, x, is_proportion = observation.k, observation.n, True
        else:
            raise TypeError(f"{type(observation).__name__}: expected a Count or a Proportion")
        if k > 1e18 or x > 1e18:  # LARGEST, inlined
            k, x = min(k, LARGEST), min(x, LARGEST)
        unpacked = self.unpacked
        if unpacked is None or unpacked[0] is not is_proportion or self.logs:
            return self._advance(k, x, is_proportion)
        _, rate, threshold, alpha, above, late_window, s0, c0, s1, c1, s2, c2, s3, c3, s4, c4 = unpacked
        sums = self.sums
        a0, a1, a2, a3, a4 = sums
        period = self.periods + 1
        if period < 8_785:  # _FIRST_YEAR
            w, rest = _ONSETS[period]
        else:
            w, rest = onset(period) / 5, unstarted(period)
        try:
            a0 = (a0 + w) * exp(s0 * k + c0 * x)
            a1 = (a1 + w) * exp(s1 * k + c1 * x)
            a2 = (a2 + w) * exp(s2 * k + c2 * x)
            a3 = (a3 + w) * exp(s3 * k + c3 * x)
            a4 = (a4 + w) * exp(s4 * k + c4 * x)
            total = a0 + a1 + a2 + a3 + a4
        except OverflowError:
            return self._advance(k, x, is_proportion)
        if not total < 1e280:  # HUGE
            return self._advance(k, x, is_proportion)
        self.periods = period
        self.sums = (a0, a1, a2, a3, a4)
        seen = self.seen
        if seen < self.minimum_events:
            self.seen = seen = seen + (k if above else rate * x)
        if late_window:
            recent = self.recent
            recent.append((k, x, sums, False))
            if len(recent) > late_window:
                del recent[0]
        value = log(total + rest)
        if value >= threshold and seen < self.minimum_events:
            value = nextafter(threshold, -inf)
        if is_proportion:
            return Score(value, threshold, rate, k / x if x else 0.0, alpha)
        return Score(value, threshold, rate * x, k, alpha)

    def _advance(self, k: float, x: float, is_proportion: bool) -> Score | None:
        """Slow path: any number of ratios, and sums kept as logarithms."""
        parameters = self.parameters
        if parameters is None or parameters[0] is not is_proportion or self.unpacked is None:
            parameters = self.parameters = self._compute_parameters(is_proportion)
            self.is_proportion = is_proportion
            self.unpacked = (
                (*parameters[:-1], *parameters[-1]) if len(parameters[-1]) == 10 and len(self.sums) == 5 else (None,)
            )
        _, rate, threshold, alpha, above, late_window, coefficients = parameters
        if not coefficients:
            return None
        sums, logs = self.sums, self.logs
        period = self.periods + 1
        self.periods = period
        seen = self.seen
        if seen < self.minimum_events:
            self.seen = seen = seen + (k if above else rate * x)
        if late_window:
            self.recent.append((k, x, sums, logs))
            if len(self.recent) > late_window:
                del self.recent[0]
        sums, logs, _ = advance(sums, logs, coefficients, k, x, [onset(period) / len(sums)] * len(sums))
        self.sums, self.logs = sums, logs
        value = log_value(sums, logs, unstarted(period))
        if value >= threshold and seen < self.minimum_events:
            value = nextafter(threshold, -inf)
        if is_proportion:
            return Score(value, threshold, rate, k / x if x else 0.0, alpha)
        return Score(value, threshold, rate * x, k, alpha)

    def repeat(self, observation: Observation, times: int) -> bool:
        """See `detectors.repeat.Repeating`; for periods without events and direction `above`.

        Each sum moves by a -> (a + w) e with e <= 1, and rounding is monotone. So two runs over the last periods, one
        from 0 and one from an upper bound of the sum, enclose the sum; where both end in the same bits, so does the
        sum, whatever came before these periods.
        """
        if not isinstance(observation, Count) or observation.k or self.two_sided or not self.above or self.logs:
            return False
        parameters = (
            self.parameters
            if self.parameters is not None and not self.parameters[0]
            else self._compute_parameters(False)
        )
        x, late = min(observation.m, LARGEST), self.late_window
        total = log_value(self.sums, False, unstarted(self.periods))
        if any(cost > 0 for cost in parameters[-1][1::2]) or total >= self.threshold / 2 - 1e-6:
            return False  # it may reach its threshold, or half of it, without another event
        steps = max(64, 2 * late)
        while steps < times:
            low = self._run([0.0] * len(self.sums), parameters[-1], x, self.periods + times - steps, steps - late)
            high = self._run(
                [a + 1.0 for a in self.sums], parameters[-1], x, self.periods + times - steps, steps - late
            )
            if low == high:
                break
            steps *= 4
        else:
            low, steps = self._run(self.sums, parameters[-1], x, self.periods, max(times - late, 0)), times
        self.periods += times - min(late, times)
        self.sums = low
        for _ in range(min(late, times)):
            self.update(observation)
        return True

    def _run(
        self, sums: Sequence[float], coefficients: Coefficients, x: float, period: int, times: int
    ) -> Sequence[float]:
        """Returns the sums after `times` more periods without events."""
        for later in range(period + 1, period + 1 + times):
            sums, _, _ = advance(sums, False, coefficients, 0.0, x, [onset(later) / len(sums)] * len(sums))
        return sums

    def peek(self, observations: tuple[Observation, ...]) -> Score | None:
        """See `detectors.base.Provisional`. The exposure of an open period must be an upper bound of the final one."""
        if not (self.above and observations) or self.two_sided:
            return None
        is_proportion = isinstance(observations[0], Proportion)
        parameters = self.parameters
        if parameters is None or parameters[0] is not is_proportion:
            parameters = self.parameters = self._compute_parameters(is_proportion)
        coefficients = parameters[-1]
        if not coefficients:
            return None
        sums, logs, period, seen = self.sums, self.logs, self.periods, self.seen
        best, total_k, total_x = log_value(sums, logs, unstarted(period)), 0.0, 0.0
        for observation in observations:
            k, x = events_of(observation)
            period, seen, total_k, total_x = period + 1, seen + k, total_k + k, total_x + x
            sums, logs, _ = advance(sums, logs, coefficients, k, x, [onset(period) / len(sums)] * len(sums))
            best = max(best, log_value(sums, logs, unstarted(period)))
        return self._score(best, seen, total_k, total_x, is_proportion)

    def raise_late(self, lag: int, k: float) -> Score | None:
        """See `detectors.base.Revisable`."""
        if not (self.above and 0 <= lag < len(self.recent)) or self.two_sided:
            return None
        at = len(self.recent) - 1 - lag
        was, x, sums, logs = self.recent[at]
        now = min(was + k, x if self.is_proportion else LARGEST)
        self.recent[at] = (now, x, sums, logs)
        self.seen += now - was
        best, period = NOTHING, self.periods - lag
        for i in range(at, len(self.recent)):
            events, exposure, _, _ = self.recent[i]
            self.recent[i] = (events, exposure, sums, logs)
            coefficients = self._coefficients_of(period)
            sums, logs, _ = advance(sums, logs, coefficients, events, exposure, [onset(period) / len(sums)] * len(sums))
            best = max(best, log_value(sums, logs, unstarted(period)))
            period += 1
        self.sums, self.logs = sums, logs
        return self._score(best, self.seen, now, x, self.is_proportion)

    def remember(self, periods: int) -> None:
        """See `detectors.base.Revisable`."""
        self.late_window = periods
        self.parameters = self.unpacked = None
        if len(self.recent) > periods:
            self.recent = self.recent[len(self.recent) - periods :]

    def amend(self, design: Design) -> None:
        """Applies a changed limit from the next period on. Threshold and evidence stay; the late window is emptied.

        The product of e-values, each against the limit in force in its period, is still an e-process.
        """
        self.rate = design.allowed()
        self.other = self.rate / (1 + design.uncertainty) ** (2 * design.sign)
        self.dispersion = within("variance_mean", design.variance_mean, low=1, high=1000)
        self.parameters, self.unpacked, self.recent = None, None, []

    def _compute_parameters(self, is_proportion: bool) -> Parameters:
        coefficients = self._coefficients(is_proportion, self.dispersion)
        return is_proportion, self.rate, self.threshold, self.alpha, self.above, self.late_window, coefficients

    def _coefficients(self, is_proportion: bool, dispersion: float) -> Coefficients:
        line = proportion_line if is_proportion else count_line
        rates = [self.rate if (r > 1) is self.above else self.other for r in self.ratios]
        if is_proportion and max(rates) >= 1:
            return ()
        return flattened(map(line, self.ratios, rates, [dispersion] * len(rates)))

    def _coefficients_of(self, period: int) -> Coefficients:
        """Those with which a period was evaluated, while it accepts late events."""
        return (self.parameters or self._compute_parameters(self.is_proportion))[-1]

    def _score(self, value: float, seen: float, k: float, x: float, is_proportion: bool) -> Score:
        if seen < self.minimum_events:
            value = min(value, nextafter(self.threshold, -inf))
        if is_proportion:
            return Score(value, self.threshold, self.rate, k / x if x else 0.0, self.alpha)
        return Score(value, self.threshold, self.rate * x, k, self.alpha)
