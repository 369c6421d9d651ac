"""Classes of firms, measures and grounds in words, and how a class follows: parts of the pages of firms."""

from __future__ import annotations

from collections.abc import Iterable

import htpy as h
from htpy import Node

from monitor.console.parts import Column, Row, folded, none, table
from monitor.firms.classes import Ground
from monitor.firms.rules import FirmRules, RulesReference
from monitor.projections.firm_words import CLASSES, MEASURES, REASONS, class_name, counted_words, interval_words
from monitor.projections.formats import figure
from monitor.translation import mark, tr

EXPLAINED = mark(
    "Each measure is compared with its limits through an exact interval of its true value (Garwood 1936 for numbers "
    "per pilot-year, Clopper and Pearson 1934 for shares): A or B if even the upper end is below the limit of that "
    "class, C or D if even the lower end is above the limit of B or C; else the record does not tell. The worst "
    "measure gives the class. A short record gives neither a good class nor, from one event, a bad one."
)
CONFIDENCE = mark(
    "A firm whose true value of some measure is above the limit of B gets class B or better with a probability of at "
    "most {good}; a firm that keeps all limits of B gets C or D with a probability of at most {bad}. Both hold at one "
    "look, for independent events."
)


def class_badge(gives: str) -> h.Element:
    """A class, set off from the text."""
    return h.span(class_=f"class-badge class-{gives if gives in CLASSES else 'other'}")[class_name(gives)]


def grounds_table(grounds: Iterable[Ground], caption: str) -> h.Element:
    """What each measure gives: its events over the exposure, the interval of its true value, the limit that decided."""
    columns = (
        Column(tr("Measure"), kind="name"),
        Column(tr("Counted")),
        Column(tr("Interval of the true value"), tr("Interval")),
        Column(tr("Limit"), kind="number"),
        Column(tr("Gives")),
        Column(tr("Why"), kind="why"),
    )
    return table(caption, columns, map(_ground, grounds), "grounds")


def _ground(one: Ground) -> Row:
    reason = tr(REASONS[one.reason])
    if one.measure is None:
        cells: tuple[Node, ...] = (tr("Pilots"), figure(one.events), none(), _limit(one), class_name(one.gives), reason)
        return Row(cells)
    return Row(
        (tr(MEASURES[one.measure]), counted_words(one), interval_words(one), _limit(one), class_name(one.gives), reason)
    )


def _limit(one: Ground) -> Node:
    return none() if one.limit is None else figure(one.limit)


def rules_section(rules: FirmRules | None, reference: RulesReference | None) -> Node:
    """How a class follows from a record: the explanation, the confidence, and the limits by class."""
    name = ""
    if reference is not None:
        name = tr("Rules in force: {id}, version {version}.", id=reference.id, version=reference.version)
    said = [h.p[tr(EXPLAINED)], h.p[name] if name else h.p[tr("The sandbox has no rules for classes of firms.")]]
    if rules is None:
        return folded(tr("How a class follows from a record"), said, "rules")
    error = figure((1 - rules.confidence) / 2)
    columns = (Column(tr("Measure"), kind="name"), *(Column(f"≤ {one}", kind="number") for one in "ABC"))
    rows = (Row((tr(MEASURES[one]), *map(figure, (at.A, at.B, at.C)))) for one, at in rules.limits.items())
    caption = tr("The highest value of each measure in classes A, B and C, per pilot-year or as a share; above C is D")
    enough = tr(
        "A class needs {pilots} pilots; fewer than {years} years of operation count as {years}.",
        pilots=rules.enough.pilots, years=figure(rules.enough.years),
    )  # fmt: skip
    said += [h.p[tr(CONFIDENCE, good=error, bad=error)], h.p[enough], table(caption, columns, rows, "grounds")]
    return folded(tr("How a class follows from a record"), said, "rules")
