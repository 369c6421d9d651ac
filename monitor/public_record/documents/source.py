"""Reads the ledgers of a pilot for a document, and knows where in them each record stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from monitor.errors import Refused
from monitor.model.records import Evidence
from monitor.model.subjects import FIRM
from monitor.notary.encoding import Entry, EntryType, encode
from monitor.notary.format import EVIDENCE
from monitor.public_record.ledgers import LedgerFile, Ledgers, Remark
from monitor.public_record.pilot import InForce, Json, PilotRecord
from monitor.public_record.reading import texts_of
from monitor.public_record.statement import Texts
from monitor.tlog.merkle import leaf_hash


class Place(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a record stands: its ledger file, number there (from 0), leaf hash (RFC 6962, hex). `decision` is its
    number among the decisions of its subject, 0 for other records; `what` its reason, or the type of the entry."""

    file: str
    entry: int
    hash: str
    at: int
    what: str
    decision: int = 0


class Source(Struct, kw_only=True):
    """What a document about a pilot is made from. `texts`: words of people that are stored next to the ledgers, for the
    version of the parties; `None` for the public version. `annulments`: decisions in the file of the firm, by the id of
    the decision of the pilot that each annuls."""

    pilot: PilotRecord
    files: tuple[LedgerFile, ...]
    remarks: tuple[Remark, ...]
    places: dict[str, Place]
    evidence: list[Evidence]
    evidence_places: dict[int, Place]
    entries: list[tuple[str, int, Entry]]
    annulments: dict[str, Json]
    texts: Texts | None = None

    @property
    def ledger(self) -> LedgerFile:
        """The ledger of the decisions of the pilot: the checkpoint of the document."""
        return self.files[0]

    def place(self, record: Json) -> Place:
        """The place of a decision or command."""
        return self.places[str(record["id"])]

    def charter_place(self, charter: InForce) -> Place:
        """Where a charter stands: its own entry, in older ledgers the decision that put it in force."""
        identity = str(charter.record["id"])
        return self.places.get(CHARTER_OF + identity) or self.places[identity]


CHARTER_OF = "charter of "  # before the id of a decision: the entry of the charter that it put in force


def read_source(directories: Iterable[Path], pilot: str, parties: bool = False) -> Source:
    """Everything about one pilot. Raises Damage when there is no ledger at all, Refused when the pilot has none, and
    PlaintextBroken."""
    where = tuple(directories)
    ledgers, places = Ledgers(where), dict[str, Place]()
    record = PilotRecord(pilot, _noted(ledgers, pilot, places))
    if not ledgers.files:
        raise Refused(f"{where[0]} has no ledger of {pilot}; give the directory of its ledger (of `serve`: DIR/ledger)")
    files = list(ledgers.files)
    rows, entries, found = list[Evidence](), list[tuple[str, int, Entry]](), dict[int, Place]()
    for file, number, entry in ledgers.entries(pilot, EVIDENCE):
        entries.append((file, number, entry))
        if entry.type is EntryType.EVIDENCE:
            found.setdefault(entry.at, _place(file, number, entry, "evidence"))
            rows += evidence_of(entry.record())
    annulments = _annulments(ledgers, record.firm, places)
    return Source(
        pilot=record,
        files=(*files, *(one for one in ledgers.files if one not in files)),
        remarks=tuple(ledgers.remarks),
        places=places,
        evidence=rows,
        evidence_places=found,
        entries=entries,
        annulments=annulments,
        texts=texts_of(where, pilot) if parties else None,
    )


def read_decisions(ledgers: Ledgers, pilot: str, until: int) -> Source:
    """The decisions of one pilot before `until` (ms), without its evidence, with the annulments known then."""
    places = dict[str, Place]()
    record = PilotRecord(pilot, _noted(ledgers, pilot, places), until)
    return Source(
        pilot=record, files=(), remarks=(), places=places, evidence=[], evidence_places={}, entries=[],
        annulments=_annulments(ledgers, record.firm, places, until),
    )  # fmt: skip


def _annulments(ledgers: Ledgers, firm: str, places: dict[str, Place], until: int | None = None) -> dict[str, Json]:
    found: dict[str, Json] = {}
    file = PilotRecord(FIRM + firm, _noted(ledgers, FIRM + firm, places), until)
    for one in file.of("decision_annulled"):
        found.setdefault(str(one["finding"]["content"]["decision"]), one)
    return found


def _noted(ledgers: Ledgers, subject: str, places: dict[str, Place]) -> Iterator[Entry]:
    for file, number, entry in ledgers.entries(subject):
        what = str(entry.record().get("reason", "")) if entry.type.numbered else entry.type.name.lower()
        place = places[entry.id] = _place(file, number, entry, what)
        if entry.type is EntryType.CHARTER:
            places.setdefault(CHARTER_OF + str(entry.record()["decision"]), place)
        yield entry


def _place(file: str, number: int, entry: Entry, what: str) -> Place:
    return Place(
        file=file,
        entry=number,
        hash=leaf_hash(encode(entry)).hex(),
        at=entry.at,
        what=what,
        decision=entry.standing if entry.type.numbered else 0,
    )


def evidence_of(record: Json) -> list[Evidence]:
    """The closed periods in an entry of evidence."""
    return [
        Evidence(
            pilot=str(record["pilot"]),
            participant=str(record["participant"]),
            vendor=str(record["vendor"]),
            data_source=str(record["data_source"]),
            model=str(record["model"]),
            indicator=row["indicator"],
            segment=row["segment"],
            kind=row["kind"],
            start=row["start"],
            end=record["at"],
            k=row["k"],
            m=row["m"],
            scores={name: tuple(score) for name, score in row["scores"].items()},
            unknown=row.get("unknown", ""),
            late=bool(row.get("late")),
            dropped=row.get("dropped", 0),
        )
        for row in record["observations"]
    ]
