"""Simulated labelled series of three kinds that the shared benchmark lacks: clicks, road traffic and mentions.

Each series has usual bursts, which are part of it, and one to four anomalies of known place and kind. Windows cover a
tenth of a series, around the anomalies, as in the Numenta Anomaly Benchmark. Nothing is fitted to recorded series.

`clicks`: hourly, 65 days; multiplicative day and weekend, autoregressive noise, bursts of Pareto height that come more
often in busy hours. `roads`: occupancy or speed every 5 to 15 minutes, 8 to 15 days; two peaks a day, quiet nights.
`mentions`: negative binomial counts every 5 minutes, 30 to 45 days.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tests.bench.detbench import simulators
from tests.bench.detbench.nab_score import Labelled

Floats = NDArray[np.float64]
Rng = np.random.Generator
Made = tuple[Floats, list[int], float]  # values, rows at which anomalies begin, seconds between rows


def simulated(quick: bool) -> list[Labelled]:
    """Returns the series of all families, the same in every run."""
    kinds: dict[str, tuple[Callable[[Rng], Made], int]] = {
        "clicks": (clicks, 12 if quick else 40),
        "roads": (roads, 8 if quick else 24),
        "mentions": (mentions, 3 if quick else 8),
    }
    series = []
    for name, (make, number) in kinds.items():
        for i in range(number):
            values, onsets, step = make(simulators.rng(f"g8 families {name} {i}"))
            series.append(Labelled(f"{name}/{i}", values.tolist(), windows(len(values), onsets), step))
    return series


def windows(rows: int, onsets: Sequence[int]) -> list[tuple[int, int]]:
    """Returns windows around the onsets, a tenth of the rows together, that do not overlap."""
    half = rows // 20 // len(onsets)
    found: list[tuple[int, int]] = []
    for onset in sorted(onsets):
        after = found[-1][1] + 1 if found else 0
        found.append((max(after, onset - half), min(rows - 1, onset + half)))
    return found


def clicks(rng: Rng) -> Made:
    """Returns hourly clicks or prices of clicks, relative to their mean."""
    rows = int(rng.integers(1500, 1700))
    t = np.arange(rows)
    day = np.exp(
        rng.uniform(0.2, 0.9) * np.cos(2 * np.pi * (t - rng.uniform(0, 24)) / 24)
        + rng.uniform(0, 0.3) * (t // 24 % 7 >= 5)
    )
    x = day * np.exp(rng.uniform(0.08, 0.3) * autoregressive(rng, rows, rng.uniform(0.2, 0.8)))
    tail, decay = rng.uniform(2.5, 4), rng.uniform(0, 0.6)
    for at in np.flatnonzero(rng.random(rows) < rng.uniform(0.01, 0.05) * day / day.mean()):
        height = rng.uniform(0.3, 0.8) * (rng.pareto(tail) + 0.5)
        x[at:] *= 1 + height * decay ** np.arange(rows - at)
    onsets = placed(rng, rows, int(rng.integers(1, 4)))
    for at in onsets:
        length = int(rng.integers(24, 72))
        match rng.integers(0, 5):
            case 0:  # one enormous hour
                x[at] *= rng.uniform(5, 10)
            case 1:  # several within a day
                for _ in range(4):
                    x[min(rows - 1, at + int(rng.integers(0, 18)))] *= rng.uniform(3, 5)
            case 2:  # fewer
                x[at : at + length] *= rng.uniform(0.1, 0.4)
            case 3:  # more
                x[at : at + length] *= rng.uniform(1.8, 3)
            case _:  # the day stays away
                x[at : at + length] *= day.mean() / day[at : at + length]
    return x, onsets, 3600.0


def roads(rng: Rng) -> Made:
    """Returns the occupancy of a road in per cent, or the speed on it."""
    rows, step = int(rng.integers(1100, 4500)), float(rng.choice([300, 600, 900]))
    per_day = int(86400 / step)
    t = np.arange(rows)
    hour, weekend = t % per_day / per_day * 24, t // per_day % 7 >= 5

    def peak(at: float, width: float) -> Floats:
        bump: Floats = np.exp(-(((hour - at) / width) ** 2) / 2)
        return bump

    busy = rng.uniform(6, 14) * peak(8, 1.3) + rng.uniform(6, 14) * peak(17.5, 1.8) + 5 * peak(13, 3)
    usual = 2 + np.where(weekend, rng.uniform(0.3, 0.8), 1.0) * busy
    x = usual * (1 + 0.18 * autoregressive(rng, rows, 0.7)) + 0.4 * rng.normal(size=rows)
    for at in np.flatnonzero(rng.random(rows) < 0.004):  # usual jams
        x[at : at + int(rng.integers(1, 4))] *= rng.uniform(1.3, 2)
    onsets = placed(rng, rows, int(rng.integers(1, 4)))
    for at in onsets:
        match rng.integers(0, 3):
            case 0:
                x[at : at + int(rng.integers(per_day // 12, per_day // 3 + 2))] += rng.uniform(10, 25)
            case 1:
                x[at : at + 2] += rng.uniform(20, 50)
            case _:  # a day without its peaks
                flat = x[at : at + per_day]
                flat[:] = flat.mean() * rng.uniform(0.3, 1.2) + 0.4 * rng.normal(size=len(flat))
    x = np.maximum(x, 0)
    return (75 - 1.5 * x + rng.normal(size=rows) if rng.random() < 0.5 else x), onsets, step


def mentions(rng: Rng) -> Made:
    """Returns counts of mentions."""
    rows = int(rng.integers(9000, 13000))
    t = np.arange(rows)
    usual = rng.uniform(0.7, 20) * np.exp(rng.uniform(0.3, 1) * np.cos(2 * np.pi * (t - rng.uniform(0, 288)) / 288))
    clumped = rng.uniform(1, 5)
    level = usual * rng.gamma(clumped, 1 / clumped, size=rows)
    for at in np.flatnonzero(rng.random(rows) < 0.004):  # usual bursts
        height = usual[at] * rng.uniform(1, 3) * (rng.pareto(2.8) + 0.3)
        level[at:] += height * np.exp(-np.arange(rows - at) / 4)
    onsets = placed(rng, rows, int(rng.integers(2, 5)))
    for at in onsets:
        match rng.integers(0, 3):
            case 0:
                level[at:] += usual[at] * rng.uniform(10, 40) * np.exp(-np.arange(rows - at) / 12)
            case 1:
                level[at : at + 200] *= rng.uniform(2.5, 5)
            case _:
                level[at : at + 200] *= 0.05
    return rng.poisson(level).astype(np.float64), onsets, 300.0


def autoregressive(rng: Rng, rows: int, correlation: float) -> Floats:
    """Returns a stationary series of first order with variance 1."""
    x = rng.normal(size=rows)
    x[1:] *= np.sqrt(1 - correlation**2)
    for i in range(1, rows):
        x[i] += correlation * x[i - 1]
    return x


def placed(rng: Rng, rows: int, number: int) -> list[int]:
    """Returns rows of anomalies after the first fifth, apart from one another."""
    first, apart = int(0.22 * rows), int(0.72 * rows) // number
    return [first + i * apart + int(rng.integers(apart // 5, apart * 4 // 5)) for i in range(number)]
