"""What the pages of the ledger show: the newest checkpoint, the ledgers, the entries of one, and one entry with its
proof and the checks made now. Everything is read through a `Desk`, a bounded number of bytes for each page.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from msgspec import Struct

from monitor.notary.desk_facts import CheckFact, CheckpointFact, Desk, DeskUnavailable, HeldEntry, HeldLedger, ProofFact
from monitor.notary.entry_text import EntryParts, parts_of
from monitor.notary.format import DECISIONS, LogName

SUBJECTS, ENTRIES = 50, 50  # on one page


class LedgerRow(Struct, frozen=True):
    """One subject in the list: its ledger of decisions (`None` without one), how many entries of it are published, and
    its other files."""

    subject: str
    decisions: HeldLedger | None
    visible: int | None
    evidence: tuple[HeldLedger, ...]


class LedgersView(Struct, frozen=True):
    """The list, page number `page` of `pages`; `entries` in all files together."""

    checkpoint: CheckpointFact | None
    rows: tuple[LedgerRow, ...]
    subjects: int
    entries: int
    page: int
    pages: int


class LedgerView(Struct, frozen=True):
    """The entries of one file, newest first, page number `page` of `pages`; `others` are the other files of the
    subject. `unreadable`: entries of a format that is not known."""

    held: HeldLedger
    visible: int | None
    checkpoint: CheckpointFact | None
    others: tuple[HeldLedger, ...]
    entries: tuple[EntryParts, ...]
    unreadable: int
    page: int
    pages: int


class EntryView(Struct, frozen=True):
    """One entry: what it says, its bytes, its proof in the ledger as it is now (`None`: too long to compute here), the
    checks made now, and the visible checkpoint of its published log."""

    held: HeldLedger
    entry: HeldEntry
    parts: EntryParts | None
    proof: ProofFact | None
    checks: tuple[CheckFact, ...]
    checkpoint: CheckpointFact | None
    before: int | None
    after: int | None


def ledgers_view(desk: Desk, page: int = 1) -> LedgersView:
    """The ledgers of one page, by subject."""
    files = desk.ledgers()
    by_subject: dict[str, list[HeldLedger]] = {}
    for one in files:
        by_subject.setdefault(one.name.subject, []).append(one)
    names = sorted(by_subject)
    pages = max(1, -(-len(names) // SUBJECTS))
    page = min(max(1, page), pages)
    shown = names[(page - 1) * SUBJECTS : page * SUBJECTS]
    return LedgersView(
        checkpoint=desk.checkpoint(None),
        rows=tuple(_row(desk, name, by_subject[name]) for name in shown),
        subjects=len(names),
        entries=sum(one.size for one in files),
        page=page,
        pages=pages,
    )


def _row(desk: Desk, subject: str, files: list[HeldLedger]) -> LedgerRow:
    decisions = next((one for one in files if one.name == LogName(subject)), None)
    visible = None if decisions is None else desk.visible(decisions.name)
    return LedgerRow(subject, decisions, visible, tuple(one for one in files if one.name.log != DECISIONS))


def ledger_view(desk: Desk, subject: str, log: str = DECISIONS, year: int = 0, page: int = 1) -> LedgerView | None:
    """The entries of one file; `None` where there is no such file."""
    files = [one for one in desk.ledgers() if one.name.subject == subject]
    held = next((one for one in files if one.name == LogName(subject, log, year)), None)
    if held is None:
        return None
    pages = max(1, -(-held.size // ENTRIES))
    page = min(max(1, page), pages)
    end = held.size - (page - 1) * ENTRIES
    read = desk.entries(held.name, max(0, end - ENTRIES), min(ENTRIES, end))
    told = [parts for one in reversed(read) if (parts := told_of(one)) is not None]
    return LedgerView(
        held=held,
        visible=desk.visible(held.name),
        checkpoint=desk.checkpoint(held.name),
        others=tuple(one for one in files if one is not held),
        entries=tuple(told),
        unreadable=len(read) - len(told),
        page=page,
        pages=pages,
    )


def entry_view(desk: Desk, subject: str, entry: str, log: str = DECISIONS, year: int = 0) -> EntryView | None:
    """One entry by its number from 0, or by the id of its record; `None` where there is none."""
    held = next((one for one in desk.ledgers() if one.name == LogName(subject, log, year)), None)
    if held is None:
        return None
    number = int(entry) if entry.isdecimal() and len(entry) < 16 else desk.find(held.name, entry)
    found = [] if number is None else desk.entries(held.name, number, 1)
    if number is None or not found:
        return None
    return EntryView(
        held=held,
        entry=found[0],
        parts=told_of(found[0]),
        proof=desk.proof(held.name, number),
        checks=tuple(desk.verify(held.name, number)),
        checkpoint=desk.checkpoint(held.name),
        before=number - 1 if number else None,
        after=number + 1 if number + 1 < held.size else None,
    )


def told_of(one: HeldEntry) -> EntryParts | None:
    """What an entry says; `None` for one of a format that is not known."""
    try:
        return None if one.entry is None else parts_of(one.number, one.entry, {})
    except (KeyError, ValueError, TypeError):  # of a newer version
        return None


def ledgers_data(view: LedgersView) -> dict[str, object]:
    """The list as plain data."""
    return {
        "checkpoint": _checkpoint_data(view.checkpoint),
        "subjects": view.subjects,
        "entries": view.entries,
        "page": view.page,
        "pages": view.pages,
        "ledgers": [
            {
                "subject": row.subject,
                "decisions": None if row.decisions is None else _held_data(row.decisions),
                "published_entries": row.visible,
                "evidence": [_held_data(one) for one in row.evidence],
            }
            for row in view.rows
        ],
    }


def ledger_data(view: LedgerView) -> dict[str, object]:
    """The entries of one page as plain data."""
    return {
        **_held_data(view.held),
        "published_entries": view.visible,
        "checkpoint": _checkpoint_data(view.checkpoint),
        "entries": [one._asdict() for one in view.entries],
        "unreadable": view.unreadable,
        "page": view.page,
        "pages": view.pages,
    }


def entry_data(view: EntryView) -> dict[str, object]:
    """One entry as plain data; `bytes` is base64."""
    return {
        **_held_data(view.held),
        "number": view.entry.number,
        "entry": None if view.parts is None else view.parts._asdict(),
        "bytes": base64.b64encode(view.entry.data).decode(),
        "body": None if view.entry.entry is None else view.entry.entry.body.decode("utf-8", "replace"),
        "proof": None if view.proof is None else view.proof._asdict(),
        "checks": [one._asdict() for one in view.checks],
        "checkpoint": _checkpoint_data(view.checkpoint),
    }


def ledgers_answer(desk: Desk | None, page: int) -> dict[str, object] | None:
    """The data of the list; `None` without ledgers that can be read."""
    try:
        return None if desk is None else ledgers_data(ledgers_view(desk, page))
    except DeskUnavailable:
        return None


def ledger_answer(desk: Desk | None, subject: str, query: Mapping[str, str], page: int) -> dict[str, object] | None:
    """The data of one ledger; `None` where there is none that can be read."""
    try:
        found = None if desk is None else ledger_view(desk, subject, *log_of(query), page)
    except DeskUnavailable:
        return None
    return None if found is None else ledger_data(found)


def entry_answer(desk: Desk | None, subject: str, entry: str, query: Mapping[str, str]) -> dict[str, object] | None:
    """The data of one entry; `None` where there is none that can be read."""
    try:
        found = None if desk is None else entry_view(desk, subject, entry, *log_of(query))
    except DeskUnavailable:
        return None
    return None if found is None else entry_data(found)


def log_of(query: Mapping[str, str]) -> tuple[str, int]:
    """The log and year that a query names; else that of the decisions."""
    year = query.get("year", "")
    return query.get("log") or DECISIONS, int(year) if year.isdecimal() and len(year) < 6 else 0


def _held_data(one: HeldLedger) -> dict[str, object]:
    return {
        "subject": one.name.subject, "log": one.name.log, "year": one.name.year, "file": one.file, "size": one.size,
        "root": one.root,
    }  # fmt: skip


def _checkpoint_data(one: CheckpointFact | None) -> dict[str, object] | None:
    if one is None:
        return None
    return {**one._asdict(), "signatures": [line._asdict() for line in one.signatures]}
