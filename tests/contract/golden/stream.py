"""Reduces a stream of outputs to golden values: small, readable, and different whenever one byte differs."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec.structs import replace

from . import names

KINDS = ("rejected", "decisions", "commands", "permits", "evidence")


def pinned_form(out: names.Outputs) -> dict[str, Any]:
    """For each stream of outputs: how many records, the SHA-256 of their bytes, one digest for each field over all
    records, and, where there are few, each record in a line. Explanations are blank: they are pinned by themselves."""
    found: dict[str, Any] = {}
    for kind in KINDS:
        records = [blank(record) for record in getattr(out, kind)]
        raws = [msgspec.json.encode(record) for record in records]
        columns: dict[str, list[Any]] = {}
        for raw in raws:
            for name, value in flat(msgspec.json.decode(raw)):
                columns.setdefault(name, []).append(value)
        found[kind] = {
            "count": len(raws),
            "sha256": hashlib.sha256(b"\n".join(raws)).hexdigest(),
            "fields": {name: _short(values) for name, values in sorted(columns.items())},
        }
    found["decided"] = [_decided(d) for d in out.decisions]
    found["commanded"] = [
        f"{c.at} {c.pilot} {c.action} {c.reason} #{c.standing} {c.id}" for c in out.commands if not c.again
    ]
    found["refused"] = [f"{r.id} {r.pilot} {r.field} {r.reason} {r.digest}" for r in out.rejected]
    return found


def explanations(out: names.Outputs) -> dict[str, str]:
    """The sentences of detectors, by the id of their decision."""
    return {d.id: d.finding.explanation for d in out.decisions if d.finding.explanation}


def blank(record: Any) -> Any:
    """A record without its explanation."""
    if isinstance(record, names.Decision):
        return replace(record, finding=replace(record.finding, explanation=""))
    if isinstance(record, names.Command) and record.ground is not None:
        return replace(record, ground=replace(record.ground, explanation=""))
    return record


def flat(value: dict[str, Any], at: str = "") -> list[tuple[str, Any]]:
    """The fields of a record, those of records in it by their path; dicts of numbers stay whole."""
    found: list[tuple[str, Any]] = []
    for name, inner in value.items():
        if isinstance(inner, dict) and name in ("finding", "ground", "notice"):
            found += flat(inner, f"{at}{name}.")
        else:
            found.append((f"{at}{name}", inner))
    return found


def _decided(d: names.Decision) -> str:
    return (
        f"{d.at} {d.pilot} #{d.standing} {d.kind} {d.was.word}->{d.level.word} {d.reason} key={d.finding_key} "
        f"rule={d.finding.rule} cause={d.cause} unknown={d.unknown} {d.id}"
    )


def _short(values: list[Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(values)).hexdigest()[:16]
