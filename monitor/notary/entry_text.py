"""Entries of a ledger as text and as JSON: `sandbox-monitor ledger show`, and the board."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from monitor.model.records import Decision, Level, Reason
from monitor.notary.commitment import FIELDS, committed, get, put
from monitor.notary.encoding import Entry
from monitor.notary.typed import CHARTER, EVIDENCE
from monitor.projections.number_words import budget_words
from monitor.projections.wording import REASONS, level_word, sentence
from monitor.translation import current, mark, speaking, tr, trn

Json = dict[str, Any]


def as_json_line(number: int, entry: Entry, texts: dict[str, str]) -> str:
    """One JSON object: number (from 0), type, record, what a decision rests on, and the texts that are stored here."""
    fields: Json = {"number": number, "type": entry.type.name.lower(), "record": entry.record()}
    if entry.type.numbered:
        with speaking("en"):  # data do not depend on the language
            said = _explained(entry.record(), texts)[:1]
        fields["rests_on"] = facts(entry.record()) | {"sentence": "".join(said)}
    if texts:
        fields["words"] = texts
    return json.dumps(fields, sort_keys=True, ensure_ascii=False)


class EntryParts(NamedTuple):
    """What a reader is told of an entry: its number from 0, time (ms), the number of its decision (`standing`), kind,
    what it is as the record has it, id, author ("" without one), and the lines below."""

    number: int
    at: int
    standing: int
    kind: str
    what: str
    id: str
    by: str
    said: tuple[str, ...]


def parts_of(number: int, entry: Entry, texts: dict[str, str]) -> EntryParts:
    """The parts of which `as_lines` makes lines."""
    record = entry.record()
    who = texts.get("author") or get(record, "author") or ""
    by = who if isinstance(who, str) else f"({str(committed(who))[:16]}...)"
    kind = record.get("kind", "command")
    said = _TYPED[kind](record, texts) if kind in _TYPED else _explained(record, texts)
    with speaking("en"):
        what = _what(record)
    return EntryParts(number, entry.at, entry.standing, kind, what, entry.id, by, tuple(said))


def as_lines(number: int, entry: Entry, texts: dict[str, str]) -> list[str]:
    """A line with number, time, number of the decision, kind and id, then what the entry says."""
    of = parts_of(number, entry, texts)
    id_ = tr("{id} by {author}", id=of.id, author=of.by) if of.by else of.id
    number_ = tr("decision {number}", number=f"{of.standing:<5}")
    head = f"{number:>6}  {stamped(of.at)}  {number_} {of.kind:<8} {_what(entry.record())}  {id_}"
    return [head, *(f"        {line}" for line in of.said)]


def facts(record: Json) -> Json:
    """What a decision rests on, by name; only what it says: `rule`, `indicator`, `segment`; `events` (k) and
    `exposure` (n, of `unit`), `observed` and `expected`, the `limit` per unit that gives the expected number;
    `statistic` and `threshold`; `incident`."""
    finding, reason = record.get("finding"), record.get("reason")
    if not isinstance(finding, dict):
        return {}  # of a version that is not known
    content, detail = finding.get("content"), finding.get("detail")
    incident = content.get("incident") if isinstance(content, dict) else None
    if reason == Reason.HARD_RULE and isinstance(detail, str):
        incident = "".join(detail.split(", ", 2)[2:])  # severity, harm, incident
    expected, exposure = finding.get("expected"), finding.get("exposure")
    limited = reason in _LIMITS and isinstance(expected, int | float) and isinstance(exposure, int | float)
    said: Json = {
        "rule": finding.get("rule"),
        "indicator": finding.get("indicator"),
        "segment": finding.get("segment"),
        "events": finding.get("events"),
        "exposure": exposure,
        "unit": finding.get("unit"),
        "observed": finding.get("observed"),
        "expected": expected,
        "limit": expected / exposure if limited and exposure else None,
        "statistic": finding.get("statistic"),
        "threshold": finding.get("bar"),
        "incident": incident,
    }
    return {name: value for name, value in said.items() if value not in (None, "")}


FACTS: dict[str, str] = {
    "rule": mark("rule"),
    "indicator": mark("indicator"),
    "segment": mark("segment"),
    "events": mark("events"),
    "exposure": mark("exposure"),
    "unit": mark("unit"),
    "observed": mark("observed"),
    "expected": mark("expected"),
    "limit": mark("limit"),
    "statistic": mark("statistic"),
    "threshold": mark("threshold"),
    "incident": mark("incident"),
}
"""The names of `facts` as text."""
_REASONS = {one.value for one in Reason}
_LIMITS = (Reason.LIMIT_EXCEEDED, Reason.LIMIT_HALF_WAY, Reason.LIMIT_TOLERATED)


def stamped(at: int) -> str:
    """A time (ms) in UTC, to the millisecond."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _what(record: Json) -> str:
    kind = record.get("kind")
    if kind == EVIDENCE:
        rows = len(record["observations"])
        return _with_part(trn("{n} observation", "{n} observations", rows), record)
    if kind == CHARTER:
        version, reason = record["version"], _reason(record["reason"])
        return _with_part(tr("version {version} {reason}", version=version, reason=reason), record)
    if kind == "shard":
        return f"{record['log']} {record['year']}"
    if "action" in record:
        return f"{record['action']:<20} {_reason(record['reason'])}"
    was, level = (level_word(Level(record[name])) for name in ("was", "level"))
    return f"{f'{was} -> {level}' if was != level else level:<20} {_reason(record['reason'])}"


def _with_part(said: str, record: Json) -> str:
    if record.get("parts", 1) <= 1:
        return said
    return tr("{what}, part {part} of {parts}", what=said, part=record["part"], parts=record["parts"])


def _reason(code: str) -> str:
    """A reason: in English as it is recorded, in other languages in words."""
    return code if current() == "en" or code not in _REASONS else tr(REASONS[Reason(code)])


def _charter(record: Json, texts: dict[str, str]) -> list[str]:
    """The hash, what was amended, and what is withheld (with its value, where it is stored here)."""
    named = {"charter": record["charter"], "decision": record["decision"]}
    lines = [tr("charter {charter}, put in force by decision {decision}", **named)]
    for change in record.get("difference", ()):
        if change.get("withheld"):
            lines.append(tr("{field}: changed (withheld)", field=change["field"]))
        else:
            lines.append(f"{change['field']}: {_value(change['was'])} -> {_value(change['now'])}")
    for path, value in record["withheld"].items():
        known = texts.get(f"withheld.{path}")
        known = known or tr("commitment {value}", value=committed(value))
        lines.append(tr("withheld {field}: {value}", field=path, value=known))
    return lines


def _evidence(record: Json, texts: dict[str, str]) -> list[str]:
    """One line per observation: counts over exposure, what the limit allows, and each detector's score."""
    return [_observation(row) for row in record["observations"]]


def _observation(row: Json) -> str:
    name = f"{row['indicator']}[{row['segment']}]" if row["segment"] else row["indicator"]
    number = f"{row['k']:g}"
    if row["kind"] != "gauge":
        number = tr("{k} of {m}", k=number, m=f"{row['m']:g}")
    more = [tr("allowed {number}", number=f"{row['allowed']:g}")] if "allowed" in row else []
    for detector, (score, threshold) in row["scores"].items():
        scored = {"score": f"{score:.4g}", "threshold": f"{threshold:.4g}"}
        more.append(tr("{detector} {score} (threshold {threshold})", detector=detector, **scored))
    more += [tr("late revision")] if row.get("late") else []
    more += [tr("counts nowhere ({n} events so far)", n=row["dropped"])] if "dropped" in row else []
    more += [_reason(row["unknown"])] if row.get("unknown") else []
    said = tr("{name} from {time}: {number}", name=name, time=stamped(row["start"]), number=number)
    return "; ".join([said, *more])


def _shard(record: Json, texts: dict[str, str]) -> list[str]:
    named = {"file": record["file"], "n": record["size"], "root": record["root"]}
    return [tr("follows {file}: {n} entries, root {root}", **named)]


_TYPED = {CHARTER: _charter, EVIDENCE: _evidence, "shard": _shard}


def _explained(record: Json, texts: dict[str, str]) -> list[str]:
    """What was decided and on which numbers, in the sentences of the board, then the alpha of the thresholds. Empty for
    records of a newer version that this one does not know: `--json` shows them."""
    for field in FIELDS:
        if get(record, field):
            put(record, field, texts.get(field) or _clear(get(record, field)))
    try:
        if "action" in record:
            reason = tr(REASONS[Reason(record["reason"])])
            named = {"action": record["action"], "decision": record["decision"], "reason": reason}
            return [tr("Command to {action} for decision {decision}: {reason}.", **named)]
        decision = msgspec.convert(record, Decision)
    except (msgspec.ValidationError, ValueError, KeyError):
        return []
    known = facts(record)
    small = []
    if known.keys() - {"rule", "indicator", "segment"}:  # without numbers the sentence says it all
        small = [
            f"{tr(FACTS[name])} {value if isinstance(value, str) else f'{value:.6g}'}" for name, value in known.items()
        ]
    small += budget_words(decision.finding)
    if decision.reason in (Reason.ADMITTED, Reason.AMENDED):
        small.append(tr("charter {charter}", charter=decision.charter))
    told = [tr("addressed to {names}", names=", ".join(decision.addressed))] if decision.addressed else []
    return [tr("{sentence}.", sentence=sentence(decision)), *(["; ".join(small)] if small else []), *told]


def _clear(value: object) -> str:
    """The text in an entry; empty for a commitment."""
    return value if isinstance(value, str) else ""


def _value(value: Any) -> str:
    return tr("(not given)") if value is None else json.dumps(value, ensure_ascii=False)
