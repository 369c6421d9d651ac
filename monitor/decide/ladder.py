"""The ladder: how a finding, a quiet period, a flag or a person's act changes a pilot's standing.

Pure: a standing and a cause go in, the new standing and its move come out. Every move carries its reason. The rules:

- the level is the highest of the active findings; a halt latches in addition to them, and only `release` lifts it;
- a finding clears after as many quiet, known periods as the charter asks for (hysteresis); the finding of a hard rule
  and an override stay until a regulator lowers the level;
- the unknown flag is separate from the level. It never clears anything.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import structs

from monitor.charter.spec import Responses
from monitor.errors import ControlRefused
from monitor.model.records import Level, Reason, RecordKind
from monitor.model.refusals import Refusal
from monitor.state.halt_state import stop_state
from monitor.state.standing import Active, Lifting, Shelf, Standing, Stays

LISTED = 16  # keys of active findings that the text of a refusal lists, at most
APPROVALS = 16  # remembered at most; two are needed, and a charter may name any number of approvers


class Move(NamedTuple):
    """What changed: the content of the decision to record. `first_out`: this finding raised the level."""

    kind: RecordKind
    was: Level
    level: Level
    reason: Reason
    first_out: bool


Transition = tuple[Standing, Move | None]


def raise_finding(
    s: Standing, key: str, level: Level, reason: Reason, at: int, stays: Stays = "until_quiet"
) -> Transition:
    """A finding of `key` at `level`. A key that is already active at that level or above moves nothing, except that
    each event of a finding that stays until lowered (a hard rule) is recorded.

    While a halt stands, a new ground for a halt voids the steps towards its release. A release would also end a lesser
    finding that stays until lowered, so the author of the release must have seen it.
    """
    old = s.active.get(key)
    if stays == "until_lowered" and s.halted:
        s = structs.replace(s, lifting=_new_ground(s) if level == Level.HALT else _to_be_seen(s))
    if old is not None and old.level >= level and old.reason == reason:
        kept = structs.replace(s, active={**s.active, key: structs.replace(old, quiet=0)})
        return kept, Move("finding", s.level, s.level, reason, False) if stays == "until_lowered" else None
    active = {**s.active, key: Active(level, reason, at if old is None else old.since, stays)}
    if key in s.shelved and level > s.shelved[key].level:
        s = structs.replace(s, shelved={k: v for k, v in s.shelved.items() if k != key})
    if level == Level.HALT:
        s = structs.replace(s, lifting=_new_ground(s))  # steps for an earlier ground do not lift this one
    return _settle(structs.replace(s, active=active, halted=s.halted or level == Level.HALT), key, reason, at, s)


def mark_quiet(s: Standing, key: str, responses: Responses, at: int) -> Transition:
    """One more quiet, known period of the detector of `key`."""
    old = s.active.get(key)
    if old is None or old.stays == "until_lowered" or old.level == Level.HALT:
        return s, None
    needed = responses.watch_clears_after if old.level == Level.WATCH else responses.escalate_clears_after
    if old.quiet + 1 < needed:
        return structs.replace(s, active={**s.active, key: structs.replace(old, quiet=old.quiet + 1)}), None
    return clear(s, key, at)


def clear(s: Standing, key: str, at: int) -> Transition:
    """Clear a finding: what it rested on no longer holds."""
    if key not in s.active:
        return s, None
    active = {k: a for k, a in s.active.items() if k != key}
    return _settle(structs.replace(s, active=active), key, Reason.CLEARED, at, s)


def raise_flag(s: Standing, key: str, reason: Reason, at: int) -> Transition:
    """Add a cause to the unknown flag; the first one is recorded."""
    if key in s.unknown:
        return s, None
    first = not s.unknown
    s = structs.replace(s, unknown={**s.unknown, key: (reason, at)})
    return s, Move("flag", s.level, s.level, reason, False) if first else None


def clear_flag(s: Standing, key: str) -> Transition:
    """Remove a cause of the unknown flag; the last one removes the flag and is recorded."""
    if key not in s.unknown:
        return s, None
    s = structs.replace(s, unknown={k: v for k, v in s.unknown.items() if k != key})
    return s, None if s.unknown else Move("flag", s.level, s.level, Reason.HEARD_AGAIN, False)


def override(s: Standing, level: Level, at: int) -> Transition:
    """A regulator sets the level. Raises ControlRefused when that would lift a halt."""
    if s.halted and level < Level.HALT:
        raise ControlRefused(
            "level",
            Refusal.HALT_IS_LATCHED,
            "a halt is lifted by rectification, evaluation, two approvals, release",
        )
    key = "override"
    if level == Level.HALT:
        s = structs.replace(s, lifting=_new_ground(s))
    active = {k: a for k, a in s.active.items() if a.level <= level and k != key}
    if level > Level.NORMAL:
        active[key] = Active(level, Reason.OVERRIDDEN, at, "until_lowered")
    unknown = {cause: (reason, at) for cause, (reason, _) in s.unknown.items()}  # its age restarts with this act
    changed = structs.replace(s, active=active, unknown=unknown, halted=s.halted or level == Level.HALT)
    new, move = _settle(changed, key, Reason.OVERRIDDEN, at, s)
    return new, move or Move("act", s.level, new.level, Reason.OVERRIDDEN, False)


def record_step(s: Standing, reason: Reason, author: str = "", passed: bool = True) -> Transition:
    """A step towards a release. Raises ControlRefused when there is no halt to lift or the author approved already."""
    if not s.halted:
        raise ControlRefused("pilot", Refusal.NOT_HALTED, "there is no halt that this could help to lift")
    lifting, number = s.lifting, s.counter + 1
    if reason == Reason.RECTIFICATION_RECORDED:
        lifting = Lifting(True, basis=number)  # approvals and evaluations are of the rectified system
    elif reason == Reason.EVALUATION_RECORDED:
        lifting = structs.replace(lifting, evaluated=passed, approvals=(), basis=number)
    else:
        if not lifting.rectified or not lifting.evaluated:
            missing = Refusal.EVALUATION_MISSING if lifting.rectified else Refusal.RECTIFICATION_MISSING
            raise ControlRefused("pilot", missing, "approve what was rectified and passed its re-evaluation")
        if author in lifting.approvals:
            raise ControlRefused("author", Refusal.SAME_APPROVER, "the two approvals must come from different people")
        if len(lifting.approvals) < APPROVALS:
            lifting = structs.replace(lifting, approvals=(*lifting.approvals, author))
    return structs.replace(s, lifting=structs.replace(lifting, last=number)), Move(
        "act", s.level, s.level, reason, False
    )


def release(s: Standing, at: int, reason: str = "") -> Transition:
    """Lift the halt. Raises ControlRefused that names the first missing step, or when the stop is not verified and no
    reason is given."""
    if not s.halted:
        raise ControlRefused("pilot", Refusal.NOT_HALTED, "there is no halt to lift")
    if not s.lifting.rectified:
        raise ControlRefused("pilot", Refusal.RECTIFICATION_MISSING, "record a rectification first")
    if not s.lifting.evaluated:
        raise ControlRefused("pilot", Refusal.EVALUATION_MISSING, "record a passed re-evaluation first")
    if len(s.lifting.approvals) < 2:
        raise ControlRefused(
            "pilot", Refusal.APPROVAL_MISSING, f"{2 - len(s.lifting.approvals)} more approver(s) needed"
        )
    if s.halt_state.state != "verified" and not reason.strip():
        raise ControlRefused(
            "reason",
            Refusal.HALT_NOT_VERIFIED,
            f"the halt is {stop_state(s.halt_state.state)}; give a reason why it is released all the same",
        )
    unknown = {cause: (reason, at) for cause, (reason, _) in s.unknown.items()}  # its age restarts with the release
    new = Standing(since=at, counter=s.counter, unknown=unknown, restart=s.restart + 1, ordered=s.ordered)
    return new, Move("level", Level.HALT, Level.NORMAL, Reason.RELEASED, False)


def shelve(s: Standing, key: str, until: int, at: int) -> Transition:
    """Shelve an active finding until `until` (ms): it no longer raises the level, and its detector continues.

    Raises ControlRefused for a finding that is not active, and for one that halts or reports on a halt.
    """
    active = s.active.get(key)
    if active is None:
        more = f" and {len(s.active) - LISTED} more" if len(s.active) > LISTED else ""
        there = (", ".join(sorted(s.active)[:LISTED]) or "none") + more
        raise ControlRefused("finding", Refusal.NOT_ACTIVE, f"there is no active finding {key!r}; active: {there}")
    if s.halted or active.level == Level.HALT or key.startswith("halt/"):
        raise ControlRefused("finding", Refusal.NEVER_A_HALT, "a halt is not shelved; it is lifted by a release")
    shelved = {**s.shelved, key: Shelf(until, active.level)}
    return _settle(structs.replace(s, shelved=shelved), key, Reason.SHELVED, at, s)


def unshelve(s: Standing, key: str, at: int) -> Transition:
    """The time of a shelf has passed: its finding, if it is still active, raises the level again."""
    shelved = {k: v for k, v in s.shelved.items() if k != key}
    return _settle(structs.replace(s, shelved=shelved), key, Reason.UNSHELVED, at, s)


def with_approvals(s: Standing, approvals: tuple[str, ...]) -> Standing:
    """The standing with these approvals of a release."""
    return structs.replace(s, lifting=structs.replace(s.lifting, approvals=approvals))


def _new_ground(s: Standing) -> Lifting:
    """No step of a release is recorded: the next record is a new ground for the halt."""
    return Lifting(basis=s.counter + 1, last=s.counter + 1)


def _to_be_seen(s: Standing) -> Lifting:
    """A release is valid only if its author saw the next record."""
    return structs.replace(s.lifting, last=s.counter + 1)


def _settle(s: Standing, key: str, reason: Reason, at: int, before: Standing) -> Transition:
    """Recompute the level after the active findings changed."""
    up = (a.level for k, a in s.active.items() if k not in s.shelved)
    level = Level.HALT if s.halted else max(up, default=Level.NORMAL)
    if level == before.level:
        return structs.replace(s, level=level), Move("finding", level, level, reason, False)
    raised = level > before.level
    lifting = _new_ground(s) if level == Level.HALT else s.lifting
    s = structs.replace(s, level=level, since=at, first_out=key if raised else "", lifting=lifting)
    return s, Move("level", before.level, level, reason, raised)
