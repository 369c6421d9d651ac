"""G1: delay of an escalation with the proved threshold, at one false alarm in 100 years of hourly periods or fewer.

Poisson counts, mean 5 known, `e_detector` for rises. Steady-state: the change comes after 100 periods in control
without an alarm. Zero-state delays are printed as well. The same random numbers for every setting.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.base import Design
from detectors.e_detector import EDetector
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.charts import delays
from tests.bench.detbench.goal import Goal, Row

MEAN, ARL0, RUN_IN = 5.0, 876_000.0, 100
SETTING = {"ratios": (1.25, 1.5, 2.0, 3.0), "weights": (1.0, 3.0, 3.0, 2.0), "side": "up"}
BOUNDS = {1.5: 24.3, 2.0: 8.0, 3.0: 2.9}


def goals(quick: bool) -> list[Goal]:
    """Returns one goal per size of the change."""
    runs = 20_000 if quick else 100_000
    made = EDetector.design(Design(), arl0=ARL0, baseline=MEAN, **SETTING)  # type: ignore[arg-type]
    out = []
    for ratio, bound in BOUNDS.items():
        rng = simulators.rng("g1")
        steady = metrics.mean(delays(made, rng, MEAN, ratio, runs, RUN_IN))
        zero = metrics.mean(delays(made, rng, MEAN, ratio, runs, 0))
        name = f"Poisson 5, {ratio:g}x, threshold {math.exp(made.threshold):,.0f} (theorem)"
        rows = (
            Row("steady-state delay, periods", name, *steady, reference=bound),
            Row("zero-state delay, periods", name, *zero),
        )
        out.append(Goal(f"G1@{ratio:g}x", steady.value, f"<= {bound:g}", steady.value <= bound, steady.error,
                        f"periods, steady-state; zero-state {zero.value:.2f}", rows))  # fmt: skip
    assert np.isclose(math.exp(made.threshold), ARL0), "the threshold is the proved one"
    return out
