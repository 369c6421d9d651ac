"""The charter of a pilot as the board shows it: the text, its hash, and the decisions that put it in force."""

from __future__ import annotations

import shlex

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.compile.dump import charter_yaml
from monitor.console.alpha import guarantee_section
from monitor.console.banners import banners
from monitor.console.fleet_view import FleetView, PilotView
from monitor.console.frame import page
from monitor.console.parts import link, small
from monitor.model.records import Decision
from monitor.projections.charter_record import CAUSES
from monitor.projections.formats import stamp
from monitor.projections.wording import sentence
from monitor.translation import tr, trm


def charter_page(board: FleetView, pilot: str, now: int = 0) -> Markup | None:
    """The charter under which a pilot runs; `None` for a pilot that the board does not know."""
    view = board.pilots.get(pilot)
    if view is None:
        return None
    title = tr("Charter of {pilot}", pilot=pilot)
    back = h.p(".back")[h.a(href=link(pilot))["← ", pilot]]
    return page(title, [banners(board, now), back, h.h1[title], charter_body(view)], "charter")


def charter_body(view: PilotView) -> Node:
    """The content of the page. Only a charter that a decision names is shown, never a refused one."""
    acts = [d for d in view.decisions if d.reason in CAUSES]
    export = f"sandbox-monitor charter show {shlex.quote(view.pilot)} [--version N]"
    return [
        h.ul[(h.li[_act(d)] for d in acts)]
        if acts
        else h.p[tr("The decisions that put it in force are older than the decisions on this board.")],
        h.p[small(trm("Export, also of earlier versions: {command}", command=h.code[export]))],
        _text(view),
    ]


def _text(view: PilotView) -> Node:
    digest = h.code[view.charter]
    if view.plan is None:
        return h.p[trm("The board has not yet read the charter with the hash {digest}.", digest=digest)]
    return [
        h.h2[tr("Version {version}", version=view.plan.version)],
        h.p[trm("Hash {digest}, as in the entries of the ledger.", digest=digest)],
        guarantee_section(view.plan),
        h.pre(".charter", tabindex="0")[charter_yaml(view.plan)],
    ]


def _act(d: Decision) -> Node:
    return trm(
        "{time}: {sentence}; by {author}, {signature}; entry at standing {standing}; hash {digest}",
        time=stamp(d.at),
        sentence=sentence(d),
        author=d.author or "?",
        signature=tr("signed by key {key}", key=d.signed) if d.signed else tr("not signed"),
        standing=d.standing,
        digest=h.code[d.charter],
    )
