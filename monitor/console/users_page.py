"""The pages of the users' door: plain HTML forms that work without scripts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from monitor.charter.spec import Charter, UsersChannel
from monitor.console.users_words import HTML_LANGUAGE, LANGUAGES, WORDS, span_words
from monitor.projections.formats import stamp
from monitor.state.users import ANSWERED, ASKED, GIVEN, REFUSED, WITHDRAWN

STEPS = ((ANSWERED, "answered"), (ASKED, "asked"), (GIVEN, "given"), (REFUSED, "refused"), (WITHDRAWN, "withdrawn"))


def _page(language: str, heading: str, body: str, other: str = "/") -> str:
    """A whole page. `other` is where the link to the other language leads; only pages that are read by GET have it."""
    words = WORDS[language]
    wanted = next(one for one in LANGUAGES if one != language)
    switch = f'<a class="lang" lang="{HTML_LANGUAGE[wanted]}" href="{other}?lang={wanted}">{words["other"]}</a>'
    return (
        f'<!doctype html><html lang="{HTML_LANGUAGE[language]}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<title>{escape(heading)}</title><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="/users.css"></head>'
        f'<body><header><a href="/?lang={language}">{escape(words["title"])}</a>{switch}</header>'
        f"<main><h1>{escape(heading)}</h1>{body}</main></body></html>"
    )


def _receipt_form(language: str, action: str, label: str, receipt: str = "") -> str:
    """A form that posts a receipt; with one given, a button alone."""
    words = WORDS[language]
    field = (
        f'<input type="hidden" name="receipt" value="{escape(receipt)}">'
        if receipt
        else f'<label for="receipt">{words["receipt_field"]}</label>'
        '<input id="receipt" name="receipt" required maxlength="64" autocomplete="off" autocapitalize="characters" '
        'spellcheck="false">'
    )
    return (
        f'<form method="post" action="{action}">{field}<input type="hidden" name="lang" value="{language}">'
        f"<button>{escape(label)}</button></form>"
    )


def start_page(language: str, pilots: Sequence[str]) -> str:
    """Which pilot, and the way to the state of a complaint."""
    words = WORDS[language]
    listed = "".join(
        f'<li><a href="/complain/{quote(name, safe="")}?lang={language}">{escape(name)}</a></li>' for name in pilots
    )
    body = f"<p>{words['lead']}</p><h2>{words['pilots']}</h2>"
    body += f"<ul>{listed}</ul>" if listed else f"<p>{words['none']}</p>"
    return _page(language, words["title"], body + _state_link(language))


def _state_link(language: str) -> str:
    return f'<p><a href="/receipt?lang={language}">{WORDS[language]["have_receipt"]}</a></p>'


def form_page(language: str, charter: Charter, token: str, wrong: str = "", text: str = "") -> str:
    """The form of one pilot. `wrong` says why the last one was not taken; its `text` is kept."""
    words, path = WORDS[language], f"/complain/{quote(charter.pilot, safe='')}"
    segments = sorted({name for spec in charter.indicators for name in spec.segments})
    choice = ""
    if segments:
        options = "".join(f'<option value="{escape(one)}">{escape(one)}</option>' for one in segments)
        choice = (
            f'<label for="segment">{words["segment"]}</label><select id="segment" name="segment">'
            f'<option value="">{words["any"]}</option>{options}</select>'
        )
    notice = f'<p class="wrong" role="alert"><b>{words["wrong"]}.</b> {escape(wrong)}</p>' if wrong else ""
    firm = charter.participant.name or charter.participant.id
    body = (
        f"<p>{words['lead']}</p>{notice}<p><b>{words['about']}:</b> {escape(charter.pilot)}, {words['run_by']} "
        f'{escape(firm)}</p>{_promises(language, charter)}<form method="post" action="{path}">'
        f'<label for="text">{words["text"]}</label><p id="help" class="help">{words["text_help"]}</p>'
        f'<textarea id="text" name="text" rows="8" required maxlength="4000" aria-describedby="help">{escape(text)}'
        f"</textarea>{choice}"
        f'<label class="check"><input type="checkbox" name="leave" value="1"> {words["leave"]}</label>'
        f'<input type="hidden" name="token" value="{token}"><input type="hidden" name="lang" value="{language}">'
        f"<button>{words['send']}</button></form>{_state_link(language)}"
    )
    return _page(language, words["title"], body, path)


def _promises(language: str, charter: Charter) -> str:
    promised = charter.users_channel or UsersChannel()
    said = [
        WORDS[language][word].format(span_words(span, language))
        for word, span in (("promise", promised.answer_within), ("redress_promise", promised.redress_within))
        if span is not None
    ]
    return f"<p>{' '.join(said)}</p>" if said else ""


def sent_page(language: str, receipt: str) -> str:
    """The complaint is durable; this shows its receipt once."""
    words = WORDS[language]
    body = (
        f'<p>{words["receipt"]}:</p><p class="receipt" translate="no">{receipt}</p><p>{words["receipt_help"]}</p>'
        f"{_receipt_form(language, '/receipt', words['show'], receipt)}"
    )
    return _page(language, words["sent"], body)


def ask_receipt_page(language: str, wrong: str = "") -> str:
    """Asks for a receipt."""
    words = WORDS[language]
    notice = f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    return _page(language, words["state"], notice + _receipt_form(language, "/receipt", words["show"]), "/receipt")


def state_page(language: str, receipt: str, pilot: str, at: int, state: tuple[bool, int, int]) -> str:
    """What became of a complaint; `state`: whether it is on record, its bits, and whether requests are on the way."""
    words, (recorded, bits, wants) = WORDS[language], state
    steps = [f"{words['received']}: {stamp(at)}", words["on_record"] if recorded else words["not_yet"]]
    steps += [words[name] for bit, name in STEPS if bits & bit]
    if wants:
        steps.append(words["requested"])
    listed = "".join(f"<li>{escape(step)}</li>" for step in steps)
    body = f"<p><b>{words['about']}:</b> {escape(pilot)}</p><ol>{listed}</ol>"
    if not bits & WITHDRAWN and not wants:
        if not bits & (ASKED | GIVEN | REFUSED):
            body += _receipt_form(language, "/receipt/redress", words["ask"], receipt)
        body += _receipt_form(language, "/receipt/withdraw", words["withdraw"], receipt)
    return _page(language, words["state"], body)
