"""Access control on the topics: one list of grants. `topics acls` prints, checks and applies it.

A firm may write its telemetry and read its commands and permits, and reach nothing else. Each process and each tool of
the authority has a user with what its role needs, and no more. Creating topics, users and grants is the operator's, who
is a super user of the cluster and not among the grants. A grant implies `Describe` where Kafka does (for `Read` and
`Write`); an idempotent producer needs no operation on the cluster besides `Write` on its topic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct, structs

from monitor.errors import Refused
from monitor.kafka.topics import TopicNames

Resource: TypeAlias = Literal["topic", "group", "transactional-id", "cluster"]
OPERATIONS = ("Read", "Write", "Create", "Describe", "DescribeConfigs")
"""Kafka's names of all operations that any grant has."""
SUPER_USERS = ("operator", "broker", "admin", "ANONYMOUS")
"""Users that no list of grants may name: the operator's usual names, and Kafka's for a client without a login."""


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


class AclUsers(Struct, frozen=True):
    """Names of the authority's users: one for each kind of process, the people's tools, readers of outputs."""

    worker: str = "monitor"
    notary: str = "notary"
    act: str = "act"
    pool: str = "pool"
    gateway: str = "gateway"
    channel: str = "channel"
    regulator: str = "regulator"
    reader: str = "reader"


def grants(
    prefix: str, group: str, participants: Sequence[str], users: AclUsers, *, also_shared: bool = False
) -> Iterator[Grant]:
    """Every grant of a deployment; a participant's user has the participant's name. `also_shared`: firms may still use
    the shared topics, where each reads what all are sent; for a migration.

    Raises Refused for a participant that has the name of another user: it would have that user's grants.
    """
    names = TopicNames(prefix, also_shared=also_shared)
    if taken := sorted({*structs.astuple(users), *SUPER_USERS} & set(participants)):
        raise Refused(f"participant {taken[0]} has the name of a user of the authority; give that user another name")
    for firm in participants:
        yield from _firm(names, firm)
    yield from _worker(names, group, users.worker)
    yield from _pool(names, users.pool)
    shown = (names.decisions, names.evidence, names.control, names.journal, names.shadow, names.rejected)
    yield from _reads(users.notary, *shown)
    yield from _reads_each(users.notary, names.commands)
    # The second place of the newest signed checkpoint (`--newest-topic`): the notary creates the topic and checks it.
    yield Grant(users.notary, ("Create", "Read", "Write", "DescribeConfigs"), "topic", names.checkpoints)
    yield Grant(users.notary, ("Write",), "transactional-id", names.checkpoints)
    # The board asks whether the owner of a partition still writes: where the topic ends, not what is in it.
    yield Grant(users.notary, ("Describe",), "topic", names.state)
    # It reports telemetry that was deleted unread, and topics whose retention would: bounds and settings, no record.
    for name, prefixed in ((names.shared_telemetry, False), (f"{names.shared_telemetry}.", True)):
        yield Grant(users.notary, ("Describe", "DescribeConfigs"), "topic", name, prefixed)
    yield from _reads(users.act, names.decisions, names.control, names.journal)
    yield from _history(names, users.gateway)
    yield from _history(names, users.regulator)
    yield from _reads(users.regulator, names.evidence, names.shadow, f"{names.prefix}.pool.firms.state")
    for user in (users.gateway, users.regulator):
        yield Grant(user, ("Write",), "topic", names.control)
    # Reports of users: the channel writes them, the gateway forwards them; no firm has any right here.
    yield Grant(users.channel, ("Write",), "topic", names.users)
    yield Grant(users.gateway, ("Read",), "topic", names.users)
    yield Grant(users.gateway, ("Read",), "group", f"{prefix}-users")
    outputs = (names.decisions, names.evidence, names.rejected, names.control, names.journal, names.shadow)
    yield from _reads(users.reader, *outputs)
    yield from _reads_each(users.reader, names.commands)


def _firm(names: TopicNames, firm: str) -> Iterator[Grant]:
    # By their full names: a prefix would let `acme` write for `acme-2`.
    yield Grant(firm, ("Write",), "topic", names.telemetry_of(firm))
    yield from _reads(firm, names.commands_of(firm), names.permits_of(firm))
    if names.also_shared:
        yield Grant(firm, ("Write",), "topic", names.shared_telemetry)
        yield from _reads(firm, names.commands, names.permits)


def _worker(names: TopicNames, group: str, user: str) -> Iterator[Grant]:
    yield from _reads_each(user, names.shared_telemetry)
    yield from _reads(user, names.control)
    yield from (Grant(user, ("Read", "Write"), "topic", topic) for topic in (names.journal, names.state))
    outputs = (names.rejected, names.decisions, names.evidence, names.shadow)
    yield from (Grant(user, ("Write",), "topic", topic) for topic in outputs)
    for base in (names.commands, names.permits):
        yield Grant(user, ("Write",), "topic", base)
        yield Grant(user, ("Write",), "topic", f"{base}.", prefixed=True)
    # It refuses topics with other settings.
    yield Grant(user, ("DescribeConfigs",), "topic", f"{names.prefix}.", prefixed=True)
    yield Grant(user, ("Read",), "group", group)
    yield Grant(user, ("Write",), "transactional-id", f"{group}-", prefixed=True)


def _pool(names: TopicNames, user: str) -> Iterator[Grant]:
    """The second stage: it reads evidence and decisions, and creates and uses separate topics."""
    own = f"{names.prefix}.pool"
    yield from _reads(user, names.evidence, names.decisions, names.journal)
    yield Grant(user, ("Create", "Read", "Write", "DescribeConfigs"), "topic", f"{own}.", prefixed=True)
    for name in (own, f"{own}.firms"):
        yield Grant(user, ("Write",), "transactional-id", f"{name}-", prefixed=True)


def _history(names: TopicNames, user: str) -> Iterator[Grant]:
    """What an export of a pilot's history and the outcome of an act are read from."""
    yield from _reads_each(user, names.shared_telemetry)
    topics = (names.control, names.journal, names.state, names.decisions, names.rejected)
    yield from _reads(user, *topics)


def _reads(user: str, *topics: str) -> Iterator[Grant]:
    yield from (Grant(user, ("Read",), "topic", topic) for topic in topics)


def _reads_each(user: str, base: str) -> Iterator[Grant]:
    """The topic for all participants, and that of each participant."""
    yield Grant(user, ("Read",), "topic", base)
    yield Grant(user, ("Read",), "topic", f"{base}.", prefixed=True)
