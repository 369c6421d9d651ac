"""Power at admission: what a charter's plan cannot find is a finding with the figure, the field and the fix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec import structs

from monitor.__main__ import cli
from monitor.charter.spec import (
    Authority,
    BaselineSpec,
    Charter,
    Cycle,
    DetectorSpec,
    ExposureSpec,
    IndicatorSpec,
    Model,
    Participant,
    PowerSpec,
    Users,
    charter_hash,
)
from monitor.compile.dump import charter_yaml
from monitor.compile.lint import lint
from monitor.compile.power import IndicatorPower, power_of, power_problems

HALT = DetectorSpec("limit_e_process", "halt")
RATE = IndicatorSpec(
    name="harms", kind="incident_rate", limit=1.0, per=100, period="1w", weight=1.0,
    exposure=ExposureSpec(unit="users"), power=PowerSpec(exposure=20), detectors=(HALT,),
)  # fmt: skip
SHARE = structs.replace(RATE, kind="false_positive_rate", limit=0.01, per=1.0, exposure=None)
CHARTER = Charter(
    schema="sandbox-charter/1",
    pilot="p",
    participant=Participant(id="f"),
    scenario="s",
    tier="high",
    cycle=Cycle(start="2026-01-05", end="2026-03-29"),  # twelve weeks from a Monday on
    models=(Model(digest="m"),),
    authorities=(Authority(id="a", approvers=("x", "y")),),
    indicators=(RATE,),
)


def charter(spec: IndicatorSpec = RATE, tier: str = "high", users: int | None = None, **changes: Any) -> Charter:
    made = structs.replace(CHARTER, tier=tier, users=Users(cap=users), indicators=(structs.replace(spec, **changes),))
    assert not [problem for problem in lint(made) if problem.severity == "error"]
    return made


def power(made: Charter) -> IndicatorPower:
    [one] = power_of(made)
    return one


def test_a_doubling_that_cannot_be_seen_is_said_with_its_probability() -> None:
    """Users, limit, ratio, time and both probabilities are in one sentence, and the fix names an exposure that does."""
    made = charter()
    [problem] = power_problems(made, power_of(made))
    assert (problem.severity, problem.field) == ("error", "indicators[0].power")
    assert problem.problem == (
        "With 20 users a week at 1 in 100, a doubling cannot be seen in 12 weeks with a probability of 80 % "
        "(it is 3.2 %)"
    )
    assert problem.fix == "plan 230 users a week"
    assert power(charter(power=PowerSpec(exposure=230))).enough


@pytest.mark.parametrize(
    ("tier", "severity"),
    [("minimal", "warning"), ("limited", "warning"), ("high", "error"), ("critical", "error")],
)
def test_the_tier_decides_whether_it_is_an_error(tier: str, severity: str) -> None:
    """An error in tiers high and critical, else a warning."""
    made = charter(tier=tier)
    assert [problem.severity for problem in power_problems(made, power_of(made))] == [severity]


def test_what_the_charter_asks_for_is_what_is_judged() -> None:
    """Another ratio, time or probability changes the verdict."""
    assert power(charter(power=PowerSpec(exposure=200, ratio=3))).enough
    assert not power(charter(power=PowerSpec(exposure=200, ratio=3, within="3w"))).enough
    assert not power(charter(power=PowerSpec(exposure=200))).enough
    assert power(charter(power=PowerSpec(exposure=200, probability=0.7))).enough


def test_without_a_plan_the_caps_are_taken() -> None:
    """The cap of the exposure or of the users: the best case, which is said; the smaller one counts."""
    capped = ExposureSpec(unit="users", cap=300)
    one = power(charter(power=PowerSpec(), exposure=capped))
    assert (one.exposure, one.planned) == (300.0, False)
    assert one.sentence.startswith("With at most 300 users a week")
    assert power(charter(power=PowerSpec(), exposure=capped, users=20)).exposure == 20.0
    other = charter(power=PowerSpec(), exposure=ExposureSpec(unit="rides"), users=20)
    assert power(other).exposure is None


@pytest.mark.parametrize(
    ("tier", "level", "found"), [("high", "halt", 1), ("high", "escalate", 0), ("limited", "halt", 0)]
)
def test_an_exposure_that_is_not_stated_is_a_warning_where_a_halt_rests_on_it(
    tier: str, level: str, found: int
) -> None:
    """Nothing is computed from nothing; in tiers high and critical that is said."""
    made = charter(tier=tier, power=PowerSpec(), detectors=(structs.replace(HALT, level=level),))
    problems = power_problems(made, power_of(made))
    assert [problem.severity for problem in problems] == ["warning"] * found
    assert power(made).ratios == ()


def test_segments_share_exposure_and_alpha() -> None:
    """Four segments with a quarter of the exposure each find less than the whole."""
    whole, parts = power(charter()), power(charter(segments=("a", "b", "c", "d")))
    assert parts.asked is not None
    assert whole.asked is not None
    assert parts.asked.found < whole.asked.found
    assert "in 4 segments" in parts.sentence


def test_shares_baselines_and_falls_are_computed() -> None:
    """A share of trials, a limit from a baseline (whose doubt costs power), and direction `below`."""
    assert power(charter(SHARE, power=PowerSpec(exposure=400))).limit == "1 %"
    known = power(charter(power=PowerSpec(exposure=300)))
    baseline = BaselineSpec(events=50, exposure=10_000, times=2)
    learnt = power(charter(limit=None, baseline=baseline, power=PowerSpec(exposure=300)))
    assert known.asked is not None
    assert learnt.asked is not None
    assert learnt.limit == known.limit
    assert learnt.asked.found < known.asked.found
    below = power(charter(direction="below", power=PowerSpec(exposure=2000)))
    assert below.asked is not None
    assert below.asked.ratio == 0.5
    assert "a halving is found within" in below.sentence


def test_the_delay_of_reports_delays_the_finding() -> None:
    """A period that closes after the end of the cycle finds nothing within it."""
    prompt, late = power(charter(power=PowerSpec(exposure=400))), power(
        charter(power=PowerSpec(exposure=400), reporting_delay="4w")
    )  # fmt: skip
    assert prompt.asked is not None
    assert late.asked is not None
    assert late.asked.found < prompt.asked.found
    none = power(charter(power=PowerSpec(exposure=400, within="1d")))
    assert none.sentence.endswith("cannot be seen in 1 day with a probability of 80 % (it is below 0.01 %)")


def test_exposure_that_cannot_be_planned_is_left_out() -> None:
    """Received events and open hours are no exposure that a charter plans."""
    late = IndicatorSpec(name="late", kind="late_share", limit=0.05, weight=0.5, detectors=(HALT,))
    assert power_of(charter(late)) == []


def test_a_plan_of_power_keeps_older_hashes() -> None:
    """A charter without `power` has the hash that it had before there was one; with it, another."""
    plain = structs.replace(CHARTER, indicators=(structs.replace(RATE, power=IndicatorSpec("n", "k").power),))
    assert b"power" not in charter_yaml(plain).encode()
    assert charter_hash(plain) != charter_hash(CHARTER)


def test_charter_check_prints_the_power_and_keeps_its_exit_codes(tmp_path: Path) -> None:
    """Exit code 1 with the error on stderr; 0 with the table and the sentence where the plan suffices or the tier only
    warns; `--json` has the rows."""
    path, run = tmp_path / "c.yaml", CliRunner().invoke
    path.write_text(charter_yaml(charter()))
    done = run(cli, ["charter", "check", str(path)])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "indicators[0].power: With 20 users a week" in done.stderr
    path.write_text(charter_yaml(charter(tier="limited")))
    done = run(cli, ["charter", "check", str(path)])
    assert done.exit_code == 0
    assert "warning: indicators[0].power: With 20 users" in done.stderr
    path.write_text(charter_yaml(charter(power=PowerSpec(exposure=400))))
    done = run(cli, ["charter", "check", str(path)])
    assert done.exit_code == 0
    assert "indicators[0].power" not in done.stderr
    assert "a doubling is found within" in done.stdout
    told = json.loads(run(cli, ["charter", "check", str(path), "--json"]).stdout)
    [row] = told["power"]
    assert row["enough"] is True
    assert [one["ratio"] for one in row["ratios"]] == [1.25, 1.5, 2.0, 3.0, 5.0]
