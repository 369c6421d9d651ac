"""Online detectors: numbers in, scores out. Imports nothing of `monitor`.

How to choose one. Ask what a wrong alarm costs. Per name: when, *guarantee*, how it fails.

To *halt*:

- `limit_e_process`: counts or shares against a limit of the charter. *P(ever alarming) <= alpha over the pilot's whole life,
  however often one looks.* Fails if the truth is more dispersed than the charter grants, or exposure is overstated beyond its
  uncertainty; slow for an excess below 1.2 times the limit. A limit of c times a baseline: `baseline_limit.py` first.
- `maxsprt`: the same for Poisson counts of a pilot of planned size whose excess is there from the start, and then quicker. *P(alarming
  before the horizon) <= alpha, exactly.* Blind to an excess that follows a quiet year; refuses variance/mean above 1.

To *escalate* on a change although no limit is broken:

- `e_detector`: *at least `arl0` periods to a false alarm on average, a theorem, while the rate stays within its baseline.* Cycles
  and trends are not in it, and a young baseline sees large changes only.

To *watch*:

- `cusum`: quickest for the ratio it is set to. *Run length `arl0`, exact for constant exposure.* Slow for smaller changes; the bar is
  for the usual exposure, so exposure that varies much shifts the run length.
- `glr`: no ratio to choose. *`arl0` or more, by an approximation (1.2 to 3.4 times, measured).* Slower than a `cusum` set to the
  very change; dispersion that nobody granted breaks it.
- `ewma`: small lasting drifts, also of gauges. *About `arl0` for nearly normal numbers.* Too short for few events (705 of 1000 at
  mean .5); large changes a period later.
- `seasonal`: the rate has a day, a week, a trend, or more dispersion than anybody granted (it learns them). *About `arl0`,
  simulated, not proved.* A change that begins before some hundred events are learnt is partly learnt as normal, and found
  late; cycles other than those it was told are noise to it.
- `gauge_limit`: a cost or gain compared with a number. *Nothing but the comparison.* Every noisy crossing is an alarm.
- `shape`: a value whose level, time of the day and course should look like its own past. *Nothing.* Alarms some six times a year
  on hourly counts that do not change, and relearns whatever lasts.
- `river_drift`: its mean alone (ADWIN). *Nothing.* The slowest to see a change.

Besides, `silence` watches the gaps between events and is how `unknown` begins. *At most about `false_per_year` for a Poisson
stream.* Fails where the rate has hours and `expected` has not (`hours.py` learns and integrates them), or events come in batches.

A random cut forest is not offered: `rrcf` (MIT) installs, and costs 7.3 ms an observation (40 trees of 256, one number each),
seven hundred times what `shape` does, which scores above the published ones on the same benchmark.

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
