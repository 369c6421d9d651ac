"""Banners at the head of a page: what a reader must know before anything else."""

from __future__ import annotations

from collections.abc import Sequence

import htpy as h
from htpy import Node

from monitor.console.fleet_view import FleetView
from monitor.console.notices import CrashLoop, SkippedRecords
from monitor.console.parts import time_tag
from monitor.projections.formats import stamp
from monitor.projections.wording import sentence
from monitor.translation import tr, trm, trn


def banners(board: FleetView, now: int) -> h.Fragment:
    """Partitions without a worker at `now` (ms), workers that crash again and again, ledgers that are incomplete,
    foreign records, and open mode."""
    notices = board.notices
    return h.fragment[
        _no_worker(board, now),
        [_crash_loop(loop) for _, loop in sorted(notices.crash_loops.items())],
        _not_in_ledger(notices.not_entered),
        _skipped(list(notices.skipped.values())),
        _open_mode(board),
        _unsigned_firms(board),
        _configuration(board),
        _shared_topics() if notices.shared_topics else None,
        _reads_not_logged() if notices.reads_not_logged else None,
    ]


def alarm(title: str, text: Node) -> h.Element:
    """A banner for what must be mended now."""
    return h.p(".alarm", role="alert")[h.b[f"■ {title}"], " ", text]


def note(title: str, text: Node) -> h.Element:
    """A banner for what a reader must know."""
    return h.p(".note", role="note")[h.b[title], " ", text]


def _reads_not_logged() -> h.Element:
    return alarm(
        tr("The read log cannot be written."),
        tr("Pages are shown, but who reads them is not recorded. The log of the process names the cause."),
    )


def _crash_loop(loop: CrashLoop) -> h.Element:
    positions = ", ".join(
        tr("{topic} offset {offset}", topic=topic, offset=offset) for topic, offset in sorted(loop.positions.items())
    )
    text = [
        tr(
            "{n} starts in a row made no step. No decisions are taken about its pilots meanwhile.",
            n=loop.claims,
        )
    ]
    if positions:
        text.append(tr("The next records are those at {positions}.", positions=positions))
    if loop.deleted:
        lost = ", ".join(
            tr("{topic} offsets {first} to {last}", topic=topic, first=loop.positions[topic], last=first - 1)
            for topic, first in sorted(loop.deleted.items())
        )
        text.append(
            tr(
                "Records were deleted unread: {lost}. Restore them, or start the worker once with --skip-lost "
                "(runbook, SandboxTelemetryDeleted).",
                lost=lost,
            )
        )
    else:
        text.append(tr("The worker's log names the cause; the runbook (SandboxWorkerCrashLoop) how to skip a record."))
    title = tr("The worker of partition {partition} ends again and again.", partition=loop.partition)
    return alarm(title, " ".join(text))


def _not_in_ledger(pilots: dict[str, int]) -> Node:
    if not pilots:
        return None
    names = ", ".join(sorted(pilots)[:5])
    if len(pilots) > 5:
        names = tr("{names} and more", names=names)
    decisions = sum(pilots.values())
    title = trn("{n} decision is not in the ledger.", "{n} decisions are not in the ledger.", decisions)
    text = tr(
        "Pilots: {names}. The decisions do not follow the last entry, so a decision is missing before them, or they "
        "were not written by the monitor. See the runbook (SandboxLedgerIncomplete).",
        names=names,
    )
    return alarm(title, text)


def _skipped(rows: Sequence[SkippedRecords]) -> Node:
    """A note for records that are no output of the monitor; nothing without them."""
    if not rows:
        return None
    last = max(rows, key=lambda row: row.records)
    title = trn("{n} foreign record skipped.", "{n} foreign records skipped.", sum(row.records for row in rows))
    text = tr(
        "On {topics}: no output of the monitor ({reason}, last at {topic}/{partition} offset {offset}). They change "
        "nothing here, but somebody else may write to these topics. See the runbook (SandboxForeignRecords).",
        topics=", ".join(sorted({row.topic for row in rows})),
        reason=last.reason,
        topic=last.topic,
        partition=last.partition,
        offset=last.offset,
    )
    return note(title, text)


def _no_worker(board: FleetView, now: int) -> Node:
    """An alarm for partitions without an active worker: their pilots are not up to date. Nothing while all have one."""
    silent = board.liveness.silent(now)
    if not silent:
        return None
    seen = [at for p in silent if (at := board.liveness.seen_at[p]) is not None]
    since = time_tag(min(seen)) if seen else None
    stands = tr(
        "This page is out of date. Halts stand. Services that run under permits stop when their permits lapse. "
        "Telemetry is stored and will be processed."
    )
    if len(silent) == len(board.liveness.seen_at):
        title = trm("No worker seen since {time} UTC.", time=since) if since else tr("No worker seen so far.")
        text = tr("No decisions are taken until a worker is back.")
    else:
        title, text = _silent_partitions(silent, since)
    return h.p(".alarm", role="alert")[h.b["■ ", title], " ", text, " ", stands]


def _silent_partitions(silent: Sequence[int], since: h.Element | None) -> tuple[str, str]:
    """Title and text where some partitions have no worker, `since` a time or never."""
    where = ", ".join(map(str, silent))
    if len(silent) == 1:
        title = (
            trm("No worker for partition {partition} seen since {time} UTC.", partition=where, time=since)
            if since
            else tr("No worker for partition {partition} seen so far.", partition=where)
        )
        return title, tr("No decisions are taken about its pilots until a worker is back.")
    title = (
        trm("No worker for partitions {partitions} seen since {time} UTC.", partitions=where, time=since)
        if since
        else tr("No worker for partitions {partitions} seen so far.", partitions=where)
    )
    return title, tr("No decisions are taken about their pilots until a worker is back.")


def _open_mode(board: FleetView) -> Node:
    """A note where anyone may admit pilots, or a charter was put in force without a signature."""
    unsigned = board.unsigned()
    if not board.open_mode and not unsigned:
        return None
    text = []
    if board.open_mode:
        text.append(
            tr(
                "Neither a sandbox with keys nor an admitter key is configured: anyone who can write to control can "
                "admit a pilot."
            )
        )
    if unsigned:
        text.append(
            trn(
                "{n} pilot admitted or amended without a signature.",
                "{n} pilots admitted or amended without a signature.",
                unsigned,
            )
        )
    return note(tr("Open mode."), " ".join(text))


def _unsigned_firms(board: FleetView) -> Node:
    """A note where firms act without a signature under a sandbox."""
    firms = board.unsigned_firms()
    if not firms or not board.configuration:
        return None  # without a sandbox the note on open mode says it
    text = trn(
        "The last act of {n} firm is not signed: the charter has no key of the firm, as the configuration does not "
        "require it (firm_keys).",
        "The last act of {n} firms is not signed: the charter has no key of the firm, as the configuration does not "
        "require it (firm_keys).",
        firms,
    )
    return note(tr("Unsigned acts."), text)


def _configuration(board: FleetView) -> Node:
    """The newest act on the configuration of the sandbox; nothing where none is founded."""
    if not board.configuration:
        return None
    last = board.configuration[-1]
    text = tr("{sentence}; by {author}, {time}", sentence=sentence(last), author=last.author, time=stamp(last.at))
    return note(tr("Sandbox."), text)


def _shared_topics() -> h.Element:
    return note(
        tr("Shared topics."),
        tr(
            "Every firm can read the halts and sources of all firms. For trials only: give each firm separate topics "
            "(runbook, SandboxSharedTopics)."
        ),
    )
