"""The validate stage: bytes in, events or rejections out. Bad input is rejected with its reason and never raises. Pure.

A record holds one event (structured JSON, or binary mode with `ce_*` headers) or a JSON batch of them. A bad event of
a batch is rejected separately, with its index. Checks that need no state are made here; those that need the state of a
partition (admission, ownership, duplicates) are made by the machine, with the same closed list of reasons.

The usual case, a good record, costs one decode and one short loop. Only a record with a mistake is split into its
events. The result depends on the record alone: nesting depth is bounded by a constant and not by the interpreter's
stack, so a replay elsewhere rejects the same events.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy
from msgspec import structs

from monitor.charter.control import ControlBase
from monitor.lifecycle.sandbox_acts import AnyAct
from monitor.model.event_ids import TAKE_EFFECT, ids_well_formed, malformed_id, with_digests
from monitor.model.events import (
    EVENT_TYPES,
    SEQUENCE_FORM,
    ClaimClosed,
    ComplaintResolved,
    ComplaintWithdrawn,
    Envelope,
    Event,
    Name,
    instant,
)
from monitor.model.lenient import is_utf16, without_bom, without_leap_seconds
from monitor.model.pseudonyms import is_id
from monitor.model.records import Record, Rejected, UnreadableRecords
from monitor.validate.grouped import RejectedEvents
from monitor.validate.nesting import BLANK, Elements, split, too_deep
from monitor.validate.rejections import (
    ACTS,
    ATTRIBUTES,
    MAX_EVENTS,
    UTF16,
    Rejecter,
    RejectionReason,
    broken,
    explain_decode_error,
    unreadable,
)
from monitor.validate.rejections import MAX_BYTES as MAX_BYTES
from monitor.validate.rejections import MAX_DEPTH as MAX_DEPTH

LONG = 4096  # bytes from which on numpy counts faster, up to 2.5 times
AHEAD = timedelta(minutes=5)  # how far an event's time may be after its reception: clocks differ
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)  # a clock that was never set shows 1970


class Judged(NamedTuple):
    """The good events of one record, the place of each in the record, and the other events of it."""

    events: list[Event]
    places: Sequence[int]
    rejected: RejectedEvents


class Validated(NamedTuple):
    """The good events of one record, the place of each in the record, and what was rejected."""

    events: list[Event]
    places: Sequence[int]
    rejected: list[Rejected]


def validate(record: Record, topic: str, partition: int, *, secret: bytes) -> Validated:
    """Validate one telemetry record. Never raises; `events` and `rejected` together cover every event in it. What
    takes effect in spite of a malformed id is in both.

    A record that cannot be split into events (no value, too large, unbalanced brackets) is one rejection at index 0.
    """
    events, places, rejected = judge(record)
    return Validated(events, places, rejected.rejections(topic, partition, secret) if rejected else [])


def judge(record: Record) -> Judged:
    """The same, with rejected events that those of later stages can be added to."""
    mode = mode_of(record)
    rejected = RejectedEvents(record)
    if record.value and len(record.value) <= MAX_BYTES and mode in ("single", "batch"):
        events = whole(record.value, mode == "batch")
        if events is not None and _numbered(events) and _in_order(events, record):
            return Judged(events, range(len(events)), rejected)
    return _apart(record, mode, rejected)


def validate_control(record: Record, topic: str, partition: int, *, secret: bytes) -> ControlBase | Rejected:
    """Validate one control record (one JSON object, key = pilot). Never raises."""
    reject = Rejecter(record, topic, partition, secret)
    if isinstance(record, UnreadableRecords):
        return reject(*unreadable(record), count=record.next - record.offset)
    value = without_bom(record.value or b"")
    found = _unreadable(value)
    if found:
        return reject(found)
    if too_deep(value):
        return reject(RejectionReason.TOO_DEEP)
    try:
        act: ControlBase = _control.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return reject(*explain_decode_error(error, value, ACTS), pilot=_pilot_of(value, _of_act))
    if record.key is not None and act.pilot != record.key.decode("utf-8", "surrogateescape"):
        return reject(RejectionReason.KEY_MISMATCH, "pilot", pilot=act.pilot)
    if not is_id(act.id):
        return reject(RejectionReason.NOT_AN_ID, "id", pilot=act.pilot)
    return act


# The usual case
# --------------------------------------------------------------------------------------------------------

_events = msgspec.json.Decoder(list[Event])
_event = msgspec.json.Decoder(Event)
_control = msgspec.json.Decoder(AnyAct)


def whole(value: bytes, batch: bool) -> list[Event] | None:
    """The events of a value when all of them are well formed and none can be nested too deep, else `None`."""
    try:
        events = _events.decode(value) if batch else [_event.decode(value)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    fine = len(events) <= MAX_EVENTS and flat(value, len(events)) and ids_well_formed(value, events)
    return events if fine else None


def flat(value: bytes, events: int) -> bool:
    """Whether none of so many events can be nested too deep. False when uncertain: `_one` then counts the brackets."""
    # Only skipped fields can nest. Every event opens two objects; so few further brackets cannot nest deeply.
    opened = _count(value, b"{") - 2 * events + (_count(value, b"[") if value.find(b"[", 1) > 0 else 0)
    return opened < MAX_DEPTH - 2


def _count(value: bytes, mark: bytes) -> int:
    """How often a byte occurs in it."""
    if len(value) < LONG:
        return value.count(mark)
    return int(numpy.count_nonzero(numpy.frombuffer(value, numpy.uint8) == mark[0]))


def _numbered(events: list[Event]) -> bool:
    """Whether every sequence is 1 to 18 digits. False when uncertain: `_one` then checks the form."""
    numbers = [event.sequence for event in events]
    digits = "".join(numbers) or "0"
    return digits.isdigit() and digits.isascii() and all(numbers) and len(max(numbers, key=len, default="")) <= 18


def _in_order(events: list[Event], record: Record) -> bool:
    """Whether times and key are valid for all events."""
    bound = latest(record.received)
    key = None if record.key is None else record.key.decode("utf-8", "surrogateescape")
    for event in events:
        if not OLDEST <= event.time <= bound or (key is not None and event.subject != key):
            return False
        kind = type(event)  # per event; isinstance of a pair costs three times as much
        if (kind is ComplaintResolved or kind is ComplaintWithdrawn or kind is ClaimClosed) and not (
            OLDEST <= event.data.filed <= event.time  # type: ignore[union-attr]
        ):
            return False
    return True


_CLOSING = (ComplaintResolved, ComplaintWithdrawn, ClaimClosed)


def latest(received: int) -> datetime:
    """The latest `time` that an event received at `received` (ms) may have."""
    return instant(received) + AHEAD


# Event by event
# -----------------------------------------------------------------------------------------------------------


def _apart(record: Record, mode: str, rejected: RejectedEvents) -> Judged:
    """Validate each event of a record separately."""
    if isinstance(record, UnreadableRecords):
        rejected.add(*unreadable(record), count=record.next - record.offset)
        return Judged([], [], rejected)
    parts = _parts(record, mode)
    if not isinstance(parts, Elements):
        rejected.add(*parts)
        return Judged([], [], rejected)
    bound = latest(record.received)
    key = None if record.key is None else record.key.decode("utf-8", "surrogateescape")
    events: list[Event] = []
    places: list[int] = []
    for index, part in enumerate(parts.parts):
        good = (RejectionReason.TOO_DEEP, "", "") if index in parts.deep else _one(part, bound, key)
        if isinstance(good, Envelope):
            if field := malformed_id(good):
                rejected.add(RejectionReason.NOT_AN_ID, field, index=index, pilot=good.subject)
                if not isinstance(good, TAKE_EFFECT):
                    continue
                good = with_digests(good)
            events.append(good)
            places.append(index)
        else:
            pilot = "" if good[0] is RejectionReason.TOO_DEEP else _pilot_of(part, _of_event)
            rejected.add(*good, index=index, pilot=pilot)
    return Judged(events, places, rejected)


def _parts(record: Record, mode: str) -> Elements | tuple[RejectionReason, str, str]:
    """The events of a record as bytes; (reason, field, detail) when it cannot be split into events."""
    value = without_bom(record.value or b"")
    if (why := _unreadable(value)) is not None:
        return why, "", ""
    if is_utf16(value):
        return RejectionReason.NOT_UTF8, "", UTF16
    if record.value != value:
        mode = mode_of(structs.replace(record, value=value))
    if mode == "unknown":
        return RejectionReason.UNKNOWN_CONTENT_TYPE, "content-type", ""
    if mode == "binary":
        whole = _structured(record, value)
        return _alone(whole) if isinstance(whole, bytes) else whole
    if mode == "batch":
        found = split(value) if _ARRAY.match(value) else RejectionReason.NOT_AN_ARRAY
        return (found, "", "") if isinstance(found, RejectionReason) else found
    return _alone(value)


def _alone(event: bytes) -> Elements:
    """A record of one event."""
    return Elements([event], frozenset({0} if too_deep(event) else ()))


def _strictly(kind: type[Envelope]) -> type[msgspec.Struct]:
    """The same event type with the form of its sequence as a constraint."""
    form = Annotated[str, msgspec.Meta(pattern=SEQUENCE_FORM)]
    fields = [
        (f.encode_name, form if f.name == "sequence" else f.type, *([] if f.required else [f.default]))
        for f in msgspec.structs.fields(kind)
    ]
    return msgspec.defstruct(
        kind.__name__, fields, frozen=True, kw_only=True, tag_field="type", tag=kind.__struct_config__.tag
    )


_strict = msgspec.json.Decoder(reduce(or_, [_strictly(kind) for kind in EVENT_TYPES.values()]))


def _one(part: bytes, bound: datetime, key: str | None) -> Event | tuple[RejectionReason, str, str]:
    """One event that is not nested too deep, or (reason, field, detail)."""
    try:
        _strict.decode(part)
        event: Event = _event.decode(part)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        why = explain_decode_error(error, part)
        mended = without_leap_seconds(part) if why[0] is RejectionReason.BAD_TIME else part
        return why if mended == part else _one(mended, bound, key)
    times = [("time", event.time)]
    if isinstance(event, _CLOSING):
        times.append(("data.filed", event.data.filed))
    for field, at in times:
        if at < OLDEST:
            return RejectionReason.TIME_BEFORE_2000, field, ""
        if at > bound:
            return RejectionReason.TIME_IN_FUTURE, field, ""
    if isinstance(event, _CLOSING) and event.data.filed > event.time:
        return RejectionReason.CLOSED_BEFORE_FILED, "data.filed", ""
    if key is not None and event.subject != key:
        return RejectionReason.KEY_MISMATCH, "subject", ""
    return event


def _unreadable(value: bytes | None) -> RejectionReason | None:
    if not value:
        return RejectionReason.EMPTY_VALUE
    return RejectionReason.TOO_LARGE if len(value) > MAX_BYTES else None


_ARRAY = re.compile(rb"[%b]*\[" % BLANK)


def mode_of(record: Record) -> str:
    """`single`, `batch`, `binary` or `unknown`: by `content-type`, else by `ce_*` headers, else by the first byte."""
    content, attributes = b"", False
    for name, text in record.headers:
        if name.lower() == "content-type":
            content = (text or b"").split(b";")[0].strip().lower()
        elif name.startswith("ce_"):
            attributes = True
    if content.startswith(b"application/cloudevents"):
        return {
            b"application/cloudevents+json": "single",
            b"application/cloudevents-batch+json": "batch",
        }.get(content, "unknown")
    if attributes:
        return "binary" if content in (b"", b"application/json") or content.endswith(b"+json") else "unknown"
    return "batch" if _ARRAY.match(record.value or b"") else "single"


def _structured(record: Record, value: bytes) -> bytes | tuple[RejectionReason, str, str]:
    """A binary-mode record as a structured event."""
    if too_deep(value, MAX_DEPTH - 1):
        return RejectionReason.TOO_DEEP, "data", ""
    if not _well_formed(value):  # otherwise the value could close `data` and add attributes
        why, field, detail = broken(value)
        return why, field or "data", detail
    attributes: dict[str, Any] = {}
    for name, text in record.headers:
        attribute = name.removeprefix("ce_")
        if name.startswith("ce_") and attribute in ATTRIBUTES:
            try:
                attributes[attribute] = (text or b"").decode()
            except UnicodeDecodeError:
                return RejectionReason.NOT_UTF8, attribute, ""
    attributes["data"] = msgspec.Raw(value)
    return msgspec.json.encode(attributes)


def _well_formed(value: bytes) -> bool:
    """Whether it is one JSON value. The caller has bounded its depth."""
    try:
        msgspec.json.decode(value, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


class _OfEvent(msgspec.Struct):
    pilot: Name = msgspec.field(name="subject", default="")


class _OfAct(msgspec.Struct):
    pilot: Name = ""


_of_event = msgspec.json.Decoder(_OfEvent)
_of_act = msgspec.json.Decoder(_OfAct)


def _pilot_of(bad: bytes, reader: msgspec.json.Decoder[_OfEvent] | msgspec.json.Decoder[_OfAct]) -> str:
    """The pilot that a bad event or act names, if it can be read, so that its sender can find the rejection: by HTTP a
    record has no key that names the pilot."""
    try:
        return reader.decode(bad).pilot
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
