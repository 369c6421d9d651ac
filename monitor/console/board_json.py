"""The board as data: what `/api/board.json` answers."""

from __future__ import annotations

from monitor.console.fleet_view import FleetView, PilotView
from monitor.console.parts import link
from monitor.model.clock_record import ClockRecord


def as_data(board: FleetView, now: int = 0, authority: str = "") -> dict[str, object]:
    """The fleet as plain data, with all pilots or those that concern one authority (its id). Times in ms since 1970,
    evidence as natural logarithms of e-values."""
    return {
        "left_out": board.left_out,
        "through": board.through,
        "worker": {"last_heard": board.liveness.last_seen, "silent_partitions": board.liveness.silent(now)},
        "open_mode": board.open_mode,
        "unsigned_firms": board.unsigned_firms(),
        "configuration": [
            {
                "at": one.at,
                "reason": one.reason.value,
                "author": one.author,
                "signed": bool(one.signed),
                "entry": one.standing,
                "digest": one.charter,
                "what": one.finding.detail,
                "version": one.finding.rule,
            }
            for one in board.configuration
        ],
        "notices": {
            "skipped_records": list(board.notices.skipped.values()),
            "crash_loops": list(board.notices.crash_loops.values()),
            "not_in_ledger": board.notices.not_entered,
            "shared_topics": board.notices.shared_topics,
        },
        "pilots": [_pilot(board, view, now) for view in board.fleet() if not authority or view.concerns(authority)],
    }


def pilot_data(board: FleetView, pilot: str, now: int) -> dict[str, object] | None:
    """One pilot as plain data; `None` for one that the board does not know."""
    view = board.pilots.get(pilot)
    return None if view is None else _pilot(board, view, now)


def _pilot(board: FleetView, view: PilotView, now: int) -> dict[str, object]:
    head = board.ledger(view.pilot)
    return {
        "pilot": view.pilot,
        "participant": view.participant,
        "tier": view.plan.tier if view.plan else None,
        "level": view.level.word,
        "since": view.since,
        "reason": view.why.reason.value if view.why else None,
        "why": view.say(view.why) if view.why else None,
        "unknown": view.unknown or None,
        "unknown_since": view.unknown_since,
        "alpha_spent": view.alpha_spent,  # what all thresholds so far may spend: an old name
        "alpha_used": view.alpha_used,
        "last_evidence": view.last_evidence,
        "late_events": view.late_events,  # that came too late to count
        "charter": view.charter,
        "standing": view.standing,
        "exited": view.exited,
        "order": _command(view),
        "deadlines": [_deadline(one, now) for one in view.clocks.ordered()],
        "ledger": {"size": head[0], "root": head[1]} if head else None,
        "url": link(view.pilot),
        "authorities": list(view.responsible),  # that are responsible
        "states": view.states or None,  # of its life, where they do not follow from the level
    }


def _deadline(row: ClockRecord, now: int) -> dict[str, object]:
    """A legal deadline; `left` (ms) until it is due, below 0 after it."""
    return {
        "rule": row.rule,
        "title": row.title,
        "about": row.starts,
        "key": row.key,
        "owed_by": row.owed_by.value,
        "basis": row.basis,
        "state": row.state.value if row.state is not None else None,
        "due": row.due,
        "left": None if row.due is None else row.due - now,
        "last_day": row.last_day or None,
        "zone": row.zone,
        "done": row.done,
        "late": row.late,
        "provisional": row.provisional,
        "forbids": list(row.forbids),
    }


def _command(view: PilotView) -> dict[str, object] | None:
    command = view.command
    if command is None:
        return None
    return {
        "action": command.action,
        "state": command.state,
        "at": command.at,
        "told": command.attempts,  # an old name
        "open": command.open,
    }
