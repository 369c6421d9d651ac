"""Uncounted events: accepted, but counted by no indicator of the charter because of their label. Pure.

A unit, measure, kind of claim, segment or currency that the charter does not know is a mistake of the firm or of the
charter. It is a finding that names the value and the nearest known one, once per pilot and value, and it stays active
while such events come.
Bound: `REPORTED_LABELS` values of 9 bytes each are remembered per pilot; further ones are counted, not named.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from monitor.charter.values import escaped
from monitor.compile.plan import CompiledIndicator, Plan
from monitor.model.events import ClaimClosed, ClaimFiled, CostReported, Envelope, ExposureTallied, ItemsTallied
from monitor.model.labels import LABEL_OF, Label, alike
from monitor.model.records import Finding

REPORTED_LABELS = 64  # values named per pilot
CACHED = 512  # labels whose result is cached per charter: 1 MiB at most, whatever firms send
LISTED, SHOWN = 5, 60  # values that a finding lists, and how many characters of each it shows
EFFORT = 50_000  # pairs of characters compared to find the nearest label: 5 ms
UNCOUNTED_KEY = "counted_nowhere"  # of the finding
# Types of events of which an indicator counts those with one label -> the field of that label.
SELECTING: dict[type[Envelope], str] = {
    ExposureTallied: "unit",
    ItemsTallied: "measure",
    ClaimFiled: "kind",
    ClaimClosed: "kind",
}
Selected: TypeAlias = Callable[[Sequence[Any]], set[Label]]


class ReportedLabels(Struct, array_like=True, gc=False):
    """What was reported of one pilot's labels: digests of those that were named, and when the last event counted
    nowhere (ms; `None` = never)."""

    values: list[int] = []
    last: int | None = None


class UncountedLabel(msgspec.Struct, frozen=True):
    """A label that counts nowhere, or not in the segment that it resembles: the `field` of `data`, its `value`, the
    values `known` to the charter. `elsewhere`: it counts in an indicator without segments."""

    field: str
    value: str
    known: tuple[str, ...]
    digest: int
    elsewhere: bool = False


def uncounted_label(plan: Plan, kind: type[Envelope], label: Label) -> UncountedLabel | None:
    """What is wrong with the label of an event of this type; `None` when it counts, or when no indicator reads such
    events."""
    fates: dict[tuple[type[Envelope], Label], UncountedLabel | None] = plan.fates
    at = (kind, label)
    if at not in fates:
        if len(fates) >= CACHED:
            fates.clear()
        fates[at] = _judged(plan, kind, label)
    return fates[at]


def counted_labels(plan: Plan, kind: type[Envelope]) -> tuple[Selected | None, frozenset[Label]]:
    """A function that reads the labels from payloads of this type, and the labels that count. `None` when every label
    counts, or when no indicator reads such events."""
    indicators = [indicator for indicator in plan.by_type.get(kind, ()) if indicator.late is None]
    if kind not in LABEL_OF or not indicators:
        return None, frozenset()
    segments = dict.fromkeys(
        ["", *(name for indicator in indicators if indicator.spec.segments for name in indicator.segments)]
    )
    if kind is CostReported:
        currencies = [getattr(indicator.implementation, "currency", None) for indicator in indicators]
        return (None, frozenset()) if None in currencies else (_currencies, frozenset(filter(None, currencies)))
    if kind not in SELECTING:
        if len(segments) == 1:
            return None, frozenset()
        return _segments, frozenset(name for name in segments if uncounted_label(plan, kind, name) is None)
    units = dict.fromkeys(one for indicator in indicators for one in _selected(indicator, kind) or (None,))
    if kind is ExposureTallied and len(segments) == 1:
        return (None, frozenset()) if None in units else (_units, frozenset(filter(None, units)))
    labels: list[Label] = [(unit, name) for unit in units if unit is not None for name in segments]
    counted = frozenset(label for label in labels if uncounted_label(plan, kind, label) is None)
    return _PAIRS[SELECTING[kind]], counted


def _selected(indicator: CompiledIndicator, kind: type[Envelope]) -> tuple[str, ...]:
    """The unit of exposure, measures of items or kinds of claims that an indicator counts; none: all of them."""
    if kind is ExposureTallied:
        return () if indicator.unit is None else (indicator.unit,)
    selects: tuple[str, ...] = getattr(indicator.implementation, "selects", ())
    return selects


def _units(
    data: Sequence[Any],
) -> set[Label]:  # these run per event: a getter passed in costs twice as much
    return {payload.unit for payload in data}


def _measures(data: Sequence[Any]) -> set[Label]:
    return {(payload.measure, payload.segment) for payload in data}


def _kinds(data: Sequence[Any]) -> set[Label]:
    return {(payload.kind, payload.segment) for payload in data}


def _segments(data: Sequence[Any]) -> set[Label]:
    return {payload.segment for payload in data}


def _both(data: Sequence[Any]) -> set[Label]:
    return {(payload.unit, payload.segment) for payload in data}


_PAIRS: dict[str, Selected] = {"unit": _both, "measure": _measures, "kind": _kinds}


def _currencies(data: Sequence[Any]) -> set[Label]:
    return {payload.currency for payload in data}


def label_of(event: Envelope) -> Label | None:
    """The label of an event; `None` for a type that has none."""
    getter = LABEL_OF.get(type(event))
    return None if getter is None else getter(event.data)  # type: ignore[attr-defined]


def uncounted_finding(found: UncountedLabel, last: bool) -> Finding:
    """What is recorded. `last`: no further value is named."""
    value = _quoted(found.value)
    where = "does not count in the segment that it resembles" if found.elsewhere else "counts nowhere"
    more = "; further values are only counted" if last else ""
    return Finding(rule=f"data.{found.field}", detail=f"data.{found.field} {value} {where}; {_hint(found)}{more}")


def _judged(plan: Plan, kind: type[Envelope], label: Label) -> UncountedLabel | None:
    indicators = [indicator for indicator in plan.by_type.get(kind, ()) if indicator.late is None]
    if not indicators:
        return None
    tag = str(kind.__struct_config__.tag)
    segment = label if isinstance(label, str) else label[-1]
    if kind is CostReported:
        currencies: dict[str, list[Any]] = {getattr(w.implementation, "currency", segment): [] for w in indicators}
        return None if segment in currencies else _uncounted(tag, "currency", segment, currencies)
    if kind in SELECTING:
        unit, field = label[0], SELECTING[kind]
        units = dict.fromkeys(one for indicator in indicators for one in _selected(indicator, kind))
        indicators = [indicator for indicator in indicators if unit in (_selected(indicator, kind) or (unit,))]
        if not indicators:
            is_cap = field == "unit" and unit == "users" and plan.user_cap is not None
            return None if is_cap else _uncounted(tag, field, unit, units)
    return _in_segments(tag, segment, indicators)


def _in_segments(tag: str, segment: str, indicators: list[CompiledIndicator]) -> UncountedLabel | None:
    listing = [indicator for indicator in indicators if indicator.spec.segments]
    known = {name: None for indicator in listing for name in indicator.segments}
    if segment in known:
        return None
    if len(listing) == len(indicators):
        return _uncounted(tag, "segment", segment, known)
    twin = alike(segment) in _alike(tuple(known))
    return _uncounted(tag, "segment", segment, known, elsewhere=True) if twin else None


@functools.lru_cache(maxsize=64)
def _alike(names: tuple[str, ...]) -> dict[str, str]:
    """Labels by what they have in common with others; the first of those that are alike."""
    return {alike(name): name for name in reversed(names)}


def _uncounted(tag: str, field: str, value: str, known: Any, elsewhere: bool = False) -> UncountedLabel:
    raw = blake2b(f"{tag}\n{field}\n{value}".encode(), digest_size=8).digest()
    return UncountedLabel(field, value, tuple(known), int.from_bytes(raw, "big"), elsewhere)


def _hint(found: UncountedLabel) -> str:
    twin = _alike(found.known).get(alike(found.value))
    if twin is not None:
        same = twin.casefold() == found.value.casefold()
        why = "Upper and lower case are told apart" if same else "It holds a character that cannot be seen"
        return f"did you mean {_quoted(twin)}? {why}"
    effort = len(found.value) * sum(map(len, found.known))  # characters that are compared, each with each
    near = difflib.get_close_matches(found.value, found.known, n=1) if effort <= EFFORT else []
    if near:
        return f"did you mean {_quoted(near[0])}?"
    more = f" and {len(found.known) - LISTED} more" if len(found.known) > LISTED else ""
    return f"the charter knows {', '.join(map(_quoted, found.known[:LISTED]))}{more}"


def _quoted(text: str) -> str:
    short = escaped(text[:SHOWN])
    return f"'{short}...'" if len(text) > SHOWN else f"'{short}'"
