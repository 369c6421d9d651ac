"""What an indicator measures, in the unit that people read: shares in per cent, durations in hours, money in its
currency, counts over their exposure. Charts, sentences and reports take value, limit and unit from here. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct

from monitor.charter.spec import Charter, IndicatorSpec
from monitor.projections.formats import figure, percent
from monitor.translation import tr

MeasureKind: TypeAlias = Literal["count", "share", "duration", "money", "gain", "value"]

HANDLING_TIME = "complaint_handling_time"
_OBSERVED: dict[str, MeasureKind] = {"count": "count", "proportion": "share", "gauge": "value"}
_HOUR = 3600.0


class Measure(Struct, frozen=True):
    """What the numbers of a period mean.

    `count`: events in a period; `share`: events of trials; `duration`: the mean in seconds; `money`: an amount in
    `unit`; `gain`: a share that may be negative; `value`: a number without a unit. `unit` is that of the exposure for
    counts. `limit` is what the charter allows: events per unit of exposure (with the margin of its uncertainty) for
    counts, else a value as drawn; `None` without a limit. `below`: the limit is a minimum.
    """

    kind: MeasureKind
    unit: str = ""
    limit: float | None = None
    below: bool = False

    def value(self, k: float, m: float) -> float | None:
        """The value of a period with `k` events (or the value of a gauge) over `m` exposure or trials; `None` where it
        has none: no trials, or a mean duration while nothing ended."""
        if self.kind == "share":
            return k / m if m else None
        if self.kind == "duration":
            return m / k * _HOUR if k else None
        return k

    def allowed(self, m: float) -> float | None:
        """What the limit allows in a period of exposure `m`, in the unit of `value`; `None` without a limit."""
        if self.limit is None:
            return None
        return self.limit * m if self.kind == "count" else self.limit

    def violated(self, value: float, m: float) -> bool:
        """Whether a value is on the wrong side of the limit."""
        allowed = self.allowed(m)
        return allowed is not None and (value < allowed if self.below else value > allowed)

    def scale(self, values: Iterable[float]) -> Scaled:
        """The unit in which values up to these are written, one for a whole axis; of durations that of the limit."""
        if self.kind in ("share", "gain"):
            return Scaled(0.01, "%")
        if self.kind == "duration":
            return duration_scale(self.limit if self.limit is not None else max(map(abs, values), default=0.0))
        return Scaled(1.0, self.unit if self.kind == "money" else "")

    def write(self, value: float) -> str:
        """A value with its unit.

        >>> Measure("duration").write(240 * 3600.0), Measure("share").write(0.0476), Measure("money", "EUR").write(1500)
        ('240 h', '4.76 %', '1,500 EUR')
        """
        return self.scale((value,)).write(value)


class Scaled(NamedTuple):
    """The unit of an axis: a value is divided by `by` and followed by `unit`."""

    by: float
    unit: str

    def write(self, value: float) -> str:
        """A value in this unit.

        >>> Scaled(3600.0, "h").write(5400.0)
        '1.5 h'
        """
        if self.unit == "%":
            return percent(value)
        return f"{figure(float(f'{value / self.by:.12g}'))} {self.unit}".rstrip()


def duration_scale(seconds: float) -> Scaled:
    """Seconds, minutes, hours or days, so that the number stays readable.

    >>> [duration_scale(s).write(s) for s in (0.05, 90, 1800, 240 * 3600, 90 * 86400)]
    ['0.05 s', '90 s', '30 min', '240 h', '90 days']
    """
    if seconds < 120:
        return Scaled(1.0, "s")
    if seconds < 120 * 60:
        return Scaled(60.0, "min")
    return Scaled(_HOUR, "h") if seconds < 500 * _HOUR else Scaled(24 * _HOUR, tr("days"))


def measure_of(spec: IndicatorSpec | None, observed: str) -> Measure:
    """What an indicator measures. `observed` is the kind of its evidence (`count`, `proportion`, `gauge`), which is all
    that is known without the charter (`spec` is `None`)."""
    kind = _OBSERVED.get(observed, "value")
    if spec is None:
        return Measure(kind)
    nominal, below = None if compares_segments(spec) else spec.nominal(), spec.direction == "below"
    if spec.kind == HANDLING_TIME:  # its detectors see a rate of resolving; people see the mean time
        return Measure("duration", "", None if nominal is None else nominal * _HOUR, below)
    if kind == "count":
        margin = 1 + (spec.exposure.uncertainty if spec.exposure is not None else 0.0)
        rate = None if nominal is None else nominal / spec.per
        allowed = None if rate is None else rate / margin if below else rate * margin
        return Measure("count", spec.exposure.unit if spec.exposure is not None else "", allowed, below)
    if kind == "value":
        currency = spec.params.get("currency")
        kind = "money" if currency else "gain" if spec.kind == "efficiency_gain" else "value"
        return Measure(kind, str(currency or ""), nominal, below)
    return Measure(kind, "", nominal, below)


def unit_words(unit: str) -> str:
    """A unit of exposure in the plural, as the charter names it.

    >>> unit_words("driverless_mile"), unit_words("decisions")
    ('driverless miles', 'decisions')
    """
    name = unit.replace("_", " ").strip()
    return name + ("" if not name or name.endswith("s") or not name.isascii() else "s")


def counts_at_least(spec: IndicatorSpec | None) -> bool:
    """Whether the limit is a least number of what detectors count. Of a mean time they count what ended, so a longest
    mean is a least number."""
    if spec is None:
        return False
    return (spec.direction == "below") is not (spec.kind == HANDLING_TIME)


def compares_segments(spec: IndicatorSpec) -> bool:
    """Whether the limit is a multiple of the rate of the other segments, and none on a value."""
    return bool(spec.detectors) and all(one.name == "disparity" for one in spec.detectors)


def spec_of(charter: Charter | None, indicator: str) -> IndicatorSpec | None:
    """The indicator of that name; `None` where the charter, or the indicator in it, is not known."""
    if charter is None:
        return None
    return next((spec for spec in charter.indicators if spec.name == indicator), None)
