"""G11: a bad learning period does not blind a chart.

Counts of mean 5 and variance/mean 1; among the first 20 periods either one has five times the rate, or a run of seven
has. A step to 2 or 3 times the rate in period 60. Against the same streams with a clean learning period: found within
300 periods, and the median delay over the clean one. False alarms: in-control streams with a clean or a bad learning
period, alarms per period over the declared ones. The same at mean 2, where a single bad day of eight events or less
cannot be told from chance (one in three).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from detectors import build
from detectors.base import Count, Design
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.progress import steps

MEAN, FEW, LEARNT, STEP, LONGEST, WORSE = 5.0, 2.0, 20, 60, 300, 5.0
ARL0 = {"e_detector": 3650.0, "cusum": 1000.0, "ewma": 1000.0}
Bad = Literal["clean", "one day", "a week"]


def stream(rng: np.random.Generator, bad: Bad, ratio: float, length: int, mean: float = MEAN) -> list[Count]:
    """Returns `length` periods; the rate is `ratio` times as high from period `STEP` on."""
    level = np.full(length, mean)
    if bad == "one day":
        level[rng.integers(0, LEARNT)] *= WORSE
    elif bad == "a week":
        first = rng.integers(0, LEARNT - 6)
        level[first : first + 7] *= WORSE
    level[STEP:] *= ratio
    return [Count(float(k), 1.0) for k in rng.poisson(level)]


def delays(rng: np.random.Generator, name: str, bad: Bad, ratio: float, runs: int, mean: float = MEAN) -> np.ndarray:
    """Returns the delay of each stream in periods, infinite if the step is not found within `LONGEST`."""
    found = np.full(runs, math.inf)
    for i in range(runs):
        detector = build(name, Design(), {"arl0": ARL0[name]})
        for t, observation in enumerate(stream(rng, bad, ratio, STEP + LONGEST, mean)):
            score = detector.update(observation)
            if t >= STEP and score is not None and score.alarm:
                found[i] = t - STEP + 1
                break
    return found


def false_alarms(rng: np.random.Generator, name: str, bad: Bad, runs: int) -> metrics.Estimate:
    """Returns alarms per period over 1/arl0, from period `STEP` on for a bad learning period, where the rate is
    unchanged."""
    counts, periods = [], 300
    for _ in range(runs):
        detector = build(name, Design(), {"arl0": ARL0[name]})
        scores = [detector.update(o) for o in stream(rng, bad, 1.0, STEP + periods)]
        counts.append(sum(s is not None and s.alarm for s in scores[STEP:]) / periods * ARL0[name])
    return metrics.mean(np.array(counts))


def goals(quick: bool) -> list[Goal]:
    """Returns G11a detected, G11b delay over the clean one, G11c false alarms over the declared ones, G11d detected at
    mean 2."""
    rng, runs = simulators.rng("g11"), 60 if quick else 400
    found: list[tuple[float, Row]] = []
    slower: list[tuple[float, Row]] = []
    false: list[tuple[float, float, Row]] = []
    for name in steps(list(ARL0), "G11"):
        for ratio in (2.0, 3.0):
            clean = float(np.median(delays(rng, name, "clean", ratio, runs)))
            for bad in ("one day", "a week"):
                got = delays(rng, name, bad, ratio, runs)  # type: ignore[arg-type]
                share = metrics.share(int(np.isfinite(got).sum()), runs)
                what = f"{name}, {bad}, {ratio:g}x"
                found.append((share.value, Row("step found", what, *share)))
                quotient = float(np.median(got)) / clean
                slower.append(
                    (quotient, Row("median delay (reference: clean)", what, float(np.median(got)), 0.0, clean))
                )
        for bad in ("clean", "one day", "a week"):
            rate = false_alarms(rng, name, bad, runs)  # type: ignore[arg-type]
            false.append((rate.value, rate.error, Row("false alarms over declared", f"{name}, {bad}", *rate)))
    few = _few(rng, runs)
    low = min(few)
    said = f"mean {MEAN:g}, {LEARNT} periods learnt, step in period {STEP}"
    least, worst = min(found), max(slower)
    loud = max(false)
    return [
        Goal(
            "G11a", least[0], ">= 0.95", held(least[0], ">= 0.95"), least[1].error, f"steps found; {said}", _rows(found)
        ),
        Goal("G11b", worst[0], "<= 2", held(worst[0], "<= 2"), 0.0, f"median delay over clean; {said}", _rows(slower)),
        Goal("G11c", loud[0], "<= 1", held(loud[0], "<= 1"), loud[1], "false alarms", tuple(r for _, _, r in false)),
        Goal("G11d", low[0], ">= 0.45", held(low[0], ">= 0.45"), low[1].error,
             f"steps found at mean {FEW:g} (reference: clean)", _rows(few)),
    ]  # fmt: skip


def _few(rng: np.random.Generator, runs: int) -> list[tuple[float, Row]]:
    """Steps found at mean 2; the clean learning period is what a chart would find that knew which periods are bad."""
    found: list[tuple[float, Row]] = []
    for name in steps(list(ARL0), "G11 few events"):
        for ratio in (2.0, 3.0):
            clean = float(np.isfinite(delays(rng, name, "clean", ratio, runs, FEW)).mean())
            for bad in ("one day", "a week"):
                got = int(np.isfinite(delays(rng, name, bad, ratio, runs, FEW)).sum())  # type: ignore[arg-type]
                share = metrics.share(got, runs)
                found.append(
                    (share.value, Row("step found (reference: clean)", f"{name}, {bad}, {ratio:g}x", *share, clean))
                )
    return found


def _rows(found: list[tuple[float, Row]]) -> tuple[Row, ...]:
    return tuple(row for _, row in found)
