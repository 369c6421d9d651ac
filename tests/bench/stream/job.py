"""The job as peers do it: decode, check, drop duplicates, fold per pilot, a CUSUM at the end of each period.

Depends on msgspec alone, as it also runs where our own packages are not installed. It is a light version of what our
machine does (one detector for one count, against sixteen), so every doubt favours the peer.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import msgspec


class Data(msgspec.Struct, gc=False):
    """What is folded of a payload."""

    model: str = ""
    segment: str = ""
    unit: str = ""
    amount: float = 0.0


class Event(msgspec.Struct, gc=False):
    """What is read of an event."""

    id: str
    source: str
    subject: str
    time: str
    sequence: str
    type: str
    data: Data


class Pilot(msgspec.Struct):
    """What is kept of a pilot."""

    high: int = 0
    period: str = ""
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
    """One event: drop it when it is a repeat, close the second before it, fold it."""
    number = int(event.sequence)
    if number <= pilot.high:
        return
    pilot.high = number
    second = event.time[:19]
    if second != pilot.period:
        expected = pilot.m * 0.01
        pilot.cusum = max(0.0, pilot.cusum + pilot.k - 1.5 * expected)
        pilot.alarms += pilot.cusum > 12.0
        pilot.k, pilot.m, pilot.period = 0, 0.0, second
    kind = event.type
    if kind == "sandbox.exposure.tallied":
        pilot.m += event.data.amount
    elif kind == "sandbox.complaint.filed":
        pilot.k += 1
    pilot.events += 1


class Meter:
    """Clocks a run from its first record to its last event, and then says so on standard output."""

    def __init__(self, events: int) -> None:
        self.events, self.seen, self.began, self.cpu = events, 0, 0.0, 0.0

    def start(self) -> None:
        """The first records are in hand."""
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
