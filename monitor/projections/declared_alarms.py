"""The false alarms per year that the charters in force declare, by detector and level: what the observed rate of alarms
is compared with. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from detectors import DETECTORS
from detectors.declared import declared_per_year
from monitor.charter.spec import Charter, IndicatorSpec
from monitor.compile.plan import YEAR_MS
from monitor.model.records import Decision, Reason

UNKNOWN = "unknown"  # the level of an alarm that raises the flag `unknown`, not a level
LEVELS = ("watch", "escalate", "halt", UNKNOWN)
FLAGS = ("silence",)  # detectors that raise the flag

Sample = tuple[str, list[str], float]


class DeclaredAlarms:
    """Declared rates by pilot, for at most `cap` pilots; summed over them when read."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._pilots: dict[str, dict[tuple[str, str], float]] = {}

    def learn(self, charter: Charter) -> None:
        """Take the detectors of a charter in force."""
        if charter.pilot in self._pilots or len(self._pilots) < self._cap:
            self._pilots[charter.pilot] = declared_by_charter(charter)

    def forget(self, pilot: str) -> None:
        """Remove a pilot."""
        self._pilots.pop(pilot, None)

    def samples(self) -> Iterator[Sample]:
        """`declared_alarms_per_year`, without the prefix: only of detectors that declare a rate."""
        totals: dict[tuple[str, str], float] = {}
        for rates in self._pilots.values():
            for name, rate in rates.items():
                totals[name] = totals.get(name, 0.0) + rate
        for (detector, level), rate in sorted(totals.items()):
            yield "declared_alarms_per_year", [detector, level], rate


def declared_by_charter(charter: Charter) -> dict[tuple[str, str], float]:
    """False alarms per year by detector and level, over all streams of a charter."""
    found: dict[tuple[str, str], float] = {}
    for spec in charter.indicators:
        for watching in spec.detectors:
            if watching.name not in DETECTORS:
                continue
            rate = declared_per_year(watching.name, watching.params, _periods_per_year(spec))
            if rate is not None:
                level = UNKNOWN if watching.name in FLAGS else watching.level
                name = watching.name, level
                found[name] = found.get(name, 0.0) + rate * max(1, len(spec.segments))
    return found


def alarm_of(decision: Decision) -> tuple[str, str] | None:
    """Detector and level of the alarm that a decision reports; `None` if it reports no new alarm of a detector.

    A finding that joined is one alarm, also at an unchanged level. Half-way to a limit is one at level escalate.
    """
    rule = decision.finding.rule
    if rule not in DETECTORS:
        return None
    if decision.reason is Reason.SILENCE:
        return rule, UNKNOWN
    if decision.finding_level is None or decision.reason is Reason.CLEARED or not decision.finding_level:
        return None
    return rule, decision.finding_level.word


def _periods_per_year(spec: IndicatorSpec) -> float:
    grid = spec.grid()
    return YEAR_MS / (grid.start(grid.index(0) + 1) - grid.start(grid.index(0)))
