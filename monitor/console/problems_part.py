"""Telemetry without effect, as a section: rejected, accepted but counted nowhere, or too late; each with its fix."""

from __future__ import annotations

from collections.abc import Iterable

import htpy as h
from htpy import Node

from monitor.console.fleet_view import FleetView
from monitor.console.parts import Column, Row, link_to, none, small, table, time_tag
from monitor.console.pilot_view import PilotView
from monitor.model.telemetry_problems import KINDS, TelemetryProblem
from monitor.projections.detail_words import late_words
from monitor.translation import tr, trn

LISTED = 50
NOT_OURS = ("not_yours",)  # sent by another firm: not for the eyes, nor in the hands, of this one

Found = tuple[str, TelemetryProblem]


def problems_of(board: FleetView, views: Iterable[PilotView]) -> list[Found]:
    """The problems of these pilots, each with its pilot, the newest first; a time that is not known comes last."""
    found = [
        (view.pilot, one) for view in views for one in board.problems.rows(view.pilot) if one.reason not in NOT_OURS
    ]
    return sorted(found, key=lambda pair: -(pair[1].at or 0))


def problems_section(board: FleetView, views: Iterable[PilotView]) -> Node:
    """The section; nothing without problems."""
    found = problems_of(board, views)
    if not found:
        return None
    columns = (
        Column(tr("Pilot"), kind="pilot"),
        Column(tr("What happened"), kind="why"),
        Column(tr("Events"), kind="number"),
        Column(tr("Newest (UTC)"), tr("Newest"), "when"),
        Column(tr("How to correct it"), kind="why"),
    )
    more = len(found) - LISTED
    return h.section("#problems")[
        h.h2[tr("Telemetry and acts without effect")],
        table(tr("Newest first; nothing of these counts"), columns, map(_row, found[:LISTED]), "problems"),
        h.p[trn("{n} more is not listed", "{n} more are not listed", more)] if more > 0 else None,
    ]


def _row(pair: Found) -> Row:
    pilot, one = pair
    field = tr("field {field}", field=one.field) if one.field else ""
    said = "; ".join(part for part in (tr(KINDS[one.kind]), field) if part)
    cells = (
        link_to("pilot", pilot),
        h.div[said, small(late_words(one.detail))],
        f"{one.events:,}",
        time_tag(one.at),
        one.fix or none(),
    )
    return Row(cells)


def problem_data(pair: Found) -> dict[str, object]:
    """One problem as plain data."""
    pilot, one = pair
    return {
        "pilot": pilot, "kind": one.kind, "reason": one.reason, "field": one.field or None, "detail": one.detail,
        "events": one.events, "at": one.at, "place": one.place or None, "fix": one.fix or None,
    }  # fmt: skip
