"""How a worker and its logs are configured, and the machine that these settings give."""

from __future__ import annotations

from msgspec import Struct

from monitor.engine.machine import Machine
from monitor.kafka.topics import TopicNames
from monitor.model.signing import Signer, Trusted

IDLE_SLACK_S = 5.0  # by which the `time` entry of an idle partition may be late before it no longer counts as progress
REPLAY_CHUNK = 5_000  # records per read during recovery, at most


class LogSettings(Struct, frozen=True, kw_only=True):
    """One deployment's log, the same for each of its partitions.

    `timeout` (s) bounds each write and each request: a write that is not acknowledged by then has an unknown outcome,
    and the owner must end. `chunk` is the largest number of records per read. `signer` signs every record;
    `trusted` are public keys of other owners, now or before, besides its own. `owner`, `admitters` and `process` are
    written into the claim. `skip` names records (`<topic>/<partition>/<offset>`) that the operator has decided to skip.
    """

    bootstrap: str
    prefix: str = "sandbox"
    group: str = "sandbox-monitor"
    participants: tuple[str, ...] = ()
    per_participant: bool = False
    also_shared: bool = False
    owner: str = ""
    timeout: float = 30.0
    chunk: int = REPLAY_CHUNK
    signer: Signer | None = None
    admitters: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()
    skip: frozenset[str] = frozenset()
    process: str = ""

    @property
    def names(self) -> TopicNames:
        """The topics."""
        return TopicNames(self.prefix, self.participants, self.per_participant, self.also_shared)

    @property
    def trust(self) -> Trusted | None:
        """The keys whose records recovery believes; None for an owner without a key."""
        return None if self.signer is None else Trusted([self.signer.public, *self.trusted])


class WorkerSettings(Struct, frozen=True, kw_only=True):
    """How a worker runs. Times in seconds unless the name says ms."""

    bootstrap: str = "127.0.0.1:9092"
    group: str = "sandbox-monitor"
    prefix: str = "sandbox"
    participants: tuple[str, ...] = ()  # those with separate topics
    unrouted: tuple[str, ...] = ()  # those of them whose commands and permits topics cannot be used
    per_participant: bool = False  # each participant has separate topics; new ones are found while running
    also_shared: bool = False  # read the shared telemetry topic too, and write commands and permits to both
    replication: int = 1  # replicas that a participant's topics need at least
    discover_every: float = 10.0
    instance: str = ""  # a stable name makes membership static: a restart causes no rebalance
    session_timeout: float = 10.0
    write_timeout: float = 30.0  # a write that is not acknowledged by then ends the process
    checkpoint_every_ms: int = 5_000
    time_every_ms: int = 10_000  # a `time` entry at least this often
    batch: int = 20_000  # records per write, at most; a fetch of large records holds fewer
    max_pending_control: int = 10_000  # control records held until telemetry is read up; the rest stays in the log
    stall: float = 120.0  # the process ends after so long without progress
    secret: bytes = b""  # keys the digests of rejected input; the same for every worker of the group
    signer: Signer | None = None  # signs all outputs; the same for every worker of the group
    trusted: tuple[str, ...] = ()  # further public keys whose records recovery believes: while a key is replaced
    skip_lost: bool = False  # skip telemetry that the log deleted unread, and record the loss; else the worker ends
    skip: frozenset[str] = frozenset()  # `<topic>/<partition>/<offset>` of records that crash the worker: see `Skipped`
    admitters: tuple[str, ...] = ()  # public keys that may admit pilots; empty: any writer of control may

    @property
    def names(self) -> TopicNames:
        """The topics."""
        return TopicNames(self.prefix, self.participants, self.per_participant, self.also_shared)

    @property
    def shared_topics(self) -> bool:
        """Whether firms share topics, so that each can read the halts and sources of the others."""
        return self.also_shared or not (self.per_participant or self.participants)

    @property
    def idle_limit(self) -> float:
        """Seconds within which the owner of a partition has written a `time` entry, if it is working."""
        return 2 * self.time_every_ms / 1000 + IDLE_SLACK_S

    def log(self, owner: str, process: str = "") -> LogSettings:
        """The settings of its logs; `owner` is used where `instance` is empty. `process` names one start of it."""
        return LogSettings(
            bootstrap=self.bootstrap,
            prefix=self.prefix,
            group=self.group,
            participants=self.participants,
            per_participant=self.per_participant,
            also_shared=self.also_shared,
            owner=self.instance or owner,
            timeout=self.write_timeout,
            chunk=min(self.batch, REPLAY_CHUNK),
            signer=self.signer,
            admitters=self.admitters,
            trusted=self.trusted,
            skip=self.skip,
            process=process,
        )


def configured_machine(settings: WorkerSettings, partition: int, epoch: int) -> Machine:
    """The machine of one partition in this deployment. A replay agrees only with a machine that is set up the same."""
    owners = {settings.names.telemetry_of(name): name for name in settings.participants}
    return Machine(
        partition,
        epoch,
        secret=settings.secret,
        control_topic=settings.names.control,
        keyed=True,
        owner_of=owners.get,
        admitters=Trusted(settings.admitters),
    )
