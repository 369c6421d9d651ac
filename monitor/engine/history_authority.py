"""Follows who may act in a partition, for the history of single pilots: the configuration of the sandbox as it changes,
and the applications of every firm, with the code that the machine uses. Pure.

The acts on the configuration are not part of such a history: they hold names and contacts of people of the authorities,
and proposals that were never approved. In their place stands each configuration that came into force, without what
nothing depends on (`monitor.lifecycle.sandbox.without_contacts`), and a commitment to the act that put it in force.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from monitor.charter.control import Admission, ControlBase
from monitor.charter.spec import Charter
from monitor.decide.signatures import signature_of
from monitor.engine.acts import ControlActs
from monitor.engine.applications import APPLICATION_ACTS
from monitor.engine.aside import PilotsAside
from monitor.engine.history import ConfigurationLine, ControlLine, record_of
from monitor.engine.partition import Partition
from monitor.errors import ControlRefused, Forged
from monitor.lifecycle.sandbox import Sandbox, without_contacts
from monitor.lifecycle.sandbox_acts import configuration_digest
from monitor.model.records import Claim, Outputs, Record
from monitor.model.signing import Trusted
from monitor.model.subjects import firm_subject
from monitor.state.firm_file import ClassInForce
from monitor.state.pilot import PilotState

DOMAIN = b"sandbox-history/2 configuration\n"


class AuthorityFollower:
    """The authority of one partition, from its claims and control records in their order. `sandbox` is the
    configuration in force."""

    def __init__(self, partition: int = 0) -> None:
        self._partition = Partition(partition, 0, resident=1, hot=1, service=False)
        aside = PilotsAside(self._partition)
        self._acts = ControlActs(self._partition, aside, _at_once, None, None)
        self._firms: dict[str, str] = {}  # admitted pilot to participant
        self._keys: dict[str, set[str]] = {}  # pilot to the keys of all its charters

    @property
    def sandbox(self) -> Sandbox | None:
        """The configuration in force; `None` before the founding."""
        return self._partition.sandbox.sandbox

    def claim(self, claim: Claim) -> None:
        """Another owner judges signatures by what its claim says."""
        self._acts.trust(Trusted(claim.admitters) if claim.admitters else None, claim.open_mode)

    def configuration(self, act: ControlBase, line: ControlLine) -> ConfigurationLine | None:
        """Step an act on the sandbox. Returns the line of the configuration that it put in force, if it did."""
        record, before = record_of(line), self.sandbox
        if not self._accepted(act, record) or (new := self.sandbox) is before or new is None:
            return None
        return ConfigurationLine(
            offset=line.offset,
            received=line.received,
            at=self._partition.subject.at,
            sandbox=without_contacts(new),
            digest=configuration_digest(new),
            commitment=commitment(record),
        )

    def firm_act(self, act: ControlBase, line: ControlLine) -> None:
        """Step an act on a firm. It has no line: what depends on it is with the acts on pilots (`in_force`)."""
        self._accepted(act, record_of(line))

    def in_force(self, act: ControlBase) -> ClassInForce | None:
        """The class of the firm of the pilot that an act is on; `None` while none was set."""
        applicant = self._partition.applications.get(act.pilot)
        firm = self._firms.get(act.pilot) or ("" if applicant is None else applicant.firm)
        file = self._partition.firms.get(firm_subject(firm))
        return None if file is None or not file.firm_class else ClassInForce(firm, file.firm_class, file.open)

    def shown(self, act: ControlBase, line: ControlLine) -> ControlLine | None:
        """Step an act on a pilot. Returns its line for the history of that pilot.

        `None` for an act before the admission that was refused: it may be of another firm that wanted the same name, or
        have been refused because of the applications of others, and it changed nothing. After the admission a charter
        of another firm is withheld."""
        firm = self._firms.get(act.pilot)
        if isinstance(charter := getattr(act, "charter", None), Charter):
            named = (key for reporter in charter.reporters or () for key in reporter.keys)
            self._keys.setdefault(act.pilot, set()).update(charter.participant.keys, named)
        if firm is None:
            if isinstance(act, (Admission, *APPLICATION_ACTS)) and not self._accepted(act, record_of(line)):
                return None
            if isinstance(act, Admission):
                self._firms[act.pilot] = act.charter.participant.id
                self._partition.drop(act.pilot)
            return line
        if not isinstance(charter, Charter) or charter.participant.id == firm:
            return line
        if isinstance(act, Admission):
            return None  # refused before anything else
        return ControlLine(offset=line.offset, received=line.received, key=act.pilot, withheld=True)

    def signed_by(self, record: Record, pilots: Iterable[str]) -> str:
        """The id of the key of one of these pilots' charters that signed a record of telemetry; "" for none."""
        keys = {key for pilot in pilots for key in self._keys.get(pilot, ())}
        try:
            return Trusted(sorted(keys)).verify("telemetry", record.value or b"", signature_of(record))
        except (Forged, ValueError):
            return ""

    def firm(self, pilot: str) -> str | None:
        """The participant that runs an admitted pilot."""
        return self._firms.get(pilot)

    def _accepted(self, act: ControlBase, record: Record) -> bool:
        try:
            self._acts.step(act, record, Outputs())
        except (ControlRefused, Forged):
            return False
        return True


def commitment(record: Record) -> str:
    """Binds to a signed control record without showing it: SHA-256 (hex) of a domain, the SHA-256 of its signature as
    the header has it, and its value. The signature is left out of the history and cannot be guessed, so neither can the
    value. "" without a signature: a digest of the value alone would let its reader test guesses of a contact.

    >>> commitment(Record(0, 0, None, b"{}"))
    ''
    """
    signature = signature_of(record)
    if not signature:
        return ""
    salt = hashlib.sha256(signature.encode("latin-1")).digest()
    return hashlib.sha256(DOMAIN + salt + (record.value or b"")).hexdigest()


def _at_once(pilot: PilotState, received: int, out: Outputs) -> int:
    """Pilots have no timers here."""
    return received
