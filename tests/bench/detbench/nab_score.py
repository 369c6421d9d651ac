"""Scores alarms on labelled series by the standard profile of the Numenta Anomaly Benchmark: early in a window scores
high.

Lavin and Ahmad (2015), Evaluating real-time anomaly detection algorithms: the Numenta Anomaly Benchmark, ICMLA.
Input: a `Labelled` series and the rows of the alarms; output: the sum they earn. `normal` maps sums to a scale where
no alarm at all is 0, and one alarm on the first row of every window is 100.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FALSE_ALARM = 0.11
"""Cost of a false alarm in the standard profile, far from a window; a window is worth 1, and costs 1 if missed."""


class NoData(Exception):
    """There is no benchmark at this path."""


def sigmoid(y: float) -> float:
    """The benchmark's scale: y is rows after the window's end, in windows. Nearly 1 at -1, 0 at 0, -1 beyond 3.

    >>> round(sigmoid(-1), 4), sigmoid(0), sigmoid(3.1)
    (0.9866, 0.0, -1.0)
    """
    return -1.0 if y > 3 else 2 / (1 + math.exp(5 * y)) - 1


class Labelled:
    """One series with its windows: `windows` are (first, last) rows, both inside; `step` is seconds between rows."""

    def __init__(self, name: str, values: Sequence[float], windows: Sequence[tuple[int, int]], step: float) -> None:
        self.name, self.values, self.windows, self.step = name, values, list(windows), step
        self.probation = int(min(0.15 * len(values), 750))

    @property
    def family(self) -> str:
        """The folder of the series."""
        return self.name.split("/")[0]

    @cached_property
    def window_of(self) -> NDArray[np.int64]:
        """For each row the number of its window, -1 outside."""
        found = np.full(len(self.values), -1)
        for number, (first, last) in enumerate(self.windows):
            found[first : last + 1] = number
        return found

    @cached_property
    def worth(self) -> NDArray[np.float64]:
        """What an alarm at each row earns: in (0, 1] inside windows, 0 to -0.11 outside."""
        worth = np.full(len(self.values), -FALSE_ALARM)
        for number, (first, last) in enumerate(self.windows):
            width = last - first + 1
            until = self.windows[number + 1][0] if number + 1 < len(self.windows) else len(self.values)
            for row in range(first, last + 1):
                worth[row] = sigmoid(-(last - row + 1) / width) / sigmoid(-1)
            for row in range(last + 1, until):
                worth[row] = FALSE_ALARM * sigmoid((row - last) / (width - 1))
        return worth

    def earned(self, alarms: Iterable[int]) -> float:
        """The sum for alarms at these rows; those in the probation do not count, of each window only the best does."""
        best = [-1.0] * len(self.windows)
        total = 0.0
        for row in alarms:
            if row < self.probation:
                continue
            window = self.window_of[row]
            if window < 0:
                total += float(self.worth[row])
            else:
                best[window] = max(best[window], float(self.worth[row]))
        return total + sum(best)


def normal(earned: float, windows: int) -> float:
    """The benchmark's score of a sum over series with so many windows: 0 for no alarm, 100 for perfect ones."""
    return 100 * (earned + windows) / (2 * windows)


def count(series: Sequence[Labelled]) -> int:
    """Windows in all of them."""
    return sum(len(s.windows) for s in series)


def read(folder: Path) -> list[Labelled]:
    """Every series of the benchmark under `folder`, in the order of names; raises NoData with what to do."""
    labels = folder / "windows.json"
    if not labels.is_file():
        raise NoData(f"no {labels.name} in {folder}: set NAB_DATA to the folder with the benchmark's families")
    series = []
    for name, windows in sorted(json.loads(labels.read_text()).items()):
        with (folder / name).open(newline="") as lines:
            rows = list(csv.reader(lines))[1:]
        times = [row[0] for row in rows]
        seconds = np.array(times, dtype="datetime64[s]").astype(np.int64)
        series.append(
            Labelled(
                name,
                [float(row[1]) for row in rows],
                [(times.index(first[:19]), times.index(last[:19])) for first, last in windows],
                float(np.median(np.diff(seconds))),
            )
        )
    return series
