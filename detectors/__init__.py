"""Online detectors: observations in, scores out. Imports nothing of `monitor`.

How to choose a detector: by the cost of a false alarm. Per name: when to use it, *guarantee*, limitations.

To *halt*:

- `limit_e_process`: counts or proportions against a limit of the charter. *P(ever alarming) <= alpha over the pilot's
  lifetime, at every stopping time.* The guarantee fails if the dispersion exceeds the charter's `variance_mean`
  (`check_dispersion` finds that), or if exposure is overstated beyond its `uncertainty`; slow for an excess below 1.2
  times the limit. For a limit of c times a baseline use `baseline_limit.py`.
- `maxsprt`: Poisson counts of a pilot of planned size with an excess from the start; then faster. *P(alarming before
  the horizon) <= alpha, exactly.* Low power for an excess after a long period within the limit; refuses variance/mean
  above 1.
- `disparity`: one segment against all others, proportions or counts ("no group above 1.25 times the others"). *P(ever
  alarming) <= alpha, at every stopping time, whatever moves all segments alike.* Slow for groups with few events.

To *escalate* on a change within the limits:

- `e_detector`: *at least `arl0` periods to a false alarm on average (a theorem) while the rate stays within its
  baseline.* Cycles and trends are not modelled, and a baseline learnt from few events detects large changes only.

To *watch*:

- `cusum`: shortest delay for the ratio it is set to. *Run length `arl0`, exact for constant exposure.* Slower for
  smaller changes; the threshold is computed for the usual exposure, so strongly varying exposure shifts the run
  length.
- `glr`: a change of unknown size. *Run length `arl0` or more, approximately (1.2 to 3.4 times, measured).* Slower
  than a `cusum` set to the true ratio; overdispersion beyond the charter's `variance_mean` shortens the run length.
- `ewma`: small lasting shifts, also of gauges. *Run length about `arl0` for nearly normal numbers.* Shorter for few
  events (705 of 1000 at mean .5); large changes are detected one period later.
- `seasonal`: rates with a daily or weekly cycle, a trend or unknown overdispersion (all learnt). *Run length about
  `arl0`, simulated, not proved.* A change before some hundred events are learnt is partly learnt as normal and
  detected late; cycles that are not configured count as noise.
- `fall`: a rate that drops, or events of a class that stop. *At most about `false_per_year` false alarms a year,
  simulated.* Needs ten events to begin; a decline over many months is learnt.
- `aberration`: weekly and other slow series, from the sixth period on. *At most about one alarm in `arl0` periods,
  simulated.* Looks at three periods at most, so small lasting changes are not detected; cycles count as dispersion.
- `gauge_limit`: a cost or gain compared with a number. *Only the comparison.* Every noisy crossing is an alarm.
- `shape`: values whose level, time of the day and course should resemble their past. *No guarantee.* About one alarm
  a month on unchanged hourly counts; learns every lasting change.
- `river_drift`: the mean only (ADWIN). *No guarantee.* The longest delays.

`silence` watches the gaps between events and triggers the state `unknown`. *At most about `false_per_year` false
alarms a year for a Poisson process.* The guarantee fails if the rate has business hours and `expected` does not
(`hours.py` learns and integrates them), or if events come in batches.

A random cut forest is not offered: `rrcf` (MIT) costs 7.3 ms an observation (40 trees of 256, one number each), seven
hundred times the cost of `shape`, which scores higher than its published results on the same benchmark.

README.md has the figures, each with its command.

To add a detector: copy `gauge_limit.py`, change the docstring, the fields, `design` and `update`, and add one line to
`DETECTORS`. The contract suite (`detectors/checks.py`) then covers it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from detectors.aberration import Aberration
from detectors.base import Design, Detector
from detectors.cusum import Cusum
from detectors.disparity import Disparity
from detectors.e_detector import EDetector
from detectors.e_process import LimitEProcess
from detectors.ewma import Ewma
from detectors.fall import Fall
from detectors.gauge_limit import GaugeLimit
from detectors.glr import Glr
from detectors.maxsprt import MaxSprt
from detectors.predictive_change import SeasonalChange
from detectors.river_adapters import RiverDrift
from detectors.shape import Shape
from detectors.silence import Silence

DETECTORS: dict[str, type[Any]] = {
    "limit_e_process": LimitEProcess,
    "disparity": Disparity,
    "e_detector": EDetector,
    "cusum": Cusum,
    "seasonal": SeasonalChange,
    "glr": Glr,
    "ewma": Ewma,
    "maxsprt": MaxSprt,
    "fall": Fall,
    "aberration": Aberration,
    "silence": Silence,
    "gauge_limit": GaugeLimit,
    "river_drift": RiverDrift,
    "shape": Shape,
}

SPENDS_ALPHA = ("limit_e_process", "disparity")
"""Detectors whose P(ever alarming) is at most their share of alpha. A changed charter continues their evidence
(`amend`): begun anew, it would spend the share a second time."""

NEEDS_COMPLETE: tuple[type[Any], ...] = (Fall, Disparity)
"""Detectors for which an exposure that was replaced by its upper bound would be evidence: they are given complete
periods only."""


def parameters_of(name: str) -> list[str]:
    """Returns the names of the parameters that the detector `name` takes in a charter. Raises KeyError if it is
    unknown.

    >>> parameters_of("glr")
    ['arl0', 'window', 'baseline_periods', 'baseline_events', 'confidence']
    """
    kind = DETECTORS[name]
    return list(_keywords(getattr(kind, "settings", kind.design)))


@functools.lru_cache(maxsize=256)
def _keywords(function: Callable[..., Any]) -> tuple[str, ...]:
    described = inspect.signature(function)
    return tuple(p.name for p in described.parameters.values() if p.kind is p.KEYWORD_ONLY)


def build(name: str, design: Design, params: Mapping[str, Any] | None = None) -> Detector:
    """Returns a new detector `name` for an indicator. Raises ValueError that names the wrong parameter and the fix.

    >>> build("cusum", Design(limit=5.0), {"arl": 500})
    Traceback (most recent call last):
    ValueError: arl: cusum has no such parameter; it takes arl0, ratio, baseline_periods, baseline_events, confidence
    """
    if name not in DETECTORS:
        raise ValueError(f"{name}: no such detector; choose one of {', '.join(DETECTORS)}")
    known = parameters_of(name)
    for key in params or {}:
        if key not in known:
            raise ValueError(f"{key}: {name} has no such parameter; it takes {', '.join(known) or 'none'}")
    detector: Detector = DETECTORS[name].design(design, **(params or {}))
    return detector
