"""Whether counts vary more than the charter grants: a test of variance/mean that runs next to a limit e-process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import exp, lgamma, log

import msgspec

from detectors.likelihood import count_line, proportion_line
from detectors.mixture import Coefficients, flattened

ROBUST = 4.0
"""Multiple of the granted variance/mean for which a halt's evidence must hold until twice the granted one is ruled
out."""
_FACTOR = 2.0  # the alternative: this multiple of the granted variance/mean
_FORGET = 0.97  # weight of the past in the mean, per period
_MOST = 2.0  # bound on the log evidence of one period, so that one outlier does not decide
_THRESHOLD = exp(2.7)  # of the evidence for more dispersion; calibrated by simulation (README)
_EXCLUDED = 3.0  # log evidence against `_FACTOR` times the granted dispersion from which on it is ruled out
_TOP = 8.0  # bound on that evidence, so that dispersion that rises later is noticed
_CALM, _SKIPPED = 5.0, 3  # from this evidence on, periods skipped between two tested ones: it saves time
_IDLE = 1e-3  # recent events below which periods without events are ignored, so that long silences are skipped
_RUN = 3  # periods in a row on one side of the mean that may be a change of the rate
_CHANGE = 16.0  # squared standardised distance from which on such a run is one
_LARGE = 1e6  # counts from which on the normal approximation is used: lgamma loses digits there


class DispersionCheck(msgspec.Struct, kw_only=True, array_like=True):
    """Log likelihood ratio of twice the granted variance/mean against the granted one, summed over periods.

    Counts: two negative binomials (Poisson if 1 is granted) with the recent mean; proportions: their normal
    approximation. A mixture over onsets (weight of period j: 1/(j(j-1))) makes it sensitive to dispersion that begins
    late. Shin, Ramdas, Rinaldo (2024), E-detectors; with the mean plugged in it is an e-process approximately, so its
    error is shown by simulation (`detbench --only g12`).

    A step of the rate is not dispersion: evidence of a run of periods on one side of the mean is added when the run
    ends, and dropped if the run is a significant change; the mean is then that of the run.

    While twice the granted dispersion is clearly ruled out, every fourth period is tested.

    `exceeded` (latched): more dispersion than granted is found. `excluded`: twice the granted dispersion is ruled out
    at present; while it is not, a halt must hold for more dispersion (`LimitEProcess`).

    >>> check = DispersionCheck()
    >>> for k in (0, 12, 1, 9, 0, 14, 2, 11, 0, 10) * 2:
    ...     check.update(float(k), 1.0, 1.0, False)
    >>> check.exceeded, check.excluded
    (True, False)
    """

    periods: int = 0
    k: float = 0.0  # events and exposure, recent ones weighted more
    m: float = 0.0
    evidence: float = 0.0  # for more dispersion, over onsets; up to the last run
    running: float = 0.0  # the same with the present run
    against: float = 0.0  # log evidence against twice the granted dispersion, up to the last run
    against_running: float = 0.0  # of the present run
    above: bool | None = None  # the side of the present run
    run: int = 0  # its periods, events and exposure
    run_k: float = 0.0
    run_m: float = 0.0
    before_k: float = 0.0  # the mean before it
    before_m: float = 0.0
    exceeded: bool = False
    reported: bool = False  # for the caller: whether `exceeded` was reported
    skip: int = 0  # periods to skip before the next tested one

    @property
    def excluded(self) -> bool:
        """Whether twice the granted dispersion is ruled out at present."""
        return self.against >= _EXCLUDED

    @property
    def idle(self) -> bool:
        """Whether a period without events changes nothing."""
        return self.k < _IDLE and self.m > 0

    def update(self, k: float, m: float, granted: float, is_proportion: bool) -> None:
        """Adds a closed period of `k` events over exposure (or trials) `m`; `granted` variance/mean >= 1."""
        if (not k and self.k < _IDLE and self.m > 0) or m <= 0:
            return
        if self.skip:
            self.skip -= 1
            return
        if self.m > 0:
            self._add(k, m, granted, is_proportion)
        else:
            self.periods = 1
        self.k, self.m = _FORGET * self.k + k, _FORGET * self.m + m
        if self.run >= _RUN and self._is_change(granted, is_proportion):
            self.k, self.m = self.run_k, self.run_m
            self.running, self.against_running, self.run, self.above = self.evidence, 0.0, 0, None
        if self.against >= _CALM:
            self.skip = _SKIPPED

    def _add(self, k: float, m: float, granted: float, is_proportion: bool) -> None:
        """Adds the evidence of one period, with the mean of the periods before it and its own."""
        total = self.k + k
        ratio = 0.0
        if total > 0:
            ratio = _log_ratio(k, m * total / (self.m + m), m if is_proportion else 0.0, granted)
        t = self.periods = self.periods + 1
        above = k * self.m > m * self.k
        if above is not self.above:
            self._end_run(above, t)
        self.run += 1
        self.run_k += k
        self.run_m += m
        self.running = min((self.running + 1.0 / (t * (t - 1))) * exp(ratio), 1e100)
        self.against_running -= ratio

    def _end_run(self, above: bool, t: int) -> None:
        self.evidence = self.running
        against = self.against + self.against_running
        self.against = against if against < _TOP else _TOP
        if self.evidence + 1.0 / t >= _THRESHOLD:
            self.exceeded = True
        self.above, self.run, self.run_k, self.run_m, self.against_running = above, 0, 0.0, 0.0, 0.0
        self.before_k, self.before_m = self.k, self.m

    def _is_change(self, granted: float, is_proportion: bool) -> bool:
        run_m, before_m = self.run_m, self.before_m
        if before_m <= 0:
            return False
        mean = (self.before_k + self.run_k) / (before_m + run_m)
        variance = granted * max(mean * run_m, 0.02 * self.run) * (1 + run_m / before_m)
        if is_proportion:
            variance *= max(1 - mean, 1e-9)
        return (self.run_k - self.before_k / before_m * run_m) ** 2 >= _CHANGE * variance


def _log_ratio(k: float, mean: float, trials: float, granted: float) -> float:
    """Returns the log likelihood ratio of twice the `granted` variance/mean for `k` events where `mean` are expected,
    at most `_MOST`. `trials` 0: a count."""
    if mean < 1e-3:
        mean = 1e-3
    if trials or k > _LARGE or mean > _LARGE:
        spread = granted * mean * (max(1 - mean / trials, 1e-9) if trials else 1.0)
        found = 0.25 * (k - mean) / spread * (k - mean) - 0.5 * log(_FACTOR)
        return found if found < _MOST else _MOST
    inverse, head, turn, null_inverse, null_head, null_turn = _constants(granted)
    shape = mean * inverse
    found = lgamma(k + shape) - lgamma(shape) - shape * head + k * turn
    if null_inverse:
        shape = mean * null_inverse
        found -= lgamma(k + shape) - lgamma(shape) - shape * null_head + k * null_turn
    else:
        found -= k * log(mean) - mean
    return found if found < _MOST else _MOST


@lru_cache(maxsize=256)
def _constants(granted: float) -> tuple[float, float, float, float, float, float]:
    """Returns 1/(v - 1), ln v and ln((v - 1)/v) of the alternative, then of the granted variance/mean (0 for 1)."""
    v = _FACTOR * granted
    if granted - 1 < 1e-9:
        return 1 / (v - 1), log(v), log((v - 1) / v), 0.0, 0.0, 0.0
    return 1 / (v - 1), log(v), log((v - 1) / v), 1 / (granted - 1), log(granted), log((granted - 1) / granted)


def robust_lines(ratios: Sequence[float], rates: Sequence[float], granted: float, is_proportion: bool) -> Coefficients:
    """Returns slope and cost of the e-values that hold up to `ROBUST` times the granted variance/mean."""
    line = proportion_line if is_proportion else count_line
    return flattened(map(line, ratios, rates, [ROBUST * granted] * len(ratios)))


def robust_step(sums: Sequence[float], lines: Coefficients, k: float, x: float, weight: float) -> tuple[float, ...]:
    """Returns the sums over onsets after one period of `k` events over `x`; empty `sums` are zeros, which can only
    understate the evidence. `weight` of an onset in this period, over all ratios."""
    each = weight / (len(lines) // 2)
    return tuple(
        [
            min((a + each) * exp(min(s * k + c * x, 500.0)), 1e200)
            for a, s, c in zip(sums or [0.0] * (len(lines) // 2), lines[::2], lines[1::2], strict=True)
        ]
    )
