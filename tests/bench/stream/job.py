"""The job as peers do it: decode, check, drop duplicates, fold per pilot, a CUSUM at the end of each period.

Reads the same typed events, so that decoding checks what ours checks; needs nothing else of the monitor, as it also
runs where only msgspec is installed. One detector of one count, against our sixteen: the doubt favours the peer.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import msgspec

from monitor.model.events import ComplaintFiled, Event, ExposureTallied


class Pilot(msgspec.Struct):
    """What is kept of a pilot."""

    high: int = 0
    period: int = 0
    k: int = 0
    m: float = 0.0
    cusum: float = 0.0
    alarms: int = 0
    events: int = 0


batch = msgspec.json.Decoder(list[Event])
single = msgspec.json.Decoder(Event)


def decode(value: bytes) -> list[Event]:
    """The events of a record."""
    return batch.decode(value) if value[:1] == b"[" else [single.decode(value)]


def step(pilot: Pilot, event: Event) -> None:
    """One event: drop it when it is a repeat, close the five seconds before it, fold it."""
    number = int(event.sequence)
    if number <= pilot.high:
        return
    pilot.high = number
    second = event.time.second // 5
    if second != pilot.period:
        expected = pilot.m * 0.01
        pilot.cusum = max(0.0, pilot.cusum + pilot.k - 1.5 * expected)
        pilot.alarms += pilot.cusum > 12.0
        pilot.k, pilot.m, pilot.period = 0, 0.0, second
    if isinstance(event, ExposureTallied):
        pilot.m += event.data.amount
    elif isinstance(event, ComplaintFiled):
        pilot.k += 1
    pilot.events += 1


class Meter:
    """Clocks a run from its first record to its last event, and then says so on standard output."""

    def __init__(self, events: int) -> None:
        self.events, self.seen, self.began, self.cpu = events, 0, 0.0, 0.0

    def start(self) -> None:
        """The first records are read."""
        if not self.began:
            self.began, self.cpu = time.perf_counter(), time.process_time()

    def add(self, events: int) -> bool:
        """So many more are done; True when that was the last."""
        self.seen += events
        if self.seen < self.events:
            return False
        row = {
            "events": self.seen,
            "seconds": time.perf_counter() - self.began,
            "cpu": time.process_time() - self.cpu,
            "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        print(json.dumps(row), flush=True)
        return True


def arguments() -> tuple[str, str, int]:
    """Bootstrap address, telemetry topic (or prefix), number of events."""
    return sys.argv[1], sys.argv[2], int(sys.argv[3])
