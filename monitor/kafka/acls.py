"""Access control on the topics: one list of grants, printed as commands of `kafka-acls.sh`.

A firm may write its own telemetry topic and no other. Each other user gets what its role needs, and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from monitor.kafka.topics import TopicNames

Resource: TypeAlias = Literal["topic", "group", "transactional-id"]


class Grant(Struct, frozen=True):
    """`user` may do `operations` (Kafka's names) on a `resource`, or on all with that prefix (`prefixed`)."""

    user: str
    operations: tuple[str, ...]
    resource: Resource
    name: str
    prefixed: bool = False

    def command(self, bootstrap: str) -> str:
        """The line of `kafka-acls.sh` that grants it."""
        parts = [f"kafka-acls.sh --bootstrap-server {bootstrap} --add --allow-principal User:{self.user}"]
        parts += [f"--operation {operation}" for operation in self.operations]
        parts.append(f"--{self.resource} {self.name}")
        return " ".join(parts + ["--resource-pattern-type prefixed"] * self.prefixed)


def grants(prefix: str, group: str, participants: Sequence[str], users: AclUsers) -> Iterator[Grant]:
    """Every grant of a deployment; a participant's user has the participant's name."""
    n = TopicNames(prefix)
    for firm in participants:
        # By its full name: a prefix would let `acme` write for `acme-2`.
        yield Grant(firm, ("Write",), "topic", f"{prefix}.telemetry.{firm}")
        yield from (Grant(firm, ("Read",), "topic", topic) for topic in (n.commands, n.permits))
    worker = users.worker
    yield Grant(worker, ("Read",), "topic", f"{prefix}.telemetry", prefixed=True)
    yield Grant(worker, ("Read",), "topic", n.control)
    yield from (Grant(worker, ("Read", "Write"), "topic", topic) for topic in (n.journal, n.state))
    outputs = (n.rejected, n.decisions, n.commands, n.permits, n.evidence)
    yield from (Grant(worker, ("Write",), "topic", topic) for topic in outputs)
    # It refuses topics with other settings.
    yield Grant(worker, ("DescribeConfigs",), "topic", f"{prefix}.", prefixed=True)
    yield Grant(worker, ("Read",), "group", group)
    yield Grant(worker, ("Write",), "transactional-id", f"{group}-", prefixed=True)
    read = (n.decisions, n.commands, n.evidence, n.control)
    yield from (Grant(users.reader, ("Read",), "topic", topic) for topic in read)
    yield Grant(users.regulator, ("Write",), "topic", n.control)
    yield from (Grant(users.regulator, ("Read",), "topic", topic) for topic in (n.decisions, n.rejected))


class AclUsers(Struct, frozen=True):
    """Names of the other users: workers; readers of outputs (notary with its board, actors); the authority's tools."""

    worker: str = "monitor"
    reader: str = "reader"
    regulator: str = "regulator"
