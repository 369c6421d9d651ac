"""The records that outputs become: topic, key, value and headers, in the order of writing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from monitor.kafka.output_routes import OutputRoutes
from monitor.kafka.output_signer import Headers, OutputSigner
from monitor.kafka.topics import TopicNames
from monitor.model.records import Closed, Command, Outputs
from monitor.model.shadow_records import ShadowDecision
from monitor.model.signing import OutputKind

Line = tuple[str, bytes | None, bytes | None, Headers]  # topic, key, value, headers


class OutputLines:
    """The lines of one owner. `routes` says where commands and permits go."""

    def __init__(self, names: TopicNames, routes: OutputRoutes, signer: OutputSigner) -> None:
        self.names, self.routes = names, routes
        self._signer = signer

    def line(self, kind: OutputKind, topic: str, epoch: int, key: bytes | None, value: bytes | None) -> Line:
        """One record with its headers. Call in the order of writing: signatures are numbered."""
        return topic, key, value, self._signer.headers(kind, topic, epoch, key, value)

    def outputs(self, outputs: Outputs, epoch: int) -> Iterator[Line]:
        """All outputs of a write; commands and permits for each topic that they go to."""
        encode, names, line, participants = msgspec.json.encode, self.names, self.line, outputs.participants
        for rejected in outputs.rejected:
            yield line("rejected", names.rejected, epoch, rejected.pilot.encode() or None, encode(rejected))
        for decision in outputs.decisions:
            yield line("decision", names.decisions, epoch, decision.pilot.encode(), encode(decision))
        for command in outputs.commands:
            yield from self.command(command, self.routes.commands(participants.get(command.pilot, "")), epoch)
        for permit in outputs.permits:
            for topic in self.routes.permits(participants.get(permit.pilot, "")):
                yield line("permit", topic, epoch, permit.pilot.encode(), encode(permit))
        for item in outputs.evidence:
            if isinstance(item, Closed):
                yield line("closed", names.evidence, epoch, None, encode(item))
            else:
                yield line("evidence", names.evidence, epoch, item.pilot.encode(), encode(item))
        for shadow in outputs.shadows:
            kind: OutputKind = "shadow_decision" if isinstance(shadow, ShadowDecision) else "shadow_summary"
            yield line(kind, names.shadow, epoch, shadow.pilot.encode(), encode(shadow))

    def command(self, command: Command, topics: Iterable[str], epoch: int) -> Iterator[Line]:
        """One command for each of these topics."""
        raw = msgspec.json.encode(command)
        for topic in topics:
            yield self.line("command", topic, epoch, command.pilot.encode(), raw)
