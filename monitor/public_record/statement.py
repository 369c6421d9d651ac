"""The statement of reasons of a halt: facts, ground, method, who decided, what followed, redress, how to verify. Pure.

Two versions. `firm`: everything that the ledger and the plaintexts next to it hold. `public`: what the ledger holds in
clear, without texts of people, contacts and keys, and without what the charter lists as confidential. People are named
by role in both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from detectors.base import Proportion
from monitor.indicators import INDICATORS
from monitor.model.events import Harm, Severity
from monitor.model.periods import parse_span
from monitor.model.records import Decision, Reason
from monitor.notary.commitment import FIELDS, get, put
from monitor.projections.formats import figure, is_evidence, span, stamp
from monitor.projections.wording import REASONS, plain, sentence
from monitor.public_record.ledgers import LedgerFile
from monitor.public_record.pilot import WITHHELD, Halt, InForce, Json, PilotRecord, stated
from monitor.public_record.statement_words import (
    ANNULLED,
    ASSUMPTIONS,
    DECIDED,
    GUARANTEE,
    HALF,
    METHODS,
    REDRESS,
    VERIFY,
)

SCHEMA = "sandbox-statement-of-reasons/1"
Version = Literal["firm", "public"]
Texts = Mapping[str, Mapping[str, str]]
"""Plaintexts by id of the record and field."""


class Row(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line: its name, the words, the number where it has one, and the decision that says it (0: none does)."""

    name: str
    text: str
    value: float | int | None = None
    entry: int = 0


class Part(Struct, frozen=True, kw_only=True):
    """A part of a statement."""

    id: str
    rows: tuple[Row, ...]


class Statement(Struct, frozen=True, kw_only=True):
    """A statement of reasons. `halt` is the number of the decision that began it, `number` counts the halts of the
    pilot from 1. `withheld` names the parts of the charter that this version does not show."""

    schema: str
    version: Version
    pilot: str
    participant: str
    number: int
    halt: int
    decision: str
    at: int
    charter: str
    in_force: bool
    ledger: str
    entries: int
    root: str
    withheld: tuple[str, ...]
    parts: tuple[Part, ...]

    def text(self, part: str, name: str) -> str:
        """The words of a row, "" where there is none."""
        rows = next((one.rows for one in self.parts if one.id == part), ())
        return next((row.text for row in rows if row.name == name), "")


def statements(
    pilot: PilotRecord,
    ledger: LedgerFile,
    version: Version,
    texts: Texts | None = None,
    annulled: Collection[str] = (),
) -> list[Statement]:
    """The statements of all halts of a pilot, oldest first. `texts` are used for the firm only; `annulled` are the ids
    of decisions that were annulled in the file of the firm."""
    known = (texts or {}) if version == "firm" else None
    made = [_statement(pilot, ledger, halt, number, version, known) for number, halt in enumerate(pilot.halts(), 1)]
    return [_annulled(one) if one.decision in annulled else one for one in made]


def _annulled(made: Statement) -> Statement:
    row = Row(name="annulled", text=ANNULLED.format(firm=made.participant))
    parts = tuple(structs.replace(one, rows=(row, *one.rows)) if one.id == "after" else one for one in made.parts)
    return structs.replace(made, parts=parts)


def _statement(
    pilot: PilotRecord, ledger: LedgerFile, halt: Halt, number: int, version: Version, texts: Texts | None
) -> Statement:
    begun = halt.begun
    charter = pilot.charter_at(begun["at"])
    spec = _spec(charter, str(begun["finding"]["indicator"]))
    withheld = () if charter is None else _withheld(charter, texts)
    return Statement(
        schema=SCHEMA,
        version=version,
        pilot=pilot.pilot,
        participant=str(begun["participant"]),
        number=number,
        halt=begun["standing"],
        decision=begun["id"],
        at=begun["at"],
        charter=begun["charter"],
        in_force=halt.released is None and pilot.inside(1 << 62),
        ledger=ledger.file,
        entries=ledger.entries,
        root=ledger.root,
        withheld=withheld,
        parts=(
            Part(id="facts", rows=tuple(_facts(begun, spec, texts))),
            Part(id="ground", rows=tuple(_ground(begun, charter))),
            Part(id="method", rows=tuple(_method(begun, charter, spec))),
            Part(id="who", rows=tuple(_who(halt, pilot, texts))),
            Part(id="after", rows=tuple(_after(halt, texts))),
            Part(id="redress", rows=tuple(_redress(halt, pilot, charter, texts))),
            Part(id="verify", rows=tuple(Row(name=name, text=_filled(text, begun)) for name, text in VERIFY)),
        ),
    )


def decision_of(record: Json, texts: Texts | None) -> Decision | None:
    """An entry as a decision, with the texts that are known and without others; without `texts` as the public may see
    it: of details only the incident of a hard rule. `None` for an entry of a newer version."""
    copied = record | {"finding": dict(record["finding"])}
    person = str(record["cause"]).startswith("control:") or (texts is None and not _of_incident(record))
    for field in FIELDS:
        said = get(copied, field)
        known = (texts or {}).get(record["id"], {}).get(field, "")
        if field == "author":
            put(copied, field, "")
        elif not isinstance(said, str) or (person and not known):
            put(copied, field, known)
    try:
        return msgspec.convert(copied, Decision)
    except msgspec.ValidationError:
        return None


def _of_incident(record: Json) -> bool:
    """Whether the detail of an entry says severity, harm and id of an incident. That of a breach of a data boundary is
    a text of the firm, which its charter may keep confidential."""
    said = record["finding"]["detail"]
    parts = said.split(", ", 2) if isinstance(said, str) else []
    known = len(parts) == 3 and parts[0] in set(Severity) and parts[1] in set(Harm)
    return record["reason"] == "hard_rule" and known


def words_of(record: Json, texts: Texts | None, kind: str = "", below: bool = False) -> str:
    """The sentence of the board for an entry; its reason where this version does not know the entry."""
    decision = decision_of(record, texts)
    return plain(str(record["reason"])) if decision is None else sentence(decision, kind, below)


def _spec(charter: InForce | None, indicator: str) -> Json:
    specs = [] if charter is None else charter.document.get("indicators") or []
    return next((dict(one) for one in specs if one["name"] == indicator), {})


def _withheld(charter: InForce, texts: Texts | None) -> tuple[str, ...]:
    """What this version does not show: all that the ledger withholds, for the firm what has no plaintext."""
    paths = sorted(charter.withheld)
    if texts is None:
        return tuple(paths)
    shown = {field for fields in texts.values() for field in fields}
    return tuple(path for path in paths if f"withheld.{path}" not in shown)


def _facts(begun: Json, spec: Json, texts: Texts | None) -> list[Row]:
    finding, entry = begun["finding"], begun["standing"]
    share = getattr(INDICATORS.get(spec.get("kind", "")), "observes", None) is Proportion
    said = words_of(begun, texts, "proportion" if share else "", spec.get("direction") == "below")
    rows = [
        Row(name="decided", text=stamp(begun["at"]), value=begun["at"], entry=entry),
        Row(name="what", text=said, entry=entry),
    ]
    for name, field in (("events", "events"), ("exposure", "exposure"), ("observed", "observed"),
                        ("expected", "expected"), ("ratio", "ratio")):  # fmt: skip
        value = finding.get(field)
        if value is None or not finding["indicator"] or (name == "observed" and finding.get("events") == value):
            continue
        unit = f" {plain(finding.get('unit') or '')}".rstrip() if name == "exposure" else ""
        low, high = finding.get("ratio_low"), finding.get("ratio_high")
        ends = f" (95 % interval {figure(low)} to {figure(high)})" if name == "ratio" and low is not None else ""
        rows.append(Row(name=name, text=f"{figure(value)}{unit}{ends}", value=value, entry=entry))
    if spec.get("limit") is not None or spec.get("baseline") is not None:
        rows.append(Row(name="limit", text=_limit(spec), value=spec.get("limit"), entry=entry))
    if finding.get("period_start") is not None and finding.get("period_end") is not None:
        text = span(finding["period_start"], finding["period_end"]) + " UTC"
        rows.append(Row(name="period", text=text + ("; still open" if finding["provisional"] else ""), entry=entry))
    if finding["explanation"]:
        rows.append(Row(name="detector", text=finding["explanation"], entry=entry))
    return rows


def _limit(spec: Json) -> str:
    least = "at least" if spec.get("direction") == "below" else "at most"
    if spec.get("baseline") is not None:
        base = spec["baseline"]
        return f"{least} {base['times']:g} times {base['events']:g} events in {base['exposure']:g} units of exposure"
    unit = (spec.get("exposure") or {}).get("unit")
    per = f" per {spec['per']:g} {plain(unit)}" if unit else ""
    return f"{least} {spec['limit']:g}{per} in each period of {length(str(spec.get('period', '1h')))}"


def length(text: str) -> str:
    """The length of a period in words people use.

    >>> length("3600000ms"), length("90s"), length("1mo")
    ('1 h', '90 s', '1 month')
    """
    if text.endswith("mo"):
        return f"{text[:-2]} month" + ("" if text == "1mo" else "s")
    ms = parse_span(text).after(0)
    unit, name = next((one for one in _UNITS if ms % one[0] == 0), (1, "ms"))
    return f"{ms // unit} {name}"


_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))


def _ground(begun: Json, charter: InForce | None) -> list[Row]:
    finding, entry = begun["finding"], begun["standing"]
    reason = begun["reason"]
    rows = [Row(name="reason", text=REASONS[Reason(reason)] if reason in set(Reason) else plain(reason), entry=entry)]
    named = [name for name in ("indicator", "segment", "rule") if finding[name]]
    rows += [Row(name=name, text=str(finding[name]), entry=entry) for name in named]
    rules = [] if charter is None else charter.document.get("hard_rules") or []
    hit = [one for one in rules if reason == "hard_rule" and one["name"] == finding["rule"]]
    rows += [Row(name="hard rule", text=_hard_rule(one), entry=entry) for one in hit]
    basis = (finding.get("content") or {}).get("basis")
    if basis:
        rows.append(Row(name="basis", text=str(basis), entry=entry))
    if begun.get("clauses"):
        rows.append(Row(name="clauses", text=", ".join(map(str, begun["clauses"])), entry=entry))
    if charter is not None:
        number = charter.document.get("version")
        said = f"version {number}, SHA-256 {begun['charter']}"
        rows.append(Row(name="charter", text=said, value=number, entry=charter.record["standing"]))
    else:
        rows.append(Row(name="charter", text=f"SHA-256 {begun['charter']}", entry=entry))
    return rows


def _hard_rule(rule: Json) -> str:
    parts = [f"{name} {' or '.join(map(plain, rule[name]))}" for name in ("severity", "harm") if rule.get(name)]
    parts += ["a model that the charter does not list"] if rule.get("unregistered_model") else []
    parts += ["data that crossed a boundary of the charter"] if rule.get("boundary") else []
    return f"one event with {', '.join(parts) or 'any property'} leads to {rule['level']}"


def _method(begun: Json, charter: InForce | None, spec: Json) -> list[Row]:
    finding, entry, reason = begun["finding"], begun["standing"], begun["reason"]
    statistical = reason == "limit_exceeded" and is_evidence(finding["rule"])
    rows = [Row(name="method", text=METHODS.get("statistical" if statistical else reason, METHODS["rule"]))]
    if not statistical:
        return rows
    alpha = None if charter is None else charter.document.get("alpha")
    if alpha is not None:
        text = GUARANTEE.format(alpha=f"{alpha:g}")
        rows.append(Row(name="guarantee", text=text, value=alpha, entry=charter.record["standing"] if charter else 0))
    for name, field in (("statistic", "statistic"), ("threshold", "bar"), ("alpha of this threshold", "alpha"),
                        ("alpha of all thresholds so far", "alpha_spent")):  # fmt: skip
        value = finding.get(field)
        if value is not None:
            more = " (natural logarithm of the e-value)" if field in ("statistic", "bar") else ""
            rows.append(Row(name=name, text=f"{figure(value)}{more}", value=value, entry=entry))
    if spec:
        v = spec.get("variance_mean") or 1.0
        rows.append(Row(name="dispersion", text=ASSUMPTIONS.format(v=f"{v:g}"), value=v, entry=entry))
        least = spec.get("minimum_events") or 1
        rows.append(Row(name="minimum events", text=f"{least:g}", value=least, entry=entry))
    rows.append(
        Row(name="run of the statistics", text=f"number {begun['restart']}", value=begun["restart"], entry=entry)
    )
    return rows


def _who(halt: Halt, pilot: PilotRecord, texts: Texts | None) -> list[Row]:
    begun, entry = halt.begun, halt.begun["standing"]
    authorities = ", ".join(pilot.responsible(begun["at"] + 1))
    if not halt.by_person:
        return [Row(name="decided by", text=DECIDED["machine"], entry=entry)]
    rows = [Row(name="decided by", text=DECIDED["person"].format(authority=authorities), entry=entry)]
    if texts is not None:
        said = texts.get(begun["id"], {}).get("finding.detail", "")
        rows.append(Row(name="reason given", text=said or HALF, entry=entry))
        if begun["signed"]:
            rows.append(Row(name="signed by key", text=begun["signed"], entry=entry))
    return rows


def _after(halt: Halt, texts: Texts | None) -> list[Row]:
    rows = []
    for name, record in (("acknowledged", halt.acknowledged), ("verified stop", halt.verified)):
        if record is None:
            rows.append(Row(name=name, text="not on record"))
            continue
        seconds = record["finding"]["observed"]
        took = "" if seconds is None else f", after {figure(seconds)} s"
        rows.append(Row(name=name, text=stamp(record["at"]) + took, value=seconds, entry=record["standing"]))
    for name, records in (("problem", halt.problems), ("further ground", halt.grounds), ("step", halt.steps)):
        for record in records:
            text = f"{stamp(record['at'])}: {words_of(record, texts)}"
            rows.append(Row(name=name, text=text, entry=record["standing"]))
    if halt.released is None:
        rows.append(Row(name="released", text="not released"))
    else:
        rows.append(Row(name="released", text=stamp(halt.released["at"]), entry=halt.released["standing"]))
    return rows


def _redress(halt: Halt, pilot: PilotRecord, charter: InForce | None, texts: Texts | None) -> list[Row]:
    rows = [Row(name=name, text=_filled(text, halt.begun)) for name, text in REDRESS]
    last = pilot.charter_at()
    hidden = texts is None and stated(last, "evaluation") == WITHHELD  # also where an earlier charter did not list it
    scenarios = [] if charter is None or hidden else [one["name"] for one in charter.document.get("evaluation") or ()]
    if scenarios:
        rows.append(
            Row(name="scenarios", text=", ".join(scenarios), entry=charter.record["standing"] if charter else 0)
        )
    named = [] if charter is None else charter.document.get("authorities") or []
    names = {str(one["id"]): str(one.get("name") or one["id"]) for one in named}
    contacts = _contacts(texts)
    for authority in pilot.responsible(halt.begun["at"] + 1):
        at = next((f": {said}" for place, said in contacts.items() if _place_of(named, authority) == place), "")
        rows.append(Row(name="authority", text=f"{names.get(authority, authority)}{at}"))
    return rows


def _place_of(named: list[Any], authority: str) -> int:
    return next((place for place, one in enumerate(named) if one["id"] == authority), -1)


def _contacts(texts: Texts | None) -> dict[int, str]:
    """Contacts of authorities, by their place in the charter, from the plaintexts of its withheld parts."""
    found = {}
    for fields in (texts or {}).values():
        for field, text in fields.items():
            parts = field.split(".")
            if parts[:2] == ["withheld", "authorities"] and parts[3:] == ["contacts"]:
                found[int(parts[2])] = ", ".join(msgspec.json.decode(text))
    return found


def _filled(text: str, begun: Json) -> str:
    return text.format(pilot=begun["pilot"], entry=begun["standing"], decision=begun["id"])
