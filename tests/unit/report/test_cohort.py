"""Templates, replicas and their comparison, from ledgers that the notary wrote."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec import structs

from monitor.charter.chain import Chain, Party
from monitor.charter.control import Admission, Withdrawal
from monitor.charter.exit_acts import TemplateMaking
from monitor.charter.spec import ChangeKind, Charter, Cycle, ExposureSpec, Model, Participant, PlannedChange, Provenance
from monitor.charter.template import OWN
from monitor.cli.replicas import cohort, replicate
from monitor.compile.dump import charter_yaml
from monitor.engine.machine import Machine
from monitor.errors import Refused
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, encode
from monitor.model.records import Closed, Outputs, Record
from monitor.notary import verify
from monitor.notary.charters import charter_of as put_in_force
from monitor.notary.encoding import encode as encoded
from monitor.notary.evidence_entries import EvidenceGatherer
from monitor.notary.notary import Notary
from monitor.notary.store import file_name
from monitor.report.cohort import CohortStream, cohort_of
from monitor.report.cohort_page import cohort_page
from monitor.report.documents import as_html, as_json, document
from monitor.report.fields import DOCUMENTS
from monitor.report.stay import Stay
from monitor.tlog.merkle import leaf_hash
from monitor.translation import PSEUDO, Language, speaking
from tests.unit.decide.test_exits import LEAVE
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench
from tests.unit.engine.test_machine import charter as charter_of

SPEC = structs.replace(RATE, limit=50, exposure=ExposureSpec(unit="users"))
SECRETS = ("firm", "bureau-that-is-secret", "object-that-is-secret", "m1", "ledger-of-firm", "deployer-of-firm",
           "model-of-plan")  # fmt: skip
ORIGIN = charter_of(
    SPEC, exit=LEAVE, data_source=SECRETS[1], objects=(SECRETS[2],), confidential=("objects",),
    chain=Chain(deployer=Party(SECRETS[5])),
    changes=(PlannedChange("next", ChangeKind.MODEL_VERSION, "m", "i", models=(SECRETS[6],)),),
)  # fmt: skip


class NamedBench(Bench):
    """A machine with one pilot under this charter."""

    def __init__(self, charter: Charter) -> None:
        self.machine, self.out = Machine(), Outputs()
        self._telemetry = self._control = 0
        self.emitter = Emitter("svc/1", charter.pilot)
        self.act(Admission(id="adm", pilot=charter.pilot, author="anna", charter=charter), T0)

    def send(self, *events: Envelope, at: int) -> Outputs:
        records = [Record(self._telemetry + i, at, e.subject.encode(), encode(e)) for i, e in enumerate(events)]
        self._telemetry += len(records)
        return self._keep(self.machine.telemetry("telemetry", records))


class Fleet:
    """Pilots, each on a machine, recorded by one notary."""

    def __init__(self, where: Path) -> None:
        self.ledgers = where
        self._notary = Notary(where)

    def stay(self, name: str, incidents: int, *, template: str = "", users: float = 200, **changes: Any) -> None:
        """A pilot of 20 hours; a template is made of it at its end if one is named."""
        charter = structs.replace(ORIGIN, pilot=name, **changes)
        bench = NamedBench(charter)
        for hour in range(20):
            at = T0 + hour * HOUR + 1000
            bench.send(*(bench.emitter.incident(at) for _ in range(incidents)), at=at)
            for shard in charter.indicators[0].segments or ("",):
                bench.send(bench.emitter.exposure(at, users, unit="users", segment=shard), at=at)
        bench.time(T0 + 22 * HOUR)
        by = {"pilot": name, "author": "anna", "reason": "r"}
        if template:
            assert not bench.act(Withdrawal(id="w", outcome="stop", met=(1,), **by), T0 + 23 * HOUR).rejected
            assert not bench.act(TemplateMaking(id="t", template=template, **by), T0 + 23 * HOUR).rejected
        key = put_in_force(bench.out.decisions[0])
        assert key is not None
        self._notary.record(bench.out.decisions, bench.out.commands, charters={key: charter})
        gatherer = EvidenceGatherer()
        for place, one in enumerate((*bench.out.evidence, Closed(partition=0, through=1 << 50))):
            self._notary.record_evidence(gatherer.take(place, one))

    def done(self) -> Path:
        self._notary.close()
        return self.ledgers


def provenance(digest: str) -> dict[str, Any]:
    return {"replicates": Provenance("origin", "scribe", digest), "participant": Participant("other")}


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An origin, two replicas, one that counts in another way, one of an older template, and a stranger."""
    where = tmp_path_factory.mktemp("cohort") / "ledger"
    first = Fleet(where)
    first.stay("origin", 2, template="scribe")
    first.done()
    digest = cohort_of(where, "origin").digest
    fleet = Fleet(where)
    fleet.stay("replica-a", 4, **provenance(digest))
    fleet.stay("replica-b", 1, users=400, **provenance(digest))
    other = structs.replace(SPEC, segments=("south",))
    fleet.stay("replica-c", 0, indicators=(other,), **provenance(digest))
    fleet.stay("replica-old", 2, **provenance("0" * 64))
    fleet.stay("stranger", 9)
    return fleet.done()


def run(*arguments: str) -> tuple[int, str, str]:
    command = cohort if arguments[0] == "cohort" else replicate
    found = CliRunner().invoke(command, list(arguments[1:]))
    return found.exit_code, found.stdout, found.stderr


def test_a_cohort_is_the_origin_and_every_pilot_that_names_it(ledgers: Path) -> None:
    """With the template that each one names: an older one is told apart. The stranger is not in it."""
    found = cohort_of(ledgers, "origin")
    assert [(one.pilot, one.origin, one.same_template) for one in found.members] == [
        ("origin", True, True),
        ("replica-a", False, True),
        ("replica-b", False, True),
        ("replica-c", False, True),
        ("replica-old", False, False),
    ]
    assert (found.members[0].outcome, found.members[1].outcome) == ("stop", "")


def test_the_numbers_are_those_of_the_closed_periods(ledgers: Path) -> None:
    """Counted by hand: 20 hours each, of which statistics begin with the second."""
    rows = {row.pilot: row for row in cohort_of(ledgers, "origin").streams}
    assert {name: (row.events, row.exposure) for name, row in rows.items()} == {
        "origin": (38.0, 3_800.0),
        "replica-a": (76.0, 3_800.0),
        "replica-b": (19.0, 7_600.0),
        "replica-c": (0.0, 3_800.0),
        "replica-old": (38.0, 3_800.0),
    }
    for row in rows.values():
        assert row.rate is not None
        assert row.high is not None
        assert (row.low or 0.0) <= row.rate <= row.high


def test_only_what_is_counted_alike_is_pooled(ledgers: Path) -> None:
    """The pooled rate lies between those of the pilots; another segmentation is listed, and left out."""
    found = cohort_of(ledgers, "origin")
    assert [row.pilot for row in found.streams if not row.comparable] == ["replica-c"]
    (one,) = found.pooled
    assert (one.indicator, one.pilots) == ("incidents", 4)
    assert one.low < one.rate < one.high
    assert 19 / 7_600 < one.rate < 76 / 3_800
    assert one.i2 > 0.8  # twentyfold differences are not chance
    assert one.next_low is not None
    assert one.next_low < one.low


def test_a_template_holds_nothing_that_identifies_the_origin(ledgers: Path) -> None:
    """Neither its firm, models and sources, nor what it keeps confidential."""
    code, text, said = run("replicate", "origin", "--ledger", str(ledgers))
    assert code == 0
    assert "confidential, so not in it: objects" in said
    body = text.replace("pilot: origin", "")
    for secret in SECRETS:
        assert f": {secret}\n" not in body
        assert f"- {secret}\n" not in body
    assert "<firm-id>" in text
    assert "<pilot-id>" in text


def test_a_filled_in_template_is_a_charter_that_is_like_the_template(tmp_path: Path, ledgers: Path) -> None:
    """Once the placeholders are replaced it loads, and `--check` finds no difference; a changed limit is named."""
    _, text, _ = run("replicate", "origin", "--ledger", str(ledgers))
    own = {"<pilot-id>": "mine", "<firm-id>": "me", "<Firm>": "Me", "<sha256 of the model>": "m9"}
    for placeholder, value in own.items():
        text = text.replace(placeholder, value)
    text = text.replace("<YYYY-MM-DD>", "2026-02-01", 1).replace("<YYYY-MM-DD>", "2026-12-01", 1)
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    code, differs, said = run("replicate", "origin", "--ledger", str(ledgers), "--check", str(path))
    assert (code, differs) == (0, ""), said
    path.write_text(text.replace("limit: 50", "limit: 60"))
    code, differs, _ = run("replicate", "origin", "--ledger", str(ledgers), "--check", str(path))
    assert (code, differs) == (0, "indicators[incidents].limit: 50 -> 60\n")
    before, _, after = text.rpartition("digest: ")
    path.write_text(f"{before}digest: {'1' if after[0] == '0' else '0'}{after[1:]}")
    assert run("replicate", "origin", "--ledger", str(ledgers), "--check", str(path))[0] == 1


def test_a_charter_without_provenance_is_refused(tmp_path: Path, ledgers: Path) -> None:
    """A charter without provenance, or with that of another template, is not checked against this one."""
    path = tmp_path / "own.yaml"
    plain = structs.replace(ORIGIN, pilot="own", models=(Model("m1"),), cycle=Cycle("2026-01-01", "2026-12-31"))
    path.write_text(charter_yaml(plain))
    code, _, said = run("replicate", "origin", "--ledger", str(ledgers), "--check", str(path))
    assert code == 1
    assert "replicates: write pilot origin" in said


def test_without_a_template_there_is_no_cohort(ledgers: Path) -> None:
    """The message says how to make one."""
    with pytest.raises(Refused, match="make-template stranger"):
        cohort_of(ledgers, "stranger")
    assert run("cohort", "stranger", "--ledger", str(ledgers))[0] == 1
    assert run("replicate", "unknown", "--ledger", str(ledgers))[0] == 1


def test_the_page_has_every_number_of_the_comparison(tmp_path: Path, ledgers: Path) -> None:
    """Also as JSON and as text; names of pilots are escaped."""
    page = tmp_path / "cohort.html"
    code, text, _ = run("cohort", "origin", "--ledger", str(ledgers), "--json", "--html", str(page))
    assert code == 0
    found = json.loads(text)
    html = page.read_text()
    for row in found["streams"]:
        assert f'<td>{row["pilot"]}</td><td class="n">{row["events"]:,.6g}' in html
    assert html.count("<circle") == sum(row.get("rate") is not None for row in found["streams"])
    assert "<script" not in html
    assert "pooled over 4" in run("cohort", "origin", "--ledger", str(ledgers))[1]


@pytest.mark.parametrize("language", [PSEUDO, "zh"])
def test_the_pages_are_translated(ledgers: Path, language: Language) -> None:
    """Cohort and documents at the end of a stay: outside of messages, and in Chinese anywhere, only names are left. The
    documents as JSON are the same in every language."""
    found, stay = cohort_of(ledgers, "origin"), stay_of(ledgers / file_name("origin"))
    english = [as_json(document(stay, name)) for name in DOCUMENTS]
    with speaking(language):
        pages = [cohort_page(found), *(as_html(document(stay, name)) for name in DOCUMENTS)]
        assert [as_json(document(stay, name)) for name in DOCUMENTS] == english
    names = {"origin", "replica", "old", "stranger", "scribe", "south", "north", "users", "UTC"}
    names |= {word for one in stay.records for word in re.findall(r"[A-Za-z]{3,}", json.dumps(one))}
    for page in pages:
        text = unescape(re.sub(r"(?s)<(style|code|title)\b.*?</\1>|<[^>]+>", " ", page))
        while "⟦" in text:
            inner = re.sub(r"⟦[^⟦⟧]*⟧", " ", text)
            assert inner != text
            text = inner
        assert sorted({*re.findall(r"[A-Za-z]{3,}", text)} - names) == []


def stay_of(file: Path) -> Stay:
    entries = list(verify.entries(file))
    return Stay(entries, [leaf_hash(encoded(entry)) for entry in entries])


def test_what_is_its_own_are_fields_of_a_charter() -> None:
    """A field that was renamed would otherwise stay in every template."""
    assert set(OWN) <= set(Charter.__struct_fields__)
    assert CohortStream.__struct_fields__[0] == "pilot"
