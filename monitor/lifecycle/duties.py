"""Duties of a firm by its class and the tier of a pilot, as data: how often it is assessed and drilled, and how many
open pilots it may have. Pure.

A better class has lighter duties. A class changes nothing else: `ClassDuty` has no field for alpha, limits, hard rules,
deadlines, halts or the people who decide, so no configuration can make them depend on a class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated

from msgspec import UNSET, Meta, Struct, structs

from monitor.charter.spec import SpanText, Tier
from monitor.charter.values import Flaw
from monitor.firms.rules import FirmClass
from monitor.lifecycle.standards import TIERS, TierStandard, span_ms

NO_BOUND = float("inf")


class ClassDuty(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a charter of this tier must state at least, if its firm has this class. `drill_every` and `assess_every`
    (the longest times between drills, and between assessments) stand in place of those of the tier's standard; where
    they are not given, that of the standard holds. `open_pilots`: a further pilot of this tier is screened
    only while the firm has fewer pilots in the sandbox, of any tier, by the record of its class (`None`: any
    number)."""

    firm_class: FirmClass
    tier: Tier
    drill_every: SpanText | None = None
    assess_every: SpanText | None = None
    open_pilots: Annotated[int, Meta(ge=1, le=10_000)] | None = None


def duty_of(duties: Sequence[ClassDuty], firm_class: FirmClass, tier: str) -> ClassDuty | None:
    """The duties of a class in a tier; `None` where the configuration has none."""
    return next((one for one in duties if (one.firm_class, one.tier) == (firm_class, tier)), None)


def with_duty(standard: TierStandard, duty: ClassDuty | None) -> TierStandard:
    """The standard of a tier, as it is for a firm with these duties."""
    if duty is None:
        return standard
    return structs.replace(
        standard,
        drill_every=duty.drill_every or standard.drill_every,
        assess_every=duty.assess_every or standard.assess_every,
    )


def duty_flaws(duties: Sequence[ClassDuty], tiers: Sequence[TierStandard]) -> Iterator[Flaw]:
    """Every mistake: two duties for one class and tier, a better class with graver duties than a worse one, and a
    graver tier with lighter ones than a lighter tier."""
    standards = {one.tier: one for one in tiers}
    seen = set()
    for index, one in enumerate(duties):
        name = one.firm_class, one.tier
        if name in seen:
            yield Flaw(f"duties[{index}]", f"class {name[0].value} in tier {name[1]} is there twice", "remove one")
        seen.add(name)
    for tier in TIERS:
        for better, worse in pairwise(FirmClass):
            field = _lighter(_asked(duties, worse, standards[tier]), _asked(duties, better, standards[tier]))
            if field:
                problem = f"{field} is lighter for class {worse.value} than for class {better.value}"
                yield Flaw(f"duties[{tier}]", problem, "make it at least as strict")
    for lower, higher in pairwise(TIERS):
        for one_class in FirmClass:
            field = _lighter(_asked(duties, one_class, standards[higher]), _asked(duties, one_class, standards[lower]))
            if field:
                problem = f"{field} of class {one_class.value} is lighter than in tier {lower}"
                yield Flaw(f"duties[{higher}]", problem, "make it at least as strict")


def _asked(duties: Sequence[ClassDuty], firm_class: FirmClass, standard: TierStandard) -> dict[str, float]:
    """How light each duty is: the larger the lighter."""
    duty = duty_of(duties, firm_class, standard.tier)
    asked, most = with_duty(standard, duty), None if duty is None else duty.open_pilots
    return {
        "drill_every": NO_BOUND if asked.drill_every is None else span_ms(asked.drill_every),
        "assess_every": NO_BOUND if asked.assess_every in (UNSET, None) else span_ms(str(asked.assess_every)),
        "open_pilots": NO_BOUND if most is None else most,
    }


def _lighter(one: dict[str, float], other: dict[str, float]) -> str:
    """The first duty of `one` that is lighter than that of `other`, which must not be; "" without one."""
    return next((name for name, value in one.items() if value > other[name]), "")


_DRILLS: dict[Tier, tuple[str | None, ...]] = {
    "minimal": (None, None, None, None, None),
    "limited": (None, None, None, None, None),
    "high": ("60d", None, None, "14d", "7d"),
    "critical": ("14d", None, None, "3d", "1d"),
}
SHIPPED_DUTIES: tuple[ClassDuty, ...] = tuple(
    ClassDuty(firm_class=one, tier=tier, drill_every=drill, assess_every=assess, open_pilots=most)
    for tier, drills in _DRILLS.items()
    for one, drill, assess, most in zip(
        FirmClass, drills, (None, None, None, "90d", "30d"), (None, None, 8, 4, 1), strict=True
    )
)
"""To start from: B and a record that does not tell have the duties of the tier's standard."""
