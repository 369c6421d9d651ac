"""What a report shows of a long replay: fewer periods, but never without the newest, or the one nearest to its
threshold."""

from __future__ import annotations

import pytest

from monitor.console import collector
from monitor.console.collector import Collector
from monitor.model.records import Outputs
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import evidence

CHARTER = charter("p-1", number=1, period_ms=3_600_000, cap=1e3, dispersion=1.0, start=0, end=86_400_000)


@pytest.mark.parametrize("periods", range(5, 14))
def test_the_newest_period_is_always_shown(monkeypatch: pytest.MonkeyPatch, periods: int) -> None:
    """However many periods were closed, the picture ends with the last one, and memory stays bounded."""
    monkeypatch.setattr(collector, "FEWEST", 4)
    monkeypatch.setattr(collector, "POINTS", 4)
    kept = Collector({"p-1": CHARTER})
    for number in range(periods):
        kept.take(Outputs(evidence=[evidence(number)]))
    (story,) = kept.stories()
    assert story.evidence[-1] == evidence(periods - 1)
    assert len(story.evidence) <= 4
    assert story.periods == periods
