"""The typed numbers of an annual report: sections of measures, measures of figures, and the entries behind each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from msgspec import Struct, field

from monitor.public_record.ledgers import LedgerFile, Remark
from monitor.public_record.measures import MEASURES
from monitor.public_record.sections import SECTIONS

Record = dict[str, Any]


class Figure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One number. `of` has one value per dimension of its measure, none for a total. `low` and `high`: an interval,
    where the number is an estimate. `entries`: subject to the numbers (`standing`) of the decisions that it counts;
    `periods`: file of evidence to its first and last entry that the number rests on, from 0."""

    of: tuple[str, ...] = ()
    value: float | int | None = None
    low: float | None = None
    high: float | None = None
    entries: dict[str, tuple[int, ...]] = {}
    periods: dict[str, tuple[int, int]] = {}


class Measure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is counted or estimated: `definition` says how, `by` names the dimensions of its figures."""

    id: str
    title: str
    definition: str
    by: tuple[str, ...] = ()
    unit: str = ""
    figures: tuple[Figure, ...] = ()


class Section(Struct, frozen=True, kw_only=True):
    """Measures that belong together."""

    id: str
    title: str
    basis: str
    measures: tuple[Measure, ...]


class Annual(Struct, frozen=True, kw_only=True):
    """The report of a year (UTC): decisions from `since` to before `until`, periods that end after `since` and at the
    latest at `until` (ms). `ledgers` are the files that were read, with size and root; `remarks` what they lack."""

    schema: str
    sandbox: str
    year: int
    since: int
    until: int
    ledgers: tuple[LedgerFile, ...]
    remarks: tuple[Remark, ...]
    sections: tuple[Section, ...]

    def measure(self, name: str) -> Measure:
        """The measure with this id. Raises KeyError."""
        for section in self.sections:
            for measure in section.measures:
                if measure.id == name:
                    return measure
        raise KeyError(name)

    def value(self, name: str, *of: str) -> float | int | None:
        """The value of a figure; 0 for a group of a count that has no entry, `None` for other figures that are not
        there. Raises KeyError for a measure that does not exist."""
        measure = self.measure(name)
        found = next((one.value for one in measure.figures if one.of == of), None)
        return 0 if found is None and measure.unit == "" else found


class _Counted(Struct):
    value: float = 0.0
    entries: dict[str, list[int]] = field(default_factory=dict)


class Collector:
    """Counts entries and collects samples by measure and group; `sections()` makes the figures of them."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[tuple[str, ...], _Counted]] = {}
        self._figures: dict[str, list[Figure]] = {}
        self._samples: dict[str, list[tuple[float, Record]]] = {}

    def count(self, measure: str, record: Record, *of: str) -> None:
        """One more of a measure, because of this decision."""
        self.add(measure, 1, record, *of)

    def add(self, measure: str, amount: float, record: Record, *of: str) -> None:
        """So many more of a measure, because of this decision."""
        group = self._counts.setdefault(measure, {}).setdefault(of, _Counted())
        group.value += amount
        group.entries.setdefault(record["pilot"], []).append(record["standing"])

    def value(self, measure: str, value: float, record: Record, *of: str) -> None:
        """A number that stands in this decision."""
        self.figure(measure, Figure(of=of, value=value, entries={record["pilot"]: (record["standing"],)}))

    def sample(self, measure: str, value: float, record: Record) -> None:
        """A value of which median and largest are reported, as `MEASURE.median` and `MEASURE.largest`."""
        self._samples.setdefault(measure, []).append((value, record))

    def figure(self, measure: str, made: Figure) -> None:
        """A figure that is computed elsewhere."""
        self._figures.setdefault(measure, []).append(made)

    def figures(self, measure: str) -> tuple[Figure, ...]:
        """The figures that were computed elsewhere so far."""
        return tuple(self._figures.get(measure, ()))

    def counted(self, measure: str, by: int) -> tuple[Figure, ...]:
        """The groups that were counted so far; `by` is the number of dimensions."""
        return tuple(one for one in self._counted(measure, ("",) * by))

    def sections(self) -> tuple[Section, ...]:
        """Every section and measure, in the order of the table; a total of nothing is 0."""
        return tuple(
            Section(id=id_, title=title, basis=basis, measures=tuple(map(self._measure, names)))
            for id_, title, basis, names in SECTIONS
        )

    def _measure(self, name: str) -> Measure:
        title, definition, by, unit = MEASURES[name]
        figures = [*self._figures.get(name, ()), *self._counted(name, by), *self._sampled(name)]
        return Measure(id=name, title=title, definition=definition, by=by, unit=unit, figures=tuple(figures))

    def _counted(self, name: str, by: Sequence[str]) -> Iterable[Figure]:
        found = self._counts.get(name, {})
        if not found and not by and name not in self._figures and not name.endswith(_SUMMARIES):
            return [Figure(value=0)]
        return [
            Figure(of=of, value=_whole(one.value), entries=_refs(one.entries.items()))
            for of, one in sorted(found.items())
        ]

    def _sampled(self, name: str) -> Iterable[Figure]:
        base, _, which = name.rpartition(".")
        values = self._samples.get(base) if f".{which}" in _SUMMARIES else None
        if not values:
            return [Figure(value=None)] if f".{which}" in _SUMMARIES else []
        entries: dict[str, list[int]] = {}
        for _, record in values:
            entries.setdefault(record["pilot"], []).append(record["standing"])
        numbers = [value for value, _ in values]
        value = median(numbers) if which == "median" else max(numbers)
        return [Figure(value=digits(value), entries=_refs(entries.items()))]


_SUMMARIES = (".median", ".largest")


def digits(value: float) -> float:
    """Rounded to six significant digits, so that every machine writes the same."""
    return float(f"{value:.6g}")


def _whole(value: float) -> float | int:
    return int(value) if value == int(value) else digits(value)


def _refs(entries: Iterable[tuple[str, list[int]]]) -> dict[str, tuple[int, ...]]:
    return {subject: tuple(sorted(numbers)) for subject, numbers in sorted(entries)}
