"""Cost of one update: microseconds per detector and kind, and the ratio to a plain CUSUM loop on the same machine.

Run: `python tests/bench/detector_cost.py`
"""

from __future__ import annotations

import time

import msgspec

from detectors import DETECTORS, build
from detectors.base import Count, Design, Gap, Gauge, Observation, Proportion

ROUNDS, LENGTH = 5, 4_000
WAVE = (3, 6, 4, 7, 5, 9, 2, 6, 5, 3)


def stream(kind: type) -> list[Observation]:
    """Returns an ordinary stream of one kind, around its limit."""
    made: dict[type, list[Observation]] = {
        Count: [Count(k=float(WAVE[i % 10]), m=1.0) for i in range(LENGTH)],
        Proportion: [Proportion(k=float(WAVE[i % 10]), n=50.0) for i in range(LENGTH)],
        Gauge: [Gauge(value=float(WAVE[i % 10])) for i in range(LENGTH)],
        Gap: [Gap(seconds=60.0 * WAVE[i % 10], expected=float(WAVE[i % 10])) for i in range(LENGTH)],
    }
    return made[kind]


def bare() -> float:
    """Returns seconds per step of the smallest chart, written inline, as the reference."""
    best = 1e9
    observations = stream(Count)
    for _ in range(ROUNDS):
        chart, began = 0.0, time.perf_counter()
        for o in observations:
            chart = max(0.0, chart + o.k - 7.25)  # type: ignore[union-attr]
        best = min(best, (time.perf_counter() - began) / LENGTH)
    return best


def main() -> None:
    """Prints the table."""
    yardstick = bare()
    print(f"{'detector':<18}{'kind':<12}{'us/update':>10}{'x bare loop':>13}{'snapshot bytes':>16}")
    print(f"{'(bare CUSUM loop)':<30}{yardstick * 1e6:>10.2f}{1:>13.0f}")
    limits = {Count: 5.0, Proportion: 0.1, Gauge: 20.0, Gap: 1 / 60}
    for name, cls in DETECTORS.items():
        for kind in cls.observes:
            best, observations = 1e9, stream(kind)
            for _ in range(ROUNDS):
                detector = build(name, Design(limit=limits[kind], alpha=0.01, late_window=4))
                for o in observations[:100]:
                    detector.update(o)
                began = time.perf_counter()
                for o in observations:
                    detector.update(o)
                best = min(best, (time.perf_counter() - began) / LENGTH)
            size = len(msgspec.msgpack.encode(detector))
            print(f"{name:<18}{kind.__name__.lower():<12}{best * 1e6:>10.2f}{best / yardstick:>13.0f}{size:>16}")


if __name__ == "__main__":
    main()
