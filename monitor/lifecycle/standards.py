"""Minimum standards of the tiers, as data: what a charter of a tier must state at least. Pure.

A sandbox holds one for each tier; `SHIPPED_STANDARDS` are those to start from. `monitor/compile/standards.py` checks a
charter against them. `None`, 0 and `False` ask for nothing. Standards that no charter can show
(`independent_evaluator`) are for the acts on a pilot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from monitor.charter.spec import Charter, SpanText, Tier
from monitor.model.periods import parse_span

TIERS: tuple[Tier, ...] = get_args(Tier)
"""From the lightest to the gravest."""
MONTH_MS = 28 * 86_400_000  # the shortest


class TierStandard(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a charter of one tier has to state at least.

    `highest_alpha`: the most that the probability of a false halt may be. `authorities`: how many must be responsible,
    and approve a release. `permits`: a service stops without a permit, and `longest_lease` is the most that one may
    last. `drill_every`: the longest time between drills; `full_stop_window`: when a drill may really stop the service.
    `scenarios`: evaluations of a halted system are by scenarios of the charter; `independent_evaluator`: an evaluation
    by the firm does not count for a release or an exit. `death_halts`: a hard rule halts on a death;
    `serious_escalates`: one escalates each serious incident. `power`: the probability with which a rise to `rate_ratio`
    times each halting limit must be found within the cycle. `tolerates`: whether the first crossing of a limit may be
    tolerated. `toolkit`: a charter names one of the toolkits that are in force in the sandbox. `assess_every`: the
    longest time between assessments.
    """

    tier: Tier
    highest_alpha: Annotated[float, Meta(gt=0, le=1)]
    authorities: Annotated[int, Meta(ge=0, le=2)] = 1
    approvers: Annotated[int, Meta(ge=0, le=8)] = 2
    permits: bool = False
    longest_lease: SpanText | None = None
    acknowledge_within: SpanText | None = None
    drill_every: SpanText | None = None
    full_stop_window: bool = False
    scenarios: bool = False
    independent_evaluator: bool = False
    signed_acts: bool = False
    signed_telemetry: bool = False
    pseudonyms: bool = False
    halting_limit: bool = False
    serious_escalates: bool = False
    death_halts: bool = False
    unknown_escalates_after: SpanText | None = None
    gap_escalates: bool = False
    power: Annotated[float, Meta(ge=0, le=0.999)] = 0.0
    rate_ratio: Annotated[float, Meta(gt=1, le=100)] = 2.0
    quiet_for: SpanText | None = None
    tolerates: bool = False
    # "required": a charter names a toolkit in force. Left out where it is not given, so that older configurations keep
    # their bytes.
    toolkit: Literal["required"] | UnsetType = UNSET
    assess_every: SpanText | UnsetType = UNSET  # the longest time between assessments


SHIPPED_STANDARDS: tuple[TierStandard, ...] = (
    TierStandard(tier="minimal", highest_alpha=0.05, tolerates=True),
    TierStandard(tier="limited", highest_alpha=0.05, tolerates=True, halting_limit=True, quiet_for="30d"),
    TierStandard(
        tier="high", highest_alpha=0.02, permits=True, longest_lease="5m", acknowledge_within="5m", drill_every="30d",
        scenarios=True, independent_evaluator=True, signed_acts=True, signed_telemetry=True, pseudonyms=True,
        halting_limit=True, serious_escalates=True, unknown_escalates_after="24h", power=0.8, quiet_for="90d",
    ),
    TierStandard(
        tier="critical", highest_alpha=0.01, authorities=2, permits=True, longest_lease="2m", acknowledge_within="60s",
        drill_every="7d", full_stop_window=True, scenarios=True, independent_evaluator=True, signed_acts=True,
        signed_telemetry=True, pseudonyms=True, halting_limit=True, serious_escalates=True, death_halts=True,
        unknown_escalates_after="6h", gap_escalates=True, power=0.8, quiet_for="90d",
    ),
)  # fmt: skip
"""To start from. Each tier asks for everything that the lighter ones ask for."""


def approving(charter: Charter) -> int:
    """Of how many authorities a charter asks for approvers."""
    return charter.approving_authorities or 1


def span_ms(text: str) -> int:
    """The length of a span (ms), months as the shortest one."""
    span = parse_span(text)
    return span.ms + span.months * MONTH_MS


def _least(value: Any) -> float:
    return float(value)


def _most(value: Any) -> float:
    return -float(value)


def _shortest(text: str | UnsetType | None) -> float:
    return float("-inf") if text is None or text is UNSET else -float(span_ms(text))


def _longest(text: str | None) -> float:
    return float("-inf") if text is None else float(span_ms(text))


def _given(value: Any) -> float:
    return float(value is not UNSET)


_STRICTNESS: dict[str, Callable[[Any], float]] = {
    **dict.fromkeys(("highest_alpha", "rate_ratio", "tolerates"), _most),
    **dict.fromkeys(("longest_lease", "acknowledge_within", "drill_every", "unknown_escalates_after"), _shortest),
    "assess_every": _shortest,
    "quiet_for": _longest,
    "toolkit": _given,
}
"""Field -> how strict a value of it is; all others: the larger the stricter."""


def weaker_fields(standards: tuple[TierStandard, ...]) -> Iterator[tuple[Tier, str, Tier]]:
    """Each field in which a tier is weaker than the next lighter one: tier, field, lighter tier. `standards` has one of
    each tier."""
    by_tier = {one.tier: one for one in standards}
    for lower, higher in pairwise([by_tier[tier] for tier in TIERS]):
        for field in structs.fields(TierStandard):
            strict = _STRICTNESS.get(field.name, _least)
            if field.name != "tier" and strict(getattr(higher, field.name)) < strict(getattr(lower, field.name)):
                yield higher.tier, field.name, lower.tier
