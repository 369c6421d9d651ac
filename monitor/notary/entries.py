"""Converts decisions and commands to ledger entries, with commitments instead of text that people wrote."""

from __future__ import annotations

import functools
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct, structs

from monitor.model.canonical import canonical
from monitor.model.records import Command, Decision, Finding
from monitor.notary.commitment import FIELDS, Plaintext, commitment, get, put, salt
from monitor.notary.encoding import CLEAR, COMMITTED, Entry, type_of

NOT_ENTERED = ("finding_key", "finding_level")  # fields of a decision that follow from the rest of the record
# Fields of a command's ground that its decision has; commands that were entered before they existed lack them.
OF_DECISION = ("events", "exposure", "unit", "ratio_low", "ratio_high")


def by_a_person(record: Decision | Command) -> bool:
    """Whether an act on `control` caused the record: its author and detail are then personal data."""
    return isinstance(record, Decision) and record.cause.startswith("control:")


def entry_of(record: Decision | Command, key: bytes) -> tuple[Entry, list[Plaintext]]:
    """The entry of a record, and the plaintexts it only commits to, salted with `key` (32 bytes).

    Every field is written, levels as numbers 0-3, reasons as words. Fields added after formats 1 and 2 were fixed are
    written only when they differ from their default, so that older records keep their bytes.

    Raises ValueError on what canonical JSON cannot hold (NaN, an infinity).
    """
    fields = msgspec.to_builtins(record, str_keys=True)
    _without_later(fields, record)
    for name in NOT_ENTERED:
        fields.pop(name, None)
    for name in OF_DECISION if fields.get("ground") else ():
        fields["ground"].pop(name, None)
    kind, version, plaintexts = type_of(fields), CLEAR, []
    if by_a_person(record):
        version = COMMITTED
        for field in FIELDS:
            text = get(fields, field)
            if text:
                salted = salt(key, record.id, field)
                plaintexts.append(Plaintext(record.pilot, record.id, field, salted.hex(), text))
                put(fields, field, {"commitment": commitment(salted, field, text)})
    body = canonical(fields)
    return Entry(kind, record.id, record.pilot, record.at, record.standing, record.epoch, body, version), plaintexts


_FIRST: dict[type, frozenset[str]] = {
    Decision: frozenset(
        [
            "id",
            "pilot",
            "participant",
            "charter",
            "kind",
            "level",
            "was",
            "reason",
            "at",
            "standing",
            "epoch",
            "cause",
            "finding",
            "first_out",
            "unknown",
            "author",
            "signed",
            "restart",
        ]
    ),
    Finding: frozenset(
        [
            "indicator",
            "segment",
            "rule",
            "statistic",
            "bar",
            "observed",
            "expected",
            "alpha",
            "alpha_spent",
            "period_start",
            "period_end",
            "provisional",
            "detail",
            "ratio",
            "ratio_low",
            "ratio_high",
            "explanation",
        ]
    ),
    Command: frozenset(
        ["id", "pilot", "action", "standing", "epoch", "reason", "decision", "at", "dry_run", "ledger", "again"]
    ),
}
"""The fields that an entry always holds."""


def _without_later(fields: dict[str, Any], record: Decision | Command) -> None:
    """Remove from `fields` those that formats 1 and 2 did not know and that have their default."""
    parts: list[tuple[dict[str, Any], Struct]] = [(fields, record)]
    if isinstance(record, Decision):
        parts.append((fields["finding"], record.finding))
    for values, struct in parts:
        for name, default in _later(type(struct)):
            if getattr(struct, name) == default:
                values.pop(name, None)  # what is left out of records is not there


@functools.cache
def _later(kind: type[Struct]) -> tuple[tuple[str, Any], ...]:
    """The fields that formats 1 and 2 did not know, with their defaults. Cached: msgspec reads the annotations anew at
    each call, which takes longer than everything else about an entry."""
    return tuple(
        (field.name, field.default if field.default_factory is NODEFAULT else field.default_factory())
        for field in structs.fields(kind)
        if field.name not in _FIRST[kind]
    )


def in_order(decisions: list[Decision], commands: list[Command]) -> list[Decision | Command]:
    """Decisions in their order, each followed by the commands that name it; commands without their decision come last.

    Both are emitted in one transaction, so every reader that reads whole transactions sees the same order.
    """
    waiting: dict[str, list[Command]] = {}
    for command in commands:
        waiting.setdefault(command.decision, []).append(command)
    merged: list[Decision | Command] = []
    for decision in decisions:
        merged.append(decision)
        merged.extend(waiting.pop(decision.id, ()))
    for left in waiting.values():
        merged.extend(left)
    return merged
