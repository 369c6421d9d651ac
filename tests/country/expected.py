"""What must come of the script, computed from the script alone: the end of each legal deadline, and halts.

Days stand for instants here. Where a deadline may end on either side of the end of the run, or of an act, because of
weekends and holidays, more than one end is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from tests.country.acts import EXIT_REPORT, INSPECTION_DAYS, RECTIFIES, REPORTS
from tests.country.charters import PROMISE_DAYS
from tests.country.script import HALTING, REPORTED, Pilot, Script

End: TypeAlias = Literal["running", "met", "missed", "missed, then done", "stopped"]
SHIFT = 5  # days by which weekends and holidays may move the end of a period, at most
MONTHS = {2: (59, 62), 3: (89, 92)}  # days


class Due(NamedTuple):
    """One deadline of a pilot: its rule, which ends are right, and who owes."""

    rule: str
    ends: frozenset[End]
    owes: Literal["firm", "authority"]


def admitted(pilot: Pilot, script: Script) -> int | None:
    """The day of the admission, `None` if there is none."""
    day = pilot.admitted
    if day is None or day >= script.calendar.days or not script.acts(pilot.officer, day):
        return None
    return day if pilot.screened is not None and script.acts(pilot.officer, pilot.screened) else None


def exited(pilot: Pilot, script: Script) -> int | None:
    """The day of the exit, `None` if there is none."""
    day = pilot.exits
    if admitted(pilot, script) is None or day is None or day >= script.calendar.days:
        return None
    return day if script.acts(pilot.officer, day) else None


def fault_day(pilot: Pilot, script: Script) -> int | None:
    """The day on which something goes wrong; `None` if nothing does within the run."""
    if admitted(pilot, script) is None or not pilot.fault or pilot.fault_day is None:
        return None
    return pilot.fault_day if pilot.fault_day < script.calendar.days else None


def deadlines(pilot: Pilot, script: Script) -> list[Due]:
    """Every deadline of a pilot but drills and complaints."""
    return [
        *_application(pilot, script), *_assessments(pilot, script), *_incidents(pilot, script),
        *_supervision(pilot, script), *_exit(pilot, script),
    ]  # fmt: skip


def _end(due: tuple[int, int], done: int | None, days: int) -> frozenset[End]:
    """The right ends of a deadline that falls between two days (both included), done on a day, in a run of `days`."""
    first, last = due
    done = None if done is None or done >= days else done
    ends: set[End] = set()
    if done is None:
        if days > first:
            ends.add("missed")
        if days <= last + 1:
            ends.add("running")
    else:
        if done <= last:
            ends.add("met")
        if done >= first:
            ends.add("missed, then done")
    return frozenset(ends)


def _months(day: int, months: int) -> tuple[int, int]:
    least, most = MONTHS[months]
    return day + least, day + most + SHIFT


def _application(pilot: Pilot, script: Script) -> Iterator[Due]:
    days, at = script.calendar.days, pilot.applies
    if at >= days:
        return
    if pilot.entry == "withdrawn":
        yield Due("application-decision", frozenset({"stopped"} if at + 9 < days else {"running"}), "authority")
        return
    done = admitted(pilot, script)
    if pilot.entry == "refused" and script.acts(pilot.officer, at + 12):
        done = at + 12
    yield Due("application-decision", _end(_months(at, 3), done, days), "authority")


def _assessments(pilot: Pilot, script: Script) -> Iterator[Due]:
    calendar, began, left = script.calendar, admitted(pilot, script), exited(pilot, script)
    if began is None:
        return
    until = calendar.days if left is None else left
    for number in range(20):
        manner = pilot.assesses[min(number, len(pilot.assesses) - 1)]
        falls = began + calendar.assess_every
        if falls >= until:
            return
        due = falls + calendar.assess_within
        after = {"prompt": calendar.assess_within // 2, "late": calendar.assess_within + 12}.get(manner)
        done = None if after is None else falls + after
        if done is not None and (not script.acts(pilot.officer, done) or done >= until):
            done = None
        if done is None and left is not None and due >= left:
            yield Due("assessment", frozenset({"stopped", "missed"} if due == left else {"stopped"}), "authority")
            return
        yield Due("assessment", _end((due, due), done, calendar.days), "authority")
        if done is None:
            return
        began = done


def _incidents(pilot: Pilot, script: Script) -> Iterator[Due]:
    day, days = fault_day(pilot, script), script.calendar.days
    if day is None or pilot.fault not in REPORTED:
        return
    within = 15 if pilot.fault == "serious" else 10
    done = [day + after for after in REPORTS[pilot.firm_reports] if day + after < days]
    first = done[0] if done else None
    yield Due("incident-report", _end((day + within, day + within + 1 + SHIFT), first, days), "firm")
    yield Due("complete-report", frozenset({"met" if len(done) == 2 else "running"}), "firm")
    yield Due("evidence-hold", frozenset({"met" if done else "running"}), "firm")


def _supervision(pilot: Pilot, script: Script) -> Iterator[Due]:
    day, days = pilot.inspected, script.calendar.days
    if admitted(pilot, script) is None:
        return
    if day is not None and day < days and script.acts(pilot.officer, day):
        after = RECTIFIES[pilot.firm_rectifies]
        due = day + INSPECTION_DAYS
        yield Due("rectification", _end((due, due), None if after is None else day + after, days), "firm")
    at = fault_day(pilot, script)
    if pilot.fault == "suspended" and at is not None and script.acts(pilot.officer, at):
        told = at + 3 < days and script.acts(pilot.officer, at + 3)
        yield Due("ai-office", frozenset({"met" if told else "running"}), "authority")


def _exit(pilot: Pilot, script: Script) -> Iterator[Due]:
    day, days = exited(pilot, script), script.calendar.days
    if day is None:
        return
    after = EXIT_REPORT[pilot.exit_report]
    done = None if after is None or not script.acts(pilot.officer, day + after) else day + after
    yield Due("exit-report", _end(_months(day, 2), done, days), "authority")


def complaints(filed: Iterable[tuple[int, int | None]], script: Script) -> Iterator[Due]:
    """Of complaints with the days on which they were filed and answered, those that are missed; others are no
    decision."""
    for day, answered in filed:
        due = day + PROMISE_DAYS
        ends = _end((due, due), None if answered is None else answered + 1, script.calendar.days)
        if not ends & {"running", "met"}:
            yield Due("complaint", ends, "firm")


def halts(pilot: Pilot, script: Script) -> tuple[int, str] | None:
    """The day from which a halt is due and its reason; `None` where none is."""
    day = fault_day(pilot, script)
    if day is None or pilot.fault not in HALTING:
        return None
    if pilot.fault == "suspended":
        return (day, "suspended") if script.acts(pilot.officer, day) else None
    return day, "hard_rule" if pilot.fault in REPORTED else "limit_exceeded"


FOUND: dict[str, tuple[str, int]] = {
    "silence": ("unknown_too_long", 5), "model": ("unregistered_model", 2), "serious": ("hard_rule", 2),
    "late": ("late_share", 75), "contradicted": ("halt_contradicted", 4),
}  # fmt: skip
"""Fault -> the reason of the finding that it must cause, and within how many days."""
