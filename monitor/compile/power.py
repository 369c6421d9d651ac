"""Power at admission: with the planned exposure, which excess is found by when, with which probability. Pure.

Computed (`detectors/power.py`) for each indicator whose limit is watched by the halting e-process, from the charter
alone: limit, share of alpha, assumed variance/mean, exposure of a period, and the length of the cycle. The true rate is
a multiple of the limit as the charter states it, from the start of the cycle on, and all data is complete. Provisional
evidence, hard rules and other detectors can only find it earlier.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise
from math import ceil, floor

import msgspec
from msgspec import UNSET, Struct, structs

from detectors import build
from detectors.base import Proportion
from detectors.e_process import LimitEProcess
from detectors.power import Curve, Planned, power, smallest_exposure
from monitor.charter.spec import Charter, PowerSpec
from monitor.compile.lint_indicator import HALTING
from monitor.compile.plan import DAY_MS, STRICT, CompiledIndicator, design_of, plan_of
from monitor.compile.problem import Problem
from monitor.model.labels import tidy
from monitor.model.periods import parse_span

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0)  # of the rate to the limit (inverted for direction `below`)
# Left out: events received and hours of open complaints are no exposure that can be planned.
NOT_PLANNED = ("late_share", "complaint_handling_time")
WEEK_MS = 7 * DAY_MS
_WORDS = {2.0: ("a doubling", "a halving"), 3.0: ("a tripling", "a fall to a third")}
_EACH = {"1h": "an hour", "1d": "a day", "1w": "a week", "1mo": "a month", "1m": "a minute"}


class RatioPower(Struct, frozen=True):
    """An excess of `ratio`: the probability that it is found in time, and the days until it is found with the
    probability that the charter asks for (`None`: not in time)."""

    ratio: float
    found: float
    days: float | None


class IndicatorPower(Struct, frozen=True):
    """The power of one indicator (of each of its segments). `exposure`: of a period, over all segments, and whether it
    is `planned` or the most that the charter allows; `None` if the charter states neither, and then nothing is
    computed. `needed`: the exposure of a period with which `asked` would be found in time; `None` if that is given, or
    more than 10,000 times as much."""

    indicator: str
    field: str
    level: str
    limit: str
    unit: str
    per_period: str
    exposure: float | None
    planned: bool
    segments: int
    days: float
    probability: float
    asked: RatioPower | None = None
    ratios: tuple[RatioPower, ...] = ()
    needed: float | None = None

    @property
    def enough(self) -> bool:
        """Whether the excess that the charter asks for is found in time."""
        return self.asked is not None and self.asked.found >= self.probability

    @property
    def sentence(self) -> str:
        """What the plan can find, in one sentence."""
        if self.asked is None or self.exposure is None:
            return f"{self.indicator}: the exposure of a period is not stated, so the power is not known"
        most = "" if self.planned else "at most "
        where = f"With {most}{self.exposure:,.10g} {self.unit} {self.per_period} at {self.limit}"
        if self.segments > 1:
            where += f" in {self.segments} segments"
        what, asked, time = ratio_words(self.asked.ratio), _percent(self.probability), span_words(self.days)
        if self.enough:
            soon = span_words(self.days if self.asked.days is None else self.asked.days, up=True)
            return f"{where}, {what} is found within {soon} with a probability of {asked}"
        found = _percent(self.asked.found)
        return f"{where}, {what} cannot be seen in {time} with a probability of {asked} (it is {found})"


def asked_power(charter: Charter, ratios: tuple[float, ...] = ()) -> list[IndicatorPower]:
    """As `power_of`, for the ratio that the charter asks for and `ratios` only, and without what would be needed, which
    takes most of the time. A machine asks several times for one charter, so the last results are kept."""
    return list(_asked(msgspec.msgpack.encode(charter), ratios))


@functools.lru_cache(maxsize=64)
def _asked(raw: bytes, ratios: tuple[float, ...]) -> tuple[IndicatorPower, ...]:
    return tuple(_powers(msgspec.msgpack.decode(raw, type=Charter), ratios, False))


def power_of(charter: Charter) -> list[IndicatorPower]:
    """The power of each indicator of a charter without errors that has a halting e-process, in their order."""
    return _powers(charter, RATIOS, True)


def _powers(charter: Charter, ratios: tuple[float, ...], needed: bool) -> list[IndicatorPower]:
    return [
        _of(charter, indicator, f"indicators[{number}]", ratios, needed)
        for number, indicator in enumerate(plan_of(charter).indicators)
        if indicator.spec.kind not in NOT_PLANNED and any(w.name == HALTING for w in indicator.spec.detectors)
    ]


def power_problems(charter: Charter, powers: Sequence[IndicatorPower]) -> list[Problem]:
    """A finding for each indicator that cannot find what it is asked for: an error in tiers high and critical, else a
    warning. In these tiers also a warning for an indicator that may halt and states no exposure."""
    strict = charter.tier in STRICT
    found = []
    for one in powers:
        if one.asked is None:
            if strict and one.level == "halt":
                fix = "add `power: {exposure: ...}`, what a period is planned to hold"
                found.append(Problem("warning", f"{one.field}.power", one.sentence.split(": ", 1)[1], fix))
        elif not one.enough:
            found.append(Problem("error" if strict else "warning", f"{one.field}.power", one.sentence, _fix(one)))
    return found


def ratio_words(ratio: float) -> str:
    """A rate ratio as people say it.

    >>> ratio_words(2.0), ratio_words(1.5), ratio_words(0.5), ratio_words(0.8)
    ('a doubling', 'a rise to 1.5 times the limit', 'a halving', 'a fall to 0.8 times the limit')
    """
    for known, (rise, fall) in _WORDS.items():
        if abs(ratio - known) < 1e-9 or abs(ratio - 1 / known) < 1e-9:
            return rise if ratio > 1 else fall
    return f"a {'rise' if ratio > 1 else 'fall'} to {ratio:.3g} times the limit"


def span_words(days: float, up: bool = False) -> str:
    """A length of time in whole weeks from a fortnight on, else in days, hours, minutes or seconds, rounded down or
    `up`.

    >>> span_words(84), span_words(118), span_words(118, up=True), span_words(10), span_words(0.25)
    ('12 weeks', '16 weeks', '17 weeks', '10 days', '6 hours')
    """
    steps = ((14.0, 7.0, "week"), (1.0, 1.0, "day"), (1 / 24, 1 / 24, "hour"), (1 / 1440, 1 / 1440, "minute"))
    size, word = next(((size, word) for least, size, word in steps if days >= least), (1 / 86400, "second"))
    number = max(1, ceil(days / size - 1e-6) if up else floor(days / size + 1e-6))
    return f"{number} {word}{'' if number == 1 else 's'}"


def _of(
    charter: Charter, indicator: CompiledIndicator, field: str, ratios: tuple[float, ...], find_needed: bool
) -> IndicatorPower:
    spec = indicator.spec
    asked = PowerSpec() if spec.power is UNSET else spec.power
    segments = len(indicator.segments)
    exposure, planned = _exposure(charter, indicator, asked)
    ends = _ends(charter, indicator, asked)
    start = plan_of(charter).cycle[0]
    level = next(w.level for w in spec.detectors if w.name == HALTING)
    empty = IndicatorPower(
        indicator=spec.name, field=field, level=level, limit=_limit(indicator), unit=_unit(indicator),
        per_period=_EACH.get(spec.period, f"per {spec.period}"), exposure=exposure, planned=planned, segments=segments,
        days=(ends.stop_ms - start) / DAY_MS, probability=asked.probability,
    )  # fmt: skip
    nominal = spec.nominal()
    if exposure is None or nominal is None:
        return empty
    sign = 1 if indicator.implementation.direction == "above" else -1
    if ends.count < 1:  # no period closes in time
        return structs.replace(empty, asked=RatioPower(asked.ratio**sign, 0.0, None))
    parameters = next(w.params for w in spec.detectors if w.name == HALTING)
    detector = build(HALTING, design_of(charter, indicator, 1), parameters)
    assert isinstance(detector, LimitEProcess)
    is_proportion = indicator.observes is Proportion
    rate = nominal / (1.0 if is_proportion else spec.per)

    def planned_at(ratio: float) -> Planned:
        true = rate * ratio**sign
        return Planned(exposure / segments, ends.count, min(true, 1 - 1e-9) if is_proportion else true, is_proportion)

    def row(ratio: float) -> RatioPower:
        curve: Curve = power(detector, planned_at(ratio))
        when = curve.when(asked.probability)
        return RatioPower(ratio**sign, curve.by(ends.count), None if when is None else ends.days(when))

    rows = tuple(row(ratio) for ratio in ratios)
    wanted = next((one for one in rows if one.ratio == asked.ratio**sign), None) or row(asked.ratio)
    needed = None
    if find_needed and wanted.found < asked.probability:
        needed = smallest_exposure(detector, planned_at(asked.ratio), asked.probability)
        needed = None if needed is None else needed * segments
    return structs.replace(empty, asked=wanted, ratios=rows, needed=needed)


class _Ends(Struct, frozen=True):
    """The periods that close in time: `count` of them, each of `length` days and closed `delay` days after its end,
    until `stop_ms`."""

    count: int
    length: float
    delay: float
    stop_ms: int

    def days(self, periods: int) -> float:
        """Days from the start until so many periods are closed."""
        return periods * self.length + self.delay


def _ends(charter: Charter, indicator: CompiledIndicator, asked: PowerSpec) -> _Ends:
    start, stop = plan_of(charter).cycle
    if asked.within is not None:
        stop = min(stop, parse_span(asked.within).after(start))
    grid, delay = indicator.grid, indicator.delay.after(0)
    count = max(0, grid.index(stop - delay) - grid.index(start)) if stop - delay > start else 0
    return _Ends(count, indicator.length / DAY_MS, delay / DAY_MS, stop)


def _exposure(charter: Charter, indicator: CompiledIndicator, asked: PowerSpec) -> tuple[float | None, bool]:
    """What a period is planned to hold, or else the most that caps allow."""
    if asked.exposure is not None:
        return asked.exposure, True
    caps = [] if indicator.cap is None else [indicator.cap * len(indicator.segments)]
    if charter.users.cap is not None and indicator.unit == tidy("users"):
        caps.append(float(charter.users.cap))
    return (min(caps), False) if caps else (None, False)


def _limit(indicator: CompiledIndicator) -> str:
    spec, nominal = indicator.spec, indicator.spec.nominal()
    if nominal is None:
        return "no limit"
    if indicator.observes is Proportion:
        return _percent(nominal)
    if spec.per == 1:
        return f"{nominal:.4g} per unit"
    return f"{nominal:.4g} in {spec.per:,.10g}"


def _unit(indicator: CompiledIndicator) -> str:
    return indicator.unit or ("cases" if indicator.observes is Proportion else "units")


def _percent(share: float) -> str:
    """A probability or a share in per cent.

    >>> _percent(0.8), _percent(0.012), _percent(0.00004), _percent(0.999)
    ('80 %', '1.2 %', 'below 0.01 %', '99.9 %')
    """
    return "below 0.01 %" if share < 1e-4 else f"{100 * share:.{2 if share < 0.995 else 3}g} %"


def _fix(one: IndicatorPower) -> str:
    ways = []
    if one.needed is not None:
        ways.append(f"plan {_rounded_up(one.needed):,.10g} {one.unit} {one.per_period}")
    seen = next((row.ratio for row in one.ratios if row.found >= one.probability), None)
    if seen is not None:
        ways.append(f"ask for {ratio_words(seen)} (`power.ratio`)")
    if not ways and len(one.ratios) < len(RATIOS):
        return "plan more exposure or a longer cycle; `sandbox-monitor charter check` computes how much"
    return " or ".join(ways) or "pool segments, count more frequent events, or run longer"


def _rounded_up(value: float) -> float:
    """Two significant digits, upwards."""
    sizes = [10.0**power for power in range(-6, 17)]
    unit = next((low / 10 for low, high in pairwise(sizes) if low <= value < high), 1.0)
    return -(-value // unit) * unit
