"""The words of the users' pages; `monitor/translation` has them in Chinese."""

from __future__ import annotations

from monitor.translation import LANGUAGES, Language, mark, speaking, tr, trn

WORDS: dict[str, str] = {
    "title": mark("Complain about an AI pilot"),
    "lead": mark("This page belongs to the authority that supervises the pilot, not to the firm that runs it."),
    "pilots": mark("Which pilot is it about?"),
    "none": mark("There is no pilot at present."),
    "about": mark("Pilot"),
    "run_by": mark("run by"),
    "text": mark("What happened?"),
    "text_help": mark(
        "At most 4,000 characters. Please do not write names or numbers of other people. The text stays "
        "with the authority; the firm sees that there is a complaint, and not what it says."
    ),
    "segment": mark("Which group does it concern?"),
    "any": mark("no answer"),
    "leave": mark("I also withdraw from the pilot: the system shall no longer be used on me"),
    "send": mark("Send the complaint"),
    "have_receipt": mark("I have a receipt: see what became of my complaint"),
    "sent": mark("Your complaint was received"),
    "receipt": mark("Your receipt"),
    "receipt_help": mark(
        "Write it down. It is shown once and cannot be recovered. Who has it can see the state of the "
        "complaint, withdraw it, or ask for redress."
    ),
    "receipt_field": mark("Receipt"),
    "show": mark("Show"),
    "state": mark("Your complaint"),
    "received": mark("received"),
    "on_record": mark("on record"),
    "not_yet": mark("will be on record within a minute"),
    "answered": mark("answered by the firm or the authority"),
    "withdrawn": mark("withdrawn"),
    "asked": mark("redress asked for"),
    "given": mark("redress given"),
    "refused": mark("redress refused"),
    "requested": mark("your request was received"),
    "withdraw": mark("Withdraw the complaint"),
    "ask": mark("Ask for redress"),
    "unknown": mark("There is no complaint with this receipt. Check it letter by letter."),
    "wrong": mark("The complaint was not sent"),
    "empty": mark("Write what happened, in at most 4,000 characters."),
    "old": mark("The page was open for too long, or was not opened here. Send it again."),
    "too_many": mark("Too many complaints from your connection. Try again in {minutes} minutes."),
    "full": mark("The form cannot take further complaints now. Please call or write to the authority."),
    "back": mark("Back to the form"),
    "promise": mark("An answer is promised within {time}."),
    "redress_promise": mark("A decision about redress is promised within {time}."),
}


def said(language: str, key: str, **values: object) -> str:
    """A word of the pages in a language; English where the language is not one of ours.

    >>> said("zh", "show"), said("en", "promise", time="10 days")
    ('查询', 'An answer is promised within 10 days.')
    """
    with speaking(known(language)):
        return tr(WORDS[key], **values)


def known(language: str) -> Language:
    """The language of this name; English where there is none."""
    return next((one for one in LANGUAGES if one == language), "en")


def span_words(text: str, language: str) -> str:
    """A span of a charter in words.

    >>> span_words("10d", "en"), span_words("2mo", "zh")
    ('10 days', '2 个月')
    """
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    number, unit = int(digits), text[len(digits) :]
    with speaking(known(language)):
        match unit:
            case "mo":
                return trn("{n} month", "{n} months", number)
            case "w":
                return trn("{n} week", "{n} weeks", number)
            case "d":
                return trn("{n} day", "{n} days", number)
            case "h":
                return trn("{n} hour", "{n} hours", number)
            case "m":
                return trn("{n} minute", "{n} minutes", number)
            case "s":
                return trn("{n} second", "{n} seconds", number)
    return tr("{n} ms", n=number)
