"""The bench: estimates, simulated moments, the reference chart, and how goals are found, compared and shown."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import monitor.cli.bench as command
from detectors import build
from detectors.base import Count, Design
from monitor.errors import SetAside

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))  # the bench is no package of the product

from tests.bench.detbench import metrics, show, simulators  # noqa: E402
from tests.bench.detbench.__main__ import found  # noqa: E402
from tests.bench.detbench.goal import Goal, Row, held  # noqa: E402
from tests.bench.detbench.oracle import Oracle, log_pmf  # noqa: E402


def test_a_goal_prints_one_line() -> None:
    """`GOAL name figure bound ok|short`, the bound as one word."""
    goal = Goal("G3a", 0.10754, "<= 0.11", True, 0.009, "note")
    assert goal.line() == "GOAL G3a 0.1075 <=0.11 ok"
    assert goal._replace(ok=False).line().endswith(" short")


@pytest.mark.parametrize(
    ("figure", "bound", "kept"),
    [(0.11, "<= 0.11", True), (0.12, "<= 0.11", False), (0.4, ">= 0.4", True), (-1, ">= 0", False)],
)
def test_a_bound_is_held_without_mercy(figure: float, bound: str, kept: bool) -> None:
    """The plain comparison, without the error."""
    assert held(figure, bound) is kept


def test_an_unknown_bound_is_refused() -> None:
    """Only <= and >=."""
    with pytest.raises(ValueError, match=r"^bound: "):
        held(1.0, "< 2")


def test_goals_are_found_by_their_name_and_in_their_order() -> None:
    """Every g<number>*.py of the bench, G10 after G9; each has a `goals` function."""
    names = list(found())
    assert {"g3", "g4", "g5"} <= set(names)
    numbers = [int(re.findall(r"\d+", name)[0]) for name in names]
    assert numbers == sorted(numbers)
    for module in found().values():
        assert "def goals(quick: bool) -> list[Goal]:" in (ROOT / "tests/bench/detbench" / f"{module}.py").read_text()


def test_estimates_and_their_errors() -> None:
    """Mean, fraction, quantile, censored run lengths and quotient agree with the textbook."""
    assert metrics.mean([1.0, 2.0, 3.0]) == pytest.approx((2.0, 1 / math.sqrt(3)))
    assert metrics.share(30, 100).value == 0.3
    assert metrics.share(30, 100).error == pytest.approx(math.sqrt(0.3 * 0.7 / 100), rel=0.02)
    assert metrics.share(0, 100).error > 0
    assert metrics.arl([10, 20, 30], [False, False, True]).value == 30.0
    assert metrics.quantile(np.arange(1001), 0.95).value == 950
    assert metrics.ratio(metrics.Estimate(2, 0.1), metrics.Estimate(4, 0)).error == pytest.approx(0.025)
    assert metrics.per_year(10, 5, 8766, 8766).value == 2.0
    with pytest.raises(ValueError, match=r"^arl: "):
        metrics.arl([5], [True])


def test_stated_errors_are_the_dispersion_of_repetitions() -> None:
    """Over 400 repetitions the standard deviation of quantile and run length agrees with their mean error."""
    rng = simulators.rng("errors")
    for make in (
        lambda: metrics.quantile(rng.exponential(1.0, 200), 0.5),
        lambda: metrics.arl(np.minimum(t := rng.exponential(100.0, 100), 150.0), t > 150.0),
    ):
        made = [make() for _ in range(400)]
        assert np.std([m.value for m in made]) == pytest.approx(np.mean([m.error for m in made]), rel=0.2)


def test_steady_state_leaves_out_what_alarmed_before() -> None:
    """A stream that alarms before the change has no delay; the others count from the change."""
    early = [Count(50.0, 1.0), *[Count(5.0, 1.0)] * 10]
    late = [*[Count(5.0, 1.0)] * 5, *[Count(50.0, 1.0)] * 5]
    never = [Count(5.0, 1.0)] * 10
    lengths, cut = metrics.steady(lambda: build("cusum", Design(limit=5.0)), [early, late, never], 5)
    assert lengths == [1, 5]
    assert cut == [False, True]


@pytest.mark.parametrize("spread", [1.0, 2.0, 5.0])
@pytest.mark.parametrize("mean", [0.05, 5.0, 50.0])
def test_simulated_counts_have_their_moments(mean: float, spread: float) -> None:
    """Mean and variance/mean as asked."""
    k = simulators.counts(simulators.rng("moments"), mean, spread, 400_000)
    assert k.mean() == pytest.approx(mean, rel=0.03)
    assert k.var() / k.mean() == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize("rho", [0.0, 0.05])
def test_simulated_proportions_have_their_moments(rho: float) -> None:
    """Mean n p, variance n p (1-p) (1 + (n-1) rho)."""
    k = simulators.shares(simulators.rng("shares"), 50, 0.1, rho, 200_000)
    assert k.mean() == pytest.approx(5.0, rel=0.01)
    assert k.var() == pytest.approx(4.5 * (1 + 49 * rho), rel=0.03)


def test_profiles_average_to_one_and_changes_start_where_said() -> None:
    """Cycle of amplitude .3 over whole weeks has mean 1; step, ramp and spike begin at their onset."""
    assert simulators.profile(168 * 4, cycle=0.3).mean() == pytest.approx(1.0)
    assert simulators.profile(8767, trend=0.2)[-1] / simulators.profile(8767, trend=0.2)[0] == pytest.approx(1.2)
    assert list(simulators.step(4, 2, 3.0)) == [1, 1, 3, 3]
    assert list(simulators.ramp(5, 1, 3.0, 2)) == [1, 2, 3, 3, 3]
    assert list(simulators.spike(4, 1, 9.0)) == [1, 9, 1, 1]


def test_outbreaks_have_their_size_and_shape() -> None:
    """Poisson(size) cases in all; a spike in one week, the paper's mostly in two, a slow one over many."""
    rng = simulators.rng("outbreak")
    mass = {}
    for shape in ("spike", "lognormal", "slow"):
        made = simulators.outbreak(rng, 30.0, 20, shape, 2_000)  # type: ignore[arg-type]
        assert made.sum(axis=1).mean() == pytest.approx(30.0, rel=0.02)
        mass[shape] = float(made[:, :2].sum() / made.sum())
    assert mass["spike"] == 1.0
    assert mass["lognormal"] == pytest.approx(0.917, abs=0.01)
    assert mass["slow"] < 0.1


def test_late_batches_keep_every_event() -> None:
    """All events are delivered, none before it happened."""
    rng = simulators.rng("late")
    times = simulators.events(rng, simulators.office_hours(168, 20.0))
    heard = simulators.late_batches(rng, times, 0.3, 7200.0)
    assert len(heard) == len(times)
    assert (np.sort(heard) >= times).all()


def test_seeds_are_names() -> None:
    """The same name gives the same numbers, another name others."""
    assert simulators.rng("a").random() == simulators.rng("a").random() != simulators.rng("b").random()


def test_the_yardstick_is_a_likelihood_ratio_with_the_stated_run_length() -> None:
    """Its probabilities sum to 1 and its CUSUM is exact: Poisson mean 5, doubled, ARL0 1,000, against the chain's
    threshold."""
    for spread in (1.0, 3.0):
        assert np.exp(log_pmf(np.arange(300.0), np.float64(5.0), spread)).sum() == pytest.approx(1.0)
    best = Oracle(simulators.rng("oracle"), 5.0, 1.0, 0.0, 2.0, 1000, 2000)
    assert 3.2 < metrics.mean(best.delays(4000, 0)).value < 3.8  # 3.5 for the chart that Lucas' chain designs


def test_picture_and_table_show_every_row() -> None:
    """Names, figures, references, the verdict; text is escaped."""
    rows = (Row("delay <p50>", "mean 5", 3.5, 0.1, 4.0), Row("share", "mean 5", 0.02, 0.001))
    goal = Goal("G1", 3.5, "<= 4", True, 0.1, "what & why", rows)
    page, text = show.picture([goal], True), show.tables([goal])
    assert page.count("<circle") == 2
    assert page.count('class="reference"') == 1
    assert "delay &lt;p50&gt;" in page
    assert "what &amp; why" in page
    assert "delay <p50>" in text
    assert "3.5 +-" in text


def test_without_a_checkout_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The bench ships with the source; from an installed package the command explains that."""
    monkeypatch.setattr(command, "ROOT", tmp_path)
    result = CliRunner().invoke(command.bench, ["detection"])
    assert isinstance(result.exception, SetAside)
    assert "clone" in str(result.exception)


def test_an_unknown_goal_is_called_wrongly() -> None:
    """Exit code 2, and the choices are named."""
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "bench", "detection", "--only", "g99"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "g3" in done.stderr
