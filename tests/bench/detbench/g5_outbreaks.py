"""G5: detection of outbreaks in weekly counts, compared with Farrington's flexible method.

After Noufaily et al. (2013): five and a half years of weekly counts with season, trend and overdispersion, then an
outbreak of Poisson(k sd) cases in total, k = 2, 3, 5, 10, spread over time by a lognormal. In addition to the paper's
shape, `slow` (four times as long) and `spike` (all in one week, for which a test of one week is optimal). Both
methods are set, scenario by scenario, to one alert in 100 weeks without outbreaks. Detected: an alert between the
first and the last case. Delay: weeks to the first alert, counted to the end of the outbreak plus one week for
undetected ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.base import Design
from detectors.predictive import SeasonalRate
from detectors.predictive_change import SeasonalChange, evidence
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.farrington import YEARS, expected
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.progress import steps
from tests.bench.detbench.simulators import Floats

Shape = Literal["lognormal", "slow", "spike"]
SHAPES: tuple[Shape, ...] = ("lognormal", "slow", "spike")
SIZES = (2, 3, 5, 10)
YEAR, RATE = 52.18, 0.01
BEFORE, WEEKS, LASTS, LATEST = YEARS * 52 + 26, 30, 20, 10  # history, weeks judged, longest outbreak, latest start
WARM = 40  # weeks the chart runs before the judged weeks
SHIFTS = (0.8, 4.0, 4.0, 4.0)  # one for lasting outbreaks, three for sudden ones


class Scenario(NamedTuple):
    """ln of the weekly mean, variance/mean, trend per year, amplitude of the season."""

    theta: float
    dispersion: float
    trend: float
    season: float


SCENARIOS = (
    Scenario(0.1, 1.5, 0.0, 0.3),
    Scenario(1.5, 1.0, 0.0, 0.3),
    Scenario(1.5, 2.0, 0.2, 0.3),
    Scenario(2.5, 3.0, -0.2, 0.5),
    Scenario(3.75, 5.0, 0.2, 0.3),
    Scenario(5.0, 1.5, 0.0, 0.2),
)


class Found(NamedTuple):
    """Per outbreak: week of the first alert of the chart and of Farrington's method (1 = the first; inf), and its
    length."""

    ours: Floats
    theirs: Floats
    lasts: Floats


def detector() -> SeasonalChange:
    """Returns the detector for weeks: a yearly cycle, a trend, changes in standard deviations of the forecast; no
    relearning, because outbreaks end.
    """
    design = Design(periods_per_year=YEAR)
    return SeasonalChange.design(
        design, shifts=SHIFTS, relearn=False, cycles=(YEAR,), trend=0.2, baseline_periods=BEFORE - WARM
    )


def surprise(counts: Floats, mean: Floats, dispersion: Floats) -> Floats:
    """Returns -ln of the mid p-value of counts under Farrington's negative binomial forecast."""
    out = np.zeros_like(counts)
    for i in np.ndindex(counts.shape):
        k, m, v = int(counts[i]), float(mean[i]), max(float(dispersion[i]), 1.0001)
        shape, turn = m / (v - 1), math.log1p(-1 / v)
        p = math.exp(-shape * math.log(v))
        if p > 0 and k < 2_000:
            below = 0.0
            for c in range(k):
                below += p
                p *= (c + shape) / (c + 1) * math.exp(turn)
            tail = 1 - below - p / 2
        else:
            tail = 0.0
        if tail < 1e-9:  # sum the tail itself, from its largest term down
            log_p = math.lgamma(k + shape) - math.lgamma(shape) - math.lgamma(k + 1) - shape * math.log(v) + k * turn
            term, tail, c = 1.0, 0.5, k
            while term > 1e-12 and c < k + 100_000:
                term *= (c + shape) / (c + 1) * math.exp(turn)
                c += 1
                tail += term
            out[i] = -log_p - math.log(tail)
        else:
            out[i] = -math.log(tail)
    return out


def learn(chart: SeasonalChange, counts: Floats) -> tuple[SeasonalRate, list[list[float]]]:
    """Returns the forecaster after all `counts` except the judged weeks, and the chart's weekly evidence from WARM
    weeks before."""
    assert chart.predictor is not None
    forecaster = SeasonalRate(predictor=deepcopy(chart.predictor), assumed_dispersion=chart.assumed_dispersion)
    kept, found = forecaster, []
    for week, k in enumerate(counts):
        if week == BEFORE:
            kept = deepcopy(forecaster)
        forecast = forecaster.observe(float(k), 1.0, week)
        if week >= BEFORE - WARM and forecast is not None:
            found.append(evidence(chart.alternatives(forecast), float(k), forecast))
    return kept, found


def go_on(chart: SeasonalChange, forecaster: SeasonalRate, counts: Floats) -> list[list[float]]:
    """Returns the chart's evidence in the judged weeks, from a forecaster that has learnt the weeks before."""
    forecaster, found = deepcopy(forecaster), []
    for week, k in enumerate(counts, BEFORE):
        forecast = forecaster.observe(float(k), 1.0, week)
        assert forecast is not None
        found.append(evidence(chart.alternatives(forecast), float(k), forecast))
    return found


def alerts(evidences: Floats, threshold: float, sums: Floats | None = None) -> tuple[NDArray[np.bool_], Floats]:
    """Runs Shiryaev-Roberts over (series, weeks, alternatives), restarted after an alert. Returns alerts and the
    final sums."""
    a = np.zeros((evidences.shape[0], evidences.shape[2])) if sums is None else sums.copy()
    hits = np.zeros(evidences.shape[:2], bool)
    for week in range(evidences.shape[1]):
        a = np.minimum(np.exp(np.minimum(evidences[:, week], 300.0)) * (a + 1), 1e200)
        hits[:, week] = a.mean(axis=1) >= math.exp(threshold)
        a[hits[:, week]] = 0.0
    return hits, a


def bar_at(evidences: Floats) -> float:
    """Returns the lowest threshold whose alert rate in the judged weeks is at most RATE."""
    low, high = -3.0, 14.0
    for _ in range(24):
        middle = (low + high) / 2
        hits, _ = alerts(evidences, middle)
        low, high = (middle, high) if hits[:, WARM:].mean() > RATE else (low, middle)
    return high


def first(hits: NDArray[np.bool_], starts: NDArray[np.int64]) -> Floats:
    """Returns weeks from each start to the first alert (1 = in the first week), infinite if none within the longest
    outbreak."""
    out = np.full(len(hits), math.inf)
    for i, start in enumerate(starts):
        at = np.nonzero(hits[i, start : start + LASTS])[0]
        if len(at):
            out[i] = at[0] + 1
    return out


def scenario(rng: np.random.Generator, of: Scenario, runs: int) -> dict[tuple[int, Shape], Found]:
    """Returns both methods' results on the same series with the same outbreaks."""
    total = BEFORE + WEEKS
    phase = rng.integers(0, 52, (runs, 1)).astype(float)
    wave = simulators.profile(total, cycle=of.season, trend=of.trend, day=YEAR, week=None, year=YEAR, phase=phase)
    mean = math.exp(of.theta) * wave
    counts = simulators.counts(rng, mean, of.dispersion)
    # Farrington's forecast rests on weeks that ended 26 weeks ago, so no outbreak changes it.
    fits = [expected(counts[:, : BEFORE + week]) for week in range(WEEKS)]
    theirs = np.stack([fit.mean for fit in fits], axis=1), np.stack([fit.dispersion for fit in fits], axis=1)
    null = np.sort(surprise(counts[:, BEFORE:], *theirs), axis=None)[::-1]
    threshold = float(np.nextafter(null[int(RATE * null.size)], math.inf))
    chart = detector()
    learnt = [learn(chart, series) for series in counts]
    evidences = np.array([found for _, found in learnt])
    threshold = bar_at(evidences)
    _, sums = alerts(evidences[:, :WARM], threshold)
    starts = rng.integers(0, LATEST, runs)
    deviation = np.sqrt(of.dispersion * mean[:, BEFORE])
    out: dict[tuple[int, Shape], Found] = {}
    for size in SIZES:
        for shape in SHAPES:
            extra = simulators.outbreak(rng, size * deviation, LASTS, shape, runs)
            ill = counts[:, BEFORE:].copy()
            for i, start in enumerate(starts):
                ill[i, start : start + LASTS] += extra[i]
            hits, _ = alerts(np.array([go_on(chart, learnt[i][0], ill[i]) for i in range(runs)]), threshold, sums)
            other = surprise(ill, *theirs) >= threshold
            lasts = np.where(extra > 0, np.arange(1, LASTS + 1), 0).max(axis=1)
            some = lasts > 0
            out[size, shape] = Found(first(hits, starts)[some], first(other, starts)[some], lasts[some].astype(float))
    return out


class Compared(NamedTuple):
    """Returns the detected fraction and restricted mean delay of both methods, and the paired differences."""

    share: metrics.Estimate
    their_share: float
    delay: metrics.Estimate
    their_delay: float
    more: metrics.Estimate
    later: metrics.Estimate


def compare(found: Sequence[Found]) -> Compared:
    """Returns the results over all outbreaks given."""
    ours, theirs, lasts = (np.concatenate(part) for part in zip(*found, strict=True))
    hit, other = ours <= lasts, theirs <= lasts
    delay, their_delay = np.minimum(ours, lasts + 1), np.minimum(theirs, lasts + 1)
    return Compared(
        metrics.mean(hit),
        float(other.mean()),
        metrics.mean(delay),
        float(their_delay.mean()),
        metrics.mean(hit.astype(float) - other),
        metrics.mean(delay - their_delay),
    )


def goals(quick: bool) -> list[Goal]:
    """Returns G5a detection, G5b delay (the paper's outbreaks, the slow ones, and all shapes together), G5c the slow
    ones at k = 5."""
    rng = simulators.rng("g5")
    runs = 150 if quick else 1_000
    found = [scenario(rng, of, runs) for of in steps(SCENARIOS, "G5")]
    rows: list[Row] = []
    more: list[tuple[metrics.Estimate, str]] = []
    later: list[tuple[metrics.Estimate, str]] = []
    slow = metrics.Estimate(0.0, 0.0)
    groups: dict[str, tuple[Shape, ...]] = {**{shape: (shape,) for shape in SHAPES}, "all shapes": SHAPES}
    for name, shapes in groups.items():
        for size in SIZES:
            c = compare([one[size, shape] for one in found for shape in shapes])
            setting = f"{name}, k = {size}"
            rows.append(Row("found", setting, *c.share, c.their_share))
            rows.append(Row("delay, weeks", setting, *c.delay, c.their_delay))
            if name != "spike":
                more.append((c.more, setting))
                later.append((c.later, setting))
            if name == "slow" and size == 5:
                slow = c.share
    least, where = min(more)
    most, there = max(later)
    said = f"against Farrington flexible at {RATE} alerts a week in every scenario"
    return [
        _goal(
            "G5a",
            least,
            ">= 0",
            f"detected fraction above it, worst of k and shapes (not spike) {said}; worst: {where}",
            rows,
        ),
        _goal("G5b", most, "<= 0", f"weeks later than it, worst of k and shapes (not spike) {said}; worst: {there}"),
        _goal("G5c", slow, ">= 0.4", "detected fraction of slow outbreaks, k = 5"),
    ]


def _goal(name: str, found: metrics.Estimate, bound: str, note: str, rows: Sequence[Row] = ()) -> Goal:
    return Goal(name, found.value, bound, held(found.value, bound), found.error, note, tuple(rows))
