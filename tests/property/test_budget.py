"""Alpha: what thresholds may spend never exceeds it over any number of runs, and what was used never exceeds what may
be spent."""

from __future__ import annotations

from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.charter.spec import BaselineSpec, alpha_share
from monitor.model.records import Decision, Finding, Level, Reason
from monitor.projections.alpha_budget import AlphaRuns, AlphaUse, alpha_use, used_of
from monitor.simulation.fleet_charter import HOUR_MS, charter
from monitor.testing.records import decision, evidence

T0 = 1_700_000_000_000
CHARTER = charter("p-1", number=0, period_ms=HOUR_MS, cap=1e6, dispersion=1.0, start=T0, end=T0 + HOUR_MS)
STREAMS = [(use.indicator, use.segment) for use in alpha_use(CHARTER, AlphaRuns())]
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["crossed", "half", "tolerated", "released", "other"]),
        st.sampled_from(STREAMS),
        st.floats(-5, 50),
    ),
    max_size=40,
)


def story(events: list[tuple[str, tuple[str, str], float]]) -> list[Decision]:
    """Decisions of a pilot that goes through these events; every release and tolerance starts the statistics again."""
    run, made = 1, []
    for number, (what, (indicator, segment), statistic) in enumerate(events, 1):
        bar = {"crossed": statistic - 1, "tolerated": statistic - 1}.get(what, statistic + 1)
        finding = Finding(indicator=indicator, segment=segment, rule="limit_e_process", statistic=statistic, bar=bar)
        reason = {
            "crossed": Reason.LIMIT_EXCEEDED,
            "half": Reason.LIMIT_HALF_WAY,
            "tolerated": Reason.LIMIT_TOLERATED,
            "released": Reason.RELEASED,
        }.get(what, Reason.OVERRIDDEN)
        if what in ("released", "other"):
            finding = Finding()
        run += what == "released"  # a release is recorded under the run that it begins
        made.append(decision(number, reason=reason, finding=finding, restart=run, was=Level.HALT))
        run += what == "tolerated"  # a tolerance under the run that it ends
    return made


@settings(max_examples=200, deadline=None)
@given(EVENTS)
def test_what_is_used_never_exceeds_what_may_be_spent_nor_that_alpha(
    events: list[tuple[str, tuple[str, str], float]],
) -> None:
    """Over any number of crossings, releases and tolerances; use only rises, a run that is over is used in full, and
    decisions that come twice change nothing."""
    runs, before = AlphaRuns(), 0.0
    for made in story(events):
        runs.add_decision(made)
        uses = alpha_use(CHARTER, runs)
        once = [tuple(use) for use in uses]
        runs.add_decision(made)
        assert [tuple(use) for use in alpha_use(CHARTER, runs)] == once
        used, may = sum(use.used for use in uses), sum(use.may_spend for use in uses)
        assert before <= used + 1e-15
        assert all(0 <= use.used <= use.may_spend for use in uses)
        assert used <= may <= CHARTER.alpha
        assert used_of(CHARTER, runs) == pytest.approx(used)
        assert all(0 < use.p_value <= 1 for use in uses)
        for use in uses:
            spec = CHARTER.indicator(use.indicator)
            over = sum(alpha_share(CHARTER, spec, j) for j in range(1, runs.number))
            crossed = (use.indicator, use.segment) in runs.crossed
            assert use.used == pytest.approx(over + crossed * use.alpha)
        before = used


def test_nothing_is_used_on_the_first_day() -> None:
    """Before anything was observed the thresholds may spend their first shares, and none of alpha is used."""
    uses = alpha_use(CHARTER, AlphaRuns())
    assert sum(use.used for use in uses) == 0
    assert 0 < sum(use.may_spend for use in uses) < CHARTER.alpha
    assert {use.p_value for use in uses} == {1.0}


def _incidents(runs: AlphaRuns, *periods: float) -> AlphaUse:
    records = [
        evidence(n, scores={"limit_e_process": (s, 6.3)}, start=T0, end=T0 + n) for n, s in enumerate(periods, 1)
    ]
    return next(use for use in alpha_use(CHARTER, runs, records) if use.indicator == "incidents")


def test_the_p_value_is_that_of_the_largest_e_value_of_the_run() -> None:
    """It stays when evidence falls again, and reaches the run's share of alpha where the threshold is reached."""
    use = _incidents(AlphaRuns(), 1.0, 4.0, -2.0)
    assert use.largest == 4.0
    assert use.p_value == pytest.approx(exp(-4.0))
    reached = _incidents(AlphaRuns(), use.threshold)
    assert reached.p_value == pytest.approx(reached.alpha)


def test_evidence_of_an_earlier_run_does_not_count_in_the_next() -> None:
    """A period that closed before the release belongs to the run that the release ended."""
    runs = AlphaRuns()
    runs.add_decision(decision(1, restart=2, reason=Reason.RELEASED, at=T0 + 10 * HOUR_MS, finding=Finding()))
    assert _incidents(runs, 4.0).largest is None


def test_the_share_that_pays_for_a_baseline_is_no_evidence() -> None:
    """Where part of alpha pays for what is not known of a baseline, the p-value is larger by that part, as the
    threshold is."""
    import msgspec

    spec = msgspec.structs.replace(
        CHARTER.indicator("incidents"),
        limit=None,
        baseline=BaselineSpec(times=2.0, events=30.0, exposure=1e4, doubt=0.8),
    )
    made = msgspec.structs.replace(CHARTER, indicators=(spec,))
    runs = AlphaRuns(largest={("incidents", ""): 9.0})
    (use,) = alpha_use(made, runs)
    assert use.p_value == pytest.approx(5 * exp(-9.0))
    (reached,) = alpha_use(made, AlphaRuns(largest={("incidents", ""): use.threshold}))
    assert reached.p_value == pytest.approx(reached.alpha)
