"""Who may do what: the attacks that once worked, and the rules that stop them, one rule a test."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from monitor.charter.control import (
    Admission,
    Amendment,
    Approval,
    Evaluation,
    Override,
    Rectification,
    Release,
    Withdrawal,
)
from monitor.charter.spec import Authority, Participant
from monitor.compile.lint import lint
from monitor.console.fleet_view import FleetView
from monitor.decide.authority import ROLES_OF_ACT, Role, roles_of
from monitor.engine.machine import Machine
from monitor.model.records import Level, Outputs, Reason, Record
from monitor.model.signing import Proved, Signer, Trusted
from monitor.projections import alerts as alerted
from monitor.projections.metrics import Metrics
from tests.unit.decide.test_signatures import ANNA, BEN, FIRM, HALT, STRANGER, Signed, why
from tests.unit.engine.test_machine import RATE, T0, Bench, charter, lift, rejected

KEYED = Authority("authority", approvers=("anna", "ben"), keys={"anna": ANNA.public, "ben": BEN.public})
OWN = Participant("firm", keys=(FIRM.public,))
ADMITTER = Signer(b"\x09" * 32)


def detail(out: Outputs) -> str:
    return out.rejected[0].detail


def test_a_firm_cannot_replace_those_who_release() -> None:
    """The firm amends with its own key, to let two people of its choice release: refused, halted or not."""
    for halted in (False, True):
        bench = Signed(authorities=(KEYED,), participant=OWN)
        bench.put(bench.admission, ANNA)
        if halted:
            bench.put(HALT, ANNA)
        taken_over = charter(
            version=2, participant=OWN, authorities=(Authority("authority", approvers=("x", "y"), officers=("x",)),)
        )
        act = Amendment(id="a", pilot="p", author="firm", charter=taken_over)
        assert "not_an_officer" in detail(bench.put(act, FIRM))
        for name in ("x", "y"):
            assert "no_key" in detail(bench.put(Approval(id=name, pilot="p", author=name), FIRM))


def test_no_one_but_an_officer_lets_a_pilot_leave() -> None:
    """The firm under any signature, and strangers, are refused; an officer is not."""
    bench = Signed(authorities=(KEYED,), participant=OWN)
    bench.put(bench.admission, ANNA)
    for author, key in (("firm", FIRM), ("firm", None), ("mallory", STRANGER), ("anna", FIRM), ("anna", None)):
        assert bench.put(Withdrawal(id=f"w{author}", pilot="p", author=author, reason="x"), key).rejected
    assert not bench.machine.pilots["p"].exited
    assert not bench.put(Withdrawal(id="w", pilot="p", author="anna", reason="x"), ANNA).rejected


def test_the_firm_signs_for_itself_only() -> None:
    """Where officers have no keys, the firm's own key under an officer's name is a forgery."""
    bench = Signed(participant=OWN)
    bench.put(bench.admission, None)
    assert why(bench.put(HALT, FIRM)) == [("signature", "forged")]


def test_a_charter_without_officers_still_gives_the_firm_no_office() -> None:
    """Anybody but the firm may act where no officer is named, and the firm may do its own acts only."""
    own_acts = {"Rectification", "Evaluation", "ChangeProposal", "PauseRequest", "CycleProposal", "Resumption",
                "GuidanceRequest", "GuidanceFollowed", "Submission", "Agreement", "ApplicationWithdrawal",
                "IncidentReportAct", "ChangeNotice", "PublicationConsent",
                "ComplaintFiling", "ComplaintWithdrawal", "ComplaintAnswer", "RedressStep"}  # fmt: skip
    for act, may in ROLES_OF_ACT.items():
        assert (Role.FIRM in may) == (act.__name__ in own_acts)
    own = charter(authorities=(Authority("authority", approvers=("anna", "ben")),))
    assert roles_of(own, "firm", Proved()) == {Role.FIRM}
    assert roles_of(own, "anybody", Proved()) == {Role.OFFICER}
    assert roles_of(own, "anna", Proved()) == {Role.OFFICER, Role.APPROVER}


def test_a_firm_named_as_approver_is_the_firm_only() -> None:
    """A charter that was admitted before this was refused does not let the firm approve, release or override."""
    own = charter(authorities=(Authority("authority", approvers=("anna", "firm"), officers=("firm",)),))
    assert roles_of(own, "firm", Proved("key", admitter=True)) == {Role.FIRM}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"authorities": (Authority("a", approvers=("anna", "firm")),)}, "authorities[0].approvers"),
        ({"authorities": (Authority("a", approvers=("anna", "ben"), officers=("Firm",)),)}, "authorities[0].officers"),
        (
            {"authorities": (Authority("a", approvers=("anna", "ben"), keys={"firm": ANNA.public}),)},
            "authorities[0].keys",
        ),
        (
            {
                "authorities": (Authority("a", approvers=("anna", "ben"), keys={"anna": FIRM.public}),),
                "participant": OWN,
            },
            "authorities[0].keys.anna",
        ),
        (
            {
                "authorities": (
                    Authority("a", approvers=("anna", "ben"), keys={"anna": ANNA.public, "ben": ANNA.public}),
                )
            },
            "authorities[0].keys.ben",
        ),
    ],
)
def test_the_firm_and_two_approvers_are_three_people(changes: dict[str, object], field: str) -> None:
    """A firm that is approver or officer of the pilot that it runs, or a key that two people share, is a mistake in the
    charter and is not admitted."""
    made = charter(**changes)
    assert field in {problem.field for problem in lint(made) if problem.severity == "error"}
    machine = Machine(journalled=False)
    body = msgspec.json.encode(Admission(id="a", pilot="p", author="anybody", charter=made))
    assert machine.control(Record(0, T0, b"p", body)).rejected


def test_while_a_halt_stands_an_officer_amends_everything_but_who_may_release() -> None:
    """Authorities, keys and evaluation are refused by name; another limit is taken; after the release they are
    taken."""
    bench = Bench(RATE)
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="x"), T0 + 1)
    more = (Authority("authority", approvers=("anna", "ben", "carl")),)

    def amend(id_: str, **changes: object) -> str:
        out = bench.act(Amendment(id=id_, pilot="p", author="anna", charter=charter(RATE, **changes)), T0 + 2)
        return detail(out) if out.rejected else ""

    assert "halt_stands" in amend("1", version=2, authorities=more)
    assert "halt_stands" in amend("2", version=2, participant=OWN)
    assert amend("3", version=2, scenario="said better") == ""
    lift(bench, T0 + 3)
    assert amend("4", version=3, authorities=more) == ""


def test_an_exit_of_a_halted_pilot_keeps_its_halt_until_it_is_verified() -> None:
    """The exit is on record, the command is resent, the acknowledgement and heartbeats are followed; then the pilot is
    gone, and its name is not admitted again."""
    bench = Bench(RATE)
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="x"), T0 + 1)
    (command,) = bench.out.commands
    out = bench.act(Withdrawal(id="w", pilot="p", author="anna", reason="over"), T0 + 2)
    assert [(d.reason, d.level) for d in out.decisions] == [(Reason.EXIT_PENDING, Level.HALT)]
    assert [c.again for c in bench.time(T0 + 20_000).commands] == [1, 2]
    bench.send(bench.emitter.acknowledged(T0 + 20_000, command.id, command.standing), at=T0 + 20_000)
    assert not bench.machine.pilots["p"].exited
    for n in range(1, 4):
        bench.send(bench.emitter.heartbeat(T0 + 20_000 + n, False), at=T0 + 20_000 + n)
    assert bench.reasons()[-2:] == [Reason.HALT_VERIFIED, Reason.EXITED]
    assert rejected(bench.send(bench.emitter.heartbeat(T0 + 30_000), at=T0 + 30_000)) == [("subject", "after_exit")]
    again = Admission(id="again", pilot="p", author="anna", charter=charter(RATE))
    assert "after_exit" in detail(bench.act(again, T0 + 30_000))
    assert all(c.halts for c in bench.out.commands)
    assert bench.machine.notify_at is None


def test_alert_metric_and_board_stand_while_an_exit_is_pending() -> None:
    """They end with the exit itself, which comes when the stop is verified."""
    bench, metrics, board = Bench(RATE), Metrics(), FleetView()
    alerts = alerted.PilotAlerts()

    def shown(out: Outputs) -> tuple[list[str], bool, int]:
        nonlocal alerts
        metrics.observe(out)
        board.apply(out)
        for decision in out.decisions:
            alerts = alerted.after_decision(alerts, decision)
        level = b'sandbox_monitor_pilot_level{participant="firm",pilot="p"} 3.0' in metrics.exposition()
        return sorted({alert.name for alert in alerts.alerts()}), level, len(board.open_commands())

    shown(bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="x"), T0 + 1))
    (command,) = bench.out.commands
    before = shown(Outputs())
    assert before[0]
    assert before[1:] == (True, 1)
    assert shown(bench.act(Withdrawal(id="w", pilot="p", author="anna", reason="over"), T0 + 2)) == before
    beats = (bench.emitter.heartbeat(T0 + 3, False) for _ in range(3))
    out = bench.send(bench.emitter.acknowledged(T0 + 3, command.id, command.standing), *beats, at=T0 + 3)
    assert shown(out) == ([], False, 0)


def test_an_overdue_or_contradicted_stop_is_found_after_an_exit_too() -> None:
    """Who leaves is followed all the same."""
    bench = Bench(RATE)
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="x"), T0 + 1)
    bench.act(Withdrawal(id="w", pilot="p", author="anna", reason="over"), T0 + 2)
    bench.time(T0 + 120_000)
    bench.send(bench.emitter.heartbeat(T0 + 130_000, True), at=T0 + 130_000)
    assert {Reason.HALT_OVERDUE, Reason.HALT_CONTRADICTED} <= set(bench.reasons())
    assert not bench.machine.pilots["p"].exited


def test_a_release_lets_a_leaving_pilot_go() -> None:
    """With a complete release its halt is over, and so is its stay."""
    bench = Bench(RATE)
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="x"), T0 + 1)
    bench.act(Withdrawal(id="w", pilot="p", author="anna", reason="over"), T0 + 2)
    lift(bench, T0 + 3)
    assert bench.reasons()[-2:] == [Reason.RELEASED, Reason.EXITED]
    assert bench.machine.pilots["p"].exited


def test_a_firm_admits_its_own_pilot_in_open_mode_only() -> None:
    """With admitter keys the firm is refused, as author and by its key; in open mode the record says who it was."""
    admission = Admission(id="a", pilot="p", author="firm", charter=charter(participant=OWN))
    closed = Signed(admitters=Trusted([ADMITTER.public, FIRM.public]), participant=OWN)
    assert "firm_alone" in detail(closed.put(admission, ADMITTER))
    assert "firm_alone" in detail(closed.put(structs.replace(admission, author="anna"), FIRM))
    assert why(closed.put(admission, None)) == [("signature", "forged")]
    (decision,) = Signed(participant=OWN).put(admission, FIRM).decisions
    assert (decision.author, decision.signed) == ("firm", FIRM.key_id)


def test_an_admitter_amends_and_ends_a_pilot_in_place_of_an_officer() -> None:
    """Under any name but the firm's; without the key, an unsigned officer does neither where admitter keys are
    configured."""
    bench = Signed(admitters=Trusted([ADMITTER.public]))
    bench.put(bench.admission, ADMITTER)
    amendment = Amendment(id="m", pilot="p", author="office", charter=charter(version=2))
    exit_ = Withdrawal(id="w", pilot="p", author="anna", reason="x")
    for act in (amendment, exit_):
        assert why(bench.put(act, None)) == why(bench.put(act, STRANGER)) == [("signature", "forged")]
    assert "not_an_officer" in detail(bench.put(structs.replace(amendment, author="firm"), ADMITTER))
    assert not bench.put(amendment, ADMITTER).rejected
    assert not bench.put(exit_, ADMITTER).rejected


@pytest.mark.parametrize("state", ["commanded", "acknowledged", "contradicted", "overdue", "verified"])
def test_a_halt_that_is_not_verified_is_released_with_a_reason_only(state: str) -> None:
    """Without one it is refused, naming what became of the halt; with one, state and reason are on record."""
    bench = Bench(RATE)
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="x"), T0 + 1)
    (command,) = bench.out.commands
    at = T0 + 2
    if state == "overdue":
        at = T0 + 120_000
        bench.time(at)
    elif state != "commanded":
        bench.send(bench.emitter.acknowledged(T0 + 2, command.id, command.standing), at=at)
    if state in ("verified", "contradicted"):
        for _ in range(3):
            bench.send(bench.emitter.heartbeat(at, state == "contradicted"), at=at)
    assert bench.machine.pilots["p"].standing.halt_state.state == state
    bench.act(Rectification(id="r", pilot="p", author="firm", finding="f", cause="c", action="a", evidence="e"), at)

    bench.act(Evaluation(id="e", pilot="p", author="lab", passed=True, report="ok"), at)
    bench.act(Approval(id="a1", pilot="p", author="anna"), at)
    bench.act(Approval(id="a2", pilot="p", author="ben"), at)
    words = {"commanded": "not acknowledged", "acknowledged": "not verified"}.get(state, state)
    for number, reason in enumerate(("", "  ")):
        out = bench.act(Release(id=f"rel{number}", pilot="p", author="anna", reason=reason), at)
        if state == "verified":
            assert out.decisions
            return
        assert out.rejected[0].field == "reason"
        assert f"halt_not_verified: the halt is {words}" in detail(out)
    (decision,) = bench.act(Release(id="rel", pilot="p", author="anna", reason="seen on site"), at).decisions
    assert (decision.reason, decision.finding.rule) == (Reason.RELEASED, f"halt {words}")
    assert decision.finding.detail == "seen on site"
