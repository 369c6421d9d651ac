"""A table of deadlines of several pilots, which the pages of deadlines, firms and authorities share."""

from __future__ import annotations

from collections.abc import Iterable

import htpy as h
from htpy import Node

from monitor.console.clocks_view import USER_COMPLAINT, Deadline
from monitor.console.listing import lasting
from monitor.console.parts import Column, Row, link_to, small, table, time_tag
from monitor.projections.clock_words import FORBIDDEN, OWED_BY, occurrence
from monitor.translation import tr, trn


def deadline_table(rows: Iterable[Deadline], caption: str) -> h.Element:
    """A row for each deadline: what, about which pilot, owed by whom, until when, and how long is left."""
    columns = (
        Column(tr("Deadline"), kind="why"),
        Column(tr("Pilot"), kind="pilot"),
        Column(tr("Owed by"), kind="owner"),
        Column(tr("Due before (UTC)"), tr("Due before"), "when"),
        Column(tr("Time left"), kind="when"),
    )
    return table(caption, columns, map(_row, rows), "clocks")


def deadline_title(one: Deadline) -> str:
    """What is owed."""
    if one.about == USER_COMPLAINT:
        return trn("Answer to {n} complaint of a user", "Answer to {n} complaints of users", max(1, one.complaints))
    return tr(one.title) + occurrence(one.about, one.key)


def _row(one: Deadline) -> Row:
    due: Node = tr("no date")
    if one.due is not None:
        due = h.span[time_tag(one.due), small(tr("last day {day}, {zone}", day=one.last_day, zone=one.zone))]
    cells = (
        h.div[deadline_title(one), small(_basis(one))],
        h.div[link_to("pilot", one.pilot), small(one.participant)],
        tr(OWED_BY[one.owed_by]),
        due,
        time_words(one),
    )
    return Row(cells, "halt" if one.missed else "normal")


def time_words(one: Deadline) -> str:
    """The time left, or since the miss."""
    if one.left is None:
        return tr("broken") if one.missed else tr("no date")
    if one.left <= 0:
        return tr("missed {time} ago", time=lasting(-one.left))
    return lasting(one.left)


def _basis(one: Deadline) -> str:
    if one.about == USER_COMPLAINT and not one.basis:
        return tr("promise of the charter; they were received as decision {number}", number=one.standing)
    kinds = "; ".join(tr(FORBIDDEN.get(kind, kind)) for kind in one.forbids)
    basis = tr(one.basis)
    return tr("{basis}; {kinds} until then", basis=basis, kinds=kinds) if kinds else basis
