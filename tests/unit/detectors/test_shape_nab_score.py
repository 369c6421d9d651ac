"""The scorer of the anomaly benchmark agrees with the benchmark's definition and published tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.bench.detbench.nab_score import Labelled, NoData, count, normal, read, sigmoid


def series(rows: int, *windows: tuple[int, int]) -> Labelled:
    return Labelled("family/name.csv", [0.0] * rows, windows, 300.0)


def test_no_alarm_is_0_and_the_first_row_of_every_window_is_100() -> None:
    """The two ends of the scale."""
    made = [series(4032, (1000, 1402)), series(4032, (800, 1000), (3000, 3200)), series(4032)]
    assert normal(sum(s.earned([]) for s in made), count(made)) == 0.0
    perfect = [s.earned([first for first, _ in s.windows]) for s in made]
    assert normal(sum(perfect), count(made)) == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("made", "alarms", "earned"),
    [
        pytest.param(series(4032, (1437, 1839)), [1638], 0.8606718242697022, id="mid-window of 403 rows"),
        pytest.param(series(4032, (683, 883), (3582, 3782)), [3682], -0.13844919792440225, id="one of two windows"),
        pytest.param(series(1882, (669, 763), (1240, 1334)), [300, 310, 320, 330], -2.44, id="four before any window"),
        pytest.param(series(4032), range(700, 712), -1.32, id="twelve in a series without windows"),
        pytest.param(series(18050, (16551, 18049)), [9000], -1.11, id="a miss and one false alarm"),
    ],
)
def test_it_agrees_with_sums_the_benchmark_publishes(made: Labelled, alarms: Iterable[int], earned: float) -> None:
    """Sums per file from the benchmark's own table for its windowed Gaussian, at rows that give them."""
    assert made.earned(alarms) == pytest.approx(earned, abs=1e-12)


def test_only_the_best_alarm_of_a_window_counts() -> None:
    """Only the earliest alarm of a window counts."""
    made = series(4032, (1000, 1399))
    assert made.earned([1300, 1200, 1100]) == made.earned([1100]) > made.earned([1200]) > 0


def test_a_false_alarm_soon_after_a_window_costs_less() -> None:
    """0 at the window's end, 0.11 s(1) one window later, 0.11 after three."""
    made = series(9000, (1000, 1200))
    missed = made.earned([])
    assert made.earned([1201]) - missed == pytest.approx(0.11 * sigmoid(1 / 200))
    assert made.earned([1400]) - missed == pytest.approx(0.11 * sigmoid(1))
    assert made.earned([1900]) - missed == pytest.approx(-0.11)
    assert made.earned([900]) - missed == pytest.approx(-0.11)


def test_the_probation_does_not_count() -> None:
    """15 % of the rows, 750 at most."""
    assert series(4032, (1000, 1200)).earned([0, 603]) == -1.0
    assert series(4032, (1000, 1200)).earned([604]) == pytest.approx(-1.11)
    assert series(20000, (10000, 10200)).earned([749]) == -1.0
    assert series(20000, (10000, 10200)).earned([750]) == pytest.approx(-1.11)


def test_it_reads_series_and_windows(tmp_path: Path) -> None:
    """A window is named by its first and last timestamps, both inside; the step is the usual one."""
    (tmp_path / "real").mkdir()
    lines = [f"2014-04-01 00:{m:02}:00,{m / 2}" for m in range(0, 60, 5)]
    (tmp_path / "real" / "a.csv").write_text("timestamp,value\n" + "\n".join(lines) + "\n")
    (tmp_path / "windows.json").write_text(
        '{"real/a.csv": [["2014-04-01 00:10:00.000000", "2014-04-01 00:20:00.000000"]]}'
    )
    (found,) = read(tmp_path)
    assert (found.family, found.windows, found.step, len(found.values)) == ("real", [(2, 4)], 300.0, 12)
    assert found.values[3] == 7.5


def test_without_the_benchmark_it_says_what_to_do(tmp_path: Path) -> None:
    """The message names the setting."""
    with pytest.raises(NoData, match="NAB_DATA"):
        read(tmp_path)
