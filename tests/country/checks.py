"""Compares ledgers with the script. Each check returns what differs, in words; nothing means that it holds."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.country.expected import FOUND, admitted, complaints, deadlines, fault_day, halts
from tests.country.ledgers import Body, Ledgers
from tests.country.nation import DAY_MS, START
from tests.country.script import Pilot, Script
from tests.country.service import Service
from tests.country.year import Year

HALT, ESCALATE = 3, 2
FOUND_WITHIN = 25  # days from an excess of four times the limit to its halt
ALPHA = 0.02


def ends_of(decisions: list[Body]) -> dict[tuple[str, str], str]:
    """The end of each deadline in the ledger of a pilot, by rule and key."""
    found: dict[tuple[str, str], str] = {}
    for one in decisions:
        clock = one["finding"].get("clock")
        if clock:
            found[clock["rule"], clock["key"]] = _end(clock)
    return found


def _end(clock: Body) -> str:
    state = clock.get("state")
    return "missed, then done" if state == "missed" and clock.get("done") is not None else str(state)


def clocks(year: Year, ledgers: Ledgers) -> tuple[int, list[str]]:
    """How many deadlines there are, and those that did not end as scripted."""
    count, wrong, script = 0, list[str](), year.script
    for pilot in script.pilots:
        ends = ends_of(ledgers.decisions.get(pilot.id, []))
        count += len(ends)
        by_rule: dict[str, Counter[str]] = defaultdict(Counter)
        for (rule, _), end in ends.items():
            by_rule[rule][end] += 1
        wrong += _drills(pilot, by_rule.pop("drill", Counter()))
        expected = [*deadlines(pilot, script), *complaints(year.services[pilot.id].complaints.values(), script)]
        for rule in {*by_rule, *(due.rule for due in expected)}:
            right = [due.ends for due in expected if due.rule == rule]
            if not _matches(by_rule[rule], right):
                wrong.append(f"{pilot.id}: {rule} {dict(by_rule[rule])}, by script {[sorted(one) for one in right]}")
    return count, wrong


def _matches(found: Counter[str], right: list[frozenset[str]]) -> bool:
    """Whether each end found can be given to one of the deadlines that may end so."""
    left = sorted(right, key=len)
    rest = +found
    for ends in left:
        choice = next((end for end in sorted(ends) if rest[end]), None)
        if choice is None:
            return False
        rest[choice] -= 1
    return not +rest


def _drills(pilot: Pilot, found: Counter[str]) -> Iterator[str]:
    """A drill that was ignored counts as done, late, once the next one is passed."""
    count = sum(found.values())
    skipped = 0 if pilot.skips_drill is None or count < pilot.skips_drill else 1
    end = "missed, then done" if pilot.skips_drill is not None and count > pilot.skips_drill else "missed"
    if found != +Counter({"met": count - skipped, end: skipped}):
        yield f"{pilot.id}: drills {dict(found)}, of which {skipped} ignored"


def halting(script: Script, ledgers: Ledgers) -> tuple[int, int, list[str]]:
    """How many halts were due, how many pilots were halted without need, and what is wrong: a fault that was not
    found in time, or more halts without need than declared."""
    due, without, calm, wrong = 0, 0, 0, []
    for pilot in script.pilots:
        if admitted(pilot, script) is None:
            continue
        decisions = ledgers.decisions.get(pilot.id, [])
        right = halts(pilot, script)
        began = [(day(one), one["reason"]) for one in decisions if one["level"] == HALT and one["was"] != HALT]
        early = [found for found in began if right is None or found[0] < right[0]]
        calm += 1
        without += bool(early)
        if right is not None and right[0] + FOUND_WITHIN < script.calendar.days:
            due += 1
            if not any(reason == right[1] and at <= right[0] + FOUND_WITHIN for at, reason in began):
                wrong.append(f"{pilot.id}: {pilot.fault} from day {right[0]}, halted {began}")
        wrong += _found(pilot, script, decisions)
    most = calm * ALPHA + 3 * math.sqrt(calm * ALPHA)
    if without > most:
        wrong.append(f"{without} of {calm} pilots were halted within their limits; declared {calm * ALPHA:.1f}")
    return due, without, wrong


def _found(pilot: Pilot, script: Script, decisions: list[Body]) -> Iterator[str]:
    at = fault_day(pilot, script)
    if at is None or pilot.fault not in FOUND:
        return
    reason, within = FOUND[pilot.fault]
    if at + within >= script.calendar.days:
        return
    if not any(one["reason"] == reason and at <= day(one) <= at + within for one in decisions):
        yield f"{pilot.id}: {pilot.fault} from day {at} gave no {reason} within {within} days"


def day(decision: Body) -> int:
    """The day of a decision."""
    return int(decision["at"] - START) // DAY_MS


def accounted(year: Year, stepped: int, ledgers: Ledgers) -> list[str]:
    """What was sent and has no outcome: events that were neither stepped nor rejected, acts that were neither accepted
    nor refused as scripted, decisions that are not in the ledger, exposure that no period has. `stepped` is the
    worker's own count of events."""
    totals, wrong = year.totals, []
    control = [one for one in year.refusals if one.topic.endswith("control")]
    rejected = sum(sum(one.reasons.values()) for one in year.refusals) - len(control)
    if totals.events != stepped:  # those that are rejected as not applicable are among them
        wrong.append(f"{totals.events} events sent, {stepped} stepped")
    if rejected != year.forged:
        wrong.append(f"{rejected} events rejected, {year.forged} forged by the script")
    lost = [name for name, one in year.sent.items() if (name in year.accepted) is one.refused]
    if lost or totals.acts != len(year.accepted & year.sent.keys()) + len(control):
        wrong.append(f"acts without the outcome of the script: {lost[:5]}; {len(control)} refused")
    entered = sum(len(ledgers.decisions.get(pilot, [])) for pilot in year.pilots)
    if entered != totals.decisions:
        wrong.append(f"{totals.decisions} decisions, {entered} in the ledgers")
    for service in year.services.values():
        wrong += _counted(service, ledgers)
    return wrong


def _counted(service: Service, ledgers: Ledgers) -> Iterator[str]:
    """Exposure and incidents of all days of a pilot, against the evidence in its ledger."""
    pilot, exposure, incidents = service.pilot.id, 0.0, 0.0
    for one in ledgers.evidence.get(pilot, []):
        for row in one["observations"]:
            if row["indicator"] == "incidents" and not row.get("late") and not row.get("dropped"):
                exposure += 0 if row.get("unknown") else row["m"]  # of an unknown day it is the charter's cap
                incidents += row["k"]
    sent = sum(service.exposure.values())
    if abs(sent - exposure) > 0.5:
        yield f"{pilot}: exposure {sent:.0f} sent, {exposure:.0f} in evidence"
    if service.pilot.fault != "late" and sum(service.incidents.values()) != incidents:
        yield f"{pilot}: {sum(service.incidents.values())} incidents sent, {incidents:.0f} in evidence"


def unchanged(pilots: list[str], first: Ledgers, second: Ledgers) -> list[str]:
    """Which of these pilots have other decisions in the second ledgers. Times count to the day, as the moment within
    one, and with it ids and the order, depends on the speed of the machine."""
    pairs = ((pilot, first.decisions.get(pilot, []), second.decisions.get(pilot, [])) for pilot in pilots)
    return [f"{pilot}: {text}" for pilot, before, after in pairs if (text := _difference(before, after))]


def _content(one: Body) -> tuple[object, ...]:
    finding, clock = one["finding"], one["finding"].get("clock") or {}
    about = finding["indicator"], finding["rule"], clock.get("rule"), clock.get("change"), clock.get("state")
    said = tuple(one.get(name) for name in ("kind", "level", "was", "reason", "signed"))
    return day(one), said, about, tuple(one.get("addressed", ()))


def _difference(first: list[Body], second: list[Body]) -> str:
    before, after = Counter(map(_content, first)), Counter(map(_content, second))
    return "" if before == after else f"{list(before - after)[:2]} became {list(after - before)[:2]}"


def missed_by_authority(script: Script, ledgers: Ledgers) -> int:
    """How many deadlines the authority that is silent in this script missed."""
    return sum(
        clock["owed_by"] == "authority" and clock["change"] == "missed"
        for pilot in script.pilots
        if pilot.authority == script.silent
        for one in ledgers.decisions.get(pilot.id, [])
        if (clock := one["finding"].get("clock"))
    )
