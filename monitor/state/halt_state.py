"""The state of a command to stop: commanded, acknowledged, verified, contradicted or overdue, from the service's
events.

Verified means: acknowledged, then three consecutive heartbeats with `serving: false`, without a gap in the sequence
numbers of that source and with its exposure counter unchanged, from every incarnation that is still heard. An
incarnation is still heard if it was heard since the command, or served before it and has not been silent for as long as
the charter allows. Silence verifies nothing. Pure.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct, structs

from monitor.model.bounds import AHEAD_MS
from monitor.model.records import Command

BEATS = 3  # consecutive heartbeats that verify a stop
FOLLOWED_SOURCES = 64  # incarnations tracked at once; the one heard longest ago is dropped first
FIRST_RESEND_MS = 5_000  # from the first transmission of a command to the second
LONGEST_RESEND_MS = 3_600_000  # between two transmissions, at most

StopKind: TypeAlias = Literal["", "halt", "dry_run", "full_stop"]
StopState: TypeAlias = Literal["", "commanded", "acknowledged", "verified", "contradicted", "overdue"]


STOPPED: dict[str, str] = {"commanded": "not acknowledged", "acknowledged": "not verified"}


def stop_state(state: str) -> str:
    """The state of a halt's command, for people: verified, not acknowledged, not verified, contradicted or overdue.

    >>> stop_state("commanded")
    'not acknowledged'
    """
    return STOPPED.get(state, state or "not followed")


class StopEvidence(Struct, frozen=True, array_like=True, gc=False):
    """What one incarnation has shown since the command: `heard` when it was last heard (ms); `number` the sequence
    number of its acknowledgement (`None` = not acknowledged) and `stopped` the time that it states for it (ms, its
    clock); `beats` its consecutive clean heartbeats since, `exposure` the counter in them, `last` the number of the
    newest one (`None` = none)."""

    heard: int
    number: int | None = None
    stopped: int = 0
    beats: int = 0
    exposure: float = 0.0
    last: int | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether it has reported that it stopped."""
        return self.number is not None

    @property
    def verified(self) -> bool:
        """Whether its heartbeats confirm that it stopped."""
        return self.beats >= BEATS

    @property
    def newest(self) -> int:
        """The highest sequence number of its acknowledgement and heartbeats; -1, below all numbers, without any."""
        return max([n for n in (self.number, self.last) if n is not None], default=-1)


class HaltState(Struct, frozen=True, array_like=True, gc=False):
    """A command to stop and its state. `due` is when it becomes overdue unless the service reports (ms; `None` = the
    service owes nothing); `evidence` is what each incarnation has shown, by source."""

    kind: StopKind = ""
    at: int = 0
    state: StopState = ""
    due: int | None = None
    evidence: dict[str, StopEvidence] = {}

    @property
    def acknowledged(self) -> bool:
        """Whether every incarnation that was heard since has acknowledged."""
        return bool(self.evidence) and all(shown.acknowledged for shown in self.evidence.values())

    @property
    def stops(self) -> bool:
        """Whether the service must not serve while this is in force."""
        return self.kind in ("halt", "full_stop")

    def stopped(self, source: str, at: int, deadline: int) -> int | None:
        """The time (ms) after which nothing that `source` reports may have happened; `None` while it may still finish
        pending work.

        For an incarnation that acknowledged, that is the time of its acknowledgement. One that only sends heartbeats
        has until `deadline` to acknowledge. For one that sends none (a separate counter, a complaints desk) the latest
        acknowledgement counts. No acknowledgement allows service later than `deadline` plus the tolerated clock skew:
        each incarnation may acknowledge, so a new one every few minutes would otherwise cover a service that never
        stops.
        """
        latest = deadline + AHEAD_MS
        shown = self.evidence.get(source)
        if shown is not None and shown.acknowledged:
            return min(shown.stopped, latest)
        times = [other.stopped for other in self.evidence.values() if other.acknowledged]
        if shown is None and times:
            return min(max(times), latest)
        return deadline if at > deadline else None


class Retransmission(Struct, frozen=True, array_like=True, gc=False):
    """The command in force: `due` when it is resent (ms; `None` = acknowledged, not resent), `attempts` how often it
    was resent."""

    command: Command
    due: int | None
    attempts: int = 0

    def resent(self, at: int) -> Retransmission:
        """Resent at `at` (ms). The wait doubles with each attempt up to `LONGEST_RESEND_MS`; attempts never end."""
        wait = min(LONGEST_RESEND_MS, FIRST_RESEND_MS << min(self.attempts + 1, 20))
        return structs.replace(self, due=at + wait, attempts=self.attempts + 1)


def first_transmission(command: Command, at: int) -> Retransmission:
    """A command that is sent for the first time at `at` (ms)."""
    return Retransmission(command, at + FIRST_RESEND_MS)


def with_acknowledgement(state: HaltState, source: str, number: int, stopped: int, at: int, due: int) -> HaltState:
    """An incarnation acknowledges at `at` (ms) that it stopped at `stopped` (ms, its clock)."""
    name: StopState = state.state if state.state in ("verified", "contradicted") else "acknowledged"
    evidence = _with(state.evidence, source, StopEvidence(at, number, stopped))
    return structs.replace(state, state=name, due=None if name == "verified" else due, evidence=evidence)


# Nine values, each from another place of the pilot: an object for them would be built per heartbeat and read once.
def with_heartbeat(
    state: HaltState, source: str, number: int, serving: bool, exposure: float, gap: bool, at: int, due: int, since: int
) -> HaltState:
    """A heartbeat was received at `at` (ms). `gap`: numbers of this source are missing since its last heartbeat.
    Incarnations that were not heard since `since` (ms) no longer count. A heartbeat that continues the clean run moves
    the time at which the command is overdue to `due`."""
    shown = state.evidence.get(source) or StopEvidence(at)
    if number < shown.newest:
        return state  # sent earlier, received late
    clean = shown.acknowledged and not serving and not gap and (shown.beats == 0 or shown.exposure == exposure)
    beats = min(BEATS, shown.beats + 1) if clean else int(shown.acknowledged and not serving)
    moved = clean and not shown.verified
    shown = structs.replace(shown, heard=at, beats=beats, exposure=exposure, last=number)
    state = structs.replace(state, evidence=_with(state.evidence, source, shown))
    if state.state == "verified" or not shown.verified:
        return structs.replace(state, due=due) if moved and state.due is not None else state
    if all(each.verified for each in state.evidence.values() if each.heard >= since):
        return structs.replace(state, state="verified", due=None)
    return state


def with_contradiction(state: HaltState, due: int) -> HaltState:
    """An event shows that the service did not stop: clean heartbeats before it no longer count."""
    evidence = {source: structs.replace(shown, beats=0) for source, shown in state.evidence.items()}
    return structs.replace(state, state="contradicted", due=due, evidence=evidence)


def as_overdue(state: HaltState) -> HaltState:
    """The time that the charter allows has passed."""
    return structs.replace(state, state="overdue", due=None)


def _with(evidence: dict[str, StopEvidence], source: str, shown: StopEvidence) -> dict[str, StopEvidence]:
    kept = {**evidence, source: shown}
    if len(kept) > FOLLOWED_SOURCES:
        del kept[min(kept, key=lambda name: (kept[name].heard, name))]
    return kept
