"""Other authorities come into force: who is responsible for each pilot of the partition is computed anew.

A pilot whose responsible authorities differ gets one decision that names them. Where no authority is responsible any
more it also has a finding at level escalate until one is. Authorities whose name or contacts change are the same ones.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move
from monitor.engine.partition import Partition
from monitor.lifecycle.sandbox import Sandbox
from monitor.model.records import Finding, Level, Outputs, Reason
from monitor.network.responsibility import changed_ids, network_of, places, responsible
from monitor.state.pilot import PilotState

KEY = "responsibility"  # key of the finding that no authority is responsible


def follow_authorities(
    partition: Partition,
    before: Sandbox | None,
    received: int,
    cause: str,
    out: Outputs,
    catch_up: Callable[[PilotState, int, Outputs], int],
) -> None:
    """Compute who is responsible under the configuration in force from `received` (ms) on, in place of `before`;
    `cause` names the act that changed it. `catch_up` brings a pilot to a time of reception."""
    after = partition.sandbox.sandbox
    if places(before) == places(after):
        return
    network = network_of(after)
    for name in sorted(partition.pilots):
        pilot = partition.pilots[name]
        found = () if network is None else responsible(network, pilot.charter)
        if found != pilot.responsible or (not found and network_of(before) is None):
            partition.hot.changed(pilot)
            at = catch_up(pilot, received, out)
            _change(partition.context(pilot, at, cause, out), found)
            partition.arm(pilot)
            partition.changed.add(name)
        partition.pilots.evict_excess()


def _change(context: DecisionContext, found: tuple[str, ...]) -> None:
    """Record the change and raise or clear the finding. Where responsibility is no longer computed nothing is recorded,
    as decisions then name none."""
    pilot, level = context.pilot, context.pilot.standing.level
    finding = Finding(rule=KEY)
    if context.network is None:
        pilot.responsible = ()
        context.clear(KEY, finding)
        return
    added, gone = changed_ids(pilot.responsible, found)
    context.responsible = found
    content = {name: ids for name, ids in (("added", added), ("removed", gone)) if ids}
    context.record(
        Move("finding", level, level, Reason.RESPONSIBILITY_CHANGED, False), Finding(rule=KEY, content={**content})
    )
    if found:
        context.clear(KEY, finding)
    else:
        asked = Level.NORMAL if pilot.exited else Level.ESCALATE  # after the exit there is nothing to watch
        context.raise_finding(KEY, asked, Reason.NO_AUTHORITY, finding, "until_lowered")
