"""The conditions of a charter for `scale`: typed checks on the computed numbers, and words that a person answers.
Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import UNSET

from monitor.assess.streams import digits
from monitor.charter.spec import Charter, ExitCheck
from monitor.model.assessment import CONDITION_CHARACTERS, MOST_CONDITIONS, Assessment, ConditionResult, StreamNumbers

DAY_MS = 86_400_000

OF_PILOT: dict[str, Callable[[Assessment], float]] = {
    "quiet_days": lambda a: a.quiet / DAY_MS,
    "active_findings": lambda a: float(a.active),
    "open_rectifications": lambda a: float(a.rectifications),
    "missed_clocks": lambda a: float(a.clocks_missed),
    "halts": lambda a: float(a.halts),
    "late_events": lambda a: float(a.late_events),
}
"""A measure of the pilot -> its value."""

OF_STREAM: dict[str, Callable[[StreamNumbers], float | None]] = {
    "complete_periods": lambda s: float(s.complete),
    "partial_share": lambda s: s.partial / (s.partial + s.complete) if s.partial + s.complete else 1.0,
    "events": lambda s: s.counted,
    "exposure": lambda s: s.exposure,
    "rate": lambda s: s.rate,
    "power": lambda s: s.power,
}
"""A measure of a stream -> its value; `None`: it has none."""


def conditions_of(
    charter: Charter, numbers: Assessment, streams: Sequence[StreamNumbers], answers: Mapping[int, bool]
) -> tuple[ConditionResult, ...]:
    """The result of each condition, words first. `answers`: number of a condition in words, from 1 -> whether a person
    states that it is met."""
    words = [
        ConditionResult(condition=words[:CONDITION_CHARACTERS], met=answers.get(number))
        for number, words in enumerate(charter.exit.conditions, 1)
    ]
    checks = () if charter.exit.checks is UNSET else charter.exit.checks
    return (*words, *(_checked(check, numbers, streams) for check in checks))[:MOST_CONDITIONS]


def words_of(check: ExitCheck) -> str:
    """A check as a line of text.

    >>> words_of(ExitCheck("quiet_days", least=30)), words_of(ExitCheck("rate", most=0.01, indicator="errors"))
    ('quiet_days at least 30', 'rate of errors at most 0.01')
    """
    of = f" of {check.indicator}" if check.indicator else ""
    ends = [("at least", check.least), ("at most", check.most)]
    return f"{check.measure}{of} " + " and ".join(f"{word} {end:g}" for word, end in ends if end is not None)


def _checked(check: ExitCheck, numbers: Assessment, streams: Sequence[StreamNumbers]) -> ConditionResult:
    values = list(_values(check, numbers, streams))
    known = [value for value in values if value is not None]
    met = bool(values) and len(known) == len(values) and all(_inside(check, value) for value in known)
    if check.measure == "power":  # of the segment in which it is computed
        met = bool(known) and all(_inside(check, value) for value in known)
    worst = next((value for value in known if not _inside(check, value)), known[0] if known else None)
    return ConditionResult(condition=words_of(check), by="monitor", value=digits(worst), met=met)


def _values(check: ExitCheck, numbers: Assessment, streams: Sequence[StreamNumbers]) -> Iterator[float | None]:
    if check.measure in OF_PILOT:
        yield OF_PILOT[check.measure](numbers)
        return
    for row in streams:
        if not check.indicator or row.indicator == check.indicator:
            yield OF_STREAM[check.measure](row)


def _inside(check: ExitCheck, value: float) -> bool:
    return (check.least is None or value >= check.least) and (check.most is None or value <= check.most)
