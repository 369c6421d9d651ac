"""G14: falls, silent classes, weekly series, and the way back after a rise.

Streams of days with half a year of history. `fall` at its defaults, under the dispersion that the templates grant and
under twice that; a channel that dies (5 events a day) and a class that stops (.2 a day). `e_detector` at its defaults
after a ramp to three times the rate and back: alarms that are no return are the escalations. `aberration` at its
defaults on seven weekly series with known outbreaks (`RKI_DATA`, by default `shared/data/rki` next to the repository),
against a z-score over all past weeks whose threshold is the best one within 1 % false weeks.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np

from detectors import build
from detectors.base import Count, Design
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.progress import steps

DEFAULT = Path(__file__).resolve().parents[4] / "shared" / "data" / "rki"
Weeks: TypeAlias = tuple[list[int], list[bool]]
DAYS, HISTORY, NEVER = 365.25, 182, 400
GRANTED = 2.0  # variance/mean that the templates grant
FALSE_WEEKS = 0.01


def drawn(rng: simulators.Rng, mean: float, v: float, periods: int) -> list[Count]:
    """Poisson counts, or negative binomial ones with variance/mean `v`."""
    found = rng.poisson(mean, periods) if v == 1 else rng.negative_binomial(mean / (v - 1), 1 / v, periods)
    return [Count(float(k), 1.0) for k in found]


def silent_for(rng: simulators.Rng, mean: float, runs: int) -> metrics.Estimate:
    """Median days from the last event of a stream to the alarm, with the error of the median."""
    delays = []
    for _ in steps(range(runs), f"silence at {mean:g} a day"):
        detector = build("fall", Design(variance_mean=GRANTED, periods_per_year=DAYS))
        for observation in drawn(rng, mean, GRANTED, HISTORY):
            detector.update(observation)
        scores = (detector.update(Count(0.0, 1.0)) for _ in range(NEVER))
        delays.append(next((t for t, s in enumerate(scores, 1) if s is not None and s.alarm), NEVER))
    return metrics.Estimate(float(np.median(delays)), 1.25 * float(np.std(delays)) / math.sqrt(runs))


def false_a_year(rng: simulators.Rng, mean: float, v: float, years: int) -> metrics.Estimate:
    """False alarms a year, over streams of five years."""
    alarms = 0
    for _ in steps(range(years // 5), f"no fall at {mean:g} a day"):
        detector = build("fall", Design(variance_mean=GRANTED, periods_per_year=DAYS))
        scores = (detector.update(o) for o in drawn(rng, mean, v, int(5 * DAYS)))
        alarms += sum(s is not None and s.alarm for s in scores)
    return metrics.Estimate(alarms / years, math.sqrt(alarms + 1) / years)


def escalated(rng: simulators.Rng, mean: float, runs: int) -> metrics.Estimate:
    """Fraction of streams in which the end of a ramp to 3x (60 days up, 100 days there, 60 down) escalates."""
    up = np.linspace(1, 3, 60)
    levels = np.concatenate([np.ones(120), up, np.full(100, 3.0), up[::-1], np.ones(100)])
    hits = 0
    for _ in steps(range(runs), f"back to normal at {mean:g} a day"):
        detector = build("e_detector", Design(periods_per_year=DAYS))
        scores = [detector.update(Count(float(k), 1.0)) for k in rng.poisson(mean * levels)]
        hits += any(s is not None and s.alarm and s.change != "return" for s in scores[280:])
    return metrics.share(hits, runs)


def series() -> dict[str, Weeks]:
    """Counts and labels by name; empty without the data."""
    path = Path(os.environ.get("RKI_DATA", DEFAULT)) / "weekly.csv"
    found: dict[str, Weeks] = {}
    if path.exists():
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                counts, labels = found.setdefault(row["series"], ([], []))
                counts.append(int(row["count"]))
                labels.append(row["outbreak"] == "1")
    return found


def z_scores(counts: list[int]) -> Iterator[float]:
    """Each week against mean and standard deviation of all before; -inf for the first five."""
    for t, k in enumerate(counts):
        past = np.asarray(counts[:t], float)
        yield (k - past.mean()) / max(past.std(ddof=1), 0.01) if t >= 5 else -math.inf


def aberration(counts: list[int]) -> Iterator[float]:
    """1 for an alarm in a week, else 0."""
    detector = build("aberration", Design(periods_per_year=DAYS / 7))
    for k in counts:
        score = detector.update(Count(float(k), 1.0))
        yield float(score is not None and score.alarm)


def outbreaks(data: dict[str, Weeks], of: Callable[[list[int]], Iterator[float]], above: float) -> list[float]:
    """False weeks (fraction of all weeks without an outbreak), outbreaks found, and their mean delay in weeks."""
    false = quiet = found = 0
    delays: list[int] = []
    for counts, labels in data.values():
        alarms = [value > above for value in of(counts)]
        quiet += labels.count(False)
        false += sum(alarm and not label for alarm, label in zip(alarms, labels, strict=True))
        weeks = [t for t, label in enumerate(labels) if label]
        hits = [t for t in weeks if alarms[t]]
        found += bool(hits)
        delays += [hits[0] - weeks[0]] if hits else []
    return [false / quiet, found, float(np.mean(delays)) if delays else math.inf]


def weekly() -> list[Goal]:
    """Returns the comparison on the weekly series; nothing without the data."""
    data = series()
    if not data:
        return []
    every = sorted({z for counts, _ in data.values() for z in z_scores(counts) if math.isfinite(z)})
    reference = next(made for z in every if (made := outbreaks(data, z_scores, z))[0] <= FALSE_WEEKS)
    ours = outbreaks(data, aberration, 0.5)
    rows = tuple(
        Row(f"{name} (reference: z-score)", "weekly series", figure, 0.0, other)
        for name, figure, other in zip(("false weeks", "outbreaks found", "mean delay"), ours, reference, strict=True)
    )
    bounds = ("<= 0.01", f">= {reference[1]:g}", f"<= {reference[2]:.6g}")
    notes = ("false weeks, pooled", "outbreaks found", "weeks of delay, mean over those found")
    return [
        Goal(f"H4@{name}", figure, bound, held(figure, bound), 0.0, note, rows if name == "weekly" else ())
        for name, figure, bound, note in zip(("weekly", "found", "delay"), ours, bounds, notes, strict=True)
    ]


def goals(quick: bool) -> list[Goal]:
    """Returns the delays of silence, false alarms, escalations of a return, and the weekly series."""
    rng, runs, years = simulators.rng("g14"), 60 if quick else 600, 200 if quick else 2_000
    channel, rare = silent_for(rng, 5.0, runs), silent_for(rng, 0.2, runs)
    cells = [(mean, v) for mean in (0.2, 5.0) for v in (GRANTED, 2 * GRANTED)]
    false = {cell: false_a_year(rng, *cell, years) for cell in cells}
    back = {mean: escalated(rng, mean, runs) for mean in (5.0, 20.0)}
    rows = [
        Row("days to the alarm, median", f"{mean:g} a day, then none", *found)
        for mean, found in ((5.0, channel), (0.2, rare))
    ]
    rows += [Row("false alarms a year", f"{mean:g} a day, variance/mean {v:g}", *e) for (mean, v), e in false.items()]
    rows += [Row("a return escalates", f"{mean:g} a day", *e) for mean, e in back.items()]
    worst = max((false[mean, GRANTED] for mean in (0.2, 5.0)), key=lambda e: e.value)
    most = max(back.values(), key=lambda e: e.value)
    table = (
        ("H4@channel", channel, "<= 7", "days until a dead channel (5 a day) is found, median"),
        ("H4@class", rare, "<= 60", "days until a class of .2 a day is found silent, median"),
        ("H4@false", worst, "<= 0.1", "false alarms a year of `fall`, worst rate, dispersion as granted"),
        ("H4@return", most, "<= 0.05", "streams in which the end of a ramp escalates"),
    )
    made = [Goal(name, e.value, bound, held(e.value, bound), e.error, note) for name, e, bound, note in table]
    return [made[0]._replace(rows=tuple(rows)), *made[1:], *weekly()]
