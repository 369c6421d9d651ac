"""The country on Kafka: a real broker, a worker and a notary as separate processes, whose wall clock the run moves.

Acts and telemetry are sent by the client of regulators and firms (`monitor.client.bulk`), signed. After each move the
run waits until the worker has stepped everything that was sent and has written a `time` entry after it, so the year
passes as fast as the machine allows, and the broker stamps every record with the time of the script.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import TracebackType

import msgspec
from kafka import TopicPartition

from monitor.charter.act_base import ControlBase
from monitor.cli.sandbox_link import Server, copy_to_partitions
from monitor.client.bulk import open_bulk
from monitor.client.kafka import send_control
from monitor.errors import Unavailable
from monitor.kafka.output_consumer import read_outputs
from monitor.kafka.topics import TopicNames, create_topics, topics
from monitor.lifecycle.sandbox import SUBJECT
from monitor.model.builders import packed
from monitor.model.events import Envelope
from monitor.model.output_records import OutputRejection, judge_output
from monitor.model.records import Command, Decision, Evidence, JournalEntry, Outputs, Rejected, TimeRead
from monitor.model.signing import Signer
from monitor.notary.cursor import Cursor, read_cursor
from monitor.sdk.kafka_link import KafkaLink
from monitor.sdk.transports import open_link
from monitor.testing.broker import KafkaBroker
from monitor.testing.driven import DrivenWorker
from monitor.testing.wallclock import WallClock
from tests.country.ledgers import Body, Ledgers, read_ledgers
from tests.country.nation import ADMITTER, START, key

PARTITIONS, LONGEST_STEP_H, PREFIX = 2, 14, "country"
PATIENCE_S = 600.0  # without what is waited for; a loaded machine is slow
NEVER = str(10 * 366 * 86_400_000)
# What Kafka expires by its wall clock must not expire because a test moves it.
SETTINGS = {
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000000000",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "1000000000",
    "producer.id.expiration.check.interval.ms": "1000000000",
    "offsets.retention.check.interval.ms": "1000000000",
    "log.retention.check.interval.ms": "1000000000",
    "log.roll.hours": "87600",
    "log.cleaner.enable": "false",
}


class OnKafka:
    """See `Runtime`; a context manager. Everything is in `home`: `ledger`, logs of the processes, the broker's data."""

    def __init__(self, home: Path, partitions: int = PARTITIONS) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.ledger = home, home / "ledger"
        self.names = TopicNames(PREFIX)
        self._partitions = range(partitions)
        self._clock = WallClock(home / "clock")
        self._ahead = -(10**12)
        self._now = 0
        self.at(START - 60_000)
        self.broker = KafkaBroker(home / "broker", settings=SETTINGS, environment=self._clock.environment)
        self._processes: list[subprocess.Popen[bytes]] = []
        # partition -> its last `time` entry: when, the next offsets of telemetry and control
        self._reached: dict[int, tuple[int, int, int]] = {}
        self._entries = dict.fromkeys(self._partitions, 0)
        self._out: tuple[list[Decision], list[Command], list[Rejected]] = ([], [], [])
        self.events = 0

    def __enter__(self) -> OnKafka:
        self.broker.start()
        bootstrap = self.broker.bootstrap
        asyncio.run(create_topics(bootstrap, topics(self.names, len(self._partitions), 1)))
        self.worker = DrivenWorker(
            bootstrap, PREFIX, self.home / "worker.log", str(LONGEST_STEP_H), key(ADMITTER).public,
            environment=self._clock.environment,
        )  # fmt: skip
        self._start("notary", "--dir", str(self.ledger), "--port", "0")
        self._start("pool")
        self.worker.wait_ready(PATIENCE_S)
        self.server = Server(f"kafka://{bootstrap}", PREFIX)
        self._bulk = open_bulk(self.server.to, prefix=PREFIX)
        link = open_link(self.server.to, prefix=PREFIX)
        assert isinstance(link, KafkaLink)
        self._consumer = link.consumer()
        kinds = (self.names.journal, self.names.decisions, self.names.commands, self.names.rejected)
        self._read = [TopicPartition(topic, number) for topic in kinds for number in self._partitions]
        self._sent = [
            TopicPartition(topic, number)
            for topic in (self.names.shared_telemetry, self.names.control)
            for number in self._partitions
        ]
        self._consumer.assign(self._read)
        self._consumer.seek_to_beginning(*self._read)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(120)
        if self.worker.running:
            self.worker.kill()
        self._consumer.close()
        self._bulk.close()
        self.broker.kill()

    def _start(self, name: str, *options: str) -> None:
        """Start a command of `sandbox-monitor` under the driven clock; its output goes to `NAME.log`."""
        command = [sys.executable, "-m", "monitor", name, "--bootstrap", self.broker.bootstrap, "--prefix", PREFIX]
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*command, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **self._clock.environment},
            )  # fmt: skip
        self._processes.append(process)

    # ---- Runtime

    def at(self, now: int) -> None:
        """See `Runtime.at`. The clocks of all processes go on from there."""
        self._ahead = max(self._ahead, -(-(now - time.time_ns() // 1_000_000) // 1000))
        self._now = now
        self._clock.move(self._ahead)

    def telemetry(self, pilot: str, events: list[Envelope], signer: Signer) -> None:
        """See `Runtime.telemetry`."""
        body = packed(events)
        self._bulk.telemetry(pilot, body, signer.sign("telemetry", body))

    def control(self, act: ControlBase, signer: Signer) -> None:
        """See `Runtime.control`. What is about the sandbox is copied to all partitions."""
        body = msgspec.json.encode(act)
        self._bulk.control(act.pilot, body, signer.sign("control", body))

    def settle(self) -> tuple[list[Decision], list[Command], list[Rejected]]:
        """See `Runtime.settle`. Raises `Unavailable` when the worker ends or makes no progress."""
        self._bulk.flush()
        sent = self._consumer.end_offsets(self._sent)
        deadline = time.monotonic() + PATIENCE_S

        def stepped(number: int) -> bool:
            at, telemetry, control = self._reached.get(number, (0, -1, -1))
            ends = [sent[TopicPartition(t, number)] for t in (self.names.shared_telemetry, self.names.control)]
            return at >= self._now and telemetry >= ends[0] and control >= ends[1]

        while not all(map(stepped, self._partitions)):
            self._poll(deadline)
        before = dict(self._entries)  # outputs of an entry are written before the next one
        while any(self._entries[number] <= before[number] for number in self._partitions):
            self._poll(deadline)
        ends = self._consumer.end_offsets(self._read)
        while any(self._consumer.position(partition) < end for partition, end in ends.items()):
            self._poll(deadline)
        out, self._out = self._out, ([], [], [])
        return out

    # ---- the rest

    def found(self, act: ControlBase, signer: Signer) -> None:
        """Send the founding of the sandbox, and copy it to all partitions. Raises `Unavailable`."""
        body = msgspec.json.encode(act)
        link = open_link(self.server.to, prefix=PREFIX)
        assert isinstance(link, KafkaLink)
        send_control(link, SUBJECT, body, signer.sign("control", body))
        link.close()
        self.settle()
        copy_to_partitions(self.server)

    def stepped(self) -> int:
        """Events that the worker stepped, by its own metrics."""
        lines = self.worker.metrics().splitlines()
        return int(sum(float(line.split()[1]) for line in lines if line.startswith("sandbox_monitor_events_total ")))

    def firms(self) -> list[Body]:
        """Records and classes of all firms as the second stage keeps them, once it has read everything. Raises
        `Unavailable`."""
        out, deadline = self._outputs(), time.monotonic() + PATIENCE_S
        wanted = {one.pilot: one.standing for one in out.decisions if one.participant}  # those of a pilot rise
        observed = Counter(one.pilot for one in out.evidence if isinstance(one, Evidence))
        command = [sys.executable, "-m", "monitor", "firm", "list", "--json", "--to", self.server.to]
        while True:
            printed = subprocess.run([*command, "--prefix", PREFIX], check=False, capture_output=True)
            found = [json.loads(line) for line in printed.stdout.splitlines()]
            read = {name: (at, rows) for one in found for name, at, rows in one["record"]["positions"]}
            if read == {name: (at, observed[name]) for name, at in wanted.items()}:
                return found
            if time.monotonic() > deadline:
                raise Unavailable(f"the second stage has not read everything: {printed.stderr!r}\n{self._said('pool')}")
            time.sleep(2.0)

    def _outputs(self) -> Outputs:
        """All decisions and evidence, from their topics."""
        names = [self.names.decisions, self.names.evidence]

        async def read() -> Outputs:
            out = Outputs()
            async for seen in read_outputs(self.broker.bootstrap, names, follow=False):
                if isinstance(seen.value, Decision):
                    out.decisions.append(seen.value)
                elif isinstance(seen.value, Evidence):
                    out.evidence.append(seen.value)
            return out

        return asyncio.run(read())

    def ledgers(self) -> Ledgers:
        """What the notary entered, once it has entered every decision and observation. Raises `Unavailable`."""
        out, deadline, last = self._outputs(), time.monotonic() + PATIENCE_S, Cursor({}, {}, {})
        while True:
            time.sleep(1.0)
            before, last = last, read_cursor(self.ledger)
            if before == last:
                found = read_ledgers(self.ledger)
                rows = sum(len(one["observations"]) for many in found.evidence.values() for one in many)
                if rows == len(out.evidence) and sum(map(len, found.decisions.values())) == len(out.decisions):
                    return found
                if time.monotonic() > deadline:
                    words = f"{rows} of {len(out.evidence)} observations are in the ledgers"
                    raise Unavailable(f"{words}:\n{self._said('notary')}")

    def _said(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text()[-2000:]

    def _poll(self, deadline: float) -> None:
        if time.monotonic() > deadline or not self.worker.running:
            raise Unavailable(f"the worker does not step: {self._reached} at {self._now}\n{self.worker.tail()}")
        decisions, commands, rejected = self._out
        for partition, records in self._consumer.poll(timeout_ms=100).items():
            for record in records:
                if partition.topic == self.names.journal:
                    self._journal(partition.partition, record.timestamp, record.value)
                    continue
                found = judge_output(record.topic, record.key, record.value, record.headers)
                if isinstance(found, OutputRejection):
                    raise Unavailable(f"{partition.topic}/{record.offset} is no output: {found}")
                value = found.value
                if isinstance(value, Decision):
                    decisions.append(value)
                elif isinstance(value, Command):
                    commands.append(value)
                elif isinstance(value, Rejected):
                    rejected.append(value)

    def _journal(self, number: int, at: int, value: bytes) -> None:
        entry = msgspec.json.decode(value, type=JournalEntry)
        if isinstance(entry, TimeRead):
            telemetry = entry.telemetry_next.get(self.names.shared_telemetry, 0)
            self._reached[number] = at, telemetry, entry.control_next
            self._entries[number] += 1
