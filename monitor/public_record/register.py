"""The public register: what is public about each pilot that was admitted. Pure.

Of a charter everything is public but what it lists as `confidential`, and names, keys and contacts of people. Exit
reports need the consent of the firm (EU AI Act, Art. 57(8)): without it neither their digests nor the outcome are here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from monitor.model.subjects import FIRM
from monitor.notary.store import file_name
from monitor.public_record.annual import is_pilot
from monitor.public_record.ledgers import LedgerFile, Ledgers, Remark
from monitor.public_record.pilot import Halt, InForce, Json, PilotRecord
from monitor.public_record.reading import annulments
from monitor.public_record.statement import Statement, statements

SCHEMA = "sandbox-public-register/1"
_PEOPLE = {"authorities": ("approvers", "officers", "keys", "contacts"), "participant": ("keys", "contacts")}
CHANGES = frozenset({
    "admitted", "amended", "cycle_started", "pause_granted", "resumed", "extended", "suspended", "released", "exited",
    "exit_pending", "report_issued", "published", "withheld", "graduated", "recalled", "closed", "halt_verified",
    "responsibility_changed", "change_registered", "template_made", "step_passed", "step_failed",
})  # fmt: skip
"""Reasons of decisions that the register lists, in addition to the begin of each halt."""


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened to a pilot: at (ms), the reason of the decision, its number and id. `fields` of the
    charter that an amendment changed. `halt`: it began a halt."""

    at: int
    reason: str
    entry: int
    id: str
    halt: bool = False
    fields: tuple[str, ...] = ()


class HaltLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A halt in the register: the number of its decision, times (ms) of its steps, and the page of its statement."""

    entry: int
    reason: str
    begun: int
    acknowledged: int | None = None
    verified: int | None = None
    released: int | None = None
    statement: str = ""
    annulled: bool = False  # in the file of the firm: it was wrong


class ExitReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Written proof and exit report. `status`: none, issued (the firm has not consented to its publication), withheld,
    or published. Digests (SHA-256) and outcome only once it is published."""

    status: str
    report: str = ""
    proof: str = ""
    outcome: str = ""


class Entry(Struct, frozen=True, kw_only=True):
    """One pilot in the register. `charter` is the public part of the charter last in force (`None`: the ledger has
    none), `withheld` what it lists as confidential. `page` is the name of its page, without its ending."""

    pilot: str
    page: str
    participant: str
    state: str
    others: tuple[str, ...]
    responsible: tuple[str, ...]
    charter: dict[str, Any] | None
    charter_hash: str
    withheld: tuple[str, ...]
    changes: tuple[Change, ...]
    halts: tuple[HaltLine, ...]
    exit_report: ExitReport
    ledger: str
    entries: int
    root: str

    def said(self, field: str) -> str:
        """A field of the charter as text: `withheld` where it is confidential, "" where it says nothing."""
        if self.charter is None:
            return ""
        return "withheld" if field in self.withheld else str(self.charter.get(field) or "")

    @property
    def name(self) -> str:
        """The name of the firm, else its id."""
        named = (self.charter or {}).get("participant") or {}
        return str(named.get("name") or self.participant)


class Register(Struct, frozen=True, kw_only=True):
    """The whole register. The same ledgers give the same register."""

    schema: str
    entries: tuple[Entry, ...]
    remarks: tuple[Remark, ...]


class Listed(Struct, frozen=True):
    """An entry with the public statements of its halts."""

    entry: Entry
    statements: tuple[Statement, ...]


def read_register(directories: Iterable[Path]) -> tuple[list[Listed], tuple[Remark, ...]]:
    """Every pilot that was admitted, by id, and what the ledgers lack. Raises Damage when there is no ledger."""
    ledgers, found, of_firm = Ledgers(directories), list[Listed](), dict[str, frozenset[str]]()
    for subject in sorted(ledgers.subjects, key=lambda one: (not one.startswith(FIRM), one)):
        record = PilotRecord(subject, (entry for _, _, entry in ledgers.entries(subject)))
        if subject.startswith(FIRM):
            of_firm[subject] = annulments(record)
        elif is_pilot(subject) and record.of("admitted"):
            file = next(one for one in reversed(ledgers.files) if one.subject == subject)
            annulled = of_firm.get(FIRM + record.firm, frozenset())  # in another file it annuls nothing
            said = tuple(statements(record, file, "public", annulled=annulled))
            found.append(Listed(entry_of(record, file, said, annulled), said))
    ledgers.finish()
    return found, tuple(ledgers.remarks)


def register_of(listed: Sequence[Listed], remarks: tuple[Remark, ...]) -> Register:
    """The register of these pilots."""
    return Register(schema=SCHEMA, entries=tuple(one.entry for one in listed), remarks=remarks)


def as_json(made: Register | Statement | Entry) -> str:
    """A document as text: sorted keys, two spaces, a line break at the end."""
    return json.dumps(msgspec.to_builtins(made), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def entry_of(pilot: PilotRecord, file: LedgerFile, said: Sequence[Statement], annulled: Collection[str] = ()) -> Entry:
    """The entry of a pilot."""
    charter, (state, others) = pilot.charter_at(), pilot.states()
    page = Path(file_name(pilot.pilot)).stem
    return Entry(
        pilot=pilot.pilot,
        page=page,
        participant=pilot.firm,
        state=state,
        others=tuple(sorted(others)),
        responsible=pilot.responsible(),
        charter=None if charter is None else public_charter(charter.document),
        charter_hash=str(pilot.records[-1]["charter"]),
        withheld=_confidential(charter),
        changes=tuple(_changes(pilot)),
        halts=tuple(
            _halt(halt, f"{page}-halt-{one.halt}", one.decision in annulled)
            for halt, one in zip(pilot.halts(), said, strict=True)
        ),
        exit_report=_exit_report(pilot),
        ledger=file.file,
        entries=file.entries,
        root=file.root,
    )


def public_charter(document: Json) -> Json:
    """The public part of a charter without people: their names, keys and contacts. (Entries of older formats hold
    them.)"""
    made = dict(document)
    for name in document.get("confidential") or ():
        made.pop(name, None)
    for name, fields in _PEOPLE.items():
        found = made.get(name)
        if isinstance(found, list):
            made[name] = [{key: value for key, value in one.items() if key not in fields} for one in found]
        elif isinstance(found, dict):
            made[name] = {key: value for key, value in found.items() if key not in fields}
    if "reporters" in made:
        made["reporters"] = [{"id": one["id"]} for one in made["reporters"]]
    return made


def _confidential(charter: InForce | None) -> tuple[str, ...]:
    """The fields that the charter lists as confidential, in its order."""
    return () if charter is None else tuple(charter.document.get("confidential") or ())


def _changes(pilot: PilotRecord) -> Iterable[Change]:
    fields = {one.record["id"]: one for one in pilot.charters}
    for record in pilot.records:
        halts = record["level"] == 3 > record["was"]
        reason = str(record["reason"])
        if not halts and reason not in CHANGES:
            continue
        charter = fields.get(record["id"])
        changed = sorted({_field(one) for one in charter.difference}) if charter is not None else []
        yield Change(
            at=record["at"], reason=reason, entry=record["standing"], id=record["id"], halt=halts, fields=tuple(changed)
        )


def _field(change: Json) -> str:
    return str(change["field"]).split(".", 1)[0].split("[", 1)[0]


def _halt(halt: Halt, page: str, annulled: bool) -> HaltLine:
    times = {
        name: None if record is None else int(record["at"])
        for name, record in (
            ("acknowledged", halt.acknowledged), ("verified", halt.verified), ("released", halt.released),
        )
    }  # fmt: skip
    begun = halt.begun
    return HaltLine(
        entry=begun["standing"], reason=begun["reason"], begun=begun["at"], statement=page, annulled=annulled, **times
    )


def _exit_report(pilot: PilotRecord) -> ExitReport:
    steps = pilot.of("report_issued", "published", "withheld")
    admitted = pilot.of("admitted")[-1]["standing"]
    steps = [one for one in steps if one["standing"] > admitted]
    if not steps:
        return ExitReport(status="none")
    last = str(steps[-1]["reason"])
    status = "issued" if last == "report_issued" else last
    if status != "published":
        return ExitReport(status=status)
    issued = [one for one in steps if one["reason"] == "report_issued"]
    said = (issued[-1]["finding"].get("content") or {}) if issued else {}
    return ExitReport(
        status=status, report=str(said.get("report", "")), proof=str(said.get("proof", "")), outcome=_outcome(pilot)
    )


def _outcome(pilot: PilotRecord) -> str:
    for record in reversed(pilot.of("exited", "exit_pending")):
        found = (record["finding"].get("content") or {}).get("outcome")
        if found:
            return str(found)
    return ""
