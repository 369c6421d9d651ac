"""Classes of firms, measures, grounds and the numbers of a record in words; pages and command line share them. Pure."""

from __future__ import annotations

from monitor.firms.classes import ClassReason, Ground
from monitor.firms.rules import FirmClass, Measure
from monitor.projections.formats import figure
from monitor.translation import mark, tr

CLASSES: dict[str, str] = {
    FirmClass.A: mark("A"), FirmClass.B: mark("B"), FirmClass.NOT_ENOUGH: mark("not enough record"),
    FirmClass.C: mark("C"), FirmClass.D: mark("D"),
}  # fmt: skip
MEASURES: dict[Measure, str] = {
    Measure.HALTS: mark("Halts"),
    Measure.STOPS_OVERDUE: mark("Halts that the service did not show to obey in time"),
    Measure.CONTRADICTIONS: mark("Halts that the service contradicted"),
    Measure.CONFLICTS: mark("Two events of a source under one number"),
    Measure.CLOCKS_MISSED: mark("Missed legal deadlines"),
    Measure.RECTIFICATIONS_LATE: mark("Corrective actions that were late"),
    Measure.REFUSALS: mark("Refused applications, changes and requests"),
    Measure.LATE_SHARE: mark("Share of observations revised after their period had closed"),
}
REASONS: dict[ClassReason, str] = {
    ClassReason.SHOWN_BELOW: mark("shown to be at most the limit of the class"),
    ClassReason.SHOWN_ABOVE: mark("shown to be above the limit of the better class"),
    ClassReason.UNDECIDED: mark("the record is too short to tell on which side of the limit it is"),
    ClassReason.TOO_FEW_PILOTS: mark("fewer pilots than a class needs"),
    ClassReason.TRUNCATED: mark("the firm has more pilots than a record holds"),
}
AGAINST: dict[str, str] = {
    "halts": mark("halts"),
    "stops_overdue": mark("stops overdue"),
    "contradictions": mark("contradictions"),
    "conflicts": mark("conflicts"),
    "clocks_missed": mark("clocks missed"),
    "rectifications_late": mark("rectifications late"),
    "refusals": mark("refusals"),
}
"""The fields of a record that count against a firm."""
RECORD: dict[str, str] = {
    "applications": mark("applications"),
    **AGAINST,
    "halts_stopped": mark("halts stopped"),
    "halts_released": mark("halts released"),
    "halts_standing": mark("halts standing"),
    "clocks_met": mark("clocks met"),
    "rectifications_in_time": mark("rectifications in time"),
    "rectifications_open": mark("rectifications open"),
    "observations": mark("observations"),
    "observations_late": mark("observations late"),
    "complaints": mark("complaints"),
    "guidance_asked": mark("guidance asked"),
    "guidance_given": mark("guidance given"),
    "guidance_followed": mark("guidance followed"),
    "annulled": mark("annulled"),
}
"""The numbers of a record that are listed, by field."""


def class_name(gives: str) -> str:
    """A class in the language that is spoken."""
    return tr(CLASSES[gives]) if gives in CLASSES else gives.replace("_", " ")


def counted_words(one: Ground) -> str:
    """What a measure counted, over its exposure."""
    exposure = figure(one.exposure or 0)
    if one.measure is Measure.LATE_SHARE:
        return tr("{n} of {all} observations", n=figure(one.events), all=exposure)
    return tr("{n} in {years} pilot-years", n=figure(one.events), years=exposure)


def interval_words(one: Ground) -> str:
    """The interval of the true value of a measure."""
    low, high = figure(one.lower or 0), tr("any number") if one.upper is None else figure(one.upper)
    if one.measure is Measure.LATE_SHARE:
        return tr("{low} to {high}", low=low, high=high)
    return tr("{low} to {high} per pilot-year", low=low, high=high)


def ground_line(one: Ground) -> str:
    """A ground in one line, as `ground_words` in `monitor/firms/classes.py`, which writes what is recorded."""
    why = tr(REASONS[one.reason])
    if one.measure is None:
        return tr("{n} pilots: {why}", n=figure(one.events), why=why)
    return tr(
        "{measure}: {counted}, {interval}; limit {limit}: {why}",
        measure=tr(MEASURES[one.measure]), counted=counted_words(one), interval=interval_words(one),
        limit=figure(one.limit or 0), why=why,
    )  # fmt: skip
