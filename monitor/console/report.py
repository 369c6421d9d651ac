"""A replay as one HTML page: for each pilot its picture, its decisions, and the alpha they used.

The page is self-contained: no scripts, no external resources, light and dark, readable by a screen reader, printable.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import htpy as h
import msgspec
from htpy import Node
from markupsafe import Markup
from msgspec import Struct

from detectors.base import Proportion
from monitor.charter.spec import Charter, charter_hash
from monitor.console.alpha import alpha_table, alpha_words, guarantee_section
from monitor.console.chart_parts import chart_figure
from monitor.console.svg.picture import chart
from monitor.console.svg.style import STYLE
from monitor.console.svg.table import nearness as nearest
from monitor.indicators import INDICATORS
from monitor.model.records import Decision, Evidence, Level, Outputs, Rejected
from monitor.projections.alpha_budget import AlphaRuns, alpha_use
from monitor.projections.formats import figure, stamp
from monitor.projections.measures import counts_at_least
from monitor.projections.wording import level_word, sentence
from monitor.translation import TAGS, current, tr, trm, trn

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
    level = level_word(d.level)
    if d.kind == "level":
        return tr("{was} to {level}", was=level_word(d.was), level=level)
    if d.kind == "flag":
        return tr("unknown, {level}", level=level) if d.unknown else tr("known again, {level}", level=level)
    return tr("still {level}", level=level) if d.kind == "finding" else tr("on record, {level}", level=level)


def reason_sentence(d: Decision, charter: Charter | None) -> str:
    """The reason as one sentence with its numbers; proportions are printed in per cent. Decisions on the sandbox and on
    applicants have no charter in force."""
    specs = () if charter is None else charter.indicators
    spec = next((s for s in specs if s.name == d.finding.indicator), None)
    share = spec is not None and INDICATORS[spec.kind](spec).observes is Proportion
    return sentence(d, "proportion" if share else "", counts_at_least(spec))


def report(title: str, stories: Sequence[Story], rejected: Sequence[Rejected] = (), lead: str = "") -> str:
    """The page of a replay. Equal input gives equal bytes. `rejected` are listed by line (offset + 1)."""
    return str(
        h.html(lang=TAGS[current()])[
            h.head[
                h.meta(charset="utf-8"),
                h.meta(name="viewport", content="width=device-width,initial-scale=1"),
                h.title[title],
                h.style[Markup(_STYLE + STYLE)],
            ],
            h.body[
                h.main[
                    h.h1[title],
                    h.p(".lead")[lead] if lead else None,
                    _contents(stories) if len(stories) > 1 else None,
                    (_story(number, story) for number, story in enumerate(stories, start=1)),
                    _rejected(rejected) if rejected else None,
                ]
            ],
        ]
    )


def _contents(stories: Sequence[Story]) -> h.Element:
    return h.nav(aria_label=tr("Pilots"))[
        h.ul[
            (
                h.li[
                    trm(
                        "{pilot}: highest level {level}",
                        pilot=h.a(href=f"#pilot-{number}")[story.title],
                        level=level_word(_highest(story)),
                    )
                ]
                for number, story in enumerate(stories, start=1)
            )
        ]
    ]


def _highest(story: Story) -> Level:
    return max((d.level for d in story.decisions), default=Level.NORMAL)


def _story(number: int, s: Story) -> h.Element:
    c = s.charter
    uses = alpha_use(c, s.runs, s.evidence)
    facts = tr(
        "Firm {firm}; tier {tier}; charter version {version}, hash {digest}…; {alpha}.",
        firm=c.participant.name or c.participant.id,
        tier=c.tier,
        version=c.version,
        digest=charter_hash(c)[:16],
        alpha=alpha_words(uses, c.alpha),
    )
    late = trn("Too late to count: {n} event.", "Too late to count: {n} events.", s.late_events)
    return h.section(id=f"pilot-{number}")[
        h.h2[s.title],
        h.p[s.note] if s.note else None,
        h.p(".soft")[facts],
        guarantee_section(c),
        h.p[late] if s.late_events else None,
        chart_figure(chart(s.title, s.evidence, s.decisions, c, s.periods)),
        _decisions(s),
        h.details[h.summary[tr("Alpha by limit")], alpha_table(uses)] if uses else None,
    ]


def _table(caption: Node, heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[Node]]) -> h.Element:
    """A table that scrolls on its own. Each head has the class of its cells."""
    return h.div(".tablewrap")[
        h.table[
            h.caption[caption] if caption else None,
            h.thead[h.tr[(h.th(scope="col", class_="n" if kind == "n" else None)[head] for head, kind in heads)]],
            h.tbody[
                (
                    h.tr[(h.td(class_=kind or None)[cell] for (_, kind), cell in zip(heads, row, strict=True))]
                    for row in rows
                )
            ],
        ]
    ]


def _decisions(s: Story) -> h.Element:
    if not s.decisions:
        return h.p[tr("No decisions.")]
    heads = ((tr("When"), "nowrap"), (tr("Level"), ""), (tr("Why"), ""), (tr("Alpha of the threshold"), "n"))
    rows = (
        (
            h.time[stamp(d.at)],
            level_change(d),
            [tr("{sentence}.", sentence=reason_sentence(d, s.charter)), _remark(s, d)],
            figure(d.finding.alpha) if d.finding.alpha is not None else "",
        )
        for d in s.decisions
    )
    return _table(tr("Decisions, each at the earliest time that it could be taken"), heads, rows)


def _remark(s: Story, d: Decision) -> Node:
    return [h.br, h.small[tr("{sentence}.", sentence=s.remarks[d.id])]] if d.id in s.remarks else None


def nearness(e: Evidence) -> float:
    """The largest ratio of a statistic of the period to its threshold: 1 = reached."""
    return nearest(e.scores)


def _rejected(rejected: Sequence[Rejected]) -> h.Element:
    heads = (
        (tr("Line"), "n"), (tr("Events"), "n"), (tr("Field"), ""), (tr("Reason"), ""), (tr("Detail"), ""),
    )  # fmt: skip
    rows = ((r.offset + 1, f"{r.count:,}", r.field, r.reason, r.detail) for r in rejected)
    return h.section[h.h2[tr("Rejected lines")], _table(None, heads, rows)]
