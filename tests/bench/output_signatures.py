"""The cost of signed outputs: `python -m tests.bench.output_signatures` prints times and shares, the best of runs.

One machine steps packed (100 events in a record) and single events; its outputs are made into records for Kafka without
and with a key, in turns, so that other load on the computer meets both alike. `off` is the share of stepping that
making unsigned records takes, `on` what signing adds. Nothing is sent.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import msgspec

from monitor.engine.machine import Machine
from monitor.kafka.output_lines import Line, OutputLines
from monitor.kafka.output_routes import OutputRoutes
from monitor.kafka.output_signer import OutputSigner
from monitor.kafka.topics import TopicNames
from monitor.model.records import Decision, Outputs, Record
from monitor.model.signing import Place, Signer, Trusted
from monitor.testing.records import decision
from tests.bench.stream.load import Load
from tests.bench.stream.pure import BATCH, HOUR, PER_PERIOD, START, records

SIGNER = Signer(bytes(range(32)))
NAMES = TopicNames()


def lines_of(signer: Signer | None) -> OutputLines:
    return OutputLines(NAMES, OutputRoutes(NAMES), OutputSigner(signer, 0))


def timed(run: Callable[[], object]) -> float:
    """CPU seconds."""
    began = time.process_time()
    run()
    return time.process_time() - began


def stepped(events: int, pack: int, pilots: int = 10) -> tuple[float, list[Outputs]]:
    """CPU seconds of stepping so many events, and the outputs of each write."""
    load, machine = Load(pilots, period_ms=HOUR, start=START, per_period=PER_PERIOD), Machine()
    for i, act in enumerate(load.admissions()):
        machine.control(Record(i, START, act.pilot.encode(), msgspec.json.encode(act)))
    found, made = records(load, events, pack), []
    size = max(1, BATCH * 100 // pack)
    began = time.process_time()
    for i in range(0, len(found), size):
        out = machine.telemetry("telemetry", found[i : i + size])
        out.newest_permits()  # as the runner does
        made.append(out)
    return time.process_time() - began, made


def written(made: list[Outputs], lines: OutputLines) -> list[Line]:
    return [line for out in made for line in lines.outputs(out, 1)]


def one_output(runs: int = 2_000) -> tuple[float, float]:
    """Microseconds to sign and to verify one decision."""
    value: Decision = decision(1)
    raw, place = msgspec.json.encode(value), Place("decision", NAMES.decisions, 0, 1, 1)
    trusted, proof = Trusted([SIGNER.public]), SIGNER.sign_output(place, b"p-1", raw)
    sign = min(timed(lambda: [SIGNER.sign_output(place, b"p-1", raw) for _ in range(runs)]) for _ in range(3))
    check = min(
        timed(lambda: [trusted.verify_output(place, b"p-1", raw, proof) for _ in range(runs)]) for _ in range(3)
    )
    return sign / runs * 1e6, check / runs * 1e6


def main() -> int:
    sign, check = one_output()
    print(f"one decision: sign {sign:.0f} us, verify {check:.0f} us")
    for name, pack, events in (("packed", 100, 400_000), ("single", 1, 40_000)):
        stepping, made = min((stepped(events, pack) for _ in range(3)), key=lambda found: found[0])
        off = on = float("inf")
        for _ in range(5):
            off = min(off, timed(lambda made=made: written(made, lines_of(None))))
            on = min(on, timed(lambda made=made: written(made, lines_of(SIGNER))))
        outputs = len(written(made, lines_of(None)))
        print(
            f"{name}: {events / stepping:,.0f} events/s stepped, {outputs} outputs of {events} events; records off "
            f"{off / stepping:.2%} of stepping, on {on / stepping:.2%}: signatures cost {(on - off) / stepping:.2%}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
