"""One pilot of a firm, folded: what its decisions and its evidence add to the record of the firm. Pure.

A decision counts once: those of a pilot are numbered, and only a higher number than the last one is read. The fold
reads nothing that a ledger entry only commits to, so the same numbers follow from ledgers.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import UNSET, Struct

from monitor.firms.record import Adverse
from monitor.model.clock_record import Change, Owes
from monitor.model.records import Decision, Evidence, Level, Reason, digest

MARKS = 32  # adverse decisions of a pilot that may be annulled
DUTIES = 16  # open findings of inspections
SHORT = 16  # characters of an id or digest that are kept

NOT_IN_OPERATION = ("registered", "halted", "paused", "ended", "unknown")


class Mark(Struct, array_like=True, frozen=True):
    """A decision against the firm: the begin of its id, what it counts as, and for a deadline a digest of which."""

    decision: str
    adverse: Adverse
    about: str = ""


class PilotFold(Struct, array_like=True):
    """What is remembered of one pilot. `states`: "admitted", and those of `NOT_IN_OPERATION` that hold;
    `since` (ms) when it went into operation (`None`: it is not). `more` counts what counts against the firm beyond
    `MARKS`. `stop` is "" without a halt, else "owed", "shown" or "overdue"; `window` the same of a rectification:
    "", "open" or "answered". `read` observations were read, of which `observations` had data in time and `late` were
    revisions of closed periods, or came too late for one. New fields are appended, with defaults."""

    standing: int = 0
    through: int = 0
    first: int | None = None
    states: list[str] = []
    since: int | None = None
    operated: int = 0
    stop: str = ""
    window: str = ""
    duties: list[str] = []
    marks: list[Mark] = []
    more: dict[str, int] = {}
    counts: dict[str, int] = {}
    read: int = 0
    observations: int = 0
    late: int = 0

    def add(self, decision: Decision) -> bool:
        """Read one decision; returns whether it is new."""
        if decision.standing <= self.standing:
            return False
        self.standing = decision.standing
        self.through = max(self.through, decision.at)
        if decision.finding.clock is not UNSET:
            _clock(self, decision)
        if decision.kind == "level":
            _level(self, decision)
        step = _STEPS.get(decision.reason)
        if step is not None:
            step(self, decision)
        _unknown(self, decision)
        return True

    def observe(self, evidence: Evidence) -> None:
        """Read one observation. The caller passes each once. A period without data is none."""
        late = evidence.late or evidence.dropped is not UNSET
        self.read += 1
        self.observations += not (late or evidence.unknown)
        self.late += late
        self.through = max(self.through, evidence.end)

    @property
    def admitted(self) -> bool:
        """Whether it was admitted."""
        return "admitted" in self.states

    @property
    def ended(self) -> bool:
        """Whether it left the sandbox."""
        return "ended" in self.states

    @property
    def operated_through(self) -> int:
        """Time in operation (ms) up to the last decision or period."""
        return self.operated + (0 if self.since is None else max(0, self.through - self.since))

    def total(self, adverse: Adverse, annulled: frozenset[str]) -> int:
        """How many decisions count so, without those that were annulled."""
        marks = sum(1 for mark in self.marks if mark.adverse == adverse and mark.decision not in annulled)
        return marks + self.more.get(adverse, 0)

    def count(self, name: str, more: int = 1) -> None:
        """Add to a number of the record."""
        self.counts[name] = self.counts.get(name, 0) + more

    def mark(self, decision: Decision, adverse: Adverse, about: str = "") -> None:
        """Count a decision against the firm."""
        if len(self.marks) < MARKS:
            self.marks.append(Mark(decision.id[:SHORT], adverse, about))
        else:
            self.more[adverse] = self.more.get(adverse, 0) + 1

    def state(self, at: int, *, enters: str = "", leaves: str = "") -> None:
        """The pilot enters or leaves a state at `at` (ms); time in operation follows."""
        kept = [one for one in self.states if one not in (enters, leaves)]
        self.states = sorted([*kept, enters] if enters else kept)
        operates = "admitted" in self.states and not set(self.states).intersection(NOT_IN_OPERATION)
        if operates and self.since is None:
            self.since = at
        elif not operates and self.since is not None:
            self.operated, self.since = self.operated + max(0, at - self.since), None


def _level(fold: PilotFold, decision: Decision) -> None:
    if decision.level == Level.HALT > decision.was:
        if decision.reason is not Reason.STATE_LOST:  # a fault of the monitor
            fold.mark(decision, Adverse.HALT)
            fold.stop = "owed"
        fold.state(decision.at, enters="halted")


def _unknown(fold: PilotFold, decision: Decision) -> None:
    """While telemetry is missing nothing could be found: else pilots that report nothing would make the rates of a firm
    as low as it likes. Where the monitor itself was unavailable, the firm is not charged."""
    unknown = decision.unknown not in ("", Reason.MONITOR_GAP)
    if unknown != ("unknown" in fold.states):
        fold.state(decision.at, **{"enters" if unknown else "leaves": "unknown"})


def _clock(fold: PilotFold, decision: Decision) -> None:
    clock = decision.finding.clock
    if clock is UNSET or clock.owed_by is not Owes.FIRM:
        return
    about = digest(clock.rule, clock.starts, clock.key)[:SHORT]
    if clock.change is Change.MET:
        fold.count("clocks_met")
    elif clock.change is Change.MISSED:
        fold.mark(decision, Adverse.CLOCK_MISSED, about)
    elif clock.change is Change.RESTARTED:  # the due instant was moved: it was not missed
        fold.marks = [one for one in fold.marks if one.adverse is not Adverse.CLOCK_MISSED or one.about != about]


def _admitted(fold: PilotFold, decision: Decision) -> None:
    if fold.first is None:
        fold.first = decision.at
    words = () if decision.states is UNSET else decision.states.split()
    if "registered" in words:  # its first day is to come
        fold.state(decision.at, enters="registered")
    fold.state(decision.at, enters="admitted")


def _released(fold: PilotFold, decision: Decision) -> None:
    fold.count("halts_released")
    fold.stop = ""
    fold.state(decision.at, leaves="halted")


def _verified(fold: PilotFold, decision: Decision) -> None:
    if fold.stop == "owed":
        fold.count("halts_stopped")
        fold.stop = "shown"


def _overdue(fold: PilotFold, decision: Decision) -> None:
    if fold.stop == "owed":
        fold.stop = "overdue"
        fold.mark(decision, Adverse.STOP_OVERDUE)


def _tolerated(fold: PilotFold, decision: Decision) -> None:
    fold.window = fold.window or "open"


def _rectified(fold: PilotFold, decision: Decision) -> None:
    if fold.window == "open":
        fold.window = "answered"
        fold.count("rectifications_in_time")
    content = decision.finding.content
    named = () if content is UNSET else content.get("rectified", ())
    for key in named if isinstance(named, tuple) else ():
        if (short := digest(key)[:SHORT]) in fold.duties:
            fold.duties.remove(short)
            fold.count("rectifications_in_time")


def _window_missed(fold: PilotFold, decision: Decision) -> None:
    if fold.window == "answered":  # the rectification was of another finding
        fold.count("rectifications_in_time", -1)
    fold.window = ""
    fold.mark(decision, Adverse.RECTIFIED_LATE)


def _duty(fold: PilotFold, decision: Decision) -> None:
    if len(fold.duties) < DUTIES:
        fold.duties.append(digest(decision.finding.rule)[:SHORT])


def _duty_missed(fold: PilotFold, decision: Decision) -> None:
    _duty_closed(fold, decision)
    fold.mark(decision, Adverse.RECTIFIED_LATE)


def _duty_closed(fold: PilotFold, decision: Decision) -> None:
    short = digest(decision.finding.rule)[:SHORT]
    fold.duties = [one for one in fold.duties if one != short]


def _graduated(fold: PilotFold, decision: Decision) -> None:
    fold.stop = ""
    fold.state(decision.at, leaves="halted")
    fold.state(decision.at, leaves="ended")


def _complained(fold: PilotFold, decision: Decision) -> None:
    content = decision.finding.content
    named = () if content is UNSET else content.get("complaints", ())
    fold.count("complaints", len(named) if isinstance(named, tuple) else 0)


def _counts(name: str) -> Callable[[PilotFold, Decision], None]:
    return lambda fold, decision: fold.count(name)


def _marks(adverse: Adverse) -> Callable[[PilotFold, Decision], None]:
    return lambda fold, decision: fold.mark(decision, adverse)


def _enters(state: str) -> Callable[[PilotFold, Decision], None]:
    return lambda fold, decision: fold.state(decision.at, enters=state)


def _leaves(state: str) -> Callable[[PilotFold, Decision], None]:
    return lambda fold, decision: fold.state(decision.at, leaves=state)


_STEPS: dict[Reason, Callable[[PilotFold, Decision], None]] = {
    Reason.APPLICATION_SUBMITTED: _counts("applications"),
    Reason.APPLICATION_REFUSED: _marks(Adverse.REFUSED),
    Reason.CHANGE_REFUSED: _marks(Adverse.REFUSED),
    Reason.REQUEST_DECLINED: _marks(Adverse.REFUSED),
    Reason.ADMITTED: _admitted,
    Reason.CYCLE_STARTED: _leaves("registered"),
    Reason.PAUSE_GRANTED: _enters("paused"),
    Reason.RESUMED: _leaves("paused"),
    Reason.EXITED: _enters("ended"),
    Reason.GRADUATED: _graduated,
    Reason.CLOSED: _enters("ended"),
    Reason.RELEASED: _released,
    Reason.HALT_VERIFIED: _verified,
    Reason.HALT_OVERDUE: _overdue,
    Reason.HALT_CONTRADICTED: _marks(Adverse.CONTRADICTION),
    Reason.SOURCE_CONFLICT: _marks(Adverse.CONFLICT),
    Reason.LIMIT_TOLERATED: _tolerated,
    Reason.RECTIFICATION_RECORDED: _rectified,
    Reason.RECTIFICATION_OVERDUE: _window_missed,
    Reason.INSPECTION_FINDING: _duty,
    Reason.FINDING_OVERDUE: _duty_missed,
    Reason.CLEARED: _duty_closed,
    Reason.COMPLAINT_FILED: _complained,
    Reason.GUIDANCE_ASKED: _counts("guidance_asked"),
    Reason.GUIDANCE_GIVEN: _counts("guidance_given"),
    Reason.GUIDANCE_FOLLOWED: _counts("guidance_followed"),
}
"""What a decision with this reason adds."""

snapshot = msgspec.msgpack.encode
