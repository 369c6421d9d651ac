"""Recent decisions of each pilot and rejections of its acts: the outcome of an act, and what an author must know."""

from __future__ import annotations

from collections import OrderedDict, deque

from msgspec import Struct

from monitor.model.records import Decision, Reason, Rejected
from monitor.projections.known_state import KnownState, known_of
from monitor.validate.rejections import RejectionReason

PILOTS, DECISIONS, REJECTIONS = 50_000, 64, 32


class Outcome(Struct, frozen=True, omit_defaults=True):
    """As `/v1/acts` of the embedded monitor answers: see `monitor/client/control.py`."""

    decision: Decision | None = None
    rejected: Rejected | None = None
    repeated: bool = False


class _Recent:
    def __init__(self) -> None:
        self.decisions: deque[Decision] = deque(maxlen=DECISIONS)
        self.rejected: deque[Rejected] = deque(maxlen=REJECTIONS)


class OutcomeMemory:
    """Of the `PILOTS` pilots with the latest records, the last `DECISIONS` and `REJECTIONS` of each."""

    def __init__(self, control: str) -> None:
        self._control = control
        self._of: OrderedDict[str, _Recent] = OrderedDict()

    def decision(self, decision: Decision) -> None:
        """Remember a decision."""
        self._recent(decision.pilot).decisions.append(decision)

    def rejected(self, rejected: Rejected) -> None:
        """Remember the rejection of an act."""
        if rejected.topic == self._control:
            self._recent(rejected.pilot).rejected.append(rejected)

    def _recent(self, pilot: str) -> _Recent:
        found = self._of.setdefault(pilot, _Recent())
        self._of.move_to_end(pilot)
        if len(self._of) > PILOTS:
            self._of.popitem(last=False)
        return found

    def known(self, pilot: str) -> KnownState | None:
        """The recorded state of a pilot."""
        found = self._of.get(pilot)
        return None if found is None else known_of(found.decisions)

    def newest(self, pilot: str, reason: Reason) -> Decision | None:
        """The newest decision with this reason among the last ones."""
        found = self._of.get(pilot)
        of_reason = (one for one in found.decisions if one.reason is reason) if found else ()
        return max(of_reason, key=lambda one: one.standing, default=None)

    def outcome(self, pilot: str, name: str, partition: int, offset: int) -> Outcome | None:
        """The outcome of the act with the id `name` at this place of control; for a copy, that of the first one. None
        while there is none."""
        found = self._of.get(pilot)
        if found is None:
            return None
        mine = next((r for r in found.rejected if (r.partition, r.offset) == (partition, offset)), None)
        taken = next((d for d in found.decisions if d.author and d.cause == f"control:{name}"), None)
        if mine is None:
            return None if taken is None else Outcome(decision=taken)
        if mine.reason != RejectionReason.REPEATED.value:
            return Outcome(rejected=mine)
        return Outcome(rejected=mine, repeated=True) if taken is None else Outcome(decision=taken, repeated=True)
