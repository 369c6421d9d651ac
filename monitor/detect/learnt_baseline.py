"""Findings where a baseline was learnt from periods that vary more than the charter grants. Pure.

Such periods hold an outbreak, a bad day or a cycle. What one rate cannot explain is left out (`detectors/baseline.py`);
if the others still vary more, the chart finds only larger changes. A person may accept another level, so that the
baseline is learnt again, or amend `variance_mean`.
"""

from __future__ import annotations

from detectors.base import Detector
from detectors.baseline import Baseline
from monitor.compile.plan import CompiledIndicator
from monitor.decide.context import DecisionContext
from monitor.model.records import Finding, Level, Reason
from monitor.state.pilot import Stream


def needs_report(detector: Detector) -> bool:
    """Whether a closed period changed what is to be reported about this detector's baseline."""
    baseline: Baseline | None = getattr(detector, "baseline", None)
    return baseline is not None and baseline.unusable is not baseline.reported


def report_baselines(context: DecisionContext, indicator: CompiledIndicator, segment: str, stream: Stream) -> None:
    """Raise or clear what the baselines of a stream report after a closed period."""
    for spec, detector in zip(indicator.spec.detectors, stream.detectors, strict=True):
        if not needs_report(detector):
            continue
        baseline: Baseline = detector.baseline  # type: ignore[attr-defined]
        baseline.reported = baseline.unusable
        granted = indicator.spec.variance_mean
        finding = Finding(
            indicator=indicator.name,
            segment=segment,
            rule="baseline",
            expected=granted,
            detail=f"{spec.name}: the periods learnt from vary more than variance/mean {granted:g}",
        )
        key = f"{indicator.name}/{segment}/{spec.name}/baseline"
        if baseline.unusable:
            context.raise_finding(key, Level.WATCH, Reason.BASELINE_UNUSABLE, finding)
        else:
            context.clear(key, finding)
