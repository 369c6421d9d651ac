"""The sentence of a halt in a firm's service is the one of the board."""

from __future__ import annotations

import pytest

from monitor.halt_ground import Ground
from monitor.model.records import Finding, Level, Reason, command_of
from monitor.projections.evidence_words import evidence_sentence
from monitor.sdk.command_state import halted_text
from monitor.sdk.ground_words import ground_sentence
from monitor.testing.records import halted


@pytest.mark.parametrize(
    "finding",
    [
        Finding(indicator="c", rule="limit_e_process", observed=36.0, expected=6.09, exposure=6090.0, unit="decisions"),
        Finding(indicator="c", rule="limit_e_process", observed=1036.0, expected=600.25, exposure=1e6, unit="hours"),
        Finding(indicator="c", segment="s", rule="maxsprt", observed=9.0, expected=0.075, exposure=7.5, unit="users"),
        Finding(indicator="f", rule="limit_e_process", observed=63 / 1323, expected=0.02, events=63.0, exposure=1323.0),
        Finding(indicator="f", rule="limit_e_process", observed=0.5, expected=0.301, events=60.0, exposure=120.0),
    ],
)
def test_a_stopped_service_says_what_the_board_says(finding: Finding) -> None:
    """Counts with their exposure, shares with their trials; the command carries what the sentence needs."""
    decision = halted(finding=finding)
    command = command_of(decision)
    assert command is not None
    assert command.ground is not None
    said = ground_sentence(command.ground)
    assert said
    assert said == evidence_sentence(decision)
    assert said in halted_text(command)


def test_a_halt_without_counts_has_no_sentence() -> None:
    """A hard rule and a person's act are named by their detail."""
    assert ground_sentence(Ground(rule="death", observed=1.0, expected=0.0, detail="i-7")) == ""
    assert ground_sentence(Ground(detail="a person's reason")) == ""
    command = command_of(
        halted(level=Level.HALT, reason=Reason.OVERRIDDEN, finding=Finding(detail="a person's reason"))
    )
    assert command is not None
    assert "overridden, a person's reason" in halted_text(command)
