"""Collects the content of a report from a replay of any length, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.charter.spec import Charter
from monitor.console.report import Story, nearness
from monitor.model.records import Decision, Evidence, Outputs, Rejected
from monitor.model.subjects import is_pilot

DECISIONS = 5_000  # of one pilot
REJECTED = 5_000  # in total
POINTS = 200_000  # closed periods in total
FEWEST = 64  # closed periods of one stream


class Collector:
    """Pass every `Outputs` to `take`, then call `stories`. `charters` by pilot may grow in the meantime.

    Each stream (indicator and segment) keeps a share of about `POINTS` periods; when it is full, of every two
    neighbours the one nearer to its threshold stays. `rejected` are the first rejections. Applicants that are not
    admitted have no story, nor has what is no pilot (the sandbox, models).
    """

    def __init__(self, charters: Mapping[str, Charter]) -> None:
        self._charters = charters
        self._stories: dict[str, Story] = {}
        self._series: dict[str, dict[tuple[str, str], list[Evidence]]] = {}
        self._more: dict[str, int] = {}
        self._unadmitted: dict[str, list[Decision]] = {}  # decisions on applicants
        self._streams = 0
        self.rejected: list[Rejected] = []

    def take(self, out: Outputs) -> None:
        """Add the outputs of one step."""
        self.rejected += out.rejected[: REJECTED - len(self.rejected)]
        for decision in out.decisions:
            if not is_pilot(decision.pilot):
                continue
            if decision.pilot not in self._charters:
                before = self._unadmitted.setdefault(decision.pilot, [])
                before.extend([decision] if len(before) < DECISIONS else ())
                continue
            story = self._story(decision.pilot)
            if len(story.decisions) < DECISIONS:
                story.decisions.append(decision)
            else:
                self._more[decision.pilot] = self._more.get(decision.pilot, 0) + 1
            story.runs.add_decision(decision)
        for entry in out.evidence:
            if isinstance(entry, Evidence):
                self._keep(entry)

    def stories(self) -> list[Story]:
        """One story for each pilot, by name."""
        for name in self._charters:
            story = self._story(name)
            kept = [e for series in self._series.get(name, {}).values() for e in series]
            story.evidence = sorted(kept, key=lambda e: (e.end, e.indicator, e.segment))
            if name in self._more:
                story.note = f"{self._more[name]:,} later decisions are not shown; `sandbox-monitor replay` prints all."
        return [self._stories[name] for name in sorted(self._stories)]

    def _story(self, pilot: str) -> Story:
        if pilot not in self._stories:
            self._stories[pilot] = Story(pilot, self._charters[pilot], self._unadmitted.pop(pilot, []), [])
        return self._stories[pilot]

    def _keep(self, entry: Evidence) -> None:
        story = self._story(entry.pilot)
        if entry.dropped:
            story.add_evidence(entry)
            return
        story.periods += 1
        streams = self._series.setdefault(entry.pilot, {})
        name = entry.indicator, entry.segment
        if name not in streams:
            streams[name] = []
            self._streams += 1
        series = streams[name]
        series.append(entry)
        if len(series) > max(FEWEST, POINTS // self._streams):
            pairs = (series[at : at + 2] for at in range(0, len(series), 2))  # the newest may have no neighbour
            streams[name] = [max(pair, key=nearness) for pair in pairs]
