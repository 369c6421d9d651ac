"""A stock Faust agent with a table, as its tutorial writes it."""

from __future__ import annotations

import os
import sys
import tempfile
import threading

import faust
import msgspec

from tests.bench.stream.job import Meter, Pilot, arguments, decode, step

bootstrap, topic, events = arguments()
sys.argv = [sys.argv[0]]
app = faust.App(
    f"stock-{os.getpid()}",
    broker=f"kafka://{bootstrap}",
    store="memory://",
    datadir=tempfile.mkdtemp(),
    value_serializer="raw",
    broker_max_poll_records=5000,
    stream_buffer_maxsize=16384,
    topic_partitions=1,
    topic_replication_factor=1,
    web_enabled=False,
)
telemetry = app.topic(topic, value_serializer="raw")
raw = faust.Schema(key_serializer="raw", value_serializer="raw")
pilots = app.Table("pilots", partitions=1, schema=raw)
meter = Meter(events)


@app.agent(telemetry)
async def fold(stream: faust.Stream) -> None:
    """Decode, fold into the table, record by record."""
    async for value in stream:
        meter.start()
        found = decode(value)
        name = found[0].subject
        state = pilots.get(name)
        pilot = Pilot() if state is None else msgspec.msgpack.decode(state, type=Pilot)
        for event in found:
            step(pilot, event)
        pilots[name] = msgspec.msgpack.encode(pilot)
        if meter.add(len(found)):
            threading.Timer(0.1, os._exit, (0,)).start()


app.consumer_auto_offset_reset = "earliest"
worker = faust.Worker(app, loglevel="ERROR", quiet=True, redirect_stdouts=False)
worker.execute_from_commandline()
