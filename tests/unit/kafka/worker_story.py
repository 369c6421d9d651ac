"""A worker on a memory cluster: what the unit tests of its parts share."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from monitor.kafka.settings import WorkerSettings
from monitor.kafka.worker import PartitionWorkers
from monitor.model.builders import Emitter
from monitor.model.events import encode
from monitor.model.records import Outputs
from monitor.projections.metrics import Metrics
from monitor.simulation.fleet import Fleet
from monitor.testing.clock import MovingClock
from monitor.testing.fake_consumer import FakeConsumer, MemoryCluster, fake_host

START = 1_767_571_200_000
FLEET = Fleet(3, pilots=1, scenarios=["calm"], start=START, hours=1, period="1h")
(PILOT,) = FLEET.pilots


class WorkerStory:
    """`settings` are those of the worker; `reached` the failpoints it passed, `outputs` what it emitted."""

    def __init__(self, partitions: int = 1, **settings: object) -> None:
        self.settings = WorkerSettings(**settings)  # type: ignore[arg-type]
        self.clock = MovingClock(START)
        self.cluster = MemoryCluster(self.settings.names, partitions, self.clock)
        self.consumer = FakeConsumer(self.cluster)
        self.metrics = Metrics()
        self.reached: list[str] = []
        self.at: dict[str, Callable[[], object]] = {}  # what else happens at a failpoint
        self.outputs: list[Outputs] = []
        self.exits: list[float] = []
        self.others = True
        self.emitter = Emitter("s/1", PILOT)
        self.workers = self.worker(self.consumer)

    def worker(self, consumer: FakeConsumer) -> PartitionWorkers:
        """A worker of the group on this cluster."""
        host = msgspec.structs.replace(fake_host(self.clock), exit_within=self.exits.append)
        return PartitionWorkers(
            self.settings,
            lambda: consumer,
            metrics=self.metrics,
            on_outputs=self.outputs.append,
            failpoint=self.failpoint,
            host=host,
            open_log=self.cluster.open_log,
            others_active=self.others_active,
        )

    async def others_active(self) -> bool:
        return self.others

    def failpoint(self, name: str) -> None:
        self.reached.append(name)
        self.at.get(name, lambda: None)()

    @property
    def telemetry(self) -> str:
        return self.settings.names.telemetry[0]

    @property
    def control(self) -> str:
        return self.settings.names.control

    async def claim(self) -> None:
        """Assign everything, recover, let records flow."""
        positions = await self.workers.claim(self.cluster.all_partitions(), self.consumer.generation)
        assert positions
        self.consumer.assign(positions)

    def admit(self) -> None:
        """Append the admission of the pilot."""
        self.cluster.append(self.control, msgspec.json.encode(FLEET.admission(PILOT)), key=PILOT.encode())

    def beat(self, times: int = 1) -> None:
        """Append heartbeats of the pilot."""
        for _ in range(times):
            value = encode(self.emitter.heartbeat(self.clock.now))
            self.cluster.append(self.telemetry, value, key=PILOT.encode())

    async def drain(self, rounds: int = 6) -> None:
        """So many fetches, each followed by its step."""
        left = iter(range(rounds))
        await self.workers.drain(self.consumer, lambda: next(left, None) is None)

    def events(self, partition: int = 0) -> int:
        """Events that the machine of a partition has stepped since it was recovered."""
        return self.workers.ownership.owned[partition].runner.machine.events

    def metric(self, name: str) -> list[str]:
        """The samples of a metric as text."""
        text = self.metrics.exposition().decode()
        return [line for line in text.splitlines() if line.startswith(f"sandbox_monitor_{name}")]
