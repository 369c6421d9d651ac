"""What verified entries say, as text: `ledger verify --entries`, for a reader who has nothing but the verifier.

Standard library only. Names and numbers stand as they were entered, levels as words; `ledger show` has sentences.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from monitor.notary.commitment import FIELDS, committed, get
from monitor.notary.encoding import Entry
from monitor.notary.typed import CHARTER, EVIDENCE, SHARD

WIDTH = 110
_INDENT = " " * 8
_LEVELS = ("normal", "watch", "escalate", "halt")
_TIMES = ("at", "due", "start", "since", "until")  # fields in milliseconds since 1970
_DISCLOSABLE = frozenset(FIELDS)


class Shown(NamedTuple):
    """An entry to print: the input it was read from, its number in the log (from 0), its disclosed texts by field."""

    subject: str
    number: int
    entry: Entry
    texts: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Subject, number, type and record, with the texts where some were disclosed."""
        found = {
            "subject": self.subject,
            "number": self.number,
            "type": self.entry.type.name.lower(),
            "record": self.entry.record(),
        }
        return found | ({"texts": dict(self.texts)} if self.texts else {})


def entry_lines(shown: Shown) -> Iterator[str]:
    """A line with number, time (UTC), type and what was decided; then what it rests on, and who acted."""
    record = shown.entry.record()
    kind = shown.entry.type.name.lower()
    yield f"{shown.number:>6}  {_time(shown.entry.at)}  {kind:<8}  {_what(record)}"
    for line in _said(record, shown.texts):
        yield from textwrap.wrap(
            line, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT + "  ", break_on_hyphens=False
        )


def _what(record: dict[str, Any]) -> str:
    kind = record.get("kind")
    if kind == EVIDENCE:
        return f"{len(record['observations'])} observations"
    if kind == CHARTER:
        return f"version {record['version']}: {record['reason']}, hash {record['charter']}"
    if kind == SHARD:
        return f"of {record['log']} {record['year']} begins after {record['size']} entries of {record['file']}"
    if "action" in record:
        return f"{record['action']}: {record.get('reason', '')}"
    was, level = _level(record.get("was")), _level(record.get("level"))
    return f"{level if was == level else f'{was} -> {level}'}: {record.get('reason', '')}"


def _time(at: int) -> str:
    try:
        moment = datetime.fromtimestamp(at / 1000, UTC)
    except (ValueError, OverflowError):
        return f"{at} ms"  # after the year 9999
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _level(value: object) -> str:
    return _LEVELS[value] if isinstance(value, int) and 0 <= value < len(_LEVELS) else str(value)


def _said(record: dict[str, Any], texts: Mapping[str, str]) -> Iterator[str]:
    yield f"id {record.get('id', '')}"
    finding = record.get("finding")
    if isinstance(finding, dict):
        if rests := _pairs({name: value for name, value in finding.items() if name not in ("content", "detail")}):
            yield f"rests on: {rests}"
        if isinstance(content := finding.get("content"), dict) and (said := _pairs(content)):
            yield f"content: {said}"
    for row in record.get("observations", ()):
        yield f"observed: {_pairs(row)}"
    for change in record.get("difference", ()):
        yield f"changed: {_pairs(change)}"
    for field in sorted(_DISCLOSABLE | texts.keys()):
        if field in texts:
            yield f"{field}: {texts[field]} (disclosed; it matches the commitment)"
        elif (value := get(record, field)) and (hidden := committed(value)):
            yield f"{field}: not disclosed, commitment {hidden}"
        elif isinstance(value, str) and value:
            yield f"{field}: {value}"


def _pairs(fields: Mapping[str, Any]) -> str:
    """`name value` of each field that says something, in the order in which they stand."""
    empty: tuple[object, ...] = (None, "", [], {})
    said = {name: value for name, value in fields.items() if value is not False and value not in empty}
    return ", ".join(f"{name} {_value(value, name in _TIMES)}" for name, value in said.items())


def _value(value: object, time: bool = False) -> str:
    if time and isinstance(value, int):
        return _time(value)
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, dict):
        return f"({_pairs(value)})"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return str(value)
