"""The picture of the evidence behind a halt, with its data table."""

from __future__ import annotations

import htpy as h
from htpy import Node

from monitor.console.svg.picture import chart
from monitor.model.records import Decision, Evidence
from monitor.projections.formats import figure
from monitor.projections.wording import plain
from monitor.public_record.documents.charter_words import charter_of
from monitor.public_record.documents.halt import HaltReport
from monitor.public_record.documents.pilot import PilotReport
from monitor.public_record.documents.source import Source
from monitor.public_record.pilot import Json
from monitor.public_record.statement import decision_of
from monitor.report.frame import section, table
from monitor.translation import tr, trn

BEFORE, AFTER = 120, 24  # closed periods before and after a halt that are drawn
STAY = 200  # closed periods of a stay that are drawn


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
    return _drawn(source, shown, decisions, f"{note} {_of_all(len(rows))}", len(rows))


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
    return _drawn(source, shown, decisions, f"{note} {_of_all(len(rows))}", len(rows))


def _of_all(closed: int) -> str:
    return tr("{n} periods of this indicator are on record.", n=figure(closed))


def _drawn(source: Source, shown: list[Evidence], decisions: list[Decision], note: str, closed: int) -> Node:
    """Picture and table of some closed periods of one indicator."""
    title = plain(shown[0].indicator) + (f", {plain(shown[0].segment)}" if shown[0].segment else "")
    made = chart(title, shown, decisions, charter_of(source.pilot.charter_at(shown[-1].end)), closed)
    return section(
        tr("The evidence as a picture"),
        h.figure[made.svg, h.figcaption(".soft")[made.caption]],
        h.p(".soft")[note],
        h.details(open=True)[
            h.summary[tr("The numbers of the picture")],
            table(made.table.caption, made.table.headers, made.table.rows, made.table.numeric),
        ],
        id_="picture",
    )
