"""Who sent a record of telemetry: the firm, by one of its keys, or a reporter whom the charter names. Pure.

Where the charter names keys of the firm, every record must be signed; one signature covers all events of a record, so
each record is verified once. An event of a record that is not signed by a sender of the charter is rejected as
`forged`: it counts nowhere and no rule acts on it.

Sequence numbers belong to a sender: the names of a reporter's sources are separate (`Sender.named`), so no sender can
use up the numbers of another, and `monitor/state/sequences.py` binds each source to the key that signed it.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from msgspec import structs

from monitor.compile.plan import Plan
from monitor.decide.signatures import SIGNED_EVENTS, signature_of
from monitor.errors import Forged
from monitor.model.events import (
    BoundaryBreached,
    ClaimClosed,
    ClaimFiled,
    ComplaintFiled,
    ComplaintResolved,
    ComplaintWithdrawn,
    Envelope,
    IncidentReported,
    IncidentUpdated,
)
from monitor.model.records import RULES, AttestedRecord, Record
from monitor.model.refusals import Forgery
from monitor.model.signing import Trusted
from monitor.validate.parse import mode_of

REPORTS = (
    IncidentReported, IncidentUpdated, ComplaintFiled, ComplaintResolved, ComplaintWithdrawn, BoundaryBreached,
    ClaimFiled, ClaimClosed,
)  # fmt: skip
PREFIX = "reporter:"  # of the sources of reporters
E = TypeVar("E", bound=Envelope)


class Sender(NamedTuple):
    """Who sent a record: `key` is a number made of the id of the key that signed it (0: none had to), `reporter` the
    reporter's id in the charter, empty for the firm."""

    key: int = 0
    reporter: str = ""

    def named(self, event: E) -> E:
        """The event with the name that its source has in the pilot's state.

        No name that the firm chooses is one of a reporter's.
        """
        if self.reporter:
            return structs.replace(event, source=f"{PREFIX}{self.reporter}/{event.source}")
        if self.key and event.source.startswith(PREFIX):
            return structs.replace(event, source=f"firm:{event.source}")
        return event


ANYBODY = Sender()  # of a record that need not be signed


class Senders:
    """Verifies the records of one partition. `rules`: those of the claim in force (`monitor.model.records.Claim`).
    `verify` False: the signatures are not contained in what is replayed, so each event counts as the firm's."""

    def __init__(self, rules: int = RULES) -> None:
        self.rules = rules
        self.verify = True
        # By record and plan, which are kept so that their ids are not used again.
        self._judged: dict[tuple[int, int], tuple[Record, Plan, Sender | Forgery]] = {}

    def sender(self, plan: Plan, record: Record, event: Envelope) -> Sender | Forgery:
        """Who sent this event of `record`, or why it is forged."""
        if not (plan.signed and self.verify) or (self.rules < 2 and not isinstance(event, SIGNED_EVENTS)):
            return ANYBODY
        found = self._of(plan, record)
        if isinstance(found, Sender) and found.reporter and not isinstance(event, REPORTS):
            return Forgery.KEY_OF_A_REPORTER
        return found

    def refused(self, plan: Plan, record: Record) -> bool:
        """Whether no event of `record` can be accepted."""
        return plan.signed and self.verify and self.rules >= 2 and isinstance(self._of(plan, record), Forgery)

    def forget(self) -> None:
        """Forget what was verified; the records may be freed."""
        if self._judged:
            self._judged.clear()

    def _of(self, plan: Plan, record: Record) -> Sender | Forgery:
        name = id(record), id(plan)
        known = self._judged.get(name)
        if known is None:
            known = self._judged[name] = record, plan, self._verified(plan, record)
        return known[2]

    def _verified(self, plan: Plan, record: Record) -> Sender | Forgery:
        if self.rules < 2:
            trusted = plan.firm
        elif record.headers and mode_of(record) == "binary":
            return Forgery.ATTRIBUTES_NOT_SIGNED
        else:
            trusted = plan.senders
        try:
            key = _key(trusted, record)
        except Forged as error:
            return Forgery(error.reason)
        if self.rules < 2:
            return ANYBODY
        number = int(key[:8], 16) or 1
        return Sender(number, "" if key in plan.firm.ids else plan.reporters[key])


def _key(trusted: Trusted, record: Record) -> str:
    """The id of the trusted key that signed a record. Raises Forged."""
    if isinstance(record, AttestedRecord) and record.signed in trusted.ids:
        return record.signed
    return trusted.verify("telemetry", record.value or b"", signature_of(record))
