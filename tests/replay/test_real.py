"""The published results on the three real data sets, verified from a clone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from monitor.charter.spec import Charter
from monitor.cli.real import real
from monitor.cli.replay import replay as command
from monitor.compile.load import load_charter

CHARTERS = Path(__file__).parents[1] / "data" / "charters"
FORM = re.compile(
    r"REAL (?P<set>ads|fpr|complaints) (?P<pilot>\S+) (?P<variant>\S+=\S+) watch=(?P<watch>\S+) "
    r"escalate=(?P<escalate>\S+) halt=(?P<halt>\S+) max=(?P<max>\S+) bar=(?P<bar>\S+)"
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real")


@pytest.fixture(scope="module")
def printed(pages: Path) -> Result:
    result = CliRunner().invoke(real, ["--out", str(pages)])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def verdicts(printed: Result) -> dict[tuple[str, str], dict[str, str]]:
    last = printed.stdout.splitlines()[-11:]
    matches = [FORM.fullmatch(line) for line in last]
    assert all(matches), last
    return {(m["pilot"], m["variant"]): m.groupdict() for m in matches if m}


def test_ends_with_one_line_for_each_pilot_and_variant(verdicts: dict[tuple[str, str], dict[str, str]]) -> None:
    """Four readings of two operators, three groups of the score, four agencies: eleven lines, in that order."""
    assert [(v["set"], *key) for key, v in verdicts.items()] == [
        *[("ads", o, f"exposure={v}") for o in ("cruise", "waymo") for v in ("reconstructed", "pace")],
        *[("fpr", group, "limit=0.30") for group in "ABC"],
        *[("complaints", agency, "promise=30d") for agency in ("dohmh", "dpr", "dsny", "nypd")],
    ]


@pytest.mark.parametrize("variant", ["exposure=reconstructed", "exposure=pace"])
def test_waymo_is_never_halted_and_escalated_only_by_the_hard_rule(
    verdicts: dict[tuple[str, str], dict[str, str]], printed: Result, variant: str
) -> None:
    """Waymo's evidence never comes near its threshold: the only escalations are crashes with a serious or fatal
    injury."""
    found = verdicts["waymo", variant]
    assert (found["watch"], found["halt"]) == ("-", "-")
    assert found["escalate"] == "2023-11-30:hard_rule"
    assert float(found["max"]) < 0.75
    told = printed.stdout.split(f"Waymo, {variant.replace('=', ' ')}")[1].split("\n\n")[0]
    assert told.count("hard rule") + told.count("Hard rule") == 4
    assert "half-way" not in told


@pytest.mark.parametrize("variant", ["exposure=reconstructed", "exposure=pace"])
def test_cruise_is_escalated_by_the_hard_rule_before_its_suspension_and_never_halted(
    verdicts: dict[tuple[str, str], dict[str, str]], variant: str
) -> None:
    """A serious injury reported in August 2023 escalates, in both readings, before 24 October 2023; nothing halts."""
    found = verdicts["cruise", variant]
    day, reason = found["escalate"].split(":")
    assert day < "2023-10-24"
    assert reason == "hard_rule"
    assert (found["watch"], found["halt"]) == ("-", "-")


def test_the_statistics_escalate_cruise_in_one_reading_only(
    verdicts: dict[tuple[str, str], dict[str, str]], printed: Result
) -> None:
    """With reconstructed miles the evidence reaches 106 of 164 when August 2023 closes, on 1 October; at the pace,
    0.64."""
    one, other = verdicts["cruise", "exposure=reconstructed"], verdicts["cruise", "exposure=pace"]
    assert (one["max"], one["bar"]) == ("105.7", "164.5")
    assert (other["max"], other["bar"]) == ("0.643", "164.5")
    half_way = [line for line in printed.stdout.split("Complaints")[0].splitlines() if "half-way" in line]
    assert len(half_way) == 1
    assert half_way[0].startswith("  2023-10-01")


def test_group_a_exceeds_thirty_percent_and_b_and_c_keep_it(verdicts: dict[tuple[str, str], dict[str, str]]) -> None:
    """Group A's evidence passes the threshold and halts; B and C stay below one in ten of theirs and decide nothing."""
    a, b, c = (verdicts[group, "limit=0.30"] for group in "ABC")
    assert a["halt"].endswith(":limit_exceeded")
    assert float(a["max"]) > float(a["bar"])
    for kept in (b, c):
        assert (kept["watch"], kept["escalate"], kept["halt"]) == ("-", "-", "-")
        assert float(kept["max"]) < 1


def test_complaints_list_every_alarm_with_what_the_data_says(printed: Result) -> None:
    """No agency is halted; a line of counts below each alarm on complaints explains it."""
    text = printed.stdout.split("Complaints handled by DOHMH")[1].split("REAL ")[0].splitlines()
    alarms = [i for i, line in enumerate(text) if re.search(r"(half-way|has changed|drifting|is broken)", line)]
    assert alarms
    assert all("in the data:" in text[i + 1] for i in alarms)
    assert not any("to halt" in line for line in text)


def test_pages_and_pictures_are_deterministic(printed: Result, pages: Path, tmp_path: Path) -> None:
    """A second run prints and writes the same bytes."""
    again = CliRunner().invoke(real, ["--out", str(tmp_path)])
    assert again.stdout == printed.stdout
    first, second = (sorted(p.name for p in folder.iterdir()) for folder in (pages, tmp_path))
    assert first == second
    assert {"ads.html", "fpr.html", "complaints.html"} < set(first)
    assert sum(name.endswith(".svg") for name in first) == 9
    assert all((pages / name).read_bytes() == (tmp_path / name).read_bytes() for name in first)


def test_exported_files_replay_to_the_same_decisions(printed: Result, tmp_path: Path) -> None:
    """`--export` writes a charter and JSON lines for each case; `replay` on them finds what `real` found."""
    result = CliRunner().invoke(real, ["--export", str(tmp_path)])
    assert result.exit_code == 0, result.output
    folder = tmp_path / "ads-cruise-exposure-reconstructed"
    replayed = CliRunner().invoke(command, [str(folder / "charter.yaml"), str(folder / "events.jsonl")])
    assert replayed.exit_code == 0, replayed.output
    assert "e-value 106, threshold 164" in replayed.stdout
    assert len(result.stdout.splitlines()) == 9


def charters(*names: str) -> list[Charter]:
    return [load_charter(CHARTERS / f"{name}.yaml") for name in names]


def test_one_charter_for_both_operators_and_one_for_all_agencies() -> None:
    """Nothing is tuned: charters of one set differ in pilot, participant and cycle only."""
    sets = (
        charters("ads-cruise", "ads-waymo"),
        charters("complaints-dohmh", "complaints-dpr", "complaints-dsny", "complaints-nypd"),
    )
    for first, *others in sets:
        for other in others:
            same = structs.replace(other, pilot=first.pilot, participant=first.participant, cycle=first.cycle)
            assert same == first


def test_the_ads_charter_states_what_it_is_judged_by() -> None:
    """20 per million driverless miles, monthly, closing a month later, Poisson, M = 1, alpha 0.01, exposure known to
    20 %, no cap, the limit's e-process alone and one hard rule."""
    (charter,) = charters("ads-cruise")
    (spec,) = charter.indicators
    assert spec.exposure is not None
    assert (spec.limit, spec.per, spec.period, spec.reporting_delay) == (20, 1e6, "1mo", "1mo")
    assert (spec.variance_mean, spec.minimum_events, spec.weight, charter.alpha) == (1, 1, 1, 0.01)
    assert (spec.exposure.unit, spec.exposure.uncertainty, spec.exposure.cap) == ("driverless_mile", 0.2, None)
    assert [(w.name, w.level) for w in spec.detectors] == [("limit_e_process", "halt")]
    assert [(r.level, [h.value for h in r.harm]) for r in charter.hard_rules] == [
        ("escalate", ["serious_injury", "death"])
    ]


def test_missing_data_is_reported(tmp_path: Path) -> None:
    """A folder without the data ends with exit code 1 and one sentence, not with a traceback."""
    result = CliRunner().invoke(real, ["--data", str(tmp_path)])
    assert "unusable_data" in str(result.exception)
