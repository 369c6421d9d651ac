"""A flood of findings on a real Alertmanager with the shipped routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.notify import flood as subject
from tests.strength import examples

pytestmark = pytest.mark.servers


def test_a_flood_is_few_messages_and_hides_no_halt(tmp_path: Path) -> None:
    """At most ten messages; the first one names the first cause; every pilot is named in one of them; a halt in the
    middle has its own message."""
    findings = examples(1_000, 10_000)
    found = subject.run(findings, examples(30, 600), tmp_path)
    assert found.messages <= 10
    assert "Pilot p-0 of" in found.first
    assert found.halt_s is not None
    if examples(0, 1):
        assert found.named == findings + 1, "those of the last seconds are named after the interval of their group"
