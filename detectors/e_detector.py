"""Shiryaev-Roberts e-detector: a change of the rate, up or down, against a known or learnt baseline."""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args

import msgspec

from detectors.base import LARGEST, Change, Count, Design, Observation, Proportion, Score, ratios_of, within
from detectors.baseline import Baseline
from detectors.likelihood import count_line, proportion_line
from detectors.mixture import HUGE, NOTHING, Coefficients, advance, flattened, log_value, summed
from detectors.overshoot import calibrated_threshold
from detectors.repeat import MAX_UPDATES, added_repeatedly

Side = Literal["both", "up", "down"]


class EDetectorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of `e_detector` in a charter.

    `arl0`: expected periods to a false alarm (>= 2; default ten years of periods). `ratios`: rate ratios (> 1) to
    detect, on the `side` given, with `weights` (> 0; equal if `None`). `baseline`: known rate per unit of exposure,
    or known proportion; if `None`, it is learnt from `baseline_periods` periods with at least `baseline_events`
    events at level `confidence`. `calibrate_for`: expected events per period for which the threshold is calibrated.
    """

    arl0: float | None = None
    ratios: tuple[float, ...] = (1.25, 1.5, 2.0, 3.0)
    weights: tuple[float, ...] | None = None
    side: Side = "both"
    baseline: float | None = None
    baseline_periods: int = 20
    baseline_events: float = 0.0
    confidence: float = 0.95
    calibrate_for: float | None = None

    def baseline_of(self, design: Design, dispersion: float) -> Baseline:
        """Returns the known baseline with the charter's uncertainty, or one to be learnt."""
        if self.baseline is None:
            return Baseline.to_learn(self.baseline_periods, self.baseline_events, self.confidence, dispersion)
        known = within("baseline", self.baseline, low=1e-15, high=1e15)
        return Baseline.known(known, within("uncertainty", design.uncertainty, low=0, high=10), dispersion)

    def normalised_weights(self, count: int, alternatives: int) -> list[float]:
        """Returns the weights of all alternatives, summing to 1: `count` weights, repeated for the inverse ratios."""
        weights = (1.0,) * count if self.weights is None else self.weights
        if not isinstance(weights, list | tuple) or len(weights) != count:
            raise ValueError(f"weights: {weights!r} is not one weight for each of {count} ratios; write as many")
        checked = [within("weights", w, low=1e-6, high=1e6) for w in weights] * (alternatives // count)
        return [w / sum(checked) for w in checked]


class EDetector(msgspec.Struct, kw_only=True, array_like=True, dict=True):
    """M_t = weighted mean over ratios of e_t(r) (M_(t-1)(r) + 1), alarm at M_t >= A: then ARL0 >= A.

    Shin, Ramdas, Rinaldo (2024), E-detectors: a nonparametric framework for sequential change detection: M_t - t is a
    supermartingale while the rate is unchanged, so the expected time to an alarm is at least A.

    Guaranteed: the bound holds for every rate between `low` and `high` of the baseline and for dispersions up to the
    assumed variance/mean. A learnt baseline covers the true rate with probability `confidence`. Not guaranteed:
    cycles and trends are not modelled, and a dispersion above the assumed one is only estimated. A rise is measured
    from `high` and a fall from `low`, so a baseline learnt from few events detects large changes only.

    The bound ignores overshoot: the true run length is about twice A. `calibrate_for` lowers the threshold by renewal
    theory (`overshoot.py`): ARL0 is then within a few per cent of arl0 (an approximation) for Poisson counts of that
    many expected events per period at a known `baseline`. Proportions, and dispersions above 1, keep the proved
    threshold.

    After an alarm the detector restarts, and learns its baseline again unless it was given. It then remembers the
    level it left (`before`). An alarm back towards that level is a `return`, unless there is as much evidence that
    the rate has passed it (Shiryaev-Roberts sums against the far end of its interval, continued while the new baseline
    is learnt). The level is forgotten once a learnt baseline agrees with it.

    >>> detector = EDetector.design(Design(), baseline=5.0, arl0=1000)
    >>> [detector.update(Count(k=k, m=1.0)).alarm for k in (5, 4, 11, 12, 14)]
    [False, False, False, False, True]
    """

    settings: ClassVar[type] = EDetectorSettings
    observes: ClassVar[tuple[type, ...]] = (Count, Proportion)
    claims: ClassVar[str] = (
        "Expected periods to a false alarm >= arl0 for every unchanged rate within the baseline's limits, for Poisson, "
        "negative binomial or binomial periods within the assumed variance/mean (with calibrate_for: about arl0, "
        "Poisson only)."
    )

    threshold: float  # ln A
    ratios: tuple[float, ...]
    weights: tuple[float, ...]
    baseline: Baseline
    relearn: bool
    assumed_dispersion: float
    calibrated_log_threshold: float | None = None  # replaces the threshold for Poisson counts, if given
    sums: list[float] = []  # empty until the baseline is ready, and after an alarm
    logs: bool = False  # whether `sums` are logarithms
    # Rate, low and high end of the level before the last change, the direction back (1 up, -1 down), and the evidence
    # per ratio that the rate has passed it; empty if no level is remembered.
    before: list[float] = []

    if TYPE_CHECKING:
        coefficients: Coefficients = ()  # derived, not part of the snapshot
        unpacked: tuple[float, ...] = ()  # derived, not part of the snapshot

    def __post_init__(self) -> None:
        """Clears the derived values. Also runs when a snapshot is decoded."""
        self.coefficients = self.unpacked = ()

    @classmethod
    def design(cls, design: Design, **params: Any) -> Self:
        """Builds the detector from the charter's settings; `params` are the fields of `EDetectorSettings`.

        Raises ValueError naming the parameter.
        """
        s = EDetectorSettings(**params)
        arl0 = 10 * design.periods_per_year if s.arl0 is None else s.arl0
        if s.side not in get_args(Side):
            raise ValueError(f"side: {s.side!r} is not one of {', '.join(get_args(Side))}")
        assumed_dispersion = within("variance_mean", design.variance_mean, low=1, high=1000)
        baseline = s.baseline_of(design, assumed_dispersion)
        up = ratios_of(s.ratios)
        ratios = {"both": (*up, *(1 / r for r in up)), "up": up, "down": tuple(1 / r for r in up)}[s.side]
        proved = within("arl0", arl0, low=2)
        weights = s.normalised_weights(len(up), len(ratios))
        calibrated = None
        if s.calibrate_for is not None:
            if s.baseline is None or assumed_dispersion > 1:
                raise ValueError("calibrate_for: a calibrated threshold needs a known baseline and variance/mean 1")
            mean = within("calibrate_for", s.calibrate_for, low=0.01, high=1e4)
            calibrated = log(calibrated_threshold(ratios, mean, proved, weights))
        return cls(
            threshold=log(proved),
            ratios=ratios,
            weights=tuple(weights),
            baseline=baseline,
            relearn=s.baseline is None,
            assumed_dispersion=assumed_dispersion,
            calibrated_log_threshold=calibrated,
        )

    def update(self, observation: Observation) -> Score | None:
        """Processes one closed period. Returns `None` while the baseline is being learnt."""
        if type(observation) is Count:  # inlined `events_of`: this is the hot path
            k, x, is_proportion = observation.k, observation.m, False
        elif type(observation) is Proportion:
            k, x, is_proportion = observation.k, observation.n, True
        else:
            raise TypeError(f"{type(observation).__name__}: expected a Count or a Proportion")
        if k > 1e18 or x > 1e18:  # LARGEST, inlined
            k, x = min(k, LARGEST), min(x, LARGEST)
        unpacked = self.unpacked
        if unpacked:  # fast path: `advance` and `log_value` unrolled for eight plain sums
            # fmt: off
            (rate, threshold, s0, c0, w0, s1, c1, w1, s2, c2, w2, s3, c3, w3,
             s4, c4, w4, s5, c5, w5, s6, c6, w6, s7, c7, w7) = unpacked
            # fmt: on
            sums = self.sums
            a0, a1, a2, a3, a4, a5, a6, a7 = sums
            try:
                a0 = (a0 + w0) * exp(s0 * k + c0 * x)
                a1 = (a1 + w1) * exp(s1 * k + c1 * x)
                a2 = (a2 + w2) * exp(s2 * k + c2 * x)
                a3 = (a3 + w3) * exp(s3 * k + c3 * x)
                a4 = (a4 + w4) * exp(s4 * k + c4 * x)
                a5 = (a5 + w5) * exp(s5 * k + c5 * x)
                a6 = (a6 + w6) * exp(s6 * k + c6 * x)
                a7 = (a7 + w7) * exp(s7 * k + c7 * x)
                total = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7
            except OverflowError:
                total = HUGE
            if 0 < total < 1e280:  # HUGE
                sums[0] = a0
                sums[1] = a1
                sums[2] = a2
                sums[3] = a3
                sums[4] = a4
                sums[5] = a5
                sums[6] = a6
                sums[7] = a7
                statistic = log(total)
                if statistic >= threshold:
                    return self._alarm(statistic, k, x, is_proportion)
                if not self.baseline.settled:
                    self._revise(k, x, is_proportion, statistic)
                if is_proportion:
                    return Score(statistic, threshold, rate, k / x if x else 0.0)
                return Score(statistic, threshold, rate * x, k)
        return self._advance(k, x, is_proportion)

    def _advance(self, k: float, x: float, is_proportion: bool) -> Score | None:
        """Slow path: any number of ratios, sums kept as logarithms, and learning of the baseline."""
        baseline = self.baseline
        coefficients = self.coefficients
        passed = bool(self.before) and self._beyond(k, x, is_proportion) >= self.threshold
        if not coefficients:
            if not baseline.ready:
                baseline.learn(k, x, is_proportion)
                return self._passed(k, x, is_proportion) if passed else None
            coefficients = self._initialise(is_proportion)
        sums, logs, total = advance(self.sums, self.logs, coefficients, k, x, self.weights)
        self.sums = sums
        if logs is not self.logs:
            self.logs = logs
            self._unpack()
        statistic = log(total) if total > 0 else log_value(sums, logs, 0.0)
        rate, threshold = baseline.rate, self.threshold
        if statistic >= threshold:
            return self._alarm(statistic, k, x, is_proportion)
        if not baseline.settled:
            self._revise(k, x, is_proportion, statistic)
        if is_proportion:
            return Score(statistic, threshold, rate, k / x if x else 0.0)
        return Score(statistic, threshold, rate * x, k)

    def _alarm(self, statistic: float, k: float, x: float, is_proportion: bool) -> Score:
        """Returns the score of an alarm, with its direction, and restarts."""
        rate, threshold = self.baseline.rate, self.threshold
        risen = max((a for a, r in zip(self.sums, self.ratios, strict=True) if r > 1), default=NOTHING)
        fallen = max((a for a, r in zip(self.sums, self.ratios, strict=True) if r < 1), default=NOTHING)
        change: Change = "rise" if risen >= fallen else "fall"
        back = self.before[3:4] == [1.0 if change == "rise" else -1.0]
        if back and self._evidence_beyond() < threshold:
            change = "return"
        elif self.relearn:
            self._remember(change)
        self._restart()
        if is_proportion:
            return Score(statistic, threshold, rate, k / x if x else 0.0, None, change)
        return Score(statistic, threshold, rate * x, k, None, change)

    def _passed(self, k: float, x: float, is_proportion: bool) -> Score:
        """Returns the score of an alarm while a baseline is learnt: the rate has passed the level before the change."""
        statistic, rate, threshold = self._evidence_beyond(), self.before[0], self.threshold
        change: Change = "rise" if self.before[3] > 0 else "fall"
        self._remember(change)
        self._restart()
        if is_proportion:
            return Score(statistic, threshold, rate, k / x if x else 0.0, None, change)
        return Score(statistic, threshold, rate * x, k, None, change)

    def _remember(self, change: Change) -> None:
        """Remembers the level from which the rate rose or fell: the first one, if several such changes follow."""
        b = self.baseline
        rate, low, high = self.before[:3] if self.before else (b.rate, b.low, b.high)
        back = -1.0 if change == "rise" else 1.0
        self.before = [rate, low, high, back, *(0.0 for r in self.ratios if (r > 1) is (back > 0))]

    def _beyond(self, k: float, x: float, is_proportion: bool) -> float:
        """Adds a period to the evidence that the rate has passed the level before the change, and returns it."""
        _, low, high, back = self.before[:4]
        line, edge = (proportion_line if is_proportion else count_line), high if back > 0 else low
        if is_proportion:
            edge = min(edge, 1.0)
        ratios = [(r, w) for r, w in zip(self.ratios, self.weights, strict=True) if (r > 1) is (back > 0)]
        for place, (r, w) in enumerate(ratios, 4):
            slope, cost = line(r, edge, self.baseline.dispersion)
            grown = (self.before[place] + w) * exp(min(slope * k + cost * x, 600.0))
            self.before[place] = min(grown, HUGE)
        return self._evidence_beyond()

    def _evidence_beyond(self) -> float:
        return log(max(summed(self.before[4:]), 1e-300))

    def repeat(self, observation: Observation, times: int) -> bool:
        """See `detectors.repeat.Repeating`; for periods without events. Each sum moves by a -> (a + w) e: monotonically
        to a fixed point if e < 1, by w each time if e = 1."""
        if not isinstance(observation, Count) or observation.k or self.before:
            return False
        while times and not self.coefficients:  # while the baseline is learnt
            if self._steps_left(times) == 0:
                return False
            score = self.update(observation)
            times -= 1
            if score is not None and score.alarm:
                return False
        for _ in range(min(times, MAX_UPDATES)):  # while the baseline is revised
            if self.baseline.settled:
                break
            score = self.update(observation)
            times -= 1
            if score is None or score.alarm:
                return False
        if not times:
            return True
        x, most, made = min(observation.m, LARGEST), 0.0, []
        for a, w, s, c in zip(self.sums, self.weights, self.coefficients[::2], self.coefficients[1::2], strict=True):
            factor = exp(s * 0.0 + c * x)
            after = added_repeatedly(a, w, times) if factor == 1.0 else _fixed_point(a, w, factor, times)
            if after is None:
                return False
            made.append(after)
            most += max(a, after)
        if not self.baseline.settled or self.logs or not 0 < most < HUGE or log(most) >= self.threshold - 1e-6:
            return False
        self.sums = made
        return True

    def _steps_left(self, times: int) -> int:
        """Returns how many periods may be learnt one by one: 0 where only further events would complete the
        baseline."""
        learning = self.baseline
        if not learning.ready and learning.k < learning.required_events:
            return 0
        return min(times, MAX_UPDATES)

    def _restart(self) -> None:
        self.coefficients, self.unpacked, self.sums, self.logs = (), (), [], False
        if self.relearn:
            self.baseline = self.baseline.restarted(self.assumed_dispersion)

    def _revise(self, k: float, x: float, is_proportion: bool, statistic: float) -> None:
        """Continues the estimate of the baseline. The sums stay: each factor was an e-value when it was multiplied."""
        if self.baseline.revise(k, x, is_proportion, statistic < self.threshold / 2):
            self._initialise(is_proportion)

    def _unpack(self) -> None:
        """Sets the fast path's tuple: rate, threshold, then slope, cost and weight of each of eight ratios; else
        empty."""
        self.unpacked = ()
        if len(self.coefficients) == 16 and not self.logs and not self.before:
            each = zip(self.coefficients[::2], self.coefficients[1::2], self.weights, strict=True)
            self.unpacked = (self.baseline.rate, self.threshold, *(number for three in each for number in three))

    def _initialise(self, is_proportion: bool) -> Coefficients:
        line = proportion_line if is_proportion else count_line
        low, high = self.baseline.low, self.baseline.high
        if is_proportion:
            low, high = min(low, 1.0), min(high, 1.0)
        elif self.calibrated_log_threshold is not None:
            self.threshold = self.calibrated_log_threshold
        self.coefficients = flattened(line(r, high if r > 1 else low, self.baseline.dispersion) for r in self.ratios)
        if not self.sums:
            self.sums = [0.0] * len(self.ratios)
            if self.before and self.baseline.low <= self.before[0] <= self.baseline.high:
                self.before = []
        self._unpack()
        return self.coefficients


def _fixed_point(a: float, w: float, factor: float, times: int) -> float | None:
    """Returns the sum after `times` steps, or `None` if it reaches no fixed point within `MAX_UPDATES` steps."""
    for _ in range(min(times, MAX_UPDATES)):
        after = (a + w) * factor
        if after == a:
            return a
        a = after
    return a if times <= MAX_UPDATES else None
