"""Documents about a halt, a pilot and a fleet: what they must say, in both languages, from the ledger alone."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli.ledger import ledger as ledger_command
from monitor.cli.report import report
from monitor.compile.load_basis import shipped_catalogue
from monitor.deadlines.shipped import example_table
from monitor.lifecycle.names import State
from monitor.model.records import Finding, Level, Reason, digest
from monitor.notary.notary import Notary
from monitor.notary.store import file_name
from monitor.public_record.annual import annual_report
from monitor.public_record.annual_page import as_html as annual_page
from monitor.public_record.documents.declared import declared_rates
from monitor.public_record.documents.fleet import fleet_report
from monitor.public_record.documents.fleet_page import fleet_page
from monitor.public_record.documents.halt import halt_report
from monitor.public_record.documents.halt_page import halt_page
from monitor.public_record.documents.pilot import pilot_report
from monitor.public_record.documents.pilot_page import pilot_page
from monitor.public_record.documents.source import read_source
from monitor.public_record.documents.words import DUTIES, STATES
from monitor.public_record.measures import MEASURES
from monitor.testing.records import decision, halted
from monitor.translation import speaking
from monitor.translation.catalogue import Language
from tests.unit.engine.test_machine import RATE, charter

from .canaries import AT, MARKS, PEOPLE, PILOT, fields_that_may_be_confidential, write
from .made import SINCE, UNTIL, YEAR, make

DAY = 86_400_000


def halt_html(home: Path, language: Language, entry: int | None = None, parties: bool = False) -> str:
    """The page of a halt."""
    source = read_source([home], PILOT, parties)
    with speaking(language):
        return halt_page(halt_report(source, entry), source)


def pilot_html(home: Path, language: Language) -> str:
    """The page of the pilot."""
    source = read_source([home], PILOT)
    with speaking(language):
        return pilot_page(pilot_report(source), source)


def fleet_html(home: Path, language: Language) -> str:
    """The page of the fleet, over a year."""
    made = fleet_report([home], 365)
    with speaking(language):
        return fleet_page(made)


def annual_html(home: Path, language: Language) -> str:
    """The page of a year."""
    made = annual_report([home], YEAR)
    with speaking(language):
        return annual_page(made)


PAGES: dict[str, Callable[[Path, Language], str]] = {
    "halt": halt_html, "pilot": pilot_html, "fleet": fleet_html, "annual": annual_html,
}  # fmt: skip


def text_of(page: str, without: str = "svg|style|pre") -> str:
    """The words of a page that a reader sees: without pictures, styles and commands."""
    page = re.sub(rf"<({without})\b.*?</\1>", " ", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", page))


def numbers_of(page: str) -> Counter[str]:
    """Every number and reference of a page, with how often it is there."""
    return Counter(re.findall(r"[0-9a-f]{32,64}|[A-Z]'*\d+|\d[\d,.:×⁻⁰¹²³⁴⁵⁶⁷⁸⁹-]*\d|\d", text_of(page)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("documents") / "ledger"
    write(where, tuple(sorted(fields_that_may_be_confidential())))
    return where


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("fleet") / "ledger"
    make(where, 7, pilots=8, decisions=60)
    return where


def run(*arguments: str) -> Result:
    """The command."""
    return CliRunner().invoke(report, list(arguments))


def test_a_halt_says_what_was_measured_how_it_was_decided_and_what_followed(home: Path) -> None:
    """Counts, limit, interval, rule, guarantee, legal basis, command, answer, release; each with its entry."""
    page = text_of(halt_html(home, "en", 2))
    for said in (
        "20 incidents in 1,000 decisions where at most 5 are allowed",
        "at most 5 per 1,000 decisions",
        "4 (95 % interval of this period: 2.4 to 6.2)",
        "ever halted by the statistics with probability at most 1 %, however often you look",
        "threshold 99.5: reached",
        "no person took part",
        "2 s after the command",
        "The halt is no longer in force.",
        "Halt released; the firm decides when to resume",
    ):
        assert said in re.sub(r"\s+", " ", page), said


def test_every_line_of_what_happened_names_its_entry(home: Path) -> None:
    """And each entry that is named stands in the table at the end, with its leaf hash and the checkpoint."""
    for name in ("halt", "pilot", "fleet"):
        page = PAGES[name](home, "en")
        cited = set(re.findall(r'href="#(entry-[^"]+)"', page))
        assert cited, name
        assert cited == set(re.findall(r'id="(entry-[^"]+)"', page)), name
        for row in re.findall(r'<td class="refs">(.*?)</td>', page):
            assert "entry-" in row or not row
    source = read_source([home], PILOT)
    page = halt_html(home, "en")
    assert source.ledger.root in page
    assert halt_report(source).place.hash in page


def test_the_commands_of_a_document_verify_it_and_make_it_again(home: Path, tmp_path: Path) -> None:
    """Copied as they are, with the directory in place of LEDGER."""
    page = halt_html(home, "zh", 2)
    (block,) = [one for one in re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL) if "verify" in one]
    verify, show, again = (html.unescape(one).replace("LEDGER", str(home)).split() for one in block.split("\n"))
    assert CliRunner().invoke(ledger_command, verify[2:]).exit_code == 0
    shown = CliRunner().invoke(ledger_command, show[2:])
    assert shown.exit_code == 0
    assert re.search(r"^ *2  .*limit_exceeded", shown.output, re.MULTILINE)
    again[-1] = str(tmp_path / "again.html")
    assert run(*again[2:]).exit_code == 0
    assert (tmp_path / "again.html").read_text("utf-8") == page


@pytest.mark.parametrize("name", ["pilot", "fleet"])
def test_the_command_of_a_document_makes_it_again(name: str, home: Path, tmp_path: Path) -> None:
    """Of a fleet with the period that it covers; in each language."""
    for language in ("en", "zh"):
        source, target = read_source([home], PILOT), tmp_path / f"{language}.html"
        with speaking(language):
            page = pilot_page(pilot_report(source), source) if name == "pilot" else fleet_page(fleet_report([home], 30))
        (again,) = re.findall(r"sandbox-monitor (report .*) --out", html.unescape(page))
        assert run(*again.replace("LEDGER", str(home)).split()[1:], "--out", str(target)).exit_code == 0
        assert target.read_text("utf-8") == page


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_have_the_same_numbers_and_references(name: str, home: Path, many: Path) -> None:
    """Every number, hash and reference as often in Chinese as in English."""
    for where in (home, many) if name in ("fleet", "annual") else (home,):
        english, chinese = (numbers_of(PAGES[name](where, language)) for language in ("en", "zh"))
        assert english == chinese
        assert len(english) > 20


@pytest.mark.parametrize("name", PAGES)
def test_the_same_ledger_gives_the_same_bytes(name: str, home: Path) -> None:
    """In each language; no clock is read."""
    for language in ("en", "zh"):
        assert PAGES[name](home, language) == PAGES[name](home, language)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_self_contained_and_says_its_language(name: str, home: Path) -> None:
    """No scripts, no external parts, a policy that forbids both, A4 with page numbers."""
    for language, tag in (("en", "en"), ("zh", "zh-Hans")):
        page = PAGES[name](home, language)
        assert page.startswith("<!doctype html>")
        assert f'<html lang="{tag}">' in page
        assert "<script" not in page
        assert not re.search(r'(src|href)="(?!#)', page)
        assert "default-src &#39;none&#39;" in page
        assert "@page{size:A4" in page
        assert "counter(page)" in page


def test_the_annual_report_says_everything_in_plain_words(many: Path) -> None:
    """No code of a reason, state or measure; the JSON has them."""
    page = annual_html(many, "en")
    left = re.sub(r"<(style|pre|code)\b.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    codes = {one.value for one in Reason if "_" in one.value} | {name for name in MEASURES if "." in name}
    assert not {code for code in codes if re.search(rf"\b{re.escape(code)}\b", left)}
    assert "_" not in left.replace("recompute_annual", "")


@pytest.mark.parametrize("name", PAGES)
def test_no_word_is_left_untranslated(name: str, home: Path, many: Path) -> None:
    """In the pseudo-language every message is in double brackets: what is outside of them is a name, a number, code,
    or marked as English."""
    where = many if name in ("fleet", "annual") else home
    page = PAGES[name](where, "qps")
    page = re.sub(r'<(\w+)[^>]* lang="en"[^>]*>.*?</\1>|<(code|title|svg|style|pre)\b.*?</\2>', " ", page,
                  flags=re.DOTALL)  # fmt: skip
    left = html.unescape(re.sub(r"<[^>]+>", " ", page))
    while "⟦" in left:
        inner = re.sub(r"⟦[^⟦⟧]*⟧", " ", left)
        assert inner != left
        left = inner
    names = {"UTC", "SHA", "auth", "high", "canary", "region", "sector", "firm", "pilot", "min"}
    if name == "annual":  # names of indicators, rules, segments, sectors, authorities; subjects of ledgers
        names |= {
            "incidents",
            "rare",
            "shares",
            "gain",
            "complaints",
            "handling",
            "north",
            "south",
            "finance",
            "health",
            "death",
            "injury",
            "rule",
            "serious",
            "incident",
            "application",
            "exit",
            "authority",
            "sandbox",
            "cusum",
            "glr",
        }
    assert set(re.findall(r"[A-Za-z]{2,}", left)) <= names


def test_the_public_version_shows_nothing_confidential_and_no_words_of_people(home: Path) -> None:
    """Neither on pages nor in the facts; the version for the parties has the texts that are stored here."""
    source = read_source([home], PILOT)
    shown = [halt_html(home, language, entry) for language in ("en", "zh") for entry in (2, 6, 8)]
    shown += [make_page(home, "en") for make_page in PAGES.values()]
    for arguments in (("halt", PILOT, "--entry", "2"), ("pilot", PILOT), ("fleet",)):
        ran = run(*arguments, "--ledger", str(home), "--json")
        assert ran.exit_code == 0, ran.output
        shown.append(ran.output)
    for page in shown:
        for name, mark in MARKS.items():
            assert mark not in page, name
        for text in ("words of a person", "canary-models/svc", *PEOPLE):
            assert text not in page, text
    assert source.texts is None
    parties = halt_html(home, "en", 8, parties=True)
    assert parties.count("words of a person") == 2  # the suspension and its release
    assert not any(name in parties for name in PEOPLE)


def test_a_halt_on_which_a_clause_rests_names_it_with_its_title(tmp_path: Path) -> None:
    """With the document that it stands in; an id of another catalogue stands alone and says so."""
    clause = shipped_catalogue().clauses[0]
    notary = Notary(tmp_path / "ledger")
    notary.record([halted(1, PILOT, clauses=(clause.id, "other-1"), addressed=("firm:firm-1", "role:officer"))])
    notary.close()
    page = text_of(halt_html(tmp_path / "ledger", "en"))
    assert clause.title in page
    assert clause.place in page
    assert "other-1" in page
    assert "not in the catalogue" in page
    assert "firm firm-1, officers" in page


def test_an_annulled_halt_says_so(tmp_path: Path) -> None:
    """From the file of the firm; in the fleet it is a false alarm that was annulled."""
    home = tmp_path / "ledger"
    write(home, ())
    begun = read_source([home], PILOT).pilot.halts()[0].begun
    notary = Notary(home)
    notary.record([
        decision(1, f"firm:{begun['participant']}", id=digest("annul"), reason=Reason.DECISION_ANNULLED, kind="act",
                 level=Level.NORMAL, at=AT + DAY, cause="control:annul", charter="", participant="",
                 finding=Finding(rule="annulment", content={"pilot": PILOT, "decision": begun["id"]}))
    ])  # fmt: skip
    notary.close()
    assert "An approver annulled this decision" in text_of(halt_html(home, "en", 2))
    assert "(annulled)" in text_of(pilot_html(home, "en"))
    made = fleet_report([home], 30, AT + 2 * DAY)
    assert made.annulments == 1
    assert made.annulled[0].pilot == PILOT


def test_a_fleet_counts_states_halts_and_deadlines_of_its_period(many: Path) -> None:
    """Against a count over the ledgers by hand."""
    made = fleet_report([many], 365, UNTIL)
    assert (made.since, made.until) == (SINCE, UNTIL)
    assert sum(one.count for one in made.states) == made.pilots == sum(one.count for one in made.levels)
    begun = missed = met = 0
    for name in range(8):
        pilot = read_source([many], f"pilot-{name:03}").pilot
        if not pilot.of("admitted") or pilot.of("admitted")[0]["at"] >= UNTIL:
            continue
        begun += sum(SINCE <= one.begun["at"] < UNTIL for one in pilot.halts())
        clocks = [one["finding"]["clock"]["change"] for one in pilot.records
                  if one["finding"].get("clock") and SINCE <= one["at"] < UNTIL]  # fmt: skip
        missed, met = missed + clocks.count("missed"), met + clocks.count("met")
    assert made.halts_begun == begun > 0
    assert sum(one.missed for one in made.deadlines) == missed > 0
    assert sum(one.met for one in made.deadlines) == met > 0
    for one in made.deadlines:
        assert one.low is not None
        assert one.high is not None
        assert one.share is not None
        assert one.low <= one.share <= one.high


def test_alarms_are_compared_with_the_rate_that_detectors_declare() -> None:
    """One false alarm in `arl0` periods, or `false_per_year`; for each segment; limits declare no rate."""
    made = charter(RATE)
    rates = declared_rates(made)
    assert "limit_e_process" not in rates
    assert all(rate is None or rate > 0 for rate in rates.values())


def test_every_duty_of_the_shipped_table_of_deadlines_has_its_words() -> None:
    """And every state of a pilot that a document can name."""
    assert {rule.title for rule in example_table().rules} == DUTIES
    silent = {"not_halted", "no_change", "no_request", "not_due", "no_hold"}
    assert {state.value for state in State} - silent == set(STATES)


def test_the_commands_refuse_what_is_not_there(home: Path, tmp_path: Path) -> None:
    """A pilot without a ledger, an entry that began no halt, and JSON next to files; each with the fix."""
    ran = run("halt", "pilot-0", "--ledger", str(home))
    assert ran.exit_code == 1
    assert "has no ledger of pilot-0" in ran.output
    ran = run("halt", PILOT, "--ledger", str(home), "--entry", "3")
    assert ran.exit_code == 1
    assert "entries that began one: 2, 6, 8" in ran.output
    ran = run("pilot", PILOT, "--ledger", str(home), "--json", "--out", str(tmp_path / "x.html"))
    assert ran.exit_code == 2


def test_without_a_browser_the_command_says_what_to_install(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it reads a ledger."""
    monkeypatch.setenv("CHROMIUM", "/no/such/browser")
    ran = run("halt", PILOT, "--ledger", str(home), "--pdf", "x.pdf")
    assert ran.exit_code == 1
    assert "apt-get install chromium" in ran.output
    assert "--out" in ran.output


def test_facts_do_not_depend_on_the_language(home: Path) -> None:
    """And are JSON with a schema."""
    one, other = (run("halt", PILOT, "--ledger", str(home), "--json", "--lang", lang).output for lang in ("en", "zh"))
    assert one == other
    assert json.loads(one)["schema"] == "sandbox-halt-report/1"


def test_a_ledger_that_is_cut_short_is_named(home: Path, tmp_path: Path) -> None:
    """The document is written all the same, and the exit code is 1."""
    copied = tmp_path / "ledger"
    copied.mkdir()
    for path in home.iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    path = copied / file_name(PILOT)
    path.write_bytes(path.read_bytes()[:-40])
    ran = run("pilot", PILOT, "--ledger", str(copied), "--out", str(tmp_path / "pilot.html"))
    assert ran.exit_code == 1
    assert "The ledger is not complete." in (tmp_path / "pilot.html").read_text("utf-8")
