"""Quix Streams with a stateful step. Runs in a separate environment."""

from __future__ import annotations

import os
import tempfile

import msgspec
from job import Meter, Pilot, arguments, decode, step
from quixstreams import Application, State

bootstrap, topic, events = arguments()
os.chdir(tempfile.mkdtemp())
meter = Meter(events)
app = Application(
    broker_address=bootstrap,
    consumer_group=f"quix-{os.getpid()}",
    auto_offset_reset="earliest",
    commit_interval=5.0,
    loglevel="ERROR",
    use_changelog_topics=False,
    consumer_extra_config={
        "queued.min.messages": 100000,
        "fetch.message.max.bytes": 8 << 20,
        "fetch.queue.backoff.ms": 5,
    },
)
stream = app.dataframe(app.topic(topic, value_deserializer="bytes", key_deserializer="str"))


def fold(value: bytes, state: State) -> int:
    """Decode and fold one record into its pilot's state."""
    meter.start()
    kept = state.get_bytes("pilot")
    pilot = Pilot() if kept is None else msgspec.msgpack.decode(kept, type=Pilot)
    found = decode(value)
    for event in found:
        step(pilot, event)
    state.set_bytes("pilot", msgspec.msgpack.encode(pilot))
    if meter.add(len(found)):
        os._exit(0)
    return len(found)


stream.apply(fold, stateful=True)
app.run()
