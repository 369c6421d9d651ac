"""Correct: take back what a firm tallied too much, in open periods only and on record.

A closed period was judged, and a correction could lower what was found there; so it does not count in it. In an open
period it takes back at most what was tallied. Complaints and incidents are never taken back: they have withdrawals and
updates.
"""

from __future__ import annotations

from typing import TypeAlias

from monitor.charter.values import escaped
from monitor.compile.plan import CompiledIndicator
from monitor.decide.context import DecisionContext
from monitor.indicators.base import Slot
from monitor.model.events import (
    Envelope,
    ExposureCorrected,
    ExposureData,
    ExposureTallied,
    OutcomesCorrected,
    OutcomesData,
    OutcomesTallied,
)
from monitor.model.records import Finding

Correction: TypeAlias = ExposureCorrected | OutcomesCorrected
CORRECTIONS = (ExposureCorrected, OutcomesCorrected)
NAMED, SHOWN = 5, 60  # indicators that the record names, and characters of a label


def take_back(context: DecisionContext, event: Correction) -> Finding:
    """Take back what a correction names. Returns what was taken back and where, for the record."""
    tally = _tally(event)
    applied: list[str] = []
    closed: list[str] = []
    for indicator in context.plan.by_type.get(type(tally), ()):
        if indicator.late is None:
            for slot in indicator.implementation.slots(tally, context.at):
                (applied if _taken_back(context, indicator, slot) else closed).append(indicator.name)
    if not applied:
        context.out.uncount("correction")
    return _finding(event, applied, closed)


def _taken_back(context: DecisionContext, indicator: CompiledIndicator, slot: Slot) -> bool:
    """Take back an increment. Returns whether there was an open period to take it from."""
    stream = context.pilot.streams[indicator.keys[slot.segment]]
    opened = stream.open.get(indicator.grid.index(slot.at))
    if opened is None:
        return False
    opened.k = max(0.0, opened.k - slot.k)
    opened.m = max(0.0, opened.m - slot.m)
    return True


def _tally(event: Correction) -> ExposureTallied | OutcomesTallied:
    """The tally that a correction takes back."""
    same = {name: getattr(event, name) for name in Envelope.__struct_fields__}
    if isinstance(event, ExposureCorrected):
        exposure = event.data
        amount = ExposureData(
            model=exposure.model, unit=exposure.unit, amount=-exposure.amount, segment=exposure.segment
        )
        return ExposureTallied(**same, data=amount)
    data = event.data
    counts = OutcomesData(model=data.model, tp=-data.tp, fp=-data.fp, tn=-data.tn, fn=-data.fn, segment=data.segment)
    return OutcomesTallied(**same, data=counts)


def _finding(event: Correction, applied: list[str], closed: list[str]) -> Finding:
    """What was taken back, of when, and where that counted."""
    if isinstance(event, ExposureCorrected):
        rule, amount = "exposure", event.data.amount
        what = f"{amount:g} {escaped(event.data.unit[:SHOWN])}"
    else:
        data = event.data
        rule, amount = "outcomes", float(data.tp + data.fp + data.tn + data.fn)
        what = ", ".join(f"{name} {getattr(data, name)}" for name in ("tp", "fp", "tn", "fn") if getattr(data, name))
    segment = f", segment '{escaped(event.data.segment[:SHOWN])}'" if event.data.segment else ""
    where = f"taken back in {', '.join(applied[:NAMED])}" if applied else "not taken back"
    if closed:
        where += f"; no open period holds it in {', '.join(closed[:NAMED])}"
    detail = f"{what or 'nothing'}{segment} of {event.time.isoformat(timespec='seconds')}: {where}"
    return Finding(rule=rule, observed=amount, detail=detail)
