"""`sandbox-monitor export`: writes the input of a monitor as a file for `replay`: its history, or telemetry alone."""

from __future__ import annotations

import asyncio
import heapq
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import click

from monitor.cli.addresses import KAFKA_SERVERS
from monitor.cli.pulse import Pulse
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trust_option
from monitor.client.gateway import FirmIdentity, GatewayLink
from monitor.embedded import history_source
from monitor.embedded.store import TOPIC
from monitor.engine.history import Header
from monitor.engine.history_export import HistoryExport, header_of
from monitor.engine.history_order import MergedHistory
from monitor.engine.replay import write_lines
from monitor.errors import Refused
from monitor.files.program import program_id
from monitor.kafka.history_source import PartitionHistory, partitions_of
from monitor.kafka.partition_reader import PartitionReader, to_records
from monitor.kafka.topics import TopicNames, participants_of, partition_count
from monitor.model.records import Record
from monitor.model.signing import Trusted
from monitor.projections.formats import stamp
from monitor.validate.parse import validate


@click.command()
@click.option(
    "--dir",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="directory of an embedded monitor; without it, Kafka",
)
@click.option(
    "--bootstrap",
    default="127.0.0.1:9092",
    type=KAFKA_SERVERS,
    show_default=True,
    help="Kafka address, host:port[,host:port]",
)
@click.option("--prefix", default="sandbox", show_default=True, help="prefix of the topic names")
@click.option("--pilot", "pilots", multiple=True, help="only this pilot, and nothing of any other; repeatable")
@click.option("--telemetry", "plain", is_flag=True, help="events alone, one per line, to test other charters")
@click.option(
    "--topic", default="", help="with --telemetry: another topic than PREFIX.telemetry, such as that of one participant"
)
@trust_option
@click.option(
    "--to", metavar="URL", default="", help="https:// address of the gateway for firms; needs --pilot, --author, --key"
)
@click.option("--author", default="", help="with --to: the firm by its participant.id")
@click.option(
    "--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="with --to: key file of the firm"
)
@click.option(
    "--what",
    type=click.Choice(["history", "decisions", "rejected"]),
    default="history",
    show_default=True,
    help="with --to: the history, or the decisions or rejections of the pilot as JSON lines",
)
@click.option("--quiet", is_flag=True, help="no progress on stderr")
def export(
    directory: Path | None,
    bootstrap: str,
    prefix: str,
    pilots: tuple[str, ...],
    plain: bool,
    topic: str,
    trusted: tuple[str, ...],
    to: str,
    author: str,
    key: Path | None,
    what: str,
    quiet: bool,
) -> None:
    """Write the input of a monitor to stdout, so that both sides can replay it.

    The history (default): telemetry, control records and the journal that fixes their order and the time, with original
    offsets, times, keys, signatures and bytes. `replay` gives the same decisions, ids and numbers from it, and compares
    them with a ledger. The first line lists what is contained and what is missing, also what retention has deleted.

    With --pilot: the part of one firm. It contains nothing of other pilots, and its decisions are the same.

    With --telemetry: events alone, one CloudEvent per line with its time of reception as `recordedtime`. No acts, no
    journal; invalid records are left out and counted. For testing a charter on past data, not for an appeal.

    With --to: a firm asks the gateway of the authority; the request is signed with its key, and each export is of one
    pilot. `--what decisions` is what `replay --against` compares with.

    On Kafka, journal entries that no --trust-key signed are left out, where one is given: the workers leave them out
    too. The monitor may be running; the export ends where the journal ended when it began.

    \b
    Examples:
      sandbox-monitor export --dir var/monitor --pilot pilot-0001 > pilot-0001.history
      sandbox-monitor replay pilot-0001.history --against var/monitor/ledger
      sandbox-monitor export --dir var/monitor --telemetry > events.jsonl
      sandbox-monitor replay charter.yaml events.jsonl --out replay.html

    \b
    Exit codes:
      0  written
      1  there is no such log, or none of the pilots is in it
      2  usage error
      3  the broker is unavailable
    """
    if topic and not plain:
        raise click.UsageError("--topic needs --telemetry; a history contains every topic that was read")
    pulse = Pulse(quiet)
    if to:
        if directory is not None or plain or len(pilots) != 1 or not author or key is None:
            raise click.UsageError("--to needs one --pilot, --author and --key, and neither --dir nor --telemetry")
        _from_gateway(to, FirmIdentity.of(author, key), pilots[0], what, pulse)
    elif plain:
        asyncio.run(
            _telemetry(directory, bootstrap, topic or TopicNames(prefix).telemetry[0], frozenset(pilots), pulse)
        )
    else:
        keys = Trusted(trusted) if trusted else None
        asyncio.run(_histories(directory, (bootstrap, prefix, keys), frozenset(pilots), pulse))


# ---- from a gateway


def _from_gateway(to: str, identity: FirmIdentity, pilot: str, what: str, pulse: Pulse) -> None:
    name = {"history": "export"}.get(what, what)
    out, size = sys.stdout.buffer, 0
    try:
        link = GatewayLink(to, identity)
        for part in link.stream(f"/v1/{name}/{quote(pilot, safe='')}"):
            out.write(part)
            size += len(part)
            pulse.beat(_sized, size)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error
    out.flush()
    pulse.end()
    echo(f"{what} of {pilot}: {size:,} bytes", err=True)


# ---- the history


async def _histories(
    directory: Path | None, logs: tuple[str, str, Trusted | None], pilots: frozenset[str], pulse: Pulse
) -> None:
    (bootstrap, prefix, trusted), records = logs, 0
    if directory is not None:
        store = history_source.opened(directory)
        try:
            header = header_of("embedded", 0, pilots, keyed=False, control_topic="control", program=program_id())
            records = await _history(header, await history_source.ordered(store), pulse)
        finally:
            await store.close()
    else:
        names = TopicNames(prefix, await participants_of(bootstrap, prefix))
        for partition in await partitions_of(bootstrap, names, pilots):
            async with PartitionHistory(bootstrap, names, partition, trusted) as log:
                missing = await log.missing()
                header = header_of(
                    "kafka",
                    partition,
                    pilots,
                    keyed=True,
                    control_topic=names.control,
                    missing=missing,
                    program=program_id(),
                )
                if missing:
                    lost = ", ".join(f"{name} before {first}" for name, first in sorted(missing.items()))
                    echo(f"partition {partition}: retention has deleted {lost}; it cannot be replayed", err=True)
                records += await _history(header, await log.ordered(), pulse)
    if pilots and not records:
        raise Refused(f"no record of {', '.join(sorted(pilots))} is in the logs of this monitor")


async def _history(header: Header, ordered: MergedHistory, pulse: Pulse) -> int:
    """Write one partition. Returns its number of records."""
    out, made = sys.stdout.buffer, HistoryExport(header, ordered)
    async for line in made.lines():
        out.write(line)
        pulse.beat(_reached, made.received, made.records)
    out.flush()
    pulse.end()
    echo(f"partition {header.partition}: {made.records:,} records up to {stamp(made.received)}", err=True)
    chosen = made.selection
    if chosen is not None and chosen.redacted:
        echo(
            f"{chosen.redacted:,} records held events of other pilots, which are left out; {chosen.attested:,} of them "
            "are signed as a whole: the signature was checked here, as it cannot be checked without those events",
            err=True,
        )
    return made.records


def _sized(size: int) -> str:
    return f"export: {size:,} bytes"


def _reached(received: int, written: int) -> str:
    return f"export: {stamp(received)}, {written:,} written"


# ---- telemetry alone


async def _telemetry(directory: Path | None, bootstrap: str, topic: str, pilots: frozenset[str], pulse: Pulse) -> None:
    out, written, unread = sys.stdout.buffer, 0, 0
    async for record in _kept(directory) if directory else _on_kafka(bootstrap, topic):
        found = validate(record, topic, 0, secret=b"")
        unread += len(found.rejected)
        events = [(record.received, event) for event in found.events if not pilots or event.subject in pilots]
        written += len(events)
        out.writelines(write_lines(events))
        pulse.beat(_reached, record.received, written)
    out.flush()
    pulse.end()
    echo(f"{written:,} events written, {unread:,} invalid left out", err=True)


async def _kept(directory: Path) -> AsyncIterator[Record]:
    """Telemetry records of an embedded monitor."""
    store = history_source.opened(directory)
    try:
        async for record in history_source.telemetry(store, TOPIC):
            yield record
    finally:
        await store.close()


async def _on_kafka(bootstrap: str, topic: str) -> AsyncIterator[Record]:
    """Records of all partitions by time of reception; each partition in its order."""
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
