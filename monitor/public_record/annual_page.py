"""The annual report as a page in plain words: a section for each subject, a table for each measure, each number with
its entries. In the language that is spoken; codes are in the JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import htpy as h
from htpy import Node

from monitor.projections.formats import figure
from monitor.public_record.annual_words import NAMES, UNITS, definition_words, group_words
from monitor.public_record.documents.words import seconds_words
from monitor.public_record.figures import Annual, Figure, Measure
from monitor.public_record.ledgers import LedgerFile, Remark
from monitor.report.frame import Running, commands, document, section, table
from monitor.translation import tr, trn

GLANCE = (
    "pilots.in_year", "halts.begun", "halts.standing", "halts.released", "rectifications.recorded",
    "deadlines.authority", "limits.never_approached", "limits.always_broken", "detectors.all_overridden",
)  # fmt: skip
"""Totals at the head of the page: a value, or the number of figures of a measure by group."""
ROWS = 60  # of a table; the JSON has all of them
LISTED = 8  # entries that a row names; the JSON has all of them
CSS = """
body{max-width:1100px}table{margin:.3rem 0 1.2rem}p.soft{margin:.1rem 0;font-size:.92em}.where{font-size:.92em}
.glance{max-width:34rem}nav li{display:inline-block;margin-right:1rem}nav ul{list-style:none;padding:0}
@media print{body{max-width:none}}
"""


def as_html(made: Annual) -> str:
    """A page without scripts or external resources."""
    title = tr("Annual report {year}", year=made.year)
    if made.sandbox not in ("", "sandbox"):
        title = tr("Annual report {year}: {sandbox}", year=made.year, sandbox=made.sandbox)
    entries = sum(one.entries for one in made.ledgers)
    body = [
        h.h1[title],
        h.p(".lead")[
            tr("EU AI Act, Art. 57(16).", ), " ",
            tr(
                "Made from the ledgers alone: {files} files with {entries} entries. Years are UTC. Each number names "
                "the decisions that it counts, by pilot and number.", files=figure(len(made.ledgers)),
                entries=figure(entries),
            ),
            " ",
            tr("The separate program recompute_annual.py computes every number again."),
        ],
        incomplete(made.remarks),
        _glance(made),
        h.nav(aria_label=tr("Sections"))[
            h.ul[
                [h.li[h.a(href=f"#{one.id}")[tr(one.title)]] for one in made.sections],
                h.li[h.a(href="#ledgers")[tr("Ledgers")]],
            ]
        ],
        [
            section(tr(one.title), h.p(".soft")[tr("Legal basis (EU AI Act):"), " ", h.span(lang="en")[one.basis]],
                    [_measure(measure) for measure in one.measures], id_=one.id)
            for one in made.sections
        ],
        section(tr("Ledgers"), *_ledgers(made.ledgers), id_="ledgers"),
        section(
            tr("How to verify this document"),
            h.p[
                tr("The first command checks every entry of every ledger and prints the roots: compare them with those "
                   "above. The second computes every number of the report again, with none of the monitor's code.")
            ],
            commands("sandbox-monitor ledger verify LEDGER",
                     f"python recompute_annual.py annual-{made.year}.json LEDGER"),
            id_="verify",
        ),
    ]  # fmt: skip
    return document(title, body, _running(made, entries), CSS)


def _running(made: Annual, entries: int) -> Running:
    said = tr("{files} ledgers, {entries} entries", files=figure(len(made.ledgers)), entries=figure(entries))
    return Running(subject=tr("Sandbox"), checkpoint=said)


def incomplete(remarks: Iterable[Remark]) -> Node:
    """What the ledgers lack, as a warning; `None` where they lack nothing."""
    rows = [h.li[h.code[one.file], _entry(one), ": ", h.span(lang="en")[one.problem]] for one in remarks]
    if not rows:
        return None
    return h.div(".warn", role="note")[
        h.p[h.b[tr("The ledgers are not complete.")], " ", tr("What they do not hold is not in this record:")],
        h.ul[rows],
    ]


def _entry(remark: Remark) -> Node:
    return [", ", tr("entry {number}", number=remark.entry)] if remark.entry >= 0 else None


def _measure(measure: Measure) -> Node:
    said = [
        h.h3(id=measure.id)[tr(measure.title)],
        h.p(".soft")[definition_words(measure.definition), tr(".")],
    ]
    if not measure.figures:
        return [*said, h.p[tr("None.")]]
    shown = measure.figures
    if measure.unit == "share":
        shown = tuple(sorted(shown, key=lambda one: -(one.value or 0.0)))
    names = [*(tr(NAMES[name]).capitalize() for name in measure.by), tr("Value"), tr("Ledger references")]
    rows = [tuple(_row(measure, one)) for one in shown[:ROWS]]
    more = len(shown) - ROWS
    left = h.p(".soft")[trn("{n} more in the JSON file", "{n} more in the JSON file", more)] if more > 0 else None
    return [*said, table("", names, rows, (len(measure.by),)), left]


def _row(measure: Measure, one: Figure) -> Iterator[Node]:
    for dimension, group in zip(measure.by, one.of, strict=True):
        yield group_words(dimension, group)
    yield value_text(one, measure.unit)
    yield h.span(".soft.where")[where(one)]


def _glance(made: Annual) -> Node:
    """The totals that a reader looks for first."""
    rows = []
    for name in GLANCE:
        measure = made.measure(name)
        total = measure.figures[0].value if not measure.by and measure.figures else len(measure.figures)
        rows.append((h.a(href=f"#{name}")[tr(measure.title)], figure(total or 0)))
    missed = sum(one.value or 0 for one in made.measure("deadlines.serious_incident").figures if "missed" in one.of)
    link = h.a(href="#deadlines.serious_incident")[tr("Deadlines after serious incidents missed")]
    rows.append((link, figure(missed)))
    return h.div(".glance")[table("", (tr("At a glance"), tr("Value")), rows, (1,))]


def value_text(one: Figure, unit: str) -> str:
    """A figure with its interval and unit.

    >>> value_text(Figure(value=0.5, low=0.25, high=0.75), "share"), value_text(Figure(), "days")
    ('0.5 (0.25 to 0.75)', 'none')
    """
    if one.value is None:
        return tr("none")
    said = figure(one.value)
    if unit == "s":
        return seconds_words(one.value)
    if unit in UNITS:
        said = tr("{value} {unit}", value=said, unit=tr(UNITS[unit]))
    if one.low is None and one.high is None:
        return said
    low, high = (figure(end) if end is not None else tr("no bound") for end in (one.low, one.high))
    return tr("{mean} ({low} to {high})", mean=said, low=low, high=high)


def where(one: Figure) -> Node:
    """The entries behind a figure, the first of them by name."""
    said: list[Node] = [*_decisions(one.entries)]
    said += [
        h.span(title=file)[tr("evidence {shard}, {first} to {last}", shard=_shard(file), first=first, last=last)]
        for file, (first, last) in one.periods.items()
    ]
    if not said:
        return "–"
    return [["; " if place else "", part] for place, part in enumerate(said)]


def _shard(file: str) -> str:
    """The year of a later shard, from the name of its file; the table of ledgers has the whole names.

    >>> _shard("evidence-2026-p-148de9c5a7a44d19.ledger"), _shard("evidence-p-148de9c5a7a44d19.ledger")
    ('2026', '')
    """
    year = file.removeprefix("evidence-").partition("-")[0]
    return year if len(year) == 4 and year.isdecimal() and file.count("-") > 2 else ""


def _decisions(entries: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    left = LISTED
    for subject, numbers in entries.items():
        shown = numbers[:left]
        if shown:
            yield f"{subject} {', '.join(map(str, shown))}"
        left -= len(shown)
    more = sum(map(len, entries.values())) - LISTED
    if more > 0:
        yield tr("and {n} more", n=figure(more))


def _ledgers(files: Iterable[LedgerFile]) -> Iterator[Node]:
    yield h.p(".soft")[tr("Root: RFC 6962, of the entries that were read.")]
    rows = [(h.code[one.file], figure(one.entries), h.code[one.root]) for one in files]
    yield table("", (tr("File"), tr("Entries"), tr("Root (RFC 6962)")), rows, (1,))
