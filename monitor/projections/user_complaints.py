"""Complaints of users that wait for an answer, folded from decisions. Pure.

That such a deadline runs, or was met, is no decision (there may be thousands), so it is computed here: the charter
promises an answer within a time after the complaint was received. A miss is a separate decision.

Bounded: `OPEN` complaints that wait, over all pilots; further ones are counted.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from msgspec import UNSET, Struct

from monitor.charter.spec import Charter
from monitor.model.bounds import short
from monitor.model.periods import parse_span
from monitor.model.records import Decision, Reason

OPEN = 200_000
_SETTLES = (Reason.COMPLAINT_ANSWERED, Reason.COMPLAINT_WITHDRAWN)


class WaitingComplaints(Struct):
    """Complaints of one report that wait: `filed` (ms) is when it was received, `standing` its decision's number."""

    pilot: str
    filed: int
    standing: int
    ids: set[str]


class AnswerOwed(Struct, frozen=True, kw_only=True):
    """`complaints` of one report that wait for an answer: `filed` (ms) is when they were received, `standing` the
    number of that decision. `due` (ms) is the first instant that is too late; `None` without a promise, or where the
    charter could not be read."""

    complaints: int
    filed: int
    standing: int
    due: int | None = None


def answer_due(plan: Charter | None, filed: int) -> int | None:
    """When the answer to a complaint that was received at `filed` (ms) is due; `None` where none is promised."""
    channel = UNSET if plan is None else plan.users_channel
    if channel is UNSET or channel.answer_within is None:
        return None
    return parse_span(channel.answer_within).after(filed)


def answers_owed(
    waiting: Iterable[WaitingComplaints], missed: Container[str], plan: Charter | None = None
) -> tuple[AnswerOwed, ...]:
    """What waits for an answer, in the order given, without complaints of which a deadline stands in a decision
    (`missed`: their keys, as `short` writes them)."""
    rows = ((sum(short(name) not in missed for name in one.ids), one) for one in waiting)
    return tuple(
        AnswerOwed(complaints=n, filed=one.filed, standing=one.standing, due=answer_due(plan, one.filed))
        for n, one in rows
        if n
    )


class UserComplaintsFold:
    """Give it each decision of a pilot once, in order. `left_out` complaints are beyond the bound."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[WaitingComplaints]] = {}  # by pilot, oldest first
        self.left_out = 0
        self._open = 0

    def decide(self, decision: Decision) -> None:
        """Add a decision on a pilot."""
        content = decision.finding.content
        if decision.reason in (Reason.EXITED, Reason.CLOSED):
            self.forget(decision.pilot)
            return
        if content is UNSET or decision.reason not in (Reason.COMPLAINT_FILED, *_SETTLES):
            return
        named = content.get("complaints", ())
        ids = {str(one) for one in named} if isinstance(named, tuple | list) else set()
        if decision.reason is Reason.COMPLAINT_FILED:
            self._file(decision, ids)
        else:
            self._settle(decision.pilot, ids)

    def forget(self, pilot: str) -> None:
        """Forget a pilot that left, or is no longer shown."""
        self._open -= sum(len(one.ids) for one in self.waiting.pop(pilot, ()))

    def of(self, pilot: str) -> list[WaitingComplaints]:
        """What waits for an answer about one pilot, oldest first."""
        return self.waiting.get(pilot, [])

    def _file(self, decision: Decision, ids: set[str]) -> None:
        if self._open + len(ids) > OPEN:
            self.left_out += len(ids)
            return
        self._open += len(ids)
        made = WaitingComplaints(decision.pilot, decision.at, decision.standing, ids)
        self.waiting.setdefault(decision.pilot, []).append(made)

    def _settle(self, pilot: str, ids: set[str]) -> None:
        kept = []
        for one in self.waiting.get(pilot, ()):
            self._open -= len(one.ids & ids)
            one.ids -= ids
            if one.ids:
                kept.append(one)
        if kept:
            self.waiting[pilot] = kept
        else:
            self.waiting.pop(pilot, None)
