"""Codes of an annual report in plain words: the groups of its figures, and the codes in its definitions."""

from __future__ import annotations

import re
from collections.abc import Callable

import htpy as h
from htpy import Node

from monitor.projections.detector_words import detector_words
from monitor.projections.wording import plain
from monitor.public_record.documents.charter_words import clause_words
from monitor.public_record.documents.words import (
    CHANGES,
    OWED_BY,
    REASON_WORDS,
    STATES,
    reason_words,
    said_or,
    state_words,
)
from monitor.public_record.measures import MEASURES
from monitor.translation import mark, tr

NAMES = {
    "authority": mark("authority"), "change": mark("change"), "class": mark("class"), "clause": mark("clause"),
    "decision": mark("decision"), "detector": mark("detector"), "direction": mark("direction"), "duty": mark("duty"),
    "field": mark("part"), "firm": mark("firm"), "indicator": mark("indicator"),
    "indicator or rule": mark("indicator or rule"), "kind": mark("kind"), "lacks": mark("lacks"),
    "outcome": mark("outcome"), "owed by": mark("owed by"), "pilot": mark("pilot"), "reason": mark("reason"),
    "region": mark("region"), "result": mark("result"), "rule": mark("rule"), "sector": mark("sector"),
    "segment": mark("segment"), "started by": mark("started by"), "state": mark("state"), "step": mark("step"),
    "tier": mark("tier"), "who": mark("who"),
}  # fmt: skip
"""Dimension -> its name."""
UNITS = {"days": mark("days"), "complaints": mark("complaints"), "reports": mark("reports"),
         "halts": mark("halts")}  # fmt: skip
GROUPS = {
    "acknowledgement": mark("acknowledgement"), "verified stop": mark("verified stop"),
    "person": mark("person"), "machine": mark("monitor"),
    "raised": mark("raised"), "lowered": mark("lowered"), "unchanged": mark("unchanged"),
    "in time": mark("in time"), "overdue": mark("overdue"), "open": mark("open"), "cleared": mark("went quiet"),
    "overridden": mark("overridden by an officer"), "released": mark("released with a halt"),
    "filed": mark("received"), "answered": mark("answered"), "withdrawn": mark("withdrawn"),
    "users who left": mark("users who left"), "redress given": mark("redress given"),
    "redress refused": mark("redress refused"), "redress asked": mark("redress asked for"),
    "serious_incident": mark("serious incident"), "application": mark("application"), "exit": mark("exit"),
    "suspension": mark("suspension"), "assessment_set": mark("assessment"), "inspection_set": mark("inspection"),
    "drill_set": mark("drill"), "finding": mark("finding of an inspection"), "complaint": mark("complaint"),
    "death": mark("death"), "serious_injury": mark("serious injury"), "injury": mark("injury"),
    "critical_infrastructure": mark("critical infrastructure"), "fundamental_rights": mark("fundamental rights"),
    "property_or_environment": mark("property or environment"),
    "widespread_infringement": mark("widespread infringement"), "not serious": mark("not serious"),
    "continue": mark("continue"), "scale": mark("scale"), "stop": mark("stop"), "terminated": mark("terminated"),
    "minimal": mark("minimal"), "limited": mark("limited"), "high": mark("high"), "critical": mark("critical"),
}  # fmt: skip
"""Group -> plain words, in dimensions other than reasons, states, changes and detectors."""
_CODES = {
    "alpha": mark("alpha"), "complaint_rate": mark("complaint rate"),
    "complaints_outside": mark("complaints from outside the firm"), "in time": mark("in time"),
    "machine": mark("monitor"), "none stated": mark("not stated"), "open": mark("open"),
    "overdue": mark("overdue"), "person": mark("person"),
}  # fmt: skip


def group_words(dimension: str, group: str) -> Node:
    """A group of a figure in plain words; names of pilots, firms, indicators and rules as they are."""
    if not group:
        return "–"
    found = _BY_DIMENSION.get(dimension)
    if found is not None:
        return found(group)
    if group in GROUPS:
        return tr(GROUPS[group])
    return said_or(group)


def _name(group: str) -> Node:
    return plain(group)


def _change(group: str) -> Node:
    return tr(CHANGES[group]) if group in CHANGES else plain(group)


def _step(group: str) -> Node:
    return tr(GROUPS[group]) if group in GROUPS else reason_words(group)


def _ground(group: str) -> Node:
    return reason_words(group) if group in REASON_WORDS else detector_words(group)


_BY_DIMENSION: dict[str, Callable[[str], Node]] = {
    "decision": reason_words,
    "reason": reason_words,
    "duty": reason_words,
    "step": _step,
    "state": state_words,
    "change": _change,
    "owed by": lambda one: tr(OWED_BY[one]) if one in OWED_BY else one,
    "detector": detector_words,
    "clause": clause_words,
    "field": lambda one: h.code[one],
    "indicator or rule": _ground,
    "indicator": _name,
    "rule": _name,
    "pilot": lambda one: h.span(".t")[one],
}


def definition_words(definition: str) -> Node:
    """A definition in the language that is spoken, with the names of reasons, states and measures in place of codes."""
    said = tr(definition)
    said = said[0].upper() + said[1:]
    parts = re.split(r"`([^`]*)`", said)
    return [_code(part) if place % 2 else part for place, part in enumerate(parts)]


def _code(name: str) -> Node:
    if name in MEASURES:
        return h.a(href=f"#{name}")[tr(MEASURES[name][0])]
    if name in _CODES:
        return f"“{tr(_CODES[name])}”"
    if name in REASON_WORDS:
        return f"“{reason_words(name)}”"
    if name in STATES:
        return f"“{state_words(name)}”"
    if any(one.startswith(f"{name}.") for one in MEASURES):
        return tr(MEASURES[next(one for one in MEASURES if one.startswith(f"{name}."))][0])
    return h.code[name]
