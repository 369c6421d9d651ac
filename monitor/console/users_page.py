"""The pages of the users' door: plain HTML forms that work without scripts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.charter.spec import Charter, UsersChannel
from monitor.console.users_words import known, said, span_words
from monitor.projections.formats import stamp
from monitor.state.users import ANSWERED, ASKED, GIVEN, REFUSED, WITHDRAWN
from monitor.translation import LANGUAGES, NAMES, TAGS

STEPS = ((ANSWERED, "answered"), (ASKED, "asked"), (GIVEN, "given"), (REFUSED, "refused"), (WITHDRAWN, "withdrawn"))


def _page(language: str, heading: str, body: Node, other: str = "/") -> Markup:
    """A whole page. `other` is where the link to the other language leads; only pages that are read by GET have it."""
    switch = [
        h.a(".lang", lang=TAGS[wanted], href=f"{other}?lang={wanted}")[NAMES[wanted]]
        for wanted in LANGUAGES
        if wanted != language
    ]
    return Markup(
        str(
            h.html(lang=TAGS[known(language)])[
                h.head[
                    h.meta(charset="utf-8"),
                    h.meta(name="viewport", content="width=device-width, initial-scale=1"),
                    h.meta(name="color-scheme", content="light dark"),
                    h.title[heading],
                    h.link(rel="icon", href="data:,"),
                    h.link(rel="stylesheet", href="/users.css"),
                ],
                h.body[
                    h.header[h.a(href=f"/?lang={language}")[said(language, "title")], switch],
                    h.main[h.h1[heading], body],
                ],
            ]
        )
    )


def _receipt_form(language: str, action: str, label: str, receipt: str = "") -> h.Element:
    """A form that posts a receipt; with one given, a button alone."""
    field: Node = h.input(type="hidden", name="receipt", value=receipt)
    if not receipt:
        field = [
            h.label(for_="receipt")[said(language, "receipt_field")],
            h.input(
                id="receipt",
                name="receipt",
                required=True,
                maxlength="64",
                autocomplete="off",
                autocapitalize="characters",
                spellcheck="false",
            ),
        ]
    return h.form(method="post", action=action)[
        field, h.input(type="hidden", name="lang", value=language), h.button[label]
    ]


def start_page(language: str, pilots: Sequence[str]) -> Markup:
    """Which pilot, and the way to the state of a complaint."""
    listed = [h.li[h.a(href=f"/complain/{quote(name, safe='')}?lang={language}")[name]] for name in pilots]
    body = [
        h.p[said(language, "lead")],
        h.h2[said(language, "pilots")],
        h.ul[listed] if listed else h.p[said(language, "none")],
        _state_link(language),
    ]
    return _page(language, said(language, "title"), body)


def _state_link(language: str) -> h.Element:
    return h.p[h.a(href=f"/receipt?lang={language}")[said(language, "have_receipt")]]


def form_page(language: str, charter: Charter, token: str, wrong: str = "", text: str = "") -> Markup:
    """The form of one pilot. `wrong` says why the last one was not taken; its `text` is kept."""
    path = f"/complain/{quote(charter.pilot, safe='')}"
    firm = charter.participant.name or charter.participant.id
    body: list[Node] = [
        h.p[said(language, "lead")],
        h.p(".wrong", role="alert")[h.b[said(language, "wrong"), "."], " ", wrong] if wrong else None,
        h.p[h.b[said(language, "about"), ":"], f" {charter.pilot}, ", said(language, "run_by"), f" {firm}"],
        _promises(language, charter),
        h.form(method="post", action=path)[
            h.label(for_="text")[said(language, "text")],
            h.p("#help.help")[said(language, "text_help")],
            h.textarea(
                id="text", name="text", rows="8", required=True, maxlength="4000", aria_describedby="help"
            )[text],
            _segments(language, charter),
            h.label(".check")[h.input(type="checkbox", name="leave", value="1"), " ", said(language, "leave")],
            h.input(type="hidden", name="token", value=token),
            h.input(type="hidden", name="lang", value=language),
            h.button[said(language, "send")],
        ],
        _state_link(language),
    ]  # fmt: skip
    return _page(language, said(language, "title"), body, path)


def _segments(language: str, charter: Charter) -> Node:
    segments = sorted({name for spec in charter.indicators for name in spec.segments})
    if not segments:
        return None
    return [
        h.label(for_="segment")[said(language, "segment")],
        h.select(id="segment", name="segment")[
            h.option(value="")[said(language, "any")], (h.option(value=one)[one] for one in segments)
        ],
    ]


def _promises(language: str, charter: Charter) -> Node:
    promised = charter.users_channel or UsersChannel()
    words = [
        said(language, word, time=span_words(span, language))
        for word, span in (("promise", promised.answer_within), ("redress_promise", promised.redress_within))
        if span is not None
    ]
    return h.p[" ".join(words)] if words else None


def sent_page(language: str, receipt: str) -> Markup:
    """The complaint is durable; this shows its receipt once."""
    body = [
        h.p[said(language, "receipt"), ":"],
        h.p(".receipt", translate="no")[receipt],
        h.p[said(language, "receipt_help")],
        _receipt_form(language, "/receipt", said(language, "show"), receipt),
    ]
    return _page(language, said(language, "sent"), body)


def ask_receipt_page(language: str, wrong: str = "") -> Markup:
    """Asks for a receipt."""
    notice = h.p(".wrong", role="alert")[wrong] if wrong else None
    form = _receipt_form(language, "/receipt", said(language, "show"))
    return _page(language, said(language, "state"), [notice, form], "/receipt")


def state_page(language: str, receipt: str, pilot: str, at: int, state: tuple[bool, int, int]) -> Markup:
    """What became of a complaint; `state`: whether it is on record, its bits, and whether requests are on the way."""
    recorded, bits, wants = state
    steps = [f"{said(language, 'received')}: {stamp(at)}", said(language, "on_record" if recorded else "not_yet")]
    steps += [said(language, name) for bit, name in STEPS if bits & bit]
    if wants:
        steps.append(said(language, "requested"))
    body: list[Node] = [
        h.p[h.b[said(language, "about"), ":"], f" {pilot}"],
        h.ol[(h.li[step] for step in steps)],
    ]
    if not bits & WITHDRAWN and not wants:
        if not bits & (ASKED | GIVEN | REFUSED):
            body.append(_receipt_form(language, "/receipt/redress", said(language, "ask"), receipt))
        body.append(_receipt_form(language, "/receipt/withdraw", said(language, "withdraw"), receipt))
    return _page(language, said(language, "state"), body)
