"""G24: complaints outside the firm against those inside: false accusations of honest firms, and delay.

A year of days with a third of the complaints outside, exactly the limit, at alpha 5 %. Given the total of a day the
outside part is binomial, so what moves both sides alike (use, cycles, a scandal) changes nothing. What moves only the
outside (a campaign) does: it is granted by the charter's `variance_mean`, or an honest firm is accused falsely. Then a
firm that reports half, or four fifths, of what reaches it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from detectors import build
from detectors.base import Design, Proportion
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.progress import steps

ALPHA, LIMIT, DAYS = 0.05, 1 / 3, 365


class Setting(NamedTuple):
    """`total`: complaints of a day; `common`: squared relative deviation of what moves both sides; `campaign`: squared
    relative deviation of the outside share; `granted`: variance/mean that the charter assumes."""

    name: str
    total: float = 6.0
    common: float = 0.0
    campaign: float = 0.0
    granted: float = 1.0


HONEST = (
    Setting("6 a day, Poisson"),
    Setting("60 a day, Poisson", 60.0),
    Setting("6 a day, common shocks", common=1.0),
    Setting("60 a day, common shocks", 60.0, common=1.0),
    Setting("60 a day, campaigns, granted", 60.0, campaign=0.1, granted=5.0),
)
NOT_GRANTED = Setting("60 a day, campaigns, not granted", 60.0, campaign=0.1)


def alarm(rng: simulators.Rng, s: Setting, told: float) -> int | None:
    """The day on which a firm is escalated that reports this share of what reaches it."""
    detector = build("limit_e_process", Design(limit=LIMIT, alpha=ALPHA, variance_mean=s.granted))
    for day in range(1, DAYS + 1):
        mean = s.total * (rng.gamma(1 / s.common, s.common) if s.common else 1.0)
        push = rng.gamma(1 / s.campaign, s.campaign) if s.campaign else 1.0
        outside = rng.poisson(mean * LIMIT * push)
        inside = rng.poisson(mean * (1 - LIMIT) * told)
        n = float(outside + inside)
        score = detector.update(Proportion(float(outside), n)) if n else None
        if score is not None and score.alarm:
            return day
    return None


def goals(quick: bool) -> list[Goal]:
    """Returns the rate of false accusations over all settings that the model holds in (each is a row), and the delay;
    the row of campaigns that are not granted says what the guarantee does not cover."""
    rng, runs, rows, accused = simulators.rng("g24"), 60 if quick else 1_000, [], 0
    for s in HONEST:
        wrong = sum(alarm(rng, s, 1.0) is not None for _ in steps(range(runs), s.name))
        rows.append(Row("honest firms accused within a year", s.name, *metrics.share(wrong, runs)))
        accused += wrong
    wrong = sum(alarm(rng, NOT_GRANTED, 1.0) is not None for _ in range(runs))
    rows.append(Row("honest firms accused within a year", NOT_GRANTED.name, *metrics.share(wrong, runs)))
    delays = {}
    for told in (0.5, 0.8):
        for s in HONEST[:2]:
            days = [alarm(rng, s, told) or DAYS for _ in range(max(runs // 4, 20))]
            found = metrics.Estimate(float(np.median(days)), 1.25 * float(np.std(days)) / math.sqrt(len(days)))
            delays[told, s.name] = found
            rows.append(Row("days until found, median", f"{s.name}, reports {told:.0%}", *found))
    false, usual = metrics.share(accused, runs * len(HONEST)), delays[0.5, HONEST[1].name]
    return [
        Goal(
            "H16@false", false.value, "<= 0.05", false.value <= 0.05, false.error, "honest firms, a year", tuple(rows)
        ),
        Goal("H16@delay", usual.value, "<= 10", held(usual.value, "<= 10"), usual.error, "days, 60 a day, half told"),
    ]
