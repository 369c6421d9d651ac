"""What became of the alarms of each detector: cleared by quiet periods, overridden by an officer, released. Pure."""

from __future__ import annotations

from monitor.public_record.figures import Collector
from monitor.public_record.pilot import Json, PilotRecord

ALARMS = frozenset({
    "limit_exceeded", "limit_half_way", "limit_tolerated", "change_detected", "drift_suspected", "gauge_out_of_range",
    "late_share",
})  # fmt: skip
"""Reasons of decisions with a finding of a detector."""


def count_alarms(into: Collector, pilot: PilotRecord, since: int, until: int) -> None:
    """Count the alarms of the year by indicator, detector and result, and name what was only ever overridden later."""
    for record, result in alarms(pilot, until):
        if since <= record["at"] < until:
            finding = record["finding"]
            into.count("detectors.alarms", record, finding["indicator"], finding["rule"], result)


def alarms(pilot: PilotRecord, until: int) -> list[tuple[Json, str]]:
    """Each alarm before `until` (ms), with its result."""
    found: list[tuple[Json, str]] = []
    active: dict[tuple[str, str, str], list[Json]] = {}

    def settle(result: str, keys: list[tuple[str, str, str]]) -> None:
        for key in keys:
            found.extend((record, result) for record in active.pop(key, ()))

    for record in pilot.records:
        if record["at"] >= until:
            break
        finding, reason = record["finding"], record["reason"]
        key = (str(finding["indicator"]), str(finding["segment"]), str(finding["rule"]))
        if reason in ALARMS and key[0]:
            active.setdefault(key, []).append(record)
        elif reason == "cleared":
            settle("cleared", [key])
        elif reason == "released":
            settle("released", list(active))
        elif reason == "overridden" and record["level"] < record["was"]:
            settle("overridden", list(active))
        elif reason == "shelved":
            settle("overridden", [one for one in active if "/".join(one) == finding["rule"]])
        elif reason == "level_accepted":
            settle("overridden", [one for one in active if one[0] == finding["indicator"]])
    settle("open", list(active))
    return sorted(found, key=lambda one: one[0]["standing"])
