"""The simulated country in small: what the script says is what the ledgers hold."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.errors import Unavailable
from monitor.testing.wallclock import WallClock
from tests.country.__main__ import Result, compare, judge, run
from tests.country.addressed import addressed
from tests.country.annual_counts import counts
from tests.country.checks import accounted, clocks, halting, missed_by_authority, unchanged
from tests.country.compared import YEAR, firm_classes
from tests.country.firm_classes import poisson_limits, share_limits
from tests.country.ledgers import Body, Ledgers
from tests.country.receivers import HALTED, Notified, wrong_receivers
from tests.country.script import QUICK, script

SILENT = "north"
pytestmark = pytest.mark.slow


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
@pytest.mark.long
def test_the_small_country_on_kafka(tmp_path: Path) -> None:
    """The same with a real broker, worker and notary, whose clock is driven."""
    try:
        WallClock(tmp_path / "probe")
    except Unavailable as error:
        pytest.skip(str(error))
    plan = script(1, pilots=12, firms=6, calendar=QUICK)  # at its end some alerts stand
    assert short(run(plan, tmp_path)) == {}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Two months of a small country."""
    return run(script(1, pilots=12, firms=6, calendar=QUICK), tmp_path_factory.mktemp("small"), in_process=True)


def test_each_check_finds_what_differs(small: Result) -> None:
    """Decisions that are addressed to fewer, deadlines with another end, halts that are missing, a period or a decision
    that is missing, other numbers of a firm: each is found by its check."""
    year, plan = small.year, small.year.script
    assert not any(figure > limit for _, figure, limit in judge(small))

    def changed(edit: Callable[[Body], None]) -> Ledgers:
        """The ledgers with an edit of each decision on a pilot."""
        ledgers = copy.deepcopy(small.ledgers)
        for one in (one for pilot in year.pilots for one in ledgers.decisions.get(pilot, [])):
            edit(one)
        return ledgers

    def unmiss(one: Body) -> None:
        if (one["finding"].get("clock") or {}).get("state") == "missed":
            one["finding"]["clock"]["state"] = "running"

    assert len(addressed(plan, changed(lambda one: one["addressed"].pop()))[1]) == addressed(plan, small.ledgers)[0]
    assert clocks(year, changed(unmiss))[1]
    calm = changed(lambda one: one.update(level=min(one["level"], 1)))
    assert halting(plan, calm)[2]
    assert firm_classes(small.firms, calm)
    assert counts(calm, YEAR) != counts(small.ledgers, YEAR)
    lost = copy.deepcopy(small.ledgers)
    next(iter(lost.evidence.values())).pop()
    assert len(accounted(year, small.stepped, lost)) == 1
    lost = copy.deepcopy(small.ledgers)
    lost.decisions["pilot-0001"].pop()
    assert len(accounted(year, small.stepped, lost)) == 1
    assert len(unchanged(["pilot-0001"], small.ledgers, lost)) == 1


def test_an_alert_that_reached_others_is_found(small: Result) -> None:
    """The receivers of an alert are those of the table: none is missing, and there is no other."""
    pilot = next(one for one in small.year.script.pilots if one.sector == "finance")
    name = (HALTED, pilot.id, "incidents")
    for reached in ({pilot.authority}, {pilot.authority, "bank", "national"}):
        found = Notified(frozenset({name}), {name: frozenset(reached)})
        assert len(list(wrong_receivers(small.year.script, found, frozenset()))) == 1
    right = Notified(frozenset({name}), {name: frozenset({pilot.authority, "bank"})})
    assert list(wrong_receivers(small.year.script, right, frozenset({pilot.id}))) == []
    assert len(list(wrong_receivers(small.year.script, Notified(frozenset(), {}), frozenset({pilot.id})))) == 1


def test_the_limits_of_the_independent_program_are_exact() -> None:
    """Garwood's limits of 3 events, and Clopper and Pearson's of 3 in 20, with 95 % confidence."""
    assert poisson_limits(3, 0.95) == pytest.approx((0.618672, 8.767273), abs=1e-6)
    assert poisson_limits(0, 0.95) == pytest.approx((0.0, 3.688879), abs=1e-6)
    assert share_limits(3, 20, 0.95) == pytest.approx((0.032071, 0.378927), abs=1e-6)
