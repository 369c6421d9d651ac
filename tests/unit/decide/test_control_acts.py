"""What people do takes effect forward, in steps that none may skip: release, amendment, exit, one rule a test."""

from __future__ import annotations

import msgspec
import pytest

from monitor.charter.control import Amendment, Approval, Evaluation, Override, Rectification, Release, Withdrawal
from monitor.charter.spec import Charter
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity
from monitor.model.records import Evidence, Level, Reason
from tests.unit.engine.test_machine import HOUR, RATE, SILENCE, T0, Bench, charter, lift, rejected


def test_a_foreign_model_is_one_record_and_found_again_after_a_release() -> None:
    """A canary that alternates between two models is one episode; after a release the same foreign model is found
    anew."""
    bench, canary = Bench(), Emitter("svc/2", "p", model="m9")
    for n in range(20):
        bench.send(bench.emitter.heartbeat(T0 + n), canary.heartbeat(T0 + n), at=T0 + n)
    assert bench.reasons().count(Reason.UNREGISTERED_MODEL) == 1
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="by hand"), T0 + 50)
    lift(bench, T0 + 60)
    bench.send(canary.heartbeat(T0 + 100), at=T0 + 100)
    assert bench.reasons().count(Reason.UNREGISTERED_MODEL) == 2


def test_a_new_ground_for_a_halt_voids_the_steps_for_the_old_one() -> None:
    """A death after all approvals were given: the release is refused, as no approval is of the new ground."""
    bench = Bench()
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="by hand"), T0)
    bench.act(Rectification(id="r", pilot="p", author="f", finding="f", cause="c", action="a", evidence="e"), T0)
    bench.act(Evaluation(id="e", pilot="p", author="lab", passed=True, report="ok"), T0)
    bench.act(Approval(id="a1", pilot="p", author="anna"), T0)
    bench.act(Approval(id="a2", pilot="p", author="ben"), T0)
    bench.send(bench.emitter.incident(T0 + 1, Severity.SERIOUS_INCIDENT, Harm.DEATH), at=T0 + 1)
    out = bench.act(Release(id="rel", pilot="p", author="anna"), T0 + 2)
    assert "rectification_missing" in out.rejected[0].detail


def test_a_halt_is_lifted_by_all_steps_and_the_statistics_start_on_the_next_share_of_alpha() -> None:
    """After release the threshold is higher: the second restart has a quarter of the first one's share."""
    bench = Bench()
    bench.send(*(bench.emitter.incident(T0 + 1) for _ in range(60)), at=T0 + 2)
    first = bench.out.decisions[-1].finding
    out = lift(bench, T0 + HOUR)
    assert [c.action for c in out.commands] == ["release"]
    assert bench.level == Level.NORMAL
    assert bench.out.commands[-1].standing > bench.out.commands[0].standing
    bench.send(*(bench.emitter.incident(T0 + HOUR + 1) for _ in range(60)), at=T0 + HOUR + 10)
    second = bench.out.decisions[-1].finding
    assert first.alpha is not None
    assert second.alpha == pytest.approx(first.alpha / 4)
    assert second.bar is not None
    assert second.bar > first.bar  # type: ignore[operator]


def test_an_approval_needs_a_named_approver() -> None:
    """Somebody whom the charter does not name cannot approve."""
    bench = Bench()
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="by hand"), T0)
    bench.act(Rectification(id="r", pilot="p", author="f", finding="f", cause="c", action="a", evidence="e"), T0)
    bench.act(Evaluation(id="e", pilot="p", author="lab", passed=True, report="ok"), T0)
    out = bench.act(Approval(id="x", pilot="p", author="mallory"), T0)
    assert rejected(out) == [("author", "control_refused")]
    assert "mallory" in out.rejected[0].detail


def test_a_release_that_comes_too_early_is_refused_and_kept() -> None:
    """The rejection says which step is missing."""
    bench = Bench()
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="by hand"), T0)
    out = bench.act(Release(id="r", pilot="p", author="anna"), T0)
    assert "rectification_missing" in out.rejected[0].detail
    assert bench.level == Level.HALT


def test_an_amendment_goes_forward_and_never_moves_a_running_bar() -> None:
    """A new indicator is added; a changed weight or period, a lower version, another alpha are refused."""
    bench = Bench()
    heavier = msgspec.structs.replace(RATE, weight=0.5)

    def amend(id_: str, changed: Charter) -> list[tuple[str, str]]:
        return rejected(bench.act(Amendment(id=id_, pilot="p", author="anna", charter=changed), T0))

    assert amend("1", charter(heavier, version=2)) == [("charter.indicators.incidents", "control_refused")]
    assert amend("2", charter(version=1)) == [("charter", "repeated")]
    assert amend("2b", charter(SILENCE, RATE)) == [("charter.version", "control_refused")]
    assert amend("3", charter(version=2, alpha=0.5)) == [("charter.alpha", "control_refused")]
    assert amend("4", charter(RATE, SILENCE, version=2)) == []
    assert bench.out.decisions[-1].reason == Reason.AMENDED
    assert bench.machine.notify_at is not None


def test_a_changed_limit_enters_the_same_product_from_the_next_period() -> None:
    """Evidence and bar stay as they are; what comes after is measured against the new limit."""
    same, stricter = Bench(), Bench()
    for bench in (same, stricter):
        for hour in range(20):
            bench.hour(hour, incidents=4)
    tight = charter(msgspec.structs.replace(RATE, limit=2), version=2)
    stricter.act(Amendment(id="a", pilot="p", author="anna", charter=tight), T0 + 20 * HOUR)
    for bench in (same, stricter):
        for hour in range(20, 24):
            bench.hour(hour, incidents=4)
    one, other = ([e for e in b.out.evidence if isinstance(e, Evidence)] for b in (same, stricter))
    assert one[:19] == other[:19]
    before, after = other[18].scores["limit_e_process"], other[-1].scores["limit_e_process"]
    assert before[1] == after[1]
    assert after[0] > one[-1].scores["limit_e_process"][0]


def test_after_exit_nothing_counts() -> None:
    """A pilot that left is not watched, and what it still sends is rejected."""
    bench = Bench()
    bench.act(Withdrawal(id="w", pilot="p", author="anna", reason="graduated"), T0 + 1)
    assert bench.machine.notify_at is None
    assert rejected(bench.send(bench.emitter.heartbeat(T0 + 2), at=T0 + 2)) == [("subject", "after_exit")]
