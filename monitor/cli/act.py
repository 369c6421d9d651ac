"""`sandbox-monitor act`: reads `decisions` on Kafka and hands them to actors."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import suppress
from pathlib import Path

import click

from monitor.act import ACTORS, AnyActor, Deliver
from monitor.cli.addresses import HTTP_URL, KAFKA_SERVERS
from monitor.cli.pushing import board_url, pushing, runbook_url
from monitor.clock import wall_ms
from monitor.errors import Unavailable
from monitor.kafka import health
from monitor.kafka.charters import follow_charters
from monitor.kafka.output_consumer import Place, read
from monitor.kafka.topics import Names
from monitor.model.records import Decision, Reason
from monitor.projections.metrics import CONTENT_TYPE, Metrics

AWAY_SECONDS = 2.0
CHARTERS_SECONDS = 10.0


@click.command()
@click.option(
    "--bootstrap",
    default="127.0.0.1:9092",
    type=KAFKA_SERVERS,
    show_default=True,
    help="Kafka address, host:port[,host:port]",
)
@click.option("--prefix", default="sandbox", show_default=True, help="first part of every topic's name")
@click.option(
    "--dir",
    "directory",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="keeps what each actor was handed",
)
@click.option(
    "--alertmanager",
    metavar="URL",
    type=HTTP_URL,
    help="push halts, escalations and grave findings there while they stand",
)
@click.option("--annotations", metavar="URL", type=HTTP_URL, help="mark moves on the ladder in this Grafana")
@click.option("--json-lines", metavar="FILE", help="append each decision to this file")
@runbook_url
@board_url
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="/metrics and /live; 0 = any free port")
@click.option("--metrics-host", default="127.0.0.1", show_default=True, help="where they listen; they have no login")
def act(
    bootstrap: str,
    prefix: str,
    directory: Path,
    alertmanager: str | None,
    annotations: str | None,
    json_lines: str | None,
    runbook: str,
    board: str,
    metrics_port: int | None,
    metrics_host: str,
) -> None:
    """Hand decisions to actors until SIGTERM or Ctrl-C. Run one of these for each set of addresses.

    It reads the decisions log from its start and skips what --dir says was handed over: at least once, with idempotent
    effects. With an empty --dir, alerts begin with what stands now: what ended before is not sent. It waits for a
    broker that is away. Exit codes: 0 ended when told to, 1 the log is broken, 2 called wrongly.
    """
    metrics = Metrics()
    given = {"annotations": annotations, "json_lines": json_lines}
    actors: dict[str, AnyActor] = {name: ACTORS[name](address) for name, address in given.items() if address}
    if alertmanager:
        actors["alertmanager"] = pushing(alertmanager, runbook, board, lambda: metrics)
    if not actors:
        raise click.UsageError("name at least one actor: --alertmanager, --annotations or --json-lines")
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "delivered.json"
    deliver = Deliver(actors, file, counted=metrics.acted, waiting=metrics.pending, history=True)
    if metrics_port is not None:
        pages: dict[str, health.Page] = {
            "/metrics": lambda: (200, CONTENT_TYPE, metrics.exposition()),
            "/live": health.page(lambda: True, "live"),
        }
        port = health.serve(metrics_port, pages, metrics_host)
        click.echo(f"metrics http://{metrics_host}:{port}/metrics", err=True)
    click.echo(f"act: {', '.join(actors)}", err=True)
    asyncio.run(_act(bootstrap, Names(prefix), deliver, metrics))


async def _act(bootstrap: str, names: Names, deliver: Deliver, metrics: Metrics) -> None:
    over = threading.Event()
    thread = threading.Thread(target=deliver.run, args=(wall_ms, over.wait, over.is_set), name="deliver")
    known = asyncio.Event()  # the charters on control were read once
    charters = asyncio.create_task(
        follow_charters(bootstrap, names.control, deliver.learn, "sandbox-act", ended=known.set)
    )
    reading = asyncio.create_task(_read(bootstrap, names.decisions, deliver, known))
    beating = asyncio.create_task(_beat(metrics))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, reading.cancel)
    thread.start()
    try:
        await reading
    except asyncio.CancelledError:
        click.echo("act: ended", err=True)
    finally:
        beating.cancel()
        charters.cancel()
        over.set()
        await asyncio.to_thread(thread.join)


async def _read(bootstrap: str, topic: str, deliver: Deliver, known: asyncio.Event) -> None:
    """Feed the log as it was at the start, then what follows. Charters give labels: they are waited for, but not for
    long."""
    places: dict[tuple[str, int], Place] = {}
    with suppress(TimeoutError):
        await asyncio.wait_for(known.wait(), CHARTERS_SECONDS)
    history = True
    while True:
        try:
            async for seen in read(bootstrap, [topic], places, client_id="sandbox-act", follow=not history):
                places[(seen.topic, seen.partition)] = seen.place
                if isinstance(seen.value, Decision):
                    if not history and seen.value.reason in (Reason.ADMITTED, Reason.AMENDED):
                        await _charter_read(deliver, seen.value, known)
                    deliver.feed([seen.value])
            if history:
                deliver.caught_up()
            history = False
        except Unavailable as error:
            click.echo(f"act: {error}; trying again", err=True)
            await asyncio.sleep(AWAY_SECONDS)


async def _charter_read(deliver: Deliver, decision: Decision, read: asyncio.Event) -> None:
    """Wait until the charter that a decision put in force is read, at most CHARTERS_SECONDS: an alert keeps the labels with
    which it begins, and the first one may follow the admission at once. `read` is set each time that control was read."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CHARTERS_SECONDS):
            while not deliver.knows(decision):
                read.clear()
                await read.wait()


async def _beat(metrics: Metrics) -> None:
    while True:
        metrics.heartbeat(wall_ms())
        await asyncio.sleep(1)
