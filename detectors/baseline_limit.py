"""A limit defined as a multiple of an estimated baseline: the uncertainty of the baseline is paid for out of alpha.

A charter may state "at most twice the complaints of the service it replaces". If that service was observed for n0
events only, its rate is uncertain, and a limit of twice the estimate halts a pilot at twice the true rate far more
often than alpha. Here the limit is a multiple of the upper confidence bound of the baseline rate, and the error
probability of that bound is subtracted from alpha. By the union bound the two errors together stay within alpha.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, lgamma, log, log1p

import msgspec

from detectors.base import Design, within
from detectors.baseline import interval

_MAX_SUMMED_EVENTS = 20_000  # events up to which the tail is summed; Chernoff's bound beyond, which loses little there


def against_baseline(design: Design, *, times: float, events: float, exposure: float, doubt: float = 0.8) -> Design:
    """Returns `design` with the limit `times` x a baseline of `events` over `exposure`, for `limit_e_process` on
    counts.

    `doubt` (0 < doubt < 1, named after the charter key) is the fraction of alpha spent on the confidence bound of the
    baseline; the rest is left to the e-process. Most of it is best spent on the baseline: evidence grows with time, a
    short baseline stays short. For a pilot within `times` x the true baseline rate P(ever alarming) <= the given
    alpha, if the baseline's events were Poisson, or negative binomial with the assumed variance/mean, over an
    exposure that was not chosen by looking at them. For direction `below` the lower confidence bound is used. Raises
    ValueError naming the parameter.

    >>> design = against_baseline(Design(alpha=0.05), times=2.0, events=30, exposure=100.0)
    >>> round(design.limit, 3), round(design.alpha, 3)
    (0.828, 0.01)
    """
    if design.alpha is None or not 0 < design.alpha < 1:
        raise ValueError(f"alpha: {design.alpha!r} allows no threshold; give the indicator a weight above 0")
    doubt = within("doubt", doubt, low=1e-6, high=1 - 1e-6)
    times = within("times", times, low=1e-6, high=1e6)
    events = within("events", events, low=0.0, high=1e15)
    exposure = within("exposure", exposure, low=1e-12, high=1e15)
    dispersion = within("variance_mean", design.variance_mean, low=1, high=1000)
    edge = highest if design.sign > 0 else lowest
    limit = times * edge(events, exposure, dispersion, design.alpha * doubt)
    if limit <= 0:
        raise ValueError(
            f"events: {events:g} give a lower bound of 0, below which no rate can fall; use a longer baseline"
        )
    return msgspec.structs.replace(design, limit=limit, alpha=design.alpha * (1 - doubt))


def highest(events: float, exposure: float, dispersion: float, error: float) -> float:
    """Returns the upper confidence bound of the rate: there P(at most `events`) = `error`. Garwood (1936) for
    dispersion 1.

    >>> round(highest(10, 1.0, 1.0, 0.025), 3)
    18.39
    """
    if events > _MAX_SUMMED_EVENTS:
        return interval(events, exposure, False, dispersion, -log(error))[1]
    top = int(events)
    return _first_mean(lambda mean: _cdf(top, mean, dispersion) <= error, max(events, 1.0)) / exposure


def lowest(events: float, exposure: float, dispersion: float, error: float) -> float:
    """Returns the lower confidence bound of the rate: there P(at least `events`) = `error`. 0 for no events.

    >>> round(lowest(10, 1.0, 1.0, 0.025), 3)
    4.795
    """
    if events > _MAX_SUMMED_EVENTS:
        return interval(events, exposure, False, dispersion, -log(error))[0]
    below = int(events) - (1 if events == int(events) else 0)
    if below < 0:
        return 0.0
    return _first_mean(lambda mean: 1 - _cdf(below, mean, dispersion) > error, max(events, 1.0)) / exposure


def _first_mean(held: Callable[[float], bool], near: float) -> float:
    """Returns the smallest mean from which on `held` is true, by bisection."""
    high = near
    while not held(high):
        high *= 2
    low = high / 2
    while held(low) and low > 1e-12:
        low, high = low / 2, low
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if held(middle) else (middle, high)
    return high


def _cdf(top: int, mean: float, dispersion: float) -> float:
    """Returns P(at most `top` events) of a Poisson (dispersion 1) or negative binomial count."""
    if dispersion == 1:
        return min(sum([exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(top + 1)]), 1.0)
    shape, turn = mean / (dispersion - 1), log1p(-1 / dispersion)
    head = -shape * log(dispersion) - lgamma(shape)
    return min(sum([exp(head + lgamma(k + shape) - lgamma(k + 1) + k * turn) for k in range(top + 1)]), 1.0)
