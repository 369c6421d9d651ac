"""Findings set aside, which of several came first, and who may act, on a memory of records."""

from __future__ import annotations

import msgspec

from monitor.charter.control import Approval, Drill, Override, Release, Shelving
from monitor.charter.spec import Authority
from monitor.model.builders import Emitter
from monitor.model.records import Level, Outputs, Reason
from tests.unit.decide.test_enforcement import WITHIN, Halted
from tests.unit.engine.test_machine import HOUR, RATE, SILENCE, T0, Bench


def escalated() -> Bench:
    bench = Bench()
    bench.hour(0, exposure=1001)
    assert bench.level == Level.ESCALATE
    return bench


KEY = "incidents//exposure_cap"


def shelve(bench: Bench, at: int, key: str = KEY, span: str = "8h", author: str = "anna") -> Outputs:
    act = Shelving(id=f"s{at}{key}{span}", pilot="p", author=author, finding=key, reason="known", span=span)
    return bench.act(act, at)


def test_a_shelved_finding_holds_nothing_up_until_its_time_is_over() -> None:
    """The level comes down with author and reason on record, and goes up again by itself at the end, to the
    millisecond."""
    bench = escalated()
    at = T0 + HOUR // 4
    (shelved,) = shelve(bench, at, span="2h").decisions
    assert (shelved.reason, shelved.author, shelved.finding.detail) == (Reason.SHELVED, "anna", "known")
    assert bench.level == Level.NORMAL
    bench.machine.pilots["p"].standing.active[KEY]  # it is watched all the same
    bench.hour(1, exposure=1002)
    bench.hour(2, exposure=1002)
    assert bench.level == Level.NORMAL
    bench.time(at + 2 * HOUR + 1)
    back = next(d for d in bench.out.decisions if d.reason == Reason.UNSHELVED)
    assert (back.at, bench.level) == (at + 2 * HOUR, Level.ESCALATE)


def test_a_shelved_finding_that_rises_counts_at_once() -> None:
    """Setting a watch aside does not set the escalation aside that it becomes."""
    bench = Bench(SILENCE, RATE)
    bench.send(Emitter("svc/2", "p", model="m9").heartbeat(T0), at=T0)
    assert bench.level == Level.WATCH
    shelve(bench, T0, key="unregistered_model")
    assert bench.level == Level.NORMAL
    bench.send(*(bench.emitter.incident(T0 + 60_000) for _ in range(50)), at=T0 + 61_000)
    assert bench.level == Level.HALT


def test_a_halt_is_never_shelved() -> None:
    """Neither the halt, nor a finding about it, nor anything while it is in force."""
    bench = Halted()
    bench.time(bench.at + 2 * WITHIN)
    for key in ("override", "halt/overdue"):
        out = shelve(bench, bench.at + 2 * WITHIN, key=key)
        assert "never_a_halt" in out.rejected[0].detail
    assert bench.level == Level.HALT


def test_shelving_has_an_end_and_an_object() -> None:
    """More than the charter grants is refused, and so is what is not active; the refusal names what is."""
    bench = escalated()
    assert "too_long" in shelve(bench, T0 + 1, span="9h").rejected[0].detail
    assert "too_long" in shelve(bench, T0 + 1, span="0h").rejected[0].detail
    assert KEY in shelve(bench, T0 + 1, key="nothing").rejected[0].detail
    assert bench.level == Level.ESCALATE


def test_when_several_fire_together_the_first_is_marked() -> None:
    """Of three findings of one record the one that brought the pilot to its level carries the mark, the others do
    not."""
    twin = msgspec.structs.replace(RATE, name="twin", weight=0.5)
    bench = Bench(msgspec.structs.replace(RATE, weight=0.5), twin)
    bench.send(*(bench.emitter.incident(T0 + 60_000) for _ in range(80)), at=T0 + 61_000)
    halts = [d for d in bench.out.decisions if d.reason == Reason.LIMIT_EXCEEDED]
    assert [(d.finding.indicator, d.first_out, d.kind) for d in halts] == [
        ("incidents", True, "level"),
        ("twin", False, "finding"),
    ]
    assert bench.machine.pilots["p"].standing.first_out == "incidents//limit_e_process"
    assert [c.decision for c in bench.out.commands] == [halts[0].id]


def test_only_those_whom_the_charter_names_act() -> None:
    """Officers override, shelve, drill and release but do not approve; no other author may, and not the firm."""
    named = (Authority("authority", approvers=("anna", "ben"), officers=("olga",)),)
    bench = Bench(authorities=named)
    for number, author in enumerate(("mallory", "firm")):
        acts = (
            Override(id=f"o{number}", pilot="p", author=author, level="watch", reason="x"),
            Drill(id=f"d{number}", pilot="p", author=author),
            Release(id=f"r{number}", pilot="p", author=author),
        )
        for act in acts:
            assert "not_an_officer" in bench.act(act, T0 + 1).rejected[0].detail
    assert not bench.act(Override(id="o", pilot="p", author="olga", level="halt", reason="x"), T0 + 2).rejected
    assert "not_an_approver" in bench.act(Approval(id="a", pilot="p", author="olga"), T0 + 3).rejected[0].detail
