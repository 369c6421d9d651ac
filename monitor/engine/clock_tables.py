"""Another clock table comes into force: the deadlines of every pilot of the partition follow it at that moment."""

from __future__ import annotations

from collections.abc import Callable

from monitor.deadlines.rules import ClockTable
from monitor.decide.clock_facts import table_changed
from monitor.engine.partition import Partition
from monitor.model.records import Outputs
from monitor.state.pilot import PilotState


def follow_clock_table(
    partition: Partition,
    table: ClockTable | None,
    received: int,
    cause: str,
    out: Outputs,
    catch_up: Callable[[PilotState, int, Outputs], int],
) -> None:
    """Put `table` in force from `received` (ms) on; `cause` names the act that did it. What was due before it is found
    under the table before. `catch_up` brings a pilot to a time of reception."""
    before, names = partition.clock_table, sorted(partition.with_clocks)
    if table == before:
        partition.clock_table = table  # the object of the version in force
        return
    times = {name: catch_up(partition.pilots[name], received, out) for name in names}
    partition.clock_table = table
    for name in names:
        pilot = partition.pilots[name]
        partition.hot.changed(pilot)
        if before is not None and table is not None:
            table_changed(partition.context(pilot, times[name], cause, out), before, table)
        partition.arm(pilot)
        partition.changed.add(name)
        partition.pilots.evict_excess()
