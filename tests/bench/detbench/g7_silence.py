"""G7: false silences a year for a rate with business hours, and the delay of true ones.

Events form an inhomogeneous Poisson process with an hour-of-week profile known to the detector
(`detectors/hours.py`). False alarms: gaps that reach the threshold per year, over the declared number. Delay:
expected events between the last event and the alarm, over the exact limit ln(rate per year / false per year). For
comparison the same with a constant rate.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.base import Design, Gap
from detectors.hours import HOUR, WEEK, HourOfWeek
from detectors.silence import Silence
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held

YEAR = 31_557_600.0
CYCLES = {
    "flat, 2 an hour": [2.0] * 168,
    "business hours, 60 / 0.5 an hour": [60.0 if 8 <= h % 24 < 18 and h < 120 else 0.5 for h in range(168)],
    "shut at night, 5 an hour": [5.0 if 7 <= h % 24 < 22 else 0.0 for h in range(168)],
    "daily wave of 60 %, 1 an hour": [1 + 0.6 * math.cos(2 * math.pi * h / 24) for h in range(168)],
}
STATED = (0.1, 1.0)


def events(rng: np.random.Generator, profile: HourOfWeek, weeks: int) -> simulators.Floats:
    """Returns the sorted event times of a stream of the given number of weeks."""
    counts = rng.poisson(np.tile(np.array(profile.rates) * HOUR, weeks))
    hours = np.repeat(np.arange(168 * weeks), counts)
    return np.sort(profile.start + (hours + rng.random(hours.size)) * HOUR)


def integral(profile: HourOfWeek, times: simulators.Floats) -> simulators.Floats:
    """Returns the events expected from the profile's start to each time: `HourOfWeek.expected` for arrays."""
    weeks, rest = np.divmod(times - profile.start, WEEK)
    hour = np.minimum((rest / HOUR).astype(int), 167)
    sums, rates = np.array(profile.sums), np.array(profile.rates)
    return weeks * sums[-1] + sums[hour] + (rest - hour * HOUR) * rates[hour]


def goals(quick: bool) -> list[Goal]:
    """Returns the largest false alarm rate over the declared one, and the largest delay over the exact limit."""
    rng, rows, late = simulators.rng("g7"), [], []
    worst, passed = metrics.Estimate(-math.inf, 0.0), dict.fromkeys(STATED, 0)
    years = 300 if quick else 1_200
    for name, per_hour in CYCLES.items():
        profile = HourOfWeek.of(per_hour)
        thresholds = {}
        for stated in STATED:
            score = Silence.design(Design(limit=profile.rate), false_per_year=stated).update(Gap(1.0, 1.0))
            assert score is not None
            thresholds[stated] = score.threshold
        false, flat = dict.fromkeys(STATED, 0), dict.fromkeys(STATED, 0)
        for _ in range(years // 10):
            times = events(rng, profile, round(10 * 52.18))
            expected, constant = np.diff(integral(profile, times)), np.diff(times) * profile.rate
            check = profile.expected(float(times[5]), float(times[6]))
            assert math.isclose(check, float(expected[5]), rel_tol=1e-6, abs_tol=1e-9), "arrays and object agree"
            for stated, threshold in thresholds.items():
                false[stated] += int((expected >= threshold).sum())
                flat[stated] += int((constant >= threshold).sum())
        for stated, threshold in thresholds.items():
            setting = f"{name}, declared {stated:g} a year"
            found = metrics.Estimate(false[stated] / years / stated, math.sqrt(false[stated] + 1) / years / stated)
            rows.append(
                Row(
                    "false / declared (reference: constant rate)",
                    setting,
                    *found,
                    reference=flat[stated] / years / stated,
                )
            )
            passed[stated] += false[stated]
            if stated == 1:
                worst = max(worst, found)
            late.append(
                Row("delay / exact limit", setting, threshold / math.log(profile.rate * YEAR / stated), 0.0, 1.0)
            )
    rare, all_years = passed[0.1], years * len(CYCLES) * 0.1  # too rare for a figure of each profile
    pooled = metrics.Estimate(rare / all_years, math.sqrt(rare + 1) / all_years)
    rows.append(Row("false / declared", "all profiles together, declared 0.1 a year", *pooled))
    worst = max(worst, pooled)
    slow = max(row.figure for row in late)
    return [
        Goal(
            "G7@false",
            worst.value,
            "<= 1.1",
            held(worst.value, "<= 1.1"),
            worst.error,
            "worst of all profiles",
            tuple(rows),
        ),
        Goal("G7@delay", slow, "<= 1.2", held(slow, "<= 1.2"), 0.0, "in expected events, exact", tuple(late)),
    ]
