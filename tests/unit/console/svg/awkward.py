"""Series that are hard to draw, for tests of pictures and for looking at them."""

from __future__ import annotations

from collections.abc import Callable
from math import log, sin
from typing import Any, NamedTuple

import msgspec

from monitor.charter.spec import Authority, Charter, Cycle, IndicatorSpec, Participant
from monitor.model.records import Decision, Evidence, Finding, Level, Reason, RecordKind

HOUR, DAY = 3_600_000, 86_400_000
START = 1_735_689_600_000  # 2025-01-01
BAR = log(548.0)
LONG = ("a-pilot-with-a-name-that-hardly-anyone-would-choose-" * 5)[:200]


class Story(NamedTuple):
    """What one picture shows."""

    title: str
    evidence: list[Evidence]
    decisions: list[Decision]
    charter: Charter | None


def charter(**indicator: Any) -> Charter:
    """A charter with one indicator, named `x`."""
    fields = {"name": "x", "kind": "incident_rate", "period": "1d", "limit": 20, "per": 1000}
    fields |= {"exposure": {"unit": "decision"}, "detectors": [{"name": "limit_e_process", "level": "halt"}]}
    made = msgspec.convert(fields | indicator, IndicatorSpec)
    return Charter(
        schema="sandbox-charter/1",
        pilot="p",
        participant=Participant("firm"),
        scenario="s",
        tier="high",
        cycle=Cycle("2025-01-01", "2026-01-01"),
        models=(),
        authorities=(Authority("a"),),
        indicators=(made,),
    )


def closed(day: float, score: float, k: float = 3, m: float = 1000, *, length: int = DAY, **more: Any) -> Evidence:
    """A closed period that begins `day` days after the start."""
    start = START + round(day * DAY)
    fields: dict[str, Any] = {
        "pilot": "p", "participant": "firm", "vendor": "", "data_source": "", "model": "", "indicator": "x",
        "segment": "", "kind": "count", "start": start, "end": start + length, "k": k, "m": m,
        "scores": {"limit_e_process": (score, BAR)},
    }  # fmt: skip
    return Evidence(**(fields | more))


def decided(day: float, level: Level, was: Level, reason: Reason, kind: RecordKind = "level", **more: Any) -> Decision:
    """A decision `day` days after the start."""
    at = START + int(day * DAY)
    fields: dict[str, Any] = {
        "id": f"{day}-{reason}-{kind}", "pilot": "p", "participant": "firm", "charter": "", "kind": kind,
        "level": level, "was": was, "reason": reason, "at": at, "standing": int(day * 100) + 1, "epoch": 0, "cause": "",
        "finding": Finding(indicator="x", rule="limit_e_process"),
    }  # fmt: skip
    return Decision(**(fields | more))


def steady(days: int, first: int = 0, **more: Any) -> list[Evidence]:
    """Ordinary days: evidence wanders below 1."""
    return [closed(first + i, sin(i / 3) - 1, k=3 + i % 4, **more) for i in range(days)]


def _halted_twice() -> Story:
    """Two halts within a day of each other among many watches, with a release between them."""
    found = [decided(i, Level.WATCH, Level.NORMAL, Reason.DRIFT_SUSPECTED, "finding") for i in range(1, 40, 2)]
    found += [
        decided(40, Level.HALT, Level.NORMAL, Reason.LIMIT_EXCEEDED),
        decided(40.3, Level.NORMAL, Level.HALT, Reason.RELEASED, "level"),
        decided(40.6, Level.HALT, Level.NORMAL, Reason.HARD_RULE, finding=Finding(rule="death")),
        decided(40.8, Level.HALT, Level.HALT, Reason.HALT_CONTRADICTED, "finding"),
    ]
    return Story("Two halts", steady(45), found, charter())


def _unknown() -> Story:
    """A pilot that is dark for half of its life, and partly while escalated."""
    found = [
        decided(0, Level.NORMAL, Level.NORMAL, Reason.ADMITTED, "act"),
        decided(10, Level.NORMAL, Level.NORMAL, Reason.SILENCE, "flag", unknown="silence"),
        decided(30, Level.NORMAL, Level.NORMAL, Reason.HEARD_AGAIN, "flag"),
        decided(34, Level.ESCALATE, Level.NORMAL, Reason.LIMIT_HALF_WAY),
        decided(36, Level.ESCALATE, Level.ESCALATE, Reason.SILENCE, "flag", unknown="silence"),
    ]
    partial = [closed(30 + i, 1.0, unknown="partial_data") for i in range(3)]
    return Story("Unknown for most of its life", [*steady(10), *partial, *steady(3, 33)], found, charter())


def _paused() -> Story:
    """A gap in the data, a pause, and a halt without telemetry."""
    found = [
        decided(20, Level.NORMAL, Level.NORMAL, Reason.PAUSE_GRANTED, "act"),
        decided(30, Level.NORMAL, Level.NORMAL, Reason.RESUMED, "act"),
        decided(40, Level.HALT, Level.NORMAL, Reason.LIMIT_EXCEEDED),
        decided(50, Level.NORMAL, Level.HALT, Reason.RELEASED, "level"),
    ]
    return Story("Gap, pause and halt", [*steady(8), *steady(5, 15), *steady(10, 30), *steady(5, 50)], found, charter())


def _restarted() -> Story:
    """The threshold rises at a restart, so the point nearest to its threshold is not the highest one."""
    first = [closed(i, -1 + i * 0.093) for i in range(11)]
    second = [
        closed(11 + i, -1 + i * 0.145, scores={"limit_e_process": (-1 + i * 0.145, BAR * 1.2)}) for i in range(11)
    ]
    return Story("A restart", [*first, *second], [], charter())


def _handling() -> Story:
    """A mean handling time against a limit in hours, with days on which nothing was resolved."""
    spec = charter(kind="complaint_handling_time", limit=240, per=1, exposure=None)
    days = [closed(i, 0.1, k=(i * 7) % 5, m=24.0 * (30 + 10 * sin(i)), kind="count") for i in range(40)]
    return Story("Mean handling time", days, [], spec)


def _segments() -> Story:
    names = ("adults", "minors", "elderly people in care homes", "农村居民", "north-east", "s" * 200)
    found = [
        closed(i, sin(i) - 1, segment=name, k=i % 3, m=200, kind="proportion") for name in names for i in range(30)
    ]
    return Story("Six segments", found, [], charter(kind="false_positive_rate", limit=0.02, per=1, exposure=None))


def _costs() -> Story:
    """Amounts of millions, a gain below zero: ticks are long and the axis crosses zero."""
    spec = charter(kind="compliance_cost", limit=2_500_000, per=1, exposure=None, params={"currency": "EUR"})
    days = [closed(i, 0.0, k=1e6 * i, m=1, kind="gauge", scores={"gauge_limit": (1e6 * i, 2.5e6)}) for i in range(10)]
    return Story("Costs", days, [], spec)


def _gains() -> Story:
    spec = charter(kind="efficiency_gain", limit=0.05, per=1, exposure=None, direction="below")
    days = [closed(i, 0.0, k=-0.9 + i / 10, m=1, kind="gauge", scores={}) for i in range(10)]
    return Story("Gains", days, [], spec)


def _chinese() -> Story:
    decisions = [decided(9, Level.HALT, Level.NORMAL, Reason.LIMIT_EXCEEDED)]
    found = [closed(i, i - 3.0, segment="华东地区医疗机构") for i in range(10)]
    return Story("华康药房问诊人工智能辅助诊断系统试点" * 6, found, decisions, charter())


AWKWARD: dict[str, Callable[[], Story]] = {
    "nothing": lambda: Story("Nothing", [], [], None),
    "one period": lambda: Story("One period", [closed(0, 0.0)], [], charter()),
    "one decision": lambda: Story(
        "One decision",
        [],
        [decided(1, Level.HALT, Level.NORMAL, Reason.HARD_RULE, finding=Finding(rule="death"))],
        None,
    ),
    "two points": lambda: Story("Two points", steady(2), [], charter()),
    "constant": lambda: Story("Constant", [closed(i, 0.0, k=4) for i in range(30)], [], charter()),
    "all zero": lambda: Story("All zero", [closed(i, 0.0, k=0, m=0) for i in range(30)], [], charter()),
    "ten thousand": lambda: Story(
        "Ten thousand hours", [closed(i / 24, sin(i / 50), k=i % 7, length=HOUR) for i in range(10_000)], [], charter()
    ),
    "huge": lambda: Story(
        "Huge", [closed(i, 10.0**i, k=10.0 ** (2 * i), m=1e15) for i in range(8)], [], charter(limit=1e12)
    ),
    "tiny": lambda: Story(
        "Tiny", [closed(i, -(10.0**i), k=1e-9 * i, m=1e-6) for i in range(8)], [], charter(limit=1e-6)
    ),
    "seconds": lambda: Story("Seconds", [closed(i / 43_200, i / 3, length=2000) for i in range(20)], [], charter()),
    "two halts": _halted_twice,
    "unknown": _unknown,
    "paused": _paused,
    "restarted": _restarted,
    "handling time": _handling,
    "six segments": _segments,
    "costs": _costs,
    "gains": _gains,
    "long name": lambda: Story(
        LONG, [closed(i, i / 2, indicator=LONG) for i in range(9)],
        [decided(5, Level.ESCALATE, Level.NORMAL, Reason.HARD_RULE, finding=Finding(rule=LONG))], None,
    ),
    "chinese": _chinese,
}  # fmt: skip
"""By what is hard about them."""
