"""A machine whose sandbox is founded with keys, and one pilot in it, for tests."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import structs

from monitor.charter.control import Admission, Agreement, Amendment, ControlBase, Screening, Submission
from monitor.charter.spec import (
    Authority,
    Bound,
    Charter,
    HardRule,
    Participant,
    Responses,
    Trial,
    Users,
    charter_hash,
)
from monitor.deadlines.shipped import example_table
from monitor.engine.machine import Machine
from monitor.lifecycle.acts import Role
from monitor.lifecycle.first import first_sandbox
from monitor.lifecycle.sandbox import SUBJECT, Person, Sandbox, SandboxAuthority
from monitor.lifecycle.sandbox_acts import (
    Change,
    Proposal,
    ProposalApproval,
    SandboxFounding,
    SandboxState,
    change_digest,
)
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Severity, encode
from monitor.model.records import Command, Decision, Outputs, Record, Rejected
from monitor.model.signing import HEADER, Signer, Trusted
from monitor.state.acts_once import validity
from monitor.state.pilot import PilotState
from tests.unit.engine.test_machine import RATE, T0, charter
from tests.unit.lifecycle.applied import application

AUTHORITY, OTHER = "authority", "other"
NAMES = (
    "admitter", "firm", "officer", "approver-1", "approver-2", "evaluator", "publisher", "public", "supplier",
    "auditor", "operator", "stranger", "other-officer", "other-approver",
)  # fmt: skip
KEYS = {name: Signer(bytes([number]) * 32) for number, name in enumerate(NAMES, 1)}
PUBLIC = {name: key.public for name, key in KEYS.items()}
MORE = (
    Person("publisher", (Role.PUBLISHER,), "", (PUBLIC["publisher"],)),
    Person("public", (Role.PUBLIC_CHANNEL,), "", (PUBLIC["public"],)),
    Person("supplier", (Role.SUPPLIER,), "", (PUBLIC["supplier"],)),
    Person("auditor", (Role.AUDITOR,), "", (PUBLIC["auditor"],)),
    Person("operator", (Role.OPERATOR,), "", (PUBLIC["operator"],)),
    Person("other-officer", (Role.OFFICER,), OTHER, (PUBLIC["other-officer"],)),
    Person("other-approver", (Role.APPROVER,), OTHER, (PUBLIC["other-approver"],)),
)
FIRST = first_sandbox("city", AUTHORITY, PUBLIC, example_table(), MORE)
SANDBOX = structs.replace(FIRST, authorities=(*FIRST.authorities, SandboxAuthority(OTHER, "provincial")))
OWN = charter(
    RATE,
    tier="limited",
    sector="logistics",
    region="north",
    users=Users(cap=500),
    hard_rules=(HardRule("serious", "escalate", severity=(Severity.SERIOUS_INCIDENT,)),),
    participant=Participant("firm", keys=(PUBLIC["firm"],)),
    # The people that a charter names have no rights once a sandbox is founded.
    authorities=(Authority(AUTHORITY, approvers=("x", "y"), officers=("stranger",)),),
    responses=Responses(tolerate_first=True, shelve_at_most="8h"),
    evaluation=(Trial("routine", {"error": Bound(most=0.1)}),),
)
RESULTS = {"routine": {"error": 0.05}}


class Founded:
    """A partition of a deployment with an admitter, whose sandbox is founded, and everything that it emitted."""

    def __init__(
        self,
        sandbox: Sandbox | None = SANDBOX,
        *,
        partition: int = 0,
        admit: Charter | None = OWN,
        before: Charter | None = None,
    ) -> None:
        """`admit` under this charter, from its application on; or `before` the sandbox was founded, under this one."""
        self.machine = Machine(partition, journalled=False, admitters=Trusted([PUBLIC["admitter"]]))
        self.at, self.number = T0, 0
        self.decisions: list[Decision] = []
        self.commands: list[Command] = []
        self.rejected: list[Rejected] = []
        self.sent: list[Record] = []
        self.service = Emitter("svc/1", "p")
        if before is not None:
            admit = None
            self.put(Admission(**self.by("admitter"), charter=before), "admitter")
        if sandbox is not None:
            self.put(SandboxFounding(**self.by("regulator", SUBJECT), sandbox=sandbox), "admitter")
        if admit is not None:
            self.agreed(admit)
            self.put(Admission(**self.by("officer"), charter=admit), "officer")
            assert sandbox is None or self.machine.pilots, self.rejected

    def agreed(self, charter: Charter) -> None:
        """Take a pilot from its application to the signatures of both sides, where the sandbox is founded."""
        if self.machine.sandbox.sandbox is None:
            return
        self.put(Submission(**self.by("firm"), application=application(charter), charter=charter))
        self.put(Screening(**self.by("officer")))
        for author in ("firm", "officer"):
            self.put(Agreement(**self.by(author), charter=charter_hash(charter)))

    def amended(self, charter: Charter) -> Outputs:
        """Amend the charter of the pilot with the signature of the firm."""
        self.put(Agreement(**self.by("firm"), charter=charter_hash(charter)))
        return self.put(Amendment(**self.by("officer"), charter=charter))

    @property
    def state(self) -> SandboxState:
        return self.machine.sandbox

    @property
    def pilot(self) -> PilotState:
        return self.machine.pilots["p"]

    def by(self, author: str, pilot: str = "p") -> dict[str, Any]:
        """The fields that every act has."""
        self.number += 1
        known = self.machine.pilots.get(pilot)
        waiting = self.machine.applicants.get(pilot)
        standing = known.standing.counter if known else waiting.standing if waiting else 0
        standing = self.machine.models[pilot].standing if pilot in self.machine.models else standing
        standing = self.machine.firms[pilot].standing if pilot in self.machine.firms else standing
        standing = self.machine.sandbox_standing if pilot == SUBJECT else standing
        return {"id": f"n{self.number}", "pilot": pilot, "author": author, **validity(standing, self.at)}

    def put(self, act: ControlBase, key: str | None = None) -> Outputs:
        """Send an act, signed with the key of this name (default: the author's; "" = not signed)."""
        body, key = msgspec.json.encode(act), act.author if key is None else key
        signature = KEYS[key].sign("control", body).encode() if key else b""
        record = Record(self.number, self.at, act.pilot.encode(), body, ((HEADER, signature),) if key else ())
        self.sent.append(record)
        return self.step(record)

    def step(self, record: Record) -> Outputs:
        """Step a control record as the next one of the log."""
        self.number += 1
        self.at += 1000
        return self.keep(self.machine.control(structs.replace(record, offset=self.number, received=self.at)))

    def say(self, event: Envelope) -> Outputs:
        """Send an event of the firm's service."""
        body = encode(event)
        headers = ((HEADER, KEYS["firm"].sign("telemetry", body).encode()),)
        self.number += 1
        return self.keep(self.machine.telemetry("telemetry", [Record(self.number, self.at, b"p", body, headers)]))

    def keep(self, out: Outputs) -> Outputs:
        self.decisions += out.decisions
        self.commands += out.commands
        self.rejected += out.rejected
        return out

    def change(self, change: Change, officer: str = "officer", approver: str = "approver-1") -> None:
        """Propose and approve a change of the configuration."""
        proposal = Proposal(**self.by(officer, SUBJECT), change=change)
        assert self.put(proposal).decisions
        approval = ProposalApproval(**self.by(approver, SUBJECT), proposal=proposal.id, digest=change_digest(change))
        assert self.put(approval).decisions, self.rejected[-1]
