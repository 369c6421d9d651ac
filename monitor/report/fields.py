"""The fields of written proof and exit report, in one table each: number, title, basis, and where it comes from.

The basis is the draft implementing act on sandboxes under the EU AI Act (December 2025), which was not adopted when
this was written, and Art. 57 of the act. To follow another text, change these tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from msgspec import Struct

from monitor.report.stay import Json, Number, Stay, number
from monitor.translation import mark

INSTANT = "ms since 1970"
CONDITIONS = mark("Conditions of the plan")

Rows: TypeAlias = Sequence[tuple[str, Number]]

STREAM_FIELDS: tuple[tuple[str, str, str, float | None], ...] = (
    ("events", mark("events in complete periods"), "", 0.0),
    ("exposure", mark("exposure"), "unit", 0.0),
    ("complete", mark("complete periods"), "", 0),
    ("partial", mark("incomplete periods"), "", 0),
    ("extra", mark("events of incomplete periods, or late"), "", 0.0),
    ("rate", mark("rate"), "", None),
    ("low", mark("lower bound, valid at all times"), "", None),
    ("high", mark("upper bound, valid at all times"), "", None),
    ("limit", mark("limit"), "", None),
    ("power", mark("power reached"), "", None),
    ("asked", mark("power declared"), "", None),
)
"""Of each stream: field of the assessment, words, unit (`unit`: that of the exposure), value where it is left out."""

PILOT_FIELDS: tuple[tuple[str, str, str], ...] = (
    ("quiet", mark("time without a finding at level escalate"), "ms"),
    ("halts", mark("halts"), ""),
    ("active", mark("active findings"), ""),
    ("rectifications", mark("open corrective actions"), ""),
    ("clocks_running", mark("legal deadlines running"), ""),
    ("clocks_met", mark("legal deadlines met"), ""),
    ("clocks_missed", mark("legal deadlines missed"), ""),
    ("late_events", mark("events too late to count"), ""),
    ("complaints", mark("complaints in closed periods, of the firm and of reporters"), ""),
    ("complaints_outside", mark("complaints of users outside the firm, and of reporters"), ""),
    ("complaints_inside", mark("complaints that the firm reported"), ""),
)
"""Of the pilot: field of the assessment, words, unit. Each is 0 where it is left out."""


class Field(Struct, frozen=True):
    """One field of a document."""

    number: str
    title: str
    basis: str
    rows: Callable[[Stay], Rows]


def _outcome(stay: Stay) -> Rows:
    found = stay.exit
    if found is None:
        return ()
    rows = [(mark("exit recorded"), number(found, "/at", INSTANT))]
    said = found["finding"].get("content") or {}
    named = [name for name in (mark("outcome"), mark("advised")) if name in said]
    return [*rows, *((name, number(found, f"/finding/content/{name}")) for name in named)]


def _period(stay: Stay) -> Rows:
    admitted = stay.of("admitted")
    rows = [(mark("admitted"), number(admitted[0], "/at", INSTANT))] if admitted else []
    return [*rows, *_outcome(stay)[:1]]


def _activities(stay: Stay) -> Rows:
    return [
        (mark("amendments of the charter"), stay.count("amended")),
        (mark("changes registered"), stay.count("change_registered")),
        (mark("inspections"), stay.count("inspected")),
        (mark("drills passed"), stay.count("drill_passed")),
        (mark("assessments"), stay.count("assessed")),
        (mark("guidance given"), stay.count("guidance_given")),
    ]


def _streams(stay: Stay) -> Rows:
    found = stay.exit
    rows: list[tuple[str, Number]] = []
    if found is None:
        return rows
    for place, row in enumerate(_assessment(found).get("streams", [])):
        name = "/".join(part for part in (row["indicator"], row.get("segment", "")) if part)
        for field, words, unit, default in STREAM_FIELDS:
            if field in row or default is not None:
                of = row.get("unit", "") if unit == "unit" else unit
                made = number(found, f"/finding/assessment/streams/{place}/{field}", of, default)
                rows.append((f"{name}: {words}", made))
    return rows


def _standing(stay: Stay) -> Rows:
    found = stay.exit
    numbers = {} if found is None else _assessment(found)
    if found is None or not numbers:
        return ()
    return [
        (words, number(found, f"/finding/assessment/{field}", unit, 0))
        for field, words, unit in PILOT_FIELDS
        if field != "complaints" or field in numbers  # without an indicator that counts them it says nothing
    ]


def _conditions(stay: Stay) -> Rows:
    found = stay.exit
    if found is None:
        return ()
    rows = []
    for place, row in enumerate(_assessment(found).get("conditions", [])):
        if "met" in row:
            rows.append((row["condition"], number(found, f"/finding/assessment/conditions/{place}/met")))
    return rows


def _measures(stay: Stay) -> Rows:
    return [
        (mark("findings by limits"), stay.count("limit_exceeded", "limit_tolerated")),
        (mark("findings by hard rules"), stay.count("hard_rule")),
        (mark("halts released"), stay.count("released")),
        (mark("corrective actions"), stay.count("rectification_recorded")),
        (mark("corrective actions overdue"), stay.count("rectification_overdue", "finding_overdue")),
        (mark("suspensions"), stay.count("suspended")),
    ]


def _lessons(stay: Stay) -> Rows:
    found = stay.exit
    if found is None:
        return ()
    count = len(_assessment(found).get("lacks", []))
    return [(f"lacking {place + 1}", number(found, f"/finding/assessment/lacks/{place}")) for place in range(count)]


def _good_faith(stay: Stay) -> Rows:
    return [
        (mark("guidance asked"), stay.count("guidance_asked")),
        (mark("guidance given"), stay.count("guidance_given")),
        (mark("guidance followed, as the firm states"), stay.count("guidance_followed")),
        (mark("corrective actions"), stay.count("rectification_recorded")),
        (mark("corrective actions overdue"), stay.count("rectification_overdue", "finding_overdue")),
        (mark("legal deadlines met"), stay.count("clock_met")),
        (mark("legal deadlines missed"), stay.count("clock_missed")),
        (mark("changes registered before use"), stay.count("change_registered")),
        (mark("models in use that were not registered"), stay.count("unregistered_model", "change_not_registered")),
        (mark("use outside the agreed time"), stay.count("outside_cycle", "used_in_pause")),
        (mark("halts contradicted by telemetry"), stay.count("halt_contradicted")),
    ]


def _assessment(record: Json) -> Json:
    found: Json = record["finding"].get("assessment") or {}
    return found


WRITTEN_PROOF = (
    Field("1", mark("Period of participation"), mark("Art. 57(7)"), _period),
    Field("2", mark("Activities carried out"), mark("Art. 57(7), first sentence"), _activities),
    Field("3", mark("Outcome"), mark("Art. 57(7)"), _outcome),
)

EXIT_REPORT = (
    Field("1", mark("Period of participation"), mark("draft implementing act, exit report"), _period),
    Field("2", mark("Activities carried out"), mark("Art. 57(7), second sentence"), _activities),
    Field("3", mark("Results: indicators against their limits"), mark("Art. 57(7), second sentence"), _streams),
    Field("4", mark("Results: standing, duties and deadlines"), mark("draft implementing act, exit report"), _standing),
    Field("5", CONDITIONS, mark("draft implementing act, exit report"), _conditions),
    Field("6", mark("Risks, incidents and measures"), mark("Art. 57(6) and (11)"), _measures),
    Field("7", mark("Outcome"), mark("Art. 57(7)"), _outcome),
    Field("8", mark("What is lacking for scaling, learning outcomes"), mark("Art. 57(7), second sentence"), _lessons),
)

GOOD_FAITH = (
    Field("1", mark("Guidance and how it was followed"), mark("Art. 57(12)"), _good_faith),
    Field("2", mark("Standing, duties and deadlines at the exit"), mark("Art. 57(12)"), _standing),
)

DOCUMENTS: dict[str, tuple[str, tuple[Field, ...]]] = {
    "written-proof": (mark("Written proof"), WRITTEN_PROOF),
    "exit-report": (mark("Exit report"), EXIT_REPORT),
    "good-faith": (mark("Good-faith pack"), GOOD_FAITH),
}
"""File name -> title and fields."""
