"""G4: a pilot within its limit is halted with probability at most alpha, at every stopping time.

Hourly scores over a year (8,760 periods) of pilots exactly at their limit: with the variance/mean that the charter
assumes, and with limits of 2 x a baseline estimated from 10, 30 or 100 expected events (a new baseline for every
pilot). For comparison: a test repeated every period, a cumulative test at every period, and the e-process with the
estimated baseline taken as the true one. Power and delay at twice the limit, from hour 1,000.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from detectors.base import Count, Design
from detectors.baseline_limit import against_baseline
from detectors.e_process import LimitEProcess
from detectors.likelihood import count_line
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.progress import steps
from tests.bench.detbench.simulators import Floats

ALPHA, PERIODS, ONSET, TIMES = 0.05, 8_760, 1_000, 2.0
RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0)


class Cell(NamedTuple):
    """One setting: mean events per hour at the limit, variance/mean, expected events of the baseline (0: limit
    known)."""

    mean: float
    dispersion: float
    baseline_events: int

    def __str__(self) -> str:
        known = f"2 x baseline of {self.baseline_events}" if self.baseline_events else "limit known"
        return f"mean {self.mean:g}, var/mean {self.dispersion:g}, {known}"


CELLS = [
    *(Cell(mean, dispersion, 0) for mean in (0.05, 0.5, 5.0) for dispersion in (1.0, 2.0, 3.0)),
    *(Cell(0.5, dispersion, events) for events in (10, 30, 100) for dispersion in (1.0, 2.0)),
]


def crossings(
    rng: np.random.Generator, cell: Cell, limits: Floats, threshold: float, ratio: float = 1.0, onset: int = 0
) -> Floats:
    """Returns the period in which each pilot's limit e-process first crosses `threshold` (1 = the first; infinite if
    none).

    The same recursion as `LimitEProcess`, over all pilots at once; `agrees` compares it with the detector.
    """
    runs, first = len(limits), np.full(len(limits), math.inf)
    # The slope does not depend on the rate, and the cost is proportional to it.
    lines = [count_line(r, 1.0, cell.dispersion) for r in RATIOS]
    slopes, costs = (np.array([line[i] for line in lines])[:, None] for i in (0, 1))
    sums, level = np.zeros((len(RATIOS), runs)), math.exp(threshold)
    for t in range(1, PERIODS + 1):
        k = simulators.counts(rng, cell.mean * (ratio if t > onset else 1.0), cell.dispersion, runs)
        sums = np.minimum((sums + 1 / (t * (t + 1)) / len(RATIOS)) * np.exp(slopes * k + costs * limits), 1e250)
        hit = (sums.sum(axis=0) + 1 / (t + 1) >= level) & ~np.isfinite(first)
        first[hit] = t
    return first


def agrees() -> None:
    """Raises AssertionError unless the recursion above and the detector give the same first crossings."""
    cell = Cell(3.0, 2.0, 0)
    limits, threshold = np.full(20, 2.0), -math.log(ALPHA)
    ours = crossings(simulators.rng("agree"), cell, limits, threshold, 1.1, 50)
    rng = simulators.rng("agree")
    detectors = [LimitEProcess.design(Design(limit=2.0, alpha=ALPHA, variance_mean=2.0)) for _ in limits]
    first = np.full(20, math.inf)
    for t in range(1, 401):
        k = simulators.counts(rng, cell.mean * (1.1 if t > 50 else 1.0), cell.dispersion, 20)
        for i, detector in enumerate(detectors):
            score = detector.update(Count(float(k[i]), 1.0))
            if score is not None and score.alarm and not math.isfinite(first[i]):
                first[i] = t
    assert np.isfinite(first).all()
    assert (first == ours).all(), "the vectorised e-process is not the detector's"


def limits_of(rng: np.random.Generator, cell: Cell, runs: int) -> tuple[Floats, Floats, float]:
    """Returns expected events per hour at the limit, for the monitor and for the plug-in; and the monitor's alpha."""
    if not cell.baseline_events:
        return np.full(runs, cell.mean), np.full(runs, cell.mean), ALPHA
    rate = cell.mean / TIMES  # of the baseline, per hour of exposure
    exposure = cell.baseline_events / rate
    seen = simulators.counts(rng, float(cell.baseline_events), cell.dispersion, runs)
    found = {
        k: against_baseline(
            Design(alpha=ALPHA, variance_mean=cell.dispersion), times=TIMES, events=float(k), exposure=exposure
        )
        for k in np.unique(seen)
    }
    limits = np.array([found[k].limit for k in seen], float)
    alpha = next(iter(found.values())).alpha
    assert alpha is not None
    return limits, TIMES * np.maximum(seen, 0.5) / exposure, alpha


def plain(rng: np.random.Generator, runs: int) -> tuple[int, int]:
    """Returns the fractions of pilots at a limit of 5 an hour ever rejected: by a 5 % Poisson test each hour, and by a
    cumulative one each hour.
    """
    thresholds = np.zeros(PERIODS + 1)
    # The smallest total whose upper tail is at most ALPHA; above 1,000 the normal one with continuity correction.
    for t in range(1, PERIODS + 1):
        mean = 5.0 * t
        if mean > 1_000:
            thresholds[t] = math.ceil(mean + 1.6448536 * math.sqrt(mean) + 0.5 + (1.6448536**2 - 1) / 6)
        else:
            tail, c, p = 1.0, 0, math.exp(-mean) if mean < 700 else 0.0
            if p == 0.0:
                thresholds[t] = math.ceil(mean + 1.6448536 * math.sqrt(mean) + 0.5 + (1.6448536**2 - 1) / 6)
                continue
            while tail > ALPHA:
                tail -= p
                c += 1
                p *= mean / c
            thresholds[t] = c
    total, single, cumulative = np.zeros(runs), np.zeros(runs, bool), np.zeros(runs, bool)
    for t in range(1, PERIODS + 1):
        k = rng.poisson(5.0, runs)
        total += k
        single |= k >= thresholds[1]
        cumulative |= total >= thresholds[t]
    return int(single.sum()), int(cumulative.sum())


def goals(quick: bool) -> list[Goal]:
    """Returns G4: the largest probability of ever crossing, over all settings."""
    agrees()
    rng = simulators.rng("g4")
    runs, powered = (2_000, 300) if quick else (10_000, 2_000)
    rows: list[Row] = []
    found: list[tuple[metrics.Estimate, Cell]] = []
    for cell in steps(CELLS, "G4"):
        limits, taken, alpha = limits_of(rng, cell, runs)
        crossed = metrics.share(int(np.isfinite(crossings(rng, cell, limits, -math.log(alpha))).sum()), runs)
        found.append((crossed, cell))
        rows.append(Row("ever crossing, at the limit", str(cell), *crossed, ALPHA))
        if cell.baseline_events:
            naive = metrics.share(int(np.isfinite(crossings(rng, cell, taken, -math.log(ALPHA))).sum()), runs)
            rows.append(Row("same, estimate taken for truth", str(cell), *naive, ALPHA))
        first = crossings(rng, cell, limits[:powered], -math.log(alpha), 2.0, ONSET) - ONSET
        after = first[first > 0]
        late = after[np.isfinite(after)]
        rows.append(Row("power at 2x, rest of the year", str(cell), *metrics.share(len(late), len(after))))
        if len(late) > len(after) * 0.5:
            rows.append(Row("delay at 2x, median hours", str(cell), *metrics.quantile(after, 0.5)))
        if len(late) > len(after) * 0.95:
            rows.append(Row("delay at 2x, 95th percentile", str(cell), *metrics.quantile(after, 0.95)))
    single, cumulative = plain(rng, runs)
    rows.append(Row("ever rejected: plain", "5 % Poisson test every hour, mean 5", *metrics.share(single, runs), ALPHA))
    rows.append(Row("ever rejected: plain", "of all hours so far, every hour", *metrics.share(cumulative, runs), ALPHA))
    worst, cell = max(found)
    bound = f"<= {ALPHA}"
    note = f"P(ever crossing in {PERIODS} hourly looks) of pilots at their limit, alpha {ALPHA}; worst: {cell}"
    return [Goal("G4", worst.value, bound, held(worst.value, bound), worst.error, note, tuple(rows))]
