"""Records in, entries out: how a Decision or a Command of the machine becomes the bytes a ledger holds."""

from __future__ import annotations

import msgspec

from monitor.canonical import canonical
from monitor.model import Command, Decision
from monitor.notary.encoding import Entry, type_of


def entry_of(record: Decision | Command) -> Entry:
    """The entry of a record: every field written out, levels as numbers 0-3, reasons as words.

    Raises ValueError on what canonical JSON cannot hold (NaN, an infinity).
    """
    fields = msgspec.to_builtins(record, str_keys=True)
    body = canonical(fields)
    return Entry(type_of(fields), record.id, record.pilot, record.at, record.standing, record.epoch, body)


def in_order(decisions: list[Decision], commands: list[Command]) -> list[Decision | Command]:
    """Decisions in their order, each followed by the commands that name it; commands without their decision come last.

    One step puts both out in one transaction, so the order is the same for every reader that does not cut transactions.
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
