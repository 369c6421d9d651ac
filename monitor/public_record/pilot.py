"""One pilot as its ledger tells it up to a moment: decisions, charters in force, states, halts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from msgspec import Struct

from monitor.notary.encoding import Entry, EntryType
from monitor.notary.typed import joined

Json: TypeAlias = dict[str, Any]
HALTED = 3  # the level, as entries write it
ABSENT = "not in the ledger"
WITHHELD = "withheld"
_ENDS = {"exited": "exited", "exit_pending": "exiting", "admitted": "running", "graduated": "tracked",
         "closed": "closed"}  # fmt: skip
_KEPT = frozenset({"draft", *_ENDS.values()})  # by a decision that names no states; else the pilot runs
_OUTSIDE = frozenset({
    "draft", "submitted", "screened", "agreed", "refused", "application_withdrawn", "exited", "terminated", "withdrawn",
    "reported", "published", "withheld", "closed", "recalled",
})  # fmt: skip


class InForce(Struct, frozen=True, kw_only=True):
    """A charter that came into force: its public part, the paths that are withheld, what an amendment changed, and the
    decision that did it."""

    record: Json
    document: Json
    withheld: frozenset[str] = frozenset()
    difference: tuple[Json, ...] = ()


class Halt(Struct, kw_only=True):
    """A halt from the decision that began it to its release; all values are entries. `grounds` are further findings
    that would have halted, `acknowledged` and `verified` the first of their kind, `steps` those towards a release."""

    begun: Json
    grounds: list[Json]
    problems: list[Json]
    steps: list[Json]
    acknowledged: Json | None = None
    verified: Json | None = None
    released: Json | None = None

    @property
    def by_person(self) -> bool:
        """Whether an act began it."""
        return str(self.begun["cause"]).startswith("control:")


class PilotRecord:
    """The decisions of a pilot, oldest first, and its charters."""

    def __init__(self, pilot: str, entries: Iterable[Entry], until: int | None = None) -> None:
        """`until`: later decisions are not read (ms)."""
        self.pilot = pilot
        self.records: list[Json] = []
        self.charters: list[InForce] = []
        self.commands: list[Json] = []
        parts: list[Json] = []
        for entry in entries:
            if until is not None and entry.at >= until:
                continue
            if entry.type.numbered:
                self._add(entry.record())
            elif entry.type is EntryType.COMMAND:
                self.commands.append(entry.record())
            elif entry.type is EntryType.CHARTER:
                parts.append(entry.record())
                if parts[-1]["part"] == parts[-1]["parts"]:
                    self._charter(joined(parts))
                    parts = []

    def _add(self, record: Json) -> None:
        self.records.append(record)
        if record.get("document"):
            withheld = frozenset(record["document"].get("confidential") or ())
            self.charters.append(InForce(record=record, document=record["document"], withheld=withheld))

    def _charter(self, body: Json) -> None:
        """The entry of a charter follows its decision, and says more than that decision."""
        record = next((one for one in reversed(self.records) if one["id"] == body["decision"]), None)
        if record is None:
            return
        self.charters = [one for one in self.charters if one.record is not record]
        difference = tuple(body.get("difference") or ())
        withheld = frozenset(body["withheld"])
        self.charters.append(
            InForce(record=record, document=body["document"], withheld=withheld, difference=difference)
        )

    def of(self, *reasons: str) -> list[Json]:
        """The decisions with one of these reasons."""
        return [record for record in self.records if record["reason"] in reasons]

    @property
    def firm(self) -> str:
        """The participant, "" where no decision names one."""
        return next((str(one["participant"]) for one in self.records if one.get("participant")), "")

    def charter_at(self, at: int | None = None) -> InForce | None:
        """The charter in force at a moment (ms), or the last one."""
        found = [one for one in self.charters if at is None or one.record["at"] <= at]
        return found[-1] if found else None

    def states(self, before: int | None = None) -> tuple[str, frozenset[str]]:
        """The state of the pilot before a moment (ms), and those of its other regions. Decisions do not name states
        where these follow from level and exit: then the pilot runs, or is what the reasons imply."""
        state, others, halted = "draft", frozenset[str](), False
        for record in self.records:
            if before is not None and record["at"] >= before:
                break
            said = record.get("states")
            halted = record["level"] == HALTED
            if isinstance(said, str):
                words = said.split()
                state, others = words[0], frozenset(word for word in words[1:] if "=" not in word)
            else:
                state = _ENDS.get(record["reason"], state if state in _KEPT else "running")
                others = frozenset({"halted"} if halted else ())
        return state, others

    def inside(self, before: int) -> bool:
        """Whether the pilot was in the sandbox, or under routine supervision, at a moment (ms)."""
        return self.states(before)[0] not in _OUTSIDE

    def responsible(self, before: int | None = None) -> tuple[str, ...]:
        """The authorities responsible for the pilot: those that a decision names, else those of its charter."""
        known = [one for one in self.records if before is None or one["at"] < before]
        for record in reversed(known):
            if record.get("responsible"):
                return tuple(map(str, record["responsible"]))
        charter = self.charter_at(None if before is None else before - 1)
        if charter is None:
            return (ABSENT,)
        return tuple(str(one["id"]) for one in charter.document.get("authorities", ())) or (ABSENT,)

    def halts(self) -> list[Halt]:
        """Its halts, oldest first."""
        found: list[Halt] = []
        for record in self.records:
            halt = found[-1] if found and found[-1].released is None else None
            if record["level"] == HALTED > record["was"]:
                found.append(Halt(begun=record, grounds=[], problems=[], steps=[]))
            elif halt is not None:
                _take(halt, record, self.charter_at(record["at"]))
        return found


_STEPS = ("rectification_recorded", "evaluation_recorded", "approval_recorded")
_GROUNDS = ("limit_exceeded", "hard_rule", "suspended", "rectification_overdue", "overridden", "recalled",
            "clock_missed", "evidence_hold")  # fmt: skip


def _take(halt: Halt, record: Json, charter: InForce | None) -> None:
    reason = record["reason"]
    if reason == "released":
        halt.released = record
    elif reason == "command_acknowledged":
        halt.acknowledged = halt.acknowledged or record
    elif reason == "halt_verified":
        halt.verified = halt.verified or record
    elif reason in ("halt_overdue", "halt_contradicted"):
        halt.problems.append(record)
    elif reason in _STEPS:
        halt.steps.append(record)
    elif reason in _GROUNDS and record["level"] == HALTED and _halts_alone(record, charter):
        halt.grounds.append(record)


def _halts_alone(record: Json, charter: InForce | None) -> bool:
    """Whether a finding made during a halt would have halted without it. The level of its record is that of the pilot,
    so a missed deadline is asked for its `on_miss`, and a hard rule for its level in the charter, where that is known.
    """
    finding = record["finding"]
    if record["reason"] == "clock_missed" and isinstance(finding.get("clock"), dict):
        return bool(finding["clock"].get("on_miss") == "halt")
    if record["reason"] == "hard_rule" and charter is not None:
        levels = {one["name"]: one["level"] for one in charter.document.get("hard_rules") or ()}
        return bool(levels.get(finding.get("rule"), "halt") == "halt")
    return True


def stated(charter: InForce | None, field: str) -> str:
    """A field of the public part of a charter, or in words why there is none.

    >>> stated(None, "sector")
    'not in the ledger'
    """
    if charter is None:
        return ABSENT
    if field in charter.withheld or field in (charter.document.get("confidential") or ()):
        return WITHHELD
    return str(charter.document.get(field) or "none stated")


def in_year(records: Iterable[Json], since: int, until: int) -> Iterator[Json]:
    """The decisions from `since` to before `until` (ms)."""
    return (record for record in records if since <= record["at"] < until)
