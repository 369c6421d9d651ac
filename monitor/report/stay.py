"""The stay of a pilot, read from its ledger alone. Every number keeps where in the ledger it stands.

A `Number` is one of two kinds: a value in an entry (`entry`, and `at`, a JSON pointer into its body), or how many
entries there are of certain `reasons`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from monitor.notary.encoding import Entry, EntryType
from monitor.notary.typed import joined
from monitor.tlog.merkle import Frontier

Json = dict[str, Any]


class Number(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A number of a report with its place in the ledger. `standing` is the entry's number, for people."""

    value: bool | float | int | str | None
    unit: str = ""
    entry: str = ""
    standing: int = 0
    at: str = ""
    reasons: tuple[str, ...] = ()


class Stay:
    """The entries of one ledger as records, oldest first, with its root."""

    def __init__(self, entries: Iterable[Entry], leaves: Sequence[bytes] = ()) -> None:
        self.records: list[Json] = []
        self._documents: dict[str, Json] = {}
        parts: list[Json] = []  # of a charter
        for entry in entries:
            if entry.type.numbered:
                self.records.append(entry.record())
            elif entry.type is EntryType.CHARTER:
                parts.append(entry.record())
                if parts[-1]["part"] == parts[-1]["parts"]:
                    charter, parts = joined(parts), []
                    self._documents[charter["decision"]] = charter["document"]
        tree = Frontier()
        for leaf in leaves:
            tree.push(leaf)
        self.root, self.size = tree.root().hex(), tree.size

    def document(self, record: Json) -> Json:
        """The public part of the charter that a decision put in force, empty for one that put none."""
        found = self._documents.get(record["id"]) or record.get("document") or {}
        return dict(found)

    @property
    def pilot(self) -> str:
        """The id of the pilot."""
        return str(self.records[-1]["pilot"]) if self.records else ""

    def of(self, *reasons: str) -> list[Json]:
        """The decisions with one of these reasons."""
        return [record for record in self.records if record["reason"] in reasons]

    @property
    def exit(self) -> Json | None:
        """The decision of the exit with its numbers; else the last one about an exit; `None` without an exit."""
        ends = self.of("exited", "exit_pending")
        evaluated = [record for record in ends if "assessment" in record["finding"]]
        found = evaluated or ends
        return found[-1] if found else None

    def count(self, *reasons: str, unit: str = "") -> Number:
        """How many entries there are of these reasons."""
        return Number(value=len(self.of(*reasons)), unit=unit, reasons=reasons)


def value_at(body: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901). Raises KeyError or IndexError."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        body = body[int(name)] if isinstance(body, list) else body[name]
    return body


def number(record: Json, pointer: str, unit: str = "", default: float | None = None) -> Number:
    """The number at a place in an entry; `default` where the entry leaves it out."""
    try:
        value = value_at(record, pointer)
    except (KeyError, IndexError):
        value = default
    return Number(value=value, unit=unit, entry=record["id"], standing=record["standing"], at=pointer)
