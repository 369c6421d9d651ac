"""The files of models, folded from decisions: each entry with its fields, and whether it was withdrawn. Pure.

Words of people are only in the ledger, as commitments; here are the typed fields. Bounded: `MODELS` files with at most
`ENTRIES` entries each; of more, those that were withdrawn are forgotten first, the oldest first.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, structs

from monitor.model.records import Content, Decision, Reason
from monitor.model.subjects import MODEL, is_model

MODELS, ENTRIES = 1_024, 128  # at most 64 entries of a model stand (`monitor/state/model_file.py`)
_NOT_FIELDS = ("kind", "by", "entry")


class ModelFileEntry(Struct, frozen=True, kw_only=True):
    """An entry: the id of its act, the number and id of its decision, its kind, its author with the role in which it
    acted, and the typed fields. `withdrawn` (ms): when; `None` while it stands."""

    entry: str
    number: int
    decision: str
    kind: str
    author: str
    by: str
    at: int
    signed: bool
    fields: Content
    withdrawn: int | None = None

    def text(self, field: str) -> str:
        """A field as text, "" where the entry does not have it."""
        return str(self.fields.get(field, ""))


class ModelFileView(Struct):
    """The file of one model: its entries by number, oldest first. `forgotten`: entries beyond the bound."""

    model: str
    entries: dict[int, ModelFileEntry] = {}
    standing: int = 0
    forgotten: int = 0

    def of(self, *kinds: str) -> list[ModelFileEntry]:
        """The entries of these kinds that stand, oldest first."""
        return [one for one in self.entries.values() if one.kind in kinds and one.withdrawn is None]

    @property
    def digests(self) -> frozenset[str]:
        """The digests of all versions, withdrawn ones too: what charters and telemetry name the model by."""
        return frozenset(one.text("digest") for one in self.entries.values() if one.kind == "version")


class ModelFilesFold:
    """The files of all models. A repeated decision changes nothing."""

    def __init__(self) -> None:
        self.models: dict[str, ModelFileView] = {}
        self.left_out = 0  # decisions on models beyond `MODELS`

    def decide(self, decision: Decision) -> None:
        """Add a decision on a model; any other is passed over."""
        content = decision.finding.content
        if not is_model(decision.pilot) or content is UNSET:
            return
        name = decision.pilot.removeprefix(MODEL)
        file = self.models.get(name)
        if file is None:
            if len(self.models) >= MODELS:
                self.left_out += 1
                return
            file = self.models[name] = ModelFileView(name)
        if decision.standing <= file.standing:
            return
        file.standing = decision.standing
        if decision.reason is Reason.MODEL_ENTRY_ADDED:
            self._add(file, decision, content)
        elif decision.reason is Reason.MODEL_ENTRY_WITHDRAWN:
            number = content.get("number")
            known = file.entries.get(int(number)) if isinstance(number, float | int) else None
            if known is not None:
                file.entries[known.number] = _withdrawn(known, decision.at)

    def _add(self, file: ModelFileView, decision: Decision, content: Content) -> None:
        file.entries[decision.standing] = ModelFileEntry(
            entry=str(content.get("entry", "")),
            number=decision.standing,
            decision=decision.id,
            kind=str(content.get("kind", "")),
            author=decision.author,
            by=str(content.get("by", "")),
            at=decision.at,
            signed=bool(decision.signed),
            fields={name: value for name, value in content.items() if name not in _NOT_FIELDS},
        )
        if len(file.entries) > ENTRIES:
            gone = (number for number, one in file.entries.items() if one.withdrawn is not None)
            del file.entries[next(gone, next(iter(file.entries)))]
            file.forgotten += 1


def _withdrawn(entry: ModelFileEntry, at: int) -> ModelFileEntry:
    return structs.replace(entry, withdrawn=at)
