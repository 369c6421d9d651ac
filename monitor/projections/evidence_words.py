"""The numbers of a decision as one sentence: what was observed, of how many, and what the charter allows. Pure.

Pages, reports, alerts and `status` print it: `4.76 % of 1,323 harmless cases where at most 2 % are allowed`; `Halted`
has the same words from `monitor/sdk/ground_words.py`.
`sentence` in `wording.py` also has the reason, the interval and the evidence.
"""

from __future__ import annotations

from math import exp, floor, log10

from detectors import SPENDS_ALPHA
from monitor.charter.spec import Charter, IndicatorSpec
from monitor.model.records import Decision, Finding, Reason
from monitor.projections.formats import day, ends, figure, moment, percent, power_of_ten
from monitor.projections.measures import HANDLING_TIME, Measure, duration_scale, measure_of, spec_of, unit_words
from monitor.projections.number_words import SINGLE, TIMED, USUAL, has_comparison, is_share, numbers, trials_of
from monitor.translation import mark, tr

EVENTS: dict[str, str] = {
    "incident_rate": mark("incidents"),
    "complaint_rate": mark("complaints"),
    "outside_complaint_rate": mark("complaints made outside the firm"),
    "claim_rate": mark("claims"),
}
"""What a rate counts, by kind of indicator."""
TRIALS: dict[str, str] = {
    "false_positive_rate": mark("harmless cases"),
    "complaint_over_promise": mark("complaints"),
    "claim_over_promise": mark("claims"),
    "item_share": mark("items"),
    "late_share": mark("events"),
    "outside_gap": mark("complaints"),
}
"""What a share is a share of, by kind of indicator."""
LIMITS = ("limit_e_process", "maxsprt", "gauge_limit")
"""Detectors whose expected value is the limit of the charter."""
OVER_ALL = 1e-6
"""Probabilities below this are not written: there the assumptions of the model matter more than the number."""
_DAY, _HOUR = 86_400_000, 3_600_000


def evidence_sentence(decision: Decision, charter: Charter | None = None, period: bool = True) -> str | None:
    """The numbers that a decision rests on, with unit and period; `None` where it has no numbers.

    Without the `charter` the words for what is counted are general, and a mean time is said as the rate that its
    detector saw. `period`: whether the period of the numbers is added. Starts in lower case or with a number, and has
    no full stop.

    >>> from monitor.testing.records import halted
    >>> evidence_sentence(halted(finding=Finding(
    ...     indicator="fpr", rule="limit_e_process", observed=63 / 1323, expected=0.02, events=63, exposure=1323)))
    '4.76 % of 1,323 cases where at most 2 % are allowed'
    """
    spec = spec_of(charter, decision.finding.indicator)
    said = _said(decision, spec)
    if said is None or not period:
        return said
    finding = decision.finding
    if not finding.indicator or finding.period_start is None or finding.period_end is None:
        return said
    when = period_words(finding.period_start, finding.period_end)
    if finding.provisional:
        return tr("{numbers} ({period}, which is still open)", numbers=said, period=when)
    return tr("{numbers} ({period})", numbers=said, period=when)


def strength_words(finding: Finding) -> str | None:
    """How seldom a pilot without fault shows evidence as strong as this; `None` where no such bound is proved.

    For evidence against a limit that has a share of alpha: by Ville's inequality a pilot that keeps the limit ever
    reaches an e-value of 1/p or more with probability at most p, however often it is computed. It holds for this one
    limit, under the assumptions of the charter (`assumptions_words` in `alpha_budget.py`).

    >>> strength_words(Finding(rule="limit_e_process", statistic=8.55, bar=7.4, alpha=0.000611))
    'a pilot that keeps this limit ever shows evidence this strong with probability at most 1 in 5,100'
    """
    if finding.statistic is None or finding.bar is None:
        return None
    if finding.rule in SPENDS_ALPHA and finding.alpha is not None:
        # The threshold is 1 / (alpha x what a baseline's uncertainty leaves of it); the ratio of both cancels the rest.
        probability = finding.alpha * exp(min(finding.bar - finding.statistic, 700.0))
        probability = max(probability, exp(min(-finding.statistic, 700.0)))  # never stronger than 1 / e-value
        if probability >= 0.5:
            return None
        if probability < OVER_ALL:
            return tr(_BELOW, n=figure(1 / OVER_ALL))
        return tr(_AT_MOST, n=_down(1 / probability))
    if finding.rule == "e_detector" and finding.statistic >= finding.bar:
        return tr(_ONCE, n=_down(exp(min(finding.bar, 700.0))))
    return None


def period_words(start: int, end: int) -> str:
    """A period as people name it (UTC): a month, a day, or from one time to another.

    >>> period_words(1690848000000, 1693526400000), period_words(1690848000000, 1690934400000)
    ('2023-08', '2023-08-01')
    >>> period_words(1690848000000, 1690851600000)
    '2023-08-01 00:00 to 01:00 UTC'
    """
    first, last = moment(start), moment(end)
    if (first.day, start % _DAY, end % _DAY, last.day) == (1, 0, 0, 1) and 28 * _DAY <= end - start <= 31 * _DAY:
        return f"{first:%Y-%m}"
    if end - start == _DAY and start % _DAY == 0:
        return day(start)
    if start % _DAY == 0 and end % _DAY == 0:
        return tr("{start} to {end}", start=day(start), end=day(end - 1))
    begin, stop = ends(start, end)
    same = begin[:10] == stop[:10]
    return tr("{start} to {end} UTC", start=begin, end=stop[11:] if same else stop)


def _said(decision: Decision, spec: IndicatorSpec | None) -> str | None:
    reason = decision.reason
    if reason in TIMED or reason in SINGLE or reason is Reason.STATE_LIMIT:
        return numbers(decision) or None
    return _finding_said(decision.finding, reason, spec) if has_comparison(decision.reason) else None


def _finding_said(finding: Finding, reason: Reason, spec: IndicatorSpec | None) -> str | None:
    observed, expected = finding.observed, finding.expected
    if reason is Reason.CLEARED or observed is None or expected is None or not has_comparison(reason):
        return None
    if reason is Reason.SILENCE:
        return tr("no event where about {n} were expected", n=figure(expected))
    if reason is Reason.EXPOSURE_CAP:
        unit = unit_words(finding.unit) or (
            unit_words(spec.exposure.unit) if spec is not None and spec.exposure else ""
        )
        used, cap = f"{figure(observed)} {unit}".rstrip(), figure(expected)
        return tr("{used} used where at most {cap} are allowed", used=used, cap=cap)
    if spec is not None and spec.kind == HANDLING_TIME and finding.rule in LIMITS:
        return _duration(observed, expected, spec)
    known = spec is not None and spec.kind in TRIALS
    if is_share(finding, known or (finding.exposure is not None and not finding.unit)):  # trials have no unit
        return _share(finding, reason, spec, observed, expected)
    measure = measure_of(spec, "gauge" if reason is Reason.GAUGE_OUT_OF_RANGE else "count")
    if measure.kind != "count" or (finding.rule == "gauge_limit"):
        return _value(measure, reason, observed, expected)
    return _count(finding, reason, spec, observed, expected)


def _share(finding: Finding, reason: Reason, spec: IndicatorSpec | None, observed: float, expected: float) -> str:
    trials = trials_of(finding)
    names = {
        "share": percent(observed),
        "limit": percent(expected),
        "n": figure(trials) if trials is not None else "",
        "cases": tr(TRIALS.get(spec.kind if spec is not None else "", mark("cases"))),
    }
    if trials is None:
        return tr(_bound(_OF_UNKNOWN, finding, reason, spec), **names)
    return tr(_bound(_OF_TRIALS, finding, reason, spec), **names)


def _count(finding: Finding, reason: Reason, spec: IndicatorSpec | None, observed: float, expected: float) -> str:
    names = {
        "k": figure(observed),
        "events": tr(EVENTS.get(spec.kind if spec is not None else "", mark("events"))),
        "limit": figure(expected),
    }
    if finding.exposure is None or not finding.unit:
        return tr(_bound(_COUNTED, finding, reason, spec), **names)
    exposure = f"{figure(finding.exposure)} {unit_words(finding.unit)}"
    return tr(_bound(_COUNTED_OVER, finding, reason, spec), exposure=exposure, **names)


def _value(measure: Measure, reason: Reason, observed: float, expected: float) -> str:
    scale = measure.scale((observed, expected))
    names = {"value": scale.write(observed), "limit": scale.write(expected)}
    if reason in USUAL:
        return tr("{value} where {limit} is usual", **names)
    # Without the charter the side is read off: a value within its range is no finding.
    below = measure.below or (measure.limit is None and observed < expected)
    if below:
        return tr("{value} where at least {limit} is required", **names)
    return tr("{value} where at most {limit} is allowed", **names)


def _duration(observed: float, expected: float, spec: IndicatorSpec) -> str:
    """The mean time, from the rate of resolving: `expected` is 1 / limit over the time that complaints were open."""
    limit = (spec.limit or 0.0) * 3600
    waited = expected * limit
    scale = duration_scale(limit)
    if not observed:
        return tr(_NONE_RESOLVED, waited=scale.write(waited), limit=scale.write(limit))
    names = {"mean": scale.write(waited / observed), "limit": scale.write(limit)}
    if spec.direction == "below":
        return tr("a mean of {mean} where at least {limit} is required", **names)
    return tr("a mean of {mean} where at most {limit} is allowed", **names)


def _bound(table: dict[str, str], finding: Finding, reason: Reason, spec: IndicatorSpec | None) -> str:
    """The message for what the expected value is: a limit, a minimum, what the other segments allow, what is usual."""
    if reason in USUAL or (reason is not Reason.LATE_SHARE and not _against_limit(finding, reason)):
        return table["usual"]
    if finding.rule == "disparity":
        return table["others"]
    return table["least" if spec is not None and spec.direction == "below" else "most"]


def _against_limit(finding: Finding, reason: Reason) -> bool:
    return finding.rule in (*LIMITS, "disparity") or reason in (Reason.LIMIT_EXCEEDED, Reason.LIMIT_HALF_WAY)


def _down(number: float) -> str:
    """A number rounded down to two figures, so that a probability of 1 in it stays a bound."""
    if number >= 1e15:
        return power_of_ten(floor(log10(number)))
    step = 10.0 ** max(floor(log10(number)) - 1, 0)
    return f"{int(number // step * step):,}"


_AT_MOST = mark("a pilot that keeps this limit ever shows evidence this strong with probability at most 1 in {n}")
_BELOW = mark("a pilot that keeps this limit ever shows evidence this strong with probability below 1 in {n}")
_ONCE = mark("a rate that did not change reaches this threshold at most once in {n} periods on average")
_NONE_RESOLVED = mark("none resolved in {waited} of waiting, where a mean of at most {limit} is allowed")
_OF_TRIALS = {
    "most": mark("{share} of {n} {cases} where at most {limit} are allowed"),
    "least": mark("{share} of {n} {cases} where at least {limit} are required"),
    "others": mark("{share} of {n} {cases} where the other segments allow at most {limit}"),
    "usual": mark("{share} of {n} {cases} where about {limit} are usual"),
}
_OF_UNKNOWN = {
    "most": mark("{share} of the {cases} where at most {limit} are allowed"),
    "least": mark("{share} of the {cases} where at least {limit} are required"),
    "others": mark("{share} of the {cases} where the other segments allow at most {limit}"),
    "usual": mark("{share} of the {cases} where about {limit} are usual"),
}
_COUNTED = {
    "most": mark("{k} {events} where at most {limit} are allowed"),
    "least": mark("{k} {events} where at least {limit} are required"),
    "others": mark("{k} {events} where the other segments allow at most {limit}"),
    "usual": mark("{k} {events} where about {limit} are usual"),
}
_COUNTED_OVER = {
    "most": mark("{k} {events} in {exposure} where at most {limit} are allowed"),
    "least": mark("{k} {events} in {exposure} where at least {limit} are required"),
    "others": mark("{k} {events} in {exposure} where the other segments allow at most {limit}"),
    "usual": mark("{k} {events} in {exposure} where about {limit} are usual"),
}
