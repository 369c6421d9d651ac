"""G3: run length and delay with a baseline learnt from 100 periods, with a daily cycle and overdispersion.

Declared ARL0 1000 periods, daily cycle of 30 % at an unknown phase, variance/mean 1, 2, 3. False alarms: streams that
alarm within a tenth of the declared ARL0, right after learning. Delay: against a CUSUM that knows level, cycle,
variance/mean and the size of the change (`oracle.py`); steady-state as in G1 and G2 (the change comes after 100
periods without an alarm, in which the chart continues to learn); zero-state (the change comes when learning ends) as
a separate goal.
"""

from __future__ import annotations

import numpy as np

from detectors.base import Count, Design
from detectors.predictive_change import SeasonalChange
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.oracle import Oracle
from tests.bench.detbench.progress import steps

ARL0, LEARNT, RUN_IN, CYCLE = 1000, 100, 100, 0.3
MEANS, SPREADS, RATIOS = (5.0, 50.0, 0.5), (1.0, 2.0, 3.0), (1.5, 2.0, 3.0)


def stream(
    rng: np.random.Generator, mean: float, dispersion: float, onset: int, ratio: float, more: int
) -> list[Count]:
    """Returns `onset` periods in control, then `more` at `ratio` times the rate."""
    level = mean * simulators.profile(onset + more, cycle=CYCLE, week=None, phase=float(rng.integers(0, 24)))
    k = simulators.counts(rng, level * simulators.step(onset + more, onset, ratio), dispersion)
    return [Count(float(v), 1.0, t) for t, v in enumerate(k)]


def make() -> SeasonalChange:
    """Returns the default detector; only the declared run length and the learning time are set."""
    return SeasonalChange.design(Design(), arl0=ARL0, baseline_periods=LEARNT)


def goals(quick: bool) -> list[Goal]:
    """Returns G3a false alarms, G3b steady-state delay, G3c zero-state delay, G3d zero-state below one event a
    period."""
    rng = simulators.rng("g3")
    nulls, changes, calibration = (1200, 250, 500) if quick else (6000, 1500, 2000)
    alarms: list[tuple[metrics.Estimate, Row]] = []
    steady: dict[bool, list[tuple[metrics.Estimate, Row]]] = {True: [], False: []}
    zero: list[tuple[metrics.Estimate, Row]] = []
    cells = [(mean, dispersion) for mean in MEANS for dispersion in SPREADS]
    for mean, dispersion in steps(cells, "G3"):
        name = f"mean {mean:g}, var/mean {dispersion:g}"
        hits = sum(
            metrics.first_alarm(make(), stream(rng, mean, dispersion, LEARNT + ARL0 // 10, 1.0, 0)) is not None
            for _ in range(nulls)
        )
        found = metrics.share(hits, nulls)
        alarms.append((found, Row("alarm within ARL0/10", name, *found)))
        for ratio in RATIOS:
            best = Oracle(rng, mean, dispersion, CYCLE, ratio, ARL0, calibration)
            for run_in in (RUN_IN, 0):
                onset = LEARNT + run_in
                streams = (stream(rng, mean, dispersion, onset, ratio, 2000) for _ in range(changes))
                delays, _ = metrics.steady(make, streams, onset)
                theirs = metrics.mean(best.delays(changes * 4, run_in))
                ours = metrics.mean(delays)
                quotient = metrics.ratio(ours, theirs)
                what = "delay, run-in 100" if run_in else "delay, no run-in"
                row = Row(what, f"{name}, {ratio:g}x", *ours, theirs.value)
                if run_in:
                    steady[mean >= 1].append((quotient, row))
                else:
                    zero.append((quotient, row))
    said = f"daily cycle {CYCLE}, {LEARNT} periods learnt, declared ARL0 {ARL0}"
    return [
        _goal("G3a", "<= 0.11", f"largest fraction of streams alarming within ARL0/10; {said}", alarms),
        _goal(
            "G3b",
            "<= 1.3",
            f"worst delay / that of a CUSUM with full knowledge, run-in 100, means 5 and 50; {said}",
            steady[True],
        ),
        _goal("G3c", "<= 1.3", f"the same at mean 0.5 (50 events learnt from); {said}", steady[False]),
        _goal("G3d", "<= 1.3", f"the same without a run-in, all means; {said}", zero),
    ]


def _goal(name: str, bound: str, note: str, found: list[tuple[metrics.Estimate, Row]]) -> Goal:
    worst, row = max(found, key=lambda pair: pair[0].value)
    note = f"{note} (worst: {row.setting})"
    return Goal(name, worst.value, bound, held(worst.value, bound), worst.error, note, tuple(r for _, r in found))
