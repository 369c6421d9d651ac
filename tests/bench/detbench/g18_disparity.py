"""G18: gaps between groups: false alarms of `disparity`, coverage of its interval, its delay and its cost.

A group of 30 % or 10 % of the exposure at exactly 1.25 times the rate of the others, for a year of days, alpha 5 %:
Poisson and negative binomial counts (as granted), groups that differ in dispersion, days that move all groups alike,
and proportions. The same at twice the rate gives the delay.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import numpy as np

from detectors import build
from detectors.base import Compared, Design
from detectors.disparity import Disparity
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.progress import steps

ALPHA, LIMIT, DAYS, EVENTS = 0.05, 1.25, 365, 20.0


class Setting(NamedTuple):
    """`v` and `rest_v`: variance/mean of the group and of the others; `common`: squared relative deviation of what
    moves both; `proportion`: events per trial, `None` for counts over exposure."""

    name: str
    v: float = 1.0
    rest_v: float = 1.0
    common: float = 0.0
    proportion: float | None = None


SETTINGS = (
    Setting("Poisson"),
    Setting("variance/mean 3", 3.0, 3.0),
    Setting("variance/mean 3 and 1", 3.0, 1.0),
    Setting("Poisson, common shocks", common=0.5),
    Setting("variance/mean 3, common shocks", 3.0, 3.0, 0.5),
    Setting("proportions of 5 %", proportion=0.05),
    Setting("proportions of 40 %", proportion=0.4),
)


def period(rng: simulators.Rng, s: Setting, part: float, ratio: float) -> Compared:
    """One day of a group with `part` of the exposure (which varies by half) at `ratio` times the rate of the others."""
    mine, rest = 1000 * part * rng.uniform(0.5, 1.5), 1000 * (1 - part)
    if s.proportion is not None:
        n, m = round(mine), round(rest)
        k, other = rng.binomial(n, min(s.proportion * ratio, 1.0)), rng.binomial(m, s.proportion)
        return Compared(float(k), float(n), float(other), float(m), is_proportion=True)
    shock = rng.gamma(1 / s.common, s.common) if s.common else 1.0
    means = EVENTS * shock * ratio * mine / 1000, EVENTS * shock * rest / 1000
    k, other = (
        rng.poisson(mean) if v == 1 else rng.negative_binomial(mean / (v - 1) + 1e-12, 1 / v)
        for mean, v in zip(means, (s.v, s.rest_v), strict=True)
    )
    return Compared(float(k), mine, float(other), rest)


def watched(rng: simulators.Rng, s: Setting, part: float, ratio: float) -> tuple[int | None, bool]:
    """The day of the alarm, if any, and whether the confidence sequence held the ratio at every tenth day."""
    detector = build("disparity", Design(alpha=ALPHA, variance_mean=max(s.v, s.rest_v)), {"at_most": LIMIT})
    assert isinstance(detector, Disparity)
    alarm, covered = None, True
    for day in range(1, DAYS + 1):
        score = detector.update(period(rng, s, part, ratio))
        if alarm is None and score is not None and score.alarm:
            alarm = day
        found = detector.interval() if day % 10 == 0 else None
        covered = covered and (found is None or found[1] <= ratio <= found[2])
    return alarm, covered


def goals(quick: bool) -> list[Goal]:
    """Returns false-alarm rate and coverage over all settings (each is a row), the delay and the cost."""
    rng, runs, rows = simulators.rng("g18"), 30 if quick else 400, []
    alarms = covering = trials = 0
    delays: dict[str, metrics.Estimate] = {}
    for s in SETTINGS:
        for part in (0.3, 0.1):
            what = f"{s.name}, {part:.0%} of the exposure"
            at_limit = [watched(rng, s, part, LIMIT) for _ in steps(range(runs), what)]
            rate = metrics.share(sum(a is not None for a, _ in at_limit), runs)
            cover = metrics.share(sum(c for _, c in at_limit), runs)
            above = [watched(rng, s, part, 2.0)[0] or DAYS for _ in range(max(runs // 4, 10))]
            delays[what] = metrics.Estimate(
                float(np.median(above)), 1.25 * float(np.std(above)) / math.sqrt(len(above))
            )
            rows += [Row("ever alarms at the limit", what, *rate), Row("interval covers for a year", what, *cover)]
            rows.append(Row("days to find twice the rate, median", what, *delays[what]))
            alarms, trials = alarms + sum(a is not None for a, _ in at_limit), trials + runs
            covering += sum(c for _, c in at_limit)
    false, covered = metrics.share(alarms, trials), metrics.share(covering, trials)
    usual = delays[f"{SETTINGS[0].name}, 30% of the exposure"]
    stream = [period(rng, SETTINGS[1], 0.3, 1.0) for _ in range(2_000)]
    made = partial(build, "disparity", Design(alpha=ALPHA, variance_mean=3.0))
    cost, size = metrics.cost(made, stream, 3 if quick else 10)  # type: ignore[arg-type]
    rows.append(Row("us per period and segment (reference: bytes)", "variance/mean 3", cost, 0.0, size))
    return [
        Goal(
            "H8@false",
            false.value,
            "<= 0.05",
            false.value <= 0.05,
            false.error,
            "ever in a year, all settings alike",
            tuple(rows),
        ),
        Goal("H8@interval", covered.value, ">= 0.95", held(covered.value, ">= 0.95"), covered.error, "a year long"),
        Goal("H8@delay", usual.value, "<= 14", held(usual.value, "<= 14"), usual.error, "days, Poisson, 20 a day"),
    ]
