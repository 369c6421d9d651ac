"""The values behind the series of pilots: a bounded table, read at scrape time, so that a pilot that leaves takes all
of its series along. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from msgspec import UNSET, structs

from monitor.charter.spec import Charter
from monitor.model.records import Command, Decision, Evidence, Level, Reason
from monitor.model.subjects import firm_of, is_pilot
from monitor.projections.alerts import Facts, PilotAlerts, facts_of
from monitor.projections.alerts import after_decision as alerts_after
from monitor.projections.alpha_series import AlphaSeries
from monitor.projections.clock_board import ClockFold
from monitor.projections.clock_series import ClockSeries
from monitor.projections.declared_alarms import DeclaredAlarms
from monitor.projections.life_series import LifeSeries
from monitor.projections.open_commands import LEFT, OPEN, OpenCommand, after_attempt, after_decision

SLOTS_PER_PILOT = 64  # (indicator, segment) pairs of one pilot that get series; those of a larger charter are dropped
DETECTORS_PER_SLOT = 8
AUTHORITIES = 8  # responsible authorities of one pilot that get series
HALT_STATES = (*OPEN, "verified", "unknown")
COMPACT = 20  # pilots beyond the cap that still count in the totals, as a multiple of the cap

Sample = tuple[str, list[str], float]
"""Metric name without prefix, label values in the order of the catalogue, value."""


class Restored(NamedTuple):
    """What else a process takes over of a pilot: the words of its states (`lifecycle.life.state_words`), the run of its
    alpha and the limits that reached their threshold in it."""

    states: str
    run: int = 1
    crossed: tuple[tuple[str, str], ...] = ()


class _Slot:
    """The last closed period and the last scores of one indicator and segment."""

    __slots__ = ("end", "k", "m", "scores")

    def __init__(self) -> None:
        self.end: int | None = None
        self.k = 0.0
        self.m = 0.0
        self.scores: dict[str, tuple[float, float]] = {}


class _Pilot:
    """The state of one pilot; `slots` stays empty beyond the cap."""

    __slots__ = (
        "alerts",
        "alpha",
        "command",
        "forged",
        "labelled",
        "level",
        "participant",
        "reason",
        "since",
        "slots",
        "standing",
        "unknown",
    )

    def __init__(self, participant: str, labelled: bool) -> None:
        self.participant = participant
        self.labelled = labelled
        self.standing = 0
        self.level = Level.NORMAL
        self.reason: Reason | None = None
        self.since: int | None = None
        self.unknown = False
        self.command: OpenCommand | None = None
        self.alpha: float | None = None
        self.alerts = PilotAlerts()
        self.forged = 0
        self.slots: dict[tuple[str, str], _Slot] = {}


class PilotSeries:
    """Pilots by id. At most `cap` of them are label values; further ones count in the totals. `dropped` is called with
    the cause of each value that gets no series: `pilot_cap`, `slot_cap` or `not_finite`."""

    def __init__(self, cap: int, dropped: Callable[[str], None]) -> None:
        self.cap = cap
        self._dropped = dropped
        self._pilots: dict[str, _Pilot] = {}
        self._labelled = 0
        self._facts: dict[str, Facts] = {}
        self._others: dict[str, int] = {}  # the newest standing of the sandbox and of models
        self._clocks = ClockSeries(cap)
        self._life = LifeSeries(cap, cap * (1 + COMPACT))
        self._alpha = AlphaSeries()
        self._declared = DeclaredAlarms(cap)
        self._firms: dict[str, str] = {}  # classes in force
        self._left: dict[str, str] = {}  # participants of pilots that left, by pilot: the newest

    # -- inputs

    def add_decision(self, decision: Decision) -> bool:
        """Apply a decision. Returns whether it is new; an older standing changes nothing. Decisions on the sandbox and
        on models are about no pilot."""
        if not is_pilot(decision.pilot):
            before = self._others.get(decision.pilot, 0)
            self._others[decision.pilot] = max(before, decision.standing)
            if decision.standing > before:
                self._add_class(decision)
            return decision.standing > before
        self._clocks.add_decision(decision)
        known = self._pilot(decision.pilot, decision.participant)
        if known is None:
            return True
        if known.standing >= decision.standing:
            return False
        self._life.add_decision(decision)
        if decision.reason in LEFT or (decision.pilot in self._left and decision.reason is not Reason.GRADUATED):
            self.left(decision.pilot, decision.participant)
            return True
        self._left.pop(decision.pilot, None)
        if known.labelled:
            known.alerts = alerts_after(known.alerts, decision)
            self._alpha.add_decision(decision)
        known.participant, known.standing = decision.participant, decision.standing
        if decision.level is not known.level or known.since is None:
            known.since, known.reason = decision.at, decision.reason
        known.level, known.unknown = decision.level, bool(decision.unknown)
        known.command = after_decision(known.command, decision)
        finding = decision.finding
        if finding.alpha_spent is not None and self._finite(finding.alpha_spent):
            known.alpha = finding.alpha_spent
        if finding.statistic is not None and finding.bar is not None and finding.rule:
            self._score(known, finding.indicator, finding.segment, {finding.rule: (finding.statistic, finding.bar)})
        return True

    def _add_class(self, decision: Decision) -> None:
        firm, content = firm_of(decision.pilot), decision.finding.content
        if firm is not None and decision.reason is Reason.FIRM_CLASSIFIED and content is not UNSET:
            self.put_firms({**self._firms, firm: str(content.get("class", ""))})

    def put_firms(self, classes: Mapping[str, str]) -> None:
        """Set the class in force of every firm; at most `cap` firms have a series."""
        known = ((firm, word) for firm, word in classes.items() if word)
        self._firms = dict(islice(known, self.cap))

    def add_attempt(self, command: Command) -> None:
        """Count a transmission of a command."""
        known = self._pilots.get(command.pilot)
        if known is not None:
            known.command = after_attempt(known.command, command)

    def add_evidence(self, evidence: Evidence) -> None:
        """Apply a closed period, or a late revision of one."""
        known = self._pilot(evidence.pilot, evidence.participant)
        if known is None:
            return
        slot = self._score(known, evidence.indicator, evidence.segment, evidence.scores)
        if slot is not None and self._finite(evidence.k, evidence.m) and (slot.end is None or evidence.end >= slot.end):
            slot.end, slot.k, slot.m = evidence.end, evidence.k, evidence.m

    def add_forged(self, pilot: str, records: int = 1) -> None:
        """Count records of a pilot whose signature is missing or wrong."""
        known = self._pilots.get(pilot)
        if known is not None:
            known.forged += records

    def seed(
        self,
        pilot: str,
        participant: str,
        level: Level,
        *,
        unknown: bool,
        command: OpenCommand | None,
        standing: int,
        since_ms: int | None,
        reason: Reason | None,
        alerts: PilotAlerts | None,
        clocks: ClockFold | None = None,
        restored: Restored | None = None,
    ) -> None:
        """Set the state of a pilot without a decision."""
        if restored is not None:
            self._life.put(pilot, participant, restored.states)
        if clocks is not None:
            self._clocks.seed(pilot, participant, standing, clocks)
        known = self._pilot(pilot, participant)
        if known is None:
            return
        known.participant, known.level, known.unknown = participant, level, unknown
        known.command, known.standing, known.since, known.reason = command, standing, since_ms, reason
        known.alerts = alerts or PilotAlerts(standing, level)
        if restored is not None and known.labelled:
            self._alpha.seed(pilot, restored.run, restored.crossed)

    def seed_applicant(self, pilot: str, participant: str, standing: int, states: str, clocks: ClockFold) -> None:
        """Set the state of life of a pilot that is not admitted, and its deadlines."""
        self._life.put(pilot, participant, states)
        self._clocks.seed(pilot, participant, standing, clocks)

    def learn(self, charter: Charter) -> None:
        """Set the labels that a charter adds."""
        if charter.pilot in self._facts or len(self._facts) < self.cap:
            self._facts[charter.pilot] = facts_of(charter)
            self._alpha.learn(charter)
            self._declared.learn(charter)

    def left(self, pilot: str, participant: str, states: str = "") -> None:
        """Replace all series of a pilot by one that says that it left, but for deadlines that are still owed and the
        state of its life."""
        self._clocks.left(pilot)
        self._forget(pilot)
        self._life.put(pilot, participant, states)
        self._left[pilot] = participant
        while len(self._left) > self.cap:
            del self._left[next(iter(self._left))]

    def forget(self, pilot: str) -> None:
        """Remove all series of a pilot."""
        self._clocks.forget(pilot)
        self._life.forget(pilot)
        self._forget(pilot)

    def seed_left(self, pilot: str, participant: str, standing: int, clocks: ClockFold) -> None:
        """Set the deadlines of a pilot that has left."""
        self._clocks.seed(pilot, participant, standing, clocks)
        self._clocks.left(pilot)

    def _forget(self, pilot: str) -> None:
        self._left.pop(pilot, None)
        self._facts.pop(pilot, None)
        self._alpha.forget(pilot)
        self._declared.forget(pilot)
        known = self._pilots.pop(pilot, None)
        if known is not None and known.labelled:
            self._labelled -= 1

    def _pilot(self, pilot: str, participant: str = "") -> _Pilot | None:
        known = self._pilots.get(pilot)
        if known is None:
            if len(self._pilots) >= self.cap * (1 + COMPACT):
                self._dropped("pilot_cap")
                return None
            known = self._pilots[pilot] = _Pilot(participant, False)
        if not known.labelled:
            known.labelled = self._labelled < self.cap
            self._labelled += known.labelled
        return known

    def _finite(self, *numbers: float | None) -> bool:
        if all(n is None or math.isfinite(n) for n in numbers):
            return True
        self._dropped("not_finite")
        return False

    def _score(
        self, known: _Pilot, indicator: str, segment: str, scores: dict[str, tuple[float, float]]
    ) -> _Slot | None:
        if not known.labelled:
            self._dropped("pilot_cap")
            return None
        slot = known.slots.get((indicator, segment))
        if slot is None:
            if len(known.slots) >= SLOTS_PER_PILOT:
                self._dropped("slot_cap")
                return None
            slot = known.slots[(indicator, segment)] = _Slot()
        for detector, pair in scores.items():
            if not self._finite(*pair):
                continue
            if detector in slot.scores or len(slot.scores) < DETECTORS_PER_SLOT:
                slot.scores[detector] = pair
            else:
                self._dropped("slot_cap")
        return slot

    # -- outputs

    def samples(self) -> Iterator[Sample]:
        """The totals over all pilots, then the series of each labelled pilot."""
        pilots = self._pilots
        levels = Counter(known.level for known in pilots.values())
        for level in Level:
            yield "pilots", [level.word], levels[level]
        states = Counter(k.command.state for k in pilots.values() if k.command is not None and k.command.open)
        for state in OPEN:
            yield "commands_open", [state], states[state]
        standing = Counter(_halt_state(known) for known in pilots.values() if known.level is Level.HALT)
        for state in HALT_STATES:
            yield "halts_standing", [state], standing[state]
        yield "pilots_unknown", [], sum(known.unknown for known in pilots.values())
        yield "pilots_beyond_cap", [], len(pilots) - self._labelled
        for pilot, participant in self._left.items():
            yield "pilot_left", [pilot, participant], 1
        yield from self._clocks.samples()
        yield from self._life.samples()
        yield from self._declared.samples()
        for firm, word in self._firms.items():
            yield "firm_class", [firm, word], 1
        for pilot, known in pilots.items():
            if known.labelled:
                yield from _samples_of(pilot, known)
                yield from self._alpha.samples(pilot, known.participant)
                facts = self._facts.get(pilot)
                yield from _scope_of(pilot, known, facts or Facts())
                if facts:
                    labels = structs.replace(facts, authority=",".join(known.alerts.responsible))
                    yield "pilot_info", [pilot, known.participant, *structs.astuple(labels)], 1


def _scope_of(pilot: str, known: _Pilot, facts: Facts) -> Iterator[Sample]:
    """One series for each responsible authority, so that a dashboard can select by it."""
    for authority in dict.fromkeys(known.alerts.responsible[:AUTHORITIES] or ("",)):
        yield "pilot_scope", [pilot, known.participant, authority, facts.tier, facts.sector, facts.region], 1


def _halt_state(known: _Pilot) -> str:
    """What became of the command to halt; `unknown` where it is not in the state that a process took over."""
    command = known.command
    return command.state if command is not None and command.action == "halt" else "unknown"


def _samples_of(pilot: str, known: _Pilot) -> Iterator[Sample]:
    who, command = [pilot, known.participant], known.command
    yield "pilot_level", who, known.level
    yield "pilot_unknown", who, known.unknown
    yield "pilot_forged_total", who, known.forged
    yield "pilot_unacknowledged", who, command is not None and command.unacknowledged_halt
    if command is not None and command.open:
        yield "command_open_timestamp_seconds", [*who, command.action, command.state], command.at / 1000
    if known.since is not None and known.level is Level.HALT:
        yield "halt_timestamp_seconds", [*who, _halt_state(known)], known.since / 1000
    if known.since is not None:
        yield "pilot_level_timestamp_seconds", who, known.since / 1000
    findings = Counter((a.name, a.severity) for a in known.alerts.alerts() if a is not known.alerts.of_level)
    for (name, severity), number in findings.items():
        yield "grave_findings", [*who, name, severity], number
    if known.reason is not None:
        yield "pilot_reason", [*who, known.reason.value], 1
    if known.alpha is not None:
        yield "alpha_spent_ratio", who, known.alpha
    for (indicator, segment), slot in known.slots.items():
        at = [pilot, indicator, segment]
        if slot.end is not None:
            yield "observed", at, slot.k
            yield "exposure", at, slot.m
            yield "period_end_timestamp_seconds", at, slot.end / 1000
        for detector, (statistic, bar) in slot.scores.items():
            yield "statistic", [*at, detector], statistic
            yield "bar", [*at, detector], bar
