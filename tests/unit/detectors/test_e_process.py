"""The limit e-process: its sum over onsets, its open periods, its late events, its threshold."""

from __future__ import annotations

import math

import pytest

from detectors import build
from detectors.base import Count, Design, Observation, Proportion
from detectors.e_process import LimitEProcess
from detectors.likelihood import count_line, proportion_line

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0)
COUNTS = [(3.0, 1.0), (0.0, 2.0), (7.0, 1.5), (2.0, 0.0), (9.0, 1.0)]


def made(**change: object) -> LimitEProcess:
    detector = build("limit_e_process", Design(**{"limit": 2.0, "alpha": 0.01, "late_window": 3} | change))  # type: ignore[arg-type]
    assert isinstance(detector, LimitEProcess)
    return detector


def by_hand(counts: list[tuple[float, float]], rate: float) -> float:
    """The definition: every onset's product, weighted 1/(j(j+1)), plus the weight not yet started; mean over ratios."""
    total, t = 0.0, len(counts)
    for r in RATIOS:
        for j in range(1, t + 1):
            product = math.prod(r**k * math.exp(-(r - 1) * rate * m) for k, m in counts[j - 1 :])
            total += product / (j * (j + 1)) / len(RATIOS)
    return total + 1 / (t + 1)


def test_the_recursion_is_the_sum_over_onsets() -> None:
    """One number per ratio represents every onset."""
    detector = made()
    for t, (k, m) in enumerate(COUNTS, 1):
        score = detector.update(Count(k=k, m=m))
        assert score is not None
        assert score.statistic == pytest.approx(math.log(by_hand(COUNTS[:t], 2.0)), abs=1e-12)
        assert (score.expected, score.observed, score.alpha) == (2.0 * m, k, 0.01)
        assert score.threshold == pytest.approx(math.log(100))


def test_uncertainty_gives_the_limit_margin_on_the_side_of_the_firm() -> None:
    """Exposure that may be 20 % larger than reported raises an upper limit by 20 % and lowers a lower one by a
    sixth."""
    assert made(uncertainty=0.2).rate == pytest.approx(2.4)
    assert made(uncertainty=0.2, direction="below").rate == pytest.approx(2 / 1.2)


def test_late_events_count_as_if_they_had_come_in_time() -> None:
    """After late events the score equals that of complete periods, then and later."""
    late, full = made(), made()
    for k, m in COUNTS:
        late.update(Count(k=k, m=m))
    late.raise_late(1, 4.0)
    late.raise_late(2, 1.0)
    for i, (k, m) in enumerate(COUNTS):
        full.update(Count(k=k + {3: 4.0, 2: 1.0}.get(i, 0.0), m=m))
    for k in (1.0, 2.0, 0.0, 5.0):
        a, b = late.update(Count(k=k, m=1.0)), full.update(Count(k=k, m=1.0))
        assert a is not None
        assert b is not None
        assert a.statistic == pytest.approx(b.statistic, abs=1e-12)


def test_late_events_outside_the_window_have_no_effect() -> None:
    """The window holds `late_window` periods; without one nothing is added."""
    detector = made()
    for k, m in COUNTS:
        detector.update(Count(k=k, m=m))
    assert detector.raise_late(2, 1.0) is not None
    assert detector.raise_late(3, 1.0) is None
    assert made(late_window=0).raise_late(0, 1.0) is None


def test_late_events_show_the_largest_value_since_their_period() -> None:
    """A crossing that later periods have reversed is still returned: the e-process was above its threshold then."""
    detector = made(alpha=0.05)
    for k in (0.0, 6.0, 0.0, 0.0):
        detector.update(Count(k=k, m=2.0))
    detector.late_window = 3
    raised = detector.raise_late(2, 9.0)
    assert raised is not None
    assert raised.alarm
    after = detector.update(Count(k=0.0, m=2.0))
    assert after is not None
    assert not after.alarm


def test_an_open_period_is_scored_like_a_closed_one_of_largest_exposure() -> None:
    """`peek` at one period equals its score at the close, if that is above the scores of closed periods."""
    for k in (20.0, 0.0):
        seen, closed = made(), made()
        first = seen.update(Count(k=2.0, m=1.0))
        closed.update(Count(k=2.0, m=1.0))
        peeked, score = seen.peek((Count(k=k, m=1.5),)), closed.update(Count(k=k, m=1.5))
        assert first is not None
        assert peeked is not None
        assert score is not None
        assert peeked.statistic == max(first.statistic, score.statistic)


def test_a_burst_is_not_diluted_by_the_open_period_after_it() -> None:
    """The largest over prefixes: an empty next period does not reduce the score of this one."""
    detector = made()
    one = detector.peek((Count(k=20.0, m=1.0),))
    two = detector.peek((Count(k=20.0, m=1.0), Count(k=0.0, m=5.0)))
    assert one is not None
    assert two is not None
    assert one.statistic == two.statistic


def test_no_alarm_before_minimum_events() -> None:
    """Large evidence from fewer than `minimum_events` stays just below the threshold; late events count."""
    detector = made(minimum_events=10, limit=0.001)
    score = detector.update(Count(k=9.0, m=1.0))
    assert score is not None
    assert not score.alarm
    assert score.statistic == math.nextafter(score.threshold, -math.inf)
    assert detector.peek((Count(k=1.0, m=1.0),)).alarm  # type: ignore[union-attr]
    assert detector.raise_late(0, 1.0).alarm  # type: ignore[union-attr]


def test_a_changed_limit_enters_the_same_product() -> None:
    """After an amendment the evidence and the threshold stay, and each period is compared with the limit in force."""
    detector = made(alpha=0.01)
    detector.update(Count(k=6.0, m=1.0))
    detector.amend(Design(limit=4.0, alpha=0.5))
    score = detector.update(Count(k=9.0, m=1.0))
    by_definition = 1 / 3
    for r in RATIOS:
        first, second = (r**k * math.exp(-(r - 1) * limit) for k, limit in ((6, 2.0), (9, 4.0)))
        by_definition += (first * second / 2 + second / 6) / len(RATIOS)
    assert score is not None
    assert score.statistic == pytest.approx(math.log(by_definition), abs=1e-12)
    assert score.threshold == pytest.approx(math.log(100))
    assert detector.raise_late(1, 1.0) is None


def test_below_looks_for_too_few() -> None:
    """With `below` periods without events are the evidence, and `peek` and `raise_late` return `None`."""
    detector = made(direction="below", limit=5.0)
    scores = [detector.update(Count(k=0.0, m=1.0)) for _ in range(4)]
    assert scores[-1] is not None
    assert scores[-1].alarm
    assert detector.peek((Count(k=0.0, m=1.0),)) is None
    assert detector.raise_late(0, 1.0) is None


def test_a_proportion_over_its_limit_alarms_and_one_within_does_not() -> None:
    """45 of 100 against 30 % is detected in a few periods; 27 of 100 never."""
    over, within = made(limit=0.3), made(limit=0.3)
    bad = [over.update(Proportion(k=45.0, n=100.0)) for _ in range(6)]
    good = [within.update(Proportion(k=27.0, n=100.0)) for _ in range(200)]
    assert any(s.alarm for s in bad if s)
    assert not any(s.alarm for s in good if s)
    assert bad[0] is not None
    assert (bad[0].observed, bad[0].expected) == (0.45, 0.3)


def test_a_proportion_limit_that_cannot_be_exceeded_returns_no_score() -> None:
    """A limit of 90 % with a margin of 20 % allows every proportion."""
    observation: Observation = Proportion(k=1.0, n=1.0)
    detector = made(limit=0.9, uncertainty=0.2)
    assert detector.update(observation) is None
    assert detector.peek((observation,)) is None


def test_assumed_overdispersion_only_ever_weakens_the_evidence_of_an_excess() -> None:
    """For counts beyond every ratio's tilt the e-value decreases as the assumed variance/mean increases."""
    for line in (count_line, proportion_line):
        values = [slope * 9 + cost * 10 for slope, cost in (line(2.0, 0.5, v) for v in (1.0, 1.5, 2.0, 4.0))]
        assert values == sorted(values, reverse=True)
