"""The country in one process: the state machines of two partitions, without logs. To try a script within seconds."""

from __future__ import annotations

from pathlib import Path

import msgspec

from monitor.charter.act_base import ControlBase
from monitor.charter.control import Admission
from monitor.charter.spec import Charter, charter_hash
from monitor.engine.machine import Machine
from monitor.lifecycle.sandbox import SUBJECT
from monitor.model.builders import packed
from monitor.model.events import Envelope
from monitor.model.records import Closed, Command, Decision, Evidence, Outputs, Record, Rejected
from monitor.model.signing import HEADER, Signer, Trusted
from monitor.notary.charters import CharterKey
from monitor.notary.evidence_entries import EvidenceGatherer
from monitor.notary.notary import Notary
from monitor.sdk.kafka_link import HEADERS, partition_of
from tests.country.compared import folded
from tests.country.ledgers import Body, Ledgers, read_ledgers
from tests.country.nation import ADMITTER, key

PARTITIONS = 2
HOUR_MS = 3_600_000


class InProcess:
    """See `Runtime`. Two machines, stepped at once; the ledger is written at the end, in `home`."""

    def __init__(self, home: Path, partitions: int = PARTITIONS) -> None:
        self.ledger = home / "ledger"
        self._charters: dict[CharterKey, Charter] = {}
        self.machines = [self._machine(number) for number in range(partitions)]
        self._fresh = [Outputs() for _ in self.machines]
        self.all = Outputs()
        self._now, self._offset = 0, 0

    def _machine(self, number: int) -> Machine:
        machine = Machine(number, 1, keyed=True, admitters=Trusted([key(ADMITTER).public]))
        machine.gap_ms = 14 * HOUR_MS  # type: ignore[misc]
        return machine

    def at(self, now: int) -> None:
        self._now = max(now, self._now + 1)

    def telemetry(self, pilot: str, events: list[Envelope], signer: Signer) -> None:
        body = packed(events)
        self._now += 1
        headers = (*HEADERS, (HEADER, signer.sign("telemetry", body).encode()))
        record = Record(self._next(), self._now, pilot.encode(), body, tuple(headers))
        number = partition_of(pilot, len(self.machines))
        self._fresh[number].extend(self.machines[number].telemetry("telemetry", [record]))

    def control(self, act: ControlBase, signer: Signer) -> None:
        self._now += 1
        body = msgspec.json.encode(act)
        if isinstance(act, Admission):
            self._charters[act.id, charter_hash(act.charter)] = act.charter
        record = Record(
            self._next(), self._now, act.pilot.encode(), body, ((HEADER, signer.sign("control", body).encode()),)
        )
        to = range(len(self.machines)) if act.pilot == SUBJECT else [partition_of(act.pilot, len(self.machines))]
        for number in to:
            self._fresh[number].extend(self.machines[number].control(record))

    def settle(self) -> tuple[list[Decision], list[Command], list[Rejected]]:
        self._now += 1_000
        decisions: list[Decision] = []
        commands: list[Command] = []
        rejected: list[Rejected] = []
        for number, machine in enumerate(self.machines):
            out = self._fresh[number]
            out.extend(machine.time(self._now))
            decisions += out.decisions
            commands += out.commands
            rejected += out.rejected
            self.all.extend(out)
            self._fresh[number] = Outputs()
        return decisions, commands, rejected

    def found(self, act: ControlBase, signer: Signer) -> None:
        """Found the sandbox."""
        self.control(act, signer)

    def stepped(self) -> int:
        """Events that the machines stepped."""
        return sum(machine.events for machine in self.machines)

    def firms(self) -> list[Body]:
        """Records and classes of all firms."""
        return folded(self.all)

    def ledgers(self) -> Ledgers:
        """What a notary enters."""
        notary, gatherer = Notary(self.ledger), EvidenceGatherer()
        notary.record(self.all.decisions, charters=self._charters)
        closed: list[Evidence | Closed] = [*self.all.evidence, Closed(partition=0, through=self._now)]
        groups = [group for place, one in enumerate(closed) for group in gatherer.take(place, one)]
        notary.record_evidence(groups)
        notary.close()
        return read_ledgers(self.ledger)

    def _next(self) -> int:
        self._offset += 1
        return self._offset
