"""What the complaint records themselves say about the days before an alarm, so that a reader can judge it.

The set holds no known incident: by that measure every alarm on it is false. But an alarm may still have seen something
that is in the data. These sentences compare the days before the alarm with the days from which the detectors learnt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from monitor.importers import Row
from monitor.importers.complaints import instant

LEARNT = 20  # days from the start of the record, as the detectors take them by default
WINDOW = 14  # days before the alarm
PROMISE = 30  # days, as in the charters
ALLOWED = 0.10  # share of broken promises, as in the charters
_DAY = 86_400_000


def facts(agency: str, complaints: Iterable[Row], indicator: str, at: int) -> str:
    """A sentence of counts about one agency for an alarm on `indicator` at `at` (ms). Raises KeyError for other
    indicators."""
    every = list(complaints)
    start = min(instant(r["filed"]) for r in every) // _DAY * _DAY
    return _FACTS[indicator]([r for r in every if r["agency"] == agency], start, at)


def _complaint_rate(own: list[Row], start: int, at: int) -> str:
    before = [r for r in own if start <= instant(r["filed"]) < start + LEARNT * _DAY]
    now = [r for r in own if at - WINDOW * _DAY <= instant(r["filed"]) < at]
    after = [instant(r["filed"]) for r in own if instant(r["filed"]) >= at]
    days = (max(after) - at) / _DAY if after else 0.0
    then, recent = len(before) / LEARNT, len(now) / WINDOW
    lasted = f", {len(after) / days:.1f} from then to the end of the record" if days >= 1 else ""
    kinds = Counter({k: n / WINDOW for k, n in Counter(r["descriptor"] for r in now).items()})
    kinds.subtract({k: n / LEARNT for k, n in Counter(r["descriptor"] for r in before).items()})
    kind, change = max(kinds.items(), key=lambda item: (abs(item[1]), item[0]))
    return (
        f"{recent:.1f} complaints a day in the {WINDOW} days before, {then:.1f} in the first {LEARNT} days{lasted}; "
        f"the largest part of the change is {kind!r} ({change:+.1f} a day)"
    )


def _handling_time(own: list[Row], start: int, at: int) -> str:
    done = [instant(r["resolved"]) for r in own if r["resolved"]]
    then = sum(start <= d < start + LEARNT * _DAY for d in done) / LEARNT
    recent = sum(at - WINDOW * _DAY <= d < at for d in done) / WINDOW
    return (
        f"{recent:.1f} resolved a day in the {WINDOW} days before, {then:.1f} in the first {LEARNT} days; "
        f"{_open(own, at)} were open at the alarm, {_open(own, start + LEARNT * _DAY)} after the first {LEARNT} days. "
        "The record begins with no open complaint, so handling times of its first days are too short to be a baseline"
    )


def _over_promise(own: list[Row], start: int, at: int) -> str:
    due = [(instant(r["filed"]) + PROMISE * _DAY, r) for r in own]

    def share(low: int) -> tuple[int, int]:
        ran_out = [(end, r) for end, r in due if low <= end < at]
        return sum(not r["resolved"] or instant(r["resolved"]) > end for end, r in ran_out), len(ran_out)

    (late, of), (all_late, all_of) = share(at - WINDOW * _DAY), share(start)
    return (
        f"of {of} complaints whose {PROMISE} days ran out in the {WINDOW} days before, {late} were still open; "
        f"of all {all_of} so far, {all_late} ({all_late / max(all_of, 1):.0%})"
        f"{', more than the promise allows' if all_late > ALLOWED * all_of else ', within what the promise allows'}"
    )


def _open(own: list[Row], at: int) -> int:
    return sum(instant(r["filed"]) < at and (not r["resolved"] or instant(r["resolved"]) >= at) for r in own)


_FACTS = {"complaint_rate": _complaint_rate, "handling_time": _handling_time, "over_promise": _over_promise}
