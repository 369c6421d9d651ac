"""What a detector sees (an observation), what it says (a score), and the one method it has.

A detector is a small mutable object of numbers: its parameters and its running state are the fields of one
`msgspec.Struct`, so that a snapshot is the object itself and nothing has to be pickled. It never reads a clock, draws a
random number or does input and output. `update` is its one method.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias, runtime_checkable

import msgspec


class Count(msgspec.Struct, frozen=True, gc=False):
    """`k` events over an exposure of `m` units in one closed period. `k >= 0`, `m >= 0`, both finite."""

    k: float
    m: float


class Proportion(msgspec.Struct, frozen=True, gc=False):
    """`k` of `n` trials in one closed period. `0 <= k <= n`, both finite."""

    k: float
    n: float


class Gauge(msgspec.Struct, frozen=True, gc=False):
    """A finite number that has no likelihood of its own (a cost, a gain), one per closed period."""

    value: float


class Gap(msgspec.Struct, frozen=True, gc=False):
    """`seconds` of event-free time so far, and the number of events `expected` in such a gap. Both finite, `>= 0`."""

    seconds: float
    expected: float


Observation: TypeAlias = Count | Proportion | Gauge | Gap


class Score(msgspec.Struct, frozen=True, gc=False):
    """What a detector says of an observation.

    `alarm` is `statistic >= bar`. Statistics of e-processes and e-detectors are natural logarithms of the e-value, and
    so is their bar: `exp(statistic)` is the evidence. `expected` is what the limit or the baseline allows in the same
    units as `observed` (events, or a share for proportions). `alpha` is the error budget this bar spends, `None` for a
    detector that promises a run length or nothing.
    """

    statistic: float
    bar: float
    expected: float
    observed: float
    alpha: float | None = None

    @property
    def alarm(self) -> bool:
        """Whether the statistic has reached its bar."""
        return self.statistic >= self.bar


@runtime_checkable
class Detector(Protocol):
    """The extension point: one method.

    Contract, held by `detectors/checks.py` for everything in `DETECTORS`: `update` accepts every finite observation of
    the kinds in `observes`, never raises on one, returns `None` while it has no opinion, and otherwise finite numbers; the
    same observations give the same scores; the object survives a msgpack round trip at any point.
    """

    def update(self, observation: Observation) -> Score | None:
        """Take one observation of a closed period and say what it means, or `None` for no opinion yet."""


@runtime_checkable
class Provisional(Protocol):
    """A detector that may speak before the period is closed, because its e-value rises in `k` and falls in `m`."""

    def peek(self, observations: tuple[Observation, ...]) -> Score | None:
        """Score a run of open periods, oldest first, without changing state: the largest over its prefixes."""


@runtime_checkable
class Revisable(Protocol):
    """A detector that can raise the evidence of a past period when late events arrive, and never lower it."""

    def raise_late(self, lag: int, k: float) -> Score | None:
        """Add `k >= 0` late events to the period `lag >= 0` updates ago (0 = the last one); `None` if out of the window."""
