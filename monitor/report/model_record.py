"""The file of a model, read from its ledger alone: each entry with its place there, whether it was withdrawn, and the
words of people where their plaintexts were disclosed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from monitor.model.subjects import MODEL, is_model, model_subject
from monitor.notary import verify as verifier
from monitor.notary.commitment import Plaintext
from monitor.notary.encoding import Entry, encode
from monitor.notary.plaintexts import PlaintextStore, plaintext_dir
from monitor.report.ledger_dir import ledger_of
from monitor.report.stay import Json, Stay
from monitor.tlog.merkle import Frontier, leaf_hash

NOT_FIELDS = ("kind", "by", "entry")  # what every content has
Texts = Mapping[str, Mapping[str, str]]  # id of a record -> field -> text


class LedgerRef(Struct, frozen=True, kw_only=True):
    """A ledger file: its name, how many entries it had, and its root then."""

    file: str
    size: int
    root: str


class FiledEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry: `entry` is the id of its act, `number` and `id` are those of its record in the ledger, `by` is the role
    in which its author spoke, `signed` the id of the key. `words` is what the author wrote, if it was disclosed; else
    `commitment` is what the ledger has of it. `withdrawn`: the number of the record that withdrew it, 0 while it
    stands."""

    entry: str
    number: int
    id: str
    kind: str
    by: str
    at: int
    fields: dict[str, Any]
    signed: str = ""
    words: str = ""
    commitment: str = ""
    withdrawn: int = 0

    def text(self, field: str) -> str:
        """A field as text, "" where the entry does not have it."""
        return str(self.fields.get(field, ""))


class ModelRecord(Struct, frozen=True, kw_only=True):
    """The file of a model; `ledgers` are the files that it was read from, oldest first."""

    model: str
    ledgers: tuple[LedgerRef, ...]
    entries: tuple[FiledEntry, ...]

    def of(self, *kinds: str) -> list[FiledEntry]:
        """The entries of these kinds that stand, oldest first."""
        return [one for one in self.entries if one.kind in kinds and not one.withdrawn]

    def version(self, name: str) -> FiledEntry | None:
        """The version of this name or digest that stands, or `None`."""
        found = (one for one in self.of("version") if name in (one.text("version"), one.text("digest")))
        return next(found, None)

    @property
    def digests(self) -> frozenset[str]:
        """The digests of the versions, withdrawn ones too: what charters name the model by. (A version such as `1.0`
        may be one of another model.)"""
        return frozenset(one.text("digest") for one in self.entries if one.kind == "version")


def model_record(stay: Stay, ledgers: Iterable[LedgerRef] = (), texts: Texts | None = None) -> ModelRecord | None:
    """The file of the model that a ledger is about; `None` for a ledger about anything else. `texts` are the disclosed
    plaintexts of the ledger."""
    if not is_model(stay.pilot):
        return None
    found: dict[str, FiledEntry] = {}
    for record in stay.of("model_entry_added", "model_entry_withdrawn"):
        content = record["finding"].get("content") or {}
        entry = str(content.get("entry", ""))
        if record["reason"] == "model_entry_added":
            found[record["id"]] = _filed(record, entry, content, (texts or {}).get(record["id"], {}))
            continue
        for name, one in found.items():
            if one.number == content.get("number"):
                found[name] = structs.replace(one, withdrawn=record["standing"])
    return ModelRecord(model=stay.pilot.removeprefix(MODEL), ledgers=tuple(ledgers), entries=tuple(found.values()))


def read_model(directory: Path, name: str) -> ModelRecord | None:
    """The file of a model in a directory of ledgers, with the plaintexts that are stored next to it and may be read;
    `None` without one. Raises Damage and PlaintextBroken."""
    subject, ledgers, entries, texts = model_subject(name), list[LedgerRef](), list[Entry](), list[Plaintext]()
    if not is_model(subject):
        return None
    for path in ledger_of(directory, subject):
        found, tree = list(verifier.entries(path)), Frontier()
        for entry in found:
            tree.push(leaf_hash(encode(entry)))
        ledgers.append(LedgerRef(file=path.name, size=tree.size, root=tree.root().hex()))
        entries += found
        texts += _plaintexts(path)
    return model_record(Stay(entries), ledgers, by_record(texts)) if entries else None


def _plaintexts(path: Path) -> list[Plaintext]:
    try:
        return list(PlaintextStore(plaintext_dir(path.parent)).of(path.stem).values())
    except PermissionError:  # of the directory: the texts are for others
        return []


def _filed(record: Json, entry: str, content: Json, texts: Mapping[str, str]) -> FiledEntry:
    detail = record["finding"].get("detail") or ""
    return FiledEntry(
        entry=entry,
        number=record["standing"],
        id=record["id"],
        kind=str(content.get("kind", "")),
        by=str(content.get("by", "")),
        at=record["at"],
        fields={name: value for name, value in content.items() if name not in NOT_FIELDS},
        signed=record["signed"],
        words=texts.get("finding.detail", detail if isinstance(detail, str) else ""),
        commitment=detail.get("commitment", "") if isinstance(detail, dict) else "",
    )


def by_record(plaintexts: Iterable[Plaintext]) -> dict[str, dict[str, str]]:
    """Plaintexts by id of the record and by field."""
    found: dict[str, dict[str, str]] = {}
    for one in plaintexts:
        found.setdefault(one.id, {})[one.field] = one.text
    return found
