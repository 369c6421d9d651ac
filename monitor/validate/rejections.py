"""Why input was rejected: the closed list of reasons, each in words with a field and a fix, never repeating a value.

What a firm sends may be personal, so neither bytes nor values come back: only where they stand, and what should be
there.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from enum import StrEnum
from hashlib import blake2b

import msgspec

from monitor.lifecycle.sandbox_acts import ACT_TYPES
from monitor.model.events import EVENT_TYPES, Envelope, Harm, Severity
from monitor.model.lenient import is_utf16
from monitor.model.pseudonyms import FORM
from monitor.model.records import Record, Rejected, UnreadableRecords

MAX_BYTES = 1 << 20  # of one record's value, after decompression
MAX_EVENTS = 5_000  # in one record
MAX_DEPTH = 64  # of nested arrays and objects within one event


class RejectionReason(StrEnum):
    """Why input was rejected: the closed list. `SENTENCES` has a sentence for each."""

    EMPTY_VALUE = "empty_value"
    TOO_LARGE = "too_large"
    UNREADABLE_BATCH = "unreadable_batch"
    TOO_MANY_EVENTS = "too_many_events"
    TOO_DEEP = "too_deep"
    UNKNOWN_CONTENT_TYPE = "unknown_content_type"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_FINITE = "not_finite"
    NOT_AN_OBJECT = "not_an_object"
    NOT_AN_ARRAY = "not_an_array"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_VALUE = "unknown_value"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    WRONG_FORM = "wrong_form"
    NOT_AN_ID = "not_an_id"
    NOT_A_PSEUDONYM = "not_a_pseudonym"
    OUT_OF_RANGE = "out_of_range"
    BAD_TIME = "bad_time"
    TIME_IN_FUTURE = "time_in_future"
    TIME_BEFORE_2000 = "time_before_2000"
    CLOSED_BEFORE_FILED = "closed_before_filed"
    KEY_MISMATCH = "key_mismatch"
    NOT_ADMITTED = "not_admitted"
    NOT_YOURS = "not_yours"
    SEQUENCE_TOO_OLD = "sequence_too_old"
    SOURCE_CONFLICT = "source_conflict"
    AFTER_EXIT = "after_exit"
    BEFORE_ADMISSION = "before_admission"
    NOT_IN_FORCE = "not_in_force"
    FORGED = "forged"
    REPEATED = "repeated"
    CONFLICT = "conflict"
    CONTROL_REFUSED = "control_refused"
    SKIPPED = "skipped"
    STATE_UNREADABLE = "state_unreadable"
    SEVERAL_REASONS = "several_reasons"
    RATE_LIMITED = "rate_limited"


SENTENCES: dict[RejectionReason, str] = {
    RejectionReason.EMPTY_VALUE: "The record has no value.",
    RejectionReason.TOO_LARGE: f"The record's value is larger than {MAX_BYTES:,} bytes after decompression.",
    RejectionReason.UNREADABLE_BATCH: "The record batch does not have the form that Kafka asks for.",
    RejectionReason.TOO_MANY_EVENTS: f"The record packs more than {MAX_EVENTS:,} events.",
    RejectionReason.TOO_DEEP: f"The event nests arrays and objects more than {MAX_DEPTH} deep.",
    RejectionReason.UNKNOWN_CONTENT_TYPE: (
        "The header `content-type` names a format that is not JSON; send application/json, or "
        "application/cloudevents+json for a whole event."
    ),
    RejectionReason.NOT_UTF8: "The bytes are not UTF-8.",
    RejectionReason.NOT_JSON: "The value is not well-formed JSON.",
    RejectionReason.NOT_FINITE: "NaN or Infinity stands where a number is due; JSON has neither.",
    RejectionReason.NOT_AN_OBJECT: "An event must be a JSON object.",
    RejectionReason.NOT_AN_ARRAY: "The header announces a batch, so the value must be a JSON array.",
    RejectionReason.UNKNOWN_TYPE: "The event's `type` is none that is known.",
    RejectionReason.UNKNOWN_VALUE: "The field allows certain words only, and this is none of them.",
    RejectionReason.MISSING_FIELD: "A required field is missing.",
    RejectionReason.WRONG_TYPE: "The field holds another JSON type than it must.",
    RejectionReason.WRONG_FORM: "The text does not have the form that the field asks for.",
    RejectionReason.NOT_AN_ID: (
        "An id holds a character that ids must not hold: write letters, digits and signs such as - _ . : / of ASCII, "
        "no blanks, no @, no names or addresses. An incident or acknowledgement takes effect all the same, with a "
        "digest as id."
    ),
    RejectionReason.NOT_A_PSEUDONYM: (
        f"The charter asks for pseudonyms, and the id has not the form of one: {FORM}. An incident or "
        "acknowledgement takes effect all the same, with a digest as id."
    ),
    RejectionReason.OUT_OF_RANGE: "The number, or the length of the text, is outside its range.",
    RejectionReason.BAD_TIME: "The time is not RFC 3339 with a UTC offset.",
    RejectionReason.TIME_IN_FUTURE: (
        "The time lies more than 5 minutes after the reception of the record; set the sender's clock."
    ),
    RejectionReason.TIME_BEFORE_2000: "The time lies before 2000-01-01, as from a clock that was never set; set it.",
    RejectionReason.CLOSED_BEFORE_FILED: "The complaint is said to have been closed before it was filed.",
    RejectionReason.KEY_MISMATCH: "The record's key is another than the pilot, on whose key order and partition rest.",
    RejectionReason.NOT_ADMITTED: "No pilot of this name had been admitted when the event was received.",
    RejectionReason.NOT_YOURS: "The pilot belongs to another participant than the one that sent the event.",
    RejectionReason.SEQUENCE_TOO_OLD: "The sequence number lies below the window in which repeats can be told apart.",
    RejectionReason.SOURCE_CONFLICT: (
        "Another event came under this source and sequence number; give each start and each replica of the service "
        "its own source."
    ),
    RejectionReason.BEFORE_ADMISSION: (
        "The event happened before the pilot began (admission, or the start of its cycle): it neither counts nor halts."
    ),
    RejectionReason.AFTER_EXIT: "The pilot has left the sandbox.",
    RejectionReason.NOT_IN_FORCE: "The acknowledgement names a command, or a standing of it, that is not in force.",
    RejectionReason.FORGED: (
        "It is not signed with the key that the charter names for its author, or for the firm's service."
    ),
    RejectionReason.REPEATED: "The act was judged before; a copy of it changes nothing.",
    RejectionReason.CONFLICT: (
        "Another act with this id was judged before, or another charter is in force; this one changes nothing."
    ),
    RejectionReason.CONTROL_REFUSED: "The act is well formed but may not take effect.",
    RejectionReason.SKIPPED: (
        "The monitor's operator skipped the record, because the monitor ended at it each time; it counts nowhere."
    ),
    RejectionReason.STATE_UNREADABLE: (
        "The monitor cannot read the stored state of this pilot, and has set it aside: nothing of it counts until the "
        "authority admits it again."
    ),
    RejectionReason.SEVERAL_REASONS: (
        "More events of the record were rejected than are listed by reason and field; `by_reason` counts the rest."
    ),
    RejectionReason.RATE_LIMITED: (
        "More was rejected than is listed record by record; `by_reason` counts what came from here to `through`."
    ),
}


class Rejecter:
    """Makes the rejections of one record. `secret` (at most 64 bytes) keys the digest, so that guessing the value of a
    rejected record from its digest needs the key; the bytes themselves stay at their position in the log."""

    __slots__ = ("digest", "partition", "record", "secret", "topic")

    def __init__(self, record: Record, topic: str, partition: int, secret: bytes) -> None:
        self.record, self.topic, self.partition, self.secret = record, topic, partition, secret
        self.digest = ""

    def __call__(
        self,
        why: RejectionReason,
        field: str = "",
        detail: str = "",
        *,
        pilot: str = "",
        places: Sequence[int] = (0,),
        count: int = 1,
        by_reason: dict[str, int] | None = None,
    ) -> Rejected:
        """One rejection of `count` events, of which the first stand at `places`. `detail` must never repeat a value of
        the input; without one, the reason's sentence stands."""
        if not self.digest:  # once for a record, however many of its events are bad
            self.digest = blake2b(self.record.value or b"", key=self.secret, digest_size=16).hexdigest()
        return Rejected(
            topic=self.topic,
            partition=self.partition,
            offset=self.record.offset,
            index=places[0],
            field=field,
            reason=why.value,
            detail=detail or SENTENCES[why],
            pilot=pilot or key_text(self.record.key),
            received=self.record.received,
            digest=self.digest,
            count=count,
            places=tuple(places),
            by_reason=by_reason or {},
        )


def unreadable(record: UnreadableRecords) -> tuple[RejectionReason, str, str]:
    """Why the records of a batch cannot be read: (reason, field, detail)."""
    reason = RejectionReason(record.reason)
    why = (
        "the record batch, or one of its records, unpacks to more than is read; send smaller batches"
        if reason is RejectionReason.TOO_LARGE
        else "the record batch does not have the form that Kafka asks for"
    )
    return reason, "", f"Offsets {record.offset} to {record.last}: {why}."


def key_text(key: bytes | None) -> str:
    """The name of the pilot that a key is; empty when it cannot be one."""
    if key is None or len(key) > 200:
        return ""
    try:
        return key.decode()
    except UnicodeDecodeError:
        return ""


ATTRIBUTES = frozenset(Envelope.__struct_fields__) | {"type"}


_FIELDS = ATTRIBUTES | {
    f"data.{field.name}"
    for kind in EVENT_TYPES.values()
    for payload in msgspec.structs.fields(kind)
    if payload.name == "data"
    for field in msgspec.structs.fields(payload.type)
}
_BARE = re.compile(rb'(?:"(\w+)"\s*:\s*)?(-?(?:NaN|Infinity))\b|"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


def is_utf8(value: bytes) -> bool:
    """Whether bytes are a text."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def broken(part: bytes) -> tuple[RejectionReason, str, str]:
    """Why bytes are no JSON: (reason, field, detail)."""
    if is_utf16(part):
        return RejectionReason.NOT_UTF8, "", UTF16
    if not is_utf8(part):
        return RejectionReason.NOT_UTF8, "", ""
    for token in _BARE.finditer(part):
        if token[2] is not None:
            name = (token[1] or b"").decode()
            field = next((f for f in (f"data.{name}", name) if f in _FIELDS), "")
            return RejectionReason.NOT_FINITE, field, ""
    return RejectionReason.NOT_JSON, "", ""


# As many as rejections listed when they were first written: their texts do not change.
ACTS = tuple(ACT_TYPES)[:11]
_EVENTS = tuple(EVENT_TYPES)[:14]
_WORDS: dict[str, Sequence[str]] = {
    "specversion": ["1.0"],
    "data.severity": list(Severity),
    "data.was": list(Severity),
    "data.harm": list(Harm),
}
BASE64 = "`data_base64` is not read; send the payload as a JSON object in `data`."
SHORT_ERROR = 256  # characters of a message of msgspec that is cached; longer ones repeat a value
UTF16 = "The bytes are UTF-16; save or send them as UTF-8 without a byte order mark."
_RANGES = {
    "data.share": "Write a share and not a percentage: 0.2 for 20 %, at most 1, at least -10.",
    "data.amount": "Write 0 or more; to take back what was tallied too much, send sandbox.exposure.corrected.",
}
_FORMS = {
    "sequence": "Write a number of 1 to 18 digits, filled up with zeros to 20 at most.",
    "span": "Write a whole number and one of ms s m h d w mo, such as 8h.",
    "data.currency": "Write three capital letters (ISO 4217), such as EUR.",
}


ACT_TYPE = "Write the type of an act, as the AsyncAPI page lists them (channel control)."  # too many for a message


def _one_of(words: Sequence[str]) -> str:
    return f"Write one of {', '.join(words)}." if words else ""


def explain_decode_error(
    error: Exception, part: bytes, types: tuple[str, ...] = _EVENTS
) -> tuple[RejectionReason, str, str]:
    """msgspec's words as (reason, field, detail). The value itself is never repeated: it may be personal."""
    if not isinstance(error, msgspec.ValidationError):
        return broken(part)
    text = str(error)
    reason, field, detail = (_explained if len(text) <= SHORT_ERROR else _explained.__wrapped__)(text, types)
    if reason is RejectionReason.MISSING_FIELD and field == "data" and _BASE64.search(part):
        detail = BASE64
    return reason, field, detail


@functools.lru_cache(maxsize=1024)
def _explained(text: str, types: tuple[str, ...]) -> tuple[RejectionReason, str, str]:
    """What a message of msgspec says, apart from what only the bytes can tell."""
    message, found, path = text.rpartition(" - at `$")
    if not found:
        message, path = text, ""
    field = path.rstrip("`").lstrip(".")
    missing = re.fullmatch(r"Object missing required field `(\w+)`", message)
    if missing:
        return RejectionReason.MISSING_FIELD, f"{field}.{missing[1]}".lstrip("."), ""
    if not field and message.startswith("Expected `object`"):
        batch = "; send several events as application/cloudevents-batch+json" if message.endswith("`array`") else ""
        return RejectionReason.NOT_AN_OBJECT, "", message + batch
    if message.startswith("Invalid value"):
        return RejectionReason.UNKNOWN_TYPE, field, ACT_TYPE if types is ACTS else _one_of(types)
    if message.startswith("Invalid enum value"):
        return RejectionReason.UNKNOWN_VALUE, field, _one_of(_WORDS.get(field, ()))
    if message.startswith("Invalid RFC3339") or "timezone component" in message:
        return (
            RejectionReason.BAD_TIME,
            field,
            f"{message}; write it as 2026-01-31T12:00:00Z, or with an offset such as +01:00",
        )
    if "matching regex" in message:
        return RejectionReason.WRONG_FORM, field, _FORMS.get(field, message)
    if "out of range" in message or re.search(r"(of length|` [<>]=?) ", message):
        return RejectionReason.OUT_OF_RANGE, field, f"{message}. {_RANGES[field]}" if field in _RANGES else message
    return RejectionReason.WRONG_TYPE, field, _typed(field, message) if message.startswith("Expected") else ""


_BASE64 = re.compile(rb'"data_base64"\s*:')
_TYPES = (
    ("got `null`", "leave the field out"),
    ("Expected `datetime`", "write it as a text: 2026-01-31T12:00:00Z"),
    ("Expected `str`, got `int`", "put it in quotes"),
    ("Expected `str`, got `float`", "put it in quotes"),
    ("Expected `int`, got `float`", "write it without a decimal point"),
    ("Expected `int`, got `str`", "write a number without quotes, and no thousands separators"),
    ("Expected `float`, got `str`", "write a number without quotes, and no thousands separators"),
    ("Expected `object`, got `str`", "write a JSON object, not a text that holds one"),
)


def _typed(field: str, message: str) -> str:
    """msgspec's words on a wrong type, with the fix."""
    if field == "sequence" and "got `int`" in message:
        return f'{message}; write it as a text of digits: "00000000000000000001"'
    return next((f"{message}; {fix}" for words, fix in _TYPES if words in message), message)
