"""`sandbox-monitor notary`: reads `decisions` on Kafka, keeps the ledger and shows the board."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
from aiohttp import web

from monitor.cli.addresses import KAFKA_SERVERS
from monitor.clock import wall_ms
from monitor.console.fleet_view import FleetView
from monitor.console.owner_liveness import SILENT_MS, OwnerLiveness
from monitor.console.routes import routes
from monitor.errors import Refused, Unavailable
from monitor.kafka.charters import follow_charters
from monitor.kafka.output_consumer import Place, Seen, read
from monitor.kafka.partition_reader import PartitionReader
from monitor.kafka.topics import Names, partition_count
from monitor.model.records import Closed, Command, Decision, Evidence, Outputs, command_of
from monitor.notary.notary import Notary

AWAY_SECONDS = 2.0
LISTEN_SECONDS = 1.0
JUST_BEFORE = 100  # offsets before the end of a journal among which its last record is looked for: markers take some
TOGETHER = 500  # records that share one durable append


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
    help="the ledger: one file per pilot",
)
@click.option("--port", default=8321, show_default=True, type=click.IntRange(0, 65535), help="the board; 0 = none")
@click.option("--host", default="127.0.0.1", show_default=True, help="where the board listens; it has no login")
@click.option(
    "--silent-after",
    default=SILENT_MS / 1000,
    show_default=True,
    type=click.FloatRange(11),
    help="seconds without a word of a partition's worker until the board says so",
)
def notary(bootstrap: str, prefix: str, directory: Path, port: int, host: str, silent_after: float) -> None:
    """Keep the ledger of every pilot and show the board, until SIGTERM or Ctrl-C. One of these per authority.

    It continues where the ledger durably stands; what it reads twice it records once. Commands are entered beside the
    decisions that imply them, so the ledger rests on the decisions log alone. It waits for a broker that is away. Exit
    codes: 0 ended when told to, 1 the log or the ledger is damaged, incomplete or older than the other (the message
    names the fix), 2 called wrongly.
    """
    ledger = Notary(directory)
    try:
        asyncio.run(_run(bootstrap, Names(prefix), ledger, host, port, round(silent_after * 1000)))
    finally:
        ledger.close()


async def _run(bootstrap: str, names: Names, ledger: Notary, host: str, port: int, silent_ms: int) -> None:
    board = FleetView(ledger=lambda pilot: _head(ledger, pilot))
    board.liveness = OwnerLiveness(silent_ms)
    fresh: asyncio.Queue[Seen] = asyncio.Queue(maxsize=4 * TOGETHER)
    places = {_place(name): Place(at) for name, at in ledger.position.items()}
    tasks = [
        asyncio.create_task(_follow(bootstrap, [names.decisions], places, fresh.put)),
        asyncio.create_task(_record(fresh, ledger)),
        asyncio.create_task(
            _follow(bootstrap, [names.decisions, names.commands, names.evidence], {}, _projected(board), repeats=True)
        ),
        asyncio.create_task(follow_charters(bootstrap, names.control, board.learn, "sandbox-notary")),
        asyncio.create_task(_listen(bootstrap, names, board)),
    ]
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, lambda: [task.cancel() for task in tasks])
    app = web.Application()
    app.add_routes(routes(board))
    runner = web.AppRunner(app)
    await runner.setup()
    if port:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise Refused(f"{host}:{port} cannot be listened on: {error.strerror}; choose another") from error
        click.echo(f"board http://{host}:{port}/", err=True)
    click.echo(f"notary: ledger in {ledger.directory}", err=True)
    try:
        await asyncio.gather(*tasks)
    except asyncio.CancelledError:
        click.echo("notary: ended", err=True)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await runner.cleanup()


def _place(name: str) -> tuple[str, int]:
    topic, _, partition = name.rpartition("/")
    return topic, int(partition)


def _head(ledger: Notary, pilot: str) -> tuple[int, str] | None:
    head = ledger.head(pilot)
    return None if head is None else (head.size, head.root)


async def _follow(
    bootstrap: str,
    topics: list[str],
    places: dict[tuple[str, int], Place],
    take: Callable[[Seen], Awaitable[None]],
    repeats: bool = False,
) -> None:
    """Hand over every output of `topics` from `places` on, through outages of the broker."""
    while True:
        try:
            async for seen in read(bootstrap, topics, places, client_id="sandbox-notary", repeats=repeats):
                await take(seen)
                places[(seen.topic, seen.partition)] = seen.place
        except Unavailable as error:
            click.echo(f"notary: {error}; trying again", err=True)
            await asyncio.sleep(AWAY_SECONDS)


async def _record(fresh: asyncio.Queue[Seen], ledger: Notary) -> None:
    """Append what has come, as much as has come together with one durable write for each partition."""
    position = ledger.position
    while True:
        batch = [await fresh.get()]
        while not fresh.empty() and len(batch) < TOGETHER:
            batch.append(fresh.get_nowait())
        by_partition: dict[int, list[Seen]] = {}
        for seen in batch:
            by_partition.setdefault(seen.partition, []).append(seen)
        for partition, rows in by_partition.items():
            decisions = [row.value for row in rows if isinstance(row.value, Decision)]
            commands = [command for decision in decisions if (command := command_of(decision)) is not None]
            position = {**position, f"{rows[-1].topic}/{partition}": rows[-1].place.next}
            await asyncio.to_thread(ledger.record, decisions, commands, partition=partition, position=position)


def _projected(board: FleetView) -> Callable[[Seen], Awaitable[None]]:
    async def take(seen: Seen) -> None:
        if isinstance(seen.value, Decision):
            board.apply(Outputs(decisions=[seen.value]))
        elif isinstance(seen.value, Command):
            board.apply(Outputs(commands=[seen.value]))
        elif isinstance(seen.value, Evidence | Closed):
            board.apply(Outputs(evidence=[seen.value]))

    return take


async def _listen(bootstrap: str, names: Names, board: FleetView) -> None:
    """Note when each partition's owner was heard: it writes to `journal` every ten seconds, and to `state` while it catches up.

    By this machine's clock, at the moment when the end of a log was seen to have moved; what stood there before by its own time.
    """
    ends: dict[tuple[str, int], int] = {}
    while True:
        reader = PartitionReader(bootstrap, client_id="sandbox-notary")
        try:
            await reader.start()
            partitions = range(await partition_count(bootstrap, names.journal))
            while True:
                for partition in partitions:
                    board.liveness.watch(partition, wall_ms())
                    for topic in (names.journal, names.state):
                        first, end = await reader.bounds(topic, partition)
                        if (topic, partition) in ends:
                            if end != ends[topic, partition]:
                                board.liveness.mark_alive(partition, wall_ms())
                        elif topic == names.journal:
                            rows, _ = await reader.chunk(topic, partition, max(first, end - JUST_BEFORE), end)
                            if rows:
                                board.liveness.mark_alive(partition, min(rows[-1].timestamp, wall_ms()))
                        ends[topic, partition] = end
                await asyncio.sleep(LISTEN_SECONDS)
        except Unavailable:  # said by those who follow the outputs
            await asyncio.sleep(AWAY_SECONDS)
        finally:
            await reader.stop()
