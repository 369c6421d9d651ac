"""The table of alerts and who receives them: 4 places x 10 kinds, with the labels that the product gives them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from msgspec import UNSET, structs

from monitor.act.alertmanager import Alertmanager
from monitor.charter.spec import Authority, Charter
from monitor.lifecycle.sandbox import Sandbox, SandboxAuthority
from monitor.model.clock_record import Change, ClockRecord, ClockState, OnMiss, Owes
from monitor.model.records import Decision, Finding, Level, Reason
from monitor.network.addressees import addressees
from monitor.network.responsibility import responsible
from monitor.projections.alerts import PilotAlerts, after_decision, facts_of
from monitor.testing.records import decision
from tests.unit.lifecycle.founded import AUTHORITY, OTHER, OWN, SANDBOX

URL = "http://127.0.0.1:9095"  # of every webhook, as in the shipped configuration
AUTHORITIES = (
    SandboxAuthority("capital", "central", contacts=(f"{URL}/capital",)),
    SandboxAuthority("north", "provincial", region="North", contacts=("+49 30 1234", f"{URL}/north")),
    SandboxAuthority("south", "provincial", region="South", contacts=("+49 89 1234",)),  # has no address
    SandboxAuthority("transport", "sectoral", sectors=("driving", "Logistics"), contacts=(f"{URL}/transport",)),
    SandboxAuthority("health.n", "sectoral", region="north", sectors=("health",), contacts=(f"{URL}/health",)),
)
AT = {AUTHORITY: "capital", OTHER: "north"}
PEOPLE = tuple(structs.replace(one, authority=AT.get(one.authority, "")) for one in SANDBOX.people)
NETWORK = structs.replace(SANDBOX, authorities=AUTHORITIES, people=PEOPLE)
PLACES = (("North", "health"), ("NORTH ", "logistics"), ("south", "Logistics"), ("East", 'finance "x"\nof y'))
NAMES = {"N": "north", "H": "health.n", "T": "transport", "C": "capital"}
RECEIVERS = {"O": "on-call", **{letter: f"authority-{name}" for letter, name in NAMES.items()}}
PATHS = {"O": "/on-call", "N": "/north", "H": "/health", "T": "/transport", "C": "/capital"}

# Who receives what: a row per kind of alert, a column per place; O is the default receiver.
TABLE = """
halt by push                       NH   NT   OT   C
halt by rule                       NH   NT   OT   C
hard rule, watched, by push        NH   NT   OT   C
escalation by push                 NH   NT   OT   C
escalation by rule                 NH   NT   OT   C
deadline of the firm by push       NH   NT   OT   C
deadline of the firm by rule       NH   NT   OT   C
deadline of the authority by push  NHC  NTC  OTC  C
deadline of the authority by rule  NHC  NTC  OTC  C
missed assessment by push          NHC  NTC  OTC  C
"""


class Case(NamedTuple):
    """One alert: its name in the table, its labels, and the letters of its receivers."""

    name: str
    labels: dict[str, str]
    receivers: frozenset[str]


def cases() -> list[Case]:
    """The 40 cases. Each has another pilot."""
    found = []
    for row, line in enumerate(TABLE.strip().splitlines()):
        kind, cells = line[:35].strip(), line[35:].split()
        for column, letters in enumerate(cells):
            place = PLACES[column]
            labels = labels_of(kind, charter(f"p-{row}-{column}", *place), NETWORK)
            found.append(Case(f"{kind}, {place[0].strip()} {place[1].split()[0]}", labels, frozenset(letters)))
    return found


def charter(pilot: str, region: str, sector: str) -> Charter:
    return structs.replace(OWN, pilot=pilot, region=region, sector=sector, authorities=(Authority("unknown"),))


def labels_of(kind: str, plan: Charter, network: Sandbox) -> dict[str, str]:
    """The labels of an alert: of the push as the monitor sends it, of the rule as Prometheus joins them."""
    names = responsible(network, plan)
    found = _decision(kind, plan.pilot)
    found = structs.replace(found, addressed=addressees(found, network, plan, names))
    alerts = list(after_decision(PilotAlerts(), found, facts_of(plan)).alerts())
    assert alerts, kind
    sent: dict[str, Any] = Alertmanager("http://127.0.0.1:1")._alert(alerts[-1], found.at, ended=False)
    labels: dict[str, str] = json.loads(json.dumps(sent["labels"]))
    if kind.endswith("by push"):
        return labels
    kept = ("alertname", "severity", "level", "pilot", "participant", "tier", "sector", "region")
    owed = {"owed_by": found.finding.clock.owed_by.value} if found.finding.clock is not UNSET else {}
    return {name: labels[name] for name in kept} | owed | {"via": "rule", "authority": ",".join(names)}


def _decision(kind: str, pilot: str) -> Decision:
    how = kind.removesuffix(" by push").removesuffix(" by rule")
    match how:
        case "halt":
            return decision(1, pilot=pilot, reason=Reason.OVERRIDDEN, level=Level.HALT)
        case "hard rule, watched,":
            detail = Finding(rule="x", detail="serious_incident, death, i-1")
            return decision(
                1, pilot=pilot, reason=Reason.HARD_RULE, level=Level.WATCH, finding=detail, finding_key="rule/x",
                finding_level=Level.WATCH,
            )  # fmt: skip
        case "escalation":
            return decision(1, pilot=pilot, reason=Reason.OVERRIDDEN, level=Level.ESCALATE)
        case "missed assessment":
            return decision(1, pilot=pilot, reason=Reason.ASSESSMENT_MISSED, level=Level.ESCALATE)
    owed_by = Owes.FIRM if how == "deadline of the firm" else Owes.AUTHORITY
    clock = Finding(rule="r", clock=ClockRecord(
        change=Change.MISSED, at=1, rule="r", title="t", starts="exit", key="k", owed_by=owed_by, basis="b",
        on_miss=OnMiss.WATCH, state=ClockState.MISSED,
    ))  # fmt: skip
    return decision(
        1, pilot=pilot, reason=Reason.CLOCK_MISSED, level=Level.WATCH, finding=clock, finding_key="clock/r",
        finding_level=Level.WATCH,
    )  # fmt: skip
