"""The difference of two charters: every change once, with the effect that the machine's amendment has."""

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
)
from monitor.compile.charter_diff import Effect, charter_diff, overall, refused
from monitor.compile.dump import charter_yaml
from monitor.compile.plan import stream_key
from monitor.decide import control_acts
from monitor.decide.control_acts import plan_for
from monitor.errors import ControlRefused
from monitor.state.pilot import PilotState
from monitor.state.standing import Standing

HALT, LEARNS = DetectorSpec("limit_e_process", "halt"), DetectorSpec("cusum", "watch")
RATE = IndicatorSpec(
    name="incidents",
    kind="incident_rate",
    limit=2.0,
    weight=0.5,
    exposure=ExposureSpec(unit="miles"),
    detectors=(HALT,),
)
MORE = structs.replace(RATE, name="complaints", kind="complaint_rate", weight=0.25)
OLD = Charter(
    schema="sandbox-charter/1",
    pilot="p",
    participant=Participant(id="f"),
    scenario="s",
    tier="limited",
    cycle=Cycle(start="2026-01-01", end="2026-12-31"),
    models=(Model(digest="m"),),
    authorities=(Authority(id="a", approvers=("x", "y")),),
    indicators=(RATE,),
)
BASE = structs.replace(RATE, limit=None, baseline=BaselineSpec(events=30, exposure=100, times=2))


def indicator(spec: IndicatorSpec = RATE, **changes: Any) -> dict[str, Any]:
    return {"indicators": (structs.replace(spec, **changes),)}


AUTHORITY = Authority(id="a", approvers=("x", "z"))

CASES: list[tuple[str, dict[str, Any], dict[str, Any], str, Effect]] = [
    ("a limit", {}, indicator(limit=3.0), "indicators[incidents].limit", Effect.CONTINUE),
    ("a dispersion", {}, indicator(variance_mean=2.0), "indicators[incidents].variance_mean", Effect.CONTINUE),
    (
        "a limit with a detector that learns", indicator(detectors=(HALT, LEARNS)),
        indicator(detectors=(HALT, LEARNS), limit=3.0), "indicators[incidents].limit", Effect.REBASELINE,
    ),
    (
        "a longer baseline", {"indicators": (BASE,)},
        indicator(BASE, baseline=BaselineSpec(events=60, exposure=200, times=2)),
        "indicators[incidents].baseline.events", Effect.CONTINUE,
    ),
    ("a plan of power", {}, indicator(power=PowerSpec(exposure=5.0)), "indicators[incidents].power", Effect.NONE),
    ("an indicator more", {}, {"indicators": (RATE, MORE)}, "indicators[complaints]", Effect.NEW_SHARE),
    ("an indicator less", {"indicators": (RATE, MORE)}, {}, "indicators[complaints]", Effect.REFUSED),
    ("a weight", {}, indicator(weight=0.4), "indicators[incidents].weight", Effect.REFUSED),
    ("a period", {}, indicator(period="1d"), "indicators[incidents].period", Effect.REFUSED),
    ("a unit", {}, indicator(exposure=ExposureSpec(unit="h")), "indicators[incidents].exposure.unit", Effect.REFUSED),
    ("a detector", {}, indicator(detectors=(HALT, LEARNS)), "indicators[incidents].detectors[cusum]", Effect.REFUSED),
    (
        "the doubt of a baseline", {"indicators": (BASE,)},
        indicator(BASE, baseline=structs.replace(BASE.baseline, doubt=0.5)),
        "indicators[incidents].baseline.doubt", Effect.REFUSED,
    ),
    ("a baseline for a limit", {}, {"indicators": (BASE,)}, "indicators[incidents].baseline", Effect.REFUSED),
    ("alpha", {}, {"alpha": 0.02}, "alpha", Effect.REFUSED),
    ("the firm", {}, {"participant": Participant(id="g")}, "participant.id", Effect.REFUSED),
    ("the pilot", {}, {"pilot": "q"}, "pilot", Effect.REFUSED),
    ("a model", {}, {"models": (Model(digest="m"), Model(digest="n"))}, "models[n]", Effect.NONE),
    ("an approver", {}, {"authorities": (AUTHORITY,)}, "authorities[a].approvers", Effect.NONE),
    ("the version alone", {}, {}, "version", Effect.NONE),
]  # fmt: skip


def amended(old: Charter, new: Charter) -> bool:
    """Whether the machine puts `new` in force over `old`."""
    plan = plan_for(old.pilot, old)
    pilot = PilotState(old.pilot, old, plan, "", Standing(since=0), 0, 0, drilled=0)
    for one in plan.indicators:
        control_acts._begin(pilot, one, 0)
    assert stream_key(plan.indicators[0], "") in pilot.streams
    try:
        control_acts._amend(pilot, new, 0)
    except ControlRefused:
        return False
    return True


@pytest.mark.parametrize(("name", "before", "after", "field", "effect"), CASES, ids=[case[0] for case in CASES])
def test_a_change_has_the_effect_of_the_amendment(
    name: str, before: dict[str, Any], after: dict[str, Any], field: str, effect: Effect
) -> None:
    """The change is listed with its effect, and the machine refuses what is listed as refused and nothing else."""
    old, new = structs.replace(OLD, **before), structs.replace(OLD, **{"version": 2, **after})
    changes = charter_diff(old, new)
    [found] = [change for change in changes if change.field.startswith(field)][:1]
    assert found.effect is effect
    assert found.meaning
    assert overall(changes) is effect
    assert refused(changes) is not amended(old, new)


def test_equal_charters_have_no_difference() -> None:
    """Nothing changed, nothing listed."""
    assert charter_diff(OLD, OLD) == []
    assert overall([]) is Effect.NONE


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_that_does_not_rise_is_refused(version: int) -> None:
    """Also where the version is the one field that did not change."""
    old = structs.replace(OLD, version=2)
    changes = charter_diff(old, structs.replace(OLD, version=version, scenario="other"))
    assert {change.field for change in changes if change.effect is Effect.REFUSED} == {"version"}


def test_a_new_indicator_states_its_share() -> None:
    """The share of alpha over all its segments, before the first restart."""
    new = structs.replace(OLD, version=2, indicators=(RATE, structs.replace(MORE, segments=("a", "b"))))
    [change] = [one for one in charter_diff(OLD, new) if one.effect is Effect.NEW_SHARE]
    assert "0.00152 of alpha" in change.meaning  # 0.01 x 0.25 x 6/pi^2


def test_the_order_of_a_list_is_a_change_of_its_order() -> None:
    """The same elements in another order: one change, and none of the elements."""
    old = structs.replace(OLD, indicators=(RATE, MORE))
    fields = [c.field for c in charter_diff(old, structs.replace(OLD, version=2, indicators=(MORE, RATE)))]
    assert fields == ["indicators (order)", "version"]


def test_the_command_prints_changes_and_verdict(tmp_path: Path) -> None:
    """Text and JSON say the same; exit code 0 for an amendment, 1 for one that would be refused."""
    files = {
        "old": OLD,
        "new": structs.replace(OLD, version=2, **indicator(limit=3.0)),
        "bad": structs.replace(OLD, version=2, alpha=0.02),
    }
    paths = {name: tmp_path / f"{name}.yaml" for name in files}
    for name, made in files.items():
        paths[name].write_text(charter_yaml(made))
    run = CliRunner().invoke
    text = run(cli, ["charter", "diff", str(paths["old"]), str(paths["new"])])
    assert (text.exit_code, text.stderr) == (0, "")
    assert "indicators[incidents].limit: 2.0 -> 3.0\n   continue: limit_e_process continues" in text.stdout
    assert text.stdout.endswith("2 changes, may amend; effect on the statistics: continue\n")
    told = json.loads(run(cli, ["charter", "diff", str(paths["old"]), str(paths["new"]), "--json"]).stdout)
    assert (told["amends"], told["effect"], len(told["changes"])) == (True, "continue", 2)
    same = run(cli, ["charter", "diff", str(paths["old"]), str(paths["old"])])
    assert (same.exit_code, same.stdout) == (0, "version 1: no difference\n")
    worse = run(cli, ["charter", "diff", str(paths["old"]), str(paths["bad"])])
    assert worse.exit_code == 1
    assert "refused as an amendment" in worse.stdout
