"""The notary on Kafka: reads `decisions` and `evidence`, appends them to the ledger, and serves the board.

Stage: record. One task reads decisions from where the ledger durably stands and a second appends them; a third reads
the outputs again from the start for the board, whose memory does not survive a restart. All wait through an outage of
the broker and go on from where they were.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct, structs

from monitor.charter.control import ControlBase
from monitor.clock import wall_ms
from monitor.console.access.gate import BoardAccess
from monitor.console.fleet_view import FleetView
from monitor.console.owner_liveness import SILENT_MS, OwnerLiveness
from monitor.console.routes import gate_of, routes
from monitor.errors import Unavailable
from monitor.http_server.server import HttpServer
from monitor.kafka.charters import follow_acts
from monitor.kafka.control_charters import ControlCharters
from monitor.kafka.ledger_writer import MAX_BATCH, LedgerWriter
from monitor.kafka.newest_topic import NewestTopic
from monitor.kafka.output_consumer import ConsumedOutput, ReadPosition, read_outputs
from monitor.kafka.owner_watch import OwnerWatch
from monitor.kafka.reader_reports import ReaderReports
from monitor.kafka.reader_trust import OutputTrust
from monitor.kafka.topics import TopicNames
from monitor.logs import EventLogger
from monitor.model.records import Closed, Command, Decision, Evidence, Outputs, Rejected
from monitor.model.shadow_records import ShadowDecision, ShadowSummary
from monitor.model.signing import Trusted
from monitor.notary.notary import Notary
from monitor.projections.charter_record import charter_in
from monitor.projections.metrics import Metrics
from monitor.publication.desk import desk_of
from monitor.publication.outside import connected
from monitor.publication.publisher import PublicationSettings, Publisher
from monitor.publication.routes import publication_route
from monitor.publication.service import PublicationService

logger = EventLogger(__name__)

RETRY_S = 2.0

Say = Callable[[str], None]
Positions: TypeAlias = dict[tuple[str, int], ReadPosition]


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
    publishing: tuple[PublicationSettings, float] | None = None  # and seconds between rounds; None: not published
    access: BoardAccess | None = None  # who may read the board; None: everybody who reaches it
    newest_topic: bool = False  # keep the newest signed checkpoint in a Kafka topic


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
    board.desk = desk_of(ledger, settings.publishing)
    board.liveness = OwnerLiveness(settings.silent_ms)
    unrecorded: asyncio.Queue[ConsumedOutput] = asyncio.Queue(maxsize=4 * MAX_BATCH)
    observed: asyncio.Queue[ConsumedOutput] = asyncio.Queue(maxsize=4 * MAX_BATCH)
    recorded, gathered = _positions(ledger, names)
    charters = ControlCharters()
    outputs = [names.decisions, *names.every_commands, names.evidence, names.shadow]
    trust = OutputTrust(bootstrap, names, settings.trusted)
    entered = ReaderReports(metrics, skips=False)
    shown = ReaderReports(
        metrics, lambda s: board.notices.skip(s.topic, s.partition, s.offset, s.reason.value), progress=False
    )
    problems = ReaderReports(metrics, progress=False)
    watch = OwnerWatch(bootstrap, names, board, metrics, shown, settings.trusted)
    tasks = [
        asyncio.create_task(_follow(bootstrap, [names.decisions], recorded, unrecorded.put, (entered, trust))),
        asyncio.create_task(_follow(bootstrap, [names.evidence], gathered, observed.put, (entered, trust))),
        asyncio.create_task(
            LedgerWriter(ledger, metrics, board.notices, shown, charters.find).run(unrecorded, observed)
        ),
        asyncio.create_task(_follow(bootstrap, outputs, {}, _project_on(board), (shown, trust), repeats=True)),
        # By itself: where the notary has no grant for this topic yet, everything else is shown all the same.
        asyncio.create_task(_follow(bootstrap, [names.rejected], {}, _project_on(board), (problems, trust))),
        asyncio.create_task(
            follow_acts(bootstrap, names.control, _learn(board, charters), "sandbox-notary", charters.ended)
        ),
        asyncio.create_task(watch.run()),
        asyncio.create_task(watch.watch_retention()),
    ]
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, lambda: [task.cancel() for task in tasks])
    server = await _serve_board(settings, board, say, metrics)
    say(f"notary: ledger in {ledger.directory}")
    newest = NewestTopic(bootstrap, names) if settings.publishing and settings.newest_topic else None
    publication = _publish(settings, ledger, say, metrics, newest)
    try:
        await asyncio.gather(*tasks)
    except asyncio.CancelledError:
        say("notary: ended")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if publication is not None:
            await asyncio.to_thread(publication.stop)
        if newest is not None:
            await asyncio.to_thread(newest.close)
        await server.stop()
        await trust.close()


async def _serve_board(settings: NotarySettings, board: FleetView, say: Say, metrics: Metrics) -> HttpServer:
    server = HttpServer("board", names=settings.host_names, count=metrics.http_refused)
    server.app.add_routes(routes(board, gate=gate_of(settings.access, wall_ms, server.app)))
    if settings.publishing is not None:
        published = settings.publishing[0]
        server.app.add_routes([publication_route(published.directory, pilot_logs=published.serve_pilot_logs)])
    if settings.port:
        await server.start(settings.host, settings.port)
        say(f"board http://{settings.host}:{settings.port}/")
    return server


def _publish(
    settings: NotarySettings, ledger: Notary, say: Say, metrics: Metrics, newest: NewestTopic | None
) -> PublicationService | None:
    if settings.publishing is None:
        return None
    published, every_s = settings.publishing
    published = connected(published, ledger.directory, metrics)
    if newest is not None:
        published = structs.replace(published, second=newest)
    service = PublicationService(Publisher(ledger.directory, lambda: ledger.logs, published), metrics, every_s)
    service.start()
    say(f"notary: publishes {published.key.origin}/... in {published.directory}")
    return service


def _positions(ledger: Notary, names: TopicNames) -> tuple[Positions, Positions]:
    """Where the ledger resumes in the partitions of `decisions` and of `evidence`."""
    decisions: Positions = {}
    evidence: Positions = {}
    for name, at in ledger.position.items():
        topic, _, partition = name.rpartition("/")
        if topic == names.evidence:
            gathered = ledger.gathered(name)
            evidence[topic, int(partition)] = ReadPosition(gathered.resume, gathered.epoch)
        else:
            decisions[topic, int(partition)] = ReadPosition(at)
    return decisions, evidence


def _learn(board: FleetView, charters: ControlCharters) -> Callable[[ControlBase], None]:
    def learn(act: ControlBase) -> None:
        charters.take(act)
        board.act(act)
        for charter in charter_in(act).values():
            board.learn(charter)

    return learn


def _head(ledger: Notary, pilot: str) -> tuple[int, str] | None:
    head = ledger.head(pilot)
    return None if head is None else (head.size, head.root)


async def _follow(
    bootstrap: str,
    topics: list[str],
    positions: Positions,
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


def _project_on(board: FleetView) -> Callable[[ConsumedOutput], Awaitable[None]]:
    async def take(seen: ConsumedOutput) -> None:
        outputs = Outputs()
        if isinstance(seen.value, Decision):
            outputs.decisions.append(seen.value)
        elif isinstance(seen.value, Command):
            outputs.commands.append(seen.value)
        elif isinstance(seen.value, Evidence | Closed):
            outputs.evidence.append(seen.value)
        elif isinstance(seen.value, Rejected):
            outputs.rejected.append(seen.value)
        elif isinstance(seen.value, ShadowDecision | ShadowSummary):
            outputs.shadows.append(seen.value)
        try:
            board.apply(outputs)
        except Exception as error:  # the ledger must go on whatever the board cannot show
            logger.error("board.record_failed", topic=seen.topic, offset=seen.offset, error=repr(error))

    return take
