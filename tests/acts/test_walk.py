"""Nothing but a release ends a halt, a firm never widens its rights, and no act changes who may release a halt that
stands."""

from __future__ import annotations

import pytest

from monitor.decide import authority
from monitor.lifecycle.acts import Role
from tests.acts.walk import Walk
from tests.strength import examples

ACTS = examples(3_000, 100_000)
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [1, 2])
def test_no_sequence_of_acts_opens_a_side_door(seed: int) -> None:
    """A random walk by every role, with changes of people, keys, standards and charters, copies and telemetry."""
    walk = Walk(seed)
    walk.walk(ACTS // 2)
    assert not walk.side_doors, "\n".join(walk.side_doors[:5])
    for reason in ("released", "configuration_changed", "amended", "approval_recorded", "model_entry_added"):
        assert walk.counts[reason] > 0, reason


def test_the_walk_finds_a_side_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where roles came from the configuration in force alone, a change under a halt would be found."""

    def now(*_: object) -> frozenset[Role]:
        return frozenset(Role)

    monkeypatch.setattr(authority, "roles_since", now)
    monkeypatch.setattr(authority, "held", lambda *_: True)
    walk = Walk(1)
    walk.walk(3_000)
    assert any("may release a halt that stands" in one for one in walk.side_doors)
