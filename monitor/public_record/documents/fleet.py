"""A fleet over a period, from its ledgers alone: pilots by state, halts, annulments, deadlines by who owed, alarms of
detectors against the rate they declare. Numbers and codes only, with the entries behind them. One pilot at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from detectors.intervals import proportion_interval, rate_interval
from monitor.compile.plan import YEAR_MS
from monitor.model.subjects import SANDBOX
from monitor.public_record.alarms import ALARMS
from monitor.public_record.annual import is_pilot
from monitor.public_record.documents.charter_words import charter_of
from monitor.public_record.documents.declared import declared_rates
from monitor.public_record.documents.pilot import HaltLine, halt_lines
from monitor.public_record.documents.source import Place, Source, read_decisions
from monitor.public_record.figures import digits
from monitor.public_record.ledgers import LedgerFile, Ledgers
from monitor.public_record.pilot import Json, PilotRecord

SCHEMA = "sandbox-fleet-report/1"
DAY_MS = 86_400_000
LISTED = 200  # halts, missed deadlines and annulments that a report lists; it counts the others


class Group(Struct, frozen=True, kw_only=True):
    """How many there are of a kind, with the pilots; `pilots` holds at most `LISTED`."""

    name: str
    count: int
    pilots: tuple[str, ...]


class Missed(Struct, frozen=True, kw_only=True):
    """A legal deadline that was missed."""

    pilot: str
    rule: str
    title: str
    owed_by: str
    at: int
    places: tuple[Place, ...]


class Kept(Struct, frozen=True, kw_only=True):
    """Deadlines of one who owes: met and missed in the period, with the exact 95 % interval of the share met."""

    owed_by: str
    met: int
    missed: int
    done_late: int
    share: float | None
    low: float | None
    high: float | None


class Alarms(Struct, frozen=True, kw_only=True):
    """Alarms of a detector over the pilots whose charter uses it. `rate` in alarms per pilot-year with its exact 95 %
    interval; `declared`: false alarms per pilot-year that these charters declare, `None` where one declares none.
    `verdict`: `above` (the whole interval), `within`, or `none` (no declared rate)."""

    detector: str
    alarms: int
    pilot_years: float
    rate: float | None
    low: float | None
    high: float | None
    declared: float | None
    verdict: str


class FleetReport(Struct, frozen=True, kw_only=True):
    """The fleet from `since` to before `until` (ms); states and levels are those at the end."""

    schema: str
    sandbox: str
    since: int
    until: int
    pilots: int
    pilot_years: float
    states: tuple[Group, ...]
    levels: tuple[Group, ...]
    halts: tuple[HaltLine, ...]
    halts_begun: int
    halts_released: int
    in_force: tuple[HaltLine, ...]
    halts_in_force: int
    halts_by: tuple[Group, ...]
    annulled: tuple[Missed, ...]
    annulments: int
    halt_rate: tuple[float | None, float | None, float | None]
    deadlines: tuple[Kept, ...]
    missed: tuple[Missed, ...]
    alarms: tuple[Alarms, ...]
    ledgers: tuple[LedgerFile, ...]
    remarks: tuple[str, ...]


class _Watch(Struct):
    alarms: int = 0
    years: float = 0.0
    expected: float | None = 0.0  # false alarms, as declared


class Fleet:
    """Folds one pilot after the other."""

    def __init__(self, since: int, until: int) -> None:
        self.since, self.until = since, until
        self.years, self.pilots = 0.0, 0
        self.states: dict[str, list[str]] = {}
        self.levels: dict[str, list[str]] = {}
        self.halts: list[HaltLine] = []
        self.standing: list[HaltLine] = []
        self.released = 0
        self.annulled: list[Missed] = []
        self.clocks: dict[str, dict[str, int]] = {}
        self.missed: list[Missed] = []
        self.watches: dict[str, _Watch] = {}

    def _has(self, at: int) -> bool:
        return self.since <= at < self.until

    def add(self, source: Source) -> None:
        """Take a pilot. `source` holds its decisions before the end of the period."""
        pilot = source.pilot
        if not pilot.of("admitted"):
            return
        years = self._years(pilot)
        if years or pilot.inside(self.until):
            self.pilots += 1
            state, _ = pilot.states(self.until)
            self.states.setdefault(state, []).append(pilot.pilot)
            level = str(int(pilot.records[-1]["level"]))
            self.levels.setdefault(level, []).append(pilot.pilot)
        self.years += years
        for one in halt_lines(source):
            if self._has(one.at):
                self.halts.append(one)
            if one.released is not None and self._has(one.released):
                self.released += 1
            if one.released is None and pilot.inside(self.until):
                self.standing.append(one)
        self._annulments(source)
        self._deadlines(source)
        self._alarms(source, years)

    def _years(self, pilot: PilotRecord) -> float:
        """Years in the period that the pilot was in the sandbox, by its states."""
        edges = [self.since, *(at for at in _changes(pilot) if self._has(at)), self.until]
        return sum(stop - start for start, stop in pairwise(edges) if pilot.inside(start + 1)) / YEAR_MS

    def _annulments(self, source: Source) -> None:
        halts = {str(one.begun["id"]): one for one in source.pilot.halts()}
        for identity, one in source.annulments.items():
            if identity in halts and self._has(one["at"]):
                begun = halts[identity].begun
                places = (source.place(begun), source.place(one))
                self.annulled.append(
                    Missed(pilot=source.pilot.pilot, rule=str(begun["reason"]), title="", owed_by="",
                           at=one["at"], places=places)
                )  # fmt: skip

    def _deadlines(self, source: Source) -> None:
        for one in source.pilot.records:
            clock: Json | None = one["finding"].get("clock")
            if not clock or not self._has(one["at"]):
                continue
            owed, change = str(clock["owed_by"]), str(clock["change"])
            counts = self.clocks.setdefault(owed, {})
            counts[change] = counts.get(change, 0) + 1
            if change == "missed":
                self.missed.append(
                    Missed(pilot=source.pilot.pilot, rule=str(clock["rule"]), title=str(clock["title"]), owed_by=owed,
                           at=one["at"], places=(source.place(one),))
                )  # fmt: skip

    def _alarms(self, source: Source, years: float) -> None:
        charter = charter_of(source.pilot.charter_at(self.until - 1))
        declared = {} if charter is None else declared_rates(charter)
        for name, rate in declared.items():
            watch = self.watches.setdefault(name, _Watch())
            watch.years += years
            watch.expected = None if rate is None or watch.expected is None else watch.expected + rate * years
        for one in source.pilot.records:
            name = str(one["finding"]["rule"])
            if one["reason"] in ALARMS and name in declared and self._has(one["at"]):
                self.watches[name].alarms += 1


def _changes(pilot: PilotRecord) -> list[int]:
    """When the state of a pilot may have changed: few of its decisions."""
    found, before = list[int](), None
    for one in pilot.records:
        said = one.get("states") or (one["reason"] if one["reason"] in _MOVES else before or "")
        if said != before:
            found.append(int(one["at"]))
        before = said
    return found


_MOVES = ("exited", "exit_pending", "admitted", "graduated", "closed")


def fleet_report(
    directories: Iterable[Path], days: int = 30, until: int | None = None,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> FleetReport:  # fmt: skip
    """The report of the `days` before `until` (ms), by default up to the end of the day (UTC) of the last decision: no
    clock is read. `progress` is called with the pilots read and their number. Raises Damage when there is no ledger."""
    ledgers = Ledgers(directories)
    subjects = ledgers.subjects
    pilots = [one for one in subjects if is_pilot(one)]
    end = until if until is not None else (_last(ledgers.directories) // DAY_MS + 1) * DAY_MS
    fleet = Fleet(end - days * DAY_MS, end)
    for done, subject in enumerate(pilots):
        progress(done, len(pilots))
        fleet.add(read_decisions(ledgers, subject, end))
    sandbox = SANDBOX if SANDBOX in subjects else ""
    remarks = dict.fromkeys(f"{one.file}: {one.problem}" for one in ledgers.remarks)
    return _made(fleet, sandbox, ledgers.read_files(), tuple(remarks))


def _last(directories: Iterable[Path]) -> int:
    """The time of the last decision about a pilot (ms)."""
    ledgers = Ledgers(directories)
    times = (entry.at for one in ledgers.subjects if is_pilot(one) for _, _, entry in ledgers.entries(one))
    return max(times, default=0)


def _made(fleet: Fleet, sandbox: str, files: tuple[LedgerFile, ...], remarks: tuple[str, ...]) -> FleetReport:
    low, high = rate_interval(float(len(fleet.halts)))
    years = fleet.years
    by = [("person", [one.pilot for one in fleet.halts if one.by_person]),
          ("monitor", [one.pilot for one in fleet.halts if not one.by_person])]  # fmt: skip
    order = sorted(fleet.halts, key=lambda one: (one.at, one.pilot))
    standing = sorted(fleet.standing, key=lambda one: (one.at, one.pilot))
    return FleetReport(
        schema=SCHEMA,
        sandbox=sandbox,
        since=fleet.since,
        until=fleet.until,
        pilots=fleet.pilots,
        pilot_years=digits(years),
        states=_groups(fleet.states),
        levels=_groups(fleet.levels),
        halts=tuple(order[-LISTED:]),
        halts_begun=len(order),
        halts_released=fleet.released,
        in_force=tuple(standing[:LISTED]),
        halts_in_force=len(standing),
        halts_by=tuple(Group(name=name, count=len(found), pilots=tuple(found[:LISTED])) for name, found in by),
        annulled=tuple(fleet.annulled[:LISTED]),
        annulments=len(fleet.annulled),
        halt_rate=_per(float(len(order)), low, high, years),
        deadlines=tuple(_kept(owed, counts) for owed, counts in sorted(fleet.clocks.items())),
        missed=tuple(sorted(fleet.missed, key=lambda one: (one.at, one.pilot))[-LISTED:]),
        alarms=tuple(_alarm(name, watch) for name, watch in sorted(fleet.watches.items())),
        ledgers=files,
        remarks=remarks,
    )


def _groups(found: dict[str, list[str]]) -> tuple[Group, ...]:
    return tuple(
        Group(name=name, count=len(pilots), pilots=tuple(sorted(pilots)[:LISTED]))
        for name, pilots in sorted(found.items())
    )


def _per(count: float, low: float, high: float, years: float) -> tuple[float | None, float | None, float | None]:
    """A number of events and the limits of their mean, per year; nothing without time."""
    if years <= 0:
        return None, None, None
    return digits(count / years), digits(low / years), digits(high / years)


def _kept(owed: str, counts: dict[str, int]) -> Kept:
    met, missed = counts.get("met", 0), counts.get("missed", 0)
    low, high = proportion_interval(float(met), float(met + missed))
    known = met + missed > 0
    return Kept(
        owed_by=owed,
        met=met,
        missed=missed,
        done_late=counts.get("done_late", 0),
        share=digits(met / (met + missed)) if known else None,
        low=digits(low) if known else None,
        high=digits(high) if known else None,
    )


def _alarm(name: str, watch: _Watch) -> Alarms:
    rate, low, high = _per(float(watch.alarms), *rate_interval(float(watch.alarms)), watch.years)
    declared = None if watch.expected is None or watch.years <= 0 else digits(watch.expected / watch.years)
    verdict = "none" if declared is None or low is None else "above" if low > declared else "within"
    return Alarms(detector=name, alarms=watch.alarms, pilot_years=digits(watch.years), rate=rate, low=low, high=high,
                  declared=declared, verdict=verdict)  # fmt: skip
