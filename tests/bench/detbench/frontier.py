"""Lower bounds for G2: `python -m tests.bench.detbench.frontier`, some minutes.

No chart is optimal for changes of all sizes at once. For one size the optimum is known: a Shiryaev-Roberts chart for
that ratio has the smallest delay averaged over all onsets at its ARL0 (Pollak and Tartakovsky 2009, Statistica Sinica
19: 1729-1739). So the first four rows, each in its own column, bound every chart. The other rows are the best
settings that a search (Nelder-Mead on the largest of the four ratios to G2's bounds, common random numbers) found in
families that contain G2's: five ratios; sums with a lower bound, like a CUSUM's; two weighted sums that must both be
high, which has the shape of the optimal rule's boundary. All at a simulated ARL0 of 1000 on the same streams.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from detectors.overshoot import calibrated_threshold
from tests.bench.detbench import g2_one_setting as g2
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.charts import LARGEST
from tests.bench.detbench.simulators import Floats, Rng


class Rule(NamedTuple):
    """a_i = max(a_i + weight_i, floor_i) x likelihood ratio i; alarm when the sum (and the one weighted by `second`,
    if given) reaches the threshold.
    """

    name: str
    ratios: Sequence[float]
    weights: Sequence[float]
    floors: Sequence[float] = ()
    second: Sequence[float] = ()


RULES = (
    *(Rule(f"{r:g} alone (the floor of its column)", (r,), (1.0,)) for r in g2.BOUNDS),
    Rule("G2's setting", g2.SETTING["ratios"], g2.SETTING["weights"]),  # type: ignore[arg-type]
    Rule("four ratios, best of largest excess", (1.2238, 1.4967, 1.9515, 2.9148), (0.2042, 0.2495, 0.2909, 0.2553)),
    Rule("five ratios", (1.2253, 1.4621, 1.8733, 2.7349, 4.1219), (0.1801, 0.2011, 0.262, 0.2334, 0.1233)),
    Rule(
        "four ratios with floors",
        (1.1905, 1.4647, 2.0291, 3.6313),
        (0.1825, 0.3217, 0.2829, 0.2129),
        floors=(0.6526, 0.8017, 0.4246, 0.5276),
    ),
    Rule(
        "four ratios, two sums",
        (1.2057, 1.5088, 2.0441, 2.9914),
        (0.1756, 0.3045, 0.2757, 0.2442),
        second=(1.4491, 1.1879, 0.9165, 1.2458),
    ),
)


class Sums:
    """A rule over many streams at once."""

    def __init__(self, rule: Rule) -> None:
        ratios = np.array(rule.ratios)[:, None]
        self.factors = np.exp(np.log(ratios) * np.arange(LARGEST) - (ratios - 1) * g2.MEAN)
        self.weights = np.array(rule.weights)[:, None] / sum(rule.weights)
        self.floors = np.array(rule.floors or [0.0] * len(ratios))[:, None]
        self.second = np.array(rule.second)[:, None] if rule.second else None

    def step(self, sums: Floats, k: Floats) -> tuple[Floats, Floats]:
        """Returns the sums after a period, and the statistic."""
        moved = np.maximum(sums + self.weights, self.floors) * self.factors[:, k.astype(int)]
        total = moved.sum(axis=0)
        return moved, total if self.second is None else np.minimum(total, (self.second * moved).sum(axis=0))

    def lengths(self, rng: Rng, sums: Floats, mean: float, thresholds: Floats, periods: int) -> tuple[Floats, Floats]:
        """Returns periods to the first alarm at each of the rising `thresholds` (streams, thresholds), and the final
        sums."""
        found = np.zeros((sums.shape[1], len(thresholds)))
        live = np.arange(sums.shape[1])
        for t in range(1, periods + 1):
            sums, value = self.step(sums, np.minimum(rng.poisson(mean, sums.shape[1]), LARGEST - 1))
            late = found[live]
            found[live] = np.where((late == 0) & (value[:, None] >= thresholds), t, late)
            stay = value < thresholds[-1]
            if periods > g2.RUN_IN:
                live, sums = live[stay], sums[:, stay]
            if not live.size:
                break
        return found, sums


def threshold_of(rule: Rule, runs: int) -> float:
    """Returns the threshold with a simulated ARL0 of 1000, from nine thresholds near the theoretical one."""
    total = sum(rule.weights)
    guess = calibrated_threshold(rule.ratios, g2.MEAN, g2.ARL0, [w / total for w in rule.weights])
    for wide in (0.06, 0.12, 0.25, 0.5, 1.0):
        thresholds = guess * np.exp(np.linspace(-wide, wide, 9))
        found, _ = Sums(rule).lengths(
            simulators.rng("frontier-null"), np.zeros((len(rule.ratios), runs)), g2.MEAN, thresholds, 10**7
        )
        arl = found.mean(axis=0)
        if arl[0] < g2.ARL0 < arl[-1]:
            return float(np.interp(g2.ARL0, arl, thresholds))
    raise ValueError(f"{rule.name}: no threshold found")


def delays(rule: Rule, threshold: float, ratio: float, runs: int) -> metrics.Estimate:
    """Returns steady-state delays, as in G2."""
    rng, sums, thresholds = simulators.rng("frontier"), Sums(rule), np.array([threshold])
    before, state = sums.lengths(rng, np.zeros((len(rule.ratios), runs)), g2.MEAN, thresholds, g2.RUN_IN)
    after, _ = sums.lengths(rng, state[:, before[:, 0] == 0], g2.MEAN * ratio, thresholds, 10**6)
    return metrics.mean(after[:, 0])


def main(runs: int = 60_000) -> None:
    """Prints one row per rule."""
    print(f"{'':<42}{'threshold':>7}" + "".join(f"{f'{r:g}x':>18}" for r in g2.BOUNDS))
    print(f"{'bounds of G2':<49}" + "".join(f"{b:>18g}" for b in g2.BOUNDS.values()))
    for rule in RULES:
        threshold = threshold_of(rule, runs)
        found = [delays(rule, threshold, r, runs) for r in g2.BOUNDS]
        worst = max(e.value / b for e, b in zip(found, g2.BOUNDS.values(), strict=True))
        cells = "".join(f"{f'{e.value:.3f} +- {e.error:.3f}':>18}" for e in found)
        excess = f"  largest excess {100 * (worst - 1):.1f} %" if math.isfinite(worst) and len(rule.ratios) > 1 else ""
        print(f"{rule.name:<42}{threshold:>7.1f}{cells}{excess}", flush=True)


if __name__ == "__main__":
    main()
