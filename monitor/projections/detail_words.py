"""Details that the core writes in English, as they are shown to people: in the language that is spoken, with a time in
its best unit. The record keeps its words, so that a replay compares equal with the ledger. Pure."""

from __future__ import annotations

import re

from monitor.projections.formats import figure
from monitor.translation import tr, trn

_DAY_S = 86_400
_VERSION = re.compile(r"version (\d+)")
_FOUNDED = re.compile(r"(\S+): (\d+) authorities, (\d+) people")
_LATE = re.compile(
    r"(?P<what>.+) of (?P<period>\S+) arrived (?P<days>\S+) days after the period had closed; \S+ accepts "
    r"(?:no late events|late events for (?P<window>\d+) closed periods)"
)


def rule_words(rule: str) -> str:
    """The rule of an act; of `version 3` in the language that is spoken."""
    match = _VERSION.fullmatch(rule)
    return rule if match is None else tr("version {version}", version=match[1])


def founded_words(detail: str) -> str:
    """What a founding says of the sandbox.

    >>> founded_words("demo: 1 authorities, 4 people")
    'demo: 1 authority, 4 people'
    """
    match = _FOUNDED.fullmatch(detail)
    if match is None:
        return detail
    authorities, people = int(match[2]), int(match[3])
    has = trn("{n} authority", "{n} authorities", authorities)
    return tr("{name}: {authorities}, {people}", name=match[1], authorities=has,
              people=trn("{n} person", "{n} people", people))  # fmt: skip


def late_words(detail: str) -> str:
    """How late telemetry arrived that no longer counts, and how long it would have counted.

    >>> late_words("1 event of 2026-01-01T10:00+00:00 arrived 0.000103 days after the period had closed; "
    ...            "complaints accepts late events for 4 closed periods")
    '1 event of 2026-01-01 10:00 UTC arrived 8.9 s after its period had closed; late events count for 4 closed periods'
    """
    match = _LATE.fullmatch(detail)
    if match is None:
        return detail
    window = int(match["window"] or 0)
    accepts = (
        trn("late events count for {n} closed period", "late events count for {n} closed periods", window)
        if window
        else tr("no late events count")
    )
    return tr(
        "{what} of {period} arrived {lag} after its period had closed; {accepts}",
        what=_what(match["what"]), period=_minute(match["period"]), lag=_lag(float(match["days"])), accepts=accepts,
    )  # fmt: skip


def _what(said: str) -> str:
    number, _, unit = said.partition(" ")
    if unit in ("event", "events"):
        return trn("{n} event", "{n} events", int(float(number)))
    return tr("a resolution") if said == "a resolution" else said


def _minute(period: str) -> str:
    return tr("{time} UTC", time=period.removesuffix("+00:00").replace("T", " "))


def _lag(days: float) -> str:
    for length, words in ((86_400, "{n} d"), (3_600, "{n} h"), (60, "{n} min")):
        if days * _DAY_S >= length:
            return tr(words, n=figure(days * _DAY_S / length))
    return tr("{n} s", n=figure(round(days * _DAY_S, 1)))
