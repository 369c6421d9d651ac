"""Judges one record of an output topic: an output of the monitor, or why it is skipped. Pure.

Anybody who may write to an output topic can leave a record there that is none of the monitor's. A reader never ends
because of one: it skips the record, counts it by its reason and reports it (`monitor/kafka/output_consumer.py`).
Everything that is decided from outputs again, as in the second stage, goes by the same function, so that a replay skips
the same records.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from monitor.model.records import Closed, Command, Decision, Evidence, Permit, Rejected
from monitor.model.shadow_records import ShadowDecision, ShadowSummary

Output: TypeAlias = Decision | Command | Permit | Evidence | Closed | Rejected | ShadowDecision | ShadowSummary

TYPES: dict[bytes, type[Any]] = {
    b"decision": Decision,
    b"command": Command,
    b"permit": Permit,
    b"evidence": Evidence,
    b"closed": Closed,
    b"rejected": Rejected,
    b"shadow_decision": ShadowDecision,
    b"shadow_summary": ShadowSummary,
}
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in TYPES.items()}
_LARGEST: dict[type[Any], int] = {Permit: 1 << 16, Evidence: 1 << 16, Closed: 1 << 16}
_OF_TOPIC = {
    "decisions": (Decision,),
    "commands": (Command,),
    "permits": (Permit,),
    "evidence": (Evidence, Closed),
    "rejected": (Rejected,),
    "shadow": (ShadowDecision, ShadowSummary),
}

LARGEST = 1 << 20  # bytes of an output, far above any that the monitor writes
LARGEST_NUMBER = 1e30  # of a closed period: sums over all pilots stay finite
HIGHEST_EPOCH = (1 << 53) - 1  # what every JSON reader holds exactly
FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999: no other time can be printed
NAME_CHARACTERS = 512  # of a pilot's name, which also names its ledger


class OutputRejection(StrEnum):
    """Why a record of an output topic is skipped: the closed list."""

    NO_VALUE = "no_value"  # a tombstone; the monitor writes none to an output topic
    TOO_LARGE = "too_large"  # more bytes than an output of its type can have
    UNKNOWN_TYPE = "unknown_type"  # the header `type` is missing, or names no output
    WRONG_TOPIC = "wrong_topic"  # an output that this topic never holds
    BAD_EPOCH = "bad_epoch"  # the header `epoch` is missing, no number, or out of range
    UNREADABLE = "unreadable"  # the value is not the JSON that its type asks for
    OUT_OF_RANGE = "out_of_range"  # a time, a standing or a name that no output has
    KEY_MISMATCH = "key_mismatch"  # the key is not the pilot of the value
    FOREIGN = "foreign"  # on journal or state: no owner of a partition can have written it
    OUT_OF_ORDER = "out_of_order"  # a decision that cannot follow in its ledger: it is not entered
    NOT_SIGNED = "not_signed"  # a key is trusted here, and the record has no signature
    UNKNOWN_KEY = "unknown_key"  # signed with a key that is not trusted here
    BAD_SIGNATURE = "bad_signature"  # the signature is not of this record at this place
    REPLAYED = "replayed"  # a copy of a signed record that was read before
    EPOCH_NOT_CLAIMED = "epoch_not_claimed"  # no owner of the partition claimed its epoch in the journal


class JudgedOutput(Struct, frozen=True):
    """An output and the epoch of its writer."""

    epoch: int
    value: Output


def judge_output(
    topic: str, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]
) -> JudgedOutput | OutputRejection:
    """The output in a record, or why there is none. Never raises, whatever the record holds.

    `topic` decides what may be in it: `<prefix>.commands` or `<prefix>.commands.<participant>` holds commands. In a
    topic whose name tells nothing, every output is accepted.
    """
    if value is None:
        return OutputRejection.NO_VALUE
    named = dict(headers)
    word = named.get("type") or b""
    if word not in TYPES:
        return OutputRejection.UNKNOWN_TYPE
    if len(value) > _LARGEST.get(TYPES[word], LARGEST):
        return OutputRejection.TOO_LARGE
    if not _belongs(topic, TYPES[word]):
        return OutputRejection.WRONG_TOPIC
    epoch = _epoch(named.get("epoch"))
    if epoch is None:
        return OutputRejection.BAD_EPOCH
    try:
        output: Output = _DECODERS[word].decode(value)
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError, OverflowError):
        return OutputRejection.UNREADABLE
    if not _in_range(output):
        return OutputRejection.OUT_OF_RANGE
    if key is not None and key != _pilot(output).encode("utf-8", "surrogatepass"):
        return OutputRejection.KEY_MISMATCH
    return JudgedOutput(epoch, output)


def _belongs(topic: str, kind: type[Any]) -> bool:
    *_, before, last = ("", *topic.split("."))
    kinds = (*_OF_TOPIC.get(last, ()), *_OF_TOPIC.get(before, ()))
    return kind in kinds or not kinds


def _epoch(raw: bytes | None) -> int | None:
    if raw is None or not raw.isdigit() or len(raw) > 16:  # `int` would take blanks, signs and underscores
        return None
    epoch = int(raw)
    return epoch if epoch <= HIGHEST_EPOCH else None


def _pilot(output: Output) -> str:
    return "" if isinstance(output, Closed) else output.pilot


def _in_range(output: Output) -> bool:
    """Whether every number and name can be shown, stored and ordered by those who read outputs."""
    if isinstance(output, Closed):
        return 0 <= output.partition <= HIGHEST_EPOCH and 0 <= output.through <= LAST_MS
    if isinstance(output, Rejected):  # repeats what a sender wrote: its pilot may be any text, and empty
        return 0 <= output.received <= LAST_MS
    if not 0 < len(output.pilot) <= NAME_CHARACTERS:
        return False
    if isinstance(output, Evidence):
        figures = (output.k, output.m, output.allowed or 0.0)
        return FIRST_MS <= output.start <= output.end <= LAST_MS and all(abs(x) <= LARGEST_NUMBER for x in figures)
    if isinstance(output, ShadowDecision | ShadowSummary):
        at = output.at if isinstance(output, ShadowDecision) else output.through
        return 0 <= at <= LAST_MS
    numbers = [output.standing, output.epoch]
    if isinstance(output, Permit):
        numbers.append(output.lease_ms)
    else:
        numbers.append(output.at)
        if output.at > LAST_MS:
            return False
    if isinstance(output, Decision):
        numbers.append(output.restart)
        periods = (output.finding.period_start, output.finding.period_end)
        if any(at is not None and not FIRST_MS <= at <= LAST_MS for at in periods):
            return False
    return all(0 <= number <= HIGHEST_EPOCH for number in numbers)
