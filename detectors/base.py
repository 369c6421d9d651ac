"""What a detector sees (an observation), what it says (a score), and the one method it has.

A detector is a small mutable object of numbers: its parameters and its running state are the fields of one
`msgspec.Struct`, so that a snapshot is the object itself and nothing has to be pickled. It never reads a clock, draws a
random number or does input and output. `update` is its one method.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

import msgspec


class Count(msgspec.Struct, frozen=True, gc=False):
    """`k` events over an exposure of `m` units in one closed period. `k >= 0`, `m >= 0`, both finite.

    `at` is the index of the period on its grid (hours since 1970, say), for detectors that know cycles; `None` if unknown.
    """

    k: float
    m: float
    at: int | None = None


class Proportion(msgspec.Struct, frozen=True, gc=False):
    """`k` of `n` trials in one closed period. `0 <= k <= n`, both finite. `at` as in `Count`."""

    k: float
    n: float
    at: int | None = None


class Gauge(msgspec.Struct, frozen=True, gc=False):
    """A finite number that has no likelihood of its own (a cost, a gain), one per closed period. `at` as in `Count`."""

    value: float
    at: int | None = None


class Gap(msgspec.Struct, frozen=True, gc=False):
    """`seconds` of event-free time so far, and the number of events `expected` in such a gap. Both finite, `>= 0`."""

    seconds: float
    expected: float


Observation: TypeAlias = Count | Proportion | Gauge | Gap


LARGEST = 1e18
"""Beyond what telemetry may carry; numbers are cut here, so that products and sums stay finite."""


def events_of(observation: Observation) -> tuple[float, float]:
    """Events, and the exposure or trials they came from, of a count or a proportion."""
    if isinstance(observation, Count):
        return min(observation.k, LARGEST), min(observation.m, LARGEST)
    if isinstance(observation, Proportion):
        return min(observation.k, LARGEST), min(observation.n, LARGEST)
    raise TypeError(f"{type(observation).__name__} has no events over exposure")


class Score(msgspec.Struct, frozen=True, gc=False):
    """What a detector says of an observation.

    `alarm` is `statistic >= threshold`. Statistics of e-processes and e-detectors are natural logarithms of the e-value, and
    so is their bar: `exp(statistic)` is the evidence. `expected` is what the limit or the baseline allows in the same
    units as `observed` (events, or a share for proportions). `alpha` is the error budget this bar spends, `None` for a
    detector that promises a run length or nothing.
    """

    statistic: float
    threshold: float
    expected: float
    observed: float
    alpha: float | None = None

    @property
    def alarm(self) -> bool:
        """Whether the statistic has reached its bar."""
        return self.statistic >= self.threshold


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """What the charter says of an indicator, handed to `design` of whichever detector watches it.

    `limit` is expected events per unit of exposure (counts), a share (proportions), a value (gauges) or expected events per
    second (gaps). `uncertainty` 0.2 gives the limit 20 % of room. `variance_mean` is the overdispersion granted (1 =
    Poisson or binomial). `alpha` is what this one stream may spend on false alarms for ever. `minimum_events` must have
    been counted before an e-process may alarm. `late_window` is how many closed periods late events may still raise.
    `periods_per_year` turns "one false alarm in ten years" into a run length.
    """

    limit: float | None = None
    direction: Literal["above", "below"] = "above"
    alpha: float | None = None
    uncertainty: float = 0.0
    variance_mean: float = 1.0
    minimum_events: int = 1
    late_window: int = 0
    periods_per_year: float = 8766.0

    @property
    def sign(self) -> int:
        """1 if harm lies above the limit, -1 if below: the power to which rate ratios above one are raised."""
        return 1 if self.direction == "above" else -1

    def allowed(self) -> float:
        """The limit with its room: what a pilot that keeps its limit stays within. Raises ValueError without a limit."""
        if self.limit is None:
            raise ValueError("limit: this detector compares with a limit; give the indicator a limit")
        return (
            within("limit", self.limit, low=1e-15, high=1e15)
            * (1 + within("uncertainty", self.uncertainty, low=0.0, high=10)) ** self.sign
        )


def within(name: str, value: object, *, low: float = 1e-300, high: float = 1e300) -> float:
    """`value` as a float if it is a number in `[low, high]`; raises ValueError naming the parameter and the fix.

    >>> within("arl0", 1000)
    1000.0
    >>> within("arl0", "often", low=2)
    Traceback (most recent call last):
    ValueError: arl0: 'often' is not a number from 2 to 1e+300; write one
    """
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not low <= value <= high:  # type: ignore[operator]
        raise ValueError(f"{name}: {value!r} is not a number from {low:g} to {high:g}; write one")
    return float(value)  # type: ignore[arg-type]


def ratios_of(values: object) -> tuple[float, ...]:
    """Rate ratios above 1 as a tuple; raises ValueError naming `ratios` and the fix."""
    if not isinstance(values, list | tuple) or not values:
        raise ValueError(f"ratios: {values!r} is not a list of rate ratios; write some above 1, such as [1.5, 2, 3]")
    return tuple(within("ratios", r, low=1.001, high=1000) for r in values)


@runtime_checkable
class Detector(Protocol):
    """The extension point: one method.

    Contract, held by `detectors/checks.py` for everything in `DETECTORS`: `update` accepts every finite observation of
    the kinds in `observes`, never raises on one, returns `None` while it has no opinion, and otherwise finite numbers; the
    same observations give the same scores; the object survives a msgpack round trip at any point.

    `observes` names the kinds of observation, `claims` says in one sentence what is promised and under which model. A class
    is built by `design(design, **params)`: what the charter says of the indicator, and the watcher's own parameters; a
    wrong parameter raises ValueError that names it and the fix.
    """

    observes: ClassVar[tuple[type, ...]]
    claims: ClassVar[str]

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
