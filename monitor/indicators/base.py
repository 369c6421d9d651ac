"""The protocol of indicators: a pure map from one event to increments of periods, and helpers to write one. Pure.

Segments: a charter that lists none puts everything under the segment "". A charter that lists some counts each listed
segment separately; an event with another segment, or none, counts nowhere in that indicator (`charter check` warns; add
a second indicator without segments).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from detectors.base import Observation
from monitor.charter.spec import IndicatorSpec
from monitor.model.events import Envelope
from monitor.model.labels import tidy

Direction: TypeAlias = Literal["above", "below"]
Aggregate: TypeAlias = Literal["sum", "mean"]
P = TypeVar("P", bound=msgspec.Struct)
T = TypeVar("T")
Label: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]  # of `params`, such as a measure
Labels: TypeAlias = Annotated[tuple[Label, ...], Meta(min_length=1, max_length=16)]
EXACT = 2.0**53  # below it a float holds every whole number


class Slot(NamedTuple):
    """An increment at the period of `segment` that holds `at` (ms).

    `k` adds events (or a gauge's sum), `m` adds exposure or trials (or a gauge's number of values); both may be
    negative where a later event takes back an earlier one; the observe stage keeps the sums of a period within `0 <= k`
    (`<= m` for a proportion). `stock` changes the number of open items from `at` on: the observe stage adds stock x
    hours to `m` of every period in which they stay open.
    """

    at: int
    segment: str
    k: float
    m: float
    stock: float = 0.0


class OpenPeriod(msgspec.Struct, array_like=True, gc=False):
    """An open period: `k` events, `m` exposure or trials, `tallies` of exposure seen, change of `stock`, events `used`
    by statistics of an earlier share of alpha, and `held`: the stock integrated to the period's end (stock x ms; whole
    numbers, so their order does not matter)."""

    k: float = 0.0
    m: float = 0.0
    tallies: int = 0
    stock: float = 0.0
    used: float = 0.0
    held: float = 0.0

    def lighten(self) -> None:
        """Share one object for fields that are zero, as before decoding: most are."""
        self.stock = self.stock or 0.0
        self.used = self.used or 0.0
        self.held = self.held or 0.0

    def tally(self, amounts: Sequence[float]) -> None:
        """Add amounts of exposure one by one, so that the sum does not depend on how they are grouped."""
        m = self.m
        for amount in amounts:
            m += amount
        self.m = m
        self.tallies += len(amounts)


class Indicator(Protocol):
    """The extension point: which events it reads, which observation it makes, and `slots`, which counts.

    Built as `INDICATORS[spec.kind](spec)` from its `IndicatorSpec`; the constructor raises `BadSpec` for a
    specification it cannot use. Contract, held by `tests/contract/test_indicators.py` for everything in
    `INDICATORS`: `slots` is pure, finite and bounded, and names only segments that the charter lists.

    Optional, looked up once when a charter is compiled: the protocols `Folding` and `Receiving`; `promise` (a span: how
    long after an event it may fall due, so its period stays open for as long); `currency` (events in another one do not
    count); `selects` (the measures of items, or the kinds of claims, that count: others do not).
    """

    @property
    def reads(self) -> tuple[type[Envelope], ...]:
        """The event types that `slots` is called with."""

    @property
    def observes(self) -> type[Observation]:
        """The observation of a closed period: `Count(k, m)`, `Proportion(k, n=m)`, `Gauge` (see `aggregate`), or
        `Gap` for silence, whose `slots` are empty."""

    @property
    def aggregate(self) -> Aggregate:
        """A gauge's value is `k` for "sum" and `k / m` for "mean"; a period with `m == 0` makes no observation."""

    @property
    def limit(self) -> float | None:
        """The charter's limit in the units of the observation: of `k / m`, of the share, or of the gauge's value."""

    @property
    def direction(self) -> Direction:
        """On which side of `limit` that number violates it; it may differ from the side of the charter's number."""

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        """Increments caused by `event`, an instance of one of `reads`, received at `received` (ms)."""


class Folding(Protocol):
    """Optional, for speed: adds a run of events to the open periods in one call.

    Contract, held by `tests/contract/test_indicators.py` for every indicator that has it: `fold` gives the same
    periods, bit for bit, as adding the `slots` of each event (see `monitor/observe/events.py`), also when the events of
    one type are folded before those of another; of a count over exposure, a tally of exposure adds to `m` alone, at
    most its amount and only in the charter's unit, and any other event at most 1 to `k` and nothing to `m`.
    """

    @property
    def placed_by(self) -> Literal["time", "received", "due"]:
        """The time of every slot: the event's `time`, its reception, or another time ("due"; only for a proportion or a
        gauge, as then no event may raise the evidence of a closed period)."""

    def fold(
        self, events: Sequence[Envelope], data: Sequence[Any], received: int, calm: bool, opened: Mapping[Any, Any]
    ) -> None:
        """Add one or more events, received at `received` (ms), to the period that holds all of them.

        Placed by time, or due, they are of one type of `reads`, and `data` are their payloads; placed by reception they
        are of any of `reads`. `calm`: `received` is before the time that `steady` returns for them. `opened` maps a
        listed segment ("" without a list) to the period, and creates it on first access: access none without a slot.
        Placed as due, it maps (segment, index of the period) to the period, or to `None` when that is closed and
        nothing is to be done."""


class Receiving(Protocol):
    """For a folding indicator whose slots are placed by reception."""

    def steady(self, since: int) -> int:
        """The time of reception (ms, excluded) up to which events that are not older than `since` (ms) fold alike,
        whenever within one period they were received."""


Factory: TypeAlias = Callable[[IndicatorSpec], Indicator]


class BadSpec(ValueError):
    """An indicator cannot be built from its specification: `field` (dotted, inside the indicator), `problem`, `fix`."""

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(f"{field}: {problem}; {fix}")
        self.field, self.problem, self.fix = field, problem, fix


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For indicators without parameters: any entry in `params` is reported as a mistake."""


def params(spec: IndicatorSpec, kind: type[P]) -> P:
    """`spec.params` as the indicator's own struct. Raises BadSpec naming the parameter."""
    try:
        return msgspec.convert(spec.params, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        message, _, path = text.partition(" - at `$")
        named = re.search(r"field `(\w+)`", message)
        field = "params" + path.rstrip("`") + (f".{named[1]}" if named else "")
        names = ", ".join(kind.__struct_fields__)
        raise BadSpec(field, message, f"{spec.kind} takes {names}" if names else "remove it") from None


def listed(spec: IndicatorSpec, segment: str) -> str | None:
    """The segment to count `segment` under: "" when the charter lists none, `None` when it is not listed."""
    if not spec.segments:
        return ""
    return segment if segment in spec.segments else None


def by_segment(spec: IndicatorSpec, items: Sequence[T], data: Sequence[Any]) -> Iterable[tuple[str, Sequence[T]]]:
    """Events, or their payloads, by the segment under which they count; without those that count nowhere."""
    if not spec.segments:
        return (("", items),) if items else ()
    found: dict[str, list[T]] = {segment: [] for segment in spec.segments}
    for item, payload in zip(items, data, strict=True):
        if payload.segment in found:
            found[payload.segment].append(item)
    return [(segment, some) for segment, some in found.items() if some]


def added(start: float, numbers: Sequence[int]) -> float:
    """A sum of whole numbers with more of them added, rounded as if they were added one by one."""
    total = start + sum(numbers)
    if total < EXACT:  # no partial sum was rounded
        return total
    for number in numbers:
        start += number
    return start


class InOneUnit(list[Any]):
    """Payloads of exposure tallies that are known to be in one unit, so that indicators need not check each."""

    __slots__ = ("unit",)

    def __init__(self, data: Iterable[Any], unit: str) -> None:
        super().__init__(data)
        self.unit = unit


def fold_exposure(spec: IndicatorSpec, unit: str, data: Sequence[Any], opened: Mapping[str, OpenPeriod]) -> None:
    """Add exposure tallies in `unit` to open periods, as `Folding.fold` must."""
    known = isinstance(data, InOneUnit) and data.unit == unit
    if not known and [tally.unit for tally in data].count(unit) != len(data):
        data = [tally for tally in data if tally.unit == unit]
    if not spec.segments:
        if data:
            opened[""].tally([tally.amount for tally in data])
        return
    for tally in data:
        if tally.segment in spec.segments:
            opened[tally.segment].tally((tally.amount,))


def fold_count(spec: IndicatorSpec, data: Sequence[Any], opened: Mapping[str, OpenPeriod]) -> None:
    """Count each event once in its segment, as `Folding.fold` must."""
    if not spec.segments:
        if data:
            opened[""].k += len(data)
        return
    for payload in data:
        if payload.segment in spec.segments:
            opened[payload.segment].k += 1.0


def selected(labels: str | tuple[str, ...]) -> tuple[str, ...]:
    """One or several labels of `params`, each once, in the form in which labels of events are compared. Raises BadSpec
    for one of blanks."""
    found = tuple(dict.fromkeys(map(tidy, (labels,) if isinstance(labels, str) else labels)))
    if not all(found):
        raise BadSpec("params", "a label of blanks selects nothing", "write the label that the events carry")
    return found


def require_exposure(spec: IndicatorSpec) -> str:
    """The exposure unit a rate is counted over. Raises BadSpec when the charter states none."""
    if spec.exposure is None:
        raise BadSpec("exposure", "a rate needs the exposure over which it is counted", "add `exposure: {unit: ...}`")
    return spec.exposure.unit


def require_share(spec: IndicatorSpec) -> float | None:
    """The limit of a proportion. Raises BadSpec when it is no share or is scaled by `per`."""
    if spec.limit is not None and spec.limit >= 1:
        raise BadSpec(
            "limit", f"{spec.limit:g} is no limit on a share", "write it between 0 and 1, such as 0.3 for 30 %"
        )
    if spec.per != 1:
        raise BadSpec("per", "a share has no exposure to scale by", "remove it")
    return spec.limit


def refuse_segments(spec: IndicatorSpec) -> None:
    """Raises BadSpec for an indicator whose events carry no segment."""
    if spec.segments:
        raise BadSpec("segments", f"the events that {spec.kind} reads carry no segment", "remove them")
