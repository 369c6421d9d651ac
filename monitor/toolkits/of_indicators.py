"""How one indicator of a charter deviates from that of the template. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monitor.charter.spec import LEVEL_OF_NAME, Charter, DetectorSpec, IndicatorSpec, alpha_share
from monitor.indicators.incident_rate import GRAVITY
from monitor.model.events import Severity
from monitor.toolkits.compared import Deviation, Kind, Looser, compare, higher, longer, lower, shown

LEAST_SHARE = 0.1  # of the template's alpha per stream: with less a limit is found noticeably later

FIELDS: dict[str, Looser] = {
    "period": longer,
    "reporting_delay": longer,
    "variance_mean": higher,
    "minimum_events": higher,
    "late_window": lower,
}
DEFAULTS = {"severity": Severity.INCIDENT.value}
SPANS = ("promise", "regraded_within", "every", "outside")  # of params: longer is less strict
STRICTER_LOWER = ("dispersion_prior", "at_most")  # of the params of a detector: higher is less strict


def indicator_deviations(
    charter: Charter, mine: IndicatorSpec, template: Charter, spec: IndicatorSpec, at: str
) -> Iterator[Deviation]:
    """Where `mine` (of the charter, at the field `at`) is less strict than `spec` (of the template)."""
    if mine.kind != spec.kind:
        yield Deviation(Kind.REPLACED, f"{at}.kind", spec.kind, mine.kind)
        return
    yield from _limit(mine, spec, at)
    yield from compare(FIELDS, spec, mine, f"{at}.")
    if spec.exposure is not None and mine.exposure is not None:
        yield from compare({"uncertainty": higher}, spec.exposure, mine.exposure, f"{at}.exposure.")
        if mine.exposure.complete != spec.exposure.complete:
            yield Deviation(Kind.REPLACED, f"{at}.exposure.complete", spec.exposure.complete, mine.exposure.complete)
    if gone := [segment for segment in spec.segments if segment not in mine.segments]:
        yield Deviation(Kind.REMOVED, f"{at}.segments", ", ".join(gone), ", ".join(mine.segments))
    was, now = alpha_share(template, spec), alpha_share(charter, mine)
    if now < was * LEAST_SHARE:
        yield Deviation(Kind.LOOSENED, f"{at}.weight", f"alpha {was:.2g}", f"alpha {now:.2g}")
    yield from _params(mine, spec, at)
    yield from _detectors(mine, spec, at)


def _limit(mine: IndicatorSpec, spec: IndicatorSpec, at: str) -> Iterator[Deviation]:
    was, now = spec.nominal(), mine.nominal()
    if mine.direction != spec.direction:
        yield Deviation(Kind.REPLACED, f"{at}.direction", spec.direction, mine.direction)
    elif was is not None and now is None:
        yield Deviation(Kind.REMOVED, f"{at}.limit", _per(spec, was))
    elif was is not None and now is not None:
        units = [one.exposure.unit if one.exposure else "" for one in (spec, mine)]
        if units[0] != units[1]:
            yield Deviation(Kind.REPLACED, f"{at}.exposure.unit", *units)
        sign = 1.0 if spec.direction == "above" else -1.0
        if units[0] == units[1] and sign * now / mine.per > sign * was / spec.per + 1e-9 * was / spec.per:
            yield Deviation(Kind.LOOSENED, f"{at}.limit", _per(spec, was), _per(mine, now))


def _per(spec: IndicatorSpec, limit: float) -> str:
    return f"{limit:g}" + (f" per {spec.per:g}" if spec.per != 1 else "")


def _params(mine: IndicatorSpec, spec: IndicatorSpec, at: str) -> Iterator[Deviation]:
    """Parameters that were added are listed too: one may narrow what is counted."""
    for name in dict.fromkeys((*spec.params, *mine.params)):
        was, now = (one.params.get(name, DEFAULTS.get(name)) for one in (spec, mine))
        if now == was:
            continue
        field = f"{at}.params.{name}"
        if name in SPANS:
            if longer(was, now):
                yield Deviation(Kind.LOOSENED, field, shown(was), shown(now))
        elif name == "severity":
            if GRAVITY[Severity(str(now))] > GRAVITY[Severity(str(was))]:
                yield Deviation(Kind.LOOSENED, field, shown(was), shown(now))
        else:
            yield Deviation(Kind.REPLACED, field, shown(was), shown(now))


def _detectors(mine: IndicatorSpec, spec: IndicatorSpec, at: str) -> Iterator[Deviation]:
    own = {detector.name: index for index, detector in enumerate(mine.detectors)}
    for detector in spec.detectors:
        if detector.name not in own:
            yield Deviation(Kind.REMOVED, f"{at}.detectors[{detector.name}]", detector.level)
            continue
        index = own[detector.name]
        given, where = mine.detectors[index], f"{at}.detectors[{index}]"
        if LEVEL_OF_NAME[given.level] < LEVEL_OF_NAME[detector.level]:
            yield Deviation(Kind.LOOSENED, f"{where}.level", detector.level, given.level)
        yield from _settings(given, detector, where)


def _settings(given: DetectorSpec, detector: DetectorSpec, at: str) -> Iterator[Deviation]:
    for name in dict.fromkeys((*detector.params, *given.params)):
        was: Any = detector.params.get(name)
        now: Any = given.params.get(name)
        if now == was:
            continue
        field = f"{at}.params.{name}"
        if name == "check_dispersion":
            if was and not now:
                yield Deviation(Kind.LOOSENED, field, shown(was), shown(now or False))
        elif name in STRICTER_LOWER and isinstance(now, int | float) and isinstance(was, int | float):
            if now > was:
                yield Deviation(Kind.LOOSENED, field, shown(was), shown(now))
        else:
            yield Deviation(Kind.REPLACED, field, shown(was), shown(now))
