"""The rate of false alarms that the settings of a detector declare.

`arl0` is a mean number of periods to a false alarm, so a stream with p periods a year has about p / `arl0` of them;
`false_per_year` is the number itself. A detector that spends alpha declares a probability over the whole stay of a
pilot instead, and some detectors declare nothing.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any

from detectors import DETECTORS

_YEARS_BETWEEN = {"e_detector": 10.0}
"""Detectors whose default `arl0` is so many years of periods."""


def declared_per_year(name: str, params: Mapping[str, Any], periods_per_year: float) -> float | None:
    """Returns the declared false alarms per year of one stream; `None` where the detector declares no rate per year.

    Raises KeyError if the detector is unknown.

    >>> round(declared_per_year("cusum", {"arl0": 730.5}, 365.25), 3)
    0.5
    >>> declared_per_year("e_detector", {}, 365.25), declared_per_year("silence", {}, 0.0)
    (0.1, 0.1)
    >>> declared_per_year("limit_e_process", {}, 365.25) is None
    True
    """
    defaults = _defaults(name)
    if "false_per_year" in defaults:
        return float(params.get("false_per_year", defaults["false_per_year"]))
    if "arl0" not in defaults:
        return None
    periods = params.get("arl0", defaults["arl0"])
    return 1.0 / _YEARS_BETWEEN[name] if periods is None else periods_per_year / float(periods)


@functools.cache
def _defaults(name: str) -> dict[str, Any]:
    kind = DETECTORS[name]
    described = inspect.signature(getattr(kind, "settings", kind.design)).parameters
    return {key: one.default for key, one in described.items()}
