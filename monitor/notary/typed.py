"""Checks the bodies of format version 3: what must be in a charter, in evidence and in the beginning of a shard.

Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from monitor.notary.commitment import committed

CHARTER, EVIDENCE, SHARD = "charter", "evidence", "shard"
KINDS = (CHARTER, EVIDENCE, SHARD)
"""The values of `kind` in a body of version 3."""
PART = "/"
"""Between the id of a record and the number of a part after the first: `ID/2`."""

_FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    CHARTER: {"decision": str, "reason": str, "charter": str, "version": int, "withheld": dict},
    EVIDENCE: {"participant": str, "vendor": str, "data_source": str, "model": str, "observations": list},
    SHARD: {"log": str, "year": int, "file": str, "size": int, "root": str},
}
_OBSERVATION: dict[str, type | tuple[type, ...]] = {
    "indicator": str, "segment": str, "kind": str, "start": int, "k": (int, float), "m": (int, float), "scores": dict,
}  # fmt: skip


def body_problem(record: dict[str, Any]) -> str:
    """What is wrong with a body of version 3, in words; empty when nothing is."""
    kind = record.get("kind")
    if kind not in KINDS:
        return f"kind {kind!r} is not known"
    if wrong := _wrong(record, _FIELDS[kind] | {"part": int, "parts": int}):
        return wrong
    part, parts = record["part"], record["parts"]
    if not 1 <= part <= parts or (part > 1 and not str(record["id"]).endswith(f"{PART}{part}")):
        return f"part {part} of {parts} with the id {record['id']!r}"
    if kind == CHARTER:
        return _charter(record)
    if kind == EVIDENCE:
        return _evidence(record)
    return "" if parts == 1 else "the beginning of a shard has one part"


def whole_id(record: dict[str, Any]) -> str:
    """The id of the record that an entry is a part of.

    >>> whole_id({"id": "abc/2", "part": 2}), whole_id({"id": "a/2", "part": 1})
    ('abc', 'a/2')
    """
    identity = str(record["id"])
    return identity if record["part"] == 1 else identity.removesuffix(f"{PART}{record['part']}")


def joined(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The record that these bodies are the parts of, in their order. Raises ValueError unless they are all of them."""
    found = list(parts)
    first = found[0] if found else {}
    numbers = [(one["part"], one["parts"], whole_id(one)) for one in found]
    if numbers != [(n, len(found), first["id"]) for n in range(1, len(found) + 1)]:
        raise ValueError(f"not all parts of one record: {numbers}")
    whole = first | {"part": 1, "parts": 1}
    if "observations" in first:
        whole["observations"] = [row for one in found for row in one["observations"]]
    if "text" in first:
        whole |= json.loads("".join(one["text"] for one in found))
        del whole["text"]
    return whole


def _charter(record: dict[str, Any]) -> str:
    for field, value in record["withheld"].items():
        if not committed(value):
            return f"withheld.{field} must hold a commitment"
    if record["parts"] > 1:
        return "" if isinstance(record.get("text"), str) else "a part of a charter must hold text"
    if not isinstance(record.get("document"), dict):
        return "document must be an object"
    return "" if isinstance(record.get("difference", []), list) else "difference must be a list"


def _evidence(record: dict[str, Any]) -> str:
    rows = record["observations"]
    if not rows:
        return "evidence without an observation"
    for number, row in enumerate(rows):
        wrong = _wrong(row, _OBSERVATION) if isinstance(row, dict) else "not an object"
        if wrong:
            return f"observation {number}: {wrong}"
    return ""


def _wrong(record: dict[str, Any], fields: dict[str, type | tuple[type, ...]]) -> str:
    for name, kind in fields.items():
        value = record.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            return f"{name} {value!r} is missing or of another type"
    return ""
