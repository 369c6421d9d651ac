"""Innocent pilots under the shipped templates: nothing that they do in time is reported as late, and none is halted."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.base import Count
from monitor.compile.plan import Plan, build_detectors
from monitor.detect.late_window import may_be_raised
from monitor.model.records import Level, Reason
from tests.bench.detbench.template_pilots import DAY_MS, TEMPLATES, decided, template


@pytest.mark.parametrize("name", TEMPLATES)
def test_lateness_within_the_limit_is_no_finding_and_no_halt(name: str) -> None:
    """Two pilot-years with one in twenty events late, but within the late window or the reporting delay."""
    rng = np.random.default_rng(1)
    decisions = [d for _ in range(2) for d in decided(rng, name, 1.0)]
    assert decisions
    assert Reason.LATE_DROPPED not in {d.reason for d in decisions}
    assert max(d.level for d in decisions) < Level.HALT


@pytest.mark.parametrize("name", TEMPLATES)
def test_an_indicator_whose_detectors_cannot_use_late_events_waits_for_them(name: str) -> None:
    """Else each report that comes after the close is a finding, which a person reads: near misses did, 13 a year."""
    charter = template(name)
    for indicator in Plan(charter).indicators:
        if indicator.observes is not Count or indicator.stocks or indicator.late is not None:
            continue
        if not any(may_be_raised(detector) for detector in build_detectors(charter, indicator, 1)):
            assert indicator.closes(0) - indicator.grid.start(1) >= 7 * DAY_MS, indicator.name
