"""The simulated country in small: what the script says is what the ledgers hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.errors import Unavailable
from monitor.testing.wallclock import WallClock
from tests.country.__main__ import Result, compare, judge, run
from tests.country.checks import missed_by_authority
from tests.country.script import QUICK, script

SILENT = "north"


def short(result: Result) -> dict[str, float]:
    """The promises that are not kept, with their figures."""
    return {name: figure for name, figure, limit in judge(result) if figure > limit}


@pytest.mark.parametrize("silent", ["", SILENT])
@pytest.mark.parametrize("seed", [1, 2])
def test_two_months_of_a_small_country_end_as_scripted(seed: int, silent: str, tmp_path: Path) -> None:
    """Each deadline ends as scripted, each fault is found, nothing is lost; also where one authority is silent."""
    plan = script(seed, pilots=12, firms=6, calendar=QUICK, silent=silent)
    assert short(run(plan, tmp_path, in_process=True)) == {}


def test_what_differs_from_the_script_is_found(tmp_path: Path) -> None:
    """Judged by the script in which all authorities act, the year of a silent one is short."""
    plan = script(1, pilots=12, firms=6, calendar=QUICK, silent=SILENT)
    result = run(plan, tmp_path, in_process=True)
    result.year.script = plan._replace(silent="")
    assert short(result).keys() >= {"clocks-not-as-scripted"}


def test_an_authority_that_is_silent_misses_its_deadlines(tmp_path: Path) -> None:
    """Its deadlines are missed, by the ledger, and no decision of another province changes."""
    plans = [script(1, pilots=12, firms=6, calendar=QUICK, silent=silent) for silent in ("", SILENT)]
    results = [run(plan, tmp_path / (plan.silent or "all"), in_process=True) for plan in plans]
    assert [figure for _, figure, _ in compare(*results)] == [0, 0]
    assert missed_by_authority(plans[1], results[1].ledgers) > 2


@pytest.mark.kafka
def test_the_small_country_on_kafka(tmp_path: Path) -> None:
    """The same with a real broker, worker and notary, whose clock is driven."""
    try:
        WallClock(tmp_path / "probe")
    except Unavailable as error:
        pytest.skip(str(error))
    plan = script(1, pilots=12, firms=6, calendar=QUICK._replace(days=40))
    assert short(run(plan, tmp_path)) == {}
