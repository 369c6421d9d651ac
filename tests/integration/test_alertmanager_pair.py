"""A pair of real Alertmanagers under faults: every alert reaches the receiver."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.testing.recorder import Recorder
from monitor.testing.wait import Until
from tests.bench.notify import pair as subject
from tests.strength import examples

pytestmark = pytest.mark.servers
until = Until(180.0, every=0.1)


@pytest.mark.parametrize("fault", subject.FAULTS)
def test_no_alert_is_lost_by_a_pair(fault: str, tmp_path: Path) -> None:
    """Alerts that start before, during and after the fault all arrive. The actor sends to both and resends; what one of
    them lost, the other one notifies, or the same one after the next resend."""
    number = examples(40, 500)
    with Recorder() as people:
        subject.run(fault, number, tmp_path, people)
        until(lambda: len(subject.heard(people)) == number)
        assert set(subject.heard(people)) == {f"p-{n}" for n in range(number)}
