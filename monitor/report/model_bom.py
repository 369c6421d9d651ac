"""A CycloneDX 1.7 bill of materials of one version of a model (an ML-BOM), from the ledger of the model alone.

A ledger proves who stated what, and when; not that it is true. So each value carries its source: a citation
(`citations` of CycloneDX 1.7) names the entry of the ledger, and the role in which its author spoke. What a supplier
states of its model is marked as its statement. What the ledger does not have is left out, and the property
`sandbox-monitor:absent` names it.

The same ledger gives the same bytes: no clock, and no random serial number.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from typing import Any

from monitor.charter.model_acts import ChainRole
from monitor.model.events import instant
from monitor.report.model_record import FiledEntry, ModelRecord
from monitor.report.model_uses import ModelUse
from monitor.report.stay import Json

SCHEMA, SPEC = "http://cyclonedx.org/schema/bom-1.7.schema.json", "1.7"
PREFIX = "sandbox-monitor:"
SPEAKERS: dict[str, str] = {
    "officer": "officer of an authority of the sandbox",
    "evaluator": "evaluator, a third party",
    "supplier": "supplier of the model: a statement, not verified by the sandbox",
}
"""Role of the author of an entry -> how the bill names who is cited."""
PARTS: dict[str, str] = {
    "supplier": "suppliers",
    "data_compliance": "data",
    "scenario": "scenarios of use",
    "evaluation": "evaluations",
    "limitation": "known limitations",
    "inspection": "inspections",
}
"""Kinds of entries whose absence is said -> its words."""
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})\Z")
COMPONENT, CARD = "/metadata/component", "/metadata/component/modelCard"


class Bill:
    """Collects the values of a bill with their citations."""

    def __init__(self, record: ModelRecord, version: FiledEntry) -> None:
        self.record, self.version = record, version
        self._cited: dict[str, tuple[FiledEntry, list[str]]] = {}

    def cite(self, entry: FiledEntry, *pointers: str) -> None:
        """The values at these JSON pointers are what `entry` says."""
        self._cited.setdefault(entry.id, (entry, []))[1].extend(pointers)

    def of(self, kind: str) -> list[FiledEntry]:
        """The entries of a kind that stand, of this version or of every one."""
        names = ("", self.version.text("version"), self.version.text("digest"))
        return [one for one in self.record.of(kind) if one.text("version") in names]

    def citations(self) -> list[Json]:
        """A citation for each entry that is cited, in the order of the ledger."""
        found = sorted(self._cited.values(), key=lambda cited: cited[0].number)
        return [
            {
                "bom-ref": f"entry-{entry.number}",
                "pointers": pointers,
                "timestamp": _time(entry.at),
                "attributedTo": f"role-{entry.by}",
                "note": f"{where(entry)}; {SPEAKERS[entry.by]}; "
                + (f"signed by key {entry.signed}" if entry.signed else "not signed"),
            }
            for entry, pointers in found
        ]


def model_bom(record: ModelRecord, name: str, uses: Iterable[ModelUse] = (), tool: str = "") -> Json | None:
    """The bill of a version (its name or digest) as values of JSON; `None` when no such version stands. `uses` are the
    pilots that it may name, `tool` the version of this program."""
    version = record.version(name)
    if version is None:
        return None
    bill = Bill(record, version)
    component = _component(bill)
    card = _card(bill)
    if card:
        component["modelCard"] = card
    component["properties"] = [*_chain(bill), *_inspections(bill), *_pilots(version, uses), *_absent(bill)]
    bases = [ancestor["bom-ref"] for ancestor in component.get("pedigree", {}).get("ancestors", ())]
    last = max(record.entries, key=lambda one: one.number)
    root = "".join(ledger.root for ledger in record.ledgers)
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{record.model}@{version.id}#{root}')}",
        "version": 1,
        "metadata": {
            "timestamp": _time(last.at),
            "tools": {"components": [{"type": "application", "name": "sandbox-monitor", "version": tool or "unknown"}]},
            "authors": [{"bom-ref": f"role-{role}", "name": words} for role, words in SPEAKERS.items()],
            "component": component,
            "properties": [_property(f"ledger:{one.file}", f"{one.size} entries, root {one.root}")
                           for one in record.ledgers],
        },
        "dependencies": [{"ref": component["bom-ref"], "dependsOn": bases}] if bases else [],
        "citations": bill.citations(),
    }  # fmt: skip


def bom_text(bill: Json) -> str:
    """The bytes of a bill, as text: two spaces, keys as built, a line break at the end."""
    return json.dumps(bill, indent=2, ensure_ascii=False) + "\n"


def where(entry: FiledEntry) -> str:
    """Where an entry is in the ledger of the model."""
    return f"entry {entry.number}, {entry.id}"


def _component(bill: Bill) -> Json:
    version, record = bill.version, bill.record
    name = version.text("version")
    made: Json = {
        "type": "machine-learning-model",
        "bom-ref": f"model:{record.model}@{name}",
        "name": record.model,
        "version": name,
    }
    cited = [f"{COMPONENT}/version"]
    digest = _SHA256.match(version.text("digest"))
    hash_ = version.text("sha256") or (digest[1] if digest else "")
    if hash_:
        made["hashes"] = [{"alg": "SHA-256", "content": hash_}]
        cited.append(f"{COMPONENT}/hashes")
    if licence := version.text("licence"):
        made["licenses"] = [{"license": {"name": licence, "acknowledgement": "declared"}}]
        cited.append(f"{COMPONENT}/licenses")
    if base := version.text("base"):
        ancestor = {"type": "machine-learning-model", "name": base, "bom-ref": f"base:{base}"}
        if of := version.text("base_version"):
            ancestor |= {"version": of, "bom-ref": f"base:{base}@{of}"}
        made["pedigree"] = {"ancestors": [ancestor]}
        cited.append(f"{COMPONENT}/pedigree")
    for field, role in (("manufacturer", "base_model_developer"), ("supplier", "downstream_developer")):
        entry = next((one for one in bill.of("supplier") if one.text("role") == role), None)
        if entry is not None:
            made[field] = _organization(entry)
            bill.cite(entry, f"{COMPONENT}/{field}")
    bill.cite(version, *cited)
    return made


def _organization(entry: FiledEntry) -> Json:
    made: Json = {"name": entry.text("name") or entry.text("supplier")}
    if country := entry.text("country"):
        made["address"] = {"country": country}
    return made


def _card(bill: Bill) -> Json:
    """The model card: parameters with data sets, performance, considerations."""
    card: Json = {}
    if parameters := _parameters(bill):
        card["modelParameters"] = parameters
    if metrics := _metrics(bill):
        card["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    if considerations := _considerations(bill):
        card["considerations"] = considerations
    if properties := _card_properties(bill):
        card["properties"] = properties
    return card


def _parameters(bill: Bill) -> Json:
    made: Json = {}
    if family := bill.version.text("architecture"):
        made["architectureFamily"] = family
        bill.cite(bill.version, f"{CARD}/modelParameters/architectureFamily")
    datasets = [_dataset(entry) for entry in bill.of("data_compliance")]
    for place, entry in enumerate(bill.of("data_compliance")):
        bill.cite(entry, f"{CARD}/modelParameters/datasets/{place}")
    return made | ({"datasets": datasets} if datasets else {})


def _dataset(entry: FiledEntry) -> Json:
    fields = ("purpose", "personal", "special", "legal_basis", "licence", "origin", "reference", "sha256")
    said = [_property(field, entry.text(field)) for field in fields if entry.text(field)]
    sensitive = {"personal": "personal data", "special": "special categories of personal data"}
    made: Json = {
        "type": "dataset",
        "name": entry.text("dataset"),
        "contents": {"properties": [*said, *_source(entry)]},
    }
    if found := [words for field, words in sensitive.items() if entry.text(field) == "yes"]:
        made["sensitiveData"] = found
    return made | _described(entry)


def _metrics(bill: Bill) -> list[Json]:
    made: list[Json] = []
    for entry in bill.of("evaluation"):
        for field, value in entry.fields.items():
            if field.startswith("result/"):
                bill.cite(entry, f"{CARD}/quantitativeAnalysis/performanceMetrics/{len(made)}")
                measure = field.removeprefix("result/")
                made.append({"type": measure, "value": f"{value:.12g}", "slice": entry.text("scenario")})
    return made


def _considerations(bill: Bill) -> Json:
    made: Json = {}
    intended = [one for one in bill.of("scenario") if one.text("intended") == "yes"]
    users = [(one, group) for one in intended for group in one.fields.get("groups", ())]
    limits = bill.of("limitation")
    harmful = [one for one in limits if one.text("harm") not in ("", "none")]
    lists: tuple[tuple[str, list[tuple[FiledEntry, Any]]], ...] = (
        ("users", list(users)),
        ("useCases", [(one, _words(one, "scenario")) for one in intended]),
        ("technicalLimitations", [(one, _words(one, "limitation")) for one in limits]),
        (
            "ethicalConsiderations",
            [(one, {"name": f"{one.text('limitation')}: {one.text('harm')}"}) for one in harmful],
        ),
    )
    for field, values in lists:
        for place, (entry, _) in enumerate(values):
            bill.cite(entry, f"{CARD}/considerations/{field}/{place}")
        if values:
            made[field] = [value for _, value in values]
    return made


def _risk(entry: FiledEntry) -> Json:
    return {"name": f"{entry.text('limitation')}: {entry.text('harm')}"}


def _card_properties(bill: Bill) -> list[Json]:
    """Uses that the model is not meant for, and which evaluations passed."""
    made: list[Json] = []
    excluded = [one for one in bill.of("scenario") if one.text("intended") == "no"]
    said = [(one, _property("not-intended", _words(one, "scenario"))) for one in excluded]
    for one in bill.of("evaluation"):
        passed = "passed" if one.text("passed") == "yes" else "not passed"
        said.append((one, _property("evaluation", f"{one.text('scenario')}: {passed}; {where(one)}, by {one.by}")))
    for entry, value in said:
        bill.cite(entry, f"{CARD}/properties/{len(made)}")
        made.append(value)
    return made


def _chain(bill: Bill) -> list[Json]:
    return [
        _property("supplier", f"{one.text('supplier')} as {one.text('role')}; {where(one)}, by {one.by}")
        for role in ChainRole.__args__  # type: ignore[attr-defined]
        for one in bill.of("supplier")
        if one.text("role") == role
    ]


def _inspections(bill: Bill) -> list[Json]:
    made = []
    for one in bill.of("inspection"):
        scope, found = (" and ".join(one.fields.get(field, ())) for field in ("scope", "findings"))
        said = f"of {scope}; found {found or 'nothing'}; {where(one)}, by {one.by}"
        made.append(_property("inspection", said))
    return made


def _pilots(version: FiledEntry, uses: Iterable[ModelUse]) -> list[Json]:
    """The pilots that use the digest of the version, with references to entries of their ledgers."""
    made = []
    for use in uses:
        if version.text("digest") in use.digests:
            made.append(_property("pilot", f"{use.pilot} of {use.participant}, since entry {use.since} of its ledger"))
            for words, refs in use.events.items():
                entries = ", ".join(f"{ref.number} ({ref.id})" for ref in refs)
                made.append(_property(f"pilot:{use.pilot}:{words.replace(' ', '-')}", f"entries {entries}"))
    return made


def _absent(bill: Bill) -> list[Json]:
    return [_property("absent", words) for kind, words in PARTS.items() if not bill.of(kind)]


def _words(entry: FiledEntry, field: str) -> str:
    """The name of an entry, with its words where they were disclosed."""
    return entry.text(field) + (f": {entry.words}" if entry.words else "")


def _described(entry: FiledEntry) -> Json:
    return {"description": entry.words} if entry.words else {}


def _source(entry: FiledEntry) -> list[Json]:
    return [_property("ledger", where(entry)), _property("stated-by", entry.by)]


def _property(name: str, value: str) -> Json:
    return {"name": PREFIX + name, "value": value}


def _time(at: int) -> str:
    return instant(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
