"""The Kafka topics of the monitor: their names and settings, how to create and how to check them.

A worker refuses to start on a topic that is missing or has other settings, because they are what the guarantees of the
log rest on: order by log-append time, no record compacted away, outputs all or nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, TopicAlreadyExistsError, for_code
from msgspec import Struct

from monitor.access.kafka_login import access
from monitor.errors import LogBroken, Unavailable
from monitor.kafka.login import require_login

LARGE = 8 * 1024 * 1024  # bytes; a record of this size still reaches `validate`, which rejects it with its reason
FOREVER = "-1"
# How long rejections are kept, in each partition: firms cause them, so what they take is bounded. The numbers of
# rejections are in the metrics, and what was rejected stays in its own log; 30 days are longer than any appeal needs to
# find out why an event did not count.
REJECTED_MS = str(30 * 24 * 3600 * 1000)
REJECTED_BYTES = str(1024**3)
ANY = "*"  # at the end of a topic's name: every topic that begins like this; no topic's name can contain it
VISIBLE_S = 20.0  # how long a new topic may take to be known to the broker that we ask


class TopicNames(Struct, frozen=True):
    """Topic names under one prefix. With `participants`: one topic each for telemetry, commands and permits. Without:
    one telemetry topic for all, or none yet where `per_participant` says that each participant has a separate one.
    `also_shared`: the telemetry topic for all is read too, during a migration.

    >>> TopicNames("sandbox").decisions
    'sandbox.decisions'
    >>> TopicNames("sandbox", ("acme", "bolt")).telemetry
    ('sandbox.telemetry.acme', 'sandbox.telemetry.bolt')
    >>> TopicNames("sandbox").commands_of("acme")
    'sandbox.commands.acme'
    """

    prefix: str = "sandbox"
    participants: tuple[str, ...] = ()
    per_participant: bool = False
    also_shared: bool = False

    @property
    def telemetry(self) -> tuple[str, ...]:
        """Every telemetry topic that is read, in order."""
        own = tuple(self.telemetry_of(name) for name in self.participants)
        shared = self.also_shared or not (own or self.per_participant)
        return (self.shared_telemetry, *own) if shared else own

    @property
    def shared_telemetry(self) -> str:
        """The telemetry topic for all participants, whether it is used or not."""
        return f"{self.prefix}.telemetry"

    def telemetry_of(self, participant: str) -> str:
        """The telemetry topic of one participant."""
        return f"{self.prefix}.telemetry.{participant}"

    def commands_of(self, participant: str) -> str:
        """The commands to services of one participant."""
        return f"{self.prefix}.commands.{participant}"

    def permits_of(self, participant: str) -> str:
        """The permits for services of one participant."""
        return f"{self.prefix}.permits.{participant}"

    @property
    def control(self) -> str:
        """Acts of regulators and firms."""
        return f"{self.prefix}.control"

    @property
    def journal(self) -> str:
        """Time, order and epoch of each partition."""
        return f"{self.prefix}.journal"

    @property
    def state(self) -> str:
        """Snapshots, watermark and `!through`."""
        return f"{self.prefix}.state"

    @property
    def decisions(self) -> str:
        """Decisions: the record."""
        return f"{self.prefix}.decisions"

    @property
    def commands(self) -> str:
        """Commands to services of participants without separate topics."""
        return f"{self.prefix}.commands"

    @property
    def permits(self) -> str:
        """Permits (leases under which services may run) for participants without separate topics."""
        return f"{self.prefix}.permits"

    @property
    def every_commands(self) -> tuple[str, str]:
        """Commands of all participants, for `existing_partitions`: the shared topic, and the topics of participants,
        those to come included."""
        return self.commands, self.commands_of(ANY)

    @property
    def every_permits(self) -> tuple[str, str]:
        """Permits of all participants, as `every_commands`."""
        return self.permits, self.permits_of(ANY)

    @property
    def evidence(self) -> str:
        """Closed periods."""
        return f"{self.prefix}.evidence"

    @property
    def rejected(self) -> str:
        """Rejected input, with reasons."""
        return f"{self.prefix}.rejected"

    @property
    def users(self) -> str:
        """Signed reports of users' channels, which no firm may write; the gateway forwards them to control."""
        return f"{self.prefix}.users"

    @property
    def shadow(self) -> str:
        """What shadow charters would have decided."""
        return f"{self.prefix}.shadow"

    @property
    def checkpoints(self) -> str:
        """The newest signed checkpoint of the authority log, by origin; only a notary with `--newest-topic` has it."""
        return f"{self.prefix}.checkpoints"


class Topic(Struct, frozen=True):
    """One topic as required. `settings` are topic-level Kafka settings, name to value; `flags` those of
    `sandbox-monitor topics create` that make it."""

    name: str
    partitions: int
    replication: int
    settings: dict[str, str]
    flags: str = ""

    def create_command(self, bootstrap: str) -> str:
        """The command that creates it."""
        counts = f"--partitions {self.partitions} --replication {self.replication}"
        return f"sandbox-monitor topics create --bootstrap {bootstrap} {counts}{self.flags}"


class TopicMismatch(Struct, frozen=True):
    """One difference from what is required, and the command that fixes it."""

    topic: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.what}; fix: {self.fix}"


def topics(names: TopicNames, partitions: int, replication: int) -> list[Topic]:
    """Every topic of a deployment. All have the same partition count: a pilot has one partition number in all."""
    return [*_shared_topics(names, partitions, replication), *participant_topics(names, partitions, replication)]


def participant_topics(names: TopicNames, partitions: int, replication: int) -> list[Topic]:
    """The topics of the participants alone."""
    kinds = _Settings(replication)
    found = []
    for name in names.participants:
        flags = f"{_prefix_flag(names.prefix)} --participant {name}"
        found += [
            Topic(names.telemetry_of(name), partitions, replication, kinds.telemetry, flags),
            Topic(names.commands_of(name), partitions, replication, kinds.compacted, flags),
            Topic(names.permits_of(name), partitions, replication, kinds.compacted, flags),
        ]
    return found


def _shared_topics(names: TopicNames, partitions: int, replication: int) -> list[Topic]:
    kinds = _Settings(replication)
    wanted = {names.shared_telemetry: kinds.telemetry} if names.shared_telemetry in names.telemetry else {}
    wanted |= {
        names.control: kinds.telemetry,
        names.journal: kinds.stamped,
        names.state: {**kinds.compacted, **kinds.large},
        names.decisions: kinds.kept,
        names.commands: kinds.compacted,
        names.permits: kinds.compacted,
        names.evidence: kinds.kept,
        names.rejected: kinds.limited,
        names.shadow: kinds.kept,
    }
    flags = _prefix_flag(names.prefix)
    return [Topic(name, partitions, replication, settings, flags) for name, settings in wanted.items()]


def users_topic(names: TopicNames, partitions: int, replication: int) -> Topic:
    """The topic of the users' channels. `topics create` makes it; only a gateway with `--users` needs it, so that a
    deployment of before starts without it. What was forwarded is kept on control, so its retention is limited."""
    settings = _Settings(replication)
    return Topic(names.users, partitions, replication, settings.limited, _prefix_flag(names.prefix))


def checkpoint_topic(names: TopicNames, replication: int) -> Topic:
    """The topic of the newest signed checkpoints: one partition, compacted. The notary creates it."""
    return Topic(names.checkpoints, 1, replication, _Settings(replication).compacted)


async def replication_of(bootstrap: str, topic: str) -> int:
    """The number of replicas of an existing topic. Raises `LogBroken` when it does not exist, `Unavailable`."""
    async with _Admin(bootstrap) as admin:
        if topic not in await admin.list_topics():
            raise LogBroken(f"{topic} does not exist; fix: sandbox-monitor topics create --bootstrap {bootstrap}")
        (described,) = await admin.describe_topics([topic])
        return min((len(p["replicas"]) for p in described["partitions"]), default=1)


class _Settings:
    """The topic-level settings of each kind of topic."""

    def __init__(self, replication: int) -> None:
        # With three replicas, one may fail and an acknowledged record is still on two machines.
        safe = {"min.insync.replicas": str(2 if replication >= 3 else 1), "unclean.leader.election.enable": "false"}
        self.large = {"max.message.bytes": str(LARGE)}
        self.kept = {**safe, "cleanup.policy": "delete", "retention.ms": FOREVER, "retention.bytes": FOREVER}
        self.limited = {**self.kept, "retention.ms": REJECTED_MS, "retention.bytes": REJECTED_BYTES}
        self.stamped = {**self.kept, "message.timestamp.type": "LogAppendTime"}
        self.compacted = {**safe, "cleanup.policy": "compact"}
        self.telemetry = {**self.stamped, **self.large}


def _prefix_flag(prefix: str) -> str:
    return "" if prefix == TopicNames().prefix else f" --prefix {prefix}"


async def create_topics(bootstrap: str, wanted: Sequence[Topic]) -> list[str]:
    """Create missing topics; returns their names. Existing ones are not changed (`check_topics` compares them).

    Raises `Unavailable` when no broker answers, `LogBroken` when the cluster refuses a topic.
    """
    async with _Admin(bootstrap) as admin:
        there = set(await admin.list_topics())
        missing = [t for t in wanted if t.name not in there]
        if not missing:
            return []
        new = [NewTopic(t.name, t.partitions, t.replication, topic_configs=t.settings) for t in missing]
        response = await admin.create_topics(new)
        for name, code, message in response.topic_errors:
            if code and code != TopicAlreadyExistsError.errno:  # another process created it first
                raise LogBroken(f"{name}: the cluster does not create it: {message or for_code(code).__name__}")
        await _visible(admin, missing)
        return [t.name for t in missing]


async def _visible(admin: AIOKafkaAdminClient, made: Sequence[Topic]) -> None:
    """Wait until the broker that answers knows the new topics. Raises `Unavailable` after `VISIBLE_S`."""
    deadline = asyncio.get_running_loop().time() + VISIBLE_S
    names = {t.name for t in made}
    while True:
        if names <= set(await admin.list_topics()):
            described = await admin.describe_topics(sorted(names))
            led = {d["topic"] for d in described if all(p["leader"] >= 0 for p in d["partitions"]) and d["partitions"]}
            if names <= led:
                return
        if asyncio.get_running_loop().time() > deadline:
            raise Unavailable(f"topics were created but are not visible after {VISIBLE_S:.0f} s: {sorted(names)}")
        await asyncio.sleep(0.1)


async def check_topics(bootstrap: str, wanted: Sequence[Topic]) -> list[TopicMismatch]:
    """Every difference from the required topics; empty when there is none. More replicas than required are accepted.

    Raises `Unavailable` when no broker answers.
    """
    async with _Admin(bootstrap) as admin:
        there = set(await admin.list_topics())
        found: list[TopicMismatch] = [
            TopicMismatch(t.name, "does not exist", t.create_command(bootstrap)) for t in wanted if t.name not in there
        ]
        present = [t for t in wanted if t.name in there]
        if not present:
            return found
        described = {d["topic"]: d for d in await admin.describe_topics([t.name for t in present])}
        settings = await _settings(admin, [t.name for t in present])
        for topic in present:
            found += _shape(bootstrap, topic, described[topic.name]["partitions"])
            found += _differences(bootstrap, topic, settings[topic.name])
        return found


async def require_topics(bootstrap: str, wanted: Sequence[Topic]) -> None:
    """Raise `LogBroken` with every mismatch and its fix, unless `check_topics` finds none."""
    found = await check_topics(bootstrap, wanted)
    if found:
        raise LogBroken("the topics are not as they must be:\n" + "\n".join(f"  {m}" for m in found))


async def participants_of(bootstrap: str, prefix: str) -> tuple[str, ...]:
    """Participants with a separate telemetry topic, sorted. Raises `Unavailable` when no broker answers."""
    start = TopicNames(prefix).telemetry_of("")
    async with _Admin(bootstrap) as admin:
        return tuple(sorted(name[len(start) :] for name in await admin.list_topics() if name.startswith(start)))


async def limited_retention(bootstrap: str, names: TopicNames) -> dict[str, bool]:
    """Every telemetry topic of the prefix, and whether Kafka may delete its records by time or by size.

    Raises `Unavailable` when no broker answers, `LogBroken` when the settings may not be read.
    """
    shared = names.shared_telemetry
    async with _Admin(bootstrap) as admin:
        there = sorted(t for t in await admin.list_topics() if t == shared or t.startswith(f"{shared}."))
        settings = await _settings(admin, there) if there else {}
    kinds = ("retention.ms", "retention.bytes")
    return {topic: any(found.get(kind, FOREVER) != FOREVER for kind in kinds) for topic, found in settings.items()}


async def existing_partitions(bootstrap: str, wanted: Sequence[str]) -> dict[str, int]:
    """Number of partitions of each wanted topic; a name that ends in `ANY` stands for all topics that begin with the
    rest of it, of which there may be none. Raises `LogBroken` when a named topic does not exist, `Unavailable`."""
    async with _Admin(bootstrap) as admin:
        there = set(await admin.list_topics())
        names: set[str] = set()
        for name in wanted:
            if name.endswith(ANY):
                names |= {topic for topic in there if topic.startswith(name.removesuffix(ANY))}
            elif name not in there:
                raise LogBroken(f"{name} does not exist; fix: sandbox-monitor topics create --bootstrap {bootstrap}")
            else:
                names.add(name)
        described = await admin.describe_topics(sorted(names)) if names else []
        return {d["topic"]: len(d["partitions"]) for d in described if d["partitions"]}


async def partition_count(bootstrap: str, topic: str) -> int:
    """Number of partitions of an existing topic. Raises `LogBroken` when it does not exist."""
    return (await existing_partitions(bootstrap, [topic]))[topic]


def _shape(bootstrap: str, topic: Topic, partitions: list[dict[str, Any]]) -> list[TopicMismatch]:
    found = []
    if len(partitions) != topic.partitions:
        fix = (
            f"kafka-topics.sh --bootstrap-server {bootstrap} --alter --topic {topic.name} "
            f"--partitions {topic.partitions}"
            if len(partitions) < topic.partitions
            else "start the worker with the count that exists; a topic cannot lose partitions"
        )
        found.append(TopicMismatch(topic.name, f"has {len(partitions)} partitions, not {topic.partitions}", fix))
    fewest = min((len(p["replicas"]) for p in partitions), default=0)
    if fewest < topic.replication:
        fix = f"kafka-reassign-partitions.sh --bootstrap-server {bootstrap} (with {topic.replication} replicas each)"
        found.append(TopicMismatch(topic.name, f"has {fewest} replicas, not {topic.replication}", fix))
    return found


def _differences(bootstrap: str, topic: Topic, actual: dict[str, str]) -> list[TopicMismatch]:
    alter = f"kafka-configs.sh --bootstrap-server {bootstrap} --alter --entity-type topics --entity-name {topic.name}"
    return [
        TopicMismatch(topic.name, f"{key} is {actual.get(key)}, not {value}", f"{alter} --add-config {key}={value}")
        for key, value in topic.settings.items()
        if not _enough(key, actual.get(key), value)
    ]


def _enough(key: str, actual: str | None, wanted: str) -> bool:
    """Sizes and replica minima may be larger than required, and a limited retention may be any; all else must be
    equal."""
    if key.startswith("retention.") and wanted != FOREVER:
        return True
    if key in ("max.message.bytes", "min.insync.replicas") and actual is not None:
        return int(actual) >= int(wanted)
    return actual == wanted


async def _settings(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for code, message, _, name, entries in response.resources:
            if code:
                raise LogBroken(f"{name}: its settings cannot be read: {message or for_code(code).__name__}")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


class _Admin:
    """An admin connection for one `async with`. Raises `Unavailable` when no broker answers, Refused when it does not
    take the login."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=20_000, **access())
        self._bootstrap = bootstrap

    async def __aenter__(self) -> AIOKafkaAdminClient:
        await require_login(self._bootstrap)
        try:
            await self._admin.start()
        except KafkaConnectionError as error:
            await self._admin.close()
            raise Unavailable(f"no Kafka broker answers at {self._bootstrap}: {error}") from error
        return self._admin

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()
