"""G8: the default shape detector on 35 labelled series of the Numenta Anomaly Benchmark and on simulated families.

`watch` only; the benchmark has known faults (Wu and Keogh, arXiv 2009.13807: doubtful labels, one threshold for
unlike series). G8 is the score with the default threshold and cooldown: nothing is chosen during the measurement. G8b
is what the score loses if, for each family, the threshold is the best one on the other families. G8c is the mean score
by default over three simulated families of other kinds (`labelled_families.py`). The detector sees numbers one after
another; of a file it is given the step in seconds (the length of a day), never its range or its future.

How the defaults were chosen: on the shared series and on simulated ones like those of G8c with other random numbers,
by scores over all of them, never by one file's alarms; each length from the middle of a range over which the score
hardly changes; the rows "one parameter changed" show how much. Expect lower scores on other series.

`NAB_DATA` is the folder with the families and `windows.json`; by default `shared/data/nab` next to the repository.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.base import Count, Design, Detector, Gauge, Observation
from detectors.river_adapters import RiverDrift
from detectors.shape import Shape
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.labelled_families import simulated
from tests.bench.detbench.nab_score import Labelled, NoData, count, normal, read
from tests.bench.detbench.progress import steps

Floats = NDArray[np.float64]
THRESHOLDS = np.round(np.arange(1.6, 8.0001, 0.05), 2)
DEFAULT = Path(__file__).resolve().parents[4] / "shared" / "data" / "nab"
BOUNDS = {"G8": ">= 70", "G8b": "<= 2", "G8c": ">= 65"}
BEFORE = {"clicks": 52.4, "mentions": 63.8, "roads": 72.1}  # without deviations, spread and bounded maxima
PUBLISHED = {"with look-ahead": 67.9, "without": 53.0, "windowed Gaussian": 21.9}
CHANGES: tuple[Mapping[str, Any], ...] = (
    {"cooldown": 25},
    {"cooldown": 100},
    {"season": 288},
    {"season": 0},
    {"fast": 24, "slow": 288},
    {"fast": 96, "slow": 1152},
    {"stride": 6, "window": 12, "keep": 336},
    {"window": 9},
    {"keep": 120},
    {"block": 24},
    {"block": 32},
    {"block": 48},
    {"blocks": 48},
    {"blocks": 96},
)


def goals(quick: bool) -> list[Goal]:
    """Returns G8 and G8b. Nothing is random, so `quick` only leaves out the changed parameters."""
    try:
        series = read(Path(os.environ.get("NAB_DATA", DEFAULT)))
    except NoData as absent:
        return [Goal(name, float("nan"), bound, False, 0.0, str(absent)) for name, bound in BOUNDS.items()]
    scored = [statistics(shape, s) for s in steps(series, "G8: statistics")]
    by_default = np.array([s.earned(alarms(shape(s), s)) for s in steps(series, "G8: alarms")])
    threshold, cooldown = shape(series[0]).threshold, shape(series[0]).cooldown
    grid = np.array(
        [
            [s.earned(episodes(x, b, cooldown)) for b in THRESHOLDS]
            for s, x in steps([*zip(series, scored, strict=True)], "G8: thresholds")
        ]
    )
    score, at = score_of(series, by_default), int(grid.sum(axis=0).argmax())
    left_out, thresholds = leave_out(series, grid)
    out = score_of(series, left_out)
    everywhere = [f for f in families(series) if count([s for s in series if s.family == f])]
    rows = [
        Row(
            "every series",
            f"threshold {threshold:g}, cooldown {cooldown}",
            score,
            standard_error(series, by_default),
            PUBLISHED["without"],
        ),
        *(Row(f, "default threshold", score_in(f, series, by_default)) for f in everywhere),
        Row(
            "earned by artificialNoAnomaly",
            "0 is no alarm, -0.11 each",
            score_in("artificialNoAnomaly", series, by_default),
        ),
        Row(
            "best threshold in hindsight",
            f"threshold {THRESHOLDS[at]:g}",
            score_of(series, grid[:, at]),
        ),
        Row("an alarm every 200 rows", "blind", blind(series, 200)),
        Row("river's ADWIN", "its default", score_of(series, [s.earned(alarms(adwin(), s)) for s in series])),
        *(
            Row("another threshold", f"threshold {THRESHOLDS[i]:g}", score_of(series, grid[:, i]), 0.0, score)
            for i in range(18, 41, 4)
        ),
        *yardsticks(quick),
    ]
    kinds, made, its_grid = of_kinds(quick)
    whole, both = [*series, *made], np.concatenate([grid, its_grid])
    chosen = [
        *(Row(f, f"threshold {thresholds[f]:g} from the others", score_in(f, series, left_out)) for f in everywhere),
        Row("every series", "threshold from the others", out, standard_error(series, left_out), score),
        Row(
            "every series",
            "threshold from the others and the simulated families",
            score_of(series, leave_out(whole, balanced(whole, both), both)[0][: len(series)]),
        ),
    ]
    if not quick:
        found, changed = changes(series, grid)
        rows += found
        chosen.append(
            Row(
                "every series",
                "threshold and one parameter from the others",
                score_of(series, leave_out(series, changed)[0]),
            )
        )
    note = (
        "NAB standard profile, 35 series, default detector; the error is a jackknife over series; reference: best known"
    )
    error = standard_error(series, by_default - left_out)  # of a difference: the offset of the scale cancels
    mean = float(np.mean([row.figure for row in kinds]))
    of_mean = float(np.sqrt(sum(row.error**2 for row in kinds)) / len(kinds))
    return [
        goal("G8", score, standard_error(series, by_default), note, rows),
        goal("G8b", score - out, error, "points lost if each family's threshold comes from the others", chosen),
        goal("G8c", mean, of_mean, "three simulated families by default; reference: the detector before", kinds),
    ]


def goal(name: str, figure: float, error: float, note: str, rows: Sequence[Row]) -> Goal:
    """Returns the goal with its bound."""
    return Goal(name, figure, BOUNDS[name], held(figure, BOUNDS[name]), error, note, tuple(rows))


def of_kinds(quick: bool) -> tuple[list[Row], list[Labelled], Floats]:
    """Returns the score of each simulated family by default, its series, and what each earns for every threshold."""
    made = simulated(quick)
    cooldown = shape(made[0]).cooldown
    scored = [statistics(shape, s) for s in steps(made, "G8: simulated families")]
    grid = np.array(
        [[s.earned(episodes(x, b, cooldown)) for b in THRESHOLDS] for s, x in zip(made, scored, strict=True)]
    )
    by_default = grid[:, int(np.flatnonzero(shape(made[0]).threshold == THRESHOLDS)[0])]
    rows = []
    for family in families(made):
        inside = np.array([s.family == family for s in made])
        series = [s for s in made if s.family == family]
        earned = by_default[inside]
        rows.append(
            Row(
                family,
                "default",
                score_of(series, earned),
                standard_error(series, earned),
                None if quick else BEFORE[family],
            )
        )
    return rows, made, grid


def balanced(series: Sequence[Labelled], grid: Floats) -> Floats:
    """Returns what each series earned per window of its family (of both artificial ones together), so that each family
    weighs the same."""
    of = [s.family.removesuffix("NoAnomaly").removesuffix("WithAnomaly") for s in series]
    windows = {family: count([s for s, f in zip(series, of, strict=True) if f == family]) for family in set(of)}
    return grid / np.array([[windows[family]] for family in of])


def changes(series: Sequence[Labelled], grid: Floats) -> tuple[list[Row], Floats]:
    """Returns the effect of one changed parameter with the default threshold, and what each series earns for every
    change and threshold.
    """
    rows, everything = [], [grid]
    usual = int(np.flatnonzero(shape(series[0]).threshold == THRESHOLDS)[0])
    default = score_of(series, grid[:, usual])
    for change in steps(CHANGES, "G8: changes"):
        cooldown = shape(series[0], **change).cooldown
        tuned = {name: value for name, value in change.items() if name != "cooldown"}
        scored = [statistics(shape, s, **tuned) for s in series]
        earned = np.array(
            [[s.earned(episodes(x, b, cooldown)) for b in THRESHOLDS] for s, x in zip(series, scored, strict=True)]
        )
        rows.append(Row("one parameter changed", said(change), score_of(series, earned[:, usual]), 0.0, default))
        everything.append(earned)
    return rows, np.concatenate(everything, axis=1)


def shape(series: Labelled, **params: Any) -> Shape:
    """Returns the default detector for a number of periods per year."""
    return Shape.design(Design(periods_per_year=365.25 * 86400 / series.step), **params)


def adwin() -> RiverDrift:
    """Returns river's drift detector behind its adapter, by default."""
    return RiverDrift.design(Design())


def alarms(detector: Detector, series: Labelled) -> list[int]:
    """Returns the rows in which the detector alarms."""
    scores = [detector.update(Gauge(value=value)) for value in series.values]
    return [row for row, score in enumerate(scores) if score is not None and score.alarm]


def statistics(make: Callable[..., Shape], series: Labelled, **params: Any) -> Floats:
    """Returns the detector's statistic for each row without a cooldown, 0 for no score."""
    detector = make(series, cooldown=0, **params)
    scores = [detector.update(Gauge(value=value)) for value in series.values]
    return np.array([0.0 if score is None else score.statistic for score in scores])


def episodes(values: Floats, threshold: float, cooldown: int) -> list[int]:
    """Returns the first rows of episodes: at or above the threshold, after `cooldown` rows below it (as `Shape`
    does)."""
    found: list[int] = []
    free = -1
    for row in np.flatnonzero(values >= threshold):
        if row > free:
            found.append(int(row))
        free = int(row) + cooldown
    return found


def leave_out(
    series: Sequence[Labelled], grid: Floats, earning: Floats | None = None
) -> tuple[Floats, dict[str, float]]:
    """Returns what each series earns with the threshold that is best on all other families, and these thresholds.

    `grid` is what a threshold is chosen by; `earning` is what it earns, if that differs.
    """
    earning = grid if earning is None else earning
    earned, thresholds = np.zeros(len(series)), {}
    for family in families(series):
        inside = np.array([s.family == family for s in series])
        at = int(grid[~inside].sum(axis=0).argmax())
        earned[inside], thresholds[family] = earning[inside, at], float(THRESHOLDS[at % len(THRESHOLDS)])
    return earned, thresholds


def families(series: Sequence[Labelled]) -> list[str]:
    """Returns the names of families, sorted."""
    return sorted({s.family for s in series})


def score_of(series: Sequence[Labelled], earned: Sequence[float] | Floats) -> float:
    """Returns the benchmark's score of what each series earned."""
    return normal(float(np.sum(earned)), count(series))


def score_in(family: str, series: Sequence[Labelled], earned: Sequence[float] | Floats) -> float:
    """Returns the score within one family; for a family without windows, what it earned."""
    inside = [(s, e) for s, e in zip(series, earned, strict=True) if s.family == family]
    windows, total = count([s for s, _ in inside]), float(sum(e for _, e in inside))
    return normal(total, windows) if windows else total


def standard_error(series: Sequence[Labelled], earned: Sequence[float] | Floats) -> float:
    """Returns one standard error of the score for series drawn from many: a jackknife over series."""
    n = len(series)
    without = [
        score_of([s for j, s in enumerate(series) if j != i], [e for j, e in enumerate(earned) if j != i])
        for i in range(n)
    ]
    return float(np.sqrt((n - 1) / n * np.sum((np.array(without) - np.mean(without)) ** 2)))


def blind(series: Sequence[Labelled], every: int) -> float:
    """Returns the score of alarms at fixed intervals, regardless of the data."""
    return score_of(series, [s.earned(range(0, len(s.values), every)) for s in series])


def said(change: Mapping[str, Any]) -> str:
    """Returns a change of parameters as text."""
    return ", ".join(f"{name} {value}" for name, value in change.items())


def yardsticks(quick: bool) -> list[Row]:
    """Returns false alarms without a change, delays with one (hourly periods), and the cost."""
    streams, periods = (8, 4_000) if quick else (40, 8_766)
    rng = simulators.rng("g8 nulls")
    size = (streams, periods)
    noise = rng.normal(size=size)
    walk = np.zeros(size)
    for i in range(1, periods):
        walk[:, i] = 0.9 * walk[:, i - 1] + noise[:, i]
    level = 5 * simulators.profile(periods, cycle=0.3)
    office = np.where(open_hours(periods), 20.0, 1.0)
    nulls = {
        "independent normal": (gauges(noise), {}),
        "autoregressive .9": (gauges(walk), {}),
        "Poisson 5, daily cycle .3": (counts(rng, level, size), {}),
        "variance/mean 3, daily cycle .3": (counts(rng, level, size, 3.0), {}),
        "office hours, season a day": (counts(rng, office, size), {}),
        "office hours, season a week": (counts(rng, office, size), {"season": simulators.WEEK}),
    }
    rows = []
    for name, (made, params) in steps(nulls.items(), "G8: nulls", total=len(nulls)):
        found = sum(len(heard(stream, params)) for stream in made)
        estimate = metrics.per_year(found, streams, periods, simulators.YEAR)
        rows.append(Row("alarms per stream-year, hourly", name, estimate.value, estimate.error))
    runs, onset = (30 if quick else 200), 1_500
    for ratio in steps((1.5, 2.0, 3.0, 0.2), "G8: steps"):
        change = simulators.step(onset + 72, onset, ratio) * 5 * simulators.profile(onset + 72, cycle=0.3)
        delays = [first_after(heard(stream, {}), onset) for stream in counts(rng, change, (runs, onset + 72))]
        seen = [delay for delay in delays if delay is not None]
        share = metrics.share(len(seen), runs)
        rows.append(
            Row("fraction found within 72 periods", f"Poisson 5, cycle .3, {ratio:g}x", share.value, share.error)
        )
        if len(seen) > runs / 2:
            median = metrics.quantile(seen, 0.5)
            rows.append(
                Row("median delay of those, periods", f"Poisson 5, cycle .3, {ratio:g}x", median.value, median.error)
            )
    sample = gauges(noise[:1])[0]
    for name, year in (("hourly periods", 8766.0), ("periods of 5 minutes", 8766.0 * 12)):
        microseconds, length = metrics.cost(partial(Shape.design, Design(periods_per_year=year)), sample, rounds=3)
        rows += [Row("us/update", name, microseconds), Row("bytes/stream", name, float(length))]
    return rows


def open_hours(periods: int) -> NDArray[np.bool_]:
    """Returns whether an hourly period lies between 9:00 and 17:00 on one of the first five days of a week."""
    hour, weekday = np.arange(periods) % 24, np.arange(periods) // 24 % 7
    inside: NDArray[np.bool_] = (hour >= 9) & (hour < 17) & (weekday < 5)
    return inside


def gauges(values: Floats) -> list[list[Observation]]:
    """Returns streams of gauges, one per row."""
    return [[Gauge(value=float(x)) for x in stream] for stream in values]


def counts(
    rng: simulators.Rng, level: Floats, size: tuple[int, int], dispersion: float = 1.0
) -> list[list[Observation]]:
    """Returns streams of counts over one unit of exposure."""
    drawn = simulators.counts(rng, np.broadcast_to(level, size), dispersion)
    return [[Count(k=float(x), m=1.0) for x in stream] for stream in drawn]


def heard(stream: Sequence[Observation], params: Mapping[str, Any]) -> list[int]:
    """Returns the periods in which a new detector alarms."""
    detector = Shape.design(Design(), **params)
    scores = [detector.update(observation) for observation in stream]
    return [at for at, score in enumerate(scores) if score is not None and score.alarm]


def first_after(found: Sequence[int], onset: int) -> int | None:
    """Returns the periods from the onset to the first alarm at or after it, counted from 1."""
    return next((at - onset + 1 for at in found if at >= onset), None)
