"""Environments for end-to-end tests: a monitor in separate processes, embedded or on Kafka, behind a network proxy.

Both environments implement the protocol `Environment`, so that one test runs on both. Every decision is collected with
the time at which it was seen; times are nanoseconds of CLOCK_BOOTTIME unless a name ends in `ms`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from monitor.charter.control import Admission, ControlBase
from monitor.charter.spec import Charter, Drills, Participant, Reporter, Responses
from monitor.client.bulk import Bulk, open_bulk
from monitor.errors import SandboxMonitorError, Unavailable
from monitor.files.key_file import own_key
from monitor.kafka.output_consumer import ReadPosition, read_outputs
from monitor.kafka.topics import TopicNames, create_topics, topics
from monitor.model.builders import packed
from monitor.model.events import Envelope
from monitor.model.records import Decision, Reason
from monitor.model.signing import HTTP_HEADER
from monitor.simulation.fleet import Fleet
from monitor.testing.broker import KafkaBroker
from monitor.testing.ports import free_port
from monitor.testing.proxy import Proxy
from monitor.testing.servers import http_request
from monitor.testing.workers import Worker

MONITOR = """
import asyncio, sys
from pathlib import Path
import msgspec
from monitor.charter.spec import Charter
from monitor.embedded.monitor import Monitor
from monitor.embedded.run import run_until_stopped
charters = msgspec.json.decode(Path(sys.argv[3]).read_bytes(), type=list[Charter])
asyncio.run(run_until_stopped(Monitor(Path(sys.argv[1]), port=int(sys.argv[2]), charters=charters)))
"""


START_S = 300.0  # that a monitor may take to start on a busy machine


def boottime() -> int:
    """CLOCK_BOOTTIME (ns), the clock of the services."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class RecordedDecisions:
    """Decisions by pilot, each with the time at which it was seen (CLOCK_BOOTTIME, ns). Thread-safe."""

    def __init__(self) -> None:
        self._of: dict[str, list[tuple[int, Decision]]] = defaultdict(list)
        self._ids: set[str] = set()
        self._changed = threading.Condition()

    def put(self, decision: Decision) -> None:
        """Add a decision; a duplicate is dropped."""
        with self._changed:
            if decision.id not in self._ids:
                self._ids.add(decision.id)
                self._of[decision.pilot].append((boottime(), decision))
                self._changed.notify_all()

    def of(self, pilot: str) -> list[Decision]:
        """All decisions of one pilot so far, in order."""
        with self._changed:
            return [decision for _, decision in self._of[pilot]]

    def wait(self, pilot: str, reason: Reason, timeout: float = 30.0) -> tuple[int, Decision]:
        """Block until a decision has this reason; returns when it was seen, and the decision. Raises `Unavailable`
        after `timeout` (s)."""

        def found() -> tuple[int, Decision] | None:
            return next((row for row in self._of[pilot] if row[1].reason == reason), None)

        with self._changed:
            row = self._changed.wait_for(found, timeout)
            if row is None:
                found_reasons = ", ".join(decision.reason for _, decision in self._of[pilot])
                raise Unavailable(
                    f"{reason} of {pilot} was not recorded within {timeout:g} s; recorded: {found_reasons}"
                )
            return row


def charters(pilots: int, key: str, reporter: str, responses: Responses, drills: Drills) -> list[Charter]:
    """Charters of the simulator's calm fleet; the firms' services sign with `key`, a hospital that reports incidents
    and complaints with `reporter`."""
    fleet = Fleet(1, pilots=pilots, scenarios=["calm"], start=time.time_ns() // 1_000_000 - 3_600_000, hours=24)
    given = [fleet.charter_for(pilot) for pilot in fleet.pilots]
    return [
        msgspec.structs.replace(
            charter,
            participant=Participant(charter.participant.id, keys=(key,)),
            reporters=(Reporter("hospital", keys=(reporter,)),),
            responses=responses,
            drills=drills,
        )
        for charter in given
    ]


class Environment(Protocol):
    """One monitor with a given number of admitted pilots."""

    name: str
    home: Path
    decisions: RecordedDecisions
    key: Path  # the firms' private key

    def start(self) -> None:
        """Start the monitor. Blocks until it is ready."""

    def kill(self) -> None:
        """SIGKILL to the monitor."""

    def close(self) -> None:
        """Stop all processes and proxies."""

    def next(self) -> Charter:
        """The charter of a pilot that no test has used yet."""

    def proxy(self) -> Proxy:
        """The network between one service and the monitor; on Kafka all services share one."""

    def settings(self, proxy: Proxy) -> dict[str, Any]:
        """Arguments for the `Pilot` of a service that reaches the monitor through `proxy`."""

    def report(self, event: Envelope) -> None:
        """Send a report of the hospital, not through a proxy; it is durable when this returns."""

    def act(self, act: ControlBase) -> None:
        """Send an act of a regulator."""


class Embedded:
    """`sandbox-monitor serve` in a separate process. See `Environment`."""

    name = "embedded"

    def __init__(self, home: Path, pilots: int, responses: Responses, drills: Drills | None = None) -> None:
        self.home, self.port, self.key = home, free_port(), home / "firm.key"
        self.decisions = RecordedDecisions()
        self._hospital = own_key(home / "hospital.key")
        self._left = charters(pilots, own_key(self.key).public, self._hospital.public, responses, drills or Drills())
        (home / "charters.json").write_bytes(msgspec.json.encode(self._left))
        self._process: subprocess.Popen[bytes] | None = None
        self._proxies: list[Proxy] = []
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self.start()
        self._trust = self._ask("GET", "/v1/key")[1].decode()
        self._watching.start()

    def start(self) -> None:
        """See `Environment.start`."""
        with (self.home / "monitor.log").open("ab") as log:
            arguments = [str(self.home / "monitor"), str(self.port), str(self.home / "charters.json")]
            self._process = subprocess.Popen([sys.executable, "-c", MONITOR, *arguments], stdout=log, stderr=log)
        end = time.monotonic() + START_S
        while self._ask("GET", "/ready")[0] != 200:
            if time.monotonic() > end or self._process.poll() is not None:
                raise Unavailable("the monitor did not start: " + (self.home / "monitor.log").read_text()[-2000:])
            time.sleep(0.05)

    def kill(self) -> None:
        """See `Environment.kill`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """See `Environment.close`."""
        self._over.set()
        self.kill()
        self._watching.join(15)
        for proxy in self._proxies:
            proxy.close()

    def next(self) -> Charter:
        """See `Environment.next`."""
        return self._left.pop()

    def proxy(self) -> Proxy:
        """See `Environment.proxy`."""
        proxy = Proxy(self.port)
        self._proxies.append(proxy)
        return proxy

    def settings(self, proxy: Proxy) -> dict[str, Any]:
        """See `Environment.settings`."""
        return {"to": f"http://127.0.0.1:{proxy.port}", "trust": self._trust, "key": str(self.key)}

    def report(self, event: Envelope) -> None:
        """See `Environment.report`."""
        body = packed([event])
        self._post("/v1/telemetry", body, "application/cloudevents-batch+json", self._hospital.sign("telemetry", body))

    def act(self, act: ControlBase) -> None:
        """See `Environment.act`."""
        self._post("/v1/control", msgspec.json.encode(act), "application/json")

    def _post(self, path: str, body: bytes, kind: str, signature: str = "") -> None:
        headers = {HTTP_HEADER: signature} if signature else {}
        status, answer = self._ask("POST", path, body, kind, headers)
        if status != 202:
            raise Unavailable(f"POST {path} was answered {status}: {answer[:200]!r}")

    def _ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = "", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        return http_request(self.port, method, path, body, kind, headers)

    def _watch(self) -> None:
        after, decode = 0, msgspec.json.Decoder(Decision).decode
        while not self._over.wait(0.01):
            status, raw = self._ask("GET", f"/v1/decisions?after={after}")
            for line in raw.splitlines() if status == 200 else ():
                after = int(json.loads(line)["seq"])
                self.decisions.put(decode(line))


class Kafka:
    """A broker and a worker. Services reach the broker through a proxy on a separate listener. See `Environment`."""

    name = "kafka"
    SESSION_S = 6.0  # the minimum that a broker allows by default
    each = False  # separate topics for each participant

    def __init__(
        self, home: Path, pilots: int, responses: Responses, drills: Drills | None = None, workers: int = 1
    ) -> None:
        self.home, self.key, self.decisions = home, home / "firm.key", RecordedDecisions()
        own, inner, self._firms = free_port(), free_port(), free_port()
        self._proxy = Proxy(self._firms)
        listeners = {"PLAINTEXT": own, "CONTROLLER": inner, "FIRMS": self._firms}
        advertised = {"PLAINTEXT": own, "FIRMS": self._proxy.port}
        settings = {
            "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items()),
            "advertised.listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in advertised.items()),
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in listeners),
        }
        self.broker = KafkaBroker(home / "kafka", own, inner, settings).start()
        self._hospital = own_key(home / "hospital.key")
        self._left = charters(pilots, own_key(self.key).public, self._hospital.public, responses, drills or Drills())
        firms = {charter.pilot: charter.participant.id for charter in self._left} if self.each else {}
        self._firm_of: Callable[[str], str] = lambda pilot: firms.get(pilot, "")
        self.names = TopicNames("halt", tuple(sorted(set(firms.values()))))
        self._signer = own_key(home / "authority.key")
        self._over = threading.Event()
        asyncio.run(create_topics(self.broker.bootstrap, topics(self.names, 2, 1)))
        self.workers: list[Worker | None] = [None] * workers
        self._lock = threading.Lock()
        self._bulk = self._open_bulk()
        self.start()
        self._watching = threading.Thread(target=lambda: asyncio.run(self._watch()), daemon=True)
        self._watching.start()
        for charter in self._left:
            self.act(Admission(id=f"admit-{charter.pilot}", pilot=charter.pilot, author="authority", charter=charter))
        for charter in self._left:
            self.decisions.wait(charter.pilot, Reason.ADMITTED, START_S)

    def start(self) -> None:
        """See `Environment.start`."""
        for number, worker in enumerate(self.workers):
            if worker is not None and worker.running:
                continue
            options = ["--instance", f"w{number}", "--session-timeout", f"{self.SESSION_S:g}"]
            options += ["--key-file", str(self.home / "authority.key"), *["--each"] * self.each]
            log = self.home / f"worker-{number}.log"
            self.workers[number] = Worker(self.broker.bootstrap, self.names.prefix, log, *options)
        for worker in self.workers:
            if worker is not None:
                worker.wait_ready(START_S)

    def kill(self) -> None:
        """See `Environment.kill`."""
        for worker in self.workers:
            if worker is not None:
                worker.kill()

    def close(self) -> None:
        """See `Environment.close`."""
        self._over.set()
        self.kill()
        self._watching.join(15)
        with contextlib.suppress(SandboxMonitorError):
            self._bulk.close()
        self._proxy.close()
        self.broker.kill()

    def next(self) -> Charter:
        """See `Environment.next`."""
        return self._left.pop()

    def proxy(self) -> Proxy:
        """See `Environment.proxy`."""
        return self._proxy

    def settings(self, proxy: Proxy) -> dict[str, Any]:
        """See `Environment.settings`."""
        return {
            "to": f"kafka://127.0.0.1:{proxy.port}",
            "topic_prefix": self.names.prefix,
            "trust": self._signer.public,
            "key": str(self.key),
            "options": {"compression_type": None},  # so that the proxy can aim at one message
        }

    def report(self, event: Envelope) -> None:
        """See `Environment.report`."""
        body = packed([event])
        signature = self._hospital.sign("telemetry", body)
        self._send(lambda: self._bulk.telemetry(event.subject, body, signature))

    def act(self, act: ControlBase) -> None:
        """See `Environment.act`."""
        self._send(lambda: self._bulk.control(act.pilot, msgspec.json.encode(act)))

    def _send(self, send: Callable[[], None]) -> None:
        with self._lock:
            for attempt in range(3):
                try:
                    send()
                    self._bulk.flush()
                    return
                except SandboxMonitorError:  # the broker was killed under it: a new producer
                    if attempt == 2:
                        raise
                    with contextlib.suppress(SandboxMonitorError):
                        self._bulk.close()
                    self._bulk = self._open_bulk()

    def _open_bulk(self) -> Bulk:
        to = f"kafka://{self.broker.bootstrap}"
        return open_bulk(to, prefix=self.names.prefix, participant_of=self._firm_of)

    async def _watch(self) -> None:
        following = asyncio.create_task(self._follow())
        while not self._over.is_set():
            await asyncio.sleep(0.1)
        following.cancel()  # else it would reconnect to a stopped broker until the process ends
        with contextlib.suppress(asyncio.CancelledError):
            await following

    async def _follow(self) -> None:
        places: dict[tuple[str, int], ReadPosition] = {}
        while True:
            try:
                async for seen in read_outputs(self.broker.bootstrap, [self.names.decisions], places, follow=False):
                    places[(seen.topic, seen.partition)] = seen.position
                    if isinstance(seen.value, Decision):
                        self.decisions.put(seen.value)
                following = read_outputs(self.broker.bootstrap, [self.names.decisions], places)
                async with contextlib.aclosing(following):  # type: ignore[type-var]
                    async for seen in following:
                        places[(seen.topic, seen.partition)] = seen.position
                        if isinstance(seen.value, Decision):
                            self.decisions.put(seen.value)
            except Exception:  # the broker was killed; it is started again
                await asyncio.sleep(0.2)


ENVIRONMENTS: dict[str, Callable[..., Environment]] = {"embedded": Embedded, "kafka": Kafka}


def lines(seen: Sequence[Decision]) -> list[Reason]:
    """The reasons of decisions, in order."""
    return [decision.reason for decision in seen]
