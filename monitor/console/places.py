"""Which pilots have a place on a board that is full: a pilot that needs attention takes the place of one that needs
less. Pure.

A pilot takes a place only by a decision, and only of one that counts for less, so the places of a board do not change
hands while nothing happens. Of equals the one longest at its level gives way.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from monitor.console.pilot_view import PilotView
from monitor.lifecycle.arrows import ENDED, NEVER_ADMITTED
from monitor.lifecycle.names import State
from monitor.model.records import Decision, Level, Reason


class Attention(IntEnum):
    """How much a pilot needs attention, the least first."""

    LEFT = 0  # the sandbox; nothing is owed
    NEVER_ADMITTED = 1
    CALM = 2
    NEW = 3  # an applicant, or just admitted
    OWED = 4  # a legal deadline runs or was missed, or the state is not known
    WATCH = 5
    ESCALATE = 6
    HALT = 7  # or a command that is not done


_AT = {Level.WATCH: Attention.WATCH, Level.ESCALATE: Attention.ESCALATE, Level.HALT: Attention.HALT}
_NEW = (Reason.ADMITTED, Reason.APPLICATION_SUBMITTED)


def attention(view: PilotView) -> Attention:
    """The attention that a pilot needs."""
    life = view.life
    gone = view.exited or life.pilot in (*ENDED, *NEVER_ADMITTED)
    if not gone and (view.level in _AT or (view.command is not None and view.command.open)):
        return Attention.HALT if view.command is not None and view.command.open else _AT[view.level]
    if view.clocks.open:
        return Attention.OWED
    if gone:
        return Attention.NEVER_ADMITTED if life.pilot in NEVER_ADMITTED else Attention.LEFT
    if view.unknown:
        return Attention.OWED
    return Attention.NEW if view.applicant or life.pilot is State.REGISTERED else Attention.CALM


def attention_by(decision: Decision) -> Attention:
    """The attention that a pilot needs of which nothing but this decision is known."""
    if decision.reason in (Reason.EXITED, Reason.CLOSED):
        return Attention.LEFT
    if decision.level in _AT:
        return _AT[decision.level]
    if decision.unknown:
        return Attention.OWED
    return Attention.NEW if decision.reason in _NEW else Attention.CALM


def give_way(views: Iterable[PilotView], needs: Attention, places: int) -> list[PilotView]:
    """At most `places` pilots that need less than `needs`, those that need least and have been longest so first."""
    less = [(found, view.since or 0, view.pilot, view) for view in views if (found := attention(view)) < needs]
    less.sort(key=lambda row: row[:3])
    return [view for *_, view in less[:places]]
