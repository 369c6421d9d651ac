"""Telemetry: every event type a pilot's service may send, as one tagged union of CloudEvents 1.0.

The attributes are CloudEvents'; `sequence` is its registered extension (a zero-padded decimal string that rises by one
per `source`), `subject` is the pilot. The payload stands in `data`, together with `model`, the digest of the model that
was serving. No free text and no direct identifiers: ids are pseudonymous.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
Name: TypeAlias = Annotated[str, Meta(max_length=200)]
Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]
# The form of a sequence number is held by `monitor/validate/parse.py`: a pattern here would cost half of what decoding
# does.
SEQUENCE_FORM = r"^0{0,2}[0-9]{1,18}$"
Sequence: TypeAlias = Annotated[str, Meta(extra_json_schema={"pattern": SEQUENCE_FORM})]
Tally: TypeAlias = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Amount: TypeAlias = Annotated[float, Meta(ge=0, le=1e15)]
Taken: TypeAlias = Annotated[float, Meta(ge=-1e15, lt=0)]
TakenBack: TypeAlias = Annotated[int, Meta(ge=-1_000_000_000, le=0)]
Gain: TypeAlias = Annotated[float, Meta(ge=-10, le=1)]  # at most all effort is saved; 20 would be a percentage


class Severity(StrEnum):
    """How grave an occurrence is. `serious_incident` is exactly Art. 3(49) of the EU AI Act; the rest are not."""

    NEAR_MISS = "near_miss"
    HAZARD = "hazard"
    INCIDENT = "incident"
    SERIOUS_INCIDENT = "serious_incident"


class Harm(StrEnum):
    """What was harmed. The last six are the limbs of Art. 3(49): (a) death or serious harm to health, (b) critical
    infrastructure, (c) fundamental rights, (d) property or the environment."""

    NONE = "none"
    MINOR_INJURY = "minor_injury"
    SERIOUS_INJURY = "serious_injury"
    DEATH = "death"
    CRITICAL_INFRASTRUCTURE = "critical_infrastructure"
    FUNDAMENTAL_RIGHTS = "fundamental_rights"
    PROPERTY = "property"
    ENVIRONMENT = "environment"


class Envelope(Struct, frozen=True, kw_only=True, tag_field="type", gc=False):
    """CloudEvents attributes shared by all telemetry. `time` is when it happened, with a UTC offset."""

    specversion: Literal["1.0"]
    id: Id
    source: Id
    subject: Id
    time: Instant
    sequence: Sequence
    dataschema: Name = ""


class _Data(Struct, frozen=True, kw_only=True, gc=False):
    model: Name = ""


class ComplaintFiledData(_Data, frozen=True, kw_only=True, gc=False):
    complaint: Id
    segment: Name = ""
    category: Name = ""
    about: Instant | None = None


class ComplaintFiled(Envelope, frozen=True, kw_only=True, tag="sandbox.complaint.filed", gc=False):
    """A complaint was filed at `time`. `about` is when its subject happened, if that is known."""

    data: ComplaintFiledData


class ComplaintClosedData(_Data, frozen=True, kw_only=True, gc=False):
    complaint: Id
    filed: Instant
    segment: Name = ""


class ComplaintResolved(Envelope, frozen=True, kw_only=True, tag="sandbox.complaint.resolved", gc=False):
    """A complaint was resolved at `time`; repeats when it was `filed`."""

    data: ComplaintClosedData


class ComplaintWithdrawn(Envelope, frozen=True, kw_only=True, tag="sandbox.complaint.withdrawn", gc=False):
    """A complaint was withdrawn at `time`; repeats when it was `filed`."""

    data: ComplaintClosedData


class IncidentData(_Data, frozen=True, kw_only=True, gc=False):
    incident: Id
    severity: Severity
    harm: Harm = Harm.NONE
    segment: Name = ""
    aware: Instant | UnsetType = UNSET  # since when the firm knew of it, if that is earlier than the event


class IncidentReported(Envelope, frozen=True, kw_only=True, tag="sandbox.incident.reported", gc=False):
    """An occurrence was reported; `time` is when it occurred."""

    data: IncidentData


class IncidentUpdatedData(IncidentData, frozen=True, kw_only=True, gc=False):
    was: Severity


class IncidentUpdated(Envelope, frozen=True, kw_only=True, tag="sandbox.incident.updated", gc=False):
    """An earlier report is regraded from `was`; `time` is when the incident occurred."""

    data: IncidentUpdatedData


class OutcomesData(_Data, frozen=True, kw_only=True, gc=False):
    tp: Tally
    fp: Tally
    tn: Tally
    fn: Tally
    segment: Name = ""


class OutcomesTallied(Envelope, frozen=True, kw_only=True, tag="sandbox.outcomes.tallied", gc=False):
    """Confusion counts of decisions taken around `time`."""

    data: OutcomesData


class ExposureData(_Data, frozen=True, kw_only=True, gc=False):
    unit: Id
    amount: Amount
    segment: Name = ""


class ExposureTallied(Envelope, frozen=True, kw_only=True, tag="sandbox.exposure.tallied", gc=False):
    """`amount` of exposure in `unit` (users, decisions, hours, miles ...) around `time`."""

    data: ExposureData


class ExposureCorrectedData(_Data, frozen=True, kw_only=True, gc=False):
    unit: Id
    amount: Taken
    segment: Name = ""


class ExposureCorrected(Envelope, frozen=True, kw_only=True, tag="sandbox.exposure.corrected", gc=False):
    """Exposure that was tallied too much is taken back: `amount` below 0, `time` of the tally that was wrong. It counts
    while the period of that time is open, and is recorded."""

    data: ExposureCorrectedData


class OutcomesCorrectedData(_Data, frozen=True, kw_only=True, gc=False):
    tp: TakenBack = 0
    fp: TakenBack = 0
    tn: TakenBack = 0
    fn: TakenBack = 0
    segment: Name = ""


class OutcomesCorrected(Envelope, frozen=True, kw_only=True, tag="sandbox.outcomes.corrected", gc=False):
    """Confusion counts that were tallied too much are taken back: 0 or below, `time` of the tally that was wrong. They
    count while the period of that time is open, and are recorded."""

    data: OutcomesCorrectedData


class CostData(_Data, frozen=True, kw_only=True, gc=False):
    amount: Amount
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]


class CostReported(Envelope, frozen=True, kw_only=True, tag="sandbox.cost.reported", gc=False):
    """Cost of complying with the charter, booked at `time`."""

    data: CostData


class GainData(_Data, frozen=True, kw_only=True, gc=False):
    share: Gain


class GainReported(Envelope, frozen=True, kw_only=True, tag="sandbox.gain.reported", gc=False):
    """Efficiency gained compared with work without the pilot: 0.2 = 20 % less effort; negative = a loss."""

    data: GainData


class ModelData(_Data, frozen=True, kw_only=True, gc=False):
    was: Name = ""


class ModelChanged(Envelope, frozen=True, kw_only=True, tag="sandbox.model.changed", gc=False):
    """From `time` on, `data.model` serves instead of `was`."""

    data: ModelData


class BoundaryData(_Data, frozen=True, kw_only=True, gc=False):
    boundary: Name
    segment: Name = ""


class BoundaryBreached(Envelope, frozen=True, kw_only=True, tag="sandbox.boundary.breached", gc=False):
    """Data was used or passed on across a `boundary` that the charter's `data_boundary` lists; `time` is when."""

    data: BoundaryData


class ItemsData(_Data, frozen=True, kw_only=True, gc=False):
    measure: Id
    marked: Tally
    unmarked: Tally
    segment: Name = ""


class ItemsTallied(Envelope, frozen=True, kw_only=True, tag="sandbox.items.tallied", gc=False):
    """Of the items made around `time` and looked at, `marked` have the property that `measure` names (a label, a harm
    found by a review) and `unmarked` have not."""

    data: ItemsData


class ClaimFiledData(_Data, frozen=True, kw_only=True, gc=False):
    claim: Id
    kind: Id
    segment: Name = ""


class ClaimFiled(Envelope, frozen=True, kw_only=True, tag="sandbox.claim.filed", gc=False):
    """A claim of this `kind` was filed at `time`: a demand that the firm has to answer, such as to take an item down,
    or of a holder of rights."""

    data: ClaimFiledData


class ClaimClosedData(_Data, frozen=True, kw_only=True, gc=False):
    claim: Id
    kind: Id
    filed: Instant
    segment: Name = ""
    withdrawn: bool = False


class ClaimClosed(Envelope, frozen=True, kw_only=True, tag="sandbox.claim.closed", gc=False):
    """A claim was answered at `time` (an item was taken down, the claim was met or refused with reasons), or
    `withdrawn` by who filed it; repeats when it was `filed`."""

    data: ClaimClosedData


class HeartbeatData(_Data, frozen=True, kw_only=True, gc=False):
    nonce: Id
    serving: bool
    exposure: Amount = 0.0


class Heartbeat(Envelope, frozen=True, kw_only=True, tag="sandbox.heartbeat", gc=False):
    """The service is alive. `exposure` is its running counter since the emitter started."""

    data: HeartbeatData


class AcknowledgedData(_Data, frozen=True, kw_only=True, gc=False):
    command: Id
    standing: Tally
    last_decision: Name = ""
    dry_run: bool = False


class CommandAcknowledged(Envelope, frozen=True, kw_only=True, tag="sandbox.command.acknowledged", gc=False):
    """The service has read `command` and, if it is a halt, has stopped: no work is pending, and earlier counts were
    reported before. `last_decision` names the last decision it served. Each emitter incarnation acknowledges for
    itself.
    """

    data: AcknowledgedData


Event: TypeAlias = (
    ComplaintFiled
    | ComplaintResolved
    | ComplaintWithdrawn
    | IncidentReported
    | IncidentUpdated
    | OutcomesTallied
    | OutcomesCorrected
    | ExposureTallied
    | ExposureCorrected
    | CostReported
    | GainReported
    | ModelChanged
    | Heartbeat
    | CommandAcknowledged
    | BoundaryBreached
    | ItemsTallied
    | ClaimFiled
    | ClaimClosed
)

EVENT_TYPES: dict[str, type[Envelope]] = {str(t.__struct_config__.tag): t for t in get_args(Event)}


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = 253_370_764_800_000  # 9999-01-01: a year below the limit of a datetime, so that a span can be added


def millis(time: datetime) -> int:
    """Milliseconds since 1970-01-01T00:00Z, rounded down: the unit of every time inside the monitor.

    >>> millis(datetime.fromisoformat("2023-10-24T00:00:00.001+00:00"))
    1698105600001
    """
    since = time - EPOCH
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def instant(ms: int) -> datetime:
    """Milliseconds since 1970 as a datetime, clipped to 1970 and to `LAST_MS`.

    >>> instant(1698105600001).isoformat(timespec="milliseconds"), instant(-1).year, instant(LAST_MS + 1).year
    ('2023-10-24T00:00:00.001+00:00', 1970, 9999)
    """
    return EPOCH + timedelta(milliseconds=min(max(ms, 0), LAST_MS))


def event_type(event: Envelope) -> str:
    """The CloudEvents `type` of an event."""
    return str(event.__struct_config__.tag)


def encode(event: Envelope) -> bytes:
    """One event as structured CloudEvents JSON."""
    return msgspec.json.encode(event)
