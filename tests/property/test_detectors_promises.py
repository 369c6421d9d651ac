"""The contract suite on generated streams."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import DETECTORS, build
from detectors.base import Count, Design, Gap, Gauge, Observation, Proportion
from detectors.checks import CHECKS
from tests.strength import examples

amounts = st.one_of(
    st.integers(0, 30).map(float), st.floats(0, 1.7e308, allow_nan=False, allow_infinity=False), st.just(0.0)
)


@st.composite
def streams(draw: st.DrawFn, kind: type) -> list[Observation]:
    made: list[Observation] = []
    for a, b in draw(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=60)):
        low, high = min(a, b), max(a, b)
        if kind is Count:
            made.append(Count(k=a, m=b))
        elif kind is Proportion:
            made.append(Proportion(k=low, n=high))
        elif kind is Gauge:
            made.append(Gauge(value=a - b))
        else:
            made.append(Gap(seconds=a, expected=b))
    return made


@settings(max_examples=examples(50, 150), deadline=None, derandomize=True)
@given(data=st.data())
def test_guarantees_hold_on_any_finite_stream(data: st.DataObject) -> None:
    """Every detector, either direction, with and without a limit, passes every check on any finite stream."""
    name = data.draw(st.sampled_from(sorted(DETECTORS)))
    kind = data.draw(st.sampled_from(DETECTORS[name].observes))
    limited = name in ("limit_e_process", "gauge_limit", "maxsprt") or data.draw(st.booleans())
    plain = name == "maxsprt"  # refuses a charter that is not Poisson or has direction below
    design = Design(
        limit=data.draw(st.sampled_from([1e-6, 0.3, 0.999, 20.0])) if limited else None,
        alpha=0.01,
        direction="above" if plain else data.draw(st.sampled_from(["above", "below"])),
        variance_mean=1.0 if plain else data.draw(st.sampled_from([1.0, 1.0001, 3.0, 1000.0])),
        late_window=data.draw(st.sampled_from([0, 1, 8])),
        minimum_events=data.draw(st.sampled_from([1, 50])),
    )
    params = {"baseline_periods": 3} if name in ("cusum", "e_detector", "glr", "ewma") else {}
    stream = data.draw(streams(kind))
    for check in CHECKS:
        check(lambda: build(name, design, params), stream)


@settings(max_examples=examples(50, 150), deadline=None, derandomize=True)
@given(
    counts=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5)), min_size=1, max_size=20),
    exposures=st.lists(st.floats(0.1, 5), min_size=20, max_size=20),
)
def test_partial_periods_never_strengthen_the_evidence(counts: list[tuple[int, int]], exposures: list[float]) -> None:
    """Path by path: partial counts with the exposure at its upper bound give at most the score of complete periods."""
    partial, complete = (build("limit_e_process", Design(limit=1.0, alpha=0.01, variance_mean=1.5)) for _ in range(2))
    for (k, more), m in zip(counts, exposures, strict=False):
        a = partial.update(Count(k=float(k), m=5.0))
        b = complete.update(Count(k=float(k + more), m=m))
        assert a is not None
        assert b is not None
        assert a.statistic <= b.statistic + 1e-12
        assert math.isfinite(a.statistic)
