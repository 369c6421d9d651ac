"""`sandbox-monitor export`: the telemetry that a monitor was given, as the JSON lines that `replay` takes."""

from __future__ import annotations

import asyncio
import heapq
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import click

from monitor.cli.addresses import KAFKA_SERVERS
from monitor.embedded.store import TOPIC, Store
from monitor.errors import Refused
from monitor.model import Record
from monitor.replay import write_lines
from monitor.stream.reading import PartitionReader, to_records
from monitor.stream.topics import Names, partition_count
from monitor.validate import validate

CHUNK = 10_000  # records read at a time from the embedded store
BYTES = 32 << 20


@click.command()
@click.option(
    "--dir",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="of an embedded monitor; without it, Kafka",
)
@click.option(
    "--bootstrap",
    default="127.0.0.1:9092",
    type=KAFKA_SERVERS,
    show_default=True,
    help="Kafka address, host:port[,host:port]",
)
@click.option("--prefix", default="sandbox", show_default=True, help="first part of every topic's name")
@click.option("--topic", default="", help="another telemetry topic than PREFIX.telemetry: that of one participant")
@click.option("--pilot", "pilots", multiple=True, help="only this pilot's events; may be given again")
def export(directory: Path | None, bootstrap: str, prefix: str, topic: str, pilots: tuple[str, ...]) -> None:
    """Write the telemetry that a monitor was given to stdout: what both sides can run a charter over again.

    One event on a line, in the order of reception, with the moment of reception as `recordedtime`. It ends where the log
    ended when reading began, and may be used while the monitor runs. What was rejected as unreadable is left out and counted on
    stderr: it stands on `rejected`. Telemetry that retention took is gone.

    \b
    Example:
      sandbox-monitor export --dir var/monitor --pilot pilot-0001 > pilot-0001.jsonl
      sandbox-monitor replay charter.yaml pilot-0001.jsonl --out replay.html

    \b
    Exit codes:
      0  written
      1  there is no such log
      3  the broker is away
    """
    asyncio.run(_export(directory, bootstrap, topic or Names(prefix).telemetry[0], frozenset(pilots)))


async def _export(directory: Path | None, bootstrap: str, topic: str, pilots: frozenset[str]) -> None:
    out, written, unread = sys.stdout.buffer, 0, 0
    async for record in _kept(directory) if directory else _on_kafka(bootstrap, topic):
        found = validate(record, topic, 0, secret=b"")
        unread += len(found.rejected)
        events = [(record.received, event) for event in found.events if not pilots or event.subject in pilots]
        written += len(events)
        out.writelines(write_lines(events))
    out.flush()
    click.echo(f"{written:,} events written, {unread:,} unreadable left out", err=True)


async def _kept(directory: Path) -> AsyncIterator[Record]:
    """Records of an embedded monitor's telemetry."""
    path = directory / "monitor.db"
    if not path.exists():
        raise Refused(f"{directory} holds no monitor.db: give --dir of `serve`")
    store = Store(path)
    try:
        at = 0
        while records := await store.telemetry(TOPIC, at, 1 << 40, records=CHUNK, size=BYTES):
            for record in records:
                yield record
            at = records[-1].offset + 1
    finally:
        await store.close()


async def _on_kafka(bootstrap: str, topic: str) -> AsyncIterator[Record]:
    """Records of all partitions by the time of reception; each partition in its own order."""
    logs = [_partition(bootstrap, topic, number) for number in range(await partition_count(bootstrap, topic))]
    heads = [(record.received, n, record) for n, log in enumerate(logs) if (record := await anext(log, None))]
    heapq.heapify(heads)
    while heads:
        _, n, record = heads[0]
        yield record
        if (after := await anext(logs[n], None)) is None:
            heapq.heappop(heads)
        else:
            heapq.heapreplace(heads, (after.received, n, after))


async def _partition(bootstrap: str, topic: str, partition: int) -> AsyncIterator[Record]:
    reader = PartitionReader(bootstrap)
    await reader.start()
    try:
        async for raw in reader.all(topic, partition):
            for record in to_records([raw]):
                yield record
    finally:
        await reader.stop()
