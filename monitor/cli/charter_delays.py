"""`charter check --history`: compares `late_window` and `reporting_delay` with how late recorded events arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil
from pathlib import Path

from msgspec import Struct

from detectors.base import Count, Gauge
from monitor.charter.spec import Charter
from monitor.cli.terminal import echo
from monitor.clock import wall_ms
from monitor.compile.plan import CompiledIndicator, Plan, build_detectors
from monitor.compile.state_size import WIDEST
from monitor.detect.late_window import may_be_raised
from monitor.engine.replay import read_lines
from monitor.model.events import Event, IncidentReported, IncidentUpdated, millis
from monitor.validate.parse import judge

COVERED = 0.99  # fraction of the recorded events that have to count
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000


class DelayRow(Struct, frozen=True):
    """How late the events of one indicator arrived, by the reception times of a recording.

    `late` came after their period had closed, `uncounted` too late to count under the charter. `needed`: the closed
    periods that the late window would have to hold for 99 % of the events. The proposals are `None` if 99 % count
    already; `proposed_reporting_delay` where no late window can hold them."""

    indicator: str
    events: int
    late: int
    uncounted: int
    late_window: int  # of the charter, in closed periods; 0 where late events cannot count
    needed: int
    proposed_late_window: int | None
    proposed_reporting_delay: str | None

    @property
    def exceeded(self) -> bool:
        """Whether more than 1 % of the events would not count."""
        return self.uncounted > (1 - COVERED) * self.events


class _Recorded(Struct):
    """`periods`: events by how many closed periods the window needs for them (0: in time). `after`: ms from the end of
    an event's period to its reception, of the late ones."""

    periods: Counter[int]
    after: list[int]
    incidents: set[str]


def compare_delays(charter: Charter, path: Path) -> list[DelayRow]:
    """Reads the telemetry of the charter's pilot and returns a row for each indicator of counts or proportions with
    events. An update that makes an incident count is an event, as late as its reception after the occurrence; an
    incident counts once. Empty if no event was received (`recordedtime`) later than its time: then no delay is known.
    """
    indicators = [i for i in Plan(charter).indicators if _placed_by_time(i)]
    recorded = {i.name: _Recorded(Counter(), [], set()) for i in indicators}
    timed = False
    with path.open("rb") as file:
        for line in read_lines(file, wall_ms()):
            for event in judge(line.record).events:
                if event.subject == charter.pilot:
                    timed = timed or line.record.received > millis(event.time)
                    _note(indicators, recorded, event, line.record.received)
    return [_row(charter, i, recorded[i.name]) for i in indicators if recorded[i.name].periods] if timed else []


def show_delays(path: Path, rows: Sequence[DelayRow]) -> None:
    """Prints a warning, with the line to paste, for each indicator for which more than 1 % of the events came too
    late."""
    for row in rows:
        if not row.exceeded:
            continue
        window = f"the late window of {row.late_window} closed periods" if row.late_window else "its period had closed"
        echo(
            f"   # {row.indicator}: {row.uncounted:,} of {row.events:,} events in {path} came after {window}, "
            "and would not count"
        )
        if row.proposed_late_window is not None:
            echo(f"     late_window: {row.proposed_late_window}")
        else:
            echo(f"     reporting_delay: {row.proposed_reporting_delay}")


def _placed_by_time(indicator: CompiledIndicator) -> bool:
    """Whether its events belong to the period in which they happened, and are too late at some time."""
    return (
        indicator.observes is not Gauge
        and indicator.silence is None
        and indicator.late is None
        and not indicator.classified
        and not indicator.stocks
        and getattr(indicator.implementation, "placed_by", "") == "time"
    )


def _note(indicators: Iterable[CompiledIndicator], recorded: dict[str, _Recorded], event: Event, at: int) -> None:
    for indicator in indicators:
        if not isinstance(event, indicator.implementation.reads):
            continue
        found = recorded[indicator.name]
        for slot in indicator.implementation.slots(event, at):
            if indicator.observes is Count and slot.k <= 0:
                continue
            if indicator.once and isinstance(event, IncidentReported | IncidentUpdated):
                if event.data.incident in found.incidents:
                    continue
                found.incidents.add(event.data.incident)
            index = indicator.grid.index(slot.at)
            found.periods[_closed_since(indicator, index, at)] += 1
            if indicator.closes(index) <= at:
                found.after.append(at - indicator.grid.start(index + 1))


def _closed_since(indicator: CompiledIndicator, index: int, at: int) -> int:
    """How many periods had closed at `at`, from `index` on."""
    last = indicator.grid.index(at)
    while last >= index and indicator.closes(last) > at:
        last -= 1
    return max(0, last + 1 - index)


def _row(charter: Charter, indicator: CompiledIndicator, found: _Recorded) -> DelayRow:
    spec, detectors = indicator.spec, build_detectors(charter, indicator, 1)
    counts_late = indicator.observes is Count and any(may_be_raised(detector) for detector in detectors)
    window = spec.late_window if counts_late else 0
    events = found.periods.total()
    uncounted = sum(n for needed, n in found.periods.items() if needed > window)
    needed = _quantile(found.periods, events)
    exceeded = uncounted > (1 - COVERED) * events
    fits = counts_late and window > 0 and needed <= WIDEST
    return DelayRow(
        indicator=indicator.name,
        events=events,
        late=events - found.periods[0],
        uncounted=uncounted,
        late_window=window,
        needed=needed,
        proposed_late_window=needed if exceeded and fits else None,
        proposed_reporting_delay=_delay(found, events) if exceeded and not fits else None,
    )


def _quantile(periods: Counter[int], events: int) -> int:
    """The smallest number of closed periods that covers 99 % of the events."""
    seen = 0
    for needed in sorted(periods):
        seen += periods[needed]
        if seen >= COVERED * events:
            return needed
    return 0


def _delay(found: _Recorded, events: int) -> str:
    """The reporting delay under which 99 % of the events are in time, in whole hours, or days from two on."""
    after = sorted(found.after)
    most = after[min(len(after) - 1, ceil(COVERED * events) - 1 - (events - len(after)))] + 1
    return f"{ceil(most / _DAY_MS)}d" if most > 2 * _DAY_MS else f"{ceil(most / _HOUR_MS)}h"
