"""A score in words: the rate ratio with its confidence interval, and the sentence that decisions carry.

Computed when a decision is written, not per observation. The interval is for one period: exact for Poisson counts
(Garwood 1936, Biometrika 28: 437-442) and binomial proportions (Clopper and Pearson 1934, Biometrika 26: 404-413),
widened by the assumed variance/mean (events and exposure divided by it, an approximation). It is not corrected for
repeated looks: valid at all times is the comparison of the statistic with its threshold, for detectors that guarantee
it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import NamedTuple

import msgspec

from detectors.base import LARGEST, Compared, Count, Gap, Gauge, Observation, Score, within
from detectors.intervals import proportion_interval, rate_interval


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A score in words. `ratio` is observed over expected, `low` and `high` its confidence interval (`None` without a
    likelihood or if nothing was expected); `method` names the interval and its exactness."""

    sentence: str
    observed: float
    expected: float
    statistic: float
    threshold: float
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    method: str = ""


def explain(
    observation: Observation, score: Score, name: str = "", *, variance_mean: float = 1.0, confidence: float = 0.95
) -> Explanation:
    """Returns a score of the registered detector `name` in words; `observation` is its input.

    Raises ValueError for a confidence outside [0.5, 0.999999] or a `variance_mean` below 1.

    >>> from textwrap import fill
    >>> from detectors.base import Count
    >>> score = Score(statistic=3.89, threshold=4.61, expected=2.0, observed=9.0, alpha=0.01)
    >>> print(fill(explain(Count(9.0, 1.0), score, "limit_e_process").sentence, 100))
    9 events against a limit of 2 (ratio 4.5, 95 % confidence interval of this period 2.06 to 8.54). The
    evidence against the limit (e-value) is 48.9 and the threshold is 100: threshold not reached.
    """
    within("confidence", confidence, low=0.5, high=0.999999)
    within("variance_mean", variance_mean, low=1, high=1000)
    seen = _seen(observation, score, name, variance_mean, confidence)
    words = _EVIDENCE.get(name, _plain)(score)
    end = "threshold reached" if score.alarm else "threshold not reached"
    return Explanation(
        sentence=f"{seen.text[0].upper()}{seen.text[1:]}. {words}: {end}.",
        observed=score.observed,
        expected=score.expected,
        statistic=score.statistic,
        threshold=score.threshold,
        ratio=seen.ratio,
        low=seen.low,
        high=seen.high,
        confidence=confidence,
        method=seen.method,
    )


class _Seen(NamedTuple):
    """The first half of a sentence, and the fields of `Explanation` that belong to it."""

    text: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = ""


def _seen(observation: Observation, score: Score, name: str, v: float, confidence: float) -> _Seen:
    """Returns the observation against its limit or expectation; `v` is the assumed variance/mean."""
    if isinstance(observation, Gap):
        seconds, expected = _number(observation.seconds), _number(observation.expected)
        return _Seen(f"no event for {seconds} s in which {expected} were expected")
    if isinstance(observation, Compared):
        return _compared(observation, score)
    if isinstance(observation, Gauge):
        return _Seen(f"a value of {_number(score.observed)} {_against(name, _number(score.expected))}")
    if isinstance(observation, Count):
        what = f"{_number(score.observed)} events {_against(name, _number(score.expected))}"
        low, high = rate_interval(min(observation.k, LARGEST) / v, confidence)
        low, high = (low * v, high * v)
        method = "Garwood, exact for Poisson"
    else:
        of = f"{_number(observation.k)} of {_number(observation.n)} ({_percent(score.observed)})"
        what = f"{of} {_against(name, _percent(score.expected))}"
        low, high = proportion_interval(observation.k / v, observation.n / v, confidence)
        method = "Clopper and Pearson, exact for a binomial"
    if v > 1:
        method = f"{method.split(',')[0]}, widened for variance/mean {v:g} (approximate)"
    if score.expected <= 1e-250:
        return _Seen(what, method=method)
    ratio, low, high = score.observed / score.expected, low / score.expected, high / score.expected
    text = (
        f"{what} (ratio {_number(ratio)}, {confidence * 100:g} % confidence interval of this period "
        f"{_number(low)} to {_number(high)})"
    )
    return _Seen(text, ratio, low, high, method)


def _compared(observation: Compared, score: Score) -> _Seen:
    """Returns a segment against what the limit allows it, given the others."""
    if observation.is_proportion:
        of = f"{_number(observation.k)} of {_number(observation.x)} ({_percent(score.observed)})"
        what = f"{of} against {_percent(score.expected)} allowed by the other segments"
    else:
        what = f"{_number(score.observed)} events against {_number(score.expected)} allowed by the other segments"
    if score.ratio is None:
        return _Seen(what)
    ratio, low, high = score.ratio
    text = (
        f"{what} (ratio of all periods so far {_number(ratio)}, "
        f"95 % confidence sequence {_number(low)} to {_number(high)})"
    )
    return _Seen(text, ratio, low, high, "beta mixture, valid at all times for a constant ratio")


def _against(name: str, expected: str) -> str:
    return f"against a limit of {expected}" if name in _LIMITS else f"against {expected} expected"


def _limit(score: Score) -> str:
    return (
        f"The evidence against the limit (e-value) is {_power(score.statistic)} "
        f"and the threshold is {_power(score.threshold)}"
    )


def _change(score: Score) -> str:
    threshold = _power(score.threshold)
    return (
        f"The evidence of a change is {_power(score.statistic)} and the threshold is {threshold}, "
        f"which stands for at least {threshold} periods between false alarms on average"
    )


def _aberrant(score: Score) -> str:
    return f"The inverse of its probability is {_power(score.statistic)} and the threshold is {_power(score.threshold)}"


def _fall(score: Score) -> str:
    return f"The evidence of a fall is {_power(score.statistic)} and the threshold is {_power(score.threshold)}"


def _sprt(score: Score) -> str:
    text = (
        f"The log likelihood ratio of all events so far is {_number(score.statistic)} "
        f"and the threshold is {_number(score.threshold)}"
    )
    if score.alpha is None:
        return text
    return f"{text}, which a pilot within its limit ever reaches with a probability of at most {score.alpha * 100:g} %"


def _silent(score: Score) -> str:
    return f"The threshold is {_number(score.threshold)} expected events"


def _plain(score: Score) -> str:
    return f"The statistic is {_number(score.statistic)} and the threshold is {_number(score.threshold)}"


_LIMITS = ("limit_e_process", "maxsprt", "gauge_limit")
"""Detectors whose `expected` is always the charter's limit."""

_EVIDENCE: dict[str, Callable[[Score], str]] = {
    "limit_e_process": _limit,
    "disparity": _limit,
    "e_detector": _change,
    "maxsprt": _sprt,
    "fall": _fall,
    "aberration": _aberrant,
    "silence": _silent,
}


def _number(x: float) -> str:
    return f"{x:,.0f}" if abs(x) >= 1000 or x == round(x) else f"{x:.3g}"


def _percent(x: float) -> str:
    return f"{100 * x:.3g} %"


def _power(x: float) -> str:
    """Returns exp(x) as text with three digits."""
    return "more than 10^12" if x > 27.6 else "less than 0.01" if x < -4.6 else _number(float(f"{exp(x):.3g}"))
