"""Adapter for drift detectors of the library river: finite input, `None` during warm-up, plain numbers as state."""

from __future__ import annotations

from statistics import fmean, pstdev
from typing import Any, ClassVar, Self

import msgspec

from detectors.base import Count, Design, Gauge, Observation, Proportion, Score, value_of, within


class RiverDrift(msgspec.Struct, kw_only=True, dict=True):
    """river's ADWIN on the values, rates or proportions of closed periods; the alarm is ADWIN's own.

    Bifet and Gavalda (2007), Learning from time-changing data with adaptive windowing, SIAM SDM. ADWIN expects
    numbers in [0, 1], so each value is standardised by the first `warm_up` kept numbers and mapped into (0, 1).
    river's objects cannot be encoded as numbers; the last numbers are kept instead. Every `block` numbers the older
    half is dropped and ADWIN is rebuilt from the newer half, in a running detector as in a restored one, so both give
    equal scores. Scale and window follow the data, so a lasting change alarms once. `statistic` is 1 for a drift,
    else 0.

    >>> detector = RiverDrift.design(Design(), warm_up=10)
    >>> scores = [detector.update(Gauge(value=v)) for v in [1.0, 1.1] * 40 + [3.0] * 40]
    >>> scores[9], any(s.alarm for s in scores[10:80] if s), any(s.alarm for s in scores[80:] if s)
    (None, False, True)
    """

    observes: ClassVar[tuple[type, ...]] = (Gauge, Count, Proportion)
    claims: ClassVar[str] = (
        "A heuristic without a guaranteed error rate; ADWIN's own bound assumes independent numbers in [0, 1]."
    )

    delta: float
    warm_up: int
    block: int
    numbers: list[float] = []

    @classmethod
    def design(cls, design: Design, *, delta: float = 0.002, warm_up: int = 30, block: int = 256) -> Self:
        """`delta`: ADWIN's confidence parameter; `warm_up`: numbers that set the scale; at most 2 x `block` are
        kept."""
        warm = int(within("warm_up", warm_up, low=2, high=10_000))
        return cls(
            delta=within("delta", delta, low=1e-12, high=0.5),
            warm_up=warm,
            block=int(within("block", block, low=2 * warm, high=100_000)),
        )

    def update(self, observation: Observation) -> Score | None:
        """Processes one closed period. Returns `None` during warm-up and for a period without exposure."""
        number = value_of(observation)
        if number is None:
            return None
        if len(self.numbers) >= 2 * self.block:
            del self.numbers[: self.block]
            self.__dict__.clear()
        if len(self.numbers) < self.warm_up:
            self.numbers.append(number)
            return None
        window, middle, scale = self._window()
        before = float(window.estimation)
        self.numbers.append(number)
        window.update(_bend((number - middle) / scale))
        drift = 1.0 if window.drift_detected else 0.0
        return Score(drift, 1.0, middle + scale * _unbend(before), number)

    def repeat(self, observation: Observation, times: int) -> bool:
        """See `detectors.repeat.Repeating`: once all kept numbers are equal, only their count changes."""
        number = value_of(observation)
        if number is None:
            return True
        for _ in range(min(times, 2 * self.block)):  # until all kept numbers are equal to it
            score = self.update(observation)
            if score is not None and score.alarm:
                return False
            times -= 1
        if times:
            if any(kept != number for kept in self.numbers):
                return False
            length = len(self.numbers)  # it grows to twice the block, then restarts at one above the block
            length = (length - self.block - 1 + times) % self.block + self.block + 1
            self.numbers = [number] * length
            self.__dict__.clear()
        return True

    def _window(self) -> tuple[Any, float, float]:
        """Returns ADWIN after the kept numbers, and the location and scale of the first `warm_up` of them."""
        if "window" not in self.__dict__:
            from river.drift import ADWIN  # takes two seconds, so it is imported on first use

            window = ADWIN(delta=self.delta, clock=4)  # check for a change every fourth number
            head = self.numbers[: self.warm_up]
            middle = fmean(head)
            scale = pstdev(head) or abs(middle) or 1.0
            for number in self.numbers:
                window.update(_bend((number - middle) / scale))
            self.__dict__["window"] = (window, middle, scale)
        found: tuple[Any, float, float] = self.__dict__["window"]
        return found


def _bend(z: float) -> float:
    return 0.5 + 0.5 * z / (1 + abs(z))


def _unbend(u: float) -> float:
    z = 2 * u - 1
    return z / max(1 - abs(z), 1e-9)
