"""G6: a proportion charted from period totals, against the exact Bernoulli CUSUM that sees every trial.

Both are set to the same run length in trials. The Bernoulli chart's alarm counts at the close of the period, like
that of the period chart. With one trial a period both are equal. Delays are exact (Markov chains), zero-state. Then
dependent trials (beta-binomial, correlation .05, variance/mean assumed by the charter): is the declared run length
the true one? Simulated with the detector itself.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.arl import bernoulli_cusum, bernoulli_lattice, binomial_pmf, run_length
from detectors.base import Design, Proportion
from detectors.cusum import Cusum
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held

# Trials, proportion, ARL0 in periods.
CELLS = (
    (1, 0.1, 2000.0),
    (1, 0.01, 10_000.0),
    (5, 0.1, 1000.0),
    (50, 0.05, 1000.0),
    (500, 0.01, 1000.0),
)
CHANGES = (1.5, 2.0, 3.0)
RHO, DECLARED = 0.05, 1000.0


def settled(n: int, share: float, arl0: float, variance_mean: float = 1.0) -> Cusum:
    """Returns the detector for a doubled proportion, after twenty ordinary periods."""
    odds = 2 * share / (1 - 2 * share) / (share / (1 - share))
    made = Cusum.design(Design(limit=share, variance_mean=variance_mean), arl0=arl0, ratio=odds)
    for _ in range(20):
        made.update(Proportion(round(n * share), n))
    made.value = 0.0
    return made


def ours(chart: Cusum, n: int, share: float) -> float:
    """Returns the exact run length in periods: the Markov chain of the chart's own slope, cost and threshold."""
    reference, threshold = -chart.cost / chart.slope * n, chart.threshold / chart.slope
    unit = next(u for u in range(1, 20_000) if abs(reference * u - round(reference * u)) < 1e-6)
    return run_length(binomial_pmf(n, share, n + 1), unit, round(reference * unit), math.ceil(threshold * unit - 1e-6))


def theirs(n: int, share: float, change: float, trials: float) -> float:
    """Returns the mean delay of the Bernoulli CUSUM, at the close of periods, whose ARL0 is `trials`: interpolated
    between two thresholds in ln ARL0.
    """
    m, low, high = bernoulli_lattice(share, 2 * share), 1, 1

    def run(cells: int) -> float:
        return math.log(bernoulli_cusum(share, share, 2 * share, cells / m) / trials)

    while run(high) <= 0:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if run(middle) <= 0 else (low, middle)
    weight = run(low) / (run(low) - run(high))
    return (1 - weight) * seen(m, low, share * change, n) + weight * seen(m, high, share * change, n)


def seen(m: int, cells: int, share: float, n: int) -> float:
    """Returns the mean number of periods of n trials until the close of the one in which the Bernoulli chart alarms."""
    alive, periods = np.zeros(cells), 0.0
    alive[0] = 1.0
    while (left := float(alive.sum())) > 1e-12:
        periods += left
        for _ in range(n):
            moved = np.zeros(cells)
            moved[m - 1 :] = share * alive[: max(0, cells - m + 1)]
            moved[:-1] += (1 - share) * alive[1:]
            moved[0] += (1 - share) * alive[0]
            alive = moved
    return periods


def goals(quick: bool) -> list[Goal]:
    """Returns the largest ratio of delays over cells and changes, and the run length under correlation."""
    rows, worst = [], 0.0
    for n, share, arl0 in CELLS:
        chart = settled(n, share, arl0)
        run = ours(chart, n, share)
        for change in CHANGES:
            mine, best = ours(chart, n, share * change), theirs(n, share, change, run * n)
            worst = max(worst, mine / best)
            rows.append(
                Row(
                    "delay, periods (reference: Bernoulli)",
                    f"{n} trials of {share:g}, {change:g}x, ARL0 {run:,.0f}",
                    mine,
                    0.0,
                    best,
                )
            )
    out = [
        Goal(
            "G6@delay", worst, "<= 1.05", held(worst, "<= 1.05"), 0.0, "worst ratio of exact delays, rho 0", tuple(rows)
        )
    ]
    rng, rows, lowest = simulators.rng("g6"), [], metrics.Estimate(math.inf, 0.0)
    runs = 600 if quick else 4000
    for n, share in ((5, 0.1), (50, 0.1), (500, 0.1)):
        dispersion, size = 1 + (n - 1) * RHO, 1 / RHO - 1
        chart = settled(n, share, DECLARED, dispersion)
        lengths = []
        for _ in range(runs):
            chart.value, t, alarm = 0.0, 0, False
            while not alarm:
                for k in rng.binomial(n, rng.beta(share * size, (1 - share) * size, 200)):
                    t += 1
                    score = chart.update(Proportion(float(k), float(n)))
                    if score is not None and score.alarm:
                        alarm = True
                        break
            lengths.append(t)
        found = metrics.mean(np.array(lengths) / DECLARED)
        rows.append(Row("true ARL0 / declared", f"{n} trials of {share:g}, rho {RHO:g}", *found, reference=1.0))
        lowest = min(lowest, found)
    out.append(
        Goal(
            "G6@rho",
            lowest.value,
            ">= 1",
            held(lowest.value, ">= 1"),
            lowest.error,
            "lowest true ARL0 / declared",
            tuple(rows),
        )
    )
    return out
