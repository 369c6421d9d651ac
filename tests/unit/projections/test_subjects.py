"""What is no pilot (the sandbox, the file of a model) is counted, reported and shown as what it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec import structs

from monitor.act.base import Notifier
from monitor.act.deliver import Deliver
from monitor.console.collector import Collector
from monitor.console.fleet_view import FleetView
from monitor.model.records import Decision, Finding, Outputs, Reason
from monitor.model.subjects import is_model, is_pilot
from monitor.projections.alerts import Alert
from monitor.projections.message import notification_line
from monitor.projections.metrics import Metrics
from monitor.testing.records import decision

MODEL = decision(
    1, "model:m-1", participant="", reason=Reason.MODEL_ENTRY_ADDED, kind="act", author="olga", cause="control:a-1",
    finding=Finding(rule="version"),
)  # fmt: skip
FOUNDED = decision(1, "sandbox", participant="", reason=Reason.FOUNDED, kind="act", author="olga", cause="control:a-2")
BOTH = pytest.mark.parametrize("made", [MODEL, FOUNDED], ids=["model", "sandbox"])


class Attached(Notifier):
    """Takes every alert."""

    resend_ms = 60_000

    def notify(self, standing: Sequence[Alert], ended: Sequence[Alert]) -> None:
        raise AssertionError("no alert is due")

    def open(self) -> Sequence[Alert]:
        return ()


def test_keys_of_subjects_are_told_apart() -> None:
    """A pilot may have every name but those of the other subjects."""
    assert all(map(is_pilot, ("p", "sandbox-1", "models", "model", "vendor:acme", "Model:x")))
    assert not any(map(is_pilot, ("sandbox", "model:", "model:m-1", "model:a b")))
    assert is_model("model:m-1")
    assert not any(map(is_model, ("model:", "model:a b", "model:a\n", "m-1")))


@BOTH
def test_a_decision_that_is_about_no_pilot_is_counted_once_and_has_no_series(made: Decision) -> None:
    """It counts by its reason; no pilot is added to the fleet."""
    metrics = Metrics()
    for _ in range(2):
        metrics.observe(Outputs(decisions=[made]))
    text = metrics.exposition().decode()
    counted = [line for line in text.splitlines() if f'reason="{made.reason.value}"' in line and line.endswith(" 1.0")]
    assert counted
    assert f'pilot="{made.pilot}"' not in text


@BOTH
def test_the_board_lists_no_pilot_of_that_name(made: Decision) -> None:
    """Nor do reports of a replay."""
    board, report = FleetView(), Collector({})
    board.apply(Outputs(decisions=[made]))
    report.take(Outputs(decisions=[made]))
    assert not board.pilots
    assert report.stories() == []


@BOTH
def test_a_notification_names_the_subject(made: Decision) -> None:
    """It is not called a pilot, and has no level."""
    line = notification_line(made)
    assert line.startswith(("Model m-1: Entry added", "Sandbox: Sandbox founded"))
    assert line.endswith("Done by olga.")


@BOTH
def test_what_is_no_pilot_has_no_alert(made: Decision, tmp_path: Path) -> None:
    """It is not kept in the state of an actor that notifies, whether it is history or new."""
    deliver = Deliver({"attached": Attached()}, tmp_path / "delivered.json")
    pilot = decision(1, "p-1")
    deliver.feed([made, pilot])
    deliver.caught_up()
    deliver.feed([structs.replace(made, standing=2)])
    deliver.tick(0)
    saved = (tmp_path / "delivered.json").read_text()
    assert "p-1" in saved
    assert made.pilot not in saved
