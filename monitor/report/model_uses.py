"""Which pilots use a version of a model, and what happened to each: joined from the ledgers of the pilots alone.

A pilot uses a model if a charter that came into force lists its digest or version, or if a change registered the
digest. What happened is said by reference: the entries in the ledger of the pilot, by number and id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct

from monitor.report.stay import Json, Stay

HALTED = 3  # the level, as entries write it
EVENTS: dict[str, tuple[str, ...]] = {
    "limits exceeded": ("limit_exceeded", "limit_tolerated"),
    "hard rules": ("hard_rule",),
    "incident reports": ("incident_report_received",),
    "incidents classified": ("incident_reclassified",),
    "suspensions": ("suspended",),
    "releases": ("released",),
    "corrective actions": ("rectification_recorded",),
    "corrective actions overdue": ("rectification_overdue", "finding_overdue"),
    "inspections": ("inspected",),
    "evaluations": ("evaluation_recorded",),
    "legal deadlines missed": ("clock_missed",),
    "recalls": ("recalled",),
    "exits": ("exit_pending", "exited"),
}
"""What is said of each pilot -> reasons of the entries. `halts` are the entries that raise the level to a halt."""


class EntryRef(Struct, frozen=True):
    """An entry in the ledger of a pilot: the number of the decision there, and its id."""

    number: int
    id: str


class ModelUse(Struct, frozen=True, kw_only=True):
    """One pilot that uses a model: under which names, since which entry, and the entries of each kind of event since
    then. `outcome` of its exit, "" while it is in the sandbox."""

    pilot: str
    participant: str
    digests: tuple[str, ...]
    versions: tuple[str, ...]
    since: int
    entry: str
    events: dict[str, tuple[EntryRef, ...]]
    outcome: str = ""


def model_use(stay: Stay, wanted: Collection[str]) -> ModelUse | None:
    """How the pilot of a ledger uses a model with one of these digests or versions; `None` if it does not."""
    listed = [
        (record, one) for record in stay.records for one in _models(stay, record) if any(n in wanted for n in one if n)
    ]
    if not listed:
        return None
    first = listed[0][0]
    later = [record for record in stay.records if record["standing"] >= first["standing"]]
    found = {name: [record for record in later if record["reason"] in reasons] for name, reasons in EVENTS.items()}
    found["halts"] = [record for record in later if record["level"] == HALTED > record["was"]]
    ended = stay.exit
    content = {} if ended is None else ended["finding"].get("content") or {}
    return ModelUse(
        pilot=stay.pilot,
        participant=first["participant"],
        digests=_distinct(digest for _, (digest, _) in listed),
        versions=_distinct(version for _, (_, version) in listed),
        since=first["standing"],
        entry=first["id"],
        events={name: tuple(map(_ref, records)) for name, records in found.items() if records},
        outcome=str(content.get("outcome", "" if ended is None else "exited")),
    )


def charter_in_force(stay: Stay) -> tuple[Json, Json]:
    """The last decision that put a charter in force, and the public part of that charter; empty ones without one."""
    found = [(record, document) for record in stay.records if (document := stay.document(record))]
    return found[-1] if found else ({}, {})


def _ref(record: Json) -> EntryRef:
    return EntryRef(record["standing"], record["id"])


def _models(stay: Stay, record: Json) -> list[tuple[str, str]]:
    """The models (digest, version) that an entry puts in use."""
    document = stay.document(record)
    found = [(one.get("digest", ""), one.get("version", "")) for one in document.get("models", ())]
    if record["reason"] == "change_registered":
        digest = (record["finding"].get("content") or {}).get("model", "")
        found += [(digest, "")] if digest else []
    return found


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
