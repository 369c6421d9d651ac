"""G19: the computed power of the limit e-process agrees with simulation within one percentage point.

Fifty settings: counts and proportions, weekly, daily and hourly periods, rate ratios from 1.25 to 5 (.2 to .8 for
direction `below`), variance/mean 1 to 3, several shares of alpha, a margin for uncertain exposure, a minimum number of
events, other ratios and two-sided tests. In each, the probability of an alarm is compared after a quarter, a half and
all of the periods. The simulation runs the recursion of the detector over all streams at once; `agrees` compares it
with the detector.
"""

from __future__ import annotations

import time
from math import inf
from typing import Any, NamedTuple

import numpy as np

from detectors.base import Count, Design, Proportion
from detectors.e_process import LimitEProcess
from detectors.power import Curve, Planned, power
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.progress import steps
from tests.bench.detbench.simulators import Floats, Rng

BOUND, SECONDS = 0.01, 1.0


class Cell(NamedTuple):
    """One setting: events expected in a period at the limit, or `trials` and the limit as a share."""

    limit: float
    ratio: float
    periods: int
    alpha: float = 0.01
    variance_mean: float = 1.0
    trials: int = 0
    design: tuple[tuple[str, Any], ...] = ()
    params: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        over = f"{self.trials} trials, limit {self.limit:g}" if self.trials else f"mean {self.limit:g}"
        more = "".join(f", {name} {value}" for name, value in (*self.design, *self.params))
        return (
            f"{over}, {self.ratio:g}x, {self.periods} periods, alpha {self.alpha:g}, "
            f"var/mean {self.variance_mean:g}{more}"
        )

    def detector(self) -> LimitEProcess:
        """The detector of this setting."""
        given = Design(limit=self.limit, alpha=self.alpha, variance_mean=self.variance_mean)
        for name, value in self.design:
            given = type(given)(**{**{f: getattr(given, f) for f in given.__struct_fields__}, name: value})
        return LimitEProcess.design(given, **dict(self.params))

    @property
    def planned(self) -> Planned:
        """What the stream is planned to see."""
        return Planned(float(self.trials or 1), self.periods, self.limit * self.ratio, bool(self.trials))


BELOW, MARGIN, MANY = (("direction", "below"),), (("uncertainty", 0.2),), (("minimum_events", 15),)
CELLS = [
    *(Cell(mean, ratio, 12) for mean in (0.2, 1.0, 4.0) for ratio in (2.0, 3.0, 5.0)),
    *(Cell(mean, ratio, 52, 0.003) for mean in (0.1, 0.5, 2.0, 10.0) for ratio in (1.5, 2.0)),
    *(Cell(mean, 2.0, 52, 0.003, v) for mean in (0.2, 1.0) for v in (1.5, 3.0)),
    *(Cell(mean, ratio, 365, 0.002) for mean in (0.02, 0.1, 0.3) for ratio in (1.5, 2.0, 3.0)),
    Cell(3.0, 1.25, 365, 0.01, 2.0), Cell(1.0, 1.25, 365), Cell(20.0, 1.1, 60), Cell(400.0, 1.05, 12, 0.001, 2.0),
    Cell(0.003, 2.0, 8760, 0.01), Cell(0.02, 1.5, 2016, 0.01), Cell(0.1, 1.25, 2016), Cell(0.01, 3.0, 2016, 0.001, 2.0),
    *(Cell(share, 2.0, 12, 0.01, 1.0, trials) for share, trials in ((0.01, 200), (0.05, 40), (0.2, 10))),
    *(Cell(share, 1.5, 90, 0.003, 1.5, trials) for share, trials in ((0.02, 50), (0.1, 12), (0.3, 5))),
    Cell(4.0, 0.5, 30, 0.01, 1.0, 0, BELOW), Cell(0.5, 0.2, 52, 0.01, 1.0, 0, BELOW),
    Cell(0.2, 0.5, 60, 0.01, 1.0, 20, BELOW),
    Cell(2.0, 2.0, 20, 0.01, 1.0, 0, MARGIN), Cell(0.5, 3.0, 52, 0.05, 1.0, 0, MANY),
    Cell(2.0, 2.0, 20, 0.01, 1.0, 0, (), (("two_sided", True),)),
]  # fmt: skip


def first_alarms(rng: Rng, cell: Cell, runs: int) -> Floats:
    """Returns the period of the first alarm of each stream (1 = the first; infinite if none)."""
    detector = cell.detector()
    line = detector._compute_parameters(bool(cell.trials))[-1]
    slopes, costs = np.array(line[::2])[:, None], np.array(line[1::2])[:, None]
    first, seen, sums = np.full(runs, inf), np.zeros(runs), np.zeros((len(slopes), runs))
    x, level = float(cell.trials or 1), np.exp(detector.threshold)
    rho = (cell.variance_mean - 1) / max(cell.trials - 1, 1)
    for t in range(1, cell.periods + 1):
        if cell.trials:
            k = simulators.shares(rng, cell.trials, cell.limit * cell.ratio, rho, runs)
        else:
            k = simulators.counts(rng, cell.limit * cell.ratio, cell.variance_mean, runs)
        sums = np.minimum((sums + 1 / (t * (t + 1)) / len(slopes)) * np.exp(slopes * k + costs * x), 1e250)
        seen += k if detector.above else detector.rate * x
        hit = (sums.sum(axis=0) + 1 / (t + 1) >= level) & (seen >= detector.minimum_events)
        first[hit & ~np.isfinite(first)] = t
    return first


def agrees() -> None:
    """Raises AssertionError unless the recursion above and the detector give the same first alarms."""
    for cell in (CELLS[4], CELLS[-2], next(c for c in CELLS if c.trials)):
        ours = first_alarms(simulators.rng("agree"), cell, 50)
        rng, detectors = simulators.rng("agree"), [cell.detector() for _ in range(50)]
        theirs = np.full(50, inf)
        for t in range(1, cell.periods + 1):
            if cell.trials:
                counts = simulators.shares(rng, cell.trials, cell.limit * cell.ratio, 0.0, 50)
            else:
                counts = simulators.counts(rng, cell.limit * cell.ratio, cell.variance_mean, 50)
            for i, k in enumerate(counts):
                made = Proportion(float(k), float(cell.trials)) if cell.trials else Count(float(k), 1.0)
                score = detectors[i].update(made)
                if score is not None and score.alarm and theirs[i] == inf:
                    theirs[i] = t
        assert (ours == theirs).all(), "the vectorised e-process is not the detector's"


def compared(cell: Cell, curve: Curve, rng: Rng, runs: int) -> list[tuple[int, float, metrics.Estimate]]:
    """Returns the computed and the simulated probability of an alarm after a quarter, a half and all periods."""
    first = first_alarms(rng, cell, runs)
    marks = sorted({max(1, cell.periods // 4), max(1, cell.periods // 2), cell.periods})
    # Long series are computed in blocks of periods: compare where a block ends.
    marks = [next((end for end in curve.ends if end >= mark), mark) for mark in marks]
    return [(mark, curve.by(mark), metrics.share(int((first <= mark).sum()), runs)) for mark in marks]


def goals(quick: bool) -> list[Goal]:
    """Returns G19a, the largest difference between computation and simulation, and G19b, the longest computation."""
    agrees()
    rng, rows, worst, longest = simulators.rng("g19"), list[Row](), (0.0, 0.0, ""), (0.0, "")
    for cell in steps(CELLS, "G19"):
        began = time.process_time()
        curve = power(cell.detector(), cell.planned)
        took = time.process_time() - began
        longest = max(longest, (took, str(cell)))
        runs = (20_000 if quick else 200_000) // (4 if cell.periods > 1000 else 1)
        for mark, computed, simulated in compared(cell, curve, rng, runs):
            rows.append(Row(f"alarm by period {mark}", str(cell), simulated.value, simulated.error, computed, took))
            worst = max(worst, (abs(computed - simulated.value), simulated.error, f"{cell}, by period {mark}"))
    gap, error, where = worst
    bound, limit = f"<= {BOUND:g}", f"<= {SECONDS:g}"
    note = f"largest |computed - simulated| probability of an alarm, {len(CELLS)} settings; at {where}"
    cost = f"seconds of processor time for one curve; at {longest[1]}"
    return [
        Goal("G19a", gap, bound, held(gap, bound), error, note, tuple(rows)),
        Goal("G19b", longest[0], limit, held(longest[0], limit), 0.0, cost),
    ]
