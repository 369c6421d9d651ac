"""G22: a pilot whose true rate is above a limit is found fit to scale with a probability of at most alpha.

Every period is an assessment, and one at which the upper bound of the confidence sequence
(`detectors/rate_sequence.py`) is below the limit is enough. The true mean rate up to each assessment is never below the
limit: it is constant at the limit, falls from above to it, or is chosen by a firm that sees its counts; counts are
Poisson, negative binomial or beta-binomial; in one setting a fifth of the periods is incomplete. G22b is the reverse:
how often a pilot at a quarter of its limit is found fit by the end, with the exposure with which a doubling of it is
found with a probability of .8. The table also has half of the limit, for which that exposure is too little.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

import numpy as np

from detectors.base import Design
from detectors.e_process import LimitEProcess
from detectors.likelihood import count_line, proportion_line
from detectors.power import Planned, smallest_exposure
from detectors.rate_sequence import (
    _ABOVE,
    _BELOW,
    _NOTHING_SEEN,
    proportion_lower,
    proportion_upper,
    rate_lower,
    rate_upper,
)  # fmt: skip
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.progress import steps
from tests.bench.detbench.simulators import Floats, Rng

ALPHA, PERIODS = 0.05, 104


class Setting(NamedTuple):
    """Events expected in a period at the limit, or `trials` and the limit as a share; the course of the true rate."""

    limit: float
    course: str = "constant"
    variance_mean: float = 1.0
    trials: int = 0
    below: bool = False
    incomplete: float = 0.0

    def __str__(self) -> str:
        over = f"{self.trials} trials, limit {self.limit:g}" if self.trials else f"mean {self.limit:g}"
        side = ", below" if self.below else ""
        rest = f", {self.incomplete:.0%} incomplete" if self.incomplete else ""
        return f"{over}, {self.course}, var/mean {self.variance_mean:g}{side}{rest}"


SETTINGS = [
    *(Setting(mean, course) for mean in (0.2, 2.0, 20.0) for course in ("constant", "falls", "chosen")),
    *(Setting(mean, "constant", v) for mean in (0.5, 5.0) for v in (1.5, 3.0)),
    *(Setting(share, course, 1.0, trials) for share, trials in ((0.01, 200), (0.2, 20)) for course in
      ("constant", "falls")),
    Setting(0.1, "constant", 2.0, 50), Setting(0.2, "constant", 1.0, 50, True), Setting(3.0, "constant", 1.0, 0, True),
    Setting(2.0, "constant", 1.0, 0, False, 0.2),
]  # fmt: skip


def evidence(k: Floats, x: Floats, s: Setting) -> Floats:
    """Returns the log evidence that the mean rate is on the good side of the limit; above ln(1/alpha) the bound is."""
    found = []
    for ratio, weight in _ABOVE if s.below else _BELOW:
        line = proportion_line if s.trials else count_line
        slope, cost = line(ratio, s.limit, s.variance_mean)
        found.append(log(weight) + slope * k + cost * x)
    if not s.below:
        v = s.variance_mean
        none = -np.log1p(-s.limit) / v if s.trials else s.limit * (log(v) / (v - 1) if v > 1 else 1.0)
        found.append(np.where(k == 0, log(_NOTHING_SEEN) + none * x, -np.inf))
    out: Floats = np.logaddexp.reduce(found)
    return out


def agrees() -> None:
    """Raises AssertionError unless `evidence` crosses where the bounds of the product do."""
    for s in (SETTINGS[0], SETTINGS[10], SETTINGS[13], SETTINGS[-3], SETTINGS[-2]):
        for k in (0.0, 1.0, 7.0, 40.0, 90.0):
            for x in (1.0, 10.0, 30.0, 100.0):
                seen, over = min(k, x * s.trials) if s.trials else k, x * (s.trials or 1)
                kinds = (proportion_lower, proportion_upper) if s.trials else (rate_lower, rate_upper)
                bound = kinds[0 if s.below else 1](seen, over, ALPHA, s.variance_mean)
                assert bound is not None
                crossed = bool(evidence(np.array(seen), np.array(over), s) > -log(ALPHA))
                assert crossed == (bound > s.limit if s.below else bound < s.limit), (s, k, x)


def fit(rng: Rng, s: Setting, runs: int, times: float = 1.0, exposure: float = 1.0) -> Floats:
    """Returns whether each pilot is ever found fit; its true rate is `times` that of the setting."""
    k, x, ever = np.zeros(runs), np.zeros(runs), np.zeros(runs, bool)
    for t in range(PERIODS):
        level = np.full(runs, s.limit * times * exposure)
        if s.course == "falls":  # from twice the limit to a little below it, so that the mean stays above
            level *= max(2 - 2.0 * t / PERIODS, 0.7)
        elif s.course == "chosen":  # high after a low count, at the limit otherwise
            level *= np.where(k < x * s.limit, 1.6, 1.0)
        if s.trials:
            rho = (s.variance_mean - 1) / max(s.trials - 1, 1)
            counts = simulators.shares(rng, s.trials, np.minimum(level, 0.999), rho)
        else:
            counts = simulators.counts(rng, level, s.variance_mean)
        known = rng.random(runs) >= s.incomplete
        k += np.where(known | (not s.below), counts, 0.0)
        x += np.where(known, float(s.trials or 1) * exposure, 0.0)
        ever |= evidence(k, x, s) > -log(ALPHA)
    out: Floats = ever.astype(float)
    return out


def useful(rng: Rng, runs: int, times: float) -> tuple[float, metrics.Estimate]:
    """The share of pilots at `times` the limit found fit, and the events expected at the limit."""
    detector = LimitEProcess.design(Design(limit=1.0, alpha=ALPHA))
    needed = smallest_exposure(detector, Planned(0.05, PERIODS, 2.0), 0.8)
    assert needed is not None
    hits = fit(rng, Setting(1.0), runs, times, needed)
    return needed * PERIODS, metrics.share(int(hits.sum()), runs)


def goals(quick: bool) -> list[Goal]:
    """Returns G22a, the largest probability that a pilot above a limit is found fit, and G22b, that of a good one."""
    agrees()
    rng, runs, rows, worst = simulators.rng("g22"), 4_000 if quick else 40_000, list[Row](), (0.0, 0.0, "")
    for s in steps(SETTINGS, "G22"):
        share = metrics.share(int(fit(rng, s, runs).sum()), runs)
        rows.append(Row("ever found fit", str(s), share.value, share.error, ALPHA))
        worst = max(worst, (share.value, share.error, str(s)))
    good = {times: useful(rng, runs, times) for times in (0.5, 0.25)}
    for times, (events, share) in good.items():
        rows.append(Row(f"at {times:g} of the limit", f"{events:.3g} events at the limit", share.value, share.error))
    fair = good[0.25][1]
    bound = f"<= {ALPHA:g}"
    note = f"largest probability of `scale`, true mean rate at or above the limit, {len(SETTINGS)} settings; {worst[2]}"
    return [
        Goal("G22a", worst[0], bound, held(worst[0], bound), worst[1], note, tuple(rows)),
        Goal("G22b", fair.value, ">= 0.8", held(fair.value, ">= 0.8"), fair.error, "probability for a good pilot"),
    ]
