"""The file of a model, read from its ledger alone: each entry with its place there, whether it was withdrawn, and the
words of people where their plaintexts were disclosed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, structs

from monitor.model.subjects import MODEL, is_model
from monitor.report.stay import Json, Stay

NOT_FIELDS = ("kind", "by", "entry")  # what every content has
Texts = Mapping[str, Mapping[str, str]]  # id of a record -> field -> text


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
    """The file of a model; `root` and `size` are those of the ledger that it was read from."""

    model: str
    size: int
    root: str
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


def model_record(stay: Stay, texts: Texts | None = None) -> ModelRecord | None:
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
    return ModelRecord(
        model=stay.pilot.removeprefix(MODEL), size=stay.size, root=stay.root, entries=tuple(found.values())
    )


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


def by_record(plaintexts: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    """Plaintexts (id of the record, field, text) by record."""
    found: dict[str, dict[str, str]] = {}
    for name, field, text in plaintexts:
        found.setdefault(name, {})[field] = text
    return found
