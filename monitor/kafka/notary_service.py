"""The notary on Kafka: reads `decisions`, appends them to the ledger, and serves the board.

Stage: record. One task reads decisions from where the ledger durably stands and a second appends them; a third reads
the outputs again from the start for the board, whose memory does not survive a restart. All wait through an outage of
the broker and go on from where they were.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from pathlib import Path

from msgspec import Struct

from monitor.clock import wall_ms
from monitor.console.fleet_view import FleetView
from monitor.console.owner_liveness import SILENT_MS, OwnerLiveness
from monitor.console.routes import routes
from monitor.errors import Unavailable
from monitor.http_server.server import HttpServer
from monitor.kafka.charters import follow_charters
from monitor.kafka.output_consumer import ConsumedOutput, ReadPosition, read_outputs
from monitor.kafka.output_trust import JournalSearch, believed
from monitor.kafka.partition_reader import PartitionReader
from monitor.kafka.reader_reports import ReaderReports
from monitor.kafka.reader_trust import OutputTrust
from monitor.kafka.topics import TopicNames, partition_count
from monitor.logs import EventLogger
from monitor.model.records import Closed, Command, Decision, Evidence, Outputs, command_of
from monitor.model.signing import Trusted
from monitor.notary.notary import Notary
from monitor.projections.metrics import Metrics

logger = EventLogger(__name__)

RETRY_S = 2.0
LIVENESS_POLL_S = 1.0
CLAIM_EVERY = 15  # polls between two looks at the newest claim
JOURNAL_TAIL = 100  # offsets before the end of a journal among which its last record is looked for: markers take some
MAX_BATCH = 500  # records that share one durable append

Say = Callable[[str], None]


class NotarySettings(Struct, frozen=True, kw_only=True):
    """How a notary runs. `port` 0 serves no board; a partition's owner counts as silent after `silent_ms`."""

    bootstrap: str
    names: TopicNames
    directory: Path
    host: str = "127.0.0.1"
    port: int = 0
    silent_ms: int = SILENT_MS
    host_names: tuple[str, ...] = ()
    trusted: Trusted | None = None  # keys of workers; None: any writer of decisions is believed


def run_notary(settings: NotarySettings, say: Say, metrics: Metrics | None = None) -> None:
    """Keep the ledger and serve the board until SIGTERM or SIGINT. `say` is given one line per event for the operator.

    Raises LogBroken, LedgerBroken and the other errors of `Notary`; Refused when the board's address is taken.
    """
    ledger = Notary(settings.directory)
    try:
        asyncio.run(_serve(settings, ledger, say, metrics or Metrics()))
    finally:
        ledger.close()


async def _serve(settings: NotarySettings, ledger: Notary, say: Say, metrics: Metrics) -> None:
    bootstrap, names = settings.bootstrap, settings.names
    board = FleetView(ledger=lambda pilot: _head(ledger, pilot))
    board.liveness = OwnerLiveness(settings.silent_ms)
    unrecorded: asyncio.Queue[ConsumedOutput] = asyncio.Queue(maxsize=4 * MAX_BATCH)
    recorded = {_partition_of(name): ReadPosition(at) for name, at in ledger.position.items()}
    outputs = [names.decisions, *names.every_commands, names.evidence]
    trust = OutputTrust(bootstrap, names, settings.trusted)
    reports = ReaderReports(metrics, lambda s: board.notices.skip(s.topic, s.partition, s.offset, s.reason.value))
    tasks = [
        asyncio.create_task(_follow(bootstrap, [names.decisions], recorded, unrecorded.put, (reports, trust))),
        asyncio.create_task(_record(unrecorded, ledger, metrics)),
        asyncio.create_task(_follow(bootstrap, outputs, {}, _project_on(board), (reports, trust), repeats=True)),
        asyncio.create_task(follow_charters(bootstrap, names.control, board.learn, "sandbox-notary")),
        asyncio.create_task(_watch_owners(bootstrap, names, board)),
    ]
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, lambda: [task.cancel() for task in tasks])
    server = await _serve_board(settings, board, say, metrics)
    say(f"notary: ledger in {ledger.directory}")
    try:
        await asyncio.gather(*tasks)
    except asyncio.CancelledError:
        say("notary: ended")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.stop()
        await trust.close()


async def _serve_board(settings: NotarySettings, board: FleetView, say: Say, metrics: Metrics) -> HttpServer:
    server = HttpServer("board", names=settings.host_names, count=metrics.http_refused)
    server.app.add_routes(routes(board))
    if settings.port:
        await server.start(settings.host, settings.port)
        say(f"board http://{settings.host}:{settings.port}/")
    return server


def _partition_of(name: str) -> tuple[str, int]:
    topic, _, partition = name.rpartition("/")
    return topic, int(partition)


def _head(ledger: Notary, pilot: str) -> tuple[int, str] | None:
    head = ledger.head(pilot)
    return None if head is None else (head.size, head.root)


async def _follow(
    bootstrap: str,
    topics: list[str],
    positions: dict[tuple[str, int], ReadPosition],
    take: Callable[[ConsumedOutput], Awaitable[None]],
    judges: tuple[ReaderReports, OutputTrust],
    *,
    repeats: bool = False,
) -> None:
    """Pass every output of `topics` from `positions` on to `take`; retries through outages of the broker."""
    reports, trust = judges
    checked = False
    while True:
        try:
            if not checked:
                await trust.require_signing()
                checked = True
            async for seen in read_outputs(
                bootstrap, topics, positions, client_id="sandbox-notary", repeats=repeats, reports=reports, trust=trust
            ):
                await take(seen)
                positions[(seen.topic, seen.partition)] = seen.position
        except Unavailable as error:
            reports.failed(error)
            await asyncio.sleep(RETRY_S)


async def _record(unrecorded: asyncio.Queue[ConsumedOutput], ledger: Notary, metrics: Metrics) -> None:
    """Append the decisions that have been read: those of one partition that are waiting share one durable write.

    The read position is stored with the records, in the same append: a crash between the two would either lose
    decisions or record them twice.
    """
    position = ledger.position
    while True:
        batch = [await unrecorded.get()]
        while not unrecorded.empty() and len(batch) < MAX_BATCH:
            batch.append(unrecorded.get_nowait())
        by_partition: dict[int, list[ConsumedOutput]] = {}
        for seen in batch:
            by_partition.setdefault(seen.partition, []).append(seen)
        for partition, rows in by_partition.items():
            decisions = [row.value for row in rows if isinstance(row.value, Decision)]
            # A command follows from its decision, so the ledger needs one topic only.
            commands = [command for decision in decisions if (command := command_of(decision)) is not None]
            position = {**position, f"{rows[-1].topic}/{partition}": rows[-1].position.next}
            # In a thread: an fsync of a slow disk must not stop heartbeats of the readers or the board.
            entries = await asyncio.to_thread(
                ledger.record, decisions, commands, partition=partition, position=position
            )
            metrics.recorded(entries)


def _project_on(board: FleetView) -> Callable[[ConsumedOutput], Awaitable[None]]:
    async def take(seen: ConsumedOutput) -> None:
        outputs = Outputs()
        if isinstance(seen.value, Decision):
            outputs.decisions.append(seen.value)
        elif isinstance(seen.value, Command):
            outputs.commands.append(seen.value)
        elif isinstance(seen.value, Evidence | Closed):
            outputs.evidence.append(seen.value)
        try:
            board.apply(outputs)
        except Exception as error:  # the ledger must go on whatever the board cannot show
            logger.error("board.record_failed", topic=seen.topic, offset=seen.offset, error=repr(error))

    return take


async def _watch_owners(bootstrap: str, names: TopicNames, board: FleetView) -> None:
    """Note for each partition when its owner last wrote: it appends to `journal` every ten seconds, and to `state`
    while it recovers from a backlog.

    The time is this machine's clock at the moment when the end of a log was seen to have moved. The last journal record
    before this service started counts with its own time.
    """
    ends: dict[tuple[str, int], int] = {}
    while True:
        reader = PartitionReader(bootstrap, client_id="sandbox-notary")
        try:
            await reader.start()
            partitions = range(await partition_count(bootstrap, names.journal))
            for turn in count():
                if turn % CLAIM_EVERY == 0:
                    await _look_for_shared_topics(reader, names, board)
                for partition in partitions:
                    await _look_for_writes(reader, names, partition, board, ends)
                await asyncio.sleep(LIVENESS_POLL_S)
        except Unavailable:  # reported by the tasks that follow the outputs
            await asyncio.sleep(RETRY_S)
        finally:
            await reader.stop()


async def _look_for_shared_topics(reader: PartitionReader, names: TopicNames, board: FleetView) -> None:
    """Note whether the newest owner of partition 0 reads topics that participants share: its claim names no owners."""
    claim = await JournalSearch(reader, names.journal, 0, partial(believed, None)).last_claim()
    if claim is not None:
        board.notices.shared_topics = not claim.owners


async def _look_for_writes(
    reader: PartitionReader, names: TopicNames, partition: int, board: FleetView, ends: dict[tuple[str, int], int]
) -> None:
    board.liveness.watch(partition, wall_ms())
    for topic in (names.journal, names.state):
        first, end = await reader.bounds(topic, partition)
        if (topic, partition) in ends:
            if end != ends[topic, partition]:
                board.liveness.mark_alive(partition, wall_ms())
        elif topic == names.journal:
            rows, _ = await reader.chunk(topic, partition, max(first, end - JOURNAL_TAIL), end)
            if rows:
                board.liveness.mark_alive(partition, min(rows[-1].timestamp, wall_ms()))
        ends[topic, partition] = end
