"""A replay as one HTML page: for each pilot its picture, its decisions, and the alpha they used.

The page is self-contained: no scripts, no external resources, light and dark, readable by a screen reader, printable.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import msgspec
from msgspec import Struct

from detectors.base import Proportion
from monitor.charter.spec import Charter, charter_hash
from monitor.console.alpha import alpha_words, table
from monitor.console.svg.picture import describe, picture
from monitor.indicators import INDICATORS
from monitor.model.records import Decision, Evidence, Level, Outputs, Rejected
from monitor.projections.alpha_budget import AlphaRuns, alpha_use
from monitor.projections.formats import day, e_value, figure, is_evidence, stamp
from monitor.projections.wording import sentence

_STYLE = """
:root{color-scheme:light dark;--ink:#1d2733;--soft:#5a6675;--paper:#fff;--rule:#dfe4ea;--link:#1f5fa8}
@media (prefers-color-scheme:dark){:root{--ink:#e8edf3;--soft:#a3afbd;--paper:#141a21;--rule:#313c49;--link:#7db3f0}}
body{font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;color:var(--ink);
background:var(--paper);
max-width:1040px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{margin-top:2.8rem;font-size:1.25rem;border-top:1px solid var(--rule);
padding-top:1.4rem}
a{color:var(--link)}p.lead,small,.soft{color:var(--soft)}figure{margin:1rem 0;overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}caption{text-align:left;font-weight:600;padding:.6rem 0}
th,td{text-align:left;vertical-align:top;padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--rule)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td.nowrap{white-space:nowrap}details{margin:.8rem 0}
summary{cursor:pointer}
.tablewrap{overflow-x:auto}
"""


ROWS = 400  # of periods in one table: more are not readable


class Story(Struct):
    """The outputs of a replay about one pilot, under a title; `note` is printed below it, each of `remarks` next to the
    decision with that id. `runs` are the alpha runs of its decisions. `periods` is the number of closed periods where
    `evidence` holds only some of them (0: all), `late_events` that of events that came too late to count."""

    title: str
    charter: Charter
    decisions: list[Decision]
    evidence: list[Evidence]
    runs: AlphaRuns = msgspec.field(default_factory=AlphaRuns)
    note: str = ""
    remarks: dict[str, str] = {}
    periods: int = 0
    late_events: int = 0

    def add_evidence(self, record: Evidence) -> None:
        """Add a closed period or late events of one; what is too late to count is only counted."""
        if record.dropped:
            self.late_events = max(self.late_events, record.dropped)
        else:
            self.evidence.append(record)


def collect_stories(charters: Sequence[Charter], outputs: Iterable[Outputs]) -> tuple[dict[str, Story], list[Rejected]]:
    """Group the outputs of a replay by pilot. Returns one story per charter, titled with its pilot, and the
    rejections."""
    stories = {c.pilot: Story(c.pilot, c, [], []) for c in charters}
    rejected: list[Rejected] = []
    for out in outputs:
        rejected += out.rejected
        for decision in out.decisions:
            stories[decision.pilot].decisions.append(decision)
        for entry in out.evidence:
            if isinstance(entry, Evidence):
                stories[entry.pilot].add_evidence(entry)
    for story in stories.values():
        for decision in story.decisions:
            story.runs.add_decision(decision)
    return stories, rejected


def level_change(d: Decision) -> str:
    """The effect of a decision on the level, in a few words.

    >>> from monitor.model.records import Reason
    >>> d = Decision(id="", pilot="p", participant="", charter="", kind="level", level=Level.WATCH, was=Level.NORMAL,
    ...     reason=Reason.DRIFT_SUSPECTED, at=0, standing=1, epoch=0, cause="")
    >>> level_change(d)
    'normal to watch'
    """
    if d.kind == "level":
        return f"{d.was.word} to {d.level.word}"
    if d.kind == "flag":
        return f"{'unknown' if d.unknown else 'known again'}, {d.level.word}"
    return f"still {d.level.word}" if d.kind == "finding" else f"on record, {d.level.word}"


def reason_sentence(d: Decision, charter: Charter | None) -> str:
    """The reason as one sentence with its numbers; proportions are printed in per cent. Decisions on the sandbox and on
    applicants have no charter in force."""
    specs = () if charter is None else charter.indicators
    spec = next((s for s in specs if s.name == d.finding.indicator), None)
    share = spec is not None and INDICATORS[spec.kind](spec).observes is Proportion
    return sentence(d, "proportion" if share else "", spec is not None and spec.direction == "below")


def report(title: str, stories: Sequence[Story], rejected: Sequence[Rejected] = (), lead: str = "") -> str:
    """The page of a replay. Equal input gives equal bytes. `rejected` are listed by line (offset + 1)."""
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{escape(lead)}</p>' if lead else "",
    ]
    if len(stories) > 1:
        links = "".join(
            f'<li><a href="#pilot-{i}">{escape(s.title)}</a>: highest level {escape(_highest(s).word)}</li>'
            for i, s in enumerate(stories, start=1)
        )
        parts.append(f'<nav aria-label="Pilots"><ul>{links}</ul></nav>')
    for number, story in enumerate(stories, start=1):
        parts.append(_story(number, story))
    if rejected:
        parts.append(_rejected(rejected))
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


def _highest(story: Story) -> Level:
    return max((d.level for d in story.decisions), default=Level.NORMAL)


def _story(number: int, s: Story) -> str:
    c = s.charter
    uses = alpha_use(c, s.runs, s.evidence)
    facts = (
        f"Participant {c.participant.name or c.participant.id}; tier {c.tier}; charter version {c.version}, "
        f"hash {charter_hash(c)[:16]}…; {alpha_words(uses, c.alpha)}."
    )
    return (
        f'<section id="pilot-{number}"><h2>{escape(s.title)}</h2>'
        + (f"<p>{escape(s.note)}</p>" if s.note else "")
        + f'<p class="soft">{escape(facts)}</p>'
        + (f"<p>Too late to count: {s.late_events:,} event(s).</p>" if s.late_events else "")
        + f"<figure>{picture(s.title, s.evidence, s.decisions, c)}</figure>"
        + _decisions(s)
        + (f"<details><summary>Alpha by limit</summary>{table(uses)}</details>" if uses else "")
        + _periods(s)
        + f"<details><summary>Text version of the picture</summary>"
        f"<p>{escape(describe(s.title, s.evidence, s.decisions))}</p></details></section>"
    )


def _decisions(s: Story) -> str:
    if not s.decisions:
        return "<p>No decisions.</p>"
    rows = "".join(
        f'<tr><td class="nowrap"><time>{stamp(d.at)}</time></td><td>{level_change(d)}</td>'
        f"<td>{escape(reason_sentence(d, s.charter))}.{_remark(s, d)}</td>"
        f'<td class="n">{figure(d.finding.alpha) if d.finding.alpha is not None else ""}</td></tr>'
        for d in s.decisions
    )
    return (
        '<div class="tablewrap"><table><caption>Decisions, each at the earliest time that it could be taken</caption>'
        '<thead><tr><th scope="col">When</th><th scope="col">Level</th><th scope="col">Why</th>'
        f'<th scope="col" class="n">Alpha of the threshold</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _remark(s: Story, d: Decision) -> str:
    return f"<br><small>{escape(s.remarks[d.id])}.</small>" if d.id in s.remarks else ""


def _periods(s: Story) -> str:
    def scores(e: Evidence) -> str:
        words = []
        for name, (statistic, bar) in sorted(e.scores.items()):
            write = e_value if is_evidence(name) else figure
            words.append(f"{name.replace('_', ' ')} {write(statistic)} (threshold {write(bar)})")
        return "; ".join(words)

    shown = s.evidence
    if len(shown) > ROWS:
        near = sorted(range(len(shown)), key=lambda i: (-nearness(shown[i]), i))[:ROWS]
        shown = [shown[i] for i in sorted(near)]
    rows = "".join(
        f'<tr><td class="nowrap">{day(e.start)}</td><td>{escape(e.indicator)}'
        f"{', ' + escape(e.segment) if e.segment else ''}</td>"
        f'<td class="n">{figure(e.k)}</td><td class="n">{figure(e.m)}</td><td>{escape(scores(e))}</td>'
        f"<td>{'late events; ' if e.late else ''}{escape(e.unknown.replace('_', ' '))}</td></tr>"
        for e in shown
    )
    closed = s.periods or len(s.evidence)
    which = "All" if len(shown) == closed else f"The {len(shown)} nearest to a threshold of all"
    return (
        f"<details><summary>{which} {closed:,} closed periods as a table</summary>"
        '<div class="tablewrap"><table><thead><tr><th scope="col">Period from</th><th scope="col">Indicator</th>'
        '<th scope="col" class="n">Events</th><th scope="col" class="n">Exposure or trials</th>'
        '<th scope="col">Statistic and threshold</th><th scope="col">Remarks</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def nearness(e: Evidence) -> float:
    """The largest ratio of a statistic of the period to its threshold: 1 = reached."""
    return max((statistic / bar for statistic, bar in e.scores.values() if bar > 0), default=-1e9)


def _rejected(rejected: Sequence[Rejected]) -> str:
    rows = "".join(
        f'<tr><td class="n">{r.offset + 1}</td><td class="n">{r.count:,}</td><td>{escape(r.field)}</td>'
        f"<td>{escape(r.reason)}</td><td>{escape(r.detail)}</td></tr>"
        for r in rejected
    )
    return (
        '<section><h2>Rejected lines</h2><div class="tablewrap"><table><thead><tr><th scope="col" class="n">Line</th>'
        '<th scope="col" class="n">Events</th><th scope="col">Field</th><th scope="col">Reason</th>'
        '<th scope="col">Detail</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )
