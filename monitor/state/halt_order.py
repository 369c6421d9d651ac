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
SOURCES = 64  # incarnations followed at once; the one heard longest ago is forgotten first
NOT_YET = -1
AGAIN_MS = 5_000  # until a command is told again for the first time
LONGEST_MS = 3_600_000  # between two tellings, at most

Kind: TypeAlias = Literal["", "halt", "dry_run", "full_stop"]
State: TypeAlias = Literal["", "commanded", "acknowledged", "verified", "contradicted", "overdue"]


STOPPED: dict[str, str] = {"commanded": "not acknowledged", "acknowledged": "not verified"}


def stop_state(state: str) -> str:
    """What became of a halt's command, for people: verified, not acknowledged, not verified, contradicted or overdue.

    >>> stop_state("commanded")
    'not acknowledged'
    """
    return STOPPED.get(state, state or "not followed")


class Proof(Struct, frozen=True, array_like=True, gc=False):
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


class Order(Struct, frozen=True, array_like=True, gc=False):
    """A command to stop and what became of it. `due` is when it is overdue unless something happens (ms; 0 = nothing is owed)."""

    kind: Kind = ""
    at: int = 0
    state: State = ""
    due: int = 0
    proofs: dict[str, Proof] = {}

    @property
    def answered(self) -> bool:
        """Whether every incarnation that was heard since has acknowledged."""
        return bool(self.proofs) and all(p.acknowledged for p in self.proofs.values())

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
        proof = self.proofs.get(source)
        if proof is not None and proof.acknowledged:
            return min(proof.stopped, latest)
        words = [p.stopped for p in self.proofs.values() if p.acknowledged]
        if proof is None and words:
            return min(max(words), latest)
        return deadline if at > deadline else None


class Sending(Struct, frozen=True, array_like=True, gc=False):
    """The command in force: when it is told again (ms; 0 = it was answered), and how often it was told again."""

    command: Command
    due: int
    times: int = 0

    def again(self, at: int) -> Sending:
        """Told again at `at` (ms): the next time comes after twice as long, at most an hour. There is no last time."""
        wait = min(LONGEST_MS, AGAIN_MS << min(self.times + 1, 20))
        return structs.replace(self, due=at + wait, times=self.times + 1)


def sending(command: Command, at: int) -> Sending:
    """Told for the first time at `at` (ms)."""
    return Sending(command, at + AGAIN_MS)


def acknowledged(order: Order, source: str, number: int, stopped: int, at: int, due: int) -> Order:
    """An incarnation says at `at` (ms) that it stopped at `stopped` (ms, its clock). Until then it was not bound."""
    state: State = order.state if order.state in ("verified", "contradicted") else "acknowledged"
    proofs = _with(order.proofs, source, Proof(at, number, stopped))
    return structs.replace(order, state=state, due=0 if state == "verified" else due, proofs=proofs)


def beat(
    order: Order, source: str, number: int, serving: bool, exposure: float, gap: bool, at: int, due: int, since: int
) -> Order:
    """A heartbeat came at `at` (ms). `gap` = numbers of this source are missing since its last heartbeat; incarnations that
    were not heard since `since` (ms) no longer count. Each heartbeat that carries the row on moves what is due to `due`."""
    proof = order.proofs.get(source) or Proof(at)
    if number < max(proof.number, proof.last):
        return order  # sent before, come late
    on = proof.acknowledged and not serving and not gap and (proof.beats == 0 or proof.exposure == exposure)
    beats = min(BEATS, proof.beats + 1) if on else int(proof.acknowledged and not serving)
    moved = on and not proof.verified
    proof = structs.replace(proof, heard=at, beats=beats, exposure=exposure, last=number)
    order = structs.replace(order, proofs=_with(order.proofs, source, proof))
    if order.state == "verified" or not proof.verified:
        return structs.replace(order, due=due) if moved and order.due else order
    if all(p.verified for p in order.proofs.values() if p.heard >= since):
        return structs.replace(order, state="verified", due=0)
    return order


def contradicted(order: Order, due: int) -> Order:
    """Something shows that service went on: what was shown before counts for nothing."""
    proofs = {source: structs.replace(p, beats=0) for source, p in order.proofs.items()}
    return structs.replace(order, state="contradicted", due=due, proofs=proofs)


def overdue(order: Order) -> Order:
    """Its time is over."""
    return structs.replace(order, state="overdue", due=0)


def _with(proofs: dict[str, Proof], source: str, proof: Proof) -> dict[str, Proof]:
    kept = {**proofs, source: proof}
    if len(kept) > SOURCES:
        del kept[min(kept, key=lambda name: (kept[name].heard, name))]
    return kept
