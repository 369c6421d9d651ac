"""The values behind the series of alpha: what the charter of a pilot allows, what the thresholds of all runs so far may
spend, and what is used, each as a probability of a false halt over the whole stay. See `alpha_budget`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from detectors import SPENDS_ALPHA
from monitor.charter.spec import Charter, alpha_share
from monitor.model.records import Decision, Reason

Stream = tuple[str, str]
"""Indicator and segment."""

Sample = tuple[str, list[str], float]
RUNS = 1_000  # beyond so many runs the share of a further one is below alpha / 10^6, and is left out


class _Pilot(Struct):
    alpha: float = 0.0
    shares: dict[str, tuple[float, int]] = {}  # indicator -> share of one segment in the first run, segments
    run: int = 1
    crossed: set[Stream] = field(default_factory=set)


class AlphaSeries:
    """Alpha by pilot. A pilot has values once its charter is known."""

    def __init__(self) -> None:
        self._pilots: dict[str, _Pilot] = {}

    def learn(self, charter: Charter) -> None:
        """Take the alpha of a charter in force."""
        known = self._pilots.setdefault(charter.pilot, _Pilot())
        known.alpha = charter.alpha
        known.shares = {
            spec.name: (alpha_share(charter, spec), max(1, len(spec.segments)))
            for spec in charter.indicators
            if spec.weight > 0 and any(w.name in SPENDS_ALPHA for w in spec.detectors)
        }

    def add_decision(self, decision: Decision) -> None:
        """Apply a decision, which must be newer than all before it."""
        known = self._pilots.setdefault(decision.pilot, _Pilot())
        run = decision.restart + (decision.reason is Reason.LIMIT_TOLERATED)
        if run > known.run:
            known.run = run
            known.crossed.clear()
        finding = decision.finding
        if decision.restart != known.run or finding.rule not in SPENDS_ALPHA:
            return
        if finding.statistic is not None and finding.bar is not None and finding.statistic >= finding.bar:
            known.crossed.add((finding.indicator, finding.segment))

    def seed(self, pilot: str, run: int, crossed: Iterable[Stream]) -> None:
        """Set the run in force and the limits that reached their threshold in it."""
        known = self._pilots.setdefault(pilot, _Pilot())
        known.run, known.crossed = run, set(crossed)

    def forget(self, pilot: str) -> None:
        """Remove a pilot."""
        self._pilots.pop(pilot, None)

    def samples(self, pilot: str, participant: str) -> Iterator[Sample]:
        """`pilot_alpha`, `pilot_alpha_may_spend` and `pilot_alpha_used`, without the prefix; nothing where the charter
        is not known or spends no alpha."""
        known = self._pilots.get(pilot)
        if known is None or known.alpha <= 0 or not known.shares:
            return
        runs = [1 / j**2 for j in range(1, min(known.run, RUNS) + 1)]
        of_one = sum(share * segments for share, segments in known.shares.values())
        crossed = sum(known.shares[name][0] for name, _ in known.crossed if name in known.shares)
        who = [pilot, participant]
        yield "pilot_alpha", who, known.alpha
        yield "pilot_alpha_may_spend", who, of_one * sum(runs)
        yield "pilot_alpha_used", who, of_one * sum(runs[:-1]) + crossed * runs[-1]
