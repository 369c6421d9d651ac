"""The rules that map a record to a class, as data: limits of rates and shares, and how much record is needed. Pure.

A sandbox names its rules by id, version and digest; the act that sets a class carries them whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from monitor.firms.record import Count
from monitor.model.canonical import canonical
from monitor.model.records import digest


class FirmClass(StrEnum):
    """The class of a firm, from the best to the worst record."""

    A = "A"
    B = "B"
    NOT_ENOUGH = "not_enough_record"  # the record is too short to tell
    C = "C"
    D = "D"

    @property
    def rank(self) -> int:
        """0 for the best."""
        return list(FirmClass).index(self)


class Measure(StrEnum):
    """What is compared with limits: numbers per pilot-year of operation, and two shares."""

    HALTS = "halts"
    STOPS_OVERDUE = "stops_overdue"
    CONTRADICTIONS = "contradictions"
    CONFLICTS = "conflicts"
    CLOCKS_MISSED = "clocks_missed"
    RECTIFICATIONS_LATE = "rectifications_late"
    REFUSALS = "refusals"
    LATE_SHARE = "late_share"  # of the observations


Limit: TypeAlias = Annotated[float, Meta(ge=0, le=1e6)]
RuleId: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """The highest value of a measure in classes A, B and C; above that of C the class is D."""

    A: Limit
    B: Limit
    C: Limit


class EnoughRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """Fewer `pilots` than this give no class better than `not_enough_record`. What is found against a firm with fewer
    `years` of operation (of all pilots together) is taken as found in so many."""

    pilots: Annotated[int, Meta(ge=1, le=1000)] = 2
    years: Annotated[float, Meta(gt=0, le=100)] = 0.5


class FirmRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of the rules. `confidence` is that with which a value must be shown to be below a limit, or above."""

    schema: Literal["firm-rules/1"]
    id: RuleId
    version: Annotated[int, Meta(ge=1, le=1 << 53)]
    limits: Annotated[dict[Measure, Limits], Meta(min_length=1)]
    confidence: Annotated[float, Meta(ge=0.5, le=0.999)] = 0.9
    enough: EnoughRecord = EnoughRecord()


class RulesReference(Struct, frozen=True, forbid_unknown_fields=True):
    """The rules that are in force in a sandbox."""

    id: RuleId
    version: Count
    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]


def rules_digest(rules: FirmRules) -> str:
    """A digest of the content of rules."""
    return digest(canonical(msgspec.to_builtins(rules, str_keys=True)))


def reference_to(rules: FirmRules) -> RulesReference:
    """What a sandbox says to put these rules in force."""
    return RulesReference(rules.id, rules.version, rules_digest(rules))


def rule_flaws(rules: FirmRules) -> Iterator[tuple[str, str, str]]:
    """Every mistake that the types allow: field, what is wrong, fix."""
    for measure, limits in rules.limits.items():
        for (better, low), (worse, high) in pairwise([("A", limits.A), ("B", limits.B), ("C", limits.C)]):
            if low > high:
                problem = f"{low:g} is more than the limit of class {worse}, {high:g}"
                yield f"limits.{measure.value}.{better}", problem, "let limits rise from A to C"
        if measure is Measure.LATE_SHARE and limits.C > 1:
            yield f"limits.{measure.value}.C", "a share is at most 1", "write a number from 0 to 1"


SHIPPED_RULES = FirmRules(
    schema="firm-rules/1",
    id="shipped",
    version=1,
    limits={
        Measure.HALTS: Limits(1.0, 2.0, 4.0),
        Measure.STOPS_OVERDUE: Limits(0.5, 1.0, 1.5),
        Measure.CONTRADICTIONS: Limits(0.5, 0.75, 1.0),
        Measure.CONFLICTS: Limits(1.0, 2.0, 6.0),
        Measure.CLOCKS_MISSED: Limits(0.5, 1.0, 3.0),
        Measure.RECTIFICATIONS_LATE: Limits(0.5, 1.0, 2.0),
        Measure.REFUSALS: Limits(2.0, 4.0, 8.0),
        Measure.LATE_SHARE: Limits(0.05, 0.15, 0.3),
    },
)
"""To start from. Without any event, 4 pilot-years give class B and 6 give class A."""
