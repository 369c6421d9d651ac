"""Has the rate changed, up or down? A Shiryaev-Roberts e-detector against a known or learnt baseline."""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING, ClassVar, Literal, Self, get_args

import msgspec

from detectors.base import LARGEST, Count, Design, Observation, Proportion, Score, ratios_of, within
from detectors.baseline import Baseline
from detectors.likelihood import count_line, proportion_line
from detectors.mixture import HUGE, Coefficients, advance, flattened, log_value
from detectors.overshoot import calibrated_threshold
from detectors.repeat import MAX_UPDATES, added_repeatedly

Side = Literal["both", "up", "down"]


class EDetector(msgspec.Struct, kw_only=True, array_like=True, dict=True):
    """M_t = weighted mean over ratios of e_t(r) (M_(t-1)(r) + 1), alarm at M_t >= A: then ARL0 >= A, not only for long runs.

    Shin, Ramdas, Rinaldo (2024): M_t minus t is a supermartingale while nothing changes, so the expected time to the alarm is
    at least A. What is certain: the bound for every rate between `low` and `high` of the baseline, for spreads up to the
    granted variance/mean. With a learnt baseline the true rate lies there with probability `confidence` over what was
    learnt from. What is not: cycles and trends inside the baseline are not modelled, and a spread above the granted one
    is estimated. A rise is measured from `high` and a fall from `low`, so a young baseline sees large changes only.

    The proved bar pays for overshoot: the true run length is about twice A. `calibrate_for` lowers it to what renewal
    theory says (`overshoot.py`): ARL0 is then arl0 within a few per cent, no longer a theorem, for Poisson counts of that many
    expected events a period at a known `baseline`; shares and spreads above 1 keep the proved bar.

    After an alarm the detector starts again, and learns its baseline again unless that was given.

    >>> detector = EDetector.design(Design(), baseline=5.0, arl0=1000)
    >>> [detector.update(Count(k=k, m=1.0)).alarm for k in (5, 4, 11, 12, 14)]
    [False, False, False, False, True]
    """

    observes: ClassVar[tuple[type, ...]] = (Count, Proportion)
    claims: ClassVar[str] = (
        "Expected periods to a false alarm >= arl0 for every unchanged rate within the baseline's limits, for Poisson, "
        "negative binomial or binomial periods within the granted variance/mean (with calibrate_for: about arl0, Poisson only)."
    )

    threshold: float
    ratios: tuple[float, ...]
    weights: tuple[float, ...]
    baseline: Baseline
    relearn: bool
    assumed_dispersion: float
    calibrated_log_threshold: float | None = (
        None  # the bar for Poisson counts, if the charter asks for a calibrated one
    )
    sums: list[float] = []  # empty until the baseline stands, and after an alarm
    logs: bool = False  # whether `sums` are logarithms

    if TYPE_CHECKING:
        coefficients: Coefficients = ()  # no part of the state: worked out again
        unpacked: tuple[float, ...] = ()  # neither is this

    def __post_init__(self) -> None:
        """Also called when a snapshot is read."""
        self.coefficients = self.unpacked = ()

    @classmethod
    def design(
        cls,
        design: Design,
        *,
        arl0: float | None = None,
        ratios: tuple[float, ...] = (1.25, 1.5, 2.0, 3.0),
        weights: tuple[float, ...] | None = None,
        side: Side = "both",
        baseline: float | None = None,
        baseline_periods: int = 20,
        baseline_events: float = 0.0,
        confidence: float = 0.95,
        calibrate_for: float | None = None,
    ) -> Self:
        """From the charter. `arl0` in periods (default: ten years of them); `ratios` (> 1) are watched on the `side` asked
        for, with `weights` (> 0; equal without); `baseline` is a known rate per unit of exposure (or a share), else `baseline_periods` are learnt from;
        `calibrate_for` events expected a period lower the bar (see above)."""
        if arl0 is None:
            arl0 = 10 * design.periods_per_year
        if side not in get_args(Side):
            raise ValueError(f"side: {side!r} is not one of {', '.join(get_args(Side))}")
        assumed_dispersion = within("variance_mean", design.variance_mean, low=1, high=1000)
        if baseline is None:
            learning = Baseline(
                required_periods=int(within("baseline_periods", baseline_periods, low=1, high=1e6)),
                required_events=within("baseline_events", baseline_events, low=0),
                confidence=within("confidence", confidence, low=0.01, high=0.999999),
                dispersion=assumed_dispersion,
            )
        else:
            known = within("baseline", baseline, low=1e-15, high=1e15)
            learning = Baseline.known(
                known, within("uncertainty", design.uncertainty, low=0, high=10), assumed_dispersion
            )
        up = ratios_of(ratios)
        asked = {"both": (*up, *(1 / r for r in up)), "up": up, "down": tuple(1 / r for r in up)}[side]
        proved = within("arl0", arl0, low=2)
        if weights is None:
            weights = (1.0,) * len(up)
        if not isinstance(weights, list | tuple) or len(weights) != len(up):
            raise ValueError(f"weights: {weights!r} is not one weight for each of {len(up)} ratios; write as many")
        normalised = [within("weights", w, low=1e-6, high=1e6) for w in weights] * (len(asked) // len(up))
        normalised = [w / sum(normalised) for w in normalised]
        lowered = None
        if calibrate_for is not None:
            if baseline is None or assumed_dispersion > 1:
                raise ValueError("calibrate_for: a calibrated bar needs a known baseline and variance/mean 1")
            lowered = calibrated_threshold(
                asked, within("calibrate_for", calibrate_for, low=0.01, high=1e4), proved, normalised
            )
        return cls(
            threshold=log(proved),
            ratios=asked,
            weights=tuple(normalised),
            baseline=learning,
            relearn=baseline is None,
            assumed_dispersion=assumed_dispersion,
            calibrated_log_threshold=None if lowered is None else log(lowered),
        )

    def update(self, observation: Observation) -> Score | None:
        """One closed period; `None` while the baseline is being learnt."""
        if type(observation) is Count:  # not `events_of`: this is what a period of a stream costs
            k, x, is_proportion = observation.k, observation.m, False
        elif type(observation) is Proportion:
            k, x, is_proportion = observation.k, observation.n, True
        else:
            raise TypeError(f"{type(observation).__name__} has no events over exposure")
        if k > 1e18 or x > 1e18:  # LARGEST, written out
            k, x = min(k, LARGEST), min(x, LARGEST)
        unpacked = self.unpacked
        if unpacked:  # eight plain sums, as `advance` would take them a step further
            rate, threshold, s0, c0, w0, s1, c1, w1, s2, c2, w2, s3, c3, w3, s4, c4, w4, s5, c5, w5, s6, c6, w6, s7, c7, w7 = unpacked  # fmt: skip
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
                    self._restart()
                if is_proportion:
                    return Score(statistic, threshold, rate, k / x if x else 0.0)
                return Score(statistic, threshold, rate * x, k)
        return self._advance(k, x, is_proportion)

    def _advance(self, k: float, x: float, is_proportion: bool) -> Score | None:
        """The same for any number of ratios, for sums that are logarithms, and while the baseline is being learnt."""
        baseline = self.baseline
        coefficients = self.coefficients
        if not coefficients:
            if not baseline.ready:
                baseline.learn(k, x, is_proportion)
                return None
            coefficients = self._initialise(is_proportion)
        sums, logs, total = advance(self.sums, self.logs, coefficients, k, x, self.weights)
        self.sums = sums
        if logs is not self.logs:
            self.logs = logs
            self._unpack()
        statistic = log(total) if total > 0 else log_value(sums, logs, 0.0)
        rate, threshold = baseline.rate, self.threshold
        if statistic >= threshold:
            self._restart()
        if is_proportion:
            return Score(statistic, threshold, rate, k / x if x else 0.0)
        return Score(statistic, threshold, rate * x, k)

    def repeat(self, observation: Observation, times: int) -> bool:
        """See `detectors.repeat.Repeating`: for periods without events. Each sum moves by a -> (a + w) e, always the
        same way: to where it rests if e < 1, by w each time if e = 1."""
        if not isinstance(observation, Count) or observation.k:
            return False
        while times and not self.coefficients:  # while the baseline is learnt
            if self._steps_left(times) == 0:
                return False
            score = self.update(observation)
            times -= 1
            if score is not None and score.alarm:
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
        if self.logs or not 0 < most < HUGE or log(most) >= self.threshold - 1e-6:
            return False
        self.sums = made
        return True

    def _steps_left(self, times: int) -> int:
        """Periods that may still be learnt from one by one: none where only events would end the learning."""
        learning = self.baseline
        if not learning.ready and learning.k < learning.required_events:
            return 0
        return min(times, MAX_UPDATES)

    def _restart(self) -> None:
        self.coefficients, self.unpacked, self.sums, self.logs = (), (), [], False
        if self.relearn:
            self.baseline = self.baseline.restarted(self.assumed_dispersion)

    def _unpack(self) -> None:
        """What `update` needs in one look: rate, bar, and slope, cost and weight of each of eight ratios; else nothing."""
        self.unpacked = ()
        if len(self.coefficients) == 16 and not self.logs:
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
        self._unpack()
        return self.coefficients


def _fixed_point(a: float, w: float, factor: float, times: int) -> float | None:
    """The sum after `times` steps; `None` where it neither rests nor ends within `MAX_UPDATES` of them."""
    for _ in range(min(times, MAX_UPDATES)):
        after = (a + w) * factor
        if after == a:
            return a
        a = after
    return a if times <= MAX_UPDATES else None
