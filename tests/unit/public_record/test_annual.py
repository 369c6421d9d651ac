"""The annual report comes from the ledgers alone; a separate program finds every number that is not right."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from markupsafe import escape

from monitor.cli.annual import annual
from monitor.model.records import Closed, Level, Reason
from monitor.notary.cursor import Cursor
from monitor.notary.evidence_entries import EvidenceGatherer
from monitor.notary.format import frame, header
from monitor.notary.notary import Notary
from monitor.notary.store import file_name
from monitor.public_record import recompute_annual, recompute_figures
from monitor.public_record.annual import annual_report, as_json
from monitor.public_record.figures import Annual
from monitor.public_record.measures import MEASURES
from monitor.public_record.sections import SECTIONS
from monitor.report import recompute
from monitor.testing.records import decision, evidence, halted
from tests.strength import examples

from .canaries import PILOT, write
from .made import DAY, SINCE, UNTIL, YEAR, make

Results = list[tuple[str, str, str]]


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledgers of a sandbox with six pilots."""
    home = tmp_path_factory.mktemp("sandbox") / "ledger"
    make(home, seed=3)
    return home


@pytest.fixture(scope="module")
def made(ledgers: Path) -> Annual:
    return annual_report([ledgers], YEAR)


def checked(report: Any, *ledgers: Path) -> Results:
    """What the separate program says, in this process."""
    return recompute_annual.check(report, list(ledgers), recompute_figures, recompute)


def different(found: Results) -> list[str]:
    return [name for name, result, _ in found if result != "same"]


def numbers(report: Any) -> Iterator[tuple[str, Any]]:
    """Each figure of a report with the name of its measure."""
    for section in report["sections"]:
        for measure in section["measures"]:
            for figure in measure.get("figures", []):
                yield measure["id"], figure


def test_two_programs_compute_the_same_numbers_from_any_ledgers(tmp_path: Path) -> None:
    """Of random decisions, charters and evidence of several years, whatever their order."""
    for seed in range(examples(6, 200)):
        home = tmp_path / str(seed)
        make(home, seed, pilots=4, days=20)
        report = annual_report([home], YEAR)
        assert report.remarks == ()
        assert different(checked(json.loads(as_json(report)), home)) == []
        shutil.rmtree(home)


def test_the_random_ledgers_have_every_measure(tmp_path: Path) -> None:
    """Else the comparison above would compare nothing."""
    seen = set[str]()
    for seed in range(20):
        if set(MEASURES) - seen <= {"halts.appealed"}:
            break
        make(tmp_path / str(seed), seed)
        report = json.loads(as_json(annual_report([tmp_path / str(seed)], YEAR)))
        seen |= {name for name, figure in numbers(report) if figure.get("value")}
    assert set(MEASURES) - seen <= {"halts.appealed"}


def test_each_tampered_number_is_found(ledgers: Path, made: Annual) -> None:
    """Whichever it is, and its interval, and the entries that it names; and a number that was left out or added."""
    report = json.loads(as_json(made))
    logs, _ = recompute_annual.read_all(report, [ledgers])
    rows = [(log.subject, log.log, log.year, log.path.name, bodies) for log, bodies in logs]
    computed = recompute_figures.compute(YEAR, rows, recompute)

    def found(changed: Any) -> list[str]:
        return different(recompute_annual.compare(changed, computed))

    assert found(report) == []
    for name, figure in numbers(report):
        for change in changes(figure):
            before = dict(figure)
            change(figure)
            assert [one.split("/")[0] for one in found(report)] == [name], (name, before)
            figure.clear()
            figure.update(before)
    for section in report["sections"]:
        for measure in section["measures"]:
            for figure in list(measure.get("figures", [])):
                measure["figures"].remove(figure)
                assert found(report), measure["id"]
                measure["figures"] += [figure, figure]
                assert found(report), measure["id"]
                measure["figures"].remove(figure)


def changes(figure: Any) -> Iterator[Any]:
    """Ways to tamper with a figure."""
    yield lambda f: f.update(value=(f.get("value") or 0) + 1)
    for end in ("low", "high"):
        if figure.get(end) is not None:
            yield lambda f, end=end: f.update({end: f[end] * 1.001})
            yield lambda f, end=end: f.update({end: None})
    for subject, entries in (figure.get("entries") or {}).items():
        yield lambda f, s=subject, e=entries: f.update(entries=f["entries"] | {s: [*e, 999]})
        yield lambda f, s=subject, e=entries: f.update(entries=f["entries"] | {s: e[1:]})
    for file, (first, last) in (figure.get("periods") or {}).items():
        yield lambda f, file=file, a=first, b=last: f.update(periods=f["periods"] | {file: [a, b + 1]})


def test_a_ledger_that_was_left_out_or_changed_is_found(ledgers: Path, made: Annual, tmp_path: Path) -> None:
    """With the file that it is about."""
    report = json.loads(as_json(made))
    gone = report["ledgers"].pop()
    assert gone["file"] in different(checked(report, ledgers))
    report = json.loads(as_json(made))
    report["ledgers"][0]["root"] = "0" * 64
    assert report["ledgers"][0]["file"] in different(checked(report, ledgers))
    copied = tmp_path / "copy"
    shutil.copytree(ledgers, copied)
    path = copied / file_name("pilot-001")
    raw = bytearray(path.read_bytes())
    raw[-20] ^= 1
    path.write_bytes(raw)
    assert path.name in different(checked(json.loads(as_json(made)), copied))


def test_the_command_writes_report_page_and_programs_that_run_alone(ledgers: Path, tmp_path: Path) -> None:
    """The programs run without the monitor and without installed packages."""
    out = tmp_path / "annual"
    ran = CliRunner().invoke(annual, [str(ledgers), "--year", str(YEAR), "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    report = out / f"annual-{YEAR}.json"
    command = [sys.executable, "-I", "-S", str(out / "recompute_annual.py"), str(report), str(ledgers)]
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stdout
    assert "0 different" in again.stderr
    report.write_text(report.read_text("utf-8").replace('"value": 1', '"value": 2', 1), "utf-8")
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "1 different" in again.stderr
    page = (out / f"annual-{YEAR}.html").read_text("utf-8")
    assert "<script" not in page
    assert "http:" not in page
    assert "https" not in page
    for _, _, _, names in SECTIONS:
        assert all(escape(MEASURES[name][0]) in page for name in names)


def test_the_programs_use_the_standard_library_alone() -> None:
    """None of the monitor's code."""
    for program in (recompute_annual, recompute_figures):
        found = set()
        for node in ast.walk(ast.parse(Path(str(program.__file__)).read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
        assert {name.split(".")[0] for name in found} <= sys.stdlib_module_names


def test_no_words_or_names_of_people_are_in_the_report(ledgers: Path) -> None:
    """Officers act by role; texts are in the ledger as commitments, and in older entries in clear."""
    for flag in ("--json", "--html"):
        ran = CliRunner().invoke(annual, [str(ledgers), "--year", str(YEAR), flag])
        assert ran.exit_code == 0
        for secret in ("Lovelace", "Hopper", "Turing", "words of a person", "desk@firm.example"):
            assert secret not in ran.output


def test_every_measure_is_in_one_section() -> None:
    """So none is computed and never shown."""
    listed = [name for _, _, _, names in SECTIONS for name in names]
    assert sorted(listed) == sorted(MEASURES)


def test_a_report_stays_valid_while_the_ledgers_grow(tmp_path: Path) -> None:
    """It names size and root of each, and is checked against so many entries."""
    home = tmp_path / "ledger"
    make(home, 5, pilots=3, decisions=30)
    report = json.loads(as_json(annual_report([home], YEAR)))
    notary = Notary(home)
    notary.record([halted(31, "pilot-001", at=SINCE + 99)])
    notary.close()
    assert different(checked(report, home)) == []
    assert annual_report([home], YEAR).value("halts.begun") == annual_value(report, "halts.begun") + 1
    assert (report["since"], report["until"]) == (SINCE, UNTIL)


def annual_value(report: Any, name: str) -> int:
    """The total of a measure."""
    return next(int(figure["value"]) for measure, figure in numbers(report) if measure == name)


DAMAGES = ("cut", "gap", "flip", "missing", "header")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_ledger_that_is_not_whole_is_named(ledgers: Path, tmp_path: Path, damage: str) -> None:
    """With its file and what is wrong, in the report, on the page and on stderr; the rest is counted all the same, and
    the separate program agrees with what was read."""
    home = tmp_path / "ledger"
    shutil.copytree(ledgers, home)
    path = home / file_name("pilot-002")
    raw = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "gap":
        path.with_suffix(".index").unlink()
        path.write_bytes(without_entry(bytes(raw), 9))
    else:
        raw[3 if damage == "header" else len(raw) // 2] ^= 1
        path.write_bytes(raw[: len(raw) // 2] if damage == "cut" else raw)
    report = annual_report([home], YEAR)
    assert report.remarks
    assert any(path.stem in one.file or "pilot-002" in one.problem for one in report.remarks)
    assert [name for name in different(checked(json.loads(as_json(report)), home)) if name != path.name] == []
    ran = CliRunner().invoke(annual, [str(home), "--year", str(YEAR), "--html"])
    assert ran.exit_code == 1
    assert "The ledgers are not complete" in ran.stdout
    assert report.remarks[0].problem in ran.stderr


def without_entry(raw: bytes, number: int) -> bytes:
    """A ledger without one of its entries, with sound checksums."""
    at, entries = len(header("pilot-002")), []
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "big")
        entries.append(raw[at + 40 : at + 40 + size])
        at += 40 + size
    del entries[number : number + 2]
    return header("pilot-002") + b"".join(frame(n, entry) for n, entry in enumerate(entries))


def test_a_shard_that_is_missing_is_named(ledgers: Path, tmp_path: Path) -> None:
    """The shard after it says which one."""
    home = tmp_path / "ledger"
    shutil.copytree(ledgers, home)
    (home / "cursor.json").unlink(missing_ok=True)
    later = next(path for path in sorted(home.glob("evidence-2*.ledger")))
    first = home / later.name.replace(later.name[: len("evidence-2026-")], "evidence-")
    assert first.exists()
    for path in (first, first.with_suffix(".index")):
        path.unlink()
    (remark,) = annual_report([home], YEAR).remarks
    assert remark.file == later.name
    assert first.stem in remark.problem
    assert "is missing" in remark.problem


def test_ledgers_without_charters_and_evidence_are_counted(tmp_path: Path) -> None:
    """As formats 1 and 2 have none: what stands in charters is said to be absent, the rest is counted."""
    notary = Notary(tmp_path / "ledger")
    acts = {"kind": "act", "level": Level.NORMAL, "cause": "control:a"}
    notary.record([
        decision(1, "old", reason=Reason.ADMITTED, at=SINCE, **acts),
        halted(2, "old", at=SINCE + 1),
        decision(3, "old", reason=Reason.RELEASED, at=SINCE + DAY + 1, was=Level.HALT, **acts),
    ])  # fmt: skip
    notary.close()
    report = annual_report([tmp_path / "ledger"], YEAR)
    assert different(checked(json.loads(as_json(report)), tmp_path / "ledger")) == []
    assert report.value("pilots.tier", "not in the ledger") == 1
    assert report.value("pilots.state", "running") == 1
    assert report.value("halts.begun") == 1
    assert report.value("halts.release_days.median") == 1
    assert report.measure("limits.share").figures == ()
    assert report.remarks == ()


def test_shares_of_limits_name_what_was_never_approached_and_what_was_always_broken(tmp_path: Path) -> None:
    """By the whole interval, which includes the limit while there is little evidence."""
    home = tmp_path / "ledger"
    write(home, ())
    report = share(home, events=(0, 0, 0))
    assert (report.value("limits.share", PILOT, "incidents", ""), report.measure("limits.always_broken").figures) == (
        0,
        (),
    )
    assert [one.of for one in share(tmp_path / "low", (1,) * 300).measure("limits.never_approached").figures]
    assert [one.of for one in share(tmp_path / "high", (9,) * 300).measure("limits.always_broken").figures]
    mixed = share(tmp_path / "mixed", (9,) * 200 + (1,) * 100)
    assert mixed.measure("limits.always_broken").figures == ()
    (found,) = mixed.measure("limits.share").figures
    assert found.value == pytest.approx((9 * 200 + 100) / (5 * 300), rel=1e-5)
    assert found.low is not None
    assert 1 < found.low < found.value


def share(home: Path, events: Sequence[int]) -> Annual:
    """The report of a pilot with a limit of 5 in 1,000, with so many events in 1,000 on each day."""
    if not home.exists():
        write(home, ())
    notary, gatherer = Notary(home), EvidenceGatherer()
    begin = SINCE + 200 * DAY if len(events) < 100 else SINCE
    for place, k in enumerate(events):
        start = begin + place * DAY
        row = evidence(0, PILOT, start=start, end=start + DAY, k=float(k), m=1000.0, indicator="incidents", segment="")
        notary.record_evidence(gatherer.take(place, row))
    notary.record_evidence(gatherer.take(len(events), Closed(partition=0, through=1 << 50)))
    notary.close()
    return annual_report([home], YEAR)


def test_the_partitions_of_a_deployment_are_one_report(ledgers: Path, made: Annual, tmp_path: Path) -> None:
    """Several directories give the numbers of one; a second copy of a ledger counts once, and one that differs is
    named."""
    first, second = tmp_path / "first", tmp_path / "second"
    for home in (first, second):
        home.mkdir()
    for place, path in enumerate(sorted(ledgers.glob("*.ledger"))):
        shutil.copy(path, (first, second)[place % 2] / path.name)
    shutil.copy(ledgers / file_name("pilot-001"), second)
    report = annual_report([first, second], YEAR)
    assert report.remarks == ()
    assert report.sections == made.sections
    make(tmp_path / "other", 9)
    shutil.copy(tmp_path / "other" / file_name("pilot-001"), first)
    assert any("another copy" in one.problem for one in annual_report([first, second], YEAR).remarks)


def test_an_older_copy_of_a_ledger_lacks_nothing(tmp_path: Path) -> None:
    """Of two copies the longer one is read: neither directory then misses what its notary had entered."""
    homes = [tmp_path / "now", tmp_path / "backup"]
    for home, entries in zip(homes, (7, 4), strict=True):
        notary = Notary(home)
        notary.record([decision(number, PILOT) for number in range(1, entries + 1)])
        notary.close()
        (home / "cursor.json").write_bytes(Cursor({"decisions/0": entries}, {}, {PILOT: entries}).line())
    for order in (homes, homes[::-1], [homes[0], homes[1] / ".." / "now"]):
        found = annual_report(order, YEAR)
        assert (found.remarks, sum(one.entries for one in found.ledgers)) == ((), 7)
    (homes[1] / "cursor.json").write_bytes(Cursor({"decisions/0": 8}, {}, {PILOT: 8}).line())
    assert "holds 7 entries" in annual_report(homes, YEAR).remarks[0].problem


def test_a_directory_without_ledgers_is_an_error(tmp_path: Path) -> None:
    """So is a call without a form."""
    assert CliRunner().invoke(annual, [str(tmp_path), "--year", "2026", "--json"]).exit_code == 1
    assert CliRunner().invoke(annual, [str(tmp_path), "--year", "2026"]).exit_code == 2
