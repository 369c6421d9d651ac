"""The values behind the series of the states of life: how many pilots are in each state, and the state of each pilot
whose life is not over. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec import UNSET

from monitor.lifecycle.names import REGION_OF, Region, State
from monitor.model.records import Decision, Level, Reason

STATES = tuple(state for state in State if REGION_OF[state] is Region.PILOT)
SETTLED = frozenset({State.REFUSED, State.APPLICATION_WITHDRAWN, State.PUBLISHED, State.WITHHELD, State.CLOSED})
"""States in which nothing is left to do."""

Sample = tuple[str, list[str], float]


class LifeSeries:
    """States by pilot, for at most `most` pilots, applicants and pilots that left included; the first `cap` of them
    whose life is not over have a series."""

    def __init__(self, cap: int, most: int) -> None:
        self._cap, self._most = cap, most
        self._pilots: dict[str, tuple[str, State]] = {}

    def add_decision(self, decision: Decision) -> None:
        """Apply a decision on a pilot, which must be newer than all before it."""
        self.put(decision.pilot, decision.participant, self._after(decision))

    def put(self, pilot: str, participant: str, state: str) -> None:
        """Set the state of a pilot; `state` may be all words of `lifecycle.life.state_words`, whose first is taken.
        Without a word nothing changes."""
        word = state.partition(" ")[0]
        if word not in _KNOWN or not self._room(pilot):
            return
        self._pilots[pilot] = participant, _KNOWN[word]

    def forget(self, pilot: str) -> None:
        """Remove a pilot."""
        self._pilots.pop(pilot, None)

    def samples(self) -> Iterator[Sample]:
        """`pilots_in_state` and `pilot_state`, without the prefix."""
        totals = Counter(state for _, state in self._pilots.values())
        for state in STATES:
            yield "pilots_in_state", [state.value], totals[state]
        shown = 0
        for pilot, (participant, state) in self._pilots.items():
            if shown < self._cap and state not in SETTLED:
                shown += 1
                yield "pilot_state", [pilot, participant, state.value], 1

    def _after(self, decision: Decision) -> str:
        """The state after a decision. One without states is of a pilot whose life follows from its standing
        (`lifecycle.life.life_of`)."""
        if decision.states is not UNSET:
            return decision.states
        if decision.reason is Reason.EXITED:
            return State.EXITED
        if decision.reason is Reason.CLOSED:
            return State.CLOSED
        before = self._pilots.get(decision.pilot, ("", State.RUNNING))[1]
        leaving = decision.reason is Reason.EXIT_PENDING or before is State.EXITING
        if before is State.EXITED and decision.reason is not Reason.ADMITTED:
            return before
        return State.EXITING if leaving and decision.level is Level.HALT else State.RUNNING

    def _room(self, pilot: str) -> bool:
        if pilot in self._pilots or len(self._pilots) < self._most:
            return True
        over = next((name for name, (_, state) in self._pilots.items() if state in SETTLED), None)
        if over is not None:
            del self._pilots[over]
        return over is not None


_KNOWN = {state.value: state for state in STATES}
