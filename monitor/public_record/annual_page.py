"""The annual report as a page: a section for each subject, a table for each measure, each number with its entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from monitor.public_record.figures import Annual, Figure, Measure
from monitor.public_record.ledgers import Remark
from monitor.report.page import head

GLANCE = (
    "pilots.in_year", "halts.begun", "halts.standing", "halts.released", "rectifications.recorded",
    "deadlines.authority", "limits.never_approached", "limits.always_broken", "detectors.all_overridden",
)  # fmt: skip
"""Totals at the head of the page: a value, or the number of figures of a measure by group."""
ROWS = 60  # of a table; the JSON has all of them
LISTED = 8  # entries that a row names; the JSON has all of them
CSS = """
body{max-width:1100px}table{margin:.3rem 0 1.2rem}h3{font-size:1rem;margin:1.4rem 0 .1rem}p.soft{margin:.1rem 0;
font-size:.88rem}td.where{font-size:.85rem}.glance{max-width:34rem}.wide{overflow-x:auto}
nav li{display:inline-block;margin-right:1rem}nav ul{list-style:none;padding:0}
.warn{border-left:4px solid #b45309;padding:.3rem 0 .3rem .8rem}
@media print{nav{display:none}h2{break-after:avoid}tr{break-inside:avoid}}
@media (max-width:600px){body{margin:1rem auto}td,th{padding-right:.4rem}}
"""


def as_html(made: Annual) -> str:
    """A page without scripts or external resources."""
    title = f"Annual report {made.year}" + (f": {made.sandbox}" if made.sandbox not in ("", "sandbox") else "")
    entries = sum(one.entries for one in made.ledgers)
    parts = [
        head(title, more=CSS),
        f"<h1>{escape(title)}</h1><p class=lead>EU AI Act, Art. 57(16). Made from the ledgers alone: "
        f"{len(made.ledgers):,} files with {entries:,} entries. Years are UTC. Each number names the decisions that it "
        "counts, by pilot and number; <code>recompute_annual.py</code> computes every number again.</p>",
        incomplete(made.remarks),
        _glance(made),
        "<nav aria-label=Sections><ul>"
        + "".join(f"<li><a href='#{one.id}'>{escape(one.title)}</a>" for one in made.sections)
        + "<li><a href='#ledgers'>Ledgers</a></ul></nav>",
    ]
    for section in made.sections:
        parts.append(f"<h2 id={section.id}>{escape(section.title)}</h2><p class=soft>{escape(section.basis)}</p>")
        parts += map(_measure, section.measures)
    parts.append(_ledgers(made))
    return "\n".join(parts) + "\n"


def incomplete(remarks: Iterable[Remark]) -> str:
    """What the ledgers lack, as a warning; "" where they lack nothing."""
    rows = [f"<li><code>{escape(one.file)}</code>{_entry(one)}: {escape(one.problem)}" for one in remarks]
    if not rows:
        return ""
    what = "<b>The ledgers are not complete.</b> What they do not hold is not in this record:"
    return f"<div class=warn role=note><p>{what}</p><ul>{''.join(rows)}</ul></div>"


def _entry(remark: Remark) -> str:
    return f", entry {remark.entry}" if remark.entry >= 0 else ""


def _measure(measure: Measure) -> str:
    definition = marked(measure.definition[0].upper() + measure.definition[1:])
    said = f"<h3 id='{escape(measure.id)}'>{escape(measure.title)}</h3><p class=soft>{definition}.</p>"
    if not measure.figures:
        return f"{said}<p>None.</p>"
    names = "".join(f"<th>{escape(name)}" for name in measure.by)
    shown = measure.figures
    if measure.unit == "share":
        shown = tuple(sorted(shown, key=lambda one: -(one.value or 0.0)))
    rows = "".join(_row(measure, one) for one in shown[:ROWS])
    if len(shown) > ROWS:
        rows += f"<tr><td colspan={len(measure.by) + 2} class=soft>{len(shown) - ROWS:,} more in the JSON file</tr>"
    return (
        f"{said}<div class=wide><table><thead><tr>{names}<th class=n>Value<th>Entries</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def marked(text: str) -> str:
    """Text with `names` marked, as HTML."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def _glance(made: Annual) -> str:
    """The totals that a reader looks for first."""
    rows = []
    for name in GLANCE:
        measure = made.measure(name)
        total = measure.figures[0].value if not measure.by and measure.figures else len(measure.figures)
        rows.append(f"<tr><td><a href='#{escape(name)}'>{escape(measure.title)}</a><td class=n>{total or 0:,.4g}</tr>")
    missed = sum(one.value or 0 for one in made.measure("deadlines.serious_incident").figures if "missed" in one.of)
    rows.append(
        f"<tr><td><a href='#deadlines.serious_incident'>Deadlines after serious incidents missed</a>"
        f"<td class=n>{missed:,}</tr>"
    )
    return f"<table class=glance><tbody>{''.join(rows)}</tbody></table>"


def _row(measure: Measure, one: Figure) -> str:
    groups = "".join(f"<td>{escape(name) or '–'}" for name in one.of)
    return f"<tr>{groups}<td class=n>{value_text(one, measure.unit)}<td class='soft where'>{where(one)}</tr>"


def value_text(one: Figure, unit: str) -> str:
    """A figure with its interval and unit.

    >>> value_text(Figure(value=0.5, low=0.25, high=0.75), "share"), value_text(Figure(), "days")
    ('0.5 (0.25 to 0.75)', 'none')
    """
    if one.value is None:
        return "none"
    said = f"{one.value:,.4g}" if isinstance(one.value, float) else f"{one.value:,}"
    if unit not in ("", "share"):
        said += f" {unit}"
    if one.low is None and one.high is None:
        return said
    low, high = (f"{end:.3g}" if end is not None else "no bound" for end in (one.low, one.high))
    return f"{said} ({low} to {high})"


def where(one: Figure) -> str:
    """The entries behind a figure, the first of them by name."""
    said = _decisions(one.entries)
    said += [
        f"<span title='{escape(file)}'>evidence{_shard(file)}, {first}–{last}</span>"
        for file, (first, last) in one.periods.items()
    ]
    return "; ".join(said) or "–"


def _shard(file: str) -> str:
    """The year of a later shard, from the name of its file; the table of ledgers has the whole names.

    >>> _shard("evidence-2026-p-148de9c5a7a44d19.ledger"), _shard("evidence-p-148de9c5a7a44d19.ledger")
    (' 2026', '')
    """
    year = file.removeprefix("evidence-").partition("-")[0]
    return f" {year}" if len(year) == 4 and year.isdecimal() and file.count("-") > 2 else ""


def _decisions(entries: Mapping[str, tuple[int, ...]]) -> list[str]:
    said, left = [], LISTED
    for subject, numbers in entries.items():
        shown = numbers[:left]
        if shown:
            said.append(f"{escape(subject)} {', '.join(map(str, shown))}")
        left -= len(shown)
    more = sum(map(len, entries.values())) - LISTED
    return [*said, f"and {more:,} more"] if more > 0 else said


def _ledgers(made: Annual) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one.file)}</code><td class=n>{one.entries:,}<td><code>{one.root}</code></tr>"
        for one in made.ledgers
    )
    return (
        "<h2 id=ledgers>Ledgers</h2><p class=soft>Root: RFC 6962, of the entries that were read. Verify them with "
        "<code>sandbox-monitor ledger verify DIR</code>.</p><div class=wide><table><thead><tr><th>File<th class=n>"
        f"Entries<th>Root</tr></thead><tbody>{rows}</tbody></table></div>"
    )
