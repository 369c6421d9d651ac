"""The detector interface: observations (input), scores (output), the design from the charter, and the protocols.

A detector is a small mutable `msgspec.Struct`: its fields are its parameters and its running state, so a snapshot is
the encoded object. A detector reads no clock, draws no random number and performs no input or output. Its one
required method is `update`.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

import msgspec


class Count(msgspec.Struct, frozen=True, gc=False):
    """`k` events over an exposure of `m` units in one closed period. `k >= 0`, `m >= 0`, both finite.

    `at` is the index of the period on its grid (for example hours since 1970), used by detectors that model cycles;
    `None` if unknown.
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
    """A finite value without a likelihood model (a cost, a gain), one per closed period. `at` as in `Count`."""

    value: float
    at: int | None = None


class Gap(msgspec.Struct, frozen=True, gc=False):
    """`seconds` since the last event, and the number of events `expected` in that time. Both finite, `>= 0`."""

    seconds: float
    expected: float


class Compared(msgspec.Struct, frozen=True, gc=False):
    """One segment next to all others of the same period: `k` events over exposure (or trials) `x`, and `rest_k` over
    `rest_x` of the others together. All finite, `>= 0`. `is_proportion`: the exposures are trials."""

    k: float
    x: float
    rest_k: float
    rest_x: float
    is_proportion: bool = False


Observation: TypeAlias = Count | Proportion | Gauge | Gap | Compared


Change: TypeAlias = Literal["rise", "fall", "return"]
"""Direction of a change; a `return` is one to the level before the last change."""


LARGEST = 1e18
"""Inputs are clipped to this value, which exceeds what telemetry may carry, so that products and sums stay finite."""


LARGEST_VALUE = 1e100
"""Values of observations without a likelihood are clipped to this absolute value."""


def events_of(observation: Observation) -> tuple[float, float]:
    """Returns (events, exposure or trials) of a count or a proportion, clipped to `LARGEST`. Raises TypeError
    otherwise."""
    if isinstance(observation, Count):
        return min(observation.k, LARGEST), min(observation.m, LARGEST)
    if isinstance(observation, Proportion):
        return min(observation.k, LARGEST), min(observation.n, LARGEST)
    raise TypeError(f"{type(observation).__name__}: expected a Count or a Proportion")


def value_of(observation: Observation) -> float | None:
    """Returns the value, rate or proportion of an observation, clipped to +-1e100; `None` without exposure and for a
    gap."""
    if isinstance(observation, Gauge):
        value = observation.value
    elif isinstance(observation, Count):
        if observation.m <= 0:
            return None
        value = observation.k / max(observation.m, 1e-100)
    elif isinstance(observation, Proportion):
        if observation.n <= 0:
            return None
        value = observation.k / observation.n
    else:
        return None
    return min(max(value, -LARGEST_VALUE), LARGEST_VALUE)


class Score(msgspec.Struct, frozen=True, gc=False):
    """A detector's result for one observation.

    `alarm` is `statistic >= threshold`. For e-processes and e-detectors both are natural logarithms: `exp(statistic)`
    is the e-value. `expected` is what the limit or the baseline allows, in the units of `observed` (events, or a
    fraction for proportions). `alpha` is the error probability that the threshold corresponds to; `None` for a
    detector that guarantees a run length or nothing. `change` is the direction of an alarm where the detector tells
    them apart; `None` otherwise. `ratio` is an estimate with the ends of its interval, where the detector has one that
    covers all periods so far.
    """

    statistic: float
    threshold: float
    expected: float
    observed: float
    alpha: float | None = None
    change: Change | None = None
    ratio: tuple[float, float, float] | None = None

    @property
    def alarm(self) -> bool:
        """Whether the statistic has reached the threshold."""
        return self.statistic >= self.threshold


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """The charter's settings for one indicator, passed to the `design` method of its detectors.

    `limit`: expected events per unit of exposure (counts), a fraction (proportions), a value (gauges) or expected
    events per second (gaps). `direction`: the side of the limit on which harm lies. `alpha`: probability of a false
    alarm that this stream may spend over its lifetime. `uncertainty`: relative margin on the limit (0.2 = 20 %).
    `variance_mean`: assumed ratio of variance to mean (1 = Poisson or binomial). `minimum_events`: events that must
    have been counted before an e-process may alarm. `late_window`: number of closed periods to which late events can
    be added. `periods_per_year` converts years into periods for run lengths. `check_dispersion`: whether a limit
    detector tests `variance_mean` and withholds an alarm that may rest on more dispersion.
    """

    limit: float | None = None
    direction: Literal["above", "below"] = "above"
    alpha: float | None = None
    uncertainty: float = 0.0
    variance_mean: float = 1.0
    minimum_events: int = 1
    late_window: int = 0
    periods_per_year: float = 8766.0
    check_dispersion: bool = False

    @property
    def sign(self) -> int:
        """1 if harm lies above the limit, -1 if below: the exponent applied to rate ratios above one."""
        return 1 if self.direction == "above" else -1

    def allowed(self) -> float:
        """Returns the limit with its margin, the boundary of the null hypothesis. Raises ValueError without a limit."""
        if self.limit is None:
            raise ValueError("limit: this detector compares with a limit; give the indicator a limit")
        return (
            within("limit", self.limit, low=1e-15, high=1e15)
            * (1 + within("uncertainty", self.uncertainty, low=0.0, high=10)) ** self.sign
        )


def within(name: str, value: object, *, low: float = 1e-300, high: float = 1e300) -> float:
    """Returns `value` as a float. Raises ValueError, naming the parameter, unless it is a number in `[low, high]`.

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


def positive(**named: float) -> None:
    """Raises ValueError naming the first argument that is not a finite number above 0."""
    for name, value in named.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name}: {value!r} is not a finite number above 0")


def finite(**named: float) -> None:
    """Raises ValueError naming the first argument that is not finite."""
    for name, value in named.items():
        if not math.isfinite(value):
            raise ValueError(f"{name}: {value!r} is not a finite number")


def ratios_of(values: object) -> tuple[float, ...]:
    """Returns rate ratios as a tuple. Raises ValueError, naming `ratios`, unless each is in [1.001, 1000]."""
    if not isinstance(values, list | tuple) or not values:
        raise ValueError(f"ratios: {values!r} is not a list of rate ratios; write some above 1, such as [1.5, 2, 3]")
    return tuple(within("ratios", r, low=1.001, high=1000) for r in values)


@runtime_checkable
class Detector(Protocol):
    """The extension point: one method.

    Contract, verified by `detectors/checks.py` for everything in `DETECTORS`: `update` accepts every finite
    observation of the kinds in `observes` and never raises on one; it returns `None` (no result) or a score of finite
    numbers; equal observations give equal scores; the object survives a msgpack round trip at any point.

    `observes` lists the accepted kinds of observation. `claims` states in one sentence what is guaranteed and under
    which model. A detector is built by `design(design, **params)` from the charter's settings and the detector's own
    parameters; an invalid parameter raises ValueError that names it and the fix. The parameters are the keyword-only
    arguments of `design`, or for long lists the fields of a struct named by the class attribute `settings`.
    """

    observes: ClassVar[tuple[type, ...]]
    claims: ClassVar[str]

    def update(self, observation: Observation) -> Score | None:
        """Processes the observation of one closed period. Returns its score, or `None` if there is no result yet."""


@runtime_checkable
class Provisional(Protocol):
    """A detector that can score an open period, because its e-value increases in `k` and decreases in `m`."""

    def peek(self, observations: tuple[Observation, ...]) -> Score | None:
        """Returns the largest score over the prefixes of a run of open periods (oldest first). Does not change
        state."""


@runtime_checkable
class Revisable(Protocol):
    """A detector that can add late events to a past period. Late events never lower its evidence."""

    late_window: int

    def remember(self, periods: int) -> None:
        """From here on accepts late events for the last `periods` >= 0 periods. What it has already forgotten stays
        forgotten: a wider window fills with the periods to come."""

    def raise_late(self, lag: int, k: float) -> Score | None:
        """Adds `k >= 0` late events to the period `lag >= 0` updates ago (0 = the last one).

        Returns the largest score from that period on, or `None` if the period is outside the window.
        """
