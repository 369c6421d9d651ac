"""The class that follows from a record by rule, with the numbers that decided it. Pure.

Each measure is compared through exact limits of its value (Garwood 1936 for numbers per pilot-year, Clopper and Pearson
1934 for shares), so a short record gives neither a good class nor, from one event, a bad one:

- A or B, if the upper limit is at most that of the class;
- C or D, if the lower limit is above that of B or C. It is computed over at least `enough.years`;
- else `not_enough_record`: the record does not tell.

The class is the worst one of all measures. If a firm's true value of some measure is above the limit of B, it gets
class B or better with a probability of at most (1 - confidence)/2: each measure must show the contrary. If all its true
values are at most the limits of B, it gets C or D with a probability of at most (1 - confidence)/2 in total: the lower
limits share that error. Both hold for independent Poisson counts and trials, at one look; events that come in bursts
err more often, and so does who waits for a good moment.

A worse record never gives a better class: more against the firm raises both limits, and less operation raises the upper
one (`tests/property/test_firm_classes.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial

from msgspec import Struct

from detectors.intervals import proportion_interval, rate_interval
from monitor.firms.record import YEAR_MS, FirmRecord
from monitor.firms.rules import FirmClass, FirmRules, Limits, Measure


class ClassReason(StrEnum):
    """Why a measure, or the record as a whole, gives a class."""

    SHOWN_BELOW = "shown_below"  # the upper limit of the value is at most the limit of the class
    SHOWN_ABOVE = "shown_above"  # the lower limit of the value is above the limit of the next better class
    UNDECIDED = "undecided"  # neither
    TOO_FEW_PILOTS = "too_few_pilots"
    TRUNCATED = "truncated"  # the firm has more pilots than its record holds


class Ground(Struct, frozen=True, kw_only=True):
    """What one measure gives: `events` over `exposure` (pilot-years, or observations), the exact `lower` and `upper`
    limits of the value, and the `limit` that decided. Without a measure: `events` pilots of the `limit` needed."""

    measure: Measure | None = None
    gives: FirmClass
    reason: ClassReason
    events: float
    exposure: float | None = None
    lower: float | None = None
    upper: float | None = None
    limit: float | None = None


class Classified(Struct, frozen=True):
    """The class with the grounds that give it, and what every measure gives, in the order of the rules."""

    gives: FirmClass
    deciding: tuple[Ground, ...]
    grounds: tuple[Ground, ...]


def firm_class(record: FirmRecord, rules: FirmRules) -> Classified:
    """The class of a record.

    >>> from monitor.firms.rules import SHIPPED_RULES
    >>> quiet = FirmRecord(firm="f-1", pilots=4, operated_ms=8 * YEAR_MS, observations=9_000)
    >>> firm_class(quiet, SHIPPED_RULES).gives.value
    'A'
    >>> short = FirmRecord(firm="f-1", pilots=4, operated_ms=YEAR_MS // 2, observations=9_000)
    >>> firm_class(short, SHIPPED_RULES).gives.value
    'not_enough_record'
    """
    shared = 1 - (1 - rules.confidence) / len(rules.limits)
    grounds = [_ground(record, rules, shared, one, limits) for one, limits in rules.limits.items()]
    if record.pilots < rules.enough.pilots:
        grounds.append(Ground(gives=FirmClass.NOT_ENOUGH, reason=ClassReason.TOO_FEW_PILOTS,
                              events=float(record.pilots), limit=float(rules.enough.pilots)))  # fmt: skip
    if record.truncated:
        grounds.append(Ground(gives=FirmClass.NOT_ENOUGH, reason=ClassReason.TRUNCATED, events=float(record.pilots)))
    worst = max((one.gives for one in grounds), key=lambda one: one.rank)
    return Classified(worst, tuple(one for one in grounds if one.gives is worst), tuple(grounds))


def _ground(record: FirmRecord, rules: FirmRules, shared: float, measure: Measure, limits: Limits) -> Ground:
    """What one measure gives. `shared` is the confidence of lower limits."""
    if measure is Measure.LATE_SHARE:
        late = record.observations_late
        exposure = float(late + record.observations)
        interval: Callable[[float], tuple[float, float]] = partial(proportion_interval, float(late), exposure)
        events, below, above = float(late), 1.0, 1.0
    else:
        events, exposure = float(getattr(record, measure.value)), record.operated_ms / YEAR_MS
        interval = partial(rate_interval, events)
        below, above = max(exposure, rules.enough.years), exposure
    lower = interval(shared)[0] / below
    upper = interval(rules.confidence)[1] / above if above else None
    gives, reason, limit = _placed(lower, upper, limits)
    return Ground(
        measure=measure, gives=gives, reason=reason, events=events, exposure=exposure, lower=lower, upper=upper,
        limit=limit,
    )  # fmt: skip


def _placed(lower: float, upper: float | None, limits: Limits) -> tuple[FirmClass, ClassReason, float]:
    if upper is not None and upper <= limits.A:
        return FirmClass.A, ClassReason.SHOWN_BELOW, limits.A
    if upper is not None and upper <= limits.B:
        return FirmClass.B, ClassReason.SHOWN_BELOW, limits.B
    if lower > limits.C:
        return FirmClass.D, ClassReason.SHOWN_ABOVE, limits.C
    if lower > limits.B:
        return FirmClass.C, ClassReason.SHOWN_ABOVE, limits.B
    return FirmClass.NOT_ENOUGH, ClassReason.UNDECIDED, limits.B


REASON_WORDS: dict[ClassReason, str] = {
    ClassReason.SHOWN_BELOW: "shown to be at most the limit of the class",
    ClassReason.SHOWN_ABOVE: "shown to be above the limit of the better class",
    ClassReason.UNDECIDED: "the record is too short to tell on which side of the limit it is",
    ClassReason.TOO_FEW_PILOTS: "fewer pilots than a class needs",
    ClassReason.TRUNCATED: "the firm has more pilots than a record holds",
}


def ground_words(ground: Ground) -> str:
    """A ground as text: `halts: 3 in 2.5 pilot-years, 0.33 to 3.1 per pilot-year; limit 2: ...`."""
    why = REASON_WORDS[ground.reason]
    if ground.measure is None:
        return f"{ground.events:g} pilots: {why}"
    share = ground.measure is Measure.LATE_SHARE
    unit = "observations" if share else "pilot-years"
    upper = "any number" if ground.upper is None else f"{ground.upper:.3g}"
    value = f"{ground.lower or 0:.3g} to {upper}" + ("" if share else " per pilot-year")
    return f"{ground.measure.value}: {ground.events:g} in {ground.exposure or 0:.3g} {unit}, {value}; " + (
        f"limit {ground.limit:g}: {why}"
    )
