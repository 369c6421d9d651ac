"""The record of a firm over all its pilots, as numbers that its ledgers hold, and its digest. Pure.

`monitor/firms/fold.py` computes it. Every number is an integer, so equal decisions give equal bytes everywhere.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from monitor.model.canonical import canonical
from monitor.model.records import digest

Count: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 53)]

PILOTS = 128  # of one firm; see `FirmFold`
YEAR_MS = 365 * 86_400_000


class Adverse(StrEnum):
    """What counts against a firm, one decision each. Each may be annulled."""

    HALT = "halts"
    STOP_OVERDUE = "stops_overdue"  # a halt that the service did not show to obey in time
    CONTRADICTION = "contradictions"  # active after it had to be stopped
    CONFLICT = "conflicts"  # two events of a source under one number
    CLOCK_MISSED = "clocks_missed"  # a legal deadline that the firm owed
    RECTIFIED_LATE = "rectifications_late"
    REFUSED = "refusals"  # an application, a change or a request of the firm was refused


class PilotPosition(Struct, frozen=True, array_like=True):
    """Up to where a pilot was read: the number of its last decision, and how many observations of its evidence were
    read."""

    pilot: str
    standing: Count
    observations: Count


class FirmRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all pilots of `firm` show, through the decisions and evidence that `positions` name, one for each pilot in
    the order of names; `subject` is the number of the last act on the firm that was read.

    `pilots` were admitted, `open` of them have not left. `operated_ms`: time in operation, of all pilots together,
    without that of halts, of pauses and of missing telemetry; routine supervision counts. `first` and `through` (ms):
    the first admission, and the last decision or end of a period. Of the `halts`, `halts_stopped`
    were shown to be obeyed in time, `halts_released` were released, `halts_standing` stand.
    `observations_late` of `observations` (one indicator and segment in one period) were revised after their period had
    closed. `annulled` decisions count nowhere. `truncated`: the firm has more pilots than a record holds.
    """

    firm: str
    first: Count = 0
    through: Count = 0
    pilots: Count = 0
    open: Count = 0
    operated_ms: Count = 0
    applications: Count = 0
    halts: Count = 0
    halts_stopped: Count = 0
    halts_released: Count = 0
    halts_standing: Count = 0
    stops_overdue: Count = 0
    contradictions: Count = 0
    conflicts: Count = 0
    clocks_met: Count = 0
    clocks_missed: Count = 0
    rectifications_in_time: Count = 0
    rectifications_late: Count = 0
    rectifications_open: Count = 0
    refusals: Count = 0
    observations: Count = 0
    observations_late: Count = 0
    complaints: Count = 0
    guidance_asked: Count = 0
    guidance_given: Count = 0
    guidance_followed: Count = 0
    annulled: Count = 0
    truncated: bool = False
    subject: Count = 0
    positions: Annotated[tuple[PilotPosition, ...], Meta(max_length=PILOTS)] = ()


def record_digest(record: FirmRecord) -> str:
    """A digest of a record: what the act that sets a class names."""
    return digest(canonical(msgspec.to_builtins(record)))
