"""The contract suite: small named checks that the tests run over every detector in `DETECTORS`.

A check takes a function that builds a fresh detector and a stream of observations, and raises AssertionError naming the
violation. `SAMPLES` are streams of typical failures: no events, no variation, one burst, a lasting change of level, no
exposure, and numbers at both ends of the floating-point range.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import msgspec

from detectors.base import Count, Detector, Gap, Gauge, Observation, Proportion, Provisional, Revisable, Score

Make: TypeAlias = Callable[[], Detector]
Stream: TypeAlias = Sequence[Observation]

LARGEST_STATE = 16_384
"""Largest snapshot of one detector in bytes: a pilot has tens of detectors, a partition thousands of pilots."""

_WAVE = (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4)  # arbitrary small numbers


def _shapes() -> dict[str, list[tuple[float, float]]]:
    """Returns named streams of (events, exposure) with events <= exposure, valid for every kind of observation."""
    wave = [(float(_WAVE[i % 20]), 40.0) for i in range(120)]
    return {
        "ordinary": wave,
        "all zero": [(0.0, 40.0)] * 80,
        "constant": [(4.0, 40.0)] * 80,
        "all of them": [(40.0, 40.0)] * 80,
        "burst": [*wave[:60], (39.0, 40.0), (38.0, 40.0), *wave[:40]],
        "new level": [*wave[:60], *[(k + 25.0, m) for k, m in wave[:60]]],
        "no exposure": [*wave[:30], *[(0.0, 0.0)] * 30, *wave[:30]],
        "never any exposure": [(0.0, 0.0)] * 60,
        "one event": [(0.0, 1.0)] * 40 + [(1.0, 1.0)] + [(0.0, 1.0)] * 20,
        "huge": [(1e15, 1e15), (0.0, 1e15)] * 30 + [(1e308, 1.7e308), (0.0, 1.7e308)] * 30,
        "tiny": [(5e-324, 1e-300), (0.0, 5e-324)] * 60,
        "huge and tiny": [(0.0, 5e-324), (1e308, 1.7e308), (1.0, 1.0)] * 40,
    }


def _samples() -> dict[type, dict[str, Stream]]:
    shapes = _shapes()
    gauges: dict[str, Stream] = {name: [Gauge(value=k) for k, _ in stream] for name, stream in shapes.items()}
    gauges["signs"] = [Gauge(value=(-1.0) ** i * 1.7e308) for i in range(120)]
    return {
        Count: {name: [Count(k=k, m=m) for k, m in stream] for name, stream in shapes.items()},
        Proportion: {name: [Proportion(k=k, n=m) for k, m in stream] for name, stream in shapes.items()},
        Gauge: gauges,
        Gap: {name: [Gap(seconds=m, expected=k) for k, m in stream] for name, stream in shapes.items()},
    }


SAMPLES: dict[type, dict[str, Stream]] = _samples()


def returns_finite_numbers_or_none(make: Make, stream: Stream) -> None:
    """`update` never raises on a finite observation and returns `None` or finite numbers, never NaN or infinity."""
    detector = make()
    for i, observation in enumerate(stream):
        score = detector.update(observation)
        if score is not None:
            numbers = (score.statistic, score.threshold, score.expected, score.observed, score.alpha or 0.0)
            assert all(math.isfinite(n) for n in numbers), f"observation {i}: {score} is not finite"


def alarms_exactly_at_its_threshold(make: Make, stream: Stream) -> None:
    """`alarm` equals `statistic >= threshold`."""
    for score in _run(make(), stream):
        assert score is None or score.alarm == (score.statistic >= score.threshold)


def is_deterministic(make: Make, stream: Stream) -> None:
    """Two detectors given equal observations return equal scores: no clock, no randomness, no shared state."""
    first, second = make(), make()
    for observation in stream:
        assert first.update(observation) == second.update(observation)


def survives_a_snapshot_at_any_point(make: Make, stream: Stream) -> None:
    """A detector encoded and decoded before every observation returns bit-equal scores and ends in equal state."""
    through, restored = make(), make()
    for i, observation in enumerate(stream):
        restored = _restored(restored)
        assert restored.update(observation) == through.update(observation), f"differs after a snapshot at {i}"
    assert _bytes(restored) == _bytes(through), "state differs although the scores agree"


def keeps_a_bounded_state(make: Make, stream: Stream) -> None:
    """After 2,000 observations the snapshot is within `LARGEST_STATE` bytes."""
    detector = make()
    for i in range(2_000):
        detector.update(stream[i % len(stream)])
    size = len(_bytes(detector))
    assert size <= LARGEST_STATE, f"the snapshot has {size} bytes"


def keeps_finite_state(make: Make, stream: Stream) -> None:
    """No field becomes NaN or infinite, which would silence a detector without an error."""
    detector = make()
    for observation in stream:
        detector.update(observation)
    _finite(msgspec.to_builtins(detector))


def peek_does_not_change_state(make: Make, stream: Stream) -> None:
    """`peek` leaves the state unchanged, and the score of a closed period is at most the score of its `peek`."""
    detector = make()
    if not isinstance(detector, Provisional):
        return
    for i, observation in enumerate(stream):
        before = _bytes(detector)
        glimpse = detector.peek(tuple(stream[i : i + 3]))
        assert _bytes(detector) == before, f"peek at {i} changed the state"
        assert glimpse is None or math.isfinite(glimpse.statistic)
        score = detector.update(observation)
        if glimpse is not None and score is not None:
            assert glimpse.statistic >= score.statistic, f"peek at {i} is below a prefix of what it was shown"


def peek_rises_with_events(make: Make, stream: Stream) -> None:
    """More events in an open period never lower its score, so the score at the largest count bounds all others."""
    detector = make()
    if not isinstance(detector, Provisional):
        return
    for observation in stream:
        detector.update(observation)
        if not isinstance(observation, Count):
            continue
        seen = [detector.peek((Count(observation.k + more, observation.m),)) for more in (0, 1, 2, 5, 50, 1000)]
        assert all((a is None) == (b is None) for a, b in pairwise(seen)), (
            "whether there is a score depends on the number of events"
        )
        values = [score.statistic for score in seen if score is not None]
        assert all(b >= a - 1e-9 * max(1.0, abs(a)) for a, b in pairwise(values)), "more events lowered the score"


def late_events_never_lower_the_evidence(make: Make, stream: Stream) -> None:
    """Late events never lower the score; 0 late events leave it unchanged; outside the window the result is `None`."""
    detector = make()
    if not isinstance(detector, Revisable):
        return
    for i, observation in enumerate(stream):
        score = detector.update(observation)
        nothing = detector.raise_late(0, 0.0)
        if score is not None and nothing is not None:
            assert nothing.statistic == score.statistic, f"no late events at {i} changed the evidence"
        for lag in (0, 2):
            raised = detector.raise_late(lag, 1.0)
            if score is not None and raised is not None:
                assert raised.statistic >= score.statistic, f"late events at {i} lowered the evidence"
                score = raised
    assert detector.raise_late(10_000, 1.0) is None
    detector.remember(1)
    assert detector.raise_late(1, 1.0) is None, "a narrower window remembers what is outside"
    detector.remember(3)
    assert detector.raise_late(1, 1.0) is None, "a wider window knows what was forgotten"
    assert detector.late_window == 3


def states_its_claim(make: Make, stream: Stream) -> None:
    """`claims` is a sentence, and `observes` lists kinds of observation."""
    detector = make()
    assert len(detector.claims) > 20
    assert detector.claims.endswith(".")
    assert set(detector.observes) <= {Count, Proportion, Gauge, Gap}
    assert detector.observes


CHECKS: tuple[Callable[[Make, Stream], None], ...] = (
    returns_finite_numbers_or_none,
    alarms_exactly_at_its_threshold,
    is_deterministic,
    survives_a_snapshot_at_any_point,
    keeps_a_bounded_state,
    keeps_finite_state,
    peek_does_not_change_state,
    peek_rises_with_events,
    late_events_never_lower_the_evidence,
    states_its_claim,
)


def _run(detector: Detector, stream: Stream) -> list[Score | None]:
    return [detector.update(observation) for observation in stream]


def _bytes(detector: Detector) -> bytes:
    return msgspec.msgpack.encode(detector)


def _restored(detector: Detector) -> Detector:
    return msgspec.msgpack.decode(_bytes(detector), type=type(detector))


def _finite(value: object) -> None:
    if isinstance(value, float):
        assert math.isfinite(value), "a field is not finite"
    elif isinstance(value, dict):
        for part in value.values():
            _finite(part)
    elif isinstance(value, list | tuple):
        for part in value:
            _finite(part)
