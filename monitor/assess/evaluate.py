"""What a pilot lacks for `scale`, and the outcome that follows. Pure.

`scale` is advised only if every bound keeps its limit and every declared power was reached, so a pilot whose true mean
rate is above one of its limits gets it with a probability of at most alpha, however often it is assessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.lifecycle.names import Outcome
from monitor.model.assessment import Assessment, ConditionResult, Lack, StreamNumbers

MOST_PARTIAL = 0.05  # share of the periods of a stream with a limit that may be incomplete

OUTCOMES: dict[Lack, Outcome] = {
    Lack.HALTED: Outcome.REMEDIATE,
    Lack.LIMIT_EXCEEDED: Outcome.STOP,
    Lack.FINDING_ACTIVE: Outcome.REMEDIATE,
    Lack.RECTIFICATION_OPEN: Outcome.REMEDIATE,
    Lack.NO_LIMIT: Outcome.INSUFFICIENT_EVIDENCE,
    Lack.LIMIT_NOT_SHOWN: Outcome.INSUFFICIENT_EVIDENCE,
    Lack.POWER_NOT_REACHED: Outcome.INSUFFICIENT_EVIDENCE,
    Lack.PERIODS_INCOMPLETE: Outcome.INSUFFICIENT_EVIDENCE,
    Lack.QUIET_TOO_SHORT: Outcome.EXTEND,
    Lack.CLOCK_MISSED: Outcome.EXTEND,
    Lack.CONDITION_UNMET: Outcome.EXTEND,
    Lack.CONDITION_OPEN: Outcome.EXTEND,
    Lack.STEP_TOO_SHORT: Outcome.EXTEND,
}
"""What is lacking -> the outcome that it speaks for."""

_GRAVEST = (Outcome.STOP, Outcome.REMEDIATE, Outcome.INSUFFICIENT_EVIDENCE, Outcome.EXTEND)


def lacks_of(numbers: Assessment, streams: Sequence[StreamNumbers], halted: bool, grave: int) -> tuple[Lack, ...]:
    """What keeps a pilot from `scale`: `streams` are all of its streams, `grave` the number of its active findings at
    level escalate or above."""
    return tuple(dict.fromkeys(_lacks(numbers, streams, halted, grave)))


def advised(lacks: Sequence[Lack]) -> Outcome:
    """The outcome that follows from what is lacking; `scale` where nothing is."""
    spoken = {OUTCOMES[lack] for lack in lacks}
    return next((outcome for outcome in _GRAVEST if outcome in spoken), Outcome.SCALE)


def limits_kept(lacks: Sequence[Lack]) -> bool:
    """Whether every bound keeps its limit."""
    return not {Lack.NO_LIMIT, Lack.LIMIT_NOT_SHOWN, Lack.LIMIT_EXCEEDED}.intersection(lacks)


def power_reached(lacks: Sequence[Lack]) -> bool:
    """Whether the declared power of every indicator was reached, on complete periods."""
    return not {Lack.NO_LIMIT, Lack.POWER_NOT_REACHED, Lack.PERIODS_INCOMPLETE}.intersection(lacks)


def stands_in_the_way(row: StreamNumbers) -> bool:
    """Whether this stream keeps its pilot from `scale`."""
    return bool(list(_of_stream(row)))


def _lacks(numbers: Assessment, streams: Sequence[StreamNumbers], halted: bool, grave: int) -> Iterator[Lack]:
    if halted:
        yield Lack.HALTED
    if grave or numbers.shelved:
        yield Lack.FINDING_ACTIVE
    if numbers.rectifications:
        yield Lack.RECTIFICATION_OPEN
    if not any(row.limit is not None and row.power is not None for row in streams):
        yield Lack.NO_LIMIT
    for row in streams:
        yield from _of_stream(row)
    if numbers.quiet < numbers.quiet_needed:
        yield Lack.QUIET_TOO_SHORT
    if numbers.clocks_missed:
        yield Lack.CLOCK_MISSED
    yield from _of_conditions(numbers.conditions)


def _of_stream(row: StreamNumbers) -> Iterator[Lack]:
    if row.limit is None:
        return
    if row.keeps is not True:
        worst, best = row.low, row.high
        exceeded = (best is not None and best < row.limit) if row.below else (worst is not None and worst > row.limit)
        yield Lack.LIMIT_EXCEEDED if exceeded else Lack.LIMIT_NOT_SHOWN
    if row.power is not None and row.asked is not None and row.power < row.asked:
        yield Lack.POWER_NOT_REACHED
    if row.partial > MOST_PARTIAL * (row.partial + row.complete):
        yield Lack.PERIODS_INCOMPLETE


def _of_conditions(conditions: Sequence[ConditionResult]) -> Iterator[Lack]:
    for condition in conditions:
        if condition.met is None:
            yield Lack.CONDITION_OPEN
        elif not condition.met:
            yield Lack.CONDITION_UNMET
