"""The actors on Kafka: reads `decisions` and delivers them to Alertmanager, Grafana or a file.

Stage: act. A task reads; a thread delivers, so that a slow or failing destination never holds up reading.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

from msgspec import Struct

from monitor.act import Deliver
from monitor.clock import wall_ms
from monitor.errors import Unavailable
from monitor.kafka.charters import follow_charters
from monitor.kafka.output_consumer import ReadPosition, read_outputs
from monitor.kafka.reader_reports import ReaderReports
from monitor.kafka.reader_trust import OutputTrust
from monitor.kafka.topics import TopicNames
from monitor.logs import EventLogger
from monitor.model.records import Decision
from monitor.model.signing import Trusted
from monitor.projections.charter_record import CAUSES
from monitor.projections.metrics import Metrics

logger = EventLogger(__name__)

RETRY_S = 2.0
CHARTERS_S = 10.0  # the longest wait for charters, which give alerts their labels

Say = Callable[[str], None]


class DecisionSource(Struct, frozen=True):
    """Where decisions are read; `trusted` are keys of workers, None: any writer of decisions is believed."""

    bootstrap: str
    names: TopicNames
    trusted: Trusted | None = None


def run_actors(source: DecisionSource, deliver: Deliver, metrics: Metrics, say: Say) -> None:
    """Deliver decisions until SIGTERM or SIGINT; waits through outages of the broker. Raises LogBroken."""
    asyncio.run(_serve(source, deliver, metrics, say))


async def _serve(source: DecisionSource, deliver: Deliver, metrics: Metrics, say: Say) -> None:
    bootstrap, names = source.bootstrap, source.names
    over = threading.Event()
    reports = ReaderReports(metrics)
    thread = threading.Thread(target=deliver_until, args=(deliver, over, reports), name="deliver")
    charters_read = asyncio.Event()  # set each time that the end of control is reached
    charters = asyncio.create_task(
        follow_charters(bootstrap, names.control, deliver.learn, "sandbox-act", ended=charters_read.set)
    )
    trust = OutputTrust(bootstrap, names, source.trusted)
    reading = asyncio.create_task(_read(source, deliver, charters_read, reports, trust))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, reading.cancel)
    thread.start()
    try:
        await reading
    except asyncio.CancelledError:
        say("act: ended")
    finally:
        charters.cancel()
        await trust.close()
        over.set()
        await asyncio.to_thread(thread.join)


def deliver_until(deliver: Deliver, over: threading.Event, reports: ReaderReports) -> None:
    """Deliver until `over` is set. A decision at which delivering fails is left out, logged and counted: a thread that
    ended would deliver no other one, and nothing would show it."""
    while not over.is_set():
        try:
            deliver.run(wall_ms, over.wait, over.is_set)
        except Exception as error:
            logger.error("deliver.failed", stage="act", exc_info=True)
            reports.failed(error)
            over.wait(RETRY_S)


async def _read(
    source: DecisionSource, deliver: Deliver, charters_read: asyncio.Event, reports: ReaderReports, trust: OutputTrust
) -> None:
    """Feed the log as it stood at the start, then what follows. First waits for charters, at most CHARTERS_S."""
    positions: dict[tuple[str, int], ReadPosition] = {}
    with suppress(TimeoutError):
        await asyncio.wait_for(charters_read.wait(), CHARTERS_S)
    history, checked = True, False
    topics = [source.names.decisions]
    while True:
        try:
            if not checked:
                await trust.require_signing()
                checked = True
            async for seen in read_outputs(
                source.bootstrap,
                topics,
                positions,
                client_id="sandbox-act",
                follow=not history,
                reports=reports,
                trust=trust,
            ):
                positions[(seen.topic, seen.partition)] = seen.position
                if isinstance(seen.value, Decision):
                    if not history and seen.value.reason in CAUSES:
                        await _wait_for_charter(deliver, seen.value, charters_read)
                    deliver.feed([seen.value])
            if history:
                deliver.caught_up()
            history = False
        except Unavailable as error:
            reports.failed(error)
            await asyncio.sleep(RETRY_S)


async def _wait_for_charter(deliver: Deliver, decision: Decision, charters_read: asyncio.Event) -> None:
    """Wait until the charter that a decision put in force has been read, at most CHARTERS_S: an alert keeps the labels
    with which it begins, and the first one may follow the admission at once."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CHARTERS_S):
            while not deliver.knows(decision):
                charters_read.clear()
                await charters_read.wait()
