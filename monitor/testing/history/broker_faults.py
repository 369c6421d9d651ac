"""Histories under faults of the brokers: several share one fault and are checked once the brokers are available
again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from monitor.testing.broker import KafkaBroker
from monitor.testing.fork_server import ForkServer
from monitor.testing.history.clusters import Cluster, SingleBroker
from monitor.testing.history.kafka_history import KafkaHistory
from monitor.testing.history.parts import BrokerFaults, BrokerRoute, Report
from monitor.testing.history.plan import HistoryPlan
from monitor.testing.scratch import scratch
from monitor.testing.wallclock import WallClock

SECONDS = 14  # length of the workload under faults
AT_ONCE = 4
OUTAGE_S = 75.0
HOUR_S = 3600


def run_with_broker_faults(
    kind: str, plans: Sequence[HistoryPlan], home: Path, on_report: Callable[[Report, str], None]
) -> None:
    """Run the plans under the fault `kind` of the brokers, `AT_ONCE` at a time."""
    with tempfile.TemporaryDirectory(prefix=scratch("history")) as directory, ForkServer() as fork_server:
        clock = WallClock(Path(directory) / "clock") if kind == "hour" else None
        if kind in ("broker", "away", "hour"):
            with SingleBroker(Path(directory) / "broker", 1, clock.environment if clock else None) as cluster:
                route = BrokerRoute(cluster.broker.bootstrap, cluster.broker.bootstrap)
                asyncio.run(_rounds(kind, plans, home, on_report, fork_server, [cluster.broker], route, clock))
        else:
            with Cluster(Path(directory)) as cluster:
                asyncio.run(_rounds(kind, plans, home, on_report, fork_server, cluster.brokers, cluster.route))


async def _rounds(
    kind: str,
    plans: Sequence[HistoryPlan],
    home: Path,
    on_report: Callable[[Report, str], None],
    fork_server: ForkServer,
    brokers: list[KafkaBroker],
    route: BrokerRoute,
    clock: WallClock | None = None,
) -> None:
    for start in range(0, len(plans), AT_ONCE):
        some = plans[start : start + AT_ONCE]
        rng = Random(f"brokers/{kind}/{some[0].seed}")
        shared = BrokerFaults(SECONDS)
        histories = [KafkaHistory(p, route, fork_server, home / f"{p.seed}-{kind}", broker_faults=shared) for p in some]
        running = [asyncio.create_task(history.run()) for history in histories]
        for _ in histories:
            await shared.started.acquire()
        all_ended = asyncio.gather(*(shared.ended.acquire() for _ in histories))
        while not all_ended.done():
            if clock is None:
                await _fault(kind, brokers, rng)
            else:
                await _jump(clock, rng)
            if kind == "away":
                await all_ended
        if clock is not None:
            await asyncio.to_thread(brokers[0].kill)  # see `_jump`
        await asyncio.gather(*(_restore(broker) for broker in brokers))
        shared.brokers_up.set()
        for history, report in zip(histories, await asyncio.gather(*running), strict=True):
            on_report(report, "kafka")
            if not report.differences:
                shutil.rmtree(history.home, ignore_errors=True)


async def _fault(kind: str, brokers: list[KafkaBroker], rng: Random) -> None:
    """One broker becomes unavailable and is restarted."""
    await asyncio.sleep(rng.uniform(3.0, 6.0))
    broker = rng.choice(brokers)
    if kind == "frozen":
        _signal(broker, signal.SIGSTOP)
        await asyncio.sleep(rng.choice((0.3, 1.0, 6.0)))
        _signal(broker, signal.SIGCONT)
        return
    await asyncio.to_thread(rng.choice((broker.kill, broker.stop)))
    await asyncio.sleep(OUTAGE_S if kind == "away" else rng.uniform(0.2, 4.0))
    broker.launch()
    await asyncio.to_thread(broker.ready)


async def _jump(clock: WallClock, rng: Random) -> None:
    """Shift the clock of the broker's machine for a while. After a step back Kafka's controller may write nothing until
    the clock reaches the earlier time again, which blocks the broker too: for an hour, or until a restart."""
    await asyncio.sleep(rng.uniform(1.0, 4.0))
    clock.move(rng.choice((-HOUR_S, HOUR_S)))
    await asyncio.sleep(rng.uniform(1.0, 4.0))
    clock.move(0)


async def _restore(broker: KafkaBroker) -> None:
    _signal(broker, signal.SIGCONT)
    broker.launch()
    await asyncio.to_thread(broker.ready)


def _signal(broker: KafkaBroker, number: signal.Signals) -> None:
    if broker.pid is not None:
        os.kill(broker.pid, number)
