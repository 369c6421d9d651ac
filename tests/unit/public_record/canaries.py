"""A charter in which every part that may be confidential holds a text that stands nowhere else, and its ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, structs

from monitor.charter.chain import Chain, Party
from monitor.charter.spec import (
    PUBLIC,
    AssessmentSpec,
    Authority,
    ChangeKind,
    Charter,
    Drills,
    Model,
    Participant,
    PlannedChange,
    Provenance,
    Reporter,
    RolloutStep,
    TrendSpec,
    Trial,
    Users,
    UsersChannel,
    charter_hash,
    public_part,
)
from monitor.model.records import Decision, Finding, Level, Reason, digest
from monitor.notary.notary import Notary
from monitor.testing.records import decision, halted
from tests.unit.engine.test_machine import charter

AT = 1_780_000_000_000  # in 2026
PILOT = "p-1"
PEOPLE = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "desk@firm.example", "desk@authority.example")
CANARIES: dict[str, Any] = {
    "scenario": "canary-scenario",
    "models": (Model("canary-models", "canary-models-7"),),
    "sector": "canary-sector",
    "region": "canary-region",
    "vendor": "canary-vendor",
    "data_source": "canary-data_source",
    "objects": ("canary-objects",),
    "users": Users(groups=("canary-users",)),
    "data_boundary": ("canary-data_boundary",),
    "drills": Drills(zone="canary-drills", every="9d"),
    "evaluation": (Trial("canary-evaluation", {}),),
    "reporters": (Reporter("canary-reporters", ("ed25519:k",)),),
    "identifiers": "pseudonyms",
    "changes": (PlannedChange("canary-changes", ChangeKind.DATA_TYPE, "canary-changes", "i"),),
    "trends": (TrendSpec("canary-trends", "30d", 1, 1),),
    "assessment": AssessmentSpec("77001s"),
    "replicates": Provenance("canary-replicates", "t", "0" * 64),
    "chain": Chain(deployer=Party("canary-chain")),
}
"""Field that may be confidential -> a value."""
STATED: dict[str, Any] = {"rollout": (RolloutStep(77_003),), "users_channel": UsersChannel(answer_within="77002s")}
"""Fields that decisions, or the users' door, state to everybody."""
MARKS = {name: f"canary-{name}" for name in CANARIES} | {
    "identifiers": "pseudonyms",
    "assessment": "77001s",
}
"""Field -> the text by which it is known in a JSON file."""


def fields_that_may_be_confidential() -> set[str]:
    """By the schema."""
    return {field.name for field in structs.fields(Charter)} - PUBLIC


def charter_with(confidential: tuple[str, ...]) -> Charter:
    """The charter, with these parts listed."""
    return charter(
        pilot=PILOT,
        participant=Participant("firm-1", name="The Firm", contacts=(PEOPLE[3],)),
        authorities=(Authority("auth", approvers=PEOPLE[:2], officers=PEOPLE[2:3], contacts=(PEOPLE[4],)),),
        confidential=confidential or UNSET,
        **CANARIES,
        **STATED,
    )


def act(standing: int, reason: Reason, **changes: Any) -> Decision:
    """A decision that a person took."""
    more: dict[str, Any] = {"finding": Finding(rule="x", detail="words of a person"), "author": PEOPLE[0]}
    fields = {"kind": "act", "level": Level.NORMAL, "cause": f"control:a{standing}", "at": AT + standing * 60_000}
    return decision(standing, PILOT, reason=reason, id=digest(PILOT, standing), **fields | more | changes)


def write(home: Path, confidential: tuple[str, ...], *, entered: bool = True, consent: bool = False) -> None:
    """The ledger of a pilot that was halted by a limit, by a hard rule and by a person, and left. Without `entered` its
    charter is in the decision alone, as in older ledgers."""
    made = charter_with(confidential)
    hashed, named = charter_hash(made), dict[str, Any]()
    named["document"] = msgspec.json.decode(public_part(made))
    by_rule = Finding(rule="death", detail="serious_incident, death, i-7")
    by_limit = Finding(
        indicator="incidents", rule="limit_e_process", statistic=9.0, bar=4.6, observed=20.0, expected=5.0, events=20.0,
        exposure=1000.0, unit="decisions", explanation="20 events against a limit of 5", ratio=4.0, ratio_low=2.4,
        ratio_high=6.2, period_start=AT, period_end=AT + 3_600_000, alpha=0.006, alpha_spent=0.006,
    )  # fmt: skip
    contradicted = Finding(rule="heartbeat", detail="canary-models/svc")
    steps = [
        act(1, Reason.ADMITTED, charter=hashed, **named),
        halted(2, PILOT, finding=by_limit, at=AT + 120_000, charter=hashed, cause="event:svc#2"),
        decision(3, PILOT, reason=Reason.COMMAND_ACKNOWLEDGED, finding=Finding(observed=2.0), level=Level.HALT,
                 was=Level.HALT, at=AT + 180_000),
        halted(4, PILOT, finding=contradicted, reason=Reason.HALT_CONTRADICTED, was=Level.HALT, at=AT + 240_000),
        act(5, Reason.RELEASED, was=Level.HALT),
        halted(6, PILOT, finding=by_rule, reason=Reason.HARD_RULE, at=AT + 360_000, charter=hashed, cause="event:s#6"),
        act(7, Reason.RELEASED, was=Level.HALT),
        act(8, Reason.SUSPENDED, level=Level.HALT, charter=hashed, finding=Finding(
            rule="suspension", detail="words of a person", content={"basis": "Art. 57(11)"})),
        act(9, Reason.RELEASED, was=Level.HALT),
        act(10, Reason.EXITED, charter=hashed, states="exited outcome=stop",
            finding=Finding(rule="exit", detail="words of a person", content={"outcome": "stop", "advised": "stop"})),
        act(11, Reason.REPORT_ISSUED, finding=Finding(rule="exit_report", content={"report": "ab" * 32,
                                                                                   "proof": "cd" * 32})),
    ]  # fmt: skip
    if consent:
        steps.append(act(12, Reason.PUBLISHED, states="published outcome=stop"))
    notary = Notary(home)
    notary.record(steps, charters={("a1", hashed): made} if entered else {})
    notary.close()
