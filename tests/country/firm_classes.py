"""The record and the class of each firm, from ledgers, by an independent program: standard library only, none of the
monitor's code. The numbers are those that `monitor/firms/README.md` describes; the limits are exact ones of Poisson
counts (Garwood 1936) and shares (Clopper and Pearson 1934), by bisection of the distribution functions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tests.country.ledgers import Body, Ledgers

YEAR_MS = 365 * 86_400_000
HALT = 3
ONE_FOR_ONE = {
    "halt_contradicted": "contradictions", "source_conflict": "conflicts",
    "rectification_overdue": "rectifications_late", "finding_overdue": "rectifications_late",
    "application_refused": "refusals", "change_refused": "refusals", "request_declined": "refusals",
}  # fmt: skip
Numbers = dict[str, int]


def records(ledgers: Ledgers) -> dict[str, Numbers]:
    """The numbers of each firm over all its pilots."""
    firms: dict[str, Numbers] = defaultdict(lambda: defaultdict(int))
    for decisions in ledgers.decisions.values():
        firm = decisions[0]["participant"]
        if not firm:
            continue  # of the sandbox itself
        pilot = decisions[0]["pilot"]
        for name, number in _of_pilot(decisions, ledgers.evidence.get(pilot, [])).items():
            firms[firm][name] += number
    return {firm: dict(numbers) for firm, numbers in firms.items()}


def _of_pilot(decisions: list[Body], evidence: list[Body]) -> Numbers:
    found: Numbers = defaultdict(int)
    rows = [row for one in evidence for row in one["observations"]]
    for row in rows:
        if row.get("late") or row.get("dropped") is not None:
            found["observations_late"] += 1
        elif not row.get("unknown"):
            found["observations"] += 1
    stop, missed = "", set[tuple[str, str]]()
    for one in decisions:
        reason = one["reason"]
        if one["kind"] == "level" and one["level"] == HALT > one["was"] and reason != "state_lost":
            found["halts"] += 1
            stop = "owed"
        if reason == "halt_verified" and stop == "owed":
            stop = "shown"
        elif reason == "halt_overdue" and stop == "owed":
            found["stops_overdue"] += 1
            stop = "overdue"
        elif reason == "released":
            stop = ""
        if reason in ONE_FOR_ONE:
            found[ONE_FOR_ONE[reason]] += 1
        clock = one["finding"].get("clock") or {}
        if clock.get("owed_by") == "firm":
            about = clock["rule"], clock["key"]
            if clock["change"] == "missed":
                missed.add(about)
            elif clock["change"] == "restarted":
                missed.discard(about)
        found["pilots"] = max(found["pilots"], int(reason == "admitted"))
    found["clocks_missed"] = len(missed)
    through = max([one["at"] for one in decisions] + [one["at"] for one in evidence])
    found["operated_ms"] = _operated(decisions, through)
    return found


def _operated(decisions: list[Body], through: int) -> int:
    """Milliseconds from the first day to the exit, or `through`, without halts, pauses and missing telemetry."""
    total, since, states = 0, 0, set[str]()
    for one in decisions:
        reason, before = one["reason"], states == {"runs"}
        if one["kind"] == "level" and one["level"] == HALT > one["was"]:
            states |= {"halted"}
        if reason == "admitted":
            states |= {"runs"} | ({"registered"} if "registered" in (one.get("states") or "").split() else set())
        states |= {"pause_granted": {"paused"}, "exited": {"ended"}, "closed": {"ended"}}.get(reason, set())
        states -= {"cycle_started": {"registered"}, "resumed": {"paused"}, "released": {"halted"}}.get(reason, set())
        states -= {"unseen"}
        states |= {"unseen"} if one.get("unknown", "") not in ("", "monitor_gap") else set()
        now = states == {"runs"}
        if now and not before:
            since = one["at"]
        elif before and not now:
            total += one["at"] - since
    return total + (through - since if states == {"runs"} else 0)


def class_of(numbers: Numbers, rules: dict[str, Any]) -> str:
    """The class of a record under rules as JSON: the worst one of all measures."""
    order, confidence = ["A", "B", "not_enough_record", "C", "D"], rules["confidence"]
    shared = 1 - (1 - confidence) / len(rules["limits"])
    given = ["not_enough_record"] if numbers.get("pilots", 0) < rules["enough"]["pilots"] else ["A"]
    for measure, limits in rules["limits"].items():
        if measure == "late_share":
            k = numbers.get("observations_late", 0)
            n = k + numbers.get("observations", 0)
            lower, upper = share_limits(k, n, shared)[0], share_limits(k, n, confidence)[1]
        else:
            k, years = numbers.get(measure, 0), numbers.get("operated_ms", 0) / YEAR_MS
            lower = poisson_limits(k, shared)[0] / max(years, rules["enough"]["years"])
            upper = poisson_limits(k, confidence)[1] / years if years else math.inf
        given.append(_placed(lower, upper, limits))
    return max(given, key=order.index)


def _placed(lower: float, upper: float, limits: dict[str, float]) -> str:
    if upper <= limits["B"]:
        return "A" if upper <= limits["A"] else "B"
    if lower > limits["B"]:
        return "D" if lower > limits["C"] else "C"
    return "not_enough_record"


def poisson_limits(k: int, confidence: float) -> tuple[float, float]:
    """Garwood's limits of the mean of a Poisson count."""
    tail = (1 - confidence) / 2

    def at_most(count: int, mean: float) -> float:
        return sum(math.exp(-mean + i * math.log(mean) - math.lgamma(i + 1)) for i in range(count + 1)) if mean else 1.0

    most = 10.0 * (k + 10)
    lower = 0.0 if k == 0 else _root(lambda mean: 1 - at_most(k - 1, mean) - tail, 0.0, most)
    return lower, _root(lambda mean: tail - at_most(k, mean), 0.0, most)


def share_limits(k: int, n: int, confidence: float) -> tuple[float, float]:
    """Clopper and Pearson's limits of a share."""
    tail = (1 - confidence) / 2

    def at_most(count: int, p: float) -> float:
        if p <= 0 or p >= 1:
            return float(p <= 0 or count >= n)
        odds, none = math.log(p) - math.log1p(-p), math.lgamma(n + 1) + n * math.log1p(-p)
        logs = (none - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * odds for i in range(count + 1))
        return sum(map(math.exp, logs))

    lower = 0.0 if k == 0 else _root(lambda p: 1 - at_most(k - 1, p) - tail, 0.0, 1.0)
    return lower, 1.0 if k >= n else _root(lambda p: tail - at_most(k, p), 0.0, 1.0)


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function crosses zero."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2
