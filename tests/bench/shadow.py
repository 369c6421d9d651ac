"""What a shadow charter costs: processor time of a pilot with one, against the same pilot without.

    python tests/bench/shadow.py [--events N] [--rounds N]

The pilot of the simulator sends events in the volume of `--events`; records are stepped in batches, as a worker does.
The candidate has another limit for each indicator. The ratio is of the best of `--rounds`; the goal is at most 2.2, as
each event is validated and counted twice, and findings are compared. Prints one line:

    SHADOW events=... without=...s with=...s ratio=... summary: ... same, ... different
"""

from __future__ import annotations

import argparse
import time

import msgspec
from msgspec import structs

from monitor.charter.shadow_acts import ShadowStart
from monitor.engine.machine import Machine
from monitor.model.events import encode, instant
from monitor.model.records import Outputs, Record
from monitor.model.shadow_records import ShadowSummary
from monitor.simulation.fleet import Fleet

GOAL = 2.2
BATCH = 256
DAY = 86_400_000


def records(events: int) -> tuple[Fleet, list[Record]]:
    """A fleet of one calm pilot, and its telemetry."""
    fleet = Fleet(7, pilots=1, scenarios=["calm"], hours=24 * 7, volume=events / 2.5)
    found = [Record(offset, at, event.subject.encode(), encode(event)) for offset, (at, event) in enumerate(fleet)]
    return fleet, found


def run(fleet: Fleet, log: list[Record], shadow: bool) -> tuple[float, Outputs]:
    """Processor seconds for the whole log, and the outputs."""
    machine, out = Machine(), Outputs()
    act = fleet.admission(fleet.pilots[0])
    machine.time(fleet.start - 2)
    machine.control(Record(0, fleet.start - 1, act.pilot.encode(), msgspec.json.encode(act)))
    if shadow:
        indicators = tuple(
            one if one.limit is None else structs.replace(one, limit=one.limit * 1.5) for one in act.charter.indicators
        )
        start = ShadowStart(
            id="s", pilot=act.pilot, author="regulator-1", reason="bench", until=instant(fleet.start + 300 * DAY),
            charter=structs.replace(act.charter, version=act.charter.version + 1, indicators=indicators),
        )  # fmt: skip
        begun = machine.control(Record(1, fleet.start - 1, act.pilot.encode(), msgspec.json.encode(start)))
        assert not begun.rejected, begun.rejected
    began = time.process_time()
    for first in range(0, len(log), BATCH):
        part = log[first : first + BATCH]
        out.extend(machine.telemetry("telemetry", part))
        out.extend(machine.time(part[-1].received))
    took = time.process_time() - began
    if shadow:
        out.extend(machine.shadows.finish(log[-1].received))
    return took, out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    fleet, log = records(given.events)
    without = with_it = float("inf")
    for _ in range(given.rounds):
        took, plain = run(fleet, log, shadow=False)
        without = min(without, took)
        took, out = run(fleet, log, shadow=True)
        with_it = min(with_it, took)
        assert len(plain.evidence) == len(out.evidence)
    final = [one for one in out.shadows if isinstance(one, ShadowSummary)][-1]
    different = final.only_live + final.only_shadow + final.earlier + final.later
    ratio = with_it / without
    print(
        f"SHADOW events={len(log)} without={without:.2f}s with={with_it:.2f}s ratio={ratio:.2f} "
        f"{'ok' if ratio <= GOAL else 'MISSED'} summary: {final.same} same, {different} different, "
        f"{final.periods_live} and {final.periods_shadow} periods"
    )


if __name__ == "__main__":
    main()
