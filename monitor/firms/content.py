"""A record, and the rules for it, as the typed fields of a decision. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.firms.record import FirmRecord, PilotPosition
from monitor.firms.rules import FirmRules
from monitor.model.records import Content

_PREFIX, _RULES = "record/", "rules/"


def record_fields(record: FirmRecord) -> Content:
    """Every field of a record, as a decision has them: numbers under `record/`, each position as
    `pilot@standing+observations`."""
    found: Content = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if name == "positions":
            found[_PREFIX + name] = tuple(f"{one.pilot}@{one.standing}+{one.observations}" for one in value)
        elif isinstance(value, bool):
            found[_PREFIX + name] = "yes" if value else "no"
        else:
            found[_PREFIX + name] = value if isinstance(value, str) else float(value)
    return found


def rule_fields(rules: FirmRules) -> Content:
    """Every number of rules, under `rules/`: with the record they give the class again."""
    found: Content = {
        "rules/confidence": rules.confidence,
        "rules/enough.pilots": float(rules.enough.pilots),
        "rules/enough.years": rules.enough.years,
    }
    for measure, limits in rules.limits.items():
        found |= {f"rules/{measure.value}.{name}": getattr(limits, name) for name in ("A", "B", "C")}
    return found


def record_of(content: Content) -> FirmRecord:
    """The record that a decision has. Raises ValueError unless it has one."""
    fields: dict[str, Any] = {}
    for name, value in content.items():
        if name.startswith(_PREFIX):
            fields[name.removeprefix(_PREFIX)] = int(value) if isinstance(value, float) else value
    fields["truncated"] = fields.get("truncated") == "yes"
    fields["positions"] = [_position(text) for text in fields.get("positions", ())]
    try:
        return msgspec.convert(fields, FirmRecord)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a record of a firm: {error}") from error


def rules_of(content: Content) -> FirmRules | None:
    """The rules that a decision has (id and version are not known here); `None` where they cannot be read."""
    found = {name.removeprefix(_RULES): value for name, value in content.items() if name.startswith(_RULES)}
    limits: dict[str, dict[str, Any]] = {}
    for name, value in found.items():
        measure, _, letter = name.rpartition(".")
        if measure and measure != "enough":
            limits.setdefault(measure, {})[letter] = value
    enough = {"pilots": int(float(str(found.get("enough.pilots", 0)))), "years": found.get("enough.years")}
    made = {
        "schema": "firm-rules/1", "id": "recorded", "version": 1, "limits": limits, "enough": enough,
        "confidence": found.get("confidence"),
    }  # fmt: skip
    try:
        return msgspec.convert(made, FirmRules)
    except (msgspec.ValidationError, ValueError):
        return None


def _position(text: str) -> PilotPosition:
    rest, _, observations = text.rpartition("+")
    pilot, _, standing = rest.rpartition("@")
    return PilotPosition(pilot, int(standing), int(observations))
