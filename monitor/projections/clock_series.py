"""The values behind the series of legal deadlines: clocks by state and the next due instant, by pilot and by who owes
it. They outlast the exit of a pilot while something is owed. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.model.records import Decision
from monitor.projections.clock_board import ClockFold

Sample = tuple[str, list[str], float]


class _Pilot:
    __slots__ = ("fold", "left", "participant", "standing")

    def __init__(self, participant: str, standing: int, fold: ClockFold) -> None:
        self.participant, self.standing, self.fold, self.left = participant, standing, fold, False


class ClockSeries:
    """Clocks by pilot, for at most `cap` pilots."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._pilots: dict[str, _Pilot] = {}

    def add_decision(self, decision: Decision) -> None:
        """Apply a decision; one that is not newer than the last about a clock of its pilot changes nothing."""
        if not decision.finding.clock:
            return
        known = self._pilots.get(decision.pilot)
        if known is None:
            if len(self._pilots) >= self._cap:
                return
            known = self._pilots[decision.pilot] = _Pilot(decision.participant, 0, ClockFold())
        if decision.standing > known.standing:
            known.participant, known.standing = decision.participant, decision.standing
            known.fold.add(decision)
            self._drop_settled(decision.pilot)

    def seed(self, pilot: str, participant: str, standing: int, fold: ClockFold) -> None:
        """Set the clocks of a pilot without a decision."""
        if fold.records and (pilot in self._pilots or len(self._pilots) < self._cap):
            self._pilots[pilot] = _Pilot(participant, standing, fold)

    def left(self, pilot: str) -> None:
        """The pilot left the sandbox: its series stay while something is owed."""
        if pilot in self._pilots:
            self._pilots[pilot].left = True
            self._drop_settled(pilot)

    def forget(self, pilot: str) -> None:
        """Remove all series of a pilot."""
        self._pilots.pop(pilot, None)

    def _drop_settled(self, pilot: str) -> None:
        known = self._pilots[pilot]
        if known.left and not known.fold.open:
            del self._pilots[pilot]

    def samples(self) -> Iterator[Sample]:
        """`clocks` and `clock_due_timestamp_seconds`, without the prefix."""
        for pilot, known in self._pilots.items():
            who = [pilot, known.participant]
            for (owes, state), number in sorted(known.fold.counts().items()):
                yield "clocks", [*who, owes.value, state.value], number
            for owes, due in sorted(known.fold.due().items()):
                yield "clock_due_timestamp_seconds", [*who, owes.value], due / 1000
