"""What became of an act, as its command prints it: taken, refused with the reason and the fix, or not decided yet."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from monitor.charter.control import ControlBase
from monitor.cli.step_lines import step_lines
from monitor.cli.terminal import echo
from monitor.client.control import Outcome
from monitor.model.records import Decision, Rejected
from monitor.model.refusals import Refusal
from monitor.model.subjects import is_pilot
from monitor.model.telemetry_problems import FIXES
from monitor.projections.wording import REASONS, level_word
from monitor.translation import current, mark, tr
from monitor.validate.rejections import RejectionReason


def say_json(kind: str, act: ControlBase, answer: Outcome | None) -> None:
    """Print the outcome as one JSON object. Exits with 1 where the act has no effect."""
    fields: dict[str, Any] = {"act": kind, "pilot": act.pilot, "id": act.id, "outcome": "pending", "repeated": False}
    if answer is not None:
        refused, taken = answer.rejected, answer.decision
        effect = taken is not None or in_force(refused)
        found = msgspec.to_builtins({"decision": taken, "rejected": refused})
        fields |= {"outcome": "taken" if effect else "refused", "repeated": answer.repeated}
        fields |= {name: value for name, value in found.items() if value is not None}
        if not effect and refused is not None:
            fields["fix"] = FIXES.get(refused.reason, "")
    echo(msgspec.json.encode(fields).decode())
    if fields["outcome"] == "refused":
        raise SystemExit(1)


def say(kind: str, act: ControlBase, answer: Outcome | None, wait: float) -> None:
    """Print the outcome in words. Raises click.ClickException where the act has no effect."""
    echo(f"{kind} {act.pilot} {act.id}")
    if answer is not None and answer.repeated and not in_force(answer.rejected):
        echo(tr("repeated: an act with this id was decided before; this copy has no effect"))
    if answer is not None and answer.decision is not None:
        _say_taken(answer.decision, answer.repeated)
    elif answer is not None and answer.rejected is not None:
        refused = answer.rejected
        if in_force(refused):
            echo(tr("already taken: {detail}", detail=refused.detail.removeprefix("repeated: ")))
            return
        raise click.ClickException(refusal_line(kind, act.pilot, refused))
    else:
        waited = tr("not decided within {seconds} s", seconds=f"{wait:g}") if wait else tr("outcome not awaited")
        said = tr("durable on control, {waited}: see the board, or `rejections {pilot}`", waited=waited,
                  pilot=act.pilot)  # fmt: skip
        echo(said, err=True)


def _say_taken(taken: Decision, repeated: bool) -> None:
    was, level = level_word(taken.was), level_word(taken.level)
    reason = taken.reason.value if current() == "en" else tr(REASONS[taken.reason])
    named = {"number": taken.standing, "pilot": taken.pilot, "reason": reason, "level": level}
    named["signed"] = tr("signed by key {key}", key=taken.signed) if taken.signed else tr("not signed")
    if not is_pilot(taken.pilot):
        said = tr("taken: {reason}; decision {number} of {pilot}, {signed}", **named)
    elif was != level:
        said = tr("taken: {reason}, {was} -> {level}; decision {number} of {pilot}, {signed}", was=was, **named)
    else:
        said = tr("taken: {reason}, stays at {level}; decision {number} of {pilot}, {signed}", **named)
    echo(tr("already {taken}", taken=said) if repeated else said)
    for line in step_lines(taken):
        echo(line)


def refusal_line(kind: str, pilot: str, refused: Rejected) -> str:
    """What was refused, why, and what to do, in one line."""
    if refused.reason == RejectionReason.REPEATED.value:
        return tr("no effect: the first act with this id is too old to show its outcome; use a new --id")
    more = " (--reason)" if refused.detail.startswith(Refusal.HALT_NOT_VERIFIED.value) else ""
    why = " ".join(f"{refused.reason}, {refused.field}: {refused.detail}{more}".split())
    fix = _ACT_FIXES.get(refused.reason) or FIXES.get(refused.reason, "")
    fix = tr(fix).replace("PILOT", pilot)
    return tr("{act} of {pilot}: no effect: {why}. Fix: {fix}", act=kind, pilot=pilot, why=why.rstrip("."), fix=fix)


_ACT_FIXES = {
    RejectionReason.FORGED.value: mark(
        "Give --key with the key file of the author, as the charter or sandbox names it."
    ),
}


def in_force(refused: Rejected | None) -> bool:
    """Whether an admission was refused because the same charter by the same author is in force."""
    return refused is not None and refused.reason == RejectionReason.REPEATED.value and refused.field == "charter"
