"""One broker, or three, with short intervals for histories; each route to a broker has a separate proxy."""

from __future__ import annotations

from pathlib import Path

from monitor.testing.broker import KafkaBroker
from monitor.testing.history.parts import BrokerRoute
from monitor.testing.ports import free_port
from monitor.testing.proxy import Proxy

QUICK = {
    "group.min.session.timeout.ms": "1000",
    "log.cleaner.backoff.ms": "300",
    "log.segment.delete.delay.ms": "1000",
    # An open transaction of a dead owner is aborted soon after its timeout; by default Kafka checks every ten seconds.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
}


class SingleBroker:
    """One broker in `directory` with `routes` routes, its process with `environment` added to that of this process. Use
    with `with`."""

    def __init__(self, directory: Path, routes: int, environment: dict[str, str] | None = None) -> None:
        port, controller = free_port(), free_port()
        inner = [free_port() for _ in range(routes)]
        proxies = [Proxy(target) for target in inner]
        listen, advertise, kinds = [f"PLAINTEXT://127.0.0.1:{port}"], [f"PLAINTEXT://127.0.0.1:{port}"], ["PLAINTEXT"]
        for number, (target, proxy) in enumerate(zip(inner, proxies, strict=True)):
            listen.append(f"ROUTE{number}://127.0.0.1:{target}")
            advertise.append(f"ROUTE{number}://127.0.0.1:{proxy.port}")  # what clients behind the proxy get as metadata
            kinds.append(f"ROUTE{number}")
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
        self.routes = [BrokerRoute(self.broker.bootstrap, f"127.0.0.1:{proxy.port}", (proxy,)) for proxy in proxies]

    def __enter__(self) -> SingleBroker:
        self.broker.start()
        return self

    def __exit__(self, *_: object) -> None:
        for route in self.routes:
            for proxy in route.proxies:
                proxy.close()
        self.broker.stop()


class Cluster:
    """Three brokers on loopback, each also a controller: replication factor 3, at least 2 in-sync replicas."""

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
        self.route = BrokerRoute(bootstrap, bootstrap, replication=3)

    def __enter__(self) -> Cluster:
        for broker in self.brokers:  # none answers before two of them form a quorum
            broker.launch()
        for broker in self.brokers:
            broker.ready()
        return self

    def __exit__(self, *_: object) -> None:
        for broker in self.brokers:
            broker.kill()
