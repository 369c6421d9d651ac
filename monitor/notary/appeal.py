"""The verdict of an appeal: what a replay of a pilot's history and its ledger agree on, and each difference by name.

A replay that differs from the record is the error `ReplayDiffers`. Nothing is said to differ where it cannot be judged:
a history whose beginning is missing, a file that was changed after its export, a ledger of another pilot, or numbers
that another version of the program computed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from msgspec import Struct

from monitor.model.records import Command, Decision
from monitor.notary.compare import Difference, Fields, Recorded, canonical_fields, differences, follows
from monitor.notary.observed import Observed
from monitor.projections.formats import stamp


class Verdict(StrEnum):
    """What is found of one decision or command."""

    SAME = "same"
    DIFFERENT = "different"
    MISSING = "missing"  # the replay decides it, the ledger has no such entry
    EXTRA = "extra"  # the ledger has it, the replay does not decide it
    AFTER_HISTORY = "after_history"  # entered after the end of the history: not compared
    AFTER_LEDGER = "after_ledger"  # replayed, after the last entry of the ledger: not compared


DIFFERING = (Verdict.DIFFERENT, Verdict.MISSING, Verdict.EXTRA)


class Outcome(StrEnum):
    """The verdict on the whole."""

    SAME = "same"
    DIFFERS = "differs"
    NO_VERDICT = "no_verdict"


class Cause(StrEnum):
    """What explains a difference, or why there is no verdict; in the order in which they are named."""

    LEDGER_DAMAGED = "ledger_damaged"
    HISTORY_INCOMPLETE = "history_incomplete"
    HISTORY_CHANGED = "history_changed"
    EVENTS_ALONE = "events_alone"
    OTHER_PILOT = "other_pilot"
    OTHER_HISTORY = "other_history"
    PROGRAM_VERSION = "program_version"
    CHARTER_VERSION = "charter_version"
    LEDGER_ENDS_EARLIER = "ledger_ends_earlier"
    OBSERVATIONS = "observations"
    ORDER = "order"
    VALUES = "values"
    MISSING = "missing"
    EXTRA = "extra"


SENTENCES: dict[Cause, str] = {
    Cause.LEDGER_DAMAGED: "the ledger does not verify; run `ledger verify`, and ask for a sound copy",
    Cause.HISTORY_INCOMPLETE: "the history does not hold everything that the decisions followed from, so they cannot "
    "be judged; ask for an export that does",
    Cause.HISTORY_CHANGED: "the history was changed after its export, so nothing follows from a difference; export it "
    "again",
    Cause.EVENTS_ALONE: "the replay is of events alone, without acts, order and outages, so nothing follows from a "
    "difference; export the history",
    Cause.OTHER_PILOT: "the ledger holds nothing of the pilots of the history; compare it with theirs",
    Cause.OTHER_HISTORY: "no decision of the two is the same: they are of different runs of a monitor",
    Cause.PROGRAM_VERSION: "history and replay are of different programs, which may compute other numbers; replay with "
    "the program of the export before you conclude anything",
    Cause.CHARTER_VERSION: "the charter in the ledger is not the one in the history",
    Cause.LEDGER_ENDS_EARLIER: "the ledger ends before the history: it is an older copy, or entries were cut off at "
    "its end; compare with its newest copy",
    Cause.OBSERVATIONS: "the counts of a closed period differ, so the telemetry in the history is not the one that was "
    "counted",
    Cause.ORDER: "the same decisions stand in another order",
    Cause.VALUES: "values of the same decision differ",
    Cause.MISSING: "the ledger has no entry for a decision that follows from the history",
    Cause.EXTRA: "the ledger has an entry that does not follow from the history",
}
# Under these a difference proves nothing.
UNJUDGED = (
    Cause.HISTORY_INCOMPLETE,
    Cause.HISTORY_CHANGED,
    Cause.EVENTS_ALONE,
    Cause.OTHER_PILOT,
    Cause.OTHER_HISTORY,
)
# Said only of a ledger and a history of one run.
OF_ONE_RUN = (
    Cause.CHARTER_VERSION,
    Cause.OBSERVATIONS,
    Cause.ORDER,
    Cause.VALUES,
    Cause.MISSING,
    Cause.EXTRA,
)


class Named(Struct, frozen=True):
    """A cause, with what was found in words."""

    cause: Cause
    words: str


class Judged(Struct, frozen=True):
    """One decision or command: `recorded` and `replayed` are its ids, `None` where one side does not have it.
    `differences` has both values of each field that differs, `not_compared` the fields that could not be compared."""

    verdict: Verdict
    pilot: str
    kind: str
    reason: str
    standing: int
    at: int
    recorded: str | None
    replayed: str | None
    differences: tuple[Difference, ...] = ()
    not_compared: tuple[str, ...] = ()


class Appeal:
    """Give it the records of a ledger; call `take` with every replayed decision and command, then read `rest` once, and
    then `outcome` and `named`. What differs stays in memory until `rest`, and so does the ledger until it is met."""

    def __init__(self, recorded: Iterable[Recorded], *, commands: bool = True) -> None:
        """`commands`: whether both sides hold commands; else they are not compared."""
        self._recorded: dict[str, Recorded] = {}
        self._commands = commands
        self._last: dict[str, int] = {}  # pilot to the highest standing in the ledger
        self._met: set[str] = set()
        self._unmatched: list[Fields] = []
        self._replayed: dict[str, int] = {}  # pilot to the highest standing in the replay
        self.counts = dict.fromkeys(Verdict, 0)
        self.first: Judged | None = None  # difference, by the number of the decision
        self.not_compared: dict[str, int] = {}
        self._found: dict[Cause, str] = {}
        self.earliest: int | None = None  # moment of a difference (ms)
        self.observations = 0  # that are not the same
        self.same_observations: int | None = None  # `None`: the ledger has none
        self._common_acts = False  # whether one act stands on both sides
        for one in recorded:
            fields = one.fields
            if "action" in fields and not commands:
                continue
            self._recorded[fields["id"]] = one
            self._last[fields["pilot"]] = max(fields["standing"], self._last.get(fields["pilot"], 0))

    def name(self, cause: Cause, words: str) -> None:
        """Add a cause that the caller found."""
        self._found.setdefault(cause, words)

    def take(self, record: Decision | Command) -> Judged | None:
        """Judge one replayed record. `None`: it is judged in `rest`, was judged before (a resent command), or is a
        command where these are not compared."""
        if record.id in self._met or (isinstance(record, Command) and not self._commands):
            return None
        self._met.add(record.id)
        self._replayed[record.pilot] = max(record.standing, self._replayed.get(record.pilot, 0))
        fields, other = canonical_fields(record), self._recorded.pop(record.id, None)
        if other is None:
            self._unmatched.append(fields)
            return None
        return self._pair(other, fields)

    def observed(self, one: Observed) -> None:
        """Take an observation that is not the same."""
        self.observations += 1
        self._at(one.end)
        at = f"{one.period.indicator}{f', {one.period.segment}' if one.period.segment else ''} of {one.pilot}"
        values = ", ".join(f"{d.field} ledger {d.recorded}, replay {d.replayed}" for d in one.differences)
        words = f"first: {at} in the period that ends {stamp(one.end)}: {values or f'{one.verdict} in the ledger'}"
        self._found.setdefault(Cause.OBSERVATIONS, words)

    def rest(self, pilots: Iterable[str], until: int) -> Iterator[Judged]:
        """What is left: entries that were not replayed, and replayed decisions that were not entered, by number.
        `pilots` are those of the history (empty: all that were replayed), `until` (ms) is where it ends."""
        mine = set(pilots) or set(self._replayed)
        left = [one for one in self._recorded.values() if one.fields["pilot"] in mine]
        self._recorded.clear()
        if not mine & self._last.keys():
            self._found.setdefault(Cause.OTHER_PILOT, f"the history is of {_listed(mine)}")
        for recorded, replayed in _paired(left, self._unmatched):
            if recorded is None and replayed is not None:
                last = self._last.get(replayed["pilot"], 0)
                after = replayed["standing"] > last and replayed["pilot"] in self._last
                yield self._count(_judged(Verdict.AFTER_LEDGER if after else Verdict.MISSING, None, replayed))
            elif replayed is None and recorded is not None:
                verdict = (
                    Verdict.AFTER_HISTORY
                    if follows(recorded.fields, self._replayed.get(recorded.fields["pilot"], 0), until)
                    else Verdict.EXTRA
                )
                yield self._count(_judged(verdict, recorded.fields, None))
            elif recorded is not None and replayed is not None:
                yield self._pair(recorded, replayed)
        self._unmatched.clear()
        self._name()

    @property
    def differing(self) -> int:
        """How many decisions and commands differ, are missing or extra."""
        return sum(self.counts[verdict] for verdict in DIFFERING)

    @property
    def compared(self) -> int:
        """How many decisions and commands could be compared."""
        return self.differing + self.counts[Verdict.SAME]

    @property
    def outcome(self) -> Outcome:
        """The verdict on the whole; call it after `rest`."""
        if Cause.LEDGER_DAMAGED in self._found:
            return Outcome.DIFFERS
        if any(cause in self._found for cause in UNJUDGED) or not self.compared:
            return Outcome.NO_VERDICT
        if self.differing or self.observations:
            return Outcome.NO_VERDICT if Cause.PROGRAM_VERSION in self._found else Outcome.DIFFERS
        return Outcome.NO_VERDICT if Cause.LEDGER_ENDS_EARLIER in self._found else Outcome.SAME

    @property
    def named(self) -> tuple[Named, ...]:
        """Every cause that was found, in the order of `Cause`."""
        return tuple(Named(cause, self._found[cause]) for cause in Cause if cause in self._found)

    def _pair(self, recorded: Recorded, replayed: Fields) -> Judged:
        found, skipped = differences(recorded, replayed)
        for name in skipped:
            self.not_compared[name] = self.not_compared.get(name, 0) + 1
        verdict = Verdict.DIFFERENT if found else Verdict.SAME
        cause = str(replayed.get("cause", ""))
        self._common_acts |= cause.startswith("control:") and cause == recorded.fields.get("cause")
        return self._count(_judged(verdict, recorded.fields, replayed, tuple(found), tuple(skipped)))

    def _count(self, judged: Judged) -> Judged:
        self.counts[judged.verdict] += 1
        if judged.verdict in DIFFERING and (self.first is None or judged.standing < self.first.standing):
            self.first = judged
        if judged.verdict in DIFFERING:
            self._at(judged.at)
        if judged.verdict is Verdict.DIFFERENT:
            self._name_fields(judged)
        elif judged.verdict in (Verdict.MISSING, Verdict.EXTRA):
            cause = Cause(judged.verdict.value)
            self._found.setdefault(cause, f"first: {_of(judged)}")
        elif judged.verdict is Verdict.AFTER_LEDGER:
            words = f"its last entry of {judged.pilot} is {self._last[judged.pilot]}; replayed after it: {_of(judged)}"
            self._found.setdefault(Cause.LEDGER_ENDS_EARLIER, words)
        return judged

    def _at(self, at: int) -> None:
        self.earliest = at if self.earliest is None else min(self.earliest, at)

    def _name_fields(self, judged: Judged) -> None:
        fields = {one.field: one for one in judged.differences}
        if (charter := fields.pop("charter", None)) is not None:
            words = f"from {_of(judged)} on: ledger {charter.recorded}, history {charter.replayed}"
            self._found.setdefault(Cause.CHARTER_VERSION, words)
        elif "standing" in fields:
            one = fields["standing"]
            self._found.setdefault(Cause.ORDER, f"first: {_of(judged)}, number {one.replayed} in the replay")
        elif set(fields) - {"id", "decision"}:
            one = next(fields[name] for name in sorted(fields) if name not in ("id", "decision"))
            self._found.setdefault(Cause.VALUES, f"first: {_of(judged)}: {one.field}")

    def _name(self) -> None:
        """Drop the causes that follow from another one."""
        if self.differing and not self.counts[Verdict.SAME] and not self._common_acts:
            self._found.setdefault(Cause.OTHER_HISTORY, f"{self.differing} differ, none is the same")
        if Cause.OTHER_PILOT in self._found or Cause.OTHER_HISTORY in self._found:
            for cause in OF_ONE_RUN:
                self._found.pop(cause, None)
        if Cause.OTHER_PILOT in self._found:
            self._found.pop(Cause.OTHER_HISTORY, None)
        if self.counts[Verdict.MISSING] != self.counts[Verdict.EXTRA]:
            self._found.pop(Cause.ORDER, None)  # the numbers moved by what is missing or extra


class _Key(NamedTuple):
    pilot: str
    command: bool
    what: Any


def _paired(left: Iterable[Recorded], replayed: Iterable[Fields]) -> Iterator[tuple[Recorded | None, Fields | None]]:
    """Pairs of entries and replayed records with different ids: of the same cause and reason first, then of the same
    number; what has no partner stands alone. In the order of their numbers."""
    pairs: list[tuple[Recorded | None, Fields | None]] = []
    mine, theirs = list(replayed), list(left)
    for key in (_by_cause, _by_number):
        waiting: dict[_Key, list[Recorded]] = defaultdict(list)
        for one in sorted(theirs, key=lambda one: int(one.fields["standing"])):
            waiting[key(one.fields)].append(one)
        still: list[Fields] = []
        for fields in sorted(mine, key=lambda fields: int(fields["standing"])):
            found = waiting.get(key(fields))
            if found:
                pairs.append((found.pop(0), fields))
            else:
                still.append(fields)
        mine, theirs = still, [one for group in waiting.values() for one in group]
    pairs += [(one, None) for one in theirs]
    pairs += [(None, fields) for fields in mine]
    return iter(sorted(pairs, key=_number))


def _by_cause(fields: Fields) -> _Key:
    return _Key(fields["pilot"], "action" in fields, (fields.get("cause"), fields["reason"], _rule(fields)))


def _by_number(fields: Fields) -> _Key:
    return _Key(fields["pilot"], "action" in fields, fields["standing"])


def _rule(fields: Fields) -> Any:
    finding = fields.get("finding") or {}
    return finding.get("indicator"), finding.get("segment"), finding.get("rule")


def _number(pair: tuple[Recorded | None, Fields | None]) -> tuple[str, int]:
    recorded, replayed = pair
    fields = replayed if recorded is None else recorded.fields
    assert fields is not None
    return fields["pilot"], fields["standing"]


def _judged(
    verdict: Verdict,
    recorded: Fields | None,
    replayed: Fields | None,
    found: tuple[Difference, ...] = (),
    skipped: tuple[str, ...] = (),
) -> Judged:
    fields = replayed if recorded is None else recorded
    assert fields is not None
    return Judged(
        verdict,
        fields["pilot"],
        "command" if "action" in fields else fields["kind"],
        fields["reason"],
        fields["standing"],
        fields["at"],
        None if recorded is None else recorded["id"],
        None if replayed is None else replayed["id"],
        found,
        skipped,
    )


def _of(judged: Judged) -> str:
    return f"{judged.kind} {judged.standing} of {judged.pilot} ({judged.reason})"


def _listed(names: Iterable[str]) -> str:
    known = sorted(names)
    return ", ".join(known[:3]) + (f" and {len(known) - 3} more" if len(known) > 3 else "") or "no pilot"
