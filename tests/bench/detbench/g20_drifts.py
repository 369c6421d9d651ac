"""G20: the run length of `seasonal` when cycles appear, exposure changes or dispersion drifts.

False alarms over those declared (ARL0 1000 periods), after the first 100 periods, default settings, alarms counted with
relearning. Cycles: weekends have half the rate, with sharp edges, from the start or from a later period on. Exposure:
falls to a tenth or rises to ten times over 1000 periods, with the variance/mean constant or the shape of the negative
binomial constant (variance/mean then moves with the exposure). Dispersion: variance/mean 1 becomes 3, at once or over
1000 periods. The bounds are the figures that `detectors/README.md` states, not the declared ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors import build
from detectors.base import Count, Design
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.progress import steps

ARL0, PERIODS, LEARNT, CHANGE = 1000, 4100, 100, 1000
HOURS, DAYS = 8766.0, 365.25


class Cell(NamedTuple):
    """A setting: expected events and exposure of each period, the dispersion, and from when on alarms count."""

    name: str
    per_year: float
    rate: simulators.Floats  # events per unit of exposure
    exposure: simulators.Floats
    dispersion: simulators.Floats  # variance/mean, by period
    shape: float | None = None  # of the negative binomial, in place of the dispersion
    counted_from: int = LEARNT


def _weekends(per_day: int, onset: int) -> simulators.Floats:
    t = np.arange(PERIODS)
    return np.where((t // per_day % 7 >= 5) & (t >= onset), 0.5, 1.0)


def _course(start: float, end: float, *, sudden: bool = False) -> simulators.Floats:
    """From `start` to `end`, by equal factors over `CHANGE` periods, or at once in period `CHANGE`."""
    t = np.arange(PERIODS)
    if sudden:
        return np.where(t < CHANGE, start, end)
    return np.exp(np.interp(t, [LEARNT, LEARNT + CHANGE], [np.log(start), np.log(end)]))


def cells() -> dict[str, list[Cell]]:
    """The settings of each goal."""
    one = np.ones(PERIODS)
    cycles = [
        Cell(f"{unit}, mean {mean:g}, weekends from period {onset}", year, mean * _weekends(per_day, onset), one, one,
             counted_from=max(onset, LEARNT))
        for mean in (2.0, 20.0)
        for unit, year, per_day, onset in (
            ("hours", HOURS, 24, 0), ("hours", HOURS, 24, CHANGE), ("days", DAYS, 1, 0), ("days", DAYS, 1, 400),
        )
    ]  # fmt: skip
    exposure = [
        Cell(f"mean {mean:g}, exposure to {end:g} times, {what}", HOURS, mean * one, _course(1, end), v * one, shape)
        for mean in (2.0, 20.0)
        for end in (0.1, 10.0)
        for what, v, shape in (("variance/mean 1", 1.0, None), ("variance/mean 3", 3.0, None),
                               ("shape constant", 3.0, mean / 2))
    ]  # fmt: skip
    dispersion = [
        Cell(f"mean {mean:g}, variance/mean 1 to 3 {how}", HOURS, mean * one, one, _course(1, 3, sudden=sudden),
             counted_from=CHANGE if sudden else LEARNT)
        for mean in (2.0, 20.0)
        for how, sudden in (("at once", True), ("over 1000 periods", False))
    ]  # fmt: skip
    steady = [
        Cell(f"mean {mean:g}, variance/mean {v:g}", HOURS, mean * one, one, v * one)
        for mean in (2.0, 20.0)
        for v in (1.0, 3.0)
    ]
    return {"cycles": cycles, "exposure": exposure, "dispersion": dispersion, "steady": steady}


def counts(rng: simulators.Rng, cell: Cell) -> simulators.Floats:
    """One stream of a cell."""
    mean = cell.rate * cell.exposure
    if cell.shape is not None:
        return simulators.counts_of_shape(rng, mean, cell.shape)
    spread = np.maximum(cell.dispersion - 1, 1e-9)
    found: simulators.Floats = rng.poisson(np.where(cell.dispersion > 1, rng.gamma(mean / spread, spread), mean))
    return found.astype(float)


def false_alarms(rng: simulators.Rng, cell: Cell, runs: int) -> metrics.Estimate:
    """Alarms of in-control streams over those that the declared run length allows."""
    found = []
    for _ in range(runs):
        detector, alarms = build("seasonal", Design(periods_per_year=cell.per_year), {"arl0": ARL0}), 0
        for t, k in enumerate(counts(rng, cell)):
            score = detector.update(Count(float(k), float(cell.exposure[t]), t))
            alarms += t >= cell.counted_from and score is not None and score.alarm
        found.append(alarms / (PERIODS - cell.counted_from) * ARL0)
    return metrics.mean(np.array(found))


def goals(quick: bool) -> list[Goal]:
    """Returns the worst setting of each drift, and of none."""
    rng, runs, made = simulators.rng("g20"), 20 if quick else 200, []
    bounds = {"cycles": "<= 3", "exposure": "<= 2", "dispersion": "<= 2", "steady": "<= 1.6"}
    for name, settings in cells().items():
        rows = [
            Row("false alarms over declared", cell.name, *false_alarms(rng, cell, runs))
            for cell in steps(settings, f"G20 {name}")
        ]
        worst = max(rows, key=lambda row: row.figure)
        note = f"false alarms of `seasonal` over those declared: {name} (worst: {worst.setting})"
        ok = held(worst.figure, bounds[name])
        made.append(Goal(f"G20@{name}", worst.figure, bounds[name], ok, worst.error, note, tuple(rows)))
    return made
