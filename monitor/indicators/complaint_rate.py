"""Complaints filed, counted over exposure."""

from __future__ import annotations

from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import NoParams, params
from monitor.indicators.over_exposure import CountOverExposure
from monitor.model.events import ComplaintFiled, ExposureTallied


class ComplaintRate(CountOverExposure):
    """`k` complaints by time of filing over `m` units of exposure. A withdrawal takes nothing back."""

    reads = (ComplaintFiled, ExposureTallied)

    def __init__(self, spec: IndicatorSpec) -> None:
        params(spec, NoParams)
        super().__init__(spec)
