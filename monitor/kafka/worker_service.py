"""The worker on Kafka as a service: checks its topics, serves metrics and health checks, runs until it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

from msgspec import Struct

from detectors import build as build_detector
from detectors.base import Design, Gauge
from monitor.act import ACTORS
from monitor.kafka import health
from monitor.kafka.app import WorkerApp, build_worker, require_worker_topics, run_worker
from monitor.kafka.participants import find_participants, with_participants
from monitor.kafka.settings import WorkerSettings
from monitor.projections.metrics import CONTENT_TYPE, Metrics


class Endpoint(Struct, frozen=True):
    """Where `/metrics`, `/live` and `/ready` are served; port 0 picks a free one. `host_names`: see `HttpServer`."""

    host: str
    port: int
    host_names: tuple[str, ...] = ()


def serve_worker(
    settings: WorkerSettings,
    *,
    partitions: int | None,
    metrics_at: Endpoint | None,
    loglevel: str,
    say: Callable[[str], None],
    failpoint: Callable[[str], None] = lambda name: None,
) -> NoReturn:
    """Run one worker until SIGTERM or SIGINT (exit code 0) or a failure (1). `say` is given lines for the operator.

    Raises LogBroken when a topic is missing or has other settings (or another count than `partitions`), Unavailable
    when no broker answers, Refused when the metrics address is taken.
    """
    warm_up()
    replication = settings.replication
    count = asyncio.run(require_worker_topics(settings, partitions, replication))
    if settings.per_participant:
        found = asyncio.run(find_participants(settings.bootstrap, settings.prefix, count, replication))
        settings = with_participants(settings, found)
    say(_topics_in_use(settings))
    metrics = Metrics(actors=ACTORS)
    metrics.open_mode(not settings.admitters)
    metrics.shared_topics(settings.shared_topics)
    app = build_worker(settings, metrics=metrics, failpoint=failpoint)
    if metrics_at is not None:
        port = _serve_health(app, metrics, metrics_at)
        say(f"metrics http://{metrics_at.host}:{port}/metrics")
    say(f"worker of group {settings.group}: {count} partitions at {settings.bootstrap}")
    run_worker(app, loglevel=loglevel)


def _topics_in_use(settings: WorkerSettings) -> str:
    """What an operator should know about who can read what."""
    if not (settings.per_participant or settings.participants):
        return (
            "shared topics, for trials: every firm can read the halts and sources of all firms; give each firm "
            "separate topics (`sandbox-monitor topics create --participant FIRM`) and start with --each"
        )
    names = ", ".join(settings.participants[:10]) or "none yet"
    more = f" and {len(settings.participants) - 10} more" if len(settings.participants) > 10 else ""
    line = f"topics for each firm: {names}{more}"
    if settings.also_shared:
        line += "; also the shared topics, which every firm with access reads: leave out --also-shared once all firms "
        line += "have moved (`sandbox-monitor topics migrate`)"
    return line


def warm_up() -> None:
    """Import what is imported late: river takes seconds, during which a stream would have to wait."""
    drift = build_detector("river_drift", Design())
    for value in range(40):
        drift.update(Gauge(float(value)))


def _serve_health(app: WorkerApp, metrics: Metrics, at: Endpoint) -> int:
    pages = {
        "/metrics": lambda: (200, CONTENT_TYPE, metrics.exposition()),
        "/live": health.page(lambda: app.workers.quiet_for < app.settings.stall, "live"),
        "/ready": health.page(lambda: app.workers.ready, "ready"),
    }
    return health.serve(at.port, pages, at.host, names=at.host_names, count=metrics.http_refused)
