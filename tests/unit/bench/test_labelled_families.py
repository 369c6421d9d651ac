"""The simulated families of the shape goal: the same in every run, with labels where the anomalies are."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[3]))  # the bench is no package of the product

from tests.bench.detbench.g8_nab import balanced, leave_out
from tests.bench.detbench.labelled_families import simulated, windows
from tests.bench.detbench.nab_score import Labelled


def test_the_families_are_the_same_in_every_run() -> None:
    """Values are finite, of three families, and seeded by name."""
    first, second = simulated(quick=True), simulated(quick=True)
    assert {s.family for s in first} == {"clicks", "roads", "mentions"}
    assert all(np.isfinite(s.values).all() and s.windows for s in first)
    assert [(s.name, s.values, s.windows, s.step) for s in first] == [
        (s.name, s.values, s.windows, s.step) for s in second
    ]


def test_windows_lie_around_the_onsets_and_do_not_overlap() -> None:
    """A tenth of the rows together; cut at the end and at the window before."""
    assert windows(2000, [500, 1000]) == [(450, 550), (950, 1050)]
    assert windows(2000, [1990, 520, 500]) == [(467, 533), (534, 553), (1957, 1999)]
    for series in simulated(quick=True):
        assert all(a[1] < b[0] for a, b in zip(series.windows, series.windows[1:], strict=False))
        assert series.windows[0][0] > series.probation


def test_a_family_is_scored_with_the_threshold_of_the_others() -> None:
    """The left-out family never takes part in the choice; families weigh the same whatever their number of windows."""
    made = [Labelled(f"{family}/0", [0.0] * 100, [(50, 60)] * n, 300.0) for family, n in (("a", 1), ("b", 4), ("c", 1))]
    grid = np.zeros((3, 2))
    grid[:] = [[1.0, 0.0], [0.0, 1.6], [1.0, 0.0]]
    assert leave_out(made, grid)[0].tolist() == [0.0, 0.0, 0.0]
    assert leave_out(made, balanced(made, grid), grid)[0].tolist() == [1.0, 0.0, 1.0]
