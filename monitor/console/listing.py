"""Parts of pages that list something: page numbers, a filter by ids, how long something took."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import htpy as h
from htpy import Node

from monitor.console.parts import address, pages
from monitor.translation import tr

_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000


def pager(path: str, query: dict[str, str], page: int, last: int) -> Node:
    """Links to the other pages of a list, with its query; nothing where there is one page."""
    return pages(page, last, lambda number: address_of(path, {**query, "page": str(number)}))


def address_of(path: str, query: dict[str, str]) -> str:
    """A path with the parameters that have a value."""
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def filters(path: str, fields: Sequence[tuple[str, str, str]]) -> h.Element:
    """A form that narrows a list by ids: name of the parameter, label, and its value now."""
    return h.form(".filters", method="get", action=path)[
        (
            h.label[label, " ", h.input(name=name, value=value, maxlength="200", placeholder=tr("all"))]
            for name, label, value in fields
        ),
        h.button[tr("Show")],
        h.a(href=path)[tr("show all")] if any(value for _, _, value in fields) else None,
    ]


def entry_link(subject: str, entry: str | int, text: str) -> h.Element:
    """A link to an entry of the ledger of a subject (a pilot, a model ...): its number from 0, or the id of its
    record."""
    return h.a(href=f"{address('ledger', subject)}/{entry}")[text]


def number_of(text: str) -> int:
    """The page number in a query; 1 for anything else than a number."""
    return int(text) if text.isdecimal() and len(text) < 10 else 1


def lasting(ms: int) -> str:
    """A time that something took: two units at most, rounded down.

    >>> lasting(183_600_000), lasting(17_280), lasting(240)
    ('2 d 3 h', '17 s', '240 ms')
    """
    if ms < _SECOND:
        return tr("{n} ms", n=ms)
    if ms < _MINUTE:
        return tr("{n} s", n=ms // _SECOND)
    days, rest = divmod(ms, _DAY)
    hours, minutes = divmod(rest // _MINUTE, _HOUR // _MINUTE)
    if days:
        return tr("{days} d {hours} h", days=days, hours=hours) if hours else tr("{days} d", days=days)
    if hours:
        return tr("{hours} h {minutes} min", hours=hours, minutes=minutes) if minutes else tr("{n} h", n=hours)
    return tr("{n} min", n=minutes)
