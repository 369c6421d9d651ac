"""Adds up the reports of histories: one line for each guarantee."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from monitor.engine.failpoint import PLACES
from monitor.testing.history.parts import Report

GUARANTEES = {
    "lost": "records_lost",
    "doubled": "effects_twice",
    "order": "order_broken",
    "content": "contents_unequal",
    "state": "states_unequal",
    "journal": "journals_broken",
    "stuck": "not_recovered_alone",
}
LONG = 60.0  # s; bound on catching up while other histories load the machine


class Tally:
    """`add` each report; `lines` are the guarantees, `ok` whether all hold."""

    def __init__(self) -> None:
        self.histories: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.points: Counter[str] = Counter()
        self.kills = self.stops = self.resumed = self.fenced = self.deaths = self.records = self.outputs = 0
        self.slowest = 0.0
        self.failed: list[Report] = []

    def add(self, report: Report, where: str = "kafka") -> None:
        """Count one history; `where` its log lives."""
        self.histories[where] += 1
        self.histories[f"{where} {report.kind}"] += 1
        self.kills += report.kills if where == "kafka" else 0
        self.stops += report.stops
        self.resumed += report.resumed
        self.fenced += report.fenced
        self.deaths += report.deaths
        self.records += report.records
        self.outputs += report.outputs
        self.points.update(report.points)
        self.slowest = max(self.slowest, report.seconds)
        self.broken.update({d.guarantee for d in report.differences})
        if report.differences:
            self.failed.append(report)

    def goals(
        self, real: int, cheap: int, kills: int, points: Iterable[str] = PLACES
    ) -> Iterator[tuple[str, str, str, bool]]:
        """(name, figure, bound, held) of each guarantee, given how many of each were to be run."""
        yield "histories_on_kafka", f"{self.histories['kafka']}", f">={real}", self.histories["kafka"] >= real
        rest = self.histories["memory"] + self.histories["sqlite"]
        yield "histories_in_memory_and_sqlite", f"{rest}", f">={cheap}", rest >= cheap
        yield "workers_killed", f"{self.kills}", f">={kills}", self.kills >= kills
        wanted = set(points)
        if wanted:
            hit = len(wanted & set(self.points))
            yield "labelled_points_killed_at", f"{hit}", f">={len(wanted)}", hit == len(wanted)
        for guarantee, name in GUARANTEES.items():
            yield name, f"{self.broken[guarantee]}", "=0", not self.broken[guarantee]
        yield "woken_zombies_that_ended", f"{self.fenced}/{self.resumed}", "all", self.fenced == self.resumed
        yield "slowest_catch_up_s", f"{self.slowest:.1f}", f"<={LONG:.0f}", self.slowest <= LONG

    def lines(self, real: int, cheap: int, kills: int, points: Iterable[str] = PLACES) -> list[str]:
        """`GOAL name figure bound ok|short` of each guarantee."""
        return [
            f"GOAL {name} {figure} {bound} {'ok' if held else 'short'}"
            for name, figure, bound, held in self.goals(real, cheap, kills, points)
        ]
