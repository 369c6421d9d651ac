"""G12: dispersion above what the charter grants is found before it breaks the halt.

Pilots exactly at their limit, one year of daily periods, variance/mean granted 1 or 2 and 1, 2 or 4 times as much in
truth; `limit_e_process` as the shipped templates configure it (`withhold`). Ever halted over alpha, the share found
within 100 periods, and the share of honest streams in which anything is reported. The delay of a halt at twice the
limit from period 0, 30 and 100 is shown next to that without the check: it is the price.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.base import Count, Design
from detectors.e_process import LimitEProcess
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.progress import steps

ALPHA, PERIODS, SOON, MEANS = 0.01, 365, 100, (5.0, 20.0)


def year(
    rng: np.random.Generator, mean: float, granted: float, true: float, onset: int | None = None, check: bool = True
) -> tuple[float, float]:
    """Returns the periods of the halt and of the report (infinite if none); from `onset` on the rate is doubled."""
    design = Design(limit=mean, alpha=ALPHA, variance_mean=granted, check_dispersion=check)
    detector = LimitEProcess.design(design, withhold=check)
    level = np.full(PERIODS, mean)
    if onset is not None:
        level[onset:] *= 2
    halted = reported = math.inf
    for t, k in enumerate(simulators.counts(rng, level, true), 1):
        score = detector.update(Count(float(k), 1.0))
        if score is not None and score.alarm:
            halted = t
            break
        if detector.check is not None and detector.check.exceeded and math.isinf(reported):
            reported = t
    return halted, reported


def goals(quick: bool) -> list[Goal]:
    """Returns G12a false halts over alpha, G12b found within 100 periods, G12c honest streams with a report."""
    rng, runs = simulators.rng("g12"), 150 if quick else 2000
    halts, founds, honest, rows = [], [], [], []
    for granted in steps([1.0, 2.0], "G12"):
        for mean in MEANS:
            for times in (1.0, 2.0, 4.0):
                years = np.array([year(rng, mean, granted, times * granted) for _ in range(runs)])
                what = f"mean {mean:g}, granted {granted:g}, true {times * granted:g}"
                halted = metrics.share(int(np.isfinite(years[:, 0]).sum()), runs)
                halts.append((halted.value / ALPHA, halted.error / ALPHA, Row("ever halted", what, *halted)))
                soon = metrics.share(int((years[:, 1] <= SOON).sum()), runs)
                if times > 1:
                    founds.append((soon.value, soon.error, Row("found within 100 periods", what, *soon)))
                else:
                    ever = metrics.share(int(np.isfinite(years[:, 1]).sum()), runs)
                    honest.append((ever.value, ever.error, Row("reported in an honest year", what, *ever)))
            for onset in (0, 30, 100):
                both = [
                    [year(rng, mean, granted, granted, onset, check)[0] - onset for _ in range(runs // 5)]
                    for check in (True, False)
                ]
                setting = f"mean {mean:g}, granted {granted:g}, doubled from period {onset}"
                with_check, without = (float(np.median(d)) for d in both)
                rows.append(Row("median delay of the halt (reference: without)", setting, with_check, 0.0, without))
    most, least, loud = max(halts), min(founds), max(honest)
    said = f"at the limit, {PERIODS} periods, alpha {ALPHA:g}"
    return [
        Goal("G12a", most[0], "<= 2", held(most[0], "<= 2"), most[1], f"ever halted / alpha; {said}", _rows(halts)),
        Goal("G12b", least[0], ">= 0.9", held(least[0], ">= 0.9"), least[1], "found within 100 periods", _rows(founds)),
        Goal(
            "G12c",
            loud[0],
            "<= 0.01",
            held(loud[0], "<= 0.01"),
            loud[1],
            "honest years reported",
            (*_rows(honest), *rows),
        ),
    ]


def _rows(found: list[tuple[float, float, Row]]) -> tuple[Row, ...]:
    return tuple(row for _, _, row in found)
