"""G2: one setting for changes of every size, at one false alarm in 1000 periods.

Poisson counts, mean 5 known, `e_detector` for rises with a calibrated threshold (renewal theory, an approximation),
whose run length is simulated here with its error. Steady-state as in G1; zero-state delays are printed as well.
"""

from __future__ import annotations

import math

from detectors.base import Design
from detectors.e_detector import EDetector
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.charts import agree, delays, run_lengths
from tests.bench.detbench.goal import Goal, Row

MEAN, ARL0, RUN_IN = 5.0, 1000.0, 100
SETTING = {"ratios": (1.21, 1.5, 2.0, 3.0), "weights": (1.05, 1.4, 1.45, 1.3), "side": "up"}
ASKED = 998.0  # the declared ARL0 for which the simulated run length is at least 1000
BOUNDS = {1.2: 37.0, 1.5: 9.3, 2.0: 3.6, 3.0: 1.6}


def make() -> EDetector:
    """Returns the detector with the one setting."""
    return EDetector.design(Design(), arl0=ASKED, baseline=MEAN, calibrate_for=MEAN, **SETTING)  # type: ignore[arg-type]


def goals(quick: bool) -> list[Goal]:
    """Returns the run length, and one goal per size of the change."""
    agree(make(), simulators.rng("g2-agree"), MEAN)
    arl0 = metrics.mean(run_lengths(make(), simulators.rng("g2-null"), MEAN, 10_000 if quick else 100_000))
    runs = 20_000 if quick else 200_000
    calibrated = math.exp(make().calibrated_log_threshold or math.nan)
    row = Row("ARL0, periods", f"threshold {calibrated:.1f} (calibrated)", *arl0, reference=ARL0)
    out = [Goal("G2@null", arl0.value, f">= {ARL0:g}", arl0.value >= ARL0, arl0.error, "periods, zero-state", (row,))]
    for ratio, bound in BOUNDS.items():
        rng = simulators.rng("g2")
        steady = metrics.mean(delays(make(), rng, MEAN, ratio, runs // (3 if ratio < 1.3 else 1), RUN_IN))
        zero = metrics.mean(delays(make(), rng, MEAN, ratio, runs // 3, 0))
        name = f"Poisson 5, {ratio:g}x"
        rows = (
            Row("steady-state delay, periods", name, *steady, reference=bound),
            Row("zero-state delay, periods", name, *zero),
        )
        out.append(Goal(f"G2@{ratio:g}x", steady.value, f"<= {bound:g}", steady.value <= bound, steady.error,
                        f"periods, steady-state; zero-state {zero.value:.2f}", rows))  # fmt: skip
    return out
