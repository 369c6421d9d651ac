"""The worker process: a Faust app, which manages group membership and lifecycle, around `PartitionWorkers`."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Callable
from typing import Any, NoReturn

import faust
from msgspec import structs

from monitor import logs
from monitor.access.kafka_login import access
from monitor.kafka import faust_hooks
from monitor.kafka.participants import ParticipantDiscovery
from monitor.kafka.settings import WorkerSettings
from monitor.kafka.topics import partition_count, require_topics, topics
from monitor.kafka.worker import PartitionWorkers
from monitor.model.records import Outputs
from monitor.projections.metrics import Metrics


class WorkerApp(faust_hooks.PartitionedApp):
    """One worker. Starts the watchdog before it joins the group, checkpoints before it leaves."""

    settings: WorkerSettings

    async def on_start(self) -> None:
        """Called by Faust before the consumer starts."""
        self.workers.watchdog.start()
        self.add_future(self.workers.watchdog.watch_progress())
        if self.settings.per_participant:
            self.add_future(self._discover_participants())
        await super().on_start()

    async def _discover_participants(self) -> None:
        """Subscribe to telemetry topics of new participants, and write to topics of theirs, for ever."""
        s = self.settings
        partitions = await partition_count(s.bootstrap, s.names.control)
        discovery = ParticipantDiscovery(s, self.workers.ownership, partitions)
        while True:
            await asyncio.sleep(s.discover_every)
            if await discovery.look():
                await self.consumer.subscribe(self.workers.topics)

    async def on_stop(self) -> None:
        """Called by Faust before the consumer stops."""
        await self.workers.leave()
        await super().on_stop()


def app_options(settings: WorkerSettings) -> dict[str, Any]:
    """The configuration of the Faust app: its group and sessions, and everything else of Faust switched off."""
    timeout = settings.session_timeout
    return {
        "broker": ";".join(f"kafka://{address}" for address in settings.bootstrap.split(",")),
        "store": "memory://",
        # required by Faust; nothing is stored there
        "datadir": f"{tempfile.gettempdir()}/sandbox-worker-{os.getuid()}",
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "web_enabled": False,
        "worker_redirect_stdouts": False,
        "table_standby_replicas": 0,
        "broker_session_timeout": timeout,
        "broker_heartbeat_interval": timeout / 4,
        "broker_rebalance_timeout": max(2 * timeout, 20.0),
        "broker_max_poll_records": settings.batch,
        # It silently bounds recovery (`perform_seek`), and a worker would hang after it. The watchdog acts long before.
        "broker_request_timeout": 24 * 3600.0,
        "consumer_group_instance_id": settings.instance or None,
        "broker_credentials": faust_hooks.credentials(access()),
    }


def build_worker(
    settings: WorkerSettings,
    *,
    metrics: Metrics | None = None,
    on_outputs: Callable[[Outputs], None] = lambda outputs: None,
    failpoint: Callable[[str], None] = lambda name: None,
) -> WorkerApp:
    """An app that is ready to run. Raises `Stop` when another version of Faust, mode or aiokafka is installed."""
    faust_hooks.check_versions()
    app = WorkerApp(settings.group, **app_options(settings))
    app.settings = settings
    app.workers = PartitionWorkers(
        settings, lambda: app.consumer, metrics=metrics, on_outputs=on_outputs, failpoint=failpoint
    )
    return app


async def require_worker_topics(settings: WorkerSettings, partitions: int | None, replication: int = 1) -> int:
    """Check all topics of a worker; returns the partition count. With `per_participant`, topics of single participants
    are judged by `find_participants`. Raises `LogBroken`, `Unavailable`."""
    count = partitions or await partition_count(settings.bootstrap, settings.names.control)
    names = structs.replace(settings.names, participants=()) if settings.per_participant else settings.names
    await require_topics(settings.bootstrap, topics(names, count, replication))
    return count


def run_worker(app: WorkerApp, *, loglevel: str = "INFO") -> NoReturn:
    """Run until SIGTERM or SIGINT (exit code 0) or a failure (1). Logs go to stderr as `SANDBOX_LOG` says."""
    logs.set_up()
    logging.getLogger().setLevel(loglevel)
    logging.getLogger("monitor").setLevel(loglevel)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker: Any = faust.Worker(
        app, loglevel=loglevel, loop=loop, redirect_stdouts=False, quiet=True, override_logging=False
    )
    worker.spinner = None  # it writes cursor codes of terminals also into files
    try:
        worker.execute_from_commandline()
    except BaseException:
        if not app.workers.left:  # else all is written, and only the shutdown of Faust failed
            raise
    raise SystemExit(0)
