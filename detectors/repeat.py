"""The same observation many times over: the state that so many updates leave, bit for bit, without making all of them.

A stretch of time in which nothing happened is such a run. Most detectors reach a fixed point: once an update changes
nothing, no later one does. A detector without a fixed point computes the result itself (`Repeating`).
"""

from __future__ import annotations

import math
from typing import Protocol, TypeVar, runtime_checkable

import msgspec

from detectors.base import Detector, Observation

MAX_UPDATES = 4_096  # updates within which a detector must reach its fixed point

D = TypeVar("D", bound=Detector)


@runtime_checkable
class Repeating(Protocol):
    """A detector that can be moved on by many equal observations at once."""

    def repeat(self, observation: Observation, times: int) -> bool:
        """Take `observation` `times` times, with the state that so many calls of `update` would leave, bit for bit.
        False where one of them might alarm or come half-way to the bar, or where that cannot be told; the state is then
        of no use."""


def repeated(detector: D, observation: Observation, times: int) -> D | None:
    """The detector after `times` updates with the same observation, none of which alarms; `None` where that cannot be
    told without making them all. `detector` itself is not changed."""
    made = msgspec.msgpack.decode(msgspec.msgpack.encode(detector), type=type(detector))
    again: object = made
    if isinstance(again, Repeating):
        return made if again.repeat(observation, times) else None
    before = msgspec.msgpack.encode(made)
    for _ in range(min(times, MAX_UPDATES)):
        score = made.update(observation)
        if score is not None and score.alarm:
            return None
        after = msgspec.msgpack.encode(made)
        if after == before:
            return made
        before = after
    return made if times <= MAX_UPDATES else None


def added_repeatedly(a: float, w: float, times: int) -> float:
    """`a + w`, rounded, and so on `times` times, for 0 <= a, 0 < w: the same bits, without making every addition.

    Between two powers of two all floats are multiples of one unit, so `w` is rounded to the same number of units each
    time (a tie, which goes to the even side, is added singly).

    >>> added_repeatedly(0.1, 0.1, 9), sum([0.1] * 10)
    (0.9999999999999999, 0.9999999999999999)
    """
    while times > 0:
        unit = math.ulp(a)
        units, half = divmod(w, unit)  # exact: the unit is a power of two, and the remainder is representable
        if w > a or half * 2 == unit or not 0 < units < 2.0**52:
            after = a + w
            if after == a:
                return a
            a, times = after, times - 1
            continue
        step = int(units) + (half * 2 > unit)
        top = 2**53  # so many units make the next power of two
        have = int(a / unit)
        many = min(times, (top - 1 - have) // step)
        a = (have + many * step) * unit
        times -= many
        if times:
            a, times = a + w, times - 1
    return a
