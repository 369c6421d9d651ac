"""How many false alarms a year the detectors of a charter declare. Pure.

A detector with a run length `arl0` raises one false alarm in `arl0` periods on average, one with `false_per_year` at
most so many a year. Detectors that spend alpha declare a probability over the whole life, and others declare nothing:
they have no rate.
"""

from __future__ import annotations

import inspect

from detectors import DETECTORS, SPENDS_ALPHA
from monitor.charter.spec import Charter, DetectorSpec, IndicatorSpec
from monitor.compile.plan import YEAR_MS
from monitor.model.periods import parse_span


def declared_rates(charter: Charter) -> dict[str, float | None]:
    """Declared false alarms a year of each detector that the charter uses, over its indicators and segments; `None`
    where one of them declares no rate. Detectors that spend alpha are left out."""
    found: dict[str, float | None] = {}
    for spec in charter.indicators:
        for detector in spec.detectors:
            if detector.name in SPENDS_ALPHA:
                continue
            one = _per_year(spec, detector)
            before = found.get(detector.name, 0.0)
            streams = max(len(spec.segments), 1)
            found[detector.name] = None if one is None or before is None else before + one * streams
    return found


def _per_year(spec: IndicatorSpec, detector: DetectorSpec) -> float | None:
    """Of one stream.

    >>> spec = IndicatorSpec(name="i", kind="incident_rate", period="1d")
    >>> round(_per_year(spec, DetectorSpec("cusum", "watch", {"arl0": 365.25})), 6)
    1.0
    >>> _per_year(spec, DetectorSpec("fall", "watch")), _per_year(spec, DetectorSpec("e_detector", "watch"))
    (0.1, 0.1)
    """
    given = _parameter(detector, "false_per_year")
    if given is not None:
        return given
    if "arl0" not in _defaults(detector.name):
        return None
    run = _parameter(detector, "arl0")
    if run is None:
        return 0.1  # its run length is ten years of periods where the charter gives none
    return float(YEAR_MS) / parse_span(spec.period).after(0) / run


def _parameter(detector: DetectorSpec, name: str) -> float | None:
    value = detector.params.get(name, _defaults(detector.name).get(name))
    return None if value is None else float(value)


def _defaults(name: str) -> dict[str, object]:
    kind = DETECTORS[name]
    described = inspect.signature(getattr(kind, "settings", kind.design))
    return {p.name: p.default for p in described.parameters.values() if p.kind is p.KEYWORD_ONLY}
