"""Which firm runs a pilot, and with which keys it signs: from acts on `control` and the decisions that they caused."""

from __future__ import annotations

from msgspec import Struct, structs

from monitor.charter.control import Admission, Amendment, ControlBase
from monitor.charter.spec import hash_of
from monitor.model.records import Decision
from monitor.projections.charter_record import CAUSES


class FirmOfPilot(Struct, frozen=True):
    """The participant of the charter in force, and its public keys."""

    participant: str
    keys: tuple[str, ...]


class FirmDirectory:
    """Feed it acts and decisions in any order, with repeats. A refused act caused no decision and counts for nothing;
    a copy of one with another charter has another hash."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str, str], FirmOfPilot] = {}  # (pilot, act, hash of the charter)
        self._in_force: dict[str, tuple[int, str, str]] = {}  # pilot: standing, act, hash

    def act(self, act: ControlBase) -> None:
        """Learn the charter that an act asks for."""
        if not isinstance(act, Admission | Amendment):
            return
        charter = structs.replace(act.charter, pilot=act.pilot)
        digest = hash_of(charter)
        if digest is not None:
            firm = FirmOfPilot(charter.participant.id, tuple(charter.participant.keys))
            self._asked[act.pilot, act.id, digest] = firm

    def decision(self, decision: Decision) -> None:
        """Learn which charter came into force."""
        if decision.reason not in CAUSES:
            return
        standing, *_ = self._in_force.get(decision.pilot, (-1,))
        if decision.standing > standing:
            cause = decision.cause.removeprefix("control:")
            self._in_force[decision.pilot] = (decision.standing, cause, decision.charter)

    def of(self, pilot: str) -> FirmOfPilot | None:
        """The firm of a pilot that was admitted; None where there is none, or its charter was not read yet."""
        found = self._in_force.get(pilot)
        return None if found is None else self._asked.get((pilot, *found[1:]))
