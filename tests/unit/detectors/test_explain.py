"""The sentence in decisions, and its exact intervals."""

from __future__ import annotations

import math

import pytest

from detectors import DETECTORS, build
from detectors.alpha import account, report
from detectors.base import Compared, Count, Design, Gap, Gauge, Proportion, Score
from detectors.checks import SAMPLES
from detectors.explain import explain
from detectors.intervals import beta_i, gamma_p, proportion_interval, rate_interval


@pytest.mark.parametrize(
    ("k", "low", "high"),
    [(0, 0.0, 3.688879), (1, 0.0253178, 5.571643), (3, 0.6186721, 8.767273), (100, 81.363991, 121.626794)],
)
def test_garwoods_limits(k: float, low: float, high: float) -> None:
    """Exact 95 % limits of a Poisson mean, from the chi-square quantiles; for large counts they agree with the normal
    ones."""
    assert rate_interval(k) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))
    just_below, just_above = rate_interval(1e6), rate_interval(1e6 + 1)
    assert just_below == pytest.approx(just_above, rel=1e-5)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.3084971),
        (3, 100, 0.0062300, 0.0851761),
        (100, 100, 0.9637833, 1.0),
        (450, 1000, 0.4188517, 0.4814435),
    ],
)
def test_clopper_and_pearsons_limits(k: float, n: float, low: float, high: float) -> None:
    """Exact 95 % limits of a proportion, from the beta quantiles; without trials (0, 1)."""
    assert proportion_interval(k, n) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))
    assert proportion_interval(0, 0) == (0.0, 1.0)


def test_tail_probabilities_are_sums_of_the_distribution() -> None:
    """P(K >= a), Poisson and binomial, term by term."""
    for a, x in ((1, 0.3), (4, 9.0), (30, 12.0)):
        below = math.fsum(math.exp(k * math.log(x) - x - math.lgamma(k + 1)) for k in range(a))
        assert gamma_p(a, x) == pytest.approx(1 - below, abs=1e-12)
    for a, n, p in ((1, 5, 0.3), (40, 60, 0.9), (7, 60, 0.02)):
        tail = math.fsum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(a, n + 1))
        assert beta_i(a, n - a + 1, p) == pytest.approx(tail, abs=1e-12)


def test_the_sentence_says_what_was_seen_what_was_allowed_and_how_near_the_threshold_is() -> None:
    """Counts, proportions, silences and gauges, each with its own sentence."""
    crossed = explain(Count(12.0, 1.0), Score(5.0, 4.6052, 2.0, 12.0, 0.01), "limit_e_process")
    assert crossed.sentence == (
        "12 events against a limit of 2 (ratio 6, 95 % confidence interval of this period 3.1 to 10.5). "
        "The evidence against the limit (e-value) is 148 and the threshold is 100: threshold reached."
    )
    assert crossed.method == "Garwood, exact for Poisson"
    share = explain(Proportion(45.0, 100.0), Score(3.0, 4.6, 0.3, 0.45), "e_detector").sentence
    assert share.startswith("45 of 100 (45 %) against 30 % expected (ratio 1.5, ")
    assert "between false alarms" in share
    assert explain(Gap(960.0, 16.0), Score(16.0, 15.5, 16.0, 0.0), "silence").sentence == (
        "No event for 960 s in which 16 were expected. The threshold is 15.5 expected events: threshold reached."
    )
    assert explain(Gauge(3.5), Score(3.5, 3.0, 3.0, 3.5)).ratio is None


def test_assumed_overdispersion_widens_the_interval_and_says_so() -> None:
    """Half the information, and not marked as exact."""
    score = Score(1.0, 4.6, 5.0, 10.0)
    narrow, wide = (explain(Count(10.0, 1.0), score, variance_mean=v) for v in (1.0, 2.0))
    assert narrow.low is not None
    assert narrow.high is not None
    assert wide.low < narrow.low < 2.0 < narrow.high < wide.high  # type: ignore[operator]
    assert "approximate" in wide.method


def test_nothing_expected_has_no_ratio() -> None:
    """No ratio is computed."""
    said = explain(Count(3.0, 0.0), Score(1.0, 4.6, 0.0, 3.0))
    assert (said.ratio, said.low, said.high) == (None, None, None)


@pytest.mark.parametrize("name", list(DETECTORS))
def test_every_score_can_be_explained(name: str) -> None:
    """Every score on the sample streams has a sentence of finite numbers."""
    limits = {Count: 0.1, Proportion: 0.3, Gauge: 5.0, Gap: 1 / 60, Compared: 1.25}
    for kind in DETECTORS[name].observes:
        for stream in SAMPLES[kind].values():
            detector = build(name, Design(limit=limits[kind], alpha=0.01))
            for observation in stream[::7]:
                score = detector.update(observation)
                if score is None:
                    continue
                said = explain(observation, score, name)
                assert said.sentence.endswith(".")
                for number in (said.ratio, said.low, said.high):
                    assert number is None or math.isfinite(number)
                assert "nan" not in said.sentence


def test_the_account_spends_no_more_than_alpha_for_ever() -> None:
    """All streams over a thousand restarts together; weights above one are refused."""
    shares = account(0.01, {"a": 0.6, "b": 0.4, "unused": 0.0}, {"b": 3}, restart=1000)
    assert [s.stream for s in shares] == ["a", "b/1", "b/2", "b/3"]
    assert sum(s.spent for s in shares) == pytest.approx(0.01, rel=1e-3)
    assert sum(s.spent for s in shares) < 0.01
    assert shares[0].threshold == pytest.approx(1 / (0.006 * 6 / math.pi**2) * 1_000_000)
    assert report(shares, 0.01).splitlines()[-1].endswith("of 0.01")
    wide = account(0.01, {"false-positives-by-group": 1.0}, {"false-positives-by-group": 2})
    assert {len(line.split()) for line in report(wide, 0.01).splitlines()[1:3]} == {5}  # names never touch the numbers
    with pytest.raises(ValueError, match=r"^weights: "):
        account(0.01, {"a": 0.7, "b": 0.5})
