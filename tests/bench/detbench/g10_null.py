"""G10: unusual streams without a change on which a detector must not alarm.

Constant counts and proportions, no events at all, one event in 10,000 periods; and two changes after which the stream
is stable: a level accepted by a regulator, and a change of unit (exposure in thousands). Every registered detector of
counts and proportions, against a limit that is kept and (where supported) against a learnt baseline. After an
accepted change detectors with a learnt baseline may alarm while they learn (200 periods), never later.
"""

from __future__ import annotations

from collections.abc import Iterator

from detectors import DETECTORS, build
from detectors.base import Count, Design, Observation, Proportion
from tests.bench.detbench.goal import Goal, Row

HEURISTICS = ("shape", "river_drift")
GRACE = 200


def streams(kind: type, length: int) -> Iterator[tuple[str, list[Observation], int]]:
    """Name, observations, and the period from which on no alarm is allowed."""

    def made(values: list[tuple[float, float]]) -> list[Observation]:
        return [kind(k, m, t) for t, (k, m) in enumerate(values)]

    half = length // 2
    change = half + GRACE
    yield "constant", made([(5.0, 50.0)] * length), 0
    yield "all zero", made([(0.0, 50.0)] * length), 0
    yield "one in 10,000", made([(1.0 if t % 10_000 == 7_777 else 0.0, 50.0) for t in range(length)]), 0
    yield "rises and is stable", made([(5.0, 50.0)] * half + [(12.0, 50.0)] * (length - half)), change
    yield "falls and is stable", made([(12.0, 50.0)] * half + [(4.0, 50.0)] * (length - half)), change
    yield "unit changes", made([(5.0, 50.0)] * half + [(5.0, 50_000.0)] * (length - half)), change


def goals(quick: bool) -> list[Goal]:
    """Returns the number of forbidden alarms over all detectors and streams."""
    length, rows, total = 20_000 if quick else 50_000, [], 0
    for name, cls in DETECTORS.items():
        for kind in (Count, Proportion):
            if name in HEURISTICS or kind not in cls.observes:
                continue
            for limit in (0.3, None):
                try:
                    build(name, Design(limit=limit, alpha=0.01))
                except ValueError:
                    continue  # needs a limit
                for label, stream, since in streams(kind, length):
                    detector = build(name, Design(limit=limit, alpha=0.01, late_window=4))
                    alarms = during = 0
                    for t, observation in enumerate(stream):
                        score = detector.update(observation)
                        if score is not None and score.alarm:
                            alarms, during = (alarms + 1, during) if t >= since else (alarms, during + 1)
                    against = "a limit" if limit else "its baseline"
                    total += alarms
                    rows.append(
                        Row(
                            "alarms (reference: while learning)",
                            f"{name}, {kind.__name__.lower()}, {against}: {label}",
                            alarms,
                            0.0,
                            during,
                        )
                    )
    note = f"alarms of {len(rows)} detectors x streams of {length:,} periods"
    return [Goal("G10", total, "<= 0", total == 0, 0.0, note, tuple(r for r in rows if r.figure or r.reference))]
