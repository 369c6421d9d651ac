"""Whether a command is obeyed: commanded, acknowledged, verified, contradicted or overdue, from what the service itself reports.

Verified = acknowledged, then three heartbeats in a row that say `serving: false`, without a gap in the numbers of that
source and with its exposure counter unchanged, from every incarnation that is still heard: since the command, or serving before
it and not silent yet for as long as the charter grants. Silence verifies nothing. Pure.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct, structs

from monitor.model.bounds import AHEAD_MS
from monitor.model.records import Command

BEATS = 3  # heartbeats in a row that verify a stop
FOLLOWED_SOURCES = 64  # incarnations followed at once; the one heard longest ago is forgotten first
NOT_YET = -1
FIRST_RESEND_MS = 5_000  # until a command is told again for the first time
LONGEST_RESEND_MS = 3_600_000  # between two tellings, at most

StopKind: TypeAlias = Literal["", "halt", "dry_run", "full_stop"]
StopState: TypeAlias = Literal["", "commanded", "acknowledged", "verified", "contradicted", "overdue"]


STOPPED: dict[str, str] = {"commanded": "not acknowledged", "acknowledged": "not verified"}


def stop_state(state: str) -> str:
    """What became of a halt's command, for people: verified, not acknowledged, not verified, contradicted or overdue.

    >>> stop_state("commanded")
    'not acknowledged'
    """
    return STOPPED.get(state, state or "not followed")


class StopEvidence(Struct, frozen=True, array_like=True, gc=False):
    """What one incarnation has shown since the command: when it was heard last (ms), the number of its acknowledgement and the
    time it gave for it (ms, its own clock), its clean heartbeats in a row since, the exposure counter they showed, and the
    number of the last one."""

    heard: int
    number: int = NOT_YET
    stopped: int = 0
    beats: int = 0
    exposure: float = 0.0
    last: int = NOT_YET

    @property
    def acknowledged(self) -> bool:
        """Whether it has said that it stopped."""
        return self.number != NOT_YET

    @property
    def verified(self) -> bool:
        """Whether its heartbeats bear that out."""
        return self.beats >= BEATS


class HaltState(Struct, frozen=True, array_like=True, gc=False):
    """A command to stop and what became of it. `due` is when it is overdue unless something happens (ms; 0 = nothing is owed)."""

    kind: StopKind = ""
    at: int = 0
    state: StopState = ""
    due: int = 0
    evidence: dict[str, StopEvidence] = {}

    @property
    def acknowledged(self) -> bool:
        """Whether every incarnation that was heard since has acknowledged."""
        return bool(self.evidence) and all(p.acknowledged for p in self.evidence.values())

    @property
    def stops(self) -> bool:
        """Whether the service must stand still while this is in force."""
        return self.kind in ("halt", "full_stop")

    def stopped(self, source: str, at: int, deadline: int) -> int | None:
        """From when on (ms) what `source` reports must not have happened; `None` while it may still be finishing.

        For an incarnation that acknowledged, that is the time of its acknowledgement. One that only sends heartbeats
        has until `deadline` to acknowledge. For one that sends none (a separate counter, a complaints desk) the latest
        acknowledgement counts. No acknowledgement allows service later than `deadline` and what the sender's clock may
        be ahead: each incarnation may acknowledge, so a new one every few minutes would else cover a service that never
        stops.
        """
        latest = deadline + AHEAD_MS
        proof = self.evidence.get(source)
        if proof is not None and proof.acknowledged:
            return min(proof.stopped, latest)
        words = [p.stopped for p in self.evidence.values() if p.acknowledged]
        if proof is None and words:
            return min(max(words), latest)
        return deadline if at > deadline else None


class Retransmission(Struct, frozen=True, array_like=True, gc=False):
    """The command in force: when it is told again (ms; 0 = it was answered), and how often it was told again."""

    command: Command
    due: int
    attempts: int = 0

    def resent(self, at: int) -> Retransmission:
        """Told again at `at` (ms): the next time comes after twice as long, at most an hour. There is no last time."""
        wait = min(LONGEST_RESEND_MS, FIRST_RESEND_MS << min(self.attempts + 1, 20))
        return structs.replace(self, due=at + wait, attempts=self.attempts + 1)


def first_transmission(command: Command, at: int) -> Retransmission:
    """Told for the first time at `at` (ms)."""
    return Retransmission(command, at + FIRST_RESEND_MS)


def with_acknowledgement(order: HaltState, source: str, number: int, stopped: int, at: int, due: int) -> HaltState:
    """An incarnation says at `at` (ms) that it stopped at `stopped` (ms, its clock). Until then it was not bound."""
    state: StopState = order.state if order.state in ("verified", "contradicted") else "acknowledged"
    proofs = _with(order.evidence, source, StopEvidence(at, number, stopped))
    return structs.replace(order, state=state, due=0 if state == "verified" else due, evidence=proofs)


def with_heartbeat(
    order: HaltState, source: str, number: int, serving: bool, exposure: float, gap: bool, at: int, due: int, since: int
) -> HaltState:
    """A heartbeat came at `at` (ms). `gap` = numbers of this source are missing since its last heartbeat; incarnations that
    were not heard since `since` (ms) no longer count. Each heartbeat that carries the row on moves what is due to `due`."""
    proof = order.evidence.get(source) or StopEvidence(at)
    if number < max(proof.number, proof.last):
        return order  # sent before, come late
    on = proof.acknowledged and not serving and not gap and (proof.beats == 0 or proof.exposure == exposure)
    beats = min(BEATS, proof.beats + 1) if on else int(proof.acknowledged and not serving)
    moved = on and not proof.verified
    proof = structs.replace(proof, heard=at, beats=beats, exposure=exposure, last=number)
    order = structs.replace(order, evidence=_with(order.evidence, source, proof))
    if order.state == "verified" or not proof.verified:
        return structs.replace(order, due=due) if moved and order.due else order
    if all(p.verified for p in order.evidence.values() if p.heard >= since):
        return structs.replace(order, state="verified", due=0)
    return order


def with_contradiction(order: HaltState, due: int) -> HaltState:
    """Something shows that service went on: what was shown before counts for nothing."""
    proofs = {source: structs.replace(p, beats=0) for source, p in order.evidence.items()}
    return structs.replace(order, state="contradicted", due=due, evidence=proofs)


def as_overdue(order: HaltState) -> HaltState:
    """Its time is over."""
    return structs.replace(order, state="overdue", due=0)


def _with(proofs: dict[str, StopEvidence], source: str, proof: StopEvidence) -> dict[str, StopEvidence]:
    kept = {**proofs, source: proof}
    if len(kept) > FOLLOWED_SOURCES:
        del kept[min(kept, key=lambda name: (kept[name].heard, name))]
    return kept
