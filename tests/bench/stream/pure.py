"""The pure machine without Kafka: records in memory stepped on one core, periods closing as they go."""

from __future__ import annotations

import time

import msgspec
from msgspec import structs

from monitor.engine.machine import Machine
from monitor.model.records import Record
from monitor.model.signing import HEADER, Signer
from tests.bench.stream.load import Load

START = 1_767_571_200_000  # Monday 5 January 2026
HOUR = 3_600_000
PER_PERIOD = 20_000  # events of a pilot in an hour: 5.6 a second
BATCH = 50  # records handed over at once


def records(load: Load, events: int, pack: int, signer: Signer | None = None) -> list[Record]:
    """`events` in all, pilots in turn, each at an even pace of `PER_PERIOD` an hour; signed where there is a signer."""
    rounds = max(1, events // (pack * len(load.pilots)))
    found: list[Record] = []
    for turn in range(rounds):
        at = load.start + turn * pack * HOUR // PER_PERIOD
        for pilot in load.pilots:
            value = load.packed(pilot, at, pack) if pack > 1 else load.events(pilot, at, 1)[0]
            headers = ((HEADER, signer.sign("telemetry", value).encode()),) if signer else ()
            found.append(Record(len(found), at + 50, pilot.encode(), value, headers))
    return found


def run(events: int, pack: int, pilots: int = 10, signer: Signer | None = None) -> tuple[float, int, int]:
    """CPU seconds per event, events stepped, and periods that were closed. With a signer the charters name its key."""
    load = Load(pilots, period_ms=HOUR, start=START, per_period=PER_PERIOD)
    machine = Machine()
    for i, act in enumerate(load.admissions()):
        if signer:
            firm = structs.replace(act.charter.participant, keys=(signer.public,))
            act = structs.replace(act, charter=structs.replace(act.charter, participant=firm))
        machine.control(Record(i, START, act.pilot.encode(), msgspec.json.encode(act)))
    found = records(load, events, pack, signer)
    closed = 0
    size = max(1, BATCH * 100 // pack)
    began = time.process_time()
    for i in range(0, len(found), size):
        closed += len(machine.telemetry("telemetry", found[i : i + size]).evidence)
    spent = time.process_time() - began
    assert machine.events == len(found) * pack
    return spent / machine.events, machine.events, closed
