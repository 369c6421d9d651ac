"""A monitor in real processes that a service can be cut off from, killed and halted by: embedded, or on Kafka.

Both worlds have the same hands, so that one fault is tried on both. What the monitor put on record is collected with
the moment at which it was seen; times are nanoseconds of CLOCK_BOOTTIME unless they say ms.
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
from monitor.charter.spec import Charter, Drills, Participant, Responses
from monitor.client.bulk import open_bulk
from monitor.errors import SandboxMonitorError, Unavailable
from monitor.files.key_file import own_key
from monitor.kafka.output_consumer import ReadPosition, read_outputs
from monitor.kafka.topics import TopicNames, create_topics, topics
from monitor.model.builders import packed
from monitor.model.events import Envelope
from monitor.model.records import Decision, Reason
from monitor.simulation.fleet import Fleet
from monitor.testing.broker import KafkaBroker, free_port
from monitor.testing.proxy import Proxy
from monitor.testing.servers import asked
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


def boottime() -> int:
    """The services' clock, ns."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Seen:
    """Decisions as they were put on record, by pilot, each with the moment at which it was seen."""

    def __init__(self) -> None:
        self._of: dict[str, list[tuple[int, Decision]]] = defaultdict(list)
        self._ids: set[str] = set()
        self._changed = threading.Condition()

    def put(self, decision: Decision) -> None:
        """A decision came; a repeat is dropped."""
        with self._changed:
            if decision.id not in self._ids:
                self._ids.add(decision.id)
                self._of[decision.pilot].append((boottime(), decision))
                self._changed.notify_all()

    def of(self, pilot: str) -> list[Decision]:
        """All of one pilot so far, in order."""
        with self._changed:
            return [decision for _, decision in self._of[pilot]]

    def wait(self, pilot: str, reason: Reason, timeout: float = 30.0) -> tuple[int, Decision]:
        """The first decision of that reason, and when it was seen. Raises `Unavailable` after `timeout` (s)."""

        def found() -> tuple[int, Decision] | None:
            return next((row for row in self._of[pilot] if row[1].reason == reason), None)

        with self._changed:
            row = self._changed.wait_for(found, timeout)
            if row is None:
                there = ", ".join(decision.reason for _, decision in self._of[pilot])
                raise Unavailable(f"{reason} of {pilot} is not on record within {timeout:g} s: {there}")
            return row


def charters(pilots: int, key: str, responses: Responses, drills: Drills) -> list[Charter]:
    """Charters of the simulator's calm fleet; the firms' services sign with `key`."""
    fleet = Fleet(1, pilots=pilots, scenarios=["calm"], start=time.time_ns() // 1_000_000 - 3_600_000, hours=24)
    given = [fleet.charter_for(pilot) for pilot in fleet.pilots]
    return [
        msgspec.structs.replace(
            charter, participant=Participant(charter.participant.id, keys=(key,)), responses=responses, drills=drills
        )
        for charter in given
    ]


class World(Protocol):
    """One monitor with as many admitted pilots as asked for."""

    name: str
    home: Path
    seen: Seen
    key: Path  # the firms' private key

    def start(self) -> None:
        """Start the monitor; returns when it works."""

    def kill(self) -> None:
        """SIGKILL to the monitor."""

    def close(self) -> None:
        """End everything."""

    def next(self) -> Charter:
        """An unused pilot."""

    def proxy(self) -> Proxy:
        """The network of one service; on Kafka all services have the same."""

    def settings(self, proxy: Proxy) -> dict[str, Any]:
        """What a service's `Pilot` must be given to reach the monitor through `proxy`."""

    def report(self, event: Envelope) -> None:
        """Somebody outside sends an event, past every proxy; durable when this returns."""

    def act(self, act: ControlBase) -> None:
        """A regulator acts."""


class Embedded:
    """`sandbox-monitor serve` in a separate process. See `World`."""

    name = "embedded"

    def __init__(self, home: Path, pilots: int, responses: Responses, drills: Drills | None = None) -> None:
        self.home, self.port, self.key = home, free_port(), home / "firm.key"
        self.seen = Seen()
        self._left = charters(pilots, own_key(self.key).public, responses, drills or Drills())
        (home / "charters.json").write_bytes(msgspec.json.encode(self._left))
        self._process: subprocess.Popen[bytes] | None = None
        self._proxies: list[Proxy] = []
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self.start()
        self._trust = self._ask("GET", "/v1/key")[1].decode()
        self._watching.start()

    def start(self) -> None:
        """See `World.start`."""
        with (self.home / "monitor.log").open("ab") as log:
            arguments = [str(self.home / "monitor"), str(self.port), str(self.home / "charters.json")]
            self._process = subprocess.Popen([sys.executable, "-c", MONITOR, *arguments], stdout=log, stderr=log)
        end = time.monotonic() + 60
        while self._ask("GET", "/ready")[0] != 200:
            if time.monotonic() > end or self._process.poll() is not None:
                raise Unavailable("the monitor does not start: " + (self.home / "monitor.log").read_text()[-2000:])
            time.sleep(0.05)

    def kill(self) -> None:
        """See `World.kill`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """See `World.close`."""
        self._over.set()
        self.kill()
        self._watching.join(15)
        for proxy in self._proxies:
            proxy.close()

    def next(self) -> Charter:
        """See `World.next`."""
        return self._left.pop()

    def proxy(self) -> Proxy:
        """See `World.proxy`."""
        proxy = Proxy(self.port)
        self._proxies.append(proxy)
        return proxy

    def settings(self, proxy: Proxy) -> dict[str, Any]:
        """See `World.settings`."""
        return {"to": f"http://127.0.0.1:{proxy.port}", "trust": self._trust, "key": str(self.key)}

    def report(self, event: Envelope) -> None:
        """See `World.report`."""
        self._post("/v1/telemetry", packed([event]), "application/cloudevents-batch+json")

    def act(self, act: ControlBase) -> None:
        """See `World.act`."""
        self._post("/v1/control", msgspec.json.encode(act), "application/json")

    def _post(self, path: str, body: bytes, kind: str) -> None:
        status, answer = self._ask("POST", path, body, kind)
        if status != 202:
            raise Unavailable(f"POST {path} was answered {status}: {answer[:200]!r}")

    def _ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> tuple[int, bytes]:
        return asked(self.port, method, path, body, kind)

    def _watch(self) -> None:
        after, decode = 0, msgspec.json.Decoder(Decision).decode
        while not self._over.wait(0.01):
            status, raw = self._ask("GET", f"/v1/decisions?after={after}")
            for line in raw.splitlines() if status == 200 else ():
                after = int(json.loads(line)["seq"])
                self.seen.put(decode(line))


class Kafka:
    """A broker and a worker. Services reach the broker through a listener that a proxy stands before. See `World`."""

    name = "kafka"
    SESSION_S = 6.0  # the least that a broker allows by default

    def __init__(
        self, home: Path, pilots: int, responses: Responses, drills: Drills | None = None, workers: int = 1
    ) -> None:
        self.home, self.key, self.seen = home, home / "firm.key", Seen()
        own, inner, self._firms = free_port(), free_port(), free_port()
        self._proxy = Proxy(self._firms)
        listeners = {"PLAINTEXT": own, "CONTROLLER": inner, "FIRMS": self._firms}
        told = {"PLAINTEXT": own, "FIRMS": self._proxy.port}
        settings = {
            "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items()),
            "advertised.listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in told.items()),
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in listeners),
        }
        self.broker = KafkaBroker(home / "kafka", own, inner, settings).start()
        self.names = TopicNames("halt")
        self._signer = own_key(home / "authority.key")
        self._over = threading.Event()
        asyncio.run(create_topics(self.broker.bootstrap, topics(self.names, 2, 1)))
        self.workers: list[Worker | None] = [None] * workers
        self._lock = threading.Lock()
        self._bulk = open_bulk(f"kafka://{self.broker.bootstrap}", prefix=self.names.prefix)
        self.start()
        self._watching = threading.Thread(target=lambda: asyncio.run(self._watch()), daemon=True)
        self._watching.start()
        self._left = charters(pilots, own_key(self.key).public, responses, drills or Drills())
        for charter in self._left:
            self.act(Admission(id=f"admit-{charter.pilot}", pilot=charter.pilot, author="authority", charter=charter))
        for charter in self._left:
            self.seen.wait(charter.pilot, Reason.ADMITTED, 60)

    def start(self) -> None:
        """See `World.start`."""
        for number, worker in enumerate(self.workers):
            if worker is not None and worker.running:
                continue
            options = ["--instance", f"w{number}", "--session-timeout", f"{self.SESSION_S:g}"]
            options += ["--key-file", str(self.home / "authority.key")]
            log = self.home / f"worker-{number}.log"
            self.workers[number] = Worker(self.broker.bootstrap, self.names.prefix, log, *options)
        for worker in self.workers:
            if worker is not None:
                worker.wait_ready(60)

    def kill(self) -> None:
        """See `World.kill`."""
        for worker in self.workers:
            if worker is not None:
                worker.kill()

    def close(self) -> None:
        """See `World.close`."""
        self._over.set()
        self.kill()
        self._watching.join(15)
        with contextlib.suppress(SandboxMonitorError):
            self._bulk.close()
        self._proxy.close()
        self.broker.kill()

    def next(self) -> Charter:
        """See `World.next`."""
        return self._left.pop()

    def proxy(self) -> Proxy:
        """See `World.proxy`."""
        return self._proxy

    def settings(self, proxy: Proxy) -> dict[str, Any]:
        """See `World.settings`."""
        return {
            "to": f"kafka://127.0.0.1:{proxy.port}",
            "topic_prefix": self.names.prefix,
            "trust": self._signer.public,
            "key": str(self.key),
            "options": {"compression_type": None},  # so that the proxy can aim at one message
        }

    def report(self, event: Envelope) -> None:
        """See `World.report`."""
        self._send(lambda: self._bulk.telemetry(event.subject, packed([event])))

    def act(self, act: ControlBase) -> None:
        """See `World.act`."""
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
                    self._bulk = open_bulk(f"kafka://{self.broker.bootstrap}", prefix=self.names.prefix)

    async def _watch(self) -> None:
        following = asyncio.create_task(self._follow())
        while not self._over.is_set():
            await asyncio.sleep(0.1)
        following.cancel()  # else it would look for a dead broker as long as the process lives
        with contextlib.suppress(asyncio.CancelledError):
            await following

    async def _follow(self) -> None:
        places: dict[tuple[str, int], ReadPosition] = {}
        while True:
            try:
                async for seen in read_outputs(self.broker.bootstrap, [self.names.decisions], places, follow=False):
                    places[(seen.topic, seen.partition)] = seen.position
                    if isinstance(seen.value, Decision):
                        self.seen.put(seen.value)
                following = read_outputs(self.broker.bootstrap, [self.names.decisions], places)
                async with contextlib.aclosing(following):  # type: ignore[type-var]
                    async for seen in following:
                        places[(seen.topic, seen.partition)] = seen.position
                        if isinstance(seen.value, Decision):
                            self.seen.put(seen.value)
            except Exception:  # the broker was killed; it is started again
                await asyncio.sleep(0.2)


WORLDS: dict[str, Callable[..., World]] = {"embedded": Embedded, "kafka": Kafka}


def lines(seen: Sequence[Decision]) -> list[Reason]:
    """The reasons of decisions, in order."""
    return [decision.reason for decision in seen]
