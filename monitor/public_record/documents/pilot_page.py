"""The report of a pilot as a document: the whole stay so far."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import htpy as h
from htpy import Node

from monitor.console.svg.style import STYLE
from monitor.projections.formats import figure, percent, stamp
from monitor.projections.guarantee_words import guarantee
from monitor.projections.measures import HANDLING_TIME
from monitor.projections.wording import plain
from monitor.public_record.documents.charter_words import charter_of, duration_words, interval_words, limit_words
from monitor.public_record.documents.cited import Cited, how_to_verify
from monitor.public_record.documents.halt import spec_of
from monitor.public_record.documents.parts import (
    halts_table,
    incomplete,
    running,
    source_words,
    steps_table,
    withheld,
)
from monitor.public_record.documents.picture import stay_picture
from monitor.public_record.documents.pilot import LimitLine, PilotReport
from monitor.public_record.documents.source import Source
from monitor.public_record.documents.words import (
    CHANGES,
    OWED_BY,
    clock_time,
    duty_words,
    level_words,
    reason_words,
    said_or,
    state_words,
)
from monitor.report.frame import document, facts, section, table
from monitor.translation import current, mark, tr, trn

VERDICTS = {
    "kept": mark("kept: the whole interval is within the limit"),
    "exceeded": mark("exceeded: the whole interval is beyond the limit"),
    "open": mark("open: the interval contains the limit"),
    "kept/gauge": mark("kept: no value was beyond the limit"),
    "exceeded/gauge": mark("exceeded: a value was beyond the limit"),
}


def pilot_page(made: PilotReport, source: Source) -> str:
    """The document in the language that is spoken."""
    cite = Cited(source.ledger.file)
    title = tr("Pilot {pilot}: the stay so far", pilot=made.pilot)
    more = " --for parties" if made.version == "parties" else ""
    pilot = shlex.quote(made.pilot)
    again = f"sandbox-monitor report pilot {pilot} --ledger LEDGER --lang {current()}{more} --out pilot.html"
    body = [
        h.h1[title],
        h.p(".lead")[tr("Up to the last decision on {when}.", when=stamp(made.until)), " ", source_words(made.version)],
        incomplete(made.remarks),
        h.p(".gist")[_gist(made), " ", cite(made.last)],
        section(tr("Where it stands"), facts(_facts(made, source, cite)), id_="state"),
        section(tr("Halts"), _halts(made, cite), id_="halts"),
        section(tr("Limits of the charter"), *_limits(made, source, cite), id_="limits"),
        stay_picture(source, made),
        section(tr("Legal deadlines"), _deadlines(made, cite), id_="deadlines"),
        section(tr("Charters"), _charters(made, cite), id_="charters"),
        section(tr("What happened"), *_history(made, cite), id_="history"),
        section(tr("Entries and checkpoint"), cite.entries(source.files), id_="entries"),
        how_to_verify(again, source.ledger),
        withheld(made.version, made.withheld),
    ]
    return document(title, body, running(made.pilot, made.checkpoint), STYLE)


def _gist(made: PilotReport) -> str:
    standing = sum(one.released is None for one in made.halts)
    halts = trn("It was halted {n} time.", "It was halted {n} times.", len(made.halts))
    said = tr("The pilot is in state “{state}” at level “{level}”.", state=state_words(made.state),
              level=level_words(made.level))  # fmt: skip
    if standing:
        return f"{said} {halts} {tr('A halt is in force.')}"
    return f"{said} {halts}"


def _facts(made: PilotReport, source: Source, cite: Cited) -> Iterator[tuple[Node, Node, Node]]:
    last = cite(made.last)
    yield tr("Firm"), made.participant, last
    yield tr("Authorities"), ", ".join(name for _, name in made.authorities), last
    states = ", ".join(map(state_words, (made.state, *made.others)))
    yield tr("State"), states, last
    yield tr("Level"), level_words(made.level), last
    charter = cite(made.charters[-1].place) if made.charters else None
    for name, value in ((tr("Tier"), made.tier), (tr("Sector"), made.sector), (tr("Region"), made.region)):
        yield name, said_or(value), charter
    if made.admitted is not None:
        days = (made.until - made.admitted) / 86_400_000
        said = tr("{when}, {days} days before the last entry", when=stamp(made.admitted), days=figure(days))
        yield tr("First admitted"), said, charter if len(made.charters) == 1 else None
    spec = charter_of(source.pilot.charter_at())
    if spec is not None:
        yield tr("Guarantee"), guarantee(spec).promise, charter


def _halts(made: PilotReport, cite: Cited) -> Node:
    if not made.halts:
        return h.p[tr("The pilot was never halted.")]
    return halts_table("", made.halts, cite, of_pilot=False)


def _limits(made: PilotReport, source: Source, cite: Cited) -> Iterator[Node]:
    if not made.limits:
        yield h.p[tr("There is no evidence of limits in the ledger.")]
        return
    yield h.p(".soft")[
        tr(
            "Means over the whole stay. The interval (95 %) is valid at any time, however often one looks. A mean can "
            "lie within the limit although a passing rise did not; late and incomplete periods count with their events."
        )
    ]
    rows = [tuple(_limit(one, source, cite)) for one in made.limits]
    names = (
        tr("Indicator"), tr("Limit"), tr("Mean with interval"), tr("Share of the limit"), tr("Verdict"), tr("Entry"),
    )  # fmt: skip
    yield table("", names, rows)


def _limit(one: LimitLine, source: Source, cite: Cited) -> Iterator[Node]:
    spec = spec_of(source.pilot.charter_at(), one.indicator)
    yield plain(one.indicator) + (f", {plain(one.segment)}" if one.segment else "")
    yield "" if spec is None else limit_words(spec)
    if one.mean is None:
        yield tr("worst value of {n} periods", n=figure(one.complete))
    elif spec is not None and spec.kind == HANDLING_TIME:
        yield duration_words(one.mean)
    else:
        unit = "" if spec is None or spec.exposure is None else spec.exposure.unit
        yield interval_words(one.mean, one.kind, 1.0 if spec is None else spec.per, unit)
    if one.low is None and one.high is None:
        yield percent(one.share)
    else:
        low, high = (tr("no bound") if end is None else percent(end) for end in (one.low, one.high))
        yield tr("{share} ({low} to {high})", share=percent(one.share), low=low, high=high)
    yield tr(VERDICTS[one.verdict + ("/gauge" if one.kind == "gauge" else "")])
    yield cite(*one.places)


def _deadlines(made: PilotReport, cite: Cited) -> Node:
    if not made.deadlines:
        return h.p[tr("No legal deadline ran.")]
    rows = [
        (duty_words(one.title), h.code[one.key], tr(OWED_BY.get(one.owed_by, one.owed_by)),
         "–" if one.due is None else clock_time(one.due), tr(CHANGES.get(one.change, one.change)), cite(one.place))
        for one in made.deadlines
    ]  # fmt: skip
    names = (tr("Duty"), tr("Occurrence"), tr("Owed by"), tr("Due before"), tr("Last change"), tr("Entry"))
    return table("", names, rows)


def _charters(made: PilotReport, cite: Cited) -> Node:
    if not made.charters:
        return h.p[tr("No charter is in the ledger.")]
    rows = [
        ("–" if one.version is None else str(one.version), clock_time(one.at),
         [[", " if place else "", h.code[name]] for place, name in enumerate(one.changed)] or "–",
         h.code[one.digest], cite(one.place))
        for one in made.charters
    ]  # fmt: skip
    return table("", (tr("Version"), tr("In force from"), tr("Changed"), "SHA-256", tr("Entry")), rows)


def _history(made: PilotReport, cite: Cited) -> Iterator[Node]:
    if made.earlier:
        yield h.p(".soft")[trn("{n} earlier decision is not listed.", "{n} earlier decisions are not listed.",
                               made.earlier)]  # fmt: skip
    yield steps_table(tr("Decisions"), made.steps, cite)
    if made.routine:
        rows = [(reason_words(one.reason), f"{one.count:,}", cite(*one.places)) for one in made.routine]
        names = (tr("Reason"), tr("Number"), tr("First and last entry"))
        yield table(tr("Findings of the running monitoring, counted"), names, rows, (1,))
