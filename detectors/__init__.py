"""Online detectors: numbers in, scores out. Imports nothing of `monitor`.

How to choose one. Ask what a wrong alarm costs.

To *halt*, take `limit_e_process`: it compares counts or shares with a limit of the charter and alarms falsely with probability
at most alpha over the pilot's whole life, however often one looks. It fails if the truth is more dispersed than the charter
grants. `maxsprt` is quicker for a pilot of planned size whose excess is there from the start, exact for Poisson
counts, and blind to an excess that follows a quiet year.

To *escalate* on a change although no limit is broken, take `e_detector`: false alarms are at least `arl0` periods apart on
average, by a theorem, while the rate stays within its baseline; cycles and trends are not in it.

To *watch*, take `cusum` (quickest for the ratio it is set to, slow for small ones; exact run length for constant exposure), `glr`
(no ratio to choose; approximate run length), `ewma` (small lasting drifts, also of gauges; run length too short for
small counts), `seasonal` where the rate has a day, a week, a trend or more dispersion than anybody granted (it learns them;
its run length is simulated, not proved), `gauge_limit` for a cost or gain that is compared with a number, `shape` for a value
whose level, time of the day and course should look like its own past, or `river_drift` for its mean alone (these three
promise nothing). `silence` watches the gaps between events and is how `unknown` begins.

README.md has the figures, each with its command, and how each one fails.

How to add one. Copy `gauge_limit.py`, change the docstring, the fields, `design` and `update`, and add one line below;
`detectors/checks.py` then meets it in the contract suite.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from detectors.base import Design, Detector
from detectors.cusum import Cusum
from detectors.e_detector import EDetector
from detectors.e_process import LimitEProcess
from detectors.ewma import Ewma
from detectors.gauge_limit import GaugeLimit
from detectors.glr import Glr
from detectors.maxsprt import MaxSprt
from detectors.predictive_change import SeasonalChange
from detectors.river_adapters import RiverDrift
from detectors.shape import Shape
from detectors.silence import Silence

DETECTORS: dict[str, type[Any]] = {
    "limit_e_process": LimitEProcess,
    "e_detector": EDetector,
    "cusum": Cusum,
    "seasonal": SeasonalChange,
    "glr": Glr,
    "ewma": Ewma,
    "maxsprt": MaxSprt,
    "silence": Silence,
    "gauge_limit": GaugeLimit,
    "river_drift": RiverDrift,
    "shape": Shape,
}


def build(name: str, design: Design, params: Mapping[str, Any] | None = None) -> Detector:
    """The detector `name` for an indicator; raises ValueError that names what is wrong and what would be right.

    >>> build("cusum", Design(limit=5.0), {"arl": 500})
    Traceback (most recent call last):
    ValueError: arl: cusum has no such parameter; it takes arl0, ratio, baseline_periods, baseline_events, confidence
    """
    if name not in DETECTORS:
        raise ValueError(f"{name}: no such detector; choose one of {', '.join(DETECTORS)}")
    factory = DETECTORS[name].design
    known = [p.name for p in inspect.signature(factory).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for key in params or {}:
        if key not in known:
            raise ValueError(f"{key}: {name} has no such parameter; it takes {', '.join(known) or 'none'}")
    detector: Detector = factory(design, **(params or {}))
    return detector
