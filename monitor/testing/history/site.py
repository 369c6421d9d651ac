"""Where histories run: a separate broker (or three) with quick settings, and lanes, each behind a separate proxy."""

from __future__ import annotations

from pathlib import Path

from monitor.testing.broker import KafkaBroker, free_port
from monitor.testing.history.parts import Lane
from monitor.testing.proxy import Proxy

QUICK = {
    "group.min.session.timeout.ms": "1000",
    "log.cleaner.backoff.ms": "300",
    "log.segment.delete.delay.ms": "1000",
    # What a dead owner left open ends soon after its time-out; the default look-out is every ten seconds.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
}


class Site:
    """One broker in `directory` with `lanes` lanes, its process with `environment` added to that of this process. Use
    with `with`."""

    def __init__(self, directory: Path, lanes: int, environment: dict[str, str] | None = None) -> None:
        port, controller = free_port(), free_port()
        inner = [free_port() for _ in range(lanes)]
        proxies = [Proxy(target) for target in inner]
        listen, advertise, kinds = [f"PLAINTEXT://127.0.0.1:{port}"], [f"PLAINTEXT://127.0.0.1:{port}"], ["PLAINTEXT"]
        for number, (target, proxy) in enumerate(zip(inner, proxies, strict=True)):
            listen.append(f"LANE{number}://127.0.0.1:{target}")
            advertise.append(f"LANE{number}://127.0.0.1:{proxy.port}")  # what a client that came through it is told
            kinds.append(f"LANE{number}")
        listen.append(f"CONTROLLER://127.0.0.1:{controller}")
        self.broker = KafkaBroker(
            directory,
            port,
            controller,
            {
                **QUICK,
                "listeners": ",".join(listen),
                "advertised.listeners": ",".join(advertise),
                "listener.security.protocol.map": ",".join(f"{kind}:PLAINTEXT" for kind in (*kinds, "CONTROLLER")),
            },
            environment,
        )
        self.lanes = [Lane(self.broker.bootstrap, f"127.0.0.1:{proxy.port}", (proxy,)) for proxy in proxies]

    def __enter__(self) -> Site:
        self.broker.start()
        return self

    def __exit__(self, *_: object) -> None:
        for lane in self.lanes:
            for proxy in lane.proxies:
                proxy.close()
        self.broker.stop()


class Cluster:
    """Three brokers on loopback that vote among themselves: three copies of everything, two of which must be in
    step."""

    def __init__(self, directory: Path) -> None:
        controllers = [free_port() for _ in range(3)]
        voters = ",".join(f"{n + 1}@127.0.0.1:{port}" for n, port in enumerate(controllers))
        self.brokers = [
            KafkaBroker(
                directory / f"broker-{n + 1}",
                None,
                controller,
                {
                    **QUICK,
                    "node.id": str(n + 1),
                    "controller.quorum.voters": voters,
                    "offsets.topic.replication.factor": "3",
                    "transaction.state.log.replication.factor": "3",
                    "transaction.state.log.min.isr": "2",
                    "share.coordinator.state.topic.replication.factor": "3",
                    "share.coordinator.state.topic.min.isr": "2",
                },
            )
            for n, controller in enumerate(controllers)
        ]
        bootstrap = ",".join(broker.bootstrap for broker in self.brokers)
        self.lane = Lane(bootstrap, bootstrap, replication=3)

    def __enter__(self) -> Cluster:
        for broker in self.brokers:  # none answers before two of them have met
            broker.launch()
        for broker in self.brokers:
            broker.ready()
        return self

    def __exit__(self, *_: object) -> None:
        for broker in self.brokers:
            broker.kill()
