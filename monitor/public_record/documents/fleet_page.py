"""The report of a fleet as a document."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

import htpy as h
from htpy import Node

from monitor.projections.detector_words import detector_words
from monitor.projections.formats import day, figure, percent
from monitor.public_record.documents.cited import Cited, how_to_verify
from monitor.public_record.documents.fleet import Alarms, FleetReport, Group, Kept, Missed
from monitor.public_record.documents.parts import halts_table, incomplete
from monitor.public_record.documents.words import (
    OWED_BY,
    clock_time,
    duty_words,
    level_words,
    reason_words,
    state_words,
)
from monitor.public_record.ledgers import LedgerFile
from monitor.report.frame import Running, document, section, table
from monitor.translation import current, mark, tr, trn

NAMED = 12  # pilots of a group that are named
VERDICTS = {
    "above": mark("more than declared"),
    "within": mark("not more than declared"),
    "none": mark("no rate declared"),
}


def fleet_page(made: FleetReport) -> str:
    """The document in the language that is spoken."""
    cite = Cited("")
    start, end = day(made.since), day(made.until)
    title = tr("Fleet report, {since} to {until} UTC", since=start, until=end)
    body = [
        h.h1[title],
        h.p(".lead")[
            tr(
                "Made from the ledgers alone: {files} files with {entries} entries. Names with a number in brackets "
                "are ledger entries, listed at the end with their hashes. Times are UTC.",
                files=figure(len(made.ledgers)),
                entries=figure(sum(one.entries for one in made.ledgers)),
            )
        ],
        incomplete(made.remarks),
        h.p(".gist")[_gist(made)],
        section(tr("Pilots"), *_pilots(made), id_="pilots"),
        section(tr("Halts"), *_halts(made, cite), id_="halts"),
        section(tr("Legal deadlines"), *_deadlines(made, cite), id_="deadlines"),
        section(tr("Alarms of detectors"), *_alarms(made), id_="alarms"),
        section(tr("Entries and checkpoints"), cite.entries(made.ledgers), id_="entries"),
        how_to_verify(
            f"sandbox-monitor report fleet --ledger LEDGER --days {_days(made)} --until {end} --lang {current()} "
            "--out fleet.html"
        ),
    ]  # fmt: skip
    return document(title, body, _running(made))


def _days(made: FleetReport) -> int:
    return (made.until - made.since) // 86_400_000


def _running(made: FleetReport) -> Running:
    entries = sum(one.entries for one in made.ledgers)
    said = tr("Checkpoints: {files} ledgers, {entries} entries, digest {digest}…", files=figure(len(made.ledgers)),
              entries=figure(entries), digest=checkpoints_digest(made.ledgers)[:16])  # fmt: skip
    return Running(subject=tr("Fleet of the sandbox"), checkpoint=said)


def checkpoints_digest(files: Iterable[LedgerFile]) -> str:
    """SHA-256 (hex) of the lines `file entries root`, sorted, each with a line break."""
    lines = sorted(f"{one.file} {one.entries} {one.root}\n" for one in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _gist(made: FleetReport) -> str:
    said = (
        trn("{n} pilot was in the sandbox.", "{n} pilots were in the sandbox.", made.pilots),
        trn("{n} halt began.", "{n} halts began.", made.halts_begun),
        trn("{n} halt is in force at the end.", "{n} halts are in force at the end.", made.halts_in_force),
        trn("{n} halt was annulled.", "{n} halts were annulled.", made.annulments),
    )
    return " ".join(said)


def _pilots(made: FleetReport) -> Iterator[Node]:
    yield _groups(tr("By state at the end of the period"), tr("State"), made.states, state_words)
    yield _groups(tr("By level at the end of the period"), tr("Level"), made.levels, lambda one: level_words(int(one)))


def _groups(caption: str, name: str, groups: Iterable[Group], words: Callable[[str], str]) -> Node:
    rows = [(words(one.name), f"{one.count:,}", _named(one)) for one in groups]
    return table(caption, (name, tr("Pilots"), tr("Which")), rows, (1,))


def _named(group: Group) -> str:
    shown = ", ".join(group.pilots[:NAMED])
    more = group.count - NAMED
    return tr("{names} and {n} more", names=shown, n=figure(more)) if more > 0 else shown


def _halts(made: FleetReport, cite: Cited) -> Iterator[Node]:
    rate, low, high = made.halt_rate
    if rate is not None:
        yield h.p[
            tr("{halts} halts in {years} pilot-years: {rate} per pilot-year (exact 95 % interval {low} to {high}).",
               halts=figure(made.halts_begun), years=figure(made.pilot_years), rate=figure(rate),
               low=figure(low or 0.0), high=figure(high or 0.0)),
            " ",
            tr("{n} halts were released in the period.", n=figure(made.halts_released)),
        ]  # fmt: skip
    if made.halts:
        yield halts_table(tr("Halts of the period"), made.halts, cite, of_pilot=True)
    if made.halts_begun > len(made.halts):
        yield h.p(".soft")[tr("{n} earlier halts are not listed.", n=figure(made.halts_begun - len(made.halts)))]
    older = tuple(one for one in made.in_force if one not in made.halts)
    if older:
        yield halts_table(tr("Halts from before the period that are in force"), older, cite, of_pilot=True)
    yield h.h3[tr("False alarms annulled")]
    if not made.annulled:
        yield h.p[tr("No halt was annulled in the period.")]
        return
    rows = [(clock_time(one.at), one.pilot, reason_words(one.rule), cite(*one.places)) for one in made.annulled]
    yield table("", (tr("Annulled"), tr("Pilot"), tr("Reason of the halt"), tr("Entry")), rows)


def _deadlines(made: FleetReport, cite: Cited) -> Iterator[Node]:
    if not made.deadlines:
        yield h.p[tr("No legal deadline was met or missed in the period.")]
        return
    rows = [tuple(_kept(one)) for one in made.deadlines]
    names = (tr("Owed by"), tr("Met"), tr("Missed"), tr("Of these done late"), tr("Share met (exact 95 % interval)"))
    yield table(tr("By who owed them"), names, rows, (1, 2, 3))
    if made.missed:
        yield table(
            tr("Missed deadlines"),
            (tr("Missed"), tr("Pilot"), tr("Duty"), tr("Owed by"), tr("Entry")),
            [tuple(_missed(one, cite)) for one in made.missed],
        )
    total = sum(one.missed for one in made.deadlines)
    if total > len(made.missed):
        yield h.p(".soft")[tr("{n} earlier ones are not listed.", n=figure(total - len(made.missed)))]


def _kept(one: Kept) -> Iterator[Node]:
    yield tr(OWED_BY.get(one.owed_by, one.owed_by))
    yield f"{one.met:,}"
    yield f"{one.missed:,}"
    yield f"{one.done_late:,}"
    if one.share is None or one.low is None or one.high is None:
        yield "–"
    else:
        yield tr("{share} ({low} to {high})", share=percent(one.share), low=percent(one.low), high=percent(one.high))


def _missed(one: Missed, cite: Cited) -> Iterator[Node]:
    yield clock_time(one.at)
    yield h.span(".t")[one.pilot]
    yield duty_words(one.title)
    yield tr(OWED_BY.get(one.owed_by, one.owed_by))
    yield cite.by_number(one.places[0])


def _alarms(made: FleetReport) -> Iterator[Node]:
    yield h.p(".soft")[
        tr(
            "Each detector declares how many false alarms a year it raises on average while nothing changes. More than "
            "declared: either something changed, or the assumptions of the charter do not hold. Limits are not in "
            "this table: their guarantee is a probability over the whole life of a pilot."
        )
    ]
    if not made.alarms:
        yield h.p[tr("No charter uses such a detector.")]
        return
    names = (
        tr("Detector"), tr("Alarms"), tr("Pilot-years"), tr("Alarms per pilot-year (exact 95 % interval)"),
        tr("Declared, at most"), tr("Verdict"),
    )  # fmt: skip
    yield table("", names, [tuple(_alarm(one)) for one in made.alarms], (1, 2))


def _alarm(one: Alarms) -> Iterator[Node]:
    yield detector_words(one.detector)
    yield f"{one.alarms:,}"
    yield figure(one.pilot_years)
    if one.rate is None or one.low is None or one.high is None:
        yield "–"
    else:
        yield tr("{mean} ({low} to {high})", mean=figure(one.rate), low=figure(one.low), high=figure(one.high))
    yield "–" if one.declared is None else figure(one.declared)
    yield tr(VERDICTS[one.verdict])
