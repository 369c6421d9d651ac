"""G8: the shape detector on 35 labelled series of the Numenta Anomaly Benchmark, as it is built by default.

Watch only, and an outside yardstick with known faults (Wu and Keogh, arXiv 2009.13807: doubtful labels, one threshold for
unlike series). G8 is the score of the detector with its default bar and cooldown: nothing is chosen while it is measured. G8b
leaves one family out at a time: its bar is chosen on the other families. The detector sees numbers one after another; of a
file it is told the step in seconds (that is how long a day is), never its range or its future.

How the defaults came about: on these same series, by looking at scores over all of them, never at one file's alarms. Three
views were kept of some fifteen tried, each length at the middle of a range over which the score hardly moves; the rows
"one parameter changed" show how much. Other series will give less.

`NAB_DATA` is the folder with the families and `windows.json`; by default `shared/data/nab` beside the repository.
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
from tests.bench.detbench.nab_score import Labelled, NoData, count, normal, read
from tests.bench.detbench.progress import steps

Floats = NDArray[np.float64]
BARS = np.round(np.arange(1.6, 8.0001, 0.05), 2)
DEFAULT = Path(__file__).resolve().parents[4] / "shared" / "data" / "nab"
PUBLISHED = {"with look-ahead": 67.9, "without": 53.0, "windowed Gaussian": 21.9}
CHANGES: tuple[Mapping[str, Any], ...] = (
    {"cooldown": 50},
    {"cooldown": 150},
    {"season": 288},
    {"season": 0},
    {"fast": 24, "slow": 288},
    {"fast": 96, "slow": 1152},
    {"stride": 6, "window": 12, "keep": 336},
    {"window": 9},
    {"keep": 120},
    {"block": 24},
    {"block": 48},
    {"blocks": 48},
    {"blocks": 96},
)


def goals(quick: bool) -> list[Goal]:
    """G8 and G8b. Nothing is drawn at random on the series, so `quick` only leaves out the changed parameters."""
    try:
        series = read(Path(os.environ.get("NAB_DATA", DEFAULT)))
    except NoData as absent:
        return [
            Goal(name, float("nan"), bound, False, 0.0, str(absent))
            for name, bound in (("G8", ">= 60"), ("G8b", ">= 58"))
        ]
    loud = [statistics(shape, s) for s in steps(series, "G8: statistics")]
    by_default = np.array([s.earned(alarms(shape(s), s)) for s in steps(series, "G8: alarms")])
    threshold, cooldown = shape(series[0]).threshold, shape(series[0]).cooldown
    grid = np.array(
        [
            [s.earned(episodes(x, b, cooldown)) for b in BARS]
            for s, x in steps([*zip(series, loud, strict=True)], "G8: bars")
        ]
    )
    score, at = score_of(series, by_default), int(grid.sum(axis=0).argmax())
    left_out, thresholds = leave_out(series, grid)
    out = score_of(series, left_out)
    everywhere = [f for f in families(series) if count([s for s in series if s.family == f])]
    rows = [
        Row(
            "every series",
            f"bar {threshold:g}, cooldown {cooldown}",
            score,
            dispersion(series, by_default),
            PUBLISHED["without"],
        ),
        *(Row(f, "bar by default", score_in(f, series, by_default)) for f in everywhere),
        Row(
            "earned by artificialNoAnomaly",
            "0 is no alarm, -0.11 each",
            score_in("artificialNoAnomaly", series, by_default),
        ),
        Row(
            "best bar in hindsight",
            f"bar {BARS[at]:g}",
            score_of(series, grid[:, at]),
        ),
        Row("an alarm every 200 rows", "blind", blind(series, 200)),
        Row("river's ADWIN", "its default", score_of(series, [s.earned(alarms(adwin(), s)) for s in series])),
        *(Row("another bar", f"bar {BARS[i]:g}", score_of(series, grid[:, i]), 0.0, score) for i in range(18, 41, 4)),
        *yardsticks(quick),
    ]
    chosen = [Row(f, f"bar {thresholds[f]:g} from the others", score_in(f, series, left_out)) for f in everywhere]
    if not quick:
        made, changed = changes(series, grid)
        rows += made
        chosen.append(
            Row(
                "every series", "bar and one parameter from the others", score_of(series, leave_out(series, changed)[0])
            )
        )
    note = (
        "NAB standard profile, 35 series, detector by default; the error is a jackknife over series; beside: best known"
    )
    return [
        Goal("G8", score, ">= 60", held(score, ">= 60"), dispersion(series, by_default), note, tuple(rows)),
        Goal(
            "G8b",
            out,
            ">= 58",
            held(out, ">= 58"),
            dispersion(series, left_out),
            "each family's bar from the others",
            tuple(chosen),
        ),
    ]


def changes(series: Sequence[Labelled], grid: Floats) -> tuple[list[Row], Floats]:
    """What one changed parameter does with the default bar, and what each series earns for every change and bar."""
    rows, everything = [], [grid]
    usual = int(np.flatnonzero(shape(series[0]).threshold == BARS)[0])
    default = score_of(series, grid[:, usual])
    for change in steps(CHANGES, "G8: changes"):
        cooldown = shape(series[0], **change).cooldown
        tuned = {name: value for name, value in change.items() if name != "cooldown"}
        loud = [statistics(shape, s, **tuned) for s in series]
        earned = np.array(
            [[s.earned(episodes(x, b, cooldown)) for b in BARS] for s, x in zip(series, loud, strict=True)]
        )
        rows.append(Row("one parameter changed", said(change), score_of(series, earned[:, usual]), 0.0, default))
        everything.append(earned)
    return rows, np.concatenate(everything, axis=1)


def shape(series: Labelled, **params: Any) -> Shape:
    """The detector by default, told how many periods a year has."""
    return Shape.design(Design(periods_per_year=365.25 * 86400 / series.step), **params)


def adwin() -> RiverDrift:
    """river's drift detector behind its adapter, by default."""
    return RiverDrift.design(Design())


def alarms(detector: Detector, series: Labelled) -> list[int]:
    """Rows where the detector alarms."""
    scores = [detector.update(Gauge(value=value)) for value in series.values]
    return [row for row, score in enumerate(scores) if score is not None and score.alarm]


def statistics(make: Callable[..., Shape], series: Labelled, **params: Any) -> Floats:
    """What the detector says of each row without any cooldown, 0 where it has no opinion."""
    detector = make(series, cooldown=0, **params)
    scores = [detector.update(Gauge(value=value)) for value in series.values]
    return np.array([0.0 if score is None else score.statistic for score in scores])


def episodes(values: Floats, threshold: float, cooldown: int) -> list[int]:
    """First rows of episodes: at or above the bar, after `cooldown` rows under it (`Shape` does the same for one bar)."""
    found: list[int] = []
    free = -1
    for row in np.flatnonzero(values >= threshold):
        if row > free:
            found.append(int(row))
        free = int(row) + cooldown
    return found


def leave_out(series: Sequence[Labelled], grid: Floats) -> tuple[Floats, dict[str, float]]:
    """What each series earns with the bar that is best on all other families, and those bars."""
    earned, thresholds = np.zeros(len(series)), {}
    for family in families(series):
        inside = np.array([s.family == family for s in series])
        at = int(grid[~inside].sum(axis=0).argmax())
        earned[inside], thresholds[family] = grid[inside, at], float(BARS[at % len(BARS)])
    return earned, thresholds


def families(series: Sequence[Labelled]) -> list[str]:
    """Names of families, sorted."""
    return sorted({s.family for s in series})


def score_of(series: Sequence[Labelled], earned: Sequence[float] | Floats) -> float:
    """The benchmark's score of what each series earned."""
    return normal(float(np.sum(earned)), count(series))


def score_in(family: str, series: Sequence[Labelled], earned: Sequence[float] | Floats) -> float:
    """The score within one family; for a family without windows, what it earned."""
    inside = [(s, e) for s, e in zip(series, earned, strict=True) if s.family == family]
    windows, total = count([s for s, _ in inside]), float(sum(e for _, e in inside))
    return normal(total, windows) if windows else total


def dispersion(series: Sequence[Labelled], earned: Sequence[float] | Floats) -> float:
    """One standard error of the score if the series were drawn from many: the jackknife that leaves out one at a time."""
    n = len(series)
    without = [
        score_of([s for j, s in enumerate(series) if j != i], [e for j, e in enumerate(earned) if j != i])
        for i in range(n)
    ]
    return float(np.sqrt((n - 1) / n * np.sum((np.array(without) - np.mean(without)) ** 2)))


def blind(series: Sequence[Labelled], every: int) -> float:
    """What one earns by not looking."""
    return score_of(series, [s.earned(range(0, len(s.values), every)) for s in series])


def said(change: Mapping[str, Any]) -> str:
    """A change in words."""
    return ", ".join(f"{name} {value}" for name, value in change.items())


def yardsticks(quick: bool) -> list[Row]:
    """How often it alarms where nothing happens, how soon where something does (hourly periods), and what it costs."""
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
        rows.append(Row("share found within 72 periods", f"Poisson 5, cycle .3, {ratio:g}x", share.value, share.error))
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
    """Whether an hourly period lies between 9 and 17 o'clock on one of the first five days of a week."""
    hour, weekday = np.arange(periods) % 24, np.arange(periods) // 24 % 7
    inside: NDArray[np.bool_] = (hour >= 9) & (hour < 17) & (weekday < 5)
    return inside


def gauges(values: Floats) -> list[list[Observation]]:
    """Streams of gauges, one per row."""
    return [[Gauge(value=float(x)) for x in stream] for stream in values]


def counts(
    rng: simulators.Rng, level: Floats, size: tuple[int, int], dispersion: float = 1.0
) -> list[list[Observation]]:
    """Streams of counts over one unit of exposure."""
    drawn = simulators.counts(rng, np.broadcast_to(level, size), dispersion)
    return [[Count(k=float(x), m=1.0) for x in stream] for stream in drawn]


def heard(stream: Sequence[Observation], params: Mapping[str, Any]) -> list[int]:
    """Periods at which a fresh detector alarms."""
    detector = Shape.design(Design(), **params)
    scores = [detector.update(observation) for observation in stream]
    return [at for at, score in enumerate(scores) if score is not None and score.alarm]


def first_after(found: Sequence[int], onset: int) -> int | None:
    """Periods from the onset to the first alarm at or after it, counted from 1."""
    return next((at - onset + 1 for at in found if at >= onset), None)
