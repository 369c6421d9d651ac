"""Which firm runs a pilot, and with which keys it signs: from acts on `control` and the decisions that they caused."""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct, structs

from monitor.charter.control import Admission, Amendment, ControlBase, Submission
from monitor.charter.spec import hash_of
from monitor.kafka.sandbox_people import SandboxPeople
from monitor.model.records import Decision, Reason
from monitor.model.subjects import is_model
from monitor.projections.charter_record import CAUSES

SUBMISSIONS = 10_000  # the newest ones are kept: everybody may apply
_LEARNT = (*CAUSES, Reason.APPLICATION_SUBMITTED)


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
        self._people = SandboxPeople()
        self._submitted: OrderedDict[tuple[str, str], FirmOfPilot] = OrderedDict()  # (pilot, act), taken or not

    def act(self, act: ControlBase) -> None:
        """Learn the charter, or the configuration, that an act asks for."""
        self._people.act(act)
        if not isinstance(act, Admission | Amendment | Submission):
            return
        charter = structs.replace(act.charter, pilot=act.pilot)
        digest = hash_of(charter)
        if digest is not None:
            firm = FirmOfPilot(charter.participant.id, tuple(charter.participant.keys))
            if isinstance(act, Submission):
                self._submitted[act.pilot, act.id] = firm
                while len(self._submitted) > SUBMISSIONS:
                    self._submitted.popitem(last=False)
                return
            self._asked[act.pilot, act.id, digest] = firm

    def decision(self, decision: Decision) -> None:
        """Learn which charter or configuration came into force, or which application was accepted."""
        self._people.decision(decision)
        if decision.reason not in _LEARNT:
            return
        standing, *_ = self._in_force.get(decision.pilot, (-1,))
        if decision.standing > standing:
            cause = decision.cause.removeprefix("control:")
            self._in_force[decision.pilot] = (decision.standing, cause, decision.charter)

    def of(self, pilot: str) -> FirmOfPilot | None:
        """The firm of a pilot that was admitted, or that applied; None where there is none, or its charter was not read
        yet."""
        found = self._in_force.get(pilot)
        if found is None:
            return None
        _, act, digest = found
        return self._asked.get((pilot, act, digest)) or self._submitted.get((pilot, act))

    def keys_of(self, participant: str) -> frozenset[str]:
        """The keys of all pilots of a firm."""
        firms = (self.of(pilot) for pilot in self._in_force)
        return frozenset(key for firm in firms if firm and firm.participant == participant for key in firm.keys)

    def channel_keys(self, author: str) -> tuple[str, ...]:
        """The public keys of a public channel in the configuration in force; none for everybody else."""
        return self._people.channel_keys_of(author)

    def applicant(self, pilot: str, act: str) -> FirmOfPilot | None:
        """The firm that sent this application, whether it was accepted or not; None where it is not known."""
        return self._submitted.get((pilot, act))

    def third_party(self, subject: str, name: str) -> FirmOfPilot | None:
        """A supplier or evaluator, for acts on the file of a model; None for everybody else, and on a pilot."""
        keys = self._people.keys_of(name) if is_model(subject) else ()
        return FirmOfPilot(name, tuple(keys)) if keys else None
