"""During a halt every record has the level halt; only what would have halted alone is a further ground of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from monitor.model.clock_record import Change, ClockRecord, ClockState, OnMiss, Owes
from monitor.model.records import Decision, Finding, Level, Reason
from monitor.notary.notary import Notary
from monitor.public_record.reading import read_pilot
from monitor.testing.records import decision, halted


def missed(on_miss: OnMiss) -> Decision:
    """A deadline that is missed while a halt stands."""
    clock = ClockRecord(
        change=Change.MISSED, at=2, rule="complaint", title="Answer the complaint", key="c-1", starts="complaint",
        owed_by=Owes.FIRM, basis="Charter", on_miss=on_miss, state=ClockState.MISSED, due=2,
    )  # fmt: skip
    found = decision(2, finding=Finding(rule="complaint", clock=clock))
    return structs.replace(found, reason=Reason.CLOCK_MISSED, was=Level.HALT, level=Level.HALT, pilot="p")


@pytest.mark.parametrize(("on_miss", "grounds"), [("record", 0), ("watch", 0), ("escalate", 0), ("halt", 1)])
def test_a_missed_deadline_is_a_further_ground_only_if_a_miss_halts(tmp_path: Path, on_miss: str, grounds: int) -> None:
    notary = Notary(tmp_path / "ledger")
    notary.record([halted(1, "p")])
    notary.record([missed(OnMiss(on_miss))])
    notary.close()
    record, _, _ = read_pilot([tmp_path / "ledger"], "p")
    (halt,) = record.halts()
    assert len(halt.grounds) == grounds
