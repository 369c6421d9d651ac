"""bytewax with `stateful_map`. Runs in a separate environment."""

from __future__ import annotations

import os

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main
from confluent_kafka import OFFSET_BEGINNING
from job import Event, Meter, Pilot, arguments, decode, step

bootstrap, topic, events = arguments()
meter = Meter(events)


class _Count(StatelessSinkPartition):
    def write_batch(self, items: list[tuple[str, int]]) -> None:
        """Count what is through."""
        if meter.add(sum(count for _, count in items)):
            os._exit(0)


class _Sink(DynamicSink):
    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Count:
        """One for this worker."""
        return _Count()


def _keyed(message: object) -> tuple[str, list[Event]]:
    meter.start()
    found = decode(message.value)  # type: ignore[attr-defined]
    return found[0].subject, found


def _fold(pilot: Pilot | None, found: list[Event]) -> tuple[Pilot, int]:
    pilot = pilot or Pilot()
    for event in found:
        step(pilot, event)
    return pilot, len(found)


flow = Dataflow("bench")
# Its client else waits for a second whenever it holds the 64 MB that it may.
config = {"queued.min.messages": "100000", "fetch.message.max.bytes": str(8 << 20), "fetch.queue.backoff.ms": "5"}
source = KafkaSource([bootstrap], [topic], starting_offset=OFFSET_BEGINNING, add_config=config, batch_size=1000)
records = op.input("in", flow, source)
folded = op.stateful_map("fold", op.map("decode", records, _keyed), _fold)
op.output("out", folded, _Sink())
run_main(flow)
