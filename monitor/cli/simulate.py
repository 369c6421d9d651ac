"""`sandbox-monitor simulate`: send a seeded fleet of pilots to Kafka, to the HTTP ingress or to a file."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import click
import msgspec
from msgspec import structs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from monitor.access.address import kafka_servers
from monitor.charter.control import Admission
from monitor.cli.sandbox_link import Server
from monitor.cli.simulate_entry import FOUNDED, Entry, founded_at
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trust_option, trusted_here
from monitor.client.bulk import Bulk, open_bulk
from monitor.client.control import PendingAdmissions
from monitor.client.kafka import KafkaBulk
from monitor.clock import wall_ms
from monitor.engine.replay import event_line
from monitor.files.key_file import read_key
from monitor.kafka.topics import TopicNames, create_topics, participant_topics, partition_count
from monitor.model.event_ids import with_pseudonym
from monitor.model.events import Envelope
from monitor.model.signing import Signer
from monitor.simulation.fleet import Fleet
from monitor.simulation.scenarios import DEFAULT, SCENARIOS
from monitor.state.acts_once import validity

WEEK = 168  # hours
DAY_MS = 86_400_000
JUDGED_S = 60.0  # how long a worker may take to decide about the admissions


@click.command(epilog="Scenarios: " + "; ".join(f"{name}: {s.story}" for name, s in SCENARIOS.items()))
@click.argument("target")
@click.option("--to", type=click.Choice(["kafka", "http", "file"]), required=True, help="what TARGET is")
@click.option("--seed", type=int, default=1, show_default=True, help="the same seed gives the same fleet")
@click.option("--pilots", type=click.IntRange(1, 100_000), default=10, show_default=True, help="number of pilots")
@click.option("--hours", type=click.IntRange(1, 1_000_000), default=WEEK, show_default=True, help="number of periods")
@click.option("--period", default="", help="length of a period [default: 1h to a file, 2s when live]")
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    type=click.Choice(list(SCENARIOS)),
    help="repeatable; assigned to pilots in turn",
)
@click.option(
    "--volume", type=click.FloatRange(10, 1e6), default=1000.0, show_default=True, help="decisions per period"
)
@click.option(
    "--start",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="UTC [default: now when live, else so that the last period ends now]",
)
@click.option(
    "--live/--at-once",
    default=None,
    help="each event at its time, or as fast as possible [default: live unless to a file]",
)
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="with --at-once: at most this many events per second"
)
@click.option(
    "--pack", type=click.IntRange(1, 1000), default=100, show_default=True, help="events per record or request"
)
@click.option("--admit", is_flag=True, help="admit the pilots first (file: a directory TARGET.charters)")
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="key file that signs the admissions, where the monitor has --admit-key",
)
@click.option(
    "--people",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="directory of `sandbox init`, where a sandbox is founded: --admit applies, screens, agrees and admits",
)
@trust_option
@click.option(
    "--each",
    is_flag=True,
    help="Kafka: create separate topics for each firm of the fleet first [default: use what exists]",
)
@click.option("--topic-prefix", default="sandbox", show_default=True, help="prefix of the Kafka topic names")
@click.option("--prefix", default="pilot-", show_default=True, help="prefix of the pilot ids")
@click.option("--json", "as_json", is_flag=True, help="print what was sent and the true scenario of each pilot as JSON")
def simulate(
    target: str,
    to: str,
    seed: int,
    pilots: int,
    hours: int,
    period: str,
    scenarios: tuple[str, ...],
    volume: float,
    start: datetime | None,
    live: bool | None,
    rate: float | None,
    pack: int,
    admit: bool,
    key: Path | None,
    people: Path | None,
    trusted: tuple[str, ...],
    each: bool,
    topic_prefix: str,
    prefix: str,
    as_json: bool,
) -> None:
    """Send a seeded fleet of pilots to TARGET: 127.0.0.1:9092 (Kafka), http://127.0.0.1:8321, or a file of JSON lines.

    A line of the file is a CloudEvent with `recordedtime`, when it was received: what `sandbox-monitor replay` reads.
    Where a sandbox is founded, --admit needs --people: each pilot is applied for by its simulated firm, whose key is
    made in DIR/firms, and screened, signed and admitted by the officer whose key is in DIR.

    Exit codes: 0 all sent, 1 a pilot was not admitted, 2 usage error, 3 the server is unavailable.
    """
    live = (to != "file" and rate is None) if live is None else live
    if live and (to == "file" or rate is not None):
        raise click.UsageError("--live goes with --to kafka or http, and without --rate")
    if each and to != "kafka":
        raise click.UsageError("--each goes with --to kafka")
    period = period or ("2s" if live else "1h")
    try:
        fleet = Fleet(
            seed,
            pilots=pilots,
            scenarios=scenarios or DEFAULT,
            start=_start(start, live, hours, period),
            hours=hours,
            period=period,
            volume=volume,
            prefix=prefix,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if each:
        _create_firm_topics(target, topic_prefix, fleet)
    entry = None if to == "file" else _entry(Server(_address(to, target), topic_prefix, trusted_here()), fleet, people)
    if admit and entry is None and to != "file" and founded_at(Server(_address(to, target), topic_prefix)):
        raise click.ClickException(FOUNDED)
    began = time.monotonic()
    with _progress() as progress, contextlib.closing(_open(to, target, topic_prefix, pack, fleet, key)) as sink:
        if isinstance(sink, Packed) and entry is not None:
            sink.firm_of = entry.signer
        if admit and entry is not None:
            for admission in fleet.admissions():
                entry.enter(admission)
        elif admit:
            admissions = list(fleet.admissions())
            judged = sink.judged([admission.pilot for admission in admissions])
            for admission in admissions:
                sink.admit(admission)
            sink.flush()
            judged(JUDGED_S)  # otherwise the first events might precede the admission
        bar = progress.add_task("periods", total=hours)
        sent = _send(fleet, sink, _pace(live, rate), lambda p: progress.update(bar, completed=p))
        progress.update(bar, completed=hours)
    seconds = time.monotonic() - began
    if as_json:
        echo(msgspec.json.encode({"events": sent, "seconds": seconds, "truth": list(fleet.truths())}).decode())
    else:
        echo(f"{sent} events of {pilots} pilots in {seconds:.1f} s ({sent / max(seconds, 1e-9):,.0f}/s)", err=True)
        for truth in fleet.truths():
            echo(f"{truth.pilot} {truth.scenario}: {truth.story}")


def _entry(server: Server, fleet: Fleet, people: Path | None) -> Entry | None:
    """How pilots come into a founded sandbox; `None` without its people."""
    return None if people is None else Entry(people, server, fleet, JUDGED_S)


def _firms(fleet: Fleet) -> dict[str, str]:
    """The participant of each pilot."""
    return {pilot: fleet.charter_for(pilot).participant.id for pilot in fleet.pilots}


def _create_firm_topics(target: str, prefix: str, fleet: Fleet) -> None:
    """Create the topics of all firms of the fleet that do not exist. Raises `Unavailable`, `LogBroken`."""
    servers = ",".join(kafka_servers(target.removeprefix("kafka://")))
    names = TopicNames(prefix, tuple(sorted(set(_firms(fleet).values()))))

    async def create() -> None:
        count = await partition_count(servers, names.control)
        await create_topics(servers, participant_topics(names, count, 1))

    asyncio.run(create())


def _start(start: datetime | None, live: bool, hours: int, period: str) -> int:
    """First moment (ms): given, now, or so that the last period has ended; then at a midnight if periods are of an hour
    or more, since a replay admits at the beginning of the charter's first day."""
    if start is not None:
        return int(start.replace(tzinfo=UTC).timestamp() * 1000)
    now = wall_ms()
    length = Fleet(0, pilots=0, start=0, hours=1, period=period).length
    if live:
        return now + length
    first = now - hours * length
    return first - first % DAY_MS if length >= DAY_MS // 24 else first


def _progress() -> Progress:
    """A progress bar on stderr, only on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("simulate"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _pace(live: bool, rate: float | None) -> Callable[[int, int], float]:
    """A function (received ms, number of the event) -> seconds to wait."""
    began = time.monotonic()
    if live:
        return lambda received, _: received / 1000 - time.time()
    if rate is not None:
        return lambda _, number: number / rate - (time.monotonic() - began)
    return lambda received, number: 0.0


def _send(fleet: Fleet, sink: Sink, early: Callable[[int, int], float], reached: Callable[[int], None]) -> int:
    """Send every event at its time; packed events are sent whenever there is time to wait. Returns the number sent."""
    sent, period = 0, 0
    for received, event in fleet:
        wait = early(received, sent)
        if wait > 0.005:
            sink.release()
            time.sleep(wait)
        sink.put(received, event)
        sent += 1
        if (now := (received - fleet.start) // fleet.length) > period:
            period = now
            reached(period)
    sink.flush()
    return sent


class Sink(Protocol):
    """The destination of events."""

    def judged(self, pilots: list[str]) -> Callable[[float], None]:
        """Call before the admissions are sent. Returns a function that waits at most so many seconds for their
        outcome."""

    def admit(self, admission: Admission) -> None:
        """Admit a pilot."""

    def put(self, received: int, event: Envelope) -> None:
        """Add an event with its time of reception (`received`, ms); it may be buffered to be packed."""

    def release(self) -> None:
        """Send all buffered events."""

    def flush(self) -> None:
        """Send all buffered events and wait until they are durable."""

    def close(self) -> None:
        """Close connections and files."""


class Packed:
    """Packs `pack` events of a pilot per record and sends them to Kafka or HTTP; buffers at most 100 packs."""

    def __init__(self, bulk: Bulk, pack: int, admitter: Signer | None = None) -> None:
        self._bulk, self._pack, self._admitter = bulk, pack, admitter
        self._held: dict[str, list[Envelope]] = {}
        self._count = 0
        self.firm_of: Callable[[str], Signer] | None = None  # who signs the telemetry of a pilot; `None`: no one

    def judged(self, pilots: list[str]) -> Callable[[float], None]:
        """See `Sink.judged`: on Kafka telemetry may be read before control; over HTTP control that came before is
        stepped before."""
        if isinstance(self._bulk, KafkaBulk) and pilots:
            return PendingAdmissions(self._bulk.link, pilots).wait
        return lambda seconds: None

    def admit(self, admission: Admission) -> None:
        """See `Sink.admit`: a control record, signed where there is a key."""
        if self._admitter is None:
            self._bulk.control(admission.pilot, msgspec.json.encode(admission))
            return
        body = msgspec.json.encode(structs.replace(admission, **validity(0, wall_ms())))
        self._bulk.control(admission.pilot, body, self._admitter.sign("control", body))

    def put(self, received: int, event: Envelope) -> None:
        """See `Sink.put`."""
        batch = self._held.setdefault(event.subject, [])
        batch.append(event)
        self._count += 1
        if len(batch) >= self._pack:
            del self._held[event.subject]
            self._count -= len(batch)
            self._send(event.subject, batch)
        elif self._count >= 100 * self._pack:
            self.release()

    def _send(self, pilot: str, batch: list[Envelope]) -> None:
        if self.firm_of is None:
            self._bulk.telemetry(pilot, msgspec.json.encode(batch), "")
            return
        # A charter of a founded sandbox asks for pseudonyms. Simulated ids belong to no person: the key is no secret.
        body = msgspec.json.encode([with_pseudonym(event, b"simulation") for event in batch])
        self._bulk.telemetry(pilot, body, self.firm_of(pilot).sign("telemetry", body))

    def release(self) -> None:
        """See `Sink.release`."""
        for pilot, batch in self._held.items():
            self._send(pilot, batch)
        self._held.clear()
        self._count = 0

    def flush(self) -> None:
        """See `Sink.flush`."""
        self.release()
        self._bulk.flush()

    def close(self) -> None:
        """See `Sink.close`."""
        self._bulk.close()


class Lines:
    """Writes JSON lines in order of reception, and charters into a directory next to the file."""

    def __init__(self, path: Path) -> None:
        self._charters = path.with_name(path.name + ".charters")
        self._file = path.open("wb")

    def judged(self, pilots: list[str]) -> Callable[[float], None]:
        """See `Sink.judged`: a file needs no decision."""
        return lambda seconds: None

    def admit(self, admission: Admission) -> None:
        """See `Sink.admit`: the charter as a file; JSON is YAML."""
        self._charters.mkdir(exist_ok=True)
        raw = msgspec.json.format(msgspec.json.encode(_pruned(msgspec.to_builtins(admission.charter))), indent=2)
        (self._charters / f"{admission.pilot}.yaml").write_bytes(raw + b"\n")

    def put(self, received: int, event: Envelope) -> None:
        """See `Sink.put`."""
        self._file.write(event_line(received, event))

    def release(self) -> None:
        """See `Sink.release`."""

    def flush(self) -> None:
        """See `Sink.flush`."""
        self._file.flush()

    def close(self) -> None:
        """See `Sink.close`."""
        self._file.close()


def _pruned(value: object) -> object:
    """Remove nulls, empty lists and empty strings."""
    if isinstance(value, dict):
        return {k: p for k, v in value.items() if (p := _pruned(v)) not in (None, "", [], {})}
    return [_pruned(v) for v in value] if isinstance(value, (list, tuple)) else value


def _open(to: str, target: str, topic_prefix: str, pack: int, fleet: Fleet, key: Path | None) -> Sink:
    if to == "file":
        try:
            return Lines(Path(target))
        except OSError as error:
            raise click.UsageError(f"{target} cannot be written: {error.strerror}") from None
    try:
        bulk = open_bulk(_address(to, target), prefix=topic_prefix, participant_of=_firms(fleet).__getitem__)
        return Packed(bulk, pack, read_key(key) if key else None)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _address(to: str, target: str) -> str:
    """TARGET as an address. Raises click.UsageError."""
    address = target if "://" in target else f"{to}://{target}"
    if not address.startswith(to):
        raise click.UsageError(f"{target} is no address for --to {to}")
    return address
