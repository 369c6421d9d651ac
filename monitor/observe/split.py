"""Where a run of events is split before it is tried as a batch: at the pilot's next timer, and where events change
period.

A batch is taken at once only if no timer fires during it and its events fall into one set of periods
(`monitor/observe/fast_path.py`). A sparse pilot sends a few dozen events between two such moments, so a run that is
halved blindly leaves most of its events to the slow path. Where a run is split never changes a result.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from monitor.observe.fast_path_plan import fast_path_plan_of
from monitor.state.pilot import PilotState
from monitor.validate.runs import EventRun


def end_of_batch(pilot: PilotState, run: EventRun, first: int, stop: int, whole_records: bool) -> int:
    """Returns where the batch that begins at `first` should end: an index above `first`, at most `stop` (excluded).

    `whole_records`: a record of several events may not be split, as its events are not known to be valid.
    """
    received, events, end = run.received, run.events, stop
    if received[first] <= pilot.due < received[stop - 1]:
        end = bisect_right(received, pilot.due, first, stop)
    layout = fast_path_plan_of(pilot.plan)
    for watch, _ in layout.by_received:
        ends = watch.grid.start(watch.grid.index(received[first]) + 1)
        if ends <= received[end - 1]:
            end = bisect_left(received, ends, first, end)
    frame = layout.frame(events[first].time)
    start, until = frame.start, frame.end
    if not start <= events[end - 1].time < until:
        end = next((at for at in range(first + 1, end) if not start <= events[at].time < until), end)
    if whole_records and end < stop:
        record = run.records[end]
        while end > first and run.records[end - 1] is record:
            end -= 1
    return end if end > first else stop
