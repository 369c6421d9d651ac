"""The frame of every page: head, navigation, search, language, footer."""

from __future__ import annotations

from urllib.parse import urlencode

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.console.access.roles import SIGHTS, Role
from monitor.console.access.session import reader_now
from monitor.console.parts import level_badge, unknown_badge
from monitor.model.records import Level
from monitor.projections.wording import LEVELS
from monitor.translation import LANGUAGES, NAMES, TAGS, current, mark, tr

NAVIGATION = (
    ("today", "/", mark("Today")),
    ("fleet", "/fleet", mark("Fleet")),
    ("halts", "/halts", mark("Halts")),
    ("clocks", "/clocks", mark("Deadlines")),
    ("firms", "/firms", mark("Firms")),
    ("authorities", "/authorities", mark("Authorities")),
    ("models", "/models", mark("Models")),
    ("ledger", "/ledger", mark("Ledger")),
)
"""Kind of page, address and name; `PARENTS` has the kinds that belong to one of these."""
PARENTS = {
    "pilot": "fleet", "charter": "fleet", "firm": "firms", "authority": "authorities", "model": "models",
    "entry": "ledger",
}  # fmt: skip
ROLES = {
    Role.REGULATOR: mark("regulator"),
    Role.OPERATOR: mark("operator"),
    Role.AUTHORITY: mark("authority"),
    Role.FIRM: mark("firm"),
}
REFRESH_S = 30  # without scripts; they are told of changes


def page(title: str, body: Node, kind: str, query: dict[str, str] | None = None) -> Markup:
    """A whole page as text, in the language that is spoken. `kind` is the class of its body, and marks its place in the
    navigation; `query` the parameters of its address, which the language switch keeps."""
    return Markup(
        str(
            h.html(lang=TAGS[current()])[
                _head(title),
                h.body(class_=kind)[
                    h.a(".skip", href="#main")[tr("Skip to content")],
                    _header(kind, query or {}),
                    h.main("#main", tabindex="-1")[body],
                    _footer(),
                ],
            ]
        )
    )


def _head(title: str) -> h.Element:
    return h.head[
        h.meta(charset="utf-8"),
        h.meta(name="viewport", content="width=device-width, initial-scale=1"),
        h.meta(name="color-scheme", content="light dark"),
        h.title[tr("{title} · sandbox monitor", title=title)],
        h.link(rel="icon", href="data:,"),
        h.link(rel="stylesheet", href="/board.css"),
        h.link(rel="stylesheet", href="/chart.css"),
        h.noscript[h.meta({"http-equiv": "refresh"}, content=str(REFRESH_S))],
        h.script(src="/board.js", defer=True),
    ]


def _header(kind: str, query: dict[str, str]) -> h.Element:
    return h.header[
        h.a(".brand", href="/")[tr("Sandbox monitor")],
        h.span(".role")[tr("read-only board")],
        # What the script shows when the monitor does not answer.
        h.span("#fresh", {"data-lost": tr("The monitor does not answer: this page is out of date.")}, role="status"),
        h.form(".find", method="get", action="/search", role="search")[
            h.input(
                name="q",
                type="search",
                aria_label=tr("Search"),
                placeholder=tr("pilot, firm, model, decision id"),
                maxlength="200",
            ),
            h.button[tr("Search")],
        ],
        _languages(query),
        _reader(),
        _navigation(PARENTS.get(kind, kind)),
    ]


def _languages(query: dict[str, str]) -> Node:
    return [
        h.a(".lang", href="?" + urlencode(query | {"lang": one}), lang=TAGS[one], hreflang=TAGS[one])[NAMES[one]]
        for one in LANGUAGES
        if one != current()
    ]


def _reader() -> Node:
    """Who is logged in, and that the page may hide something; nothing where readers do not log in."""
    reader = reader_now()
    if reader is None:
        return None
    role = tr(ROLES[reader.role])
    return h.span(".reader", title=tr("This reader sees: {what}", what=tr(SIGHTS[reader.role].meaning)))[
        tr("{name}, {role}", name=reader.name, role=role)
    ]


def _navigation(place: str) -> h.Element:
    return h.nav(".places", aria_label=tr("Pages"))[
        h.ul[
            (
                h.li[h.a(href=where, aria_current="page" if place == kind else None)[tr(name)]]
                for kind, where, name in NAVIGATION
            )
        ]
    ]


def _footer() -> h.Element:
    return h.footer[
        h.details[
            h.summary[tr("What the levels mean")],
            h.dl[
                ([h.dt[level_badge(level)], h.dd[tr(LEVELS[level])]] for level in reversed(Level)),
                h.dt[unknown_badge()],
                h.dd[
                    tr(
                        "Shown next to the level: data is missing, late or partial. Unknown never counts as normal and "
                        "clears no finding."
                    )
                ],
            ],
            h.p[
                tr(
                    "A halt is a technical effect; suspension is the legal act of an authority. All times are UTC "
                    "(coordinated universal time)."
                )
            ],
        ],
        h.p[h.a(href="/api/board.json")[tr("Same content as data (JSON)")]],
    ]
