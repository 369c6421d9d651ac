"""Plan of the fast path: how ordinary events of each type are added under one charter, computed once for all its
pilots."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias, cast

from detectors.base import Count
from monitor.compile.plan import CACHED_PLANS, CompiledIndicator, Plan
from monitor.indicators.base import Folding, Receiving
from monitor.model.events import (
    LAST_MS,
    ClaimClosed,
    ClaimFiled,
    ComplaintFiled,
    ComplaintResolved,
    ComplaintWithdrawn,
    CostReported,
    Envelope,
    ExposureTallied,
    GainReported,
    Heartbeat,
    IncidentReported,
    ItemsTallied,
    OutcomesTallied,
    instant,
    millis,
)
from monitor.state.incidents import broken_by
from monitor.state.uncounted import counted_labels

FRAMES_KEPT = 8  # frames of event time that are cached

Fits: TypeAlias = Callable[[Sequence[Any]], bool]


class EventTypePlan:
    """How the ordinary events of one type are added.

    `folds`, by indicator, add a whole run to periods placed by time, `dues` to periods placed by a due time. `rest` are
    indicators that only have slots, each with the names of its streams by segment; `once` are those that count each
    incident once. `selects` reads the labels of payloads that the charter selects by (`None` = it selects by none),
    `selected` are the labels that count. `fits` are the tests that a run of ordinary events passes; `filed`: the
    complaint or claim must not have been filed before admission. `counts`: an event may be provisional evidence.
    """

    def __init__(self, plan: Plan, kind: type[Envelope], fits: list[Fits]) -> None:
        indicators = plan.by_type.get(kind, ())
        found = [(w, fold) for w in indicators if (fold := folding_of(w)) is not None]
        once = [w for w in indicators if w.once] if kind is IncidentReported else []
        self.folds = [(w.name, fold.fold) for w, fold in found if fold.placed_by == "time" and w not in once]
        self.once = once
        self.dues = [(w.name, fold.fold) for w, fold in found if fold.placed_by == "due"]
        self.rest = [(w, w.keys) for w in indicators if folding_of(w) is None]
        self.may_fold = not any(w.once for w, _ in self.rest)
        self.silences = [w.name for w in plan.silences.get(kind, ())]
        self.fits = fits
        self.selects, self.selected = counted_labels(plan, kind)
        self.filed = kind in (ComplaintResolved, ComplaintWithdrawn, ClaimClosed)
        self.counts = kind is not ExposureTallied and any(w.provisional for w, _ in found)


class PeriodFrame:
    """A stretch of event time, [start, end), in which no indicator changes its period; `indexes` of those periods;
    `steady`: until when (ms, excluded) of reception nothing in it is late."""

    __slots__ = ("end", "indexes", "start", "steady")

    def __init__(
        self, by_time: list[CompiledIndicator], by_received: list[tuple[CompiledIndicator, Folding]], at: int
    ) -> None:
        self.indexes = {w.name: w.grid.index(at) for w in by_time}
        edges = [(w.grid.start(i := self.indexes[w.name]), w.grid.start(i + 1)) for w in by_time]
        since = max((start for start, _ in edges), default=0)
        self.start = instant(since)
        self.end = instant(min((end for _, end in edges), default=LAST_MS))
        self.steady = min([cast(Receiving, w.implementation).steady(since) for w, _ in by_received] or [LAST_MS])


class FastPathPlan:
    """The indicators that can fold, by what places them; those with a cap on exposure (`capped`, with the names of
    their streams) and of them those that give provisional evidence (`counted`); `kinds` of events that may be
    ordinary at all."""

    def __init__(self, plan: Plan) -> None:
        indicators = [w for w in plan.indicators if w.silence is None]
        found = [(w, fold) for w in indicators if (fold := folding_of(w)) is not None]
        self.silences = [w.name for w in plan.indicators if w.silence is not None]
        self.by_time = [w for w, fold in found if fold.placed_by == "time"]
        self.by_received = [(w, fold) for w, fold in found if fold.placed_by == "received"]
        self.by_due = [w for w, fold in found if fold.placed_by == "due"]
        self.capped = [(w, list(w.keys.values())) for w in self.by_time if w.cap is not None]
        self.counted = [(w, names) for w, names in self.capped if w.provisional]
        cap, rules = plan.least_cap, plan.charter.hard_rules
        broken = broken_by(rules)
        fits: dict[type[Envelope], list[Fits]] = {
            ComplaintFiled: [],
            ComplaintResolved: [],
            ComplaintWithdrawn: [],
            CostReported: [],
            ExposureTallied: [] if cap is None else [_within(cap)],
            GainReported: [],
            Heartbeat: [],
            IncidentReported: [lambda run: not broken(run)],
            OutcomesTallied: [],
            ItemsTallied: [],
            ClaimFiled: [],
            ClaimClosed: [],
        }
        kinds = {kind: EventTypePlan(plan, kind, tests) for kind, tests in fits.items()}
        # Only a fold promises how little an event can add to what has a cap.
        self.kinds = {
            t: kind for t, kind in kinds.items() if kind.may_fold and all(w.cap is None for w, _ in kind.rest)
        }
        self.last = instant(plan.cycle[1])
        self.ahead = min([w.ahead for w in indicators if w.ahead is not None], default=None)  # ms, see `Watch.ahead`
        self._frames: list[PeriodFrame] = []

    def frame(self, time: datetime) -> PeriodFrame:
        """Returns the frame that holds `time`."""
        for frame in self._frames:
            if frame.start <= time < frame.end:
                return frame
        frame = PeriodFrame(self.by_time, self.by_received, millis(time))
        self._frames = [frame, *self._frames[: FRAMES_KEPT - 1]]
        return frame


def _within(cap: int) -> Fits:
    return lambda run: all(event.data.unit != "users" or event.data.amount <= cap for event in run)


@functools.lru_cache(maxsize=CACHED_PLANS)
def fast_path_plan_of(plan: Plan) -> FastPathPlan:
    """Returns the fast-path plan of a plan; cached."""
    return FastPathPlan(plan)


def folding_of(indicator: CompiledIndicator) -> Folding | None:
    """The indicator's fold. A cap on exposure is only for what counts over exposure: else no fold says how little is
    added."""
    fits = indicator.cap is None or indicator.observes is not Count or ExposureTallied in indicator.implementation.reads
    return cast(Folding, indicator.implementation) if fits and hasattr(indicator.implementation, "fold") else None
