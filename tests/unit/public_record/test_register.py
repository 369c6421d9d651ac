"""The public register: what a charter lists as confidential is in no file of it, and everything else is."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli.annual import annual
from monitor.cli.reasons import reasons
from monitor.cli.register import register
from monitor.model.records import Finding, Level, Reason
from monitor.notary.notary import Notary
from monitor.notary.store import file_name
from monitor.public_record.annual import annual_report
from monitor.public_record.register import read_register
from monitor.public_record.register_pages import LISTS, site
from monitor.public_record.register_words import LANGUAGES, WORDS
from monitor.testing.records import decision, halted

from .canaries import AT, CANARIES, MARKS, PEOPLE, PILOT, fields_that_may_be_confidential, write
from .made import YEAR, make


def published(home: Path) -> dict[str, str]:
    """Every file of the register, and every other public document, by name."""
    listed, remarks = read_register([home])
    assert remarks == ()
    files = dict(site(listed, remarks))
    for flag in ("--json", "--html"):
        files[f"annual {flag}"] = CliRunner().invoke(annual, [str(home), "--year", str(YEAR), flag]).output
    files["reasons"] = CliRunner().invoke(reasons, [str(home), PILOT]).output
    files["reasons --json"] = CliRunner().invoke(reasons, [str(home), PILOT, "--json"]).output
    return files


def pilot_file(files: dict[str, str]) -> str:
    """The JSON of the pilot."""
    return files[f"{Path(file_name(PILOT)).stem}.json"]


def test_the_canaries_are_every_part_that_may_be_confidential() -> None:
    """A field that the schema gains needs one, or to be public always."""
    assert set(CANARIES) == fields_that_may_be_confidential()


@pytest.mark.parametrize("entered", [True, False])
@pytest.mark.parametrize("field", CANARIES)
def test_what_is_listed_is_withheld_and_nothing_else(tmp_path: Path, field: str, entered: bool) -> None:
    """Each part by itself, in ledgers with entries of charters and in older ones. The names of withheld parts are
    shown, and so is that something was withheld."""
    write(tmp_path / "ledger", (field,), entered=entered)
    files = published(tmp_path / "ledger")
    for name, text in files.items():
        assert MARKS[field] not in text, name
    for other in set(CANARIES) - {field}:
        assert MARKS[other] in pilot_file(files)
    assert json.loads(pilot_file(files))["withheld"] == [field]
    assert field in files[f"{Path(file_name(PILOT)).stem}.html"]


def test_the_text_of_a_breached_boundary_is_in_no_public_document(tmp_path: Path) -> None:
    """The entry of a hard rule on breaches holds it, as the charter writes it; the charter may keep it confidential."""
    home = tmp_path / "ledger"
    write(home, ("data_boundary",))
    breach = Finding(rule="boundary", detail=MARKS["data_boundary"], observed=1.0, expected=0.0)
    notary = Notary(home)
    notary.record([halted(12, PILOT, finding=breach, reason=Reason.HARD_RULE, at=AT + 720_000, cause="event:s#12")])
    notary.close()
    files = published(home)
    assert f"{Path(file_name(PILOT)).stem}-halt-12.html" in files
    assert not [name for name, text in files.items() if MARKS["data_boundary"] in text]


def test_all_parts_may_be_withheld_at_once_and_none(tmp_path: Path) -> None:
    """Limits, tier, authorities and responses are always public."""
    write(tmp_path / "all", tuple(sorted(CANARIES)))
    text = "".join(published(tmp_path / "all").values())
    assert not [name for name, mark in MARKS.items() if mark in text]
    charter = json.loads(pilot_file(published(tmp_path / "all")))["charter"]
    assert {"tier", "indicators", "hard_rules", "responses", "cycle", "authorities", "participant"} <= set(charter)
    write(tmp_path / "none", ())
    made = pilot_file(published(tmp_path / "none"))
    assert all(mark in made for mark in MARKS.values())


@pytest.mark.parametrize("entered", [True, False])
def test_people_are_named_nowhere(tmp_path: Path, entered: bool) -> None:
    """Neither by name nor by contact, nor what they wrote."""
    write(tmp_path / "ledger", (), entered=entered, consent=True)
    for name, text in published(tmp_path / "ledger").items():
        for secret in (*PEOPLE, "words of a person"):
            assert secret not in text, name


def test_an_exit_report_without_consent_is_not_in_the_register(tmp_path: Path) -> None:
    """It says so; with consent the digests and the outcome are there."""
    write(tmp_path / "without", (), consent=False)
    files = published(tmp_path / "without")
    page = Path(file_name(PILOT)).stem
    assert json.loads(pilot_file(files))["exit_report"] == {"status": "issued"}
    assert "the firm has not consented to publication" in files[f"{page}.html"]
    assert "企业尚未同意公开" in files[f"{page}.zh.html"]
    for name, text in files.items():
        if not name.startswith("annual"):
            assert "ab" * 32 not in text
            assert '"outcome"' not in text
            assert "outcome" not in re.sub(r"<[^>]*>", "", text), name
    write(tmp_path / "with", (), consent=True)
    files = published(tmp_path / "with")
    found = json.loads(pilot_file(files))["exit_report"]
    assert found == {"status": "published", "report": "ab" * 32, "proof": "cd" * 32, "outcome": "stop"}
    assert "outcome: stop" in files[f"{page}.html"]


class Links(HTMLParser):
    """The addresses of a page, and the elements that would load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.to: list[str] = []
        self.active: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.to += [value for name, value in attrs if name == "href" and value]
        self.active += [tag] if tag in ("script", "img", "iframe", "form") or dict(attrs).get("src") else []


def test_every_link_leads_to_a_file_and_no_page_runs_or_loads_anything(tmp_path: Path) -> None:
    """In both languages; every pilot is in every list."""
    names = make(tmp_path / "ledger", 3)
    out = tmp_path / "out"
    ran = CliRunner().invoke(register, [str(tmp_path / "ledger"), "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    for page in out.glob("*.html"):
        links = Links()
        links.feed(page.read_text("utf-8"))
        assert not links.active, page.name
        for to in links.to:
            file, _, anchor = to.partition("#")
            target = page if not file else out / file
            assert target.exists(), (page.name, to)
            assert not anchor or f'id="{anchor}"' in target.read_text("utf-8")
    admitted = [name for name in names if f'"pilot": "{name}"' in (out / "register.json").read_text("utf-8")]
    assert admitted
    for name in ("index", *(f"by-{one}" for one in LISTS), "by-changed"):
        for language in LANGUAGES:
            text = (out / (f"{name}.html" if language == "en" else f"{name}.{language}.html")).read_text("utf-8")
            assert all(one in text for one in admitted)


@pytest.mark.parametrize(("firm", "counts"), [("firm:firm-1", True), ("firm:other", False)])
def test_a_halt_that_was_annulled_is_shown_as_such(tmp_path: Path, firm: str, counts: bool) -> None:
    """In the register, in its statement and in the annual report: an entry in the file of the firm says it, and one in
    the file of another firm annuls nothing, as for the record of the firm."""
    home = tmp_path / "ledger"
    write(home, ())
    record = read_register([home])[0][0]
    wrong = record.statements[0].decision
    notary = Notary(home)
    notary.record([
        decision(1, firm, reason=Reason.DECISION_ANNULLED, kind="act", level=Level.NORMAL, at=AT, charter="",
                 cause="control:annul", finding=Finding(rule="annulment", content={"pilot": PILOT, "decision": wrong})),
    ])  # fmt: skip
    notary.close()
    files = published(home)
    assert [halt.get("annulled", False) for halt in json.loads(pilot_file(files))["halts"]] == [counts, False, False]
    assert ("annulled: the decision was wrong" in files[f"{Path(file_name(PILOT)).stem}.html"]) == counts
    assert files["reasons"].count("An approver annulled this decision") == counts
    assert annual_report([home], YEAR).value("halts.wrongful") == counts


def test_the_same_ledgers_give_the_same_register(tmp_path: Path) -> None:
    """To the byte: nothing of the moment at which it was made is in it."""
    make(tmp_path / "ledger", 4)
    first, second = (dict(site(*read_register([tmp_path / "ledger"]))) for _ in range(2))
    assert first == second


def test_the_feed_has_the_newest_changes_first(tmp_path: Path) -> None:
    """As a JSON feed of version 1.1; ids are those of decisions."""
    make(tmp_path / "ledger", 4)
    feed = json.loads(dict(site(*read_register([tmp_path / "ledger"])))["feed.json"])
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    dates = [item["date_published"] for item in feed["items"]]
    assert dates == sorted(dates, reverse=True)
    assert len({item["id"] for item in feed["items"]}) == len(dates) > 0


def test_an_incomplete_ledger_is_named_in_the_register(tmp_path: Path) -> None:
    """And the command ends with exit code 1; the rest is written."""
    home = tmp_path / "ledger"
    make(home, 3)
    path = home / file_name("pilot-001")
    path.write_bytes(path.read_bytes()[:-400])
    ran = CliRunner().invoke(register, [str(home), "--out", str(tmp_path / "out")])
    assert ran.exit_code == 1
    assert path.name in ran.stderr
    assert "The ledgers are not complete" in (tmp_path / "out" / "index.html").read_text("utf-8")
    shutil.rmtree(home)
    home.mkdir()
    assert CliRunner().invoke(register, [str(home), "--out", str(tmp_path / "out")]).exit_code == 1


def test_every_word_is_there_in_both_languages() -> None:
    """None is empty, and the Chinese one is not the English one."""
    for name, (english, chinese) in WORDS.items():
        assert english, name
        assert chinese, name
        assert english != chinese, name
