"""G12: dispersion above what the charter grants is found before it breaks the halt, and honest streams are let alone.

One year of daily periods, granted variance/mean 1 or 2. At the limit with 2 and 4 times the granted variance/mean: ever
halted over alpha, with `dispersion_prior` 3 (as in the templates) and 1, and without a check (the default). The share
found within 100 periods. Honest streams in which anything is reported: constant, with a weekly cycle of 2:1, one
outbreak week, a slow ramp, a step to twice the rate, varying exposure, and some of them together. The price: the median
delay of the halt of a stream whose rate doubles in period 0, 30 or 100.

The constants of the check were chosen at means of 1, 3, 12 and 50, cycles of 2.5:1, outbreaks of 4 and 6 times and a
step to 2.5 times the rate; the cells here are others.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from detectors.base import Count, Design
from detectors.checked_limit import CheckedLimitEProcess
from detectors.dispersion_check import DispersionCheck
from detectors.e_process import LimitEProcess
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.progress import steps

ALPHA, PERIODS, SOON = 0.01, 365, 100
GRANTED, MEANS, FOUND_AT, QUIET_AT = (1.0, 2.0), (5.0, 20.0), (1.0, 5.0, 20.0), (0.2, 1.0, 5.0, 20.0)
PERIODS_PER_YEAR = 365.25
DAY = np.arange(PERIODS)


def cycle(ratio: float, within: int = 7, long: int = 5) -> simulators.Floats:
    """`ratio` times the rate for `long` of `within` periods, mean 1."""
    level = np.where(DAY % within < long, ratio, 1.0)
    return level * (within / (long * ratio + within - long))


def outbreak(ratio: float, onset: int, length: int = 7) -> simulators.Floats:
    """`ratio` times the rate for one week."""
    return simulators.spike(PERIODS, onset, ratio, length)


HONEST: dict[str, simulators.Floats | None] = {
    "constant": np.ones(PERIODS),
    "weekly cycle 2:1": cycle(2.0),
    "outbreak week 3x": outbreak(3.0, 160),
    "outbreak week 5x": outbreak(5.0, 160),
    "ramp to 2x in a year": np.linspace(0.67, 1.33, PERIODS),
    "step to 2x": simulators.step(PERIODS, 200, 2.0),
    "exposure .3 to 3": None,
    "cycle, and outbreak 5x": cycle(2.0) * outbreak(5.0, 160),
}
HARD: dict[str, simulators.Floats | None] = {  # shown, and not part of the goal
    "outbreak week 5x from day 20": outbreak(5.0, 20),
    "outbreak week 5x from day 40": outbreak(5.0, 40),
    "weekly cycle 5:1": cycle(5.0),
    "ramp to 2x in a month": simulators.ramp(PERIODS, 100, 2.0, 30),
    "three outbreaks": outbreak(3.0, 70) * outbreak(5.0, 160) * outbreak(3.0, 270, 10),
    "cycle of 5 periods, 2:1": cycle(2.0, 5, 3),
}


def reported(
    rng: simulators.Rng, mean: float, granted: float, true: float, shape: simulators.Floats | None, periods: int
) -> float:
    """The period of the report; infinite if there is none."""
    exposure = np.ones(periods) if shape is not None else rng.uniform(0.3, 3, periods)
    level = mean * exposure * (1 if shape is None else shape[:periods])
    return _period_of_report(simulators.counts(rng, level, true), exposure, granted)


def _period_of_report(counts: simulators.Floats, exposure: simulators.Floats, granted: float) -> float:
    check = DispersionCheck.of(periods_per_year=PERIODS_PER_YEAR)
    for t, (k, x) in enumerate(zip(counts.tolist(), exposure.tolist(), strict=True)):
        check.update(k, x, t, granted)
        if check.exceeded:
            return t + 1
    return math.inf


def halted(
    rng: simulators.Rng, mean: float, granted: float, true: float, onset: int | None, params: dict[str, object]
) -> float:
    """The period of the halt of a stream at its limit, with twice its rate from `onset` on; infinite if there is
    none."""
    detector = LimitEProcess.design(
        Design(limit=mean, alpha=ALPHA, variance_mean=granted, periods_per_year=PERIODS_PER_YEAR),
        **params,  # type: ignore[arg-type]
    )
    level = mean * (np.ones(PERIODS) if onset is None else simulators.step(PERIODS, onset, 2.0))
    for t, k in enumerate(simulators.counts(rng, level, true).tolist()):
        observation = Count(k, 1.0, t)
        score = detector.update(observation)
        if score is not None and score.alarm:
            return t + 1
        if isinstance(detector, CheckedLimitEProcess):
            detector.check_dispersion(observation)
            if detector.check.exceeded:
                return math.inf  # escalates at most from here on
    return math.inf


SETTINGS: dict[str, dict[str, object]] = {
    "prior 3": {"check_dispersion": True, "dispersion_prior": 3},
    "prior 1": {"check_dispersion": True},
    "no check": {},
}


def goals(quick: bool) -> list[Goal]:
    """Returns G12a false halts over alpha, G12b found within 100 periods, G12c honest streams reported, G12d price."""
    rng, runs = simulators.rng("g12"), 150 if quick else 1000
    halts = _halts(rng, runs)
    founds = _founds(rng, runs)
    quiet, hard = (_quiet(rng, runs, shapes) for shapes in (HONEST, HARD))
    prices, later = _prices(rng, max(runs // 4, 60)), _later(rng, max(runs // 10, 40))
    most = max((r for r in halts if "prior 3" in r.setting), key=_figure)
    least, loud = _least(founds), max(quiet, key=_figure)
    dearest = max(
        p.figure - (p.reference or 0.0) for p in prices if "prior 3" in p.setting and "period 100" in p.setting
    )
    ratio = most.figure / ALPHA
    return [
        Goal("G12a", ratio, "<= 2", held(ratio, "<= 2"), most.error / ALPHA, f"halted / alpha; {most.setting}", halts),
        *[
            Goal(
                f"G12b@{times:g}x",
                low.figure,
                ">= 0.9",
                held(low.figure, ">= 0.9"),
                low.error,
                low.setting,
                (*rows, *later),
            )
            for times, low, rows in least
        ],
        Goal("G12c", loud.figure, "<= 0.01", held(loud.figure, "<= 0.01"), loud.error, loud.setting, (*quiet, *hard)),
        Goal("G12d", dearest, "<= 1", held(dearest, "<= 1"), 0.5, "periods longer to a halt, from period 100", prices),
    ]


def _halts(rng: simulators.Rng, runs: int) -> tuple[Row, ...]:
    rows = []
    for name in steps(list(SETTINGS), "G12 halts"):
        for granted in GRANTED:
            for mean in MEANS:
                for times in (1.0, 2.0, 4.0):
                    found = [halted(rng, mean, granted, granted * times, None, SETTINGS[name]) for _ in range(runs)]
                    share = metrics.share(sum(map(math.isfinite, found)), runs)
                    rows.append(
                        Row("ever halted", f"{name}, mean {mean:g}, granted {granted:g}, true {times:g}x", *share)
                    )
    return tuple(sorted(rows, key=lambda row: row.setting))


def _founds(rng: simulators.Rng, runs: int) -> tuple[Row, ...]:
    rows = []
    for times in (2.0, 4.0):
        for granted in GRANTED:
            for mean in FOUND_AT:
                for shape in ("constant", "weekly cycle 2:1"):
                    one = partial(reported, rng, mean, granted, granted * times, HONEST[shape], SOON)
                    share = metrics.share(sum(math.isfinite(one()) for _ in range(runs)), runs)
                    what = f"true {times:g}x, mean {mean:g}, granted {granted:g}, {shape}"
                    rows.append(Row("found within 100 periods", what, *share))
    return tuple(rows)


def _least(rows: tuple[Row, ...]) -> list[tuple[float, Row, tuple[Row, ...]]]:
    """For each multiple the lowest share at means of 5 and 20; lower means are shown."""
    made = []
    for times in (2.0, 4.0):
        mine = tuple(row for row in rows if row.setting.startswith(f"true {times:g}x"))
        low = min((row for row in mine if "mean 1," not in row.setting), key=lambda row: row.figure)
        made.append((times, low, mine))
    return made


def _later(rng: simulators.Rng, runs: int) -> tuple[Row, ...]:
    """Periods to the report where the dispersion rises after an honest year."""
    rows = []
    for times in (2.0, 4.0):
        for granted in GRANTED:
            for mean in MEANS:
                delays = []
                for _ in range(runs):
                    both = [simulators.counts(rng, np.full(PERIODS, mean), granted * v) for v in (1.0, times, times)]
                    at = _period_of_report(np.concatenate(both), np.ones(3 * PERIODS), granted)
                    delays.append(at - PERIODS)
                setting = f"true {times:g}x after a year, mean {mean:g}, granted {granted:g}"
                rows.append(
                    Row("median periods to the report", setting, *metrics.quantile(np.minimum(delays, 999), 0.5))
                )
    return tuple(rows)


def _quiet(rng: simulators.Rng, runs: int, shapes: dict[str, simulators.Floats | None]) -> tuple[Row, ...]:
    rows = []
    for name in steps(list(shapes), "G12 honest"):
        for granted in GRANTED:
            for mean in QUIET_AT:
                one = partial(reported, rng, mean, granted, granted, shapes[name], PERIODS)
                share = metrics.share(sum(math.isfinite(one()) for _ in range(runs)), runs)
                rows.append(Row("reported in an honest year", f"{name}, mean {mean:g}, granted {granted:g}", *share))
    return tuple(rows)


def _prices(rng: simulators.Rng, runs: int) -> tuple[Row, ...]:
    rows = []
    for granted in steps(list(GRANTED), "G12 price"):
        for mean in MEANS:
            for onset in (0, 30, 100):
                delays = {}
                for name, params in SETTINGS.items():
                    got = [halted(rng, mean, granted, granted, onset, params) - onset for _ in range(runs)]
                    delays[name] = float(np.median([d for d in got if d > 0]))
                for name in list(SETTINGS)[:-1]:
                    setting = f"{name}, mean {mean:g}, granted {granted:g}, 2x from period {onset}"
                    rows.append(
                        Row("median delay (reference: no check)", setting, delays[name], 0.0, delays["no check"])
                    )
    return tuple(rows)


def _figure(row: Row) -> float:
    return row.figure
