"""Incidents of at least a given severity, counted over exposure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from monitor.charter.spec import IndicatorSpec, SpanText
from monitor.indicators.base import BadSpec, params
from monitor.indicators.over_exposure import CountOverExposure
from monitor.model.events import Envelope, ExposureTallied, IncidentReported, IncidentUpdated, Severity

GRAVITY = {severity: rank for rank, severity in enumerate(Severity)}


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`severity`: the least grave occurrence that counts, `most` the gravest (every graver one too without it). `by`:
    whether an incident whose period has closed counts when it occurred, or when it is classified. `regraded_within`:
    how long after it occurred an incident may be regraded (`charter check` compares the late window with it)."""

    severity: Severity = Severity.INCIDENT
    by: Literal["occurrence", "classification"] = "occurrence"
    regraded_within: SpanText | None = None
    most: Severity | None = None


class IncidentRate(CountOverExposure):
    """`k` incidents over `m` units of exposure, both by the time they happened.

    `slots` counts every report of at least `params.severity`; the machine counts each incident id once
    (`monitor/state/incidents.py`). So an update that lifts an incident to `params.severity` or beyond adds one, if the
    id had not counted before; one that lowers it takes nothing back, since the count may have been used.

    With `params.by: classification`, what reaches the machine after its period has closed (a late report, an update
    that makes an incident graver) counts in the period in which it is received: none is too late to count. The limit is
    then one on incidents *classified* over exposure, and the rate of false halts holds where the number classified in a
    period, given the past, keeps it: a firm that reviews a year of reports in one day brings them all into that day.
    """

    reads = (IncidentReported, IncidentUpdated, ExposureTallied)

    def __init__(self, spec: IndicatorSpec) -> None:
        super().__init__(spec)
        given = params(spec, Params)
        self.least, self.by = GRAVITY[given.severity], given.by
        self.most = GRAVITY[given.most] if given.most is not None else max(GRAVITY.values())
        if self.most < self.least:
            raise BadSpec("params.most", f"{given.most} is less grave than severity", "write a graver one, or none")

    def counting(self, events: Sequence[Envelope]) -> Sequence[Envelope]:
        return [event for event in events if self.least <= GRAVITY[event.data.severity] <= self.most]  # type: ignore[attr-defined]
