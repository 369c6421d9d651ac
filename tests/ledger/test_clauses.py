"""A ledger whose entries name clauses and addressees in the chain: both verifiers accept it, and a replay gives it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec import structs

from monitor.charter.chain import Chain, Party
from monitor.charter.control import Override
from monitor.engine.machine import Machine
from monitor.model.events import Severity
from monitor.model.records import Decision, Outputs
from monitor.model.signing import Trusted
from monitor.notary.notary import Notary
from monitor.notary.verify import entries
from tests.ledger.go_tools import GoUnavailable, program
from tests.ledger.goal_second_verifier import MODULE, first_verdict, second_verdict
from tests.unit.basis.test_cited import CITING, cites
from tests.unit.lifecycle.founded import PUBLIC, Founded


def told(*, incident: bool = True) -> Founded:
    """A pilot with a hard rule, an act and legal deadlines, all of which cite, under a charter with a chain."""
    network = structs.replace(CITING, responsibility="computed")
    chain = Chain(Party("maker"), Party("builder"), Party("clinic"))
    bench = Founded(network, admit=structs.replace(cites(), chain=chain))
    if incident:
        bench.say(bench.service.incident(bench.at, severity=Severity.SERIOUS_INCIDENT))
    bench.put(Override(**bench.by("officer"), level="watch", reason="look"))
    return bench


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bench = told()
    notary = Notary(tmp_path_factory.mktemp("clauses") / "ledger")
    notary.record([*bench.decisions, *bench.commands])
    notary.close()
    return notary.directory


def test_entries_hold_the_clauses_and_the_addressees_of_the_chain(ledger: Path) -> None:
    """As the decisions have them; what cites nothing has no such field."""
    bodies = [json.loads(one.body) for path in ledger.glob("*.ledger") for one in entries(path)]
    cited = {tuple(body["clauses"]) for body in bodies if "clauses" in body}
    assert {("rule-1",), ("own-1", "act-1"), ("eu-aia-73-2", "eu-aia-73-5")} <= cited
    assert any("clauses" not in body for body in bodies)
    assert any("supplier:builder" in body.get("addressed", ()) for body in bodies)


def test_both_verifiers_accept_the_ledger(ledger: Path) -> None:
    """The fields are optional keys of the current format of entries."""
    files = sorted(path.name for path in ledger.glob("*.ledger"))
    assert files
    for file in files:
        assert first_verdict([file], ledger) == (0, set())
    try:
        second = program("verifier", MODULE)
    except GoUnavailable as why:
        pytest.skip(str(why))
    for file in files:
        assert second_verdict(second, [file], ledger) == (0, set())


def test_the_same_control_records_give_the_same_clauses_again() -> None:
    """What a decision cites follows from the log alone: charter, configuration and acts."""
    first = told(incident=False)
    machine, decisions = Machine(0, journalled=False, admitters=Trusted([PUBLIC["admitter"]])), list[Decision]()
    second = Founded(None, admit=None)
    second.machine = machine
    for record in first.sent:
        out: Outputs = second.step(record)
        decisions += out.decisions
    acts = [(one.reason, one.clauses, one.addressed) for one in first.decisions if one.author]
    assert [(one.reason, one.clauses, one.addressed) for one in decisions if one.author] == acts
    assert any(clauses for _, clauses, _ in acts)
