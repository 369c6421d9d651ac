"""What is asked of the fleet page: filters, order and page, and which pilots that are. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct, structs

from monitor.console.pilot_view import PilotView
from monitor.translation import mark

PAGE = 50  # pilots on one page
CHOICES = 200  # values of a filter that are offered
SORTS = {
    "worst": mark("worst first"),
    "pilot": mark("pilot"),
    "participant": mark("firm"),
    "newest": mark("latest change"),
    "alpha": mark("alpha used"),
}
_KEYS: dict[str, Callable[[PilotView], Any]] = {
    "pilot": lambda view: view.pilot,
    "participant": lambda view: (view.participant, view.pilot),
    "newest": lambda view: -(view.since or 0),
    "alpha": lambda view: -(view.alpha_used or 0),
}


class Query(Struct, frozen=True):
    """The request for the fleet page: a level word, `unknown` or "" for all; words to search for; a key of `SORTS`; the
    id of an authority, a firm, a sector, a region, a tier, "" for all; the number of the page."""

    level: str = ""
    words: str = ""
    sort: str = "worst"
    authority: str = ""
    firm: str = ""
    sector: str = ""
    region: str = ""
    tier: str = ""
    page: str = "1"

    @property
    def number(self) -> int:
        """The number of the page, at least 1."""
        return max(1, int(self.page)) if self.page.isdecimal() and len(self.page) < 10 else 1

    @property
    def parameters(self) -> dict[str, str]:
        """What differs from the whole fleet."""
        return {name: value for name, value in structs.asdict(self).items() if value != getattr(ALL, name)}


ALL = Query()


def query_of(parameters: Mapping[str, str]) -> Query:
    """The query of an address; parameters of other names are passed over."""
    return Query(**{name: parameters[name] for name in Query.__struct_fields__ if name in parameters})


def where(query: Query, **changed: str) -> str:
    """The address of the fleet with this query; a change of anything but the page leads to the first page."""
    asked = structs.replace(query, **({"page": "1"} | changed))
    return "/fleet" + ("?" + urlencode(asked.parameters) if asked.parameters else "")


def in_scope(views: Iterable[PilotView], query: Query) -> list[PilotView]:
    """The pilots of the authority, firm, sector, region and tier that are asked for."""
    return [view for view in views if _in_scope(view, query)]


def _in_scope(view: PilotView, query: Query) -> bool:
    plan = view.plan
    return (
        (not query.authority or view.concerns(query.authority))
        and (not query.firm or view.participant == query.firm)
        and (not query.sector or (plan is not None and plan.sector == query.sector))
        and (not query.region or (plan is not None and plan.region == query.region))
        and (not query.tier or (plan is not None and plan.tier == query.tier))
    )


def selected(views: Sequence[PilotView], query: Query) -> list[PilotView]:
    """Those of `views` at the level and with the words that are asked for, in the order asked for; that of `views`
    otherwise."""
    words = query.words.casefold().split()
    chosen = [view for view in views if _at_level(view, query.level) and _matches(view, words)]
    return sorted(chosen, key=_KEYS[query.sort]) if query.sort in _KEYS else chosen


def choices(views: Iterable[PilotView]) -> dict[str, list[str]]:
    """The values that each filter can have, at most `CHOICES` of each."""
    found: dict[str, set[str]] = {name: set() for name in ("authority", "firm", "sector", "region", "tier")}
    for view in views:
        found["firm"].add(view.participant)
        found["authority"].update(view.responsible)
        if view.plan is not None:
            found["sector"].add(view.plan.sector)
            found["region"].add(view.plan.region)
            found["tier"].add(view.plan.tier)
    return {name: sorted(values - {""})[:CHOICES] for name, values in found.items()}


def _at_level(view: PilotView, level: str) -> bool:
    return not level or level == view.level.word or (level == "unknown" and bool(view.unknown))


def _matches(view: PilotView, words: Sequence[str]) -> bool:
    text = f"{view.pilot} {view.participant} {view.plan.tier if view.plan else ''}".casefold()
    return all(word in text for word in words)
