"""The alpha that the thresholds of a pilot may spend, and the alpha used.

Every limit of a charter has a share of alpha for each run of its statistics; run j ends, and run j + 1 begins, when a
halt is released or a first crossing is tolerated (`charter.alpha_share`). This gives two different sums:

- **may spend**: the shares of all runs up to the one in force. It is known from the first day on, whatever is observed.
- **used**: the shares of the runs that are over, and of a run in force whose threshold was reached. A run that is in
  force and below its threshold has used nothing yet; how close it came is its *anytime-valid p-value*, min(1, 1 /
  largest e-value). By Ville's inequality (J. Ville, 1939: P(sup E >= 1/p) <= p for a non-negative supermartingale that
  starts at 1) a pilot that keeps the limit ever reaches a p-value of p or less with probability at most p, however
  often it is computed.

For every limit used <= may spend, and over all limits and any number of runs may spend <= alpha. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, inf, log
from typing import NamedTuple

from msgspec import Struct, field

from detectors import SPENDS_ALPHA
from monitor.charter.spec import Charter, IndicatorSpec, alpha_share
from monitor.model.records import Decision, Evidence, Reason

Stream = tuple[str, str]
"""Indicator and segment."""


class AlphaRuns(Struct):
    """The alpha runs of a pilot: the number of the run in force, its start (ms), the limits that reached their
    threshold in it, and the largest e-values (natural logarithms). Add decisions in their order; repeats change
    nothing."""

    number: int = 1
    since: int = 0
    crossed: set[Stream] = field(default_factory=set)
    largest: dict[Stream, float] = field(default_factory=dict)

    def add_decision(self, decision: Decision) -> None:
        """Apply a decision."""
        number = decision.restart + (decision.reason is Reason.LIMIT_TOLERATED)
        if number > self.number:
            self.number, self.since = number, decision.at
            self.crossed.clear()
            self.largest.clear()
        finding = decision.finding
        ours = decision.restart == self.number and finding.rule in SPENDS_ALPHA
        if not ours or finding.statistic is None or finding.bar is None:
            return
        stream = (finding.indicator, finding.segment)
        self._seen(stream, finding.statistic)
        if finding.statistic >= finding.bar:
            self.crossed.add(stream)

    def add_evidence(self, record: Evidence, charter: Charter | None) -> None:
        """Apply a closed period, unless it closed before the run in force began."""
        score = next((record.scores[name] for name in SPENDS_ALPHA if name in record.scores), None)
        if score is not None and _closed(record, charter) > self.since:
            self._seen((record.indicator, record.segment), score[0])

    def _seen(self, stream: Stream, statistic: float) -> None:
        self.largest[stream] = max(statistic, self.largest.get(stream, -inf))


class AlphaUse(NamedTuple):
    """One limit in one segment: `alpha` is the share of the run in force, `threshold` the e-value at which it counts as
    exceeded, `largest` the largest e-value of this run (natural logarithms, `None`: none yet), `p_value` its
    anytime-valid p-value."""

    indicator: str
    segment: str
    alpha: float
    threshold: float
    may_spend: float
    used: float
    largest: float | None
    p_value: float


def alpha_use(charter: Charter, runs: AlphaRuns, evidence: Iterable[Evidence] = ()) -> list[AlphaUse]:
    """The alpha that each limit of a charter may spend and has used, in the order of the charter.

    `evidence` are closed periods that may be missing in `runs`; those of earlier runs are skipped.
    """
    seen = AlphaRuns(runs.number, runs.since, runs.crossed, dict(runs.largest))
    for record in evidence:
        seen.add_evidence(record, charter)
    return [
        _use(charter, spec, segment, seen)
        for spec in charter.indicators
        if spec.weight > 0 and any(w.name in SPENDS_ALPHA for w in spec.detectors)
        for segment in spec.segments or ("",)
    ]


def used_of(charter: Charter, runs: AlphaRuns) -> float:
    """The alpha that a pilot has used, over all limits: none in its first run while no limit reached its threshold."""
    if runs.number == 1 and not runs.crossed:
        return 0.0
    return sum(use.used for use in alpha_use(charter, runs))


def _use(charter: Charter, spec: IndicatorSpec, segment: str, runs: AlphaRuns) -> AlphaUse:
    stream = (spec.name, segment)
    now = alpha_share(charter, spec, runs.number)
    before = sum(alpha_share(charter, spec, j) for j in range(1, runs.number))
    largest = runs.largest.get(stream)
    kept = 1 - spec.baseline.doubt if spec.baseline else 1.0  # the rest covers the uncertainty of the baseline
    p_value = 1.0 if largest is None else min(1.0, exp(-max(largest, -1.0)) / kept)
    return AlphaUse(
        indicator=spec.name,
        segment=segment,
        alpha=now,
        threshold=-log(now * kept),
        may_spend=before + now,
        used=before + (now if stream in runs.crossed else 0.0),
        largest=largest,
        p_value=p_value,
    )


def _closed(record: Evidence, charter: Charter | None) -> int:
    """When a period closed (ms); its end where the charter is not known."""
    for spec in charter.indicators if charter is not None else ():
        if spec.name == record.indicator:
            return spec.delay().after(record.end)
    return record.end
