"""A board with many pilots, for measurements of its pages: every kind of thing that a page lists, for many pilots.

Of ten pilots one is halted, one escalated and one on watch. Each has a charter, 100 decisions, evidence of two hours,
and legal deadlines of the firm and of its authority; of ten one missed a deadline, one has complaints of users that
wait, and one had telemetry rejected. There are 50 firms, 7 authorities of the sandbox and 100 models.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import structs

from monitor.charter.spec import Charter, Model, UsersChannel, charter_hash
from monitor.console.fleet_view import FleetView
from monitor.lifecycle.sandbox import SUBJECT
from monitor.lifecycle.sandbox_acts import SandboxFounding, configuration_digest
from monitor.model.clock_record import Change, ClockRecord, ClockState, OnMiss, Owes
from monitor.model.records import Decision, Evidence, Finding, Level, Outputs, Reason, Rejected
from monitor.model.subjects import MODEL
from monitor.notary.notary import Notary
from monitor.publication.desk import LedgerDesk
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import decision, evidence
from tests.country.nation import sandbox

HOUR, DAY = 3_600_000, 86_400_000
START = 1_767_225_600_000
NOW = START + 90 * DAY
FIRMS, AUTHORITIES, MODELS, MOST = 50, 7, 100, 5_000
DECISIONS = 100
ENTERED = 4  # of them in the ledger
LEVELS = (Level.HALT, Level.ESCALATE, Level.WATCH)
MISSED, COMPLAINTS, REJECTED = 4, 5, 6  # the last digit of the number of a pilot


def board_of(pilots: int, ledger: Path | None = None) -> FleetView:
    """A board with so many pilots. With `ledger` (a new directory), the ledgers of their first decisions are written
    there, and the board shows them."""
    board = FleetView(most=max(MOST, pilots))
    notary = None if ledger is None else Notary(ledger)
    _found(board)
    entered: list[Decision] = []
    for outputs, plan in outputs_of(pilots):
        board.learn(plan)
        board.apply(outputs)
        entered += outputs.decisions[:ENTERED]
    for number in range(MODELS):
        board.apply(Outputs(decisions=[_model(number)]))
    if notary is not None and ledger is not None:
        notary.record(entered)
        heads = notary.logs
        board.desk = LedgerDesk(ledger, lambda: heads, None)
        notary.close()
    return board


def outputs_of(pilots: int) -> Iterator[tuple[Outputs, Charter]]:
    """The outputs about each pilot, and its charter."""
    for number in range(pilots):
        name, firm = f"pilot-{number:05}", f"firm-{number % FIRMS}"
        made = charter(name, number=number, period_ms=HOUR, cap=9.0, dispersion=1.0, start=START, end=NOW)
        plan = structs.replace(
            made, participant=structs.replace(made.participant, id=firm), sector=f"s{number % 9}",
            models=(Model(digest=_digest(number % MODELS), version="1.0"),),
            users_channel=UsersChannel(answer_within="30d"),
        )  # fmt: skip
        rejected = []
        if number % 10 == REJECTED:
            rejected.append(Rejected(topic="telemetry", partition=0, offset=number, field="type", reason="schema",
                                     pilot=name, received=NOW, count=3))  # fmt: skip
        closed = [_evidence(name, firm, hour) for hour in range(2)]
        decisions = _history(name, firm, charter_hash(plan), number)
        yield Outputs(decisions=decisions, evidence=closed, rejected=rejected), plan


def _digest(number: int) -> str:
    return f"{number:064x}"


def _evidence(name: str, firm: str, hour: int) -> Evidence:
    return evidence(0, name, participant=firm, start=START + hour * HOUR, end=START + (hour + 1) * HOUR)


def _found(board: FleetView) -> None:
    founding = SandboxFounding(id="founding", pilot=SUBJECT, author="founder", sandbox=sandbox())
    board.act(founding)
    founded = decision(
        1, SUBJECT, kind="act", level=Level.NORMAL, was=Level.NORMAL, reason=Reason.FOUNDED, at=START,
        finding=Finding(), author="founder", signed="a" * 16, charter=configuration_digest(founding.sandbox),
    )  # fmt: skip
    board.apply(Outputs(decisions=[founded]))


def _model(number: int) -> Decision:
    content = {"entry": "version-1", "kind": "version", "by": "supplier", "digest": _digest(number), "version": "1.0"}
    return decision(
        1, f"{MODEL}model-{number:03}", kind="act", level=Level.NORMAL, was=Level.NORMAL, at=START, author="supplier",
        reason=Reason.MODEL_ENTRY_ADDED, finding=Finding(content=content),
    )  # fmt: skip


def _history(name: str, firm: str, digest: str, number: int) -> list[Decision]:
    addressed = (f"authority:authority-{number % AUTHORITIES}", f"firm:{firm}")
    common = {"participant": firm, "charter": digest, "states": "running", "addressed": addressed}
    found = [
        decision(1, name, kind="act", level=Level.NORMAL, reason=Reason.ADMITTED, at=START, finding=Finding(),
                 author="officer", responsible=(f"authority-{number % AUTHORITIES}",), **common)
    ]  # fmt: skip
    findings = [_clock(Owes.FIRM, number), _clock(Owes.AUTHORITY, number)]
    if number % 10 == MISSED:
        findings.append(_clock(Owes.AUTHORITY, number, missed=True))
    for finding in findings:
        reason = Reason.CLOCK_MISSED if finding.clock.state is ClockState.MISSED else Reason.CLOCK_STARTED
        found.append(decision(len(found) + 1, name, kind="finding", level=Level.NORMAL, was=Level.NORMAL, reason=reason,
                              at=START + len(found) * HOUR, finding=finding, **common))  # fmt: skip
    if number % 10 == COMPLAINTS:
        filed = Finding(content={"complaints": (f"c-{number}-1", f"c-{number}-2")})
        found.append(decision(len(found) + 1, name, kind="act", level=Level.NORMAL, was=Level.NORMAL, finding=filed,
                              reason=Reason.COMPLAINT_FILED, at=NOW - 10 * DAY, author=firm, **common))  # fmt: skip
    for standing in range(len(found) + 1, DECISIONS):
        at = START + standing * HOUR
        found.append(decision(standing, name, kind="finding", level=Level.NORMAL, was=Level.NORMAL, at=at, **common))
    if number % 10 < len(LEVELS):
        level = LEVELS[number % 10]
        states = "running halted" if level is Level.HALT else "running"
        found.append(decision(DECISIONS, name, level=level, at=START + 30 * HOUR + number, finding_key="limit",
                              finding_level=level, **(common | {"states": states})))  # fmt: skip
    return found


def _clock(owes: Owes, number: int, *, missed: bool = False) -> Finding:
    """A deadline that runs, or was missed and is still owed."""
    due = NOW + (-5 if missed else number % 60 + 1) * DAY
    record = ClockRecord(
        change=Change.MISSED if missed else Change.STARTED, at=START, rule=f"{owes.value}-{missed}",
        title="Report of a serious incident", starts="serious_incident", key=f"i-{number}", owed_by=owes,
        basis="EU AI Act, Art. 73(2)", on_miss=OnMiss.RECORD, due=due, zone="UTC", last_day="2026-04-01",
        state=ClockState.MISSED if missed else ClockState.RUNNING,
    )  # fmt: skip
    return Finding(rule=record.rule, clock=record)
