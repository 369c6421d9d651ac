"""Comparisons of single values of a charter with those of its template. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

from msgspec import UNSET, Struct

from monitor.lifecycle.standards import span_ms


class Kind(StrEnum):
    """What became of a part of the template."""

    REMOVED = "removed"
    LOOSENED = "loosened"
    REPLACED = "replaced"  # by something that cannot be compared with it


class Deviation(Struct, frozen=True):
    """One part of a template that a charter has no longer, or less strictly. `field` is that of the charter, or the one
    under which the part was; `old` is the template's value as text, `new` the charter's ("" = none)."""

    kind: Kind
    field: str
    old: str
    new: str = ""

    def __str__(self) -> str:
        return f"{self.field}: {self.words()}"

    def words(self) -> str:
        """Without the field."""
        if self.kind is Kind.REMOVED:
            return f"removed; the toolkit has {self.old}"
        verb = "loosened" if self.kind is Kind.LOOSENED else "replaced"
        return f"{verb}: {self.new or 'nothing'} where the toolkit has {self.old or 'nothing'}"


Looser = Callable[[Any, Any], bool]
"""(template's value, charter's value) -> whether the charter's is less strict."""


def higher(old: Any, new: Any) -> bool:
    """Larger numbers are less strict."""
    return bool(new > old)


def lower(old: Any, new: Any) -> bool:
    """Smaller numbers are less strict."""
    return bool(new < old)


def longer(old: str | None, new: str | None) -> bool:
    """Longer spans, or none, are less strict."""
    if not new or not old:
        return bool(old) and not new
    return span_ms(new) > span_ms(old)


def shorter(old: str | None, new: str | None) -> bool:
    """Shorter spans, or none, are less strict."""
    if not new or not old:
        return bool(old) and not new
    return span_ms(new) < span_ms(old)


def compare(table: dict[str, Looser], old: Any, new: Any, at: str) -> Iterator[Deviation]:
    """The fields of a struct that are less strict in `new`, by a table of fields."""
    for name, looser in table.items():
        was, now = getattr(old, name), getattr(new, name)
        if looser(None if was is UNSET else was, None if now is UNSET else now):
            yield Deviation(Kind.LOOSENED, f"{at}{name}", shown(was), shown(now))


def shown(value: Any) -> str:
    """A value as text."""
    if value is None or value is UNSET:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
