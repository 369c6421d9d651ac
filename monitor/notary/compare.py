"""Compares the decisions of a replay with a ledger or a file of decisions: by id, field by field.

Not compared, and reported as such: the epoch (it depends on the run), texts to which a ledger only commits, unless
their plaintexts are available, and sentences that another version words differently (their numbers are compared).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from monitor.errors import HistoryBroken
from monitor.model.canonical import canonical
from monitor.model.records import Command, Decision
from monitor.notary import verify
from monitor.notary.commitment import FIELDS, Plaintext, committed
from monitor.notary.encoding import COMMITTED
from monitor.notary.entries import NOT_ENTERED, OF_DECISION
from monitor.notary.format import DECISIONS, Damage, LedgerReader, LogName
from monitor.notary.plaintexts import PlaintextStore, plaintext_dir

UNCOMPARED = ("epoch",)
CLOCKS_DIFFER_MS = 30_000  # of the brokers that wrote telemetry, acts and journal
# Sentences made from the numbers of the same record; versions word them differently.
WORDED = ("finding.explanation", "ground.explanation")
# Fields that a ledger may lack: on Kafka the notary derives commands from decisions and does not enter `lifted` with a
# later halt or drill; the release itself is compared.
DERIVED = (*NOT_ENTERED, "lifted", *(f"ground.{name}" for name in OF_DECISION))
Fields = dict[str, Any]


class Recorded(Struct, frozen=True):
    """One record of the ledger or file: `commits` when texts of people are commitments, `plaintexts` those
    available."""

    fields: Fields
    commits: bool = False
    plaintexts: dict[str, Plaintext] = {}


class Difference(Struct, frozen=True):
    """A field (dotted) whose values differ."""

    field: str
    recorded: Any
    replayed: Any


class Compared(Struct, frozen=True):
    """One decision or command: `verdict` is `same`, `different`, `not_recorded` (only the replay has it),
    `not_replayed` (only the record has it) or `later` (recorded after the end of the history)."""

    verdict: str
    id: str
    pilot: str
    kind: str
    reason: str
    standing: int
    at: int
    differences: tuple[Difference, ...] = ()
    not_compared: tuple[str, ...] = ()


class Comparison:
    """Give it the records; call `take` with each replayed one, then read `rest`. `commands`: whether the record holds
    commands at all. Records stay in memory until their replayed counterpart is taken."""

    def __init__(self, recorded: Iterable[Recorded]) -> None:
        self._pending: dict[str, Recorded] = {}
        self.counts = dict.fromkeys(("same", "different", "not_recorded", "not_replayed", "later"), 0)
        self.commands = False
        self.other_pilots: set[str] = set()
        for one in recorded:
            self._pending[one.fields["id"]] = one
            self.commands = self.commands or "action" in one.fields
        self._met: set[str] = set()
        self._last: dict[str, int] = {}  # pilot to the highest standing in the replay

    @property
    def same(self) -> bool:
        """Whether replay and record agree."""
        return not (self.counts["different"] or self.counts["not_recorded"] or self.counts["not_replayed"])

    def take(self, record: Decision | Command) -> Compared | None:
        """Compare one replayed record. Returns `None` for a resent command, and for commands when the record holds
        none."""
        if record.id in self._met or (isinstance(record, Command) and not self.commands):
            return None
        self._met.add(record.id)
        self._last[record.pilot] = max(record.standing, self._last.get(record.pilot, 0))
        fields = canonical_fields(record)
        other = self._pending.pop(record.id, None)
        if other is None:
            return self._count("not_recorded", fields)
        found, skipped = differences(other, fields)
        return self._count("different" if found else "same", fields, tuple(found), tuple(skipped))

    def rest(self, pilots: Iterable[str], until: int) -> Iterator[Compared]:
        """Records that were not replayed: missing for `pilots`, or `later` when recorded after `until` (ms)."""
        mine = set(pilots)
        for one in self._pending.values():
            if one.fields["pilot"] not in mine:
                self.other_pilots.add(one.fields["pilot"])
            else:
                last = self._last.get(one.fields["pilot"], 0)
                yield self._count("later" if follows(one.fields, last, until) else "not_replayed", one.fields)
        self._pending.clear()

    def _count(
        self,
        verdict: str,
        fields: Fields,
        found: tuple[Difference, ...] = (),
        skipped: tuple[str, ...] = (),
    ) -> Compared:
        self.counts[verdict] += 1
        kind = "command" if "action" in fields else fields["kind"]
        values = fields["id"], fields["pilot"], kind, fields["reason"], fields["standing"], fields["at"]
        return Compared(verdict, *values, found, skipped)


def follows(recorded: Fields, last: int, until: int) -> bool:
    """Whether an entry may follow from what came after the end of a history (`until`, ms): it stands after the `last`
    number that was replayed, and is no older than clocks may differ."""
    return bool(recorded["standing"] > last and recorded["at"] > until - CLOCKS_DIFFER_MS)


def canonical_fields(record: Decision | Command) -> Fields:
    """A record as in canonical JSON: levels as numbers, numbers in their canonical form."""
    found: Fields = json.loads(canonical(msgspec.to_builtins(record, str_keys=True)))
    return found


def differences(recorded: Recorded, replayed: Fields) -> tuple[list[Difference], list[str]]:
    """Return the fields that differ, and the names of those that could not be compared."""
    theirs, ours = _flat(recorded.fields), _flat(replayed)
    found, skipped = [], []
    for name in sorted(theirs.keys() | ours.keys()):
        if name in UNCOMPARED or (name == "again" and "action" in replayed):
            continue
        if name in DERIVED and name not in theirs:
            continue
        left, right = theirs.get(name), ours.get(name)
        if recorded.commits and name in FIELDS and committed(left):
            plaintext = recorded.plaintexts.get(name)
            if plaintext is not None and plaintext.commitment() == committed(left):
                left = plaintext.text
            elif right:
                skipped.append(name)
                continue
        if name in WORDED and left != right:
            skipped.append(name)
        elif left != right and not (name not in theirs and right in _EMPTY):
            found.append(Difference(name, left, right))
    return found, skipped


def is_lines(path: Path) -> bool:
    """Whether a record is a file of JSON lines, which holds decisions only; else it is a ledger, or a directory of
    them."""
    return not path.is_dir() and path.suffix != ".ledger"


def ledger_names(path: Path) -> Iterator[tuple[Path, LogName]]:
    """The ledger files at `path`, each with what its header says; of a single file also the other logs and shards of
    its pilot that are next to it. Raises Damage."""
    files = verify.ledgers(path)
    named = [(file, _name(file)) for file in files]
    if not path.is_dir():
        named += _next_to(path, named[0][1].subject)
    yield from named


def _next_to(path: Path, subject: str) -> Iterator[tuple[Path, LogName]]:
    for file in sorted(path.parent.glob("*.ledger")):
        with contextlib.suppress(Damage, OSError):  # of another pilot, which is not asked for
            if file != path and (name := _name(file)).subject == subject:
                yield file, name


def _name(file: Path) -> LogName:
    with file.open("rb") as opened:
        return LedgerReader(file, opened).name


def recorded_at(path: Path, pilots: frozenset[str]) -> Iterator[Recorded]:
    """The records of `pilots` (empty: of all) in a directory of ledgers, in one ledger, or in JSON lines of decisions
    (`serve --decisions`, the `json_lines` actor, `replay --json`). Raises HistoryBroken for anything else, Damage for a
    damaged ledger."""
    if not is_lines(path):
        for file, name in ledger_names(path):
            if name.log == DECISIONS and (not pilots or name.subject in pilots):
                yield from _ledger(file)
    else:
        yield from (one for one in _json_lines(path) if not pilots or one.fields["pilot"] in pilots)


def why_not_compared(field: str) -> str:
    """Why a field was not compared, in words."""
    return "another version words it differently" if field in WORDED else "the ledger commits to it"


_LONGEST = 1 << 24  # bytes of the first line of a replay, which names its pilots


class ReplayFile:
    """What `replay --json` printed: the decisions of a replay, and what it says of itself. `until` (ms) is known once
    every decision was read. Raises HistoryBroken for a file that is not that."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            about = _object(file.readline(_LONGEST)).get("replay")
        about = about if isinstance(about, dict) else {}
        pilots = about.get("pilots", ())
        named = [one for one in pilots if isinstance(one, str)] if isinstance(pilots, list | tuple) else []
        self.kind: str = str(about.get("kind", ""))
        self.program: str = str(about.get("program", ""))
        self.pilots: frozenset[str] = frozenset(named)
        self.until = 0
        if self.kind not in ("history", "events"):
            raise HistoryBroken(f"{path} is no replay; give a history (`export`) or what `replay --json` printed")

    def decisions(self) -> Iterator[Decision]:
        """Yield the decisions in order. Raises HistoryBroken for a file that was cut short."""
        ended = False
        with self._path.open("rb") as file:
            for raw in file:
                line = _object(raw)
                try:
                    if "decision" in line:
                        yield msgspec.convert(line["decision"], Decision)
                    elif "summary" in line:
                        self.until, ended = int(line["summary"]["until"]), True
                except (msgspec.MsgspecError, ValueError, TypeError, LookupError) as error:
                    raise HistoryBroken(f"{self._path} is no replay: {error}") from None
        if not ended:
            raise HistoryBroken(f"{self._path} has no summary: the replay was cut short; replay again")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _ledger(file: Path) -> Iterator[Recorded]:
    try:
        kept = PlaintextStore(plaintext_dir(file.parent.resolve())).of(file.stem)
    except OSError:
        kept = {}
    for entry in verify.entries(file):
        if entry.type.typed:  # it follows from the others
            continue
        commits = entry.version == COMMITTED
        texts = {name: kept[entry.id, name] for name in FIELDS if (entry.id, name) in kept} if commits else {}
        yield Recorded(entry.record(), commits, texts)


def _json_lines(path: Path) -> Iterator[Recorded]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if not raw.strip():
                continue
            try:
                value = msgspec.json.decode(raw)
                if isinstance(value, dict) and "id" not in value:
                    if "decision" not in value:
                        continue  # a rejection, a header or a summary of `replay --json`
                    value = value["decision"]
                decision = msgspec.convert(value, Decision)
            except msgspec.MsgspecError as error:
                fix = "give a ledger directory, a .ledger file or JSON lines of decisions"
                raise HistoryBroken(f"{path}:{number}: no decision: {error}; {fix}") from error
            yield Recorded(canonical_fields(decision))


_EMPTY: tuple[Any, ...] = (None, "", 0, 0.0, False, [], {})  # defaults of fields that an older record does not have


def _flat(fields: Fields, prefix: str = "") -> Fields:
    found: Fields = {}
    for name, value in fields.items():
        full = prefix + name
        if isinstance(value, dict) and full not in FIELDS:
            found |= _flat(value, f"{full}.")
        else:
            found[full] = value
    return found
