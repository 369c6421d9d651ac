"""Parts that the documents share: header, what the ledgers lack, tables of steps and of halts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import htpy as h
from htpy import Node

from monitor.projections.formats import figure
from monitor.projections.wording import plain
from monitor.public_record.documents.cited import Cited
from monitor.public_record.documents.halt import Step
from monitor.public_record.documents.pilot import HaltLine
from monitor.public_record.documents.words import clock_time, moved, reason_words, seconds_words, step_words
from monitor.report.frame import Running, table
from monitor.translation import tr


def running(pilot: str, checkpoint: tuple[str, int, str]) -> Running:
    """Header of each page: the pilot and the checkpoint."""
    _, size, root = checkpoint
    return Running(
        subject=tr("Pilot {pilot}", pilot=pilot),
        checkpoint=tr("Checkpoint: {size} entries, root {root}…", size=figure(size), root=root[:16]),
    )


def source_words(version: str) -> str:
    """What a document is made from, and for whom."""
    said = tr(
        "Made from the ledger alone; numbers in brackets are ledger entries, listed at the end with their hashes. "
        "Times are UTC."
    )
    if version == "public":
        return said + " " + tr("Public version: without confidential parts and people's words.")
    return said + " " + tr("Version for the parties: with texts that are stored next to the ledger.")


def incomplete(remarks: Iterable[str]) -> Node:
    """What the ledgers lack, as a warning; `None` where they lack nothing."""
    rows = [h.li(lang="en")[one] for one in remarks]
    if not rows:
        return None
    return h.div(".warn", role="note")[
        h.p[h.b[tr("The ledger is not complete.")], " ", tr("What it does not hold is not in this document:")],
        h.ul[rows],
    ]


def withheld(version: str, parts: tuple[str, ...]) -> Node:
    """What the charter has and the public version does not show."""
    if version != "public" or not parts:
        return None
    said = [[", " if place else "", h.code[one]] for place, one in enumerate(parts)]
    return h.p(".soft")[tr("Not shown in this version, of the charter:"), " ", said]


def steps_table(caption: str, steps: Iterable[Step], cite: Cited) -> Node:
    """Decisions in order of time."""
    rows = [
        (
            clock_time(one.at),
            _what(one),
            moved(one),
            _by(one),
            cite(one.place),
        )
        for one in steps
    ]
    return table(caption, (tr("Time"), tr("What"), tr("Level"), tr("By"), tr("Entry")), rows)


def _by(step: Step) -> str:
    if step.by_person:
        return tr("person")
    return tr("service") if step.reason == "command_acknowledged" else tr("monitor")


def _what(step: Step) -> Node:
    said = step_words(step)
    return [said, h.br, h.q[step.text]] if step.text else said


def halts_table(caption: str, halts: Iterable[HaltLine], cite: Cited | None, of_pilot: bool) -> Node:
    """Halts in order of time, with how fast the service answered; with the pilot where there are several."""
    names = (tr("Halted"), tr("Reason"), tr("Acknowledged after"), tr("Stop verified after"), tr("Released"))
    first = (tr("Pilot"),) if of_pilot else ()
    last = (tr("Entry"),) if cite is not None else (tr("Decided by"),)
    rows = [tuple(_halt(one, cite, of_pilot)) for one in halts]
    return table(caption, (*first, *names, *last), rows)


def _halt(one: HaltLine, cite: Cited | None, of_pilot: bool) -> Iterator[Node]:
    if of_pilot:
        yield h.span(".t")[one.pilot]
    yield clock_time(one.at)
    said = reason_words(one.reason)
    why = tr("{what}: {rule}", what=said, rule=plain(one.indicator)) if one.indicator else said
    yield [why, " ", h.b[tr("(annulled)")]] if one.annulled else why
    for seconds in (one.acknowledged, one.verified):
        yield tr("not on record") if seconds is None else seconds_words(seconds)
    yield tr("still in force") if one.released is None else clock_time(one.released)
    if cite is not None:
        yield cite.by_number(one.places[0]) if of_pilot else cite(*one.places)
    else:
        yield tr("person") if one.by_person else tr("monitor")
