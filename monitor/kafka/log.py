"""The Log protocol on Kafka: one partition of every topic, owned through a transactional producer that fences others.

The transactional id names the group and the partition. Starting the producer makes the broker refuse every older
producer with that id from then on (the fence) and abort the transaction that it left open. All writes of the owner go
through this producer, and all reads see committed records only. The fence alone is no guarantee, so ids are
deterministic and readers drop duplicates.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced
from aiokafka.structs import RecordMetadata
from msgspec import structs

from monitor.access.kafka_login import access
from monitor.clock import wall_ms
from monitor.engine.log import Checkpoint, Journalled, Recovery
from monitor.errors import Fenced, LogBroken, Stop, Unavailable
from monitor.files.program import program_id
from monitor.kafka import faust_hooks, state_keys
from monitor.kafka.journal_records import fruitless_claims
from monitor.kafka.output_lines import Line, OutputLines
from monitor.kafka.output_routes import OutputRoutes, Routing, Written, decode_written
from monitor.kafka.output_signer import OutputSigner
from monitor.kafka.partition_reader import LOG_APPEND_TIME, PartitionReader, learn_topics, to_records
from monitor.kafka.recovery_trust import RecoveryTrust
from monitor.kafka.settings import LogSettings
from monitor.kafka.topics import LARGE
from monitor.model.epochs import EpochFilter
from monitor.model.records import (
    RULES,
    Claim,
    Command,
    JournalEntry,
    Outputs,
    OwnerStart,
    Position,
    Record,
    Skipped,
)
from monitor.model.signing import OutputKind

NO_EPOCH = 0
REROUTED = 1_000  # commands in force that share a transaction


class KafkaLog:
    """One partition of all topics. Call `claim` first; after any exception, only `close`.

    `generation` is the consumer group's, so that epochs rise with it too. `failpoint` is for tests that kill owners.
    `on_foreign` is called with topic, partition and offset of each record of journal and state that no owner
    can have written; it is skipped.
    """

    def __init__(
        self,
        settings: LogSettings,
        partition: int,
        *,
        generation: int = 0,
        failpoint: Callable[[str], None] = lambda name: None,
        on_foreign: Callable[[str, int, int], None] = lambda topic, partition, offset: None,
    ) -> None:
        self.partition = partition
        self.names = settings.names
        self.transactional_id = f"{settings.group}-{partition}"
        self.moves = 0  # reads and writes that succeeded: the watchdog compares it
        self.epoch = NO_EPOCH
        self._lines = OutputLines(self.names, OutputRoutes(settings.names), OutputSigner(settings.signer, partition))
        self._trust = RecoveryTrust(
            settings.trust, self.names.journal, partition, ignored=settings.skip, on_foreign=on_foreign
        )
        self._settings = settings
        self._generation = generation
        self._failpoint = failpoint
        self._producer: AIOKafkaProducer | None = None
        self._reader: PartitionReader | None = None
        self._written = Written()  # where the command in force of each pilot has been written
        self._emitted: dict[str, Routing] = {}  # commands that this owner wrote while others are missing, by id
        self._live = state_keys.LiveKeys()
        self._claims: list[tuple[int, int]] = []  # (first journal offset where it is in force, epoch), rising
        self._skew = 0  # broker's clock - ours, ms
        self._failed: Stop | None = None

    @property
    def routes(self) -> OutputRoutes:
        """See `PartitionLog.routes`."""
        return self._lines.routes

    @routes.setter
    def routes(self, routes: OutputRoutes) -> None:
        self._lines.routes = routes

    @property
    def untrusted(self) -> dict[str, int]:
        """How many records of each topic recovery skipped because no trusted key signed them."""
        return dict(self._trust.skipped)

    def output_topics(self) -> list[str]:
        """Every topic that an owner writes to and that exists."""
        names = self.names
        own = [of(name) for name in self.routes.routing.own for of in (names.commands_of, names.permits_of)]
        shared = [names.decisions, names.evidence, names.rejected, names.shadow, names.commands, names.permits]
        return [names.journal, names.state, *shared, *own]

    async def claim(self) -> Recovery:
        """See `monitor.engine.log.Log.claim`. Raises Unavailable, LogBroken, Fenced."""
        self._reader = PartitionReader(
            self._settings.bootstrap,
            chunk=self._settings.chunk,
            timeout=self._settings.timeout,
            client_id=self.transactional_id,
        )
        await self._reader.start()
        # Fence before the first read: nothing that an older owner writes can follow what is read below.
        self._producer = await self._fence()
        await learn_topics(self._producer.client, self.output_topics())
        self._failpoint("fenced")
        await self._trust.begin(self._reader)
        async for raw in self._reader.all(self.names.state, self.partition):
            if self._trust.state(raw) and not self._live.feed(raw.key, raw.value):
                self._trust.foreign(raw)
        self._failpoint("state_read")
        watermark = self._watermark()
        entries, highest = await self._journal(watermark.position.journal)
        raw_through = self._live.values.get((state_keys.THROUGH, ""))
        through = None if raw_through is None else state_keys.decode_position(raw_through)
        # Above every epoch ever written here, also where a topic lost its end or the group its generation.
        self.epoch = max(self._generation, self._live.highest + 1, highest + 1, watermark.in_force + 1)
        owners = {self.names.telemetry_of(name): name for name in self.names.participants}
        claim = await self.append(await self._claim_entry(owners, _furthest(watermark.position, through)))
        self._failpoint("claimed")
        last = entries[-1].offset if entries else watermark.position.journal - 1
        await self._visible(claim.offset)
        # Entries that an older owner appended between the first read and the claim: they precede the claim, so they
        # count.
        async for raw in self._reader.all(self.names.journal, self.partition, last + 1):
            entries += self._trust.journal(raw)
        if not entries or entries[-1].offset != claim.offset:
            raise LogBroken(f"{self.names.journal}/{self.partition}: the claim at {claim.offset} is not the last entry")
        # After the claim, so that an owner that cannot go on here leaves a trace of its start.
        await self._check_kept(watermark.position, through, entries)
        await self._read_written(emitted=through is not None)
        snapshots = self._snapshots(watermark.position)
        self._live.drop_values()
        return Recovery(
            epoch=self.epoch,
            watermark=watermark.position,
            through=through,
            snapshots=snapshots,
            journal=tuple(self._valid(entries, watermark.in_force)),
            fruitless=fruitless_claims([*self._trust.before, *entries]) - 1,
        )

    async def telemetry(self, topic: str, start: int, stop: int) -> Sequence[Record]:
        """See `monitor.engine.log.Log.telemetry`."""
        reader = self._started()[1]
        records, _ = await reader.chunk(topic, self.partition, start, stop)
        self.moves += 1
        return to_records(records)

    async def control(self, start: int, stop: int) -> Sequence[Record]:
        """See `monitor.engine.log.Log.control`."""
        return await self.telemetry(self.names.control, start, stop)

    async def append(self, entry: JournalEntry) -> Journalled:
        """See `monitor.engine.log.Log.append`. `LogBroken` when the journal is not stamped with its own append time."""
        before = wall_ms()
        (ack,) = await self._transact([self._line("journal", self.names.journal, None, msgspec.json.encode(entry))])
        if ack.timestamp_type != LOG_APPEND_TIME:
            raise LogBroken(
                f"{self.names.journal} does not stamp its records; fix: set message.timestamp.type=LogAppendTime on it"
            )
        self._skew = ack.timestamp - (before + wall_ms()) // 2
        return Journalled(ack.offset, ack.timestamp, entry)

    async def write(self, outputs: Outputs, through: Position | None, checkpoint: Checkpoint | None) -> None:
        """See `monitor.engine.log.Log.write`: one transaction."""
        lines = [*self._lines.outputs(outputs, self.epoch), *self._through(through), *self._checkpoint(checkpoint)]
        if not lines:
            return
        await self._commit(lines)
        if self.rerouting:
            self._emitted.update((command.id, self.routes.routing) for command in outputs.commands)

    @property
    def rerouting(self) -> bool:
        """Whether commands in force are missing where they are read from now on: `reroute` is to be called."""
        return self._written != Written.under(self.routes.routing)

    async def reroute(self, commands: Iterable[tuple[str, Command]]) -> None:
        """Write commands in force (each with its participant) to the topics that they are missing in, and note that it
        was done in the last transaction of it. Those that this owner has just emitted are there already."""
        routing = self.routes.routing
        await learn_topics(self._started()[0].client, self.output_topics())
        lines: list[Line] = []
        for participant, command in commands:
            if self._emitted.get(command.id) == routing:
                continue
            missing = self._written.missing(participant, routing)
            lines += self._lines.command(command, self.routes.commands_in(participant, missing), self.epoch)
            if len(lines) >= REROUTED:
                await self._transact(lines)
                lines = []
        written = Written.under(routing)
        await self._commit([*lines, *self._state(state_keys.WRITTEN, "", state_keys.encode(written))])
        self._written = written
        self._emitted.clear()

    async def ends(self, topics: Sequence[str]) -> dict[str, int]:
        """The offset after the last committed record of each topic, asked of the broker now."""
        async with asyncio.timeout(self._settings.timeout):
            return await self._started()[1].ends(topics, self.partition)

    async def firsts(self, topics: Sequence[str]) -> dict[str, int]:
        """See `PartitionLog.firsts`."""
        async with asyncio.timeout(self._settings.timeout):
            return await self._started()[1].firsts(topics, self.partition)

    def clock(self) -> int:
        """Now on the broker's clock (ms), as far as the last acknowledgement of the journal tells."""
        return wall_ms() + self._skew

    async def close(self) -> None:
        """Close connections. An open transaction is aborted by the next claim, or by the broker after its timeout."""
        producer, self._producer = self._producer, None
        reader, self._reader = self._reader, None
        if producer is not None:
            # A fenced or broken producer fails once more here; the owner has failed already.
            with contextlib.suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(producer.stop(), 5.0)
        if reader is not None:
            await reader.stop()

    async def _fence(self) -> AIOKafkaProducer:
        milliseconds = int(self._settings.timeout * 1000)
        faust_hooks.use_short_backoff()
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.bootstrap,
            client_id=self.transactional_id,
            transactional_id=self.transactional_id,
            transaction_timeout_ms=milliseconds,
            request_timeout_ms=milliseconds,
            max_request_size=LARGE,
            max_batch_size=512 * 1024,  # below the default limit of a topic, and large enough for one request a write
            linger_ms=0,
            **access(),
        )
        try:
            async with asyncio.timeout(self._settings.timeout):
                await producer.start()
        except (KafkaError, TimeoutError) as error:
            with contextlib.suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(producer.stop(), 5.0)
            raise Unavailable(f"the fence of partition {self.partition} cannot be started: {error!r}") from error
        return producer

    def _started(self) -> tuple[AIOKafkaProducer, PartitionReader]:
        if self._failed is not None:
            raise type(self._failed)(f"the log cannot be used after a failure: {self._failed}")
        if self._producer is None or self._reader is None:
            raise Fenced(f"partition {self.partition} is not claimed, or released")
        return self._producer, self._reader

    async def _transact(self, lines: Sequence[Line]) -> list[RecordMetadata]:
        """Write all lines in one transaction, in order; returns their acknowledgements once it is committed.

        Raises Fenced when another owner has claimed the partition: nothing of the transaction will ever be read. Raises
        LogBroken when the outcome is unknown: the commit may have been written although it was not acknowledged. Either
        way the log is unusable afterwards, and the next claim reads what was committed.
        """
        producer, _ = self._started()
        sent: list[asyncio.Future[RecordMetadata]] = []
        try:
            async with asyncio.timeout(self._settings.timeout):
                await producer.begin_transaction()
                for topic, key, value, headers in lines:
                    sent.append(await producer.send(topic, value, key, self.partition, headers=headers))
                # Every line must be acknowledged before the commit: a line that fails later would be missing from a
                # transaction that readers already see.
                acks = await asyncio.gather(*sent)
                for ack in acks:
                    if ack.offset < 0:  # what aiokafka returns for a duplicate sequence number: its offset is unknown
                        raise LogBroken(f"{ack.topic}/{ack.partition}: acknowledged without an offset")
                self._failpoint("in_transaction")
                # From here on the write may be durable whatever this process is told about it.
                await producer.commit_transaction()
                self._failpoint("committed")
        except ProducerFenced as error:
            self._failed = Fenced(f"partition {self.partition} has another owner (own epoch {self.epoch})")
            raise self._failed from error
        except IllegalOperation as error:  # an earlier line failed for good while later ones were being sent
            self._failed = await self._cause(sent)
            raise self._failed from error
        except (KafkaError, TimeoutError) as error:
            self._failed = LogBroken(f"partition {self.partition}: a write was not acknowledged: {error!r}")
            raise self._failed from error
        except BaseException as error:  # a cancellation too: the outcome is unknown
            self._failed = LogBroken(f"partition {self.partition}: a write was interrupted: {error!r}")
            raise
        finally:
            for future in sent:  # each line of a failed write fails; the others would be logged as never retrieved
                future.add_done_callback(lambda f: f.cancelled() or f.exception())
        self.moves += 1
        return list(acks)

    async def _commit(self, lines: Sequence[Line]) -> None:
        """Write all lines in one transaction, and remember the state keys among them. Raises as `_transact`."""
        await self._transact(lines)
        for topic, raw, value, _ in lines:
            if topic == self.names.state and raw is not None:
                self._live.feed(raw, value)

    async def _cause(self, sent: Sequence[asyncio.Future[RecordMetadata]]) -> Stop:
        """The error of a producer that accepts no more lines: the first lines carry it."""
        done, _ = await asyncio.wait(sent, timeout=self._settings.timeout) if sent else (set(), set())
        errors = [f.exception() for f in done if not f.cancelled()]
        if any(isinstance(error, ProducerFenced) for error in errors):
            return Fenced(f"partition {self.partition} has another owner (own epoch {self.epoch})")
        return LogBroken(f"partition {self.partition}: a write was not acknowledged: {errors!r}")

    async def _claim_entry(self, owners: dict[str, str], reached: dict[str, int]) -> Claim:
        start = OwnerStart(reached, self._settings.process)
        owner, admitters = self._settings.owner, self._settings.admitters
        claim = Claim(self.epoch, owner, admitters, owners, rules=RULES, start=start, program=program_id())
        if self._settings.signer is None:
            return claim
        # Every older owner is fenced: what is written after these ends without a signature is not the monitor's.
        unsigned = self._trust.signed_from
        if unsigned is None:
            unsigned = await self._started()[1].ends(self.output_topics(), self.partition)
        return structs.replace(claim, signed_from=unsigned)

    def _watermark(self) -> state_keys.Watermark:
        raw = self._live.values.get((state_keys.WATERMARK, ""))
        return state_keys.Watermark(Position(), NO_EPOCH) if raw is None else state_keys.decode_watermark(raw)

    def _snapshots(self, watermark: Position) -> dict[str, bytes]:
        found, values = {}, self._live.values
        for kind, pilot in [name for name in values if name[0] == state_keys.SNAPSHOT]:
            raw = values.pop((kind, pilot))  # one at a time, so that memory never holds all of them twice
            snapshot = state_keys.decode_snapshot(raw)
            if snapshot.position.journal > watermark.journal:
                raise LogBroken(
                    f"{self.names.state}/{self.partition}: the snapshot of {pilot!r} is beyond the watermark"
                )
            found[pilot] = snapshot.state
        # The machine sets these pilots aside: an older snapshot may lack their halt.
        return found | dict.fromkeys(self._live.damaged(), b"")

    async def _journal(self, start: int) -> tuple[list[Journalled], int]:
        _, reader = self._started()
        first, _ = await reader.bounds(self.names.journal, self.partition)
        if first > start:
            raise LogBroken(f"{self.names.journal}/{self.partition} begins at {first}, but {start} is needed")
        entries: list[Journalled] = []
        async for raw in reader.all(self.names.journal, self.partition, await self._trust.warm_up(reader, start)):
            entries += self._trust.journal(raw)
        return entries, max((e.entry.epoch for e in entries), default=NO_EPOCH)

    async def _check_kept(self, start: Position, through: Position | None, entries: Sequence[Journalled]) -> None:
        """Raise LogBroken where telemetry after the last checkpoint was deleted that an owner has stepped: its
        decisions on it were emitted, and the state behind them cannot be computed again."""
        _, reader = self._started()
        stepped = [through.telemetry] if through is not None else []
        stepped += [e.entry.telemetry_next for e in entries if not isinstance(e.entry, Claim)]
        for topic in self.names.telemetry:
            at, done = start.telemetry.get(topic, 0), max((s.get(topic, 0) for s in stepped), default=0)
            for entry in (e.entry for e in entries if isinstance(e.entry, Skipped)):
                first_lost, kept = entry.lost.get(topic, (at + 1, 0))
                at = max(at, kept) if first_lost <= at else at
            if not 0 < at < done:
                continue
            first, _ = await reader.bounds(topic, self.partition)
            if at < first:
                raise LogBroken(
                    f"{topic}/{self.partition} begins at {first}, but {at} is needed: offsets {at} to "
                    f"{min(first, done) - 1} were deleted, and what was decided on them before a crash cannot be "
                    "computed again; restore them from a backup (runbook, SandboxTelemetryLost)"
                )

    async def _visible(self, offset: int) -> None:
        """Wait until committed readers see this journal offset: the broker acknowledges a commit before it writes the
        marker."""
        _, reader = self._started()
        try:
            async with asyncio.timeout(self._settings.timeout):
                while (await reader.bounds(self.names.journal, self.partition))[1] <= offset:
                    await asyncio.sleep(0.005)
        except TimeoutError as error:
            raise LogBroken(f"{self.names.journal}/{self.partition}: the claim at {offset} does not appear") from error

    def _valid(self, entries: Sequence[Journalled], in_force: int) -> Iterator[Journalled]:
        """Entries that are not void (a higher epoch precedes them); records from which offset on each epoch was in
        force."""
        self._claims, epochs = [(0, in_force)], EpochFilter(in_force)
        for entry in entries:
            before = epochs.highest
            if not epochs.accepts(entry.entry.epoch):
                continue
            if epochs.highest > before:
                self._claims.append((entry.offset + 1, epochs.highest))
            yield entry

    def _in_force(self, position: int) -> int:
        return max(epoch for start, epoch in self._claims if start <= position)

    async def _read_written(self, *, emitted: bool) -> None:
        """Restore where commands in force have been written. What this owner does not write falls behind from now on,
        which is noted before anything else is written. An empty topic holds no commands: it was deleted and created
        again since. Where no outputs were `emitted` yet, there are no commands that could be missing."""
        raw = self._live.values.get((state_keys.WRITTEN, ""))
        noted = Written() if raw is None else decode_written(raw)
        since = noted.since(self.routes.routing) if emitted else Written.under(self.routes.routing)
        if since != noted:
            await self._commit(list(self._state(state_keys.WRITTEN, "", state_keys.encode(since))))
        topics = {self.names.commands_of(p): p for p in since.own}
        ends = await self.ends(list(topics)) if topics else {}
        self._written = since.besides(topics[topic] for topic, end in ends.items() if end == 0)

    def _line(self, kind: OutputKind, topic: str, key: bytes | None, value: bytes | None) -> Line:
        return self._lines.line(kind, topic, self.epoch, key, value)

    def _state(self, kind: str, pilot: str, value: bytes | None) -> Iterator[Line]:
        """A value under this epoch's key, with tombstones for the keys of other epochs; `None`: tombstones only."""
        state, live = self.names.state, self._live
        if value is None:
            for raw in live.alive(kind, pilot):
                yield self._line("state", state, raw, None)
            return
        yield self._line("state", state, state_keys.key(kind, self.epoch, pilot), value)
        for raw in live.others(kind, self.epoch, pilot):
            yield self._line("state", state, raw, None)

    def _through(self, through: Position | None) -> Iterator[Line]:
        if through is not None:
            yield from self._state(state_keys.THROUGH, "", state_keys.encode(through))

    def _checkpoint(self, checkpoint: Checkpoint | None) -> Iterator[Line]:
        if checkpoint is None:
            return
        at = checkpoint.watermark
        for pilot, raw in self._live.foreign():
            if pilot not in checkpoint.states:  # else what follows replaces it
                yield self._line("state", self.names.state, raw, None)
        for pilot, state in checkpoint.states.items():
            value = None if state is None else state_keys.encode(state_keys.Snapshot(at, state))
            yield from self._state(state_keys.SNAPSHOT, pilot, value)
        yield from self._state(
            state_keys.WATERMARK, "", state_keys.encode(state_keys.Watermark(at, self._in_force(at.journal)))
        )


def _furthest(watermark: Position, through: Position | None) -> dict[str, int]:
    """The next offset of each telemetry topic whose outputs are not written yet."""
    written = {} if through is None else through.telemetry
    topics = sorted(watermark.telemetry.keys() | written.keys())
    return {topic: max(watermark.telemetry.get(topic, 0), written.get(topic, 0)) for topic in topics}
