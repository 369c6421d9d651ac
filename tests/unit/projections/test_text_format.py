"""The text of the series of pilots is that of `prometheus_client`, to the byte."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.utils import floatToGoString

from monitor.model.records import Outputs
from monitor.projections.metrics import Metrics
from monitor.projections.text_format import number_text
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import decision, evidence, halted

START, HOUR = 1_767_225_600_000, 3_600_000
ODD = ("p-1", 'a"} 1\nx{y="\\', "线\u202e", "{0}%s{{", "")


@given(st.floats() | st.integers(0, 2**60) | st.booleans())
@example(-0.0)
@example(1e6)
@example(999_999.9)
@example(1e22)
def test_numbers_are_written_alike(value: float) -> None:
    """Every number, also infinite ones and none."""
    assert number_text(value) == floatToGoString(value)


def test_the_text_is_that_of_the_client() -> None:
    """For pilots with names of every kind, halted or not, with and without evidence, charter and deadlines."""
    metrics = Metrics()
    for number, name in enumerate(ODD):
        metrics.learn(charter(name, number=number, period_ms=HOUR, cap=9.0, dispersion=1.0, start=START, end=2 * START))
        made = [decision(1, name, participant=name, responsible=("north", name)), halted(2, name, participant=name)]
        metrics.observe(Outputs(decisions=made[: 1 + number % 2], evidence=[evidence(1, name, indicator=name)]))
    metrics.left("gone", "firm")
    ours = [line for line in metrics.exposition().splitlines() if b"process_" not in line]
    assert ours == [line for line in generate_latest(metrics.registry).splitlines() if b"process_" not in line]
    assert sum(b"pilot_level{" in line for line in ours) == len(ODD)
