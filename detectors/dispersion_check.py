"""Whether counts vary more than the charter grants: a test of variance/mean that runs next to a limit e-process."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from math import exp, log, sqrt

import msgspec

THRESHOLD = 100.0  # of the evidence: 1/.01
_START = 0.9  # weight of dispersion from the first period on; the rest is spread over a year of onsets
_SLOPE = 0.25  # of the log e-value in the squared residual: the likelihood ratio of twice the variance
_CLIP = 7.0  # bound on a squared residual, so that one period raises the evidence about fourfold at most
_LEVEL, _WEEKLY, _CYCLE = (
    0.95,
    0.8,
    0.8,
)  # weight of the past in the level, per period (of days and longer), and per cycle
_CHANGE = 10.0  # squared residual of a run of periods on one side from which on it may be a change of the rate
_LONG_RUN = 3  # periods in a run whose evidence is that of one period, once it may be a change
_HORIZON, _KEEP, _WRONG = 14, 0.7, -3.0  # a change is dropped or adopted after so many periods, or earlier if wrong
_FACTOR_EVENTS = 5.0  # smallest weight of a factor of 1, in events per granted variance/mean
_BOUND = 9.0  # squared standard deviations by which one period may move a factor
_CALM, _CALM_IF_FEW, _FEW = 0.01, 0.1, 10.0  # evidence below which most cycles are left out; with few recent events
_RESTS, _LATER, _MOST_RESTS = 4, 4, 19  # cycles left out before the next one, and one more for each four used
_PARTS = 64.0  # the factors count events in parts: whole numbers are short in a snapshot
_IDLE = 0.05  # recent events below which periods without events are ignored, so that long silences are skipped
_LEAST = 1e-3  # smallest expected number of events, and share of trials without one
_FINE, _COARSE = 1e-12, 1e15  # bounds of a period's exposure, and the upper one of its events: numbers stay finite
_PER_DAY = 24  # phases of a day at most, for periods shorter than a day
_FINEST = 16.0  # variance/mean above which counts are taken to be multiples, for the expectation of the e-value
_STEP, _STEPS = 0.0625, 128  # of the table of expectations, in square roots of expected events per variance/mean

MULTIPLES = (1.0, 2**0.5, 2.0, 2 * 2**0.5, 4.0)
"""Multiples of the granted variance/mean that a limit e-process may be computed with."""
_RISES = (0.06, 0.12, 0.25, 0.5)  # evidence from which on each next multiple is used, for a prior of 4
_SCALES = (1 / 16, 1 / 4, 0.42, 1.0)  # of the evidence, for a prior of 1 to 4: it begins with 1, 2, 2.8 and 4


class DispersionCheck(msgspec.Struct, kw_only=True, array_like=True):
    """Product of e-values against "given the past, variance/mean of this period is at most the granted one".

    The e-value of a period with the squared residual v is exp(v / 4), v clipped, over its expectation for counts of
    exactly the granted variance/mean (Poisson, negative binomial); the residual is that of the square root (Anscombe
    1948, Biometrika 35: 246-254) around a predicted mean, divided by the granted dispersion and by the error of the
    prediction. Its growth is more than four fifths of that of the likelihood ratio from a mean of 5 on. A mixture over
    onsets (.9 for the first period, .1 spread over each year) is compared with 100: with a known mean, by Ville's
    inequality, at most .01 of the streams within the grant are reported in the first year, and at most .001 in each
    later one. With the predicted mean this holds approximately (`detbench --only g12`).

    The predicted mean adapts, so that what is no dispersion is not taken for it: a level with a memory of 20 periods;
    factors of a cycle (weekdays of daily periods, hours of shorter ones) with a memory of five cycles, shrunk towards 1
    by an empirical Bayes estimate (Robbins 1956); and a change of the level: a run of periods on one side of the
    prediction that is too large for the granted dispersion opens a second level, which is adopted if it predicts better
    for 14 periods. While it is open, the smaller of the two residuals counts.

    Once the evidence is below `_CALM`, from four to 19 cycles are left out before the next one, the more the longer it
    has been so; dispersion that rises then is found later.

    `exceeded` (latched): more dispersion than granted is found.

    >>> check = DispersionCheck.of(periods_per_year=365.25)
    >>> for at, k in enumerate((0, 12, 1, 9, 0, 14, 2, 11, 0, 10) * 6):
    ...     _ = check.update(float(k), 1.0, at, 1.0)
    >>> check.exceeded, MULTIPLES[check.spread]
    (True, 4.0)
    """

    year: int  # periods over which the weight of later onsets is spread
    phases: int
    hold: int  # periods of a phase
    prior: int  # the multiple that a limit e-process assumes while the data do not say
    evidence: float = _START
    exceeded: bool = False
    reported: bool = False  # for the caller: whether `exceeded` was reported
    periods: int = 0  # that were used
    rest: int = 0  # periods to leave out before the next one
    phase: int = 0
    k: float = 0.0  # events and exposure of the level, in the units of an average phase
    m: float = 0.0
    weight: float = 0.0  # events in favour of a factor of 1; 0 while the first cycle is learnt
    seen: list[int] = []  # events of each phase, and those that the level alone expects, in 1/`_PARTS`
    expected: list[int] = []
    above: bool = False  # the side of the present run
    run: int = 0  # its periods, events and exposure, and the evidence before it
    run_k: float = 0.0
    run_m: float = 0.0
    before: float = _START
    new: int = 0  # periods since a change that may have happened (0: none), with its events and exposure
    new_k: float = 0.0
    new_m: float = 0.0  # in the first cycle: the exposure of the first period
    better: float = 0.0  # by how much it predicts better, recently

    @classmethod
    def of(cls, *, periods_per_year: float, prior: int = 1) -> DispersionCheck:
        """A check that begins. `prior` in 1 to 4."""
        year = max(365, round(periods_per_year))
        days = 365.25 / periods_per_year  # of a period
        phases, hold = (7, 1) if 0.9 < days < 1.1 else (1, 1)
        if days <= 0.5:
            per_day = round(1 / days)
            hold = max(1, -(-per_day // _PER_DAY))
            phases = max(1, per_day // hold)
        return cls(
            year=year,
            phases=phases,
            hold=hold,
            prior=prior,
            seen=[0] * phases,
            expected=[0] * phases,
        )

    def again(self) -> DispersionCheck:
        """The same check from the beginning."""
        return DispersionCheck(
            year=self.year,
            phases=self.phases,
            hold=self.hold,
            prior=self.prior,
            seen=[0] * self.phases,
            expected=[0] * self.phases,
        )

    @property
    def idle(self) -> bool:
        """Whether a period without events changes nothing."""
        return self.exceeded or (self.k < _IDLE and not self.rest)

    @property
    def spread(self) -> int:
        """The place in `MULTIPLES` of the multiple of the granted variance/mean that the past does not rule out. It
        depends on past periods only, so a limit e-process that uses it for the next period keeps its guarantee."""
        if self.exceeded:
            return len(MULTIPLES) - 1
        scaled = self.evidence * _SCALES[self.prior - 1]
        if scaled < _RISES[0]:
            return 0
        return sum([scaled >= rise for rise in _RISES])

    def update(self, k: float, x: float, at: int | None, granted: float, *, share: bool = False) -> bool:
        """Adds a complete closed period of `k` events over exposure (`share`: of trials) `x`; `at` is its index,
        `granted` the variance/mean >= 1. Returns whether the evidence changed."""
        if self.exceeded or not _FINE <= x <= _COARSE:
            return False
        if self.rest:
            self.rest -= 1
            return False
        if k <= 0 and self.k < _IDLE:
            return False
        if k > _COARSE:
            k = _COARSE
        phase = ((self.periods if at is None else at) // self.hold) % self.phases
        self.periods += 1
        if not self.weight:
            self._learn(k, x, phase, granted)
            return False
        before, self.phase = self.phase, phase
        if phase < before or self.phases == 1:
            self._end_cycle(granted)
            if self.rest:
                return False
        self._add(k, x, phase, granted, x if share else 0.0)
        return True

    def _learn(self, k: float, x: float, phase: int, granted: float) -> None:
        """The first cycle is learnt from, and proves nothing."""
        self.k += k
        self.m += x
        unit = self.new_m = self.new_m or x
        self.seen[phase] += int(k * _PARTS + 0.5)
        self.expected[phase] += int(min(x / unit, _COARSE) * _PARTS + 0.5)  # the exposure, until the level is known
        self.phase = phase
        if self.periods == max(self.phases * self.hold, 7):
            rate = (self.k + 0.25) / self.m * unit
            self.expected = [int(min(x * rate, _COARSE) + 0.5) for x in self.expected]
            self._weigh(granted)

    def _add(self, k: float, x: float, phase: int, granted: float, trials: float) -> None:
        """Adds the e-value of a period, and learns from it. `_residual` is inlined for the level: this is the hot
        path."""
        seen, expected, weight, known = self.seen[phase] / _PARTS, self.expected[phase] / _PARTS, self.weight, self.m
        precision = expected + weight
        exposure = x * (seen + weight) / precision
        root, rate = sqrt(k + 0.375), (self.k + 0.25) / known
        mean = rate * exposure
        if mean < _LEAST:
            mean = _LEAST
        difference = root - sqrt(mean + 0.375)
        spread = granted * (1 + mean / precision + exposure / known)
        if trials:
            spread *= max(1 - mean / trials, _LEAST)
        v = 4 * difference * difference / spread
        new = self.new
        if new:
            new_rate = (self.new_k + 0.25) / self.new_m
            new_mean, new_v = _residual(root, new_rate * exposure, granted, precision, exposure / self.new_m, trials)
            self.better = _KEEP * self.better + min(max(v - new_v, -_CLIP), _CLIP)
            if new_v < v:
                mean, v, rate, known = new_mean, new_v, new_rate, self.new_m
        before, table = self.evidence, _table(granted)
        at = int(sqrt(mean / granted) / _STEP)
        log_e = _SLOPE * (v if v < _CLIP else _CLIP) - (table[at] if at < _STEPS else table[_STEPS])
        self.evidence = evidence = (before + (1 - _START) / self.year) * exp(log_e)
        above = k > mean
        if self.run and above is self.above:
            changed = self._continue_run(k, exposure, rate, known, mean / precision, granted)
        else:  # of one period
            self.above, self.run, self.run_k, self.run_m, self.before = above, 1, k, exposure, before
            changed = v >= _CHANGE
        if evidence >= THRESHOLD and self.evidence >= THRESHOLD:
            self.exceeded = True
        keep = _CYCLE if self.hold == 1 else _CYCLE ** (1 / self.hold)
        counted = k
        if v > _BOUND:
            bound = sqrt(_BOUND * granted * (mean + 0.25))
            counted = min(max(k, mean - bound), mean + bound)
        self.seen[phase] = int((keep * seen + counted) * _PARTS + 0.5)
        self.expected[phase] = int((keep * expected + min(rate * x, _COARSE)) * _PARTS + 0.5)
        if changed:
            self.new, self.new_k, self.new_m, self.better, self.run = 1, self.run_k, self.run_m, 0.0, 0
        elif not new:
            keep = _LEVEL if self.phases > 1 else _WEEKLY
            self.k, self.m = keep * self.k + k, keep * self.m + exposure
        else:
            self.new, self.new_k, self.new_m = new + 1, self.new_k + k, self.new_m + exposure
            if new + 1 >= _HORIZON or self.better < _WRONG:
                self._end_change()

    def _continue_run(self, k: float, exposure: float, rate: float, known: float, error: float, granted: float) -> bool:
        """Adds a period to the run of periods on its side of the prediction. Returns whether the run may be a change of
        the rate: the evidence of a long one is then that of one period."""
        self.run = run = self.run + 1
        self.run_k = k = self.run_k + k
        self.run_m = exposure = self.run_m + exposure
        difference = sqrt(k + 0.375) - sqrt(rate * exposure + 0.375)
        if 4 * difference * difference < _CHANGE * granted * (1 + exposure / known + error / run):
            return False
        if run >= _LONG_RUN:
            self.evidence = min(self.evidence, self.before * exp(_SLOPE * _CLIP))
        return True

    def _end_change(self) -> None:
        if self.better > 0:
            self.k, self.m, self.run = self.new_k, self.new_m, 0
        self.new = 0

    def _end_cycle(self, granted: float) -> None:
        cycle = self.phases * self.hold
        if self.phases > 1:
            self._weigh(granted)
        elif self.periods % 7:
            return
        else:
            cycle = 7
        if not self.new and self.evidence < (_CALM if self.k > _FEW else _CALM_IF_FEW):
            rests = min(_RESTS + self.periods // (_LATER * cycle), _MOST_RESTS)
            self.rest = rests * cycle - 1  # the next one begins a cycle

    def _weigh(self, granted: float) -> None:
        """Estimates how much the phases differ, by moments, and from it the weight of a factor of 1."""
        if self.phases == 1:
            self.weight = 1e12
            return
        seen, expected = [n / _PARTS for n in self.seen], [n / _PARTS for n in self.expected]
        total = events = squares = moved = 0.0
        for s, e in zip(seen, expected, strict=True):
            total += e
            events += s
            squares += e * e
        ratio = events / total if total else 1.0
        for s, e in zip(seen, expected, strict=True):
            moved += (s - ratio * e) ** 2
        keep = _CYCLE ** (1 / self.hold)
        noise = (1 + keep ** (self.periods // self.phases)) / (1 + keep)  # variance of a weighted sum over its mean
        average = max(total / self.phases, 0.1)
        varied = (moved - granted * noise * events * (self.phases - 1) / self.phases) / max(squares, 1e-9)
        self.weight = max(granted / (max(varied, 0.0) + granted / (2 * average)), _FACTOR_EVENTS * granted)


def _residual(
    root: float, mean: float, granted: float, precision: float, error: float, trials: float
) -> tuple[float, float]:
    """Returns the mean (at least `_LEAST`) and the squared residual of a count with that square root; `precision` and
    `error` are those of the cycle and of the level, `trials` 0 for a count."""
    if mean < _LEAST:
        mean = _LEAST
    difference = root - sqrt(mean + 0.375)
    spread = granted * (1 + mean / precision + error)
    if trials:
        spread *= max(1 - mean / trials, _LEAST)
    return mean, 4 * difference * difference / spread


@lru_cache(maxsize=64)
def _table(granted: float) -> tuple[float, ...]:
    """Values at square roots of mean/granted that are multiples of `_STEP`, each the larger of itself and the next."""
    scale = min(granted, _FINEST)
    values = [_log_expectation(max((i * _STEP) ** 2, _LEAST / 4) * scale, scale) for i in range(_STEPS + 2)]
    return tuple(max(pair) for pair in pairwise(values))


def _log_expectation(mean: float, granted: float) -> float:
    excess = granted - 1
    if excess < 1e-9:
        p, shape, turn = exp(-mean), mean, 0.0
    else:
        shape, turn = mean / excess, excess / granted
        p = granted**-shape
    left, total, k, base = 1.0, 0.0, 0, sqrt(mean + 0.375)
    top = exp(_SLOPE * _CLIP)
    while left > 1e-9 and k < mean + 40 * sqrt(granted * mean) + 200:
        v = 4 * (sqrt(k + 0.375) - base) ** 2 / granted
        total += p * (exp(_SLOPE * v) if v < _CLIP else top)
        left -= p
        p *= mean / (k + 1) if turn == 0 else turn * (shape + k) / (k + 1)
        k += 1
    return log(total + max(left, 0.0) * top)
