"""Fast-forward: the state after many equal observations, bit for bit, without making every update.

A long time without events is such a run. Most detectors reach a fixed point: once an update leaves the state unchanged,
so does every later one. A detector without a fixed point implements `Repeating`.
"""

from __future__ import annotations

import math
from typing import Protocol, TypeVar, runtime_checkable

import msgspec

from detectors.base import Detector, Observation

MAX_UPDATES = 4_096  # updates after which the search for a fixed point is given up

D = TypeVar("D", bound=Detector)


@runtime_checkable
class Repeating(Protocol):
    """A detector that can process many equal observations at once."""

    def repeat(self, observation: Observation, times: int) -> bool:
        """Processes `observation` `times` times; the state equals that of as many `update` calls, bit for bit.

        Returns False if one of the updates might alarm or reach half of the threshold, or if that cannot be determined;
        the state is then undefined.
        """


def repeated(detector: D, observation: Observation, times: int) -> D | None:
    """Returns a copy of the detector after `times` updates with the same observation, or `None` if one of them alarms
    or the result cannot be determined within `MAX_UPDATES` updates. `detector` is not changed."""
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
    """Returns `a` after adding `w` `times` times in floating point, for 0 <= a, 0 < w; bit-equal, in fewer additions.

    Between two powers of two all floats are multiples of one unit, so `w` is rounded to the same number of units each
    time (except ties, which round to even and are added one by one).

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
        top = 2**53  # the next power of two, in units
        have = int(a / unit)
        many = min(times, (top - 1 - have) // step)
        a = (have + many * step) * unit
        times -= many
        if times:
            a, times = a + w, times - 1
    return a
