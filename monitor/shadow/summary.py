"""The comparison of a shadow charter with the charter in force: a fold over the decisions of both. Pure.

Decisions of both sides about the same (`pair_key`) at the same moment are pairs. Any other waits until no partner
within `tolerance` can come any more; then the oldest is paired with the oldest of the other side that is about the
same. So pairs depend on the decisions and their times alone, never on the order in which the sides were read. What
waits and what is listed is bounded; what is beyond the bounds is counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from monitor.model.records import Decision, Level, Reason
from monitor.model.shadow_records import CAVEAT, LISTED, ShadowDifference, ShadowFinding, ShadowSummary, Side
from monitor.shadow.findings import compared, pair_key

WAITING = 64  # decisions of one side that wait for a partner
HALTS = 16  # halts of the pilot that are remembered


class Comparison(Struct, array_like=True, gc=False):
    """What is remembered of a comparison. Times are in ms. `waiting` are decisions of each side, oldest first; `halts`
    from when to when the pilot was halted (`None` = it is); `alone` since when the shadow is halted and the pilot is
    not."""

    tolerance: int
    start: int
    live: list[ShadowFinding] = []
    shadow: list[ShadowFinding] = []
    same: int = 0
    earlier: int = 0
    later: int = 0
    only_live: int = 0
    only_shadow: int = 0
    hypothetical: int = 0
    not_comparable: int = 0
    dropped: int = 0
    periods_live: int = 0
    periods_shadow: int = 0
    restarted: int = 0
    not_applied: int = 0
    halted: int = 0  # ms of halts that are no longer in `halts`
    halts: list[tuple[int, int | None]] = []
    alone: list[tuple[int, int | None]] = []
    first_halt: ShadowFinding | None = None
    differences: list[ShadowDifference] = []

    # ---- what both sides decided

    def add_live(self, decisions: Iterable[Decision]) -> None:
        """Take decisions of the pilot, in their order."""
        for decision in decisions:
            if decision.was < Level.HALT == decision.level:
                self._halt_begins(decision.at)
            elif decision.reason is Reason.RELEASED:
                self._halt_ends(decision.at)
            self._wait(self.live, self.shadow, decision)

    def add_shadow(self, decisions: Iterable[Decision]) -> None:
        """Take decisions of the shadow, in their order."""
        for decision in decisions:
            self._wait(self.shadow, self.live, decision)

    def _wait(self, side: list[ShadowFinding], others: list[ShadowFinding], decision: Decision) -> None:
        found = compared(decision)
        if found is None:
            return
        for place, other in enumerate(others):
            if other.at == found.at and pair_key(other) == pair_key(found):
                del others[place]
                self.same += 1
                return
        if len(side) < WAITING:
            side.append(found)
        else:
            self.dropped += 1

    def _halt_begins(self, at: int) -> None:
        self.halts.append((at, None))
        if len(self.halts) > HALTS:
            first, end = self.halts.pop(0)
            self.halted += (first if end is None else end) - first

    def _halt_ends(self, at: int) -> None:
        if self.halts and self.halts[-1][1] is None:
            self.halts[-1] = (self.halts[-1][0], at)
        if self.alone and self.alone[-1][1] is None:
            self.alone[-1] = (self.alone[-1][0], at)

    def restart(self, at: int) -> None:
        """The shadow begins again at `at` from the released pilot."""
        self.restarted += 1
        self._halt_ends(at)

    # ---- pairs

    def settle(self, horizon: int) -> None:
        """Pair or list every decision for which no partner can come after `horizon`: all decisions up to it are
        known."""
        while True:
            ready = [side[0].at for side in (self.live, self.shadow) if side and side[0].at + self.tolerance < horizon]
            if not ready:
                return
            oldest = min(ready)
            mine, other = (self.live, self.shadow) if self._live_first(oldest) else (self.shadow, self.live)
            self._pair(mine.pop(0), other, of_live=mine is self.live)

    def _live_first(self, oldest: int) -> bool:
        return bool(self.live) and self.live[0].at == oldest

    def _pair(self, one: ShadowFinding, others: list[ShadowFinding], *, of_live: bool) -> None:
        key = pair_key(one)
        for place, other in enumerate(others):
            if other.at - one.at > self.tolerance:
                break
            if abs(other.at - one.at) <= self.tolerance and pair_key(other) == key:
                del others[place]
                live, shadow = (one, other) if of_live else (other, one)
                self._paired(live, shadow)
                return
        self._unpaired(one, of_live=of_live)

    def _paired(self, live: ShadowFinding, shadow: ShadowFinding) -> None:
        by = shadow.at - live.at
        if by == 0:
            self.same += 1
        elif by < 0:
            self.earlier += 1
            self._list("earlier", shadow, -by)
        else:
            self.later += 1
            self._list("later", shadow, by)

    def _unpaired(self, one: ShadowFinding, *, of_live: bool) -> None:
        if _within(self.halts, one.at):
            self.not_comparable += 1
            return
        if of_live:
            self.only_live += 1
        else:
            self.only_shadow += 1
        hypothetical = _within(self.alone, one.at)
        self.hypothetical += hypothetical
        self._list("only_live" if of_live else "only_shadow", one, 0, hypothetical)
        if not of_live and one.halts:
            if self.first_halt is None:
                self.first_halt = one
            if not self.alone or self.alone[-1][1] is not None:
                self.alone = [*self.alone, (one.at, None)][-HALTS:]

    def _list(self, side: Side, one: ShadowFinding, by: int, hypothetical: bool = False) -> None:
        if len(self.differences) < LISTED:
            self.differences.append(ShadowDifference(side=side, finding=one, by=by, hypothetical=hypothetical))

    def halted_ms(self, through: int) -> int:
        """How long (ms) the pilot was halted up to `through`."""
        return self.halted + sum(max(0, (through if end is None else end) - first) for first, end in self.halts)


def _within(spans: Iterable[tuple[int, int | None]], at: int) -> bool:
    """Whether `at` lies after the begin of a span and not after its end."""
    return any(first < at and (end is None or at <= end) for first, end in spans)


class Run(Struct, frozen=True, array_like=True):
    """What does not change in a run of a shadow charter: its id, the charters, and when it ends and reports (ms)."""

    id: str
    pilot: str
    participant: str
    candidate: str
    version: int
    live: str
    until: int
    every: int


def summarise(
    run: Run, c: Comparison, through: int, alpha: tuple[float, float], *, ended: str = "", detail: str = ""
) -> ShadowSummary:
    """The summary of a comparison up to `through` (ms). `alpha` is what the thresholds of the pilot and of the shadow
    may have spent; `ended` says why the run ended, "" while it goes on."""
    if ended:
        c.settle(1 << 62)
    else:
        c.settle(through)
    return ShadowSummary(
        pilot=run.pilot,
        participant=run.participant,
        shadow=run.id,
        candidate=run.candidate,
        version=run.version,
        live=run.live,
        start=c.start,
        through=through,
        until=run.until,
        tolerance=c.tolerance,
        ended=ended,
        detail=detail,
        same=c.same,
        earlier=c.earlier,
        later=c.later,
        only_live=c.only_live,
        only_shadow=c.only_shadow,
        hypothetical=c.hypothetical,
        not_comparable=c.not_comparable,
        pending=len(c.live) + len(c.shadow),
        dropped=c.dropped,
        halted=c.halted_ms(through),
        periods_live=c.periods_live,
        periods_shadow=c.periods_shadow,
        alpha_live=alpha[0],
        alpha_shadow=alpha[1],
        restarted=c.restarted,
        not_applied=c.not_applied,
        first_halt=c.first_halt,
        caveat=CAVEAT if c.first_halt is not None else "",
        differences=tuple(c.differences),
    )
