"""What the observe stage found in one event: the value that the detect and decide stages work on."""

from __future__ import annotations

from typing import NamedTuple

from monitor.compile.plan import CompiledIndicator
from monitor.indicators.base import OpenPeriod
from monitor.model.records import Finding
from monitor.state.incidents import IncidentReport
from monitor.state.pilot import Stream
from monitor.state.uncounted import UncountedLabel


class ChangedPeriod(NamedTuple):
    """A period that an event changed and whose evidence may change with it. `number` is its index in the indicator's
    grid.

    `opened` is `None` for a closed period: then `k` late events and `m` of exposure or trials are not added to it, but
    the events may raise its evidence.
    """

    indicator: CompiledIndicator
    segment: str
    stream: Stream
    number: int
    k: float
    opened: OpenPeriod | None
    m: float = 0.0


class Observed(NamedTuple):
    """`ended_silences`: silence indicators whose flag was up. `uncounted`: the label, if it counts nowhere.
    `changed`: in the order of the charter's indicators. `incident`: what is remembered of the reported incident.
    `correction`: what a correction took back."""

    ended_silences: tuple[CompiledIndicator, ...]
    uncounted: UncountedLabel | None
    changed: tuple[ChangedPeriod, ...]
    incident: IncidentReport | None
    correction: Finding | None


NOTHING_TO_DETECT = Observed((), None, (), None, None)  # shared, as most events are like that
