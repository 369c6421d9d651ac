"""The fields of Annex VIII and IX of the EU AI Act (Regulation (EU) 2024/1689) for a model, as a typed record.

Values come from the ledger of the model and from those of the pilots that use it; each has its entry, and who stated
it. A field that the ledgers say nothing about is absent, and said to be; so are parts of a field. Nothing is derived
that no entry says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from msgspec import Struct

from monitor.model.subjects import model_subject
from monitor.projections.formats import stamp
from monitor.report.model_record import FiledEntry, ModelRecord
from monitor.report.model_uses import ModelUse, charter_in_force
from monitor.report.stay import Json, Stay

ABSENT = "no entry of the ledgers says this"
SIGNED, OBSERVED = "the charter in force", "the monitor"
DEVELOPERS = ("base_model_developer", "downstream_developer")


class AnnexValue(Struct, frozen=True, kw_only=True):
    """A value with its place: the `ledger` (of a model, `model:<id>`, or of a pilot), number and id of the entry, and
    who stated it (`by`: a role, the charter, or the monitor itself)."""

    name: str
    value: str
    ledger: str
    number: int
    entry: str
    by: str


class AnnexField(Struct, frozen=True, kw_only=True):
    """One point. `absent` says why it has no values, `lacks` which parts of it the ledgers do not have."""

    annex: Literal["VIII", "IX"]
    section: str
    point: int
    title: str
    values: tuple[AnnexValue, ...] = ()
    lacks: tuple[str, ...] = ()
    absent: str = ""


class AnnexRecord(Struct, frozen=True, kw_only=True):
    """The fields for a model, in the order of the annexes; those of Annex IX for each pilot that uses it."""

    model: str
    fields: tuple[AnnexField, ...]


class Source(Struct, frozen=True):
    """What the getters read: the file of the model, and the pilots with their ledgers."""

    record: ModelRecord
    pilots: tuple[tuple[ModelUse, Stay], ...]


Getter = Callable[[Source], Iterable[AnnexValue]]


class Row(Struct, frozen=True):
    """A point of an annex: its title, what gives the values (`None`: the ledgers never do), what they do not have."""

    point: int
    title: str
    values: Getter | None = None
    lacks: tuple[str, ...] = ()


def _said(source: Source, entry: FiledEntry, name: str, value: str) -> AnnexValue:
    ledger = model_subject(source.record.model)
    return AnnexValue(name=name, value=value, ledger=ledger, number=entry.number, entry=entry.id, by=entry.by)


def _recorded(stay: Stay, record: Json, name: str, value: object, by: str) -> AnnexValue:
    number, id_ = record["standing"], record["id"]
    return AnnexValue(name=name, value=str(value), ledger=stay.pilot, number=number, entry=id_, by=by)


def _suppliers(*roles: str) -> Getter:
    def values(source: Source) -> Iterable[AnnexValue]:
        for entry in source.record.of("supplier"):
            if entry.text("role") in roles:
                name = entry.text("role").replace("_", " ")
                yield _said(source, entry, name, entry.text("name") or entry.text("supplier"))
                if country := entry.text("country"):
                    yield _said(source, entry, f"country of the {name}", country)

    return values


def _identity(source: Source) -> Iterable[AnnexValue]:
    for entry in source.record.of("version"):
        yield _said(source, entry, "model and version", f"{source.record.model} {entry.text('version')}")
        yield _said(source, entry, "digest", entry.text("digest"))


def _purpose(source: Source) -> Iterable[AnnexValue]:
    for entry in source.record.of("scenario"):
        intended = "intended for" if entry.text("intended") == "yes" else "not intended for"
        words = f"{entry.text('scenario')}: {entry.words}" if entry.words else entry.text("scenario")
        yield _said(source, entry, intended, words)


def _data_and_logic(source: Source) -> Iterable[AnnexValue]:
    for entry in source.record.of("data_compliance"):
        yield _said(source, entry, f"data, {entry.text('purpose')}", entry.text("dataset"))
    for entry in source.record.of("version"):
        if family := entry.text("architecture"):
            yield _said(source, entry, f"architecture of {entry.text('version')}", family)


def _status(source: Source) -> Iterable[AnnexValue]:
    for use, stay in source.pilots:
        ends = use.events.get("recalls", ()) or use.events.get("exits", ())
        words = "recalled" if use.events.get("recalls") else f"left the sandbox: {use.outcome}"
        if ends:
            record = next(one for one in stay.records if one["id"] == ends[-1].id)
            yield _recorded(stay, record, f"pilot {use.pilot}", words, OBSERVED)
        else:
            record = next(one for one in stay.records if one["id"] == use.entry)
            yield _recorded(stay, record, f"pilot {use.pilot}", "in the sandbox, no exit on record", OBSERVED)


def _deployers(source: Source) -> Iterable[AnnexValue]:
    yield from _suppliers("deployer")(source)
    yield from _of_charter("participant", lambda charter: charter["participant"]["id"])(source)


def _of_charter(name: str, *parts: Callable[[Json], object]) -> Getter:
    """Values of the charters in force; a part that a charter does not have, or keeps confidential, is left out."""

    def values(source: Source) -> Iterable[AnnexValue]:
        for _, stay in source.pilots:
            record, charter = charter_in_force(stay)
            for part in parts:
                try:
                    value = part(charter)
                except (KeyError, TypeError):
                    continue
                if value not in ("", None, [], ()):
                    yield _recorded(stay, record, name, value, SIGNED)

    return values


def _plan(source: Source) -> Iterable[AnnexValue]:
    rows: tuple[tuple[str, Callable[[Json], object]], ...] = (
        ("cycle", lambda charter: f"{charter['cycle']['start']} to {charter['cycle']['end']}"),
        ("tier", lambda charter: charter["tier"]),
        ("users, at most", lambda charter: charter["users"]["cap"]),
        ("groups of users", lambda charter: ", ".join(charter["users"]["groups"])),
        ("limits", lambda charter: ", ".join(_limits(charter))),
    )
    for name, part in rows:
        yield from _of_charter(name, part)(source)


def _limits(charter: Json) -> list[str]:
    limited = [one for one in charter["indicators"] if one.get("limit") is not None]
    return [f"{one['name']} {one['limit']:g}" for one in limited]


def _ends(source: Source) -> Iterable[AnnexValue]:
    for use, stay in source.pilots:
        for words in ("suspensions", "halts", "releases", "recalls", "exits"):
            for ref in use.events.get(words, ()):
                record = next(one for one in stay.records if one["id"] == ref.id)
                yield _recorded(stay, record, words, f"{record['reason']}, {stamp(record['at'])}", OBSERVED)


def _pilot(source: Source) -> Iterable[AnnexValue]:
    for use, stay in source.pilots:
        record = next(one for one in stay.records if one["id"] == use.entry)
        yield _recorded(stay, record, "name of the pilot in this sandbox", use.pilot, OBSERVED)


CONTACT = ("address", "contact details")
PROVIDER = "name, address and contact details of the provider"
ON_BEHALF = "name, address and contact details of who submits on behalf of another"
REPRESENTATIVE = "name, address and contact details of the authorised representative"
TRADE_NAME = "trade name and other references that identify the system"
PURPOSE = "intended purpose, components and functions"
MARKET = ("whether it is on the market or in service",)
A: tuple[Row, ...] = (
    Row(1, PROVIDER, _suppliers(*DEVELOPERS), CONTACT),
    Row(2, ON_BEHALF),
    Row(3, REPRESENTATIVE),
    Row(4, TRADE_NAME, _identity, ("trade name",)),
    Row(5, PURPOSE, _purpose, ("components and functions",)),
    Row(6, "information used by the system (data, inputs) and its operating logic", _data_and_logic, ("inputs",)),
    Row(7, "status of the system", _status, MARKET),
    Row(8, "certificate of the notified body: type, number, expiry"),
    Row(9, "copy of that certificate"),
    Row(10, "Member States in which the system is on the market, in service or available"),
    Row(11, "EU declaration of conformity (Art. 47)"),
    Row(12, "electronic instructions for use"),
    Row(13, "address (URL) of additional information"),
)
B: tuple[Row, ...] = (
    *A[:5],
    Row(6, "condition of Art. 6(3) under which the system is not high-risk"),
    Row(7, "grounds for that, in short"),
    Row(8, "status of the system", _status, MARKET),
    Row(9, "Member States in which the system is on the market, in service or available"),
)
C: tuple[Row, ...] = (
    Row(1, "name, address and contact details of the deployer", _deployers, CONTACT),
    Row(2, "name, address and contact details of who submits on behalf of the deployer"),
    Row(3, "address (URL) of the provider's entry in the EU database"),
    Row(4, "findings of the fundamental rights impact assessment (Art. 27), in short"),
    Row(5, "data protection impact assessment, in short"),
)
IX: tuple[Row, ...] = (
    Row(1, "Union-wide unique identification number of the test", _pilot, ("Union-wide number",)),
    Row(2, "name and contact details of provider and deployers", _deployers, ("contact details",)),
    Row(3, "description of the system, intended purpose, identification",
        _of_charter("scenario", lambda charter: charter["scenario"])),
    Row(4, "main characteristics of the plan for the test in real-world conditions", _plan),
    Row(5, "suspension or termination of the test", _ends),
)  # fmt: skip
"""The points of each section, in short; the wording that binds is that of the annexes."""


def model_annex(record: ModelRecord, pilots: Sequence[tuple[ModelUse, Stay]]) -> AnnexRecord:
    """The fields for a model, and for the tests by these pilots."""
    whole = Source(record, tuple(pilots))
    fields = [_field("VIII", section, row, whole) for section, rows in (("A", A), ("B", B), ("C", C)) for row in rows]
    for use, stay in pilots:
        alone = Source(record, ((use, stay),))
        fields += [_field("IX", f"pilot {use.pilot}", row, alone) for row in IX]
    if not pilots:
        fields += [_field("IX", "", row, whole) for row in IX]
    return AnnexRecord(model=record.model, fields=tuple(fields))


def _field(annex: Literal["VIII", "IX"], section: str, row: Row, source: Source) -> AnnexField:
    values = () if row.values is None else tuple(row.values(source))
    return AnnexField(
        annex=annex,
        section=section,
        point=row.point,
        title=row.title,
        values=values,
        lacks=row.lacks if values else (),
        absent="" if values else ABSENT,
    )


def annex_lines(record: AnnexRecord) -> list[str]:
    """The record for people: each value with its place, and what is absent."""
    lines, before = [f"model {record.model}"], ("", "")
    for field in record.fields:
        if (field.annex, field.section) != before:
            before = field.annex, field.section
            section = f", section {field.section}" if field.annex == "VIII" else f", {field.section}"
            lines.append(f"Annex {field.annex}{section.rstrip(', ')}")
        lines.append(f"  {field.point:>2}. {field.title}" + (f": absent, {field.absent}" if field.absent else ""))
        lines += [
            f"        {one.name}: {one.value} (decision {one.number} of {one.ledger}; stated by {one.by})"
            for one in field.values
        ]
        if field.lacks:
            lines.append(f"        absent: {', '.join(field.lacks)}")
    return lines
