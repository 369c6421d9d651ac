"""What a supplier sees of its models over all pilots: counts, and nothing that names another firm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec import structs

from monitor.__main__ import cli
from monitor.charter.chain import Chain, Party
from monitor.charter.spec import Model, Participant
from monitor.decide.control_acts import public_document
from monitor.model.records import Outputs
from monitor.notary.notary import Notary
from monitor.report.ledger_dir import stays
from monitor.report.supplier_view import FIRMS, supplier_view
from tests.unit.decide.test_exits import bench

CANARY = "canary"


def ledger(folder: Path, firms: list[str], **changes: Any) -> Path:
    """One pilot of each firm, halted, under a charter full of canaries that names the supplier `maker`."""
    made = bench(hours=2, incidents=100)
    notary = Notary(folder / "ledger")
    for number, firm in enumerate(firms):
        pilot = f"{CANARY}-pilot-{number}"
        out: Outputs = made.out
        charter = made.machine.pilots["p"].charter
        old = charter.indicators[0].name
        indicators = tuple(structs.replace(one, name=f"{CANARY}-{one.name}") for one in charter.indicators)
        fields = {
            "pilot": pilot, "participant": Participant(firm, name=f"{CANARY} Ltd"), "scenario": f"{CANARY} scenario",
            "sector": f"{CANARY}-sector", "region": f"{CANARY}-region", "vendor": "maker", "indicators": indicators,
            "models": (Model(f"{CANARY}-digest"),), "objects": (CANARY,),
        }  # fmt: skip
        document = public_document(structs.replace(charter, **(fields | changes)))
        renamed = [
            structs.replace(
                one, pilot=pilot, id=f"{number:02d}{one.id[2:]}", participant=firm, author=f"{CANARY}-author",
                addressed=("supplier:maker", f"firm:{firm}"), cause=f"event:{CANARY}#1",
                finding=structs.replace(
                    one.finding, detail=f"{CANARY} text", segment=CANARY, explanation=CANARY,
                    indicator=f"{CANARY}-{old}" if one.finding.indicator == old else one.finding.indicator,
                ),
            )
            for one in out.decisions
        ]  # fmt: skip
        notary.record([structs.replace(renamed[0], document=document), *renamed[1:]])
    notary.close()
    return notary.directory


def shown(folder: Path, *more: str) -> tuple[int, str]:
    found = CliRunner().invoke(cli, ["supplier", "show", "maker", "--ledger", str(folder), *more])
    return found.exit_code, found.output


def firms(number: int) -> list[str]:
    return [f"{CANARY}-firm-{n}" for n in range(number)]


@pytest.fixture(scope="module")
def enough(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ledger(tmp_path_factory.mktemp("enough"), firms(FIRMS))


def test_no_id_name_or_text_of_another_firm_is_in_the_view(enough: Path) -> None:
    """Every text that a firm or an authority wrote is a canary, and none is printed, as text or as JSON."""
    held = b"".join(path.read_bytes() for path in enough.rglob("*.ledger"))
    assert held.count(CANARY.encode()) > 20
    for more in ((), ("--json",)):
        code, said = shown(enough, *more)
        assert code == 0
        assert CANARY not in said.casefold()
        assert "maker" in said


def test_findings_are_counted_by_reason_and_kind_over_pilots(enough: Path) -> None:
    """Kinds of indicators are of a closed list; the sum is that of the rows."""
    found = json.loads(shown(enough, "--json")[1])
    assert found["pilots"] == FIRMS
    assert found["events"]["halts"] == FIRMS
    assert found["findings"]["limit_exceeded/incident_rate"] >= FIRMS
    for name in ("events", "findings"):
        total: dict[str, int] = {}
        for row in found["rows"]:
            for what, count in row[name].items():
                total[what] = total.get(what, 0) + count
        assert total == found[name]
    assert sorted(row["number"] for row in found["rows"]) == [1, 2, 3]
    assert sum(found["addressed"].values()) > 0


@pytest.mark.parametrize("names", [firms(1), firms(FIRMS - 1), [*firms(FIRMS - 1), "maker"], firms(1) * FIRMS])
def test_counts_are_withheld_for_fewer_firms_than_the_rule_asks_for(tmp_path: Path, names: list[str]) -> None:
    """Several pilots of one firm, and the supplier's own pilots, do not help. Nothing but that is told."""
    folder = ledger(tmp_path, names)
    code, said = shown(folder, "--json")
    found = json.loads(said)
    assert code == 0
    assert found["withheld"] is True
    assert found["pilots"] is None
    assert not any(found[name] for name in ("events", "findings", "addressed", "versions", "rows"))
    assert CANARY not in said
    assert "withheld" in shown(folder)[1]


def test_a_lower_number_than_the_rule_cannot_be_asked_for(tmp_path: Path) -> None:
    """Neither on the command line nor in the function."""
    folder = ledger(tmp_path, firms(FIRMS - 1))
    assert shown(folder, "--least", "1")[0] == 2
    view = supplier_view(stays(folder), "maker", firms=1)
    assert view is not None
    assert view.withheld


def test_a_version_is_told_only_if_enough_firms_use_it(enough: Path, tmp_path: Path) -> None:
    """A digest may have been made for one customer."""
    digest = f"{CANARY}-digest"
    view = supplier_view(stays(enough), "maker", ["m"], {digest})
    assert view is not None
    assert set(view.versions) == {digest}
    few = ledger(tmp_path, firms(FIRMS), vendor="maker", models=(Model("of-all"),))
    view = supplier_view(stays(few), "maker", ["m"], {"of-one"})
    assert view is not None
    assert view.versions == {}


def test_no_difference_of_counts_is_that_of_few_firms(tmp_path: Path) -> None:
    """What one customer's version shows must not follow from the sum and from the version of all others."""
    many = ledger(tmp_path / "many", firms(FIRMS), models=(Model("of-many"),))
    one = ledger(tmp_path / "one", [f"{CANARY}-firm-9"], models=(Model("of-one"),))
    more = ledger(tmp_path / "more", [f"{CANARY}-firm-{n}" for n in range(5, 5 + FIRMS)], models=(Model("of-more"),))
    known = {"of-many", "of-one", "of-more"}
    for folders, told in (
        ((many, one), set()),
        ((many, more), {"of-many", "of-more"}),
        ((many, more, one), {"of-many"}),
    ):
        view = supplier_view([stay for folder in folders for stay in stays(folder)], "maker", ["m"], known)
        assert view is not None
        assert not view.withheld
        assert set(view.versions) == told


def test_a_developer_in_the_chain_is_a_supplier_and_a_deployer_is_not(tmp_path: Path) -> None:
    """The chain names the makers; who runs the system sees its own ledger."""
    chain = Chain(Party("base"), Party("builder"), Party("clinic"))
    folder = ledger(tmp_path, firms(FIRMS), vendor="", chain=chain)
    for name, found in (("base", True), ("builder", True), ("clinic", False), ("maker", False)):
        assert (supplier_view(stays(folder), name) is not None) is found, name
    assert shown(folder)[0] == 1
