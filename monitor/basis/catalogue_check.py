"""Validation of a catalogue of clauses: every mistake with its field, what is wrong, and the fix. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

import msgspec
from msgspec import UnsetType

from monitor.basis.catalogue import Catalogue, Instrument
from monitor.charter.values import Flaw, text_flaws


def catalogue_flaws(catalogue: Catalogue) -> Iterator[Flaw]:
    """Every mistake that the types do not exclude, in the order of the fields."""
    yield from text_flaws(msgspec.to_builtins(catalogue, str_keys=True))
    for field, every in (
        ("objectives", catalogue.objectives),
        ("instruments", catalogue.instruments),
        ("clauses", catalogue.clauses),
    ):
        yield from _twice(field, (one.id for one in every))
    instruments = {one.id: one for one in catalogue.instruments}
    for index, instrument in enumerate(catalogue.instruments):
        yield from _instrument(f"instruments[{index}]", instrument, instruments)
    objectives = {one.id for one in catalogue.objectives}
    clauses = {one.id for one in catalogue.clauses}
    for index, clause in enumerate(catalogue.clauses):
        at = f"clauses[{index}]"
        if clause.instrument not in instruments:
            yield Flaw(f"{at}.instrument", f"there is no instrument {clause.instrument!r}", _one_of(instruments))
        if clause.objective not in objectives:
            yield Flaw(f"{at}.objective", f"there is no objective {clause.objective!r}", _one_of(objectives))
        if clause.replaced_by and (clause.replaced_by not in clauses or clause.replaced_by == clause.id):
            yield Flaw(f"{at}.replaced_by", f"{clause.replaced_by!r} is no other clause", "write its successor")
        if clause.replaced_by and clause.status != "repealed":
            yield Flaw(f"{at}.replaced_by", "only a repealed clause is replaced", "write status: repealed")


def _instrument(at: str, one: Instrument, known: dict[str, Instrument]) -> Iterator[Flaw]:
    days: list[date] = []
    for field, day in (("issued", one.issued), ("in_force", one.in_force)):
        if isinstance(day, UnsetType):
            continue
        try:
            days.append(date.fromisoformat(day))
        except ValueError:
            yield Flaw(f"{at}.{field}", f"{day} is not a day of the calendar", "write a date that exists")
    if len(days) == 2 and days[1] < days[0]:
        yield Flaw(f"{at}.in_force", "is before it was issued", "write the day from which it applies")
    if one.replaced_by and (one.replaced_by not in known or one.replaced_by == one.id):
        yield Flaw(f"{at}.replaced_by", f"{one.replaced_by!r} is no other instrument", "write its successor")
    if one.replaced_by and one.status != "repealed":
        yield Flaw(f"{at}.replaced_by", "only a repealed instrument is replaced", "write status: repealed")


def _twice(field: str, names: Iterable[str]) -> Iterator[Flaw]:
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        first = seen.setdefault(name, index)
        if first != index:
            yield Flaw(f"{field}[{index}].id", f"{name} is also {field}[{first}]", "write another id")


def _one_of(names: Iterable[str]) -> str:
    return f"write one of {', '.join(sorted(names)[:12])}, or add it"
