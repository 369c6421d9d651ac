"""The gateway of the firms: under access control a firm reaches its topics only, so its acts and its appeal come here.

    firm --HTTPS, signed--> gateway --> control; outcomes, history, decisions and rejections of its pilots <--

It follows `control`, `decisions` and `rejected`, and keeps in memory which firm runs which pilot.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec import Struct

from monitor.access.kafka_login import access
from monitor.errors import Refused, Unavailable
from monitor.http_server.limits import ServerLimits
from monitor.http_server.server import HttpServer
from monitor.kafka.charters import follow_acts
from monitor.kafka.firm_directory import FirmDirectory
from monitor.kafka.firm_records import FirmRecords
from monitor.kafka.gateway_routes import GatewayRoutes
from monitor.kafka.outcome_memory import OutcomeMemory
from monitor.kafka.output_consumer import ReadPosition, read_outputs
from monitor.kafka.reader_reports import ReaderReports
from monitor.kafka.reader_trust import OutputTrust
from monitor.kafka.topics import TopicNames
from monitor.kafka.users_relay import UsersRelay
from monitor.model.records import Decision, Rejected
from monitor.model.signing import HEADER, Trusted
from monitor.projections.metrics import Metrics

RETRY_S = 2.0
LIMITS = ServerLimits(
    connections=512,
    connections_per_client=32,
    body_bytes=128 * 1024,
    client_requests_per_second=50.0,
    client_request_burst=500.0,
)
CLIENT = "sandbox-gateway"
Say = Callable[[str], None]


class GatewaySettings(Struct, frozen=True, kw_only=True):
    """How a gateway runs. `tls` are the files of its certificate and key; without them it serves HTTP."""

    bootstrap: str
    names: TopicNames
    host: str = "127.0.0.1"
    port: int = 8322
    host_names: tuple[str, ...] = ()
    tls: tuple[Path, Path] | None = None
    users: bool = False  # forward the reports of users' channels
    trusted: Trusted | None = None  # keys of workers; None: any writer of decisions is believed


class ControlProducer:
    """Appends acts to `control`."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap, self._topic = bootstrap, topic
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def append(self, pilot: str, body: bytes, signature: str) -> tuple[int, int]:
        """Return partition and offset once the brokers have acknowledged the record. Raises Unavailable."""
        headers = [(HEADER, signature.encode())] if signature else []
        try:
            producer = await self._started()
            sent = await producer.send_and_wait(self._topic, body, key=pilot.encode(), headers=headers)
        except KafkaError as error:
            raise Unavailable(f"control cannot be written at {self._bootstrap}: {error!r}") from error
        return int(sent.partition), int(sent.offset)

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap, client_id=CLIENT, acks="all", enable_idempotence=True, **access()
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def stop(self) -> None:
        """Disconnect."""
        if self._producer is not None:
            await self._producer.stop()


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or later with these files (PEM). Raises Refused when they cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise Refused(f"--cert {certificate} with --key {key} cannot be used: {error}") from error
    return context


def run_gateway(settings: GatewaySettings, say: Say, metrics: Metrics | None = None) -> None:
    """Serve firms until SIGTERM or SIGINT; retries through outages of the broker. `say` is given lines for the
    operator. Raises Refused when the address is taken, LogBroken."""
    asyncio.run(_serve(settings, say, metrics or Metrics()))


async def _serve(settings: GatewaySettings, say: Say, metrics: Metrics) -> None:
    bootstrap, prefix = settings.bootstrap, settings.names.prefix
    directory, outcomes = FirmDirectory(), OutcomeMemory(settings.names.control)
    control = ControlProducer(bootstrap, settings.names.control)
    trust = OutputTrust(bootstrap, settings.names, settings.trusted)
    records = FirmRecords(bootstrap, prefix, trust)
    routes = GatewayRoutes(
        directory,
        outcomes,
        control,
        {
            "export": lambda pilot, _: records.history(pilot),
            "decisions": lambda pilot, _: records.decisions(pilot),
            "rejected": lambda pilot, firm: records.rejections(pilot, firm.participant),
        },
    )
    server = HttpServer(
        "gateway",
        limits=LIMITS,
        names=settings.host_names,
        count=metrics.http_refused,
        tls=tls_context(*settings.tls) if settings.tls else None,
    )
    routes.join(server)
    port = await server.start(settings.host, settings.port)
    say(f"gateway {'https' if settings.tls else 'http'}://{settings.host}:{port}/")
    acts_read, reports = asyncio.Event(), ReaderReports(metrics)
    tasks = [
        asyncio.create_task(follow_acts(bootstrap, settings.names.control, directory.act, CLIENT, ended=acts_read.set)),
        asyncio.create_task(_follow(settings, _Followed(directory, outcomes, routes), acts_read, reports, trust)),
    ]
    if settings.users:
        relay = UsersRelay(bootstrap, settings.names.users, f"{prefix}-users", directory, control)
        tasks.append(asyncio.create_task(relay.run(routes.opened)))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, lambda: [task.cancel() for task in tasks])
    try:
        await asyncio.gather(*tasks)
    except asyncio.CancelledError:
        say("gateway: ended")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.stop()
        await control.stop()
        await trust.close()


class _Followed(NamedTuple):
    """What decisions and rejections are passed on to."""

    directory: FirmDirectory
    outcomes: OutcomeMemory
    routes: GatewayRoutes

    def take(self, value: object) -> None:
        if isinstance(value, Decision):
            self.directory.decision(value)
            self.outcomes.decision(value)
        elif isinstance(value, Rejected):
            self.outcomes.rejected(value)
        self.routes.changed.ring()


async def _follow(
    settings: GatewaySettings, to: _Followed, acts_read: asyncio.Event, reports: ReaderReports, trust: OutputTrust
) -> None:
    """Read decisions and rejections to their present end, become ready, and follow them; retries through outages."""
    topics = [settings.names.decisions, settings.names.rejected]
    positions: dict[tuple[str, int], ReadPosition] = {}
    while True:
        try:
            await trust.require_signing()
            async for seen in read_outputs(
                settings.bootstrap,
                topics,
                positions,
                follow=to.routes.ready,
                client_id=CLIENT,
                reports=reports,
                trust=trust,
            ):
                positions[seen.topic, seen.partition] = seen.position
                to.take(seen.value)
            await acts_read.wait()
            to.routes.ready = True
            to.routes.opened.set()
        except Unavailable as error:
            reports.failed(error)
            await asyncio.sleep(RETRY_S)
