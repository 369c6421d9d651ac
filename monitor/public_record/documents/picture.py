"""The picture of the evidence behind a halt, with its data table."""

from __future__ import annotations

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.console.svg.picture import picture
from monitor.model.records import Decision, Evidence
from monitor.projections.formats import e_value, figure, is_evidence, stamp
from monitor.projections.wording import plain
from monitor.public_record.documents.charter_words import charter_of
from monitor.public_record.documents.halt import HaltReport
from monitor.public_record.documents.pilot import PilotReport
from monitor.public_record.documents.source import Source
from monitor.public_record.documents.words import detector_words
from monitor.public_record.pilot import Json
from monitor.public_record.statement import decision_of
from monitor.report.frame import section, table
from monitor.words import tr, trn

BEFORE, AFTER = 120, 24  # closed periods before and after a halt that are drawn
STAY, LISTED = 400, 60  # closed periods of a stay that are drawn, and those in the table


def evidence_picture(source: Source, made: HaltReport, begun: Json) -> Node:
    """The indicator of the halt around it; `None` without closed periods."""
    if made.measured is None:
        return None
    key = (made.measured.indicator, made.measured.segment)
    rows = [one for one in source.evidence if (one.indicator, one.segment) == key and not one.dropped]
    before = [one for one in rows if one.start <= made.at][-BEFORE:]
    shown = before + [one for one in rows if one.start > made.at][:AFTER]
    if not shown:
        return None
    low, high = shown[0].start, max(one.end for one in shown)
    decisions = [
        one for record in source.pilot.records if low <= record["at"] <= max(high, made.at)
        and (one := decision_of(record, None)) is not None and one.finding.indicator in ("", made.measured.indicator)
    ]  # fmt: skip
    note = trn("The {n} closed period around the halt.", "The {n} closed periods around the halt.", len(shown))
    return _drawn(source, shown, decisions, f"{note} {_of_all(len(rows))}", shown)


def stay_picture(source: Source, made: PilotReport) -> Node:
    """The indicator of the last halt, else the one that used most of its limit, over the last periods of the stay;
    `None` without closed periods."""
    if not made.limits:
        return None
    halted = made.halts[-1].indicator if made.halts else ""
    most = max(made.limits, key=lambda one: (one.indicator == halted, one.share))
    rows = [one for one in source.evidence if (one.indicator, one.segment) == (most.indicator, most.segment)
            and not one.dropped]  # fmt: skip
    shown = rows[-STAY:]
    low = shown[0].start
    decisions = [
        one for record in source.pilot.records if record["at"] >= low
        and (one := decision_of(record, None)) is not None and one.finding.indicator in ("", most.indicator)
        and one.kind == "level"
    ]  # fmt: skip
    note = (
        tr("The indicator of the last halt, over its last closed periods.") if most.indicator == halted
        else tr("The indicator that used most of its limit, over its last closed periods.")
    )  # fmt: skip
    return _drawn(source, shown, decisions, f"{note} {_of_all(len(rows))}", shown[-LISTED:])


def _of_all(closed: int) -> str:
    return tr("{n} periods of this indicator are on record.", n=figure(closed))


def _drawn(
    source: Source, shown: list[Evidence], decisions: list[Decision], note: str, listed: list[Evidence]
) -> Node:  # fmt: skip
    """Picture and table of some closed periods of one indicator."""
    title = plain(shown[0].indicator) + (f", {plain(shown[0].segment)}" if shown[0].segment else "")
    svg = picture(title, shown, decisions, charter_of(source.pilot.charter_at(shown[-1].end)))
    return section(
        tr("The evidence as a picture"),
        h.figure[Markup(svg)],
        h.p(".soft")[note],
        h.details(open=True)[
            h.summary[trn("The numbers of the last {n} period", "The numbers of the last {n} periods", len(listed))],
            table(
                "",
                (tr("Period from"), tr("Events"), tr("Exposure"), tr("Statistic and threshold"), tr("Remarks")),
                [_row(one) for one in listed],
                (1, 2),
            ),
        ],
        id_="picture",
    )


def _row(one: Evidence) -> tuple[Node, ...]:
    scores = []
    for name, (statistic, threshold) in sorted(one.scores.items()):
        write = e_value if is_evidence(name) else figure
        said = tr("{statistic} of {threshold}", statistic=write(statistic), threshold=write(threshold))
        scores.append(f"{detector_words(name)}: {said}")
    remarks = [tr("late events")] if one.late else []
    remarks += [tr("incomplete: {why}", why=plain(one.unknown))] if one.unknown else []
    return h.span(".t")[stamp(one.start)[:16]], figure(one.k), figure(one.m), "; ".join(scores), "; ".join(remarks)
