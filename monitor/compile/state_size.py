"""The largest state that a pilot can have under a charter, whatever is sent: bytes by indicator. Pure.

Counted are the charter itself, and for each indicator and segment: open periods, detectors at their largest, findings
and flags with all their keys. `tests/property/test_state_bounds.py` compares the estimate with states that
were made to grow.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from detectors.base import Count, Detector
from detectors.checked_limit import CheckedLimitEProcess
from detectors.shape_views import SPREADS, Profile
from monitor.charter.spec import Charter
from monitor.compile.plan import CACHED_PLANS, CompiledIndicator, Plan, build_detectors
from monitor.model.bounds import AHEAD_MS, AHEAD_PERIODS, CHARTER_BYTES

NUMBER = 9  # bytes of the longest number
OPEN = 8 * NUMBER  # an open period: its index, six numbers
FINDING = 80  # a finding, a flag or a shelf, without its key
LATE = 6 * NUMBER  # what is held of late events, without the key of its stream
STREAM = 128  # a stream with its totals, without the parts that are counted separately
REST = 4096  # everything of a pilot that has a fixed size
WIDEST = 64  # periods: the widest late window, also of a charter

# How far a detector may grow beyond its initial size. One that is not listed keeps a fixed number of numbers.
_GROWS: dict[str, Callable[[Any, int], int]] = {
    "limit_e_process": lambda d, late: NUMBER * (len(d.ratios) + late * (len(d.ratios) + 4 + 2 * _checked(d))),
    "e_detector": lambda d, late: NUMBER * (4 + 3 * len(d.ratios)),
    "glr": lambda d, late: 50 * 4 * NUMBER,
    "river_drift": lambda d, late: NUMBER * (2 * d.block + 2),
    "shape": lambda d, late: NUMBER * (_phases(d.cycle) + d.past.keep + sum(tail.keep for tail in d.tails)),
    "seasonal": lambda d, late: NUMBER * (4 + 2 * sum(n for _, n in d.predictor.cycles + d.predictor.later)) ** 2,
}


def _checked(detector: Detector) -> bool:
    return isinstance(detector, CheckedLimitEProcess)


_FIXED = 40 * NUMBER  # also covers the 320 bytes of a baseline while it is learnt


class Size(Struct, frozen=True):
    """Bytes at most: of the charter, of each indicator by its place, and of all together with what is fixed."""

    charter: int
    indicators: tuple[int, ...]

    @property
    def total(self) -> int:
        """All bytes that depend on the charter."""
        return self.charter + sum(self.indicators) + REST


@functools.lru_cache(maxsize=CACHED_PLANS)
def size_of(plan: Plan) -> Size:
    """The size of a pilot's state under this plan, at most."""
    wide = _size(plan, WIDEST)
    return wide if wide.total <= CHARTER_BYTES else _size(plan, 0)


@functools.lru_cache(maxsize=CACHED_PLANS)
def _widens(plan: Plan) -> bool:
    return _size(plan, WIDEST).total <= CHARTER_BYTES


def wide_window(plan: Plan, indicator: CompiledIndicator) -> int:
    """How many closed periods of an indicator accept late events once some came that were too late for its charter's
    window: `WIDEST`, where a pilot's state has the space, and none where the charter accepts none."""
    window = indicator.spec.late_window
    return WIDEST if window and _widens(plan) else window


def _size(plan: Plan, window: int) -> Size:
    """The size where every late window is at least that wide."""
    return Size(_charter(plan), tuple(_indicator(plan.charter, indicator, window) for indicator in plan.indicators))


@functools.lru_cache(maxsize=CACHED_PLANS)
def open_allowance(plan: Plan) -> int | None:
    """How many open periods all streams of a pilot may have together; `None` where the charter itself bounds them. Only
    a charter that was admitted before there were bounds has an allowance."""
    size = size_of(plan)
    if size.total <= CHARTER_BYTES:
        return None
    streams = sum(OPEN * open_periods(indicator) * len(indicator.keys) for indicator in plan.indicators)
    return max(len(plan.streams), (CHARTER_BYTES - size.total + streams) // OPEN)


def open_periods(indicator: CompiledIndicator) -> int:
    """How many periods of one stream may be open at once: those that wait for late reports, and those of clocks that
    are ahead."""
    waits = -(-(indicator.delay.after(0) + indicator.promised) // indicator.length)
    return waits + min(AHEAD_PERIODS, -(-AHEAD_MS // indicator.length)) + 2


def parts_of(charter: Charter) -> list[tuple[int, str]]:
    """The bytes of each field of a charter, the largest first."""
    fields = {name: getattr(charter, name) for name in charter.__struct_fields__}
    given = {name: value for name, value in fields.items() if value is not UNSET}
    return sorted([(len(msgspec.msgpack.encode(value)), name) for name, value in given.items()], reverse=True)


def _charter(plan: Plan) -> int:
    """The charter as a snapshot carries it, the findings that bear names of its rules, and its keys."""
    charter = plan.charter
    rules = sum(2 * (len(rule.name.encode()) + FINDING) for rule in charter.hard_rules)
    keys = sum(len(name.encode()) + FINDING for authority in charter.authorities for name in authority.keys)
    return len(plan.packed) + rules + keys


def _indicator(charter: Charter, indicator: CompiledIndicator, window: int) -> int:
    """All streams of one indicator."""
    found, late = 0, indicator.spec.late_window
    late = max(late, window) if late and indicator.observes is Count else late
    built = build_detectors(charter, indicator, 1)
    held = sum(_detector(w.name, d, late) for w, d in zip(indicator.spec.detectors, built, strict=True))
    # Of each detector: itself, half-way and tolerated (with a limit), or fall and baseline (without).
    names = 4 * sum(len(w.name) + FINDING for w in indicator.spec.detectors)
    count = 4 * len(indicator.spec.detectors) + 2
    for name in indicator.keys.values():
        key = len(name.encode())
        findings = 2 * (names + count * (key + FINDING))  # each may be shelved as well
        marks = key + 7 * NUMBER if charter.rollout else 0  # what was counted before its step began
        found += (
            STREAM + 2 * key + LATE + marks + held + findings + OPEN * open_periods(indicator) + NUMBER * (late + 2)
        )
    return found


def _phases(cycle: Profile | None) -> int:
    """The numbers that `shape` keeps of a cycle: its profile and its spread."""
    return 0 if cycle is None else min(cycle.season, cycle.most) + min(cycle.season, SPREADS)


def _detector(name: str, built: Detector, late_window: int) -> int:
    grows = _GROWS.get(name)
    most = _FIXED if grows is None else grows(built, late_window)
    return len(msgspec.msgpack.encode(built)) + _FIXED + most
