"""G9: time per observation and bytes per stream.

Each registered detector of counts with its defaults, on an ordinary stream of changing counts (best of several
rounds, because other work on the machine only adds time). `FULL` are the usual detectors of one stream: limit, change
and CUSUM, with a late window of four periods; the table also has them with the check of the limit's dispersion, in the
first 400 periods and on average over 4,000. `shape` and `river_drift` are measured and shown, and are not part of
the goal.
"""

from __future__ import annotations

import time
from functools import partial

import msgspec

from detectors import DETECTORS, build
from detectors.base import Count, Design, Proportion
from detectors.checked_limit import CheckedLimitEProcess
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held

HEURISTICS = ("shape", "river_drift")
FULL = ("limit_e_process", "e_detector", "cusum")


CHECK = {"check_dispersion": True, "dispersion_prior": 3}


def watch(stream: list[Count], rounds: int, checked: bool = False) -> tuple[float, int]:
    """Returns microseconds per observation that all of `FULL` cost together, and their bytes; with the check of the
    limit's dispersion if `checked`."""
    best, size = 1e9, 0
    for _ in range(rounds):
        design = Design(limit=5.0, alpha=0.01, late_window=4)
        first, second, third = (build(name, design, CHECK if checked and name == FULL[0] else None) for name in FULL)
        began = time.process_time()  # as in `metrics.cost`
        if isinstance(first, CheckedLimitEProcess):
            for o in stream:
                first.update(o)
                second.update(o)
                third.update(o)
                first.check_dispersion(o)
        else:
            for o in stream:
                first.update(o)
                second.update(o)
                third.update(o)
        best = min(best, (time.process_time() - began) / len(stream))
        size = sum(len(msgspec.msgpack.encode(d)) for d in (first, second, third))
    return best * 1e6, size


def goals(quick: bool) -> list[Goal]:
    """Returns the most expensive count detector, and the time and bytes of `FULL`."""
    rng, rounds, length = simulators.rng("g9"), 10 if quick else 40, 4_000
    events, exposures = rng.poisson(5, length), rng.uniform(0.9, 1.1, length)
    counts = [Count(float(k), float(m), t) for t, (k, m) in enumerate(zip(events, exposures, strict=True))]
    shares = [Proportion(float(k), 50.0, t) for t, k in enumerate(rng.binomial(50, 0.1, length))]
    rows, dear, usual = [], ("", 0.0), ("", 0.0)
    for name, cls in DETECTORS.items():
        for kind, stream, limit in ((Count, counts, 5.0), (Proportion, shares, 0.1)):
            if kind not in cls.observes:
                continue
            made = Design(limit=limit, alpha=0.01, late_window=4)
            params = {"horizon": 200} if name == "maxsprt" else None
            cost, size = metrics.cost(partial(build, name, made, params), stream, rounds)
            rows.append(
                Row("us per observation (reference: bytes)", f"{name}, {kind.__name__.lower()}", cost, 0.0, size)
            )
            if kind is Count and name not in HEURISTICS and cost > dear[1]:
                dear = (name, cost)
            if kind is Count and name in FULL and cost > usual[1]:
                usual = (name, cost)
    full, _ = watch(counts, rounds)
    with_check = {length: watch(counts[:length], rounds, checked=True) for length in (400, length)}
    design = Design(limit=5.0, alpha=0.01, late_window=4)
    size = sum(metrics.cost(partial(build, n, design), counts, 1)[1] for n in FULL)
    rows.append(Row("us per observation (reference: bytes)", f"full watch: {', '.join(FULL)}", full, 0.0, size))
    for periods, (cost, held_bytes) in with_check.items():
        setting = f"full watch with a check of the dispersion, {periods} periods"
        rows.append(Row("us per observation (reference: bytes)", setting, cost, 0.0, held_bytes))
    worst = with_check[length]
    return [
        Goal(
            "G9@count",
            dear[1],
            "<= 1",
            held(dear[1], "<= 1"),
            0.0,
            f"us, dearest count detector: {dear[0]}",
            tuple(rows),
        ),
        Goal("G9@usual", usual[1], "<= 1", held(usual[1], "<= 1"), 0.0, f"us, dearest of the full watch: {usual[0]}"),
        Goal("G9@watch", full, "<= 5", held(full, "<= 5"), 0.0, "us, full watch of one stream"),
        Goal("G9@checked", worst[0], "<= 3", held(worst[0], "<= 3"), 0.0, "us, full watch with a check, 4,000 periods"),
        Goal("G9@checked-bytes", worst[1], "<= 1229", held(worst[1], "<= 1229"), 0.0, "bytes, full watch with a check"),
        Goal("G9@bytes", size, "<= 1024", held(size, "<= 1024"), 0.0, "bytes, full watch of one stream"),
    ]
