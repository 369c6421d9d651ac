"""The page of one firm: its class and how it follows, what it owes, its pilots, telemetry that has no effect, and what
officers and approvers did about it."""

from __future__ import annotations

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.console.banners import banners
from monitor.console.class_words import class_badge, grounds_table, rules_section
from monitor.console.deadlines_part import deadline_table
from monitor.console.firms_page import AGAINST, FOR, counted
from monitor.console.firms_view import FirmView, firm_view, views_of
from monitor.console.fleet_view import FleetView, PilotView
from monitor.console.frame import page
from monitor.console.listing import entry_link, pager
from monitor.console.parts import Column, Row, address, badge, facts, link_to, none, small, table, time_tag, why
from monitor.console.problems_part import problems_section
from monitor.firms.classes import firm_class
from monitor.firms.record import YEAR_MS
from monitor.model.records import Reason
from monitor.model.subjects import firm_subject
from monitor.projections.firm_acts import FirmAct, SetClass
from monitor.projections.firm_words import class_name
from monitor.projections.wording import REASONS
from monitor.translation import tr, trm, trn


def firm_page(board: FleetView, firm: str, now: int, number: int = 1) -> Markup | None:
    """One firm at `now` (ms); `number` is the page of its pilots. `None` for a firm that is not known."""
    view = firm_view(board, firm, now, number)
    if view is None:
        return None
    title = tr("Firm {firm}", firm=firm)
    body: list[Node] = [
        banners(board, now),
        h.h1[title],
        _facts(view),
        _deadlines(view),
        problems_section(board, views_of(board, firm)),
        _pilots(view),
        _class(view),
        _acts(view),
    ]
    return page(title, body, "firms")  # `.firm` is a class of small text


def _facts(view: FirmView) -> h.Element:
    record, set_ = view.row.record, view.row.in_force
    in_force: Node = None
    if set_ is not None:
        in_force = [
            class_badge(set_.act.gives), " ",
            trm("set {time} by {author}", time=time_tag(set_.act.at), author=set_.act.author),
        ]  # fmt: skip
    through = trm("through {time}", time=time_tag(record.through)) if record.through else ""
    return facts((
        (tr("Class in force"), in_force or tr("none was set")),
        (tr("The record gives now"), "" if view.row.now is None else class_name(view.row.now.gives)),
        (tr("Pilots"), tr("{open} open of {all} admitted", open=record.open, all=record.pilots)),
        (tr("Halted now"), str(len(view.halts)) if view.halts else ""),
        (tr("Pilot-years in operation"), [f"{record.operated_ms / YEAR_MS:.2f}", " ", through]),
        (tr("Counts against it"), counted(record, AGAINST)),
        (tr("Counts for it"), counted(record, FOR)),
        (tr("Complaints of users"), str(record.complaints) if record.complaints else ""),
    ))  # fmt: skip


def _deadlines(view: FirmView) -> Node:
    heading = h.h2[tr("Owed by the firm")]
    if not view.deadlines:
        return h.section("#owed")[heading, h.p[tr("Nothing is owed.")]]
    more = view.deadlines_more
    return h.section("#owed")[
        heading,
        deadline_table(view.deadlines, tr("Missed ones first, then by due date")),
        h.p[trn("{n} more is not listed", "{n} more are not listed", more)] if more else None,
    ]


def _pilots(view: FirmView) -> Node:
    columns = (
        Column(tr("Pilot"), kind="name"),
        Column(tr("Level"), kind="state"),
        Column(tr("Why"), kind="why"),
        Column(tr("Since (UTC)"), tr("Since"), "when"),
    )
    caption = trn("{n} pilot, worst first", "{n} pilots, worst first", view.pilots_total)
    return h.section("#pilots")[
        h.h2[tr("Pilots")],
        table(caption, columns, map(_pilot, view.pilots), "fleet"),
        pager(address("firm", view.firm), {}, view.page, view.pages),
    ]


def _pilot(view: PilotView) -> Row:
    return Row((link_to("pilot", view.pilot), badge(view), why(view), time_tag(view.since)), view.level.word)


def _class(view: FirmView) -> Node:
    set_, now, rules = view.row.in_force, view.row.now, view.rules
    shown: list[Node] = []
    if set_ is not None:
        said = trm(
            "{author} set {gives} on {time}, by the rules {rules}. It rested on:",
            author=set_.act.author, gives=class_name(set_.act.gives), time=time_tag(set_.act.at),
            rules=set_.rules_name or "?",
        )  # fmt: skip
        shown += [h.p[said], _rested(set_)]
    if now is not None:
        shown.append(grounds_table(now.grounds, tr("What each measure of the record gives now, by the same rules")))
        if set_ is not None and now.gives != set_.act.gives:
            shown.append(h.p(".note")[tr("The record gives another class now; an officer decides whether to set it.")])
    if not shown:
        shown.append(h.p[tr("No class was set, and the rules of the sandbox are not known here.")])
    return h.section("#class")[h.h2[tr("Class, and how it follows")], shown, rules_section(rules, None)]


def _rested(set_: SetClass) -> Node:
    """What decided the class when it was set, computed from the numbers of the act; else in the words of the act."""
    if set_.record is None or set_.rules is None:
        return h.ul[(h.li[ground] for ground in set_.grounds)]
    found = firm_class(set_.record, set_.rules)
    return grounds_table(found.deciding, tr("What decided it then, from the record and the rules in the act"))


def _acts(view: FirmView) -> Node:
    if not view.acts:
        return None
    columns = (
        Column(tr("Number"), kind="number"),
        Column(tr("At (UTC)"), tr("At"), "when"),
        Column(tr("What"), kind="why"),
        Column(tr("By"), kind="who"),
        Column(tr("Ledger")),
    )
    caption = tr("Acts about the firm, newest first")
    rows = (_act(view.firm, one) for one in view.acts)
    return h.section("#acts")[h.h2[tr("Acts about the firm")], table(caption, columns, rows, "acts")]


def _act(firm: str, one: FirmAct) -> Row:
    what: Node = tr(REASONS[one.reason])
    if one.reason is Reason.FIRM_CLASSIFIED:
        before = class_name(one.was) if one.was else tr("none")
        what = [what, small(tr("{gives}, before: {was}", gives=class_name(one.gives), was=before))]
    elif one.decision:
        link = entry_link(one.pilot, one.decision, tr("the decision"))
        what = [what, small([link_to("pilot", one.pilot), ", ", link])]
    signed = tr("signed") if one.signed else tr("not signed")
    ledger = entry_link(firm_subject(firm), one.id, tr("decision {number}", number=one.number)) if one.id else none()
    return Row((one.number, time_tag(one.at), what, [one.author, small(signed)], ledger))
