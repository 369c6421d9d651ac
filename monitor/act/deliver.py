"""Hands decisions to actors: the one place that queues, retries and sends again what stands.

Each actor has a lane of its own: a queue, a cursor and a backoff, so that one outlet that is away holds up no other. The cursor
is the pilot's `standing`, which rises by one with every record of the pilot. That makes `feed` safe to call with the whole
decisions log after a restart: what was acted on is skipped, whatever the partition or the order between pilots. Delivery is
at least once; actors are idempotent.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from monitor.act.base import Actor, Resending
from monitor.errors import Refused, Unavailable
from monitor.model import Decision, Level, Reason
from monitor.sidefile import read_side_file

log = logging.getLogger(__name__)

FIRST_BACKOFF_MS = 1_000
LONGEST_BACKOFF_MS = 60_000
QUEUE = 100_000  # decisions that may wait for one actor; beyond it the oldest go, counted: the ledger has them
TURN = 500  # decisions handed to one actor before the next one gets its turn


class _Saved(Struct):
    """What a lane needs after a restart."""

    cursor: dict[str, int] = {}
    standing: dict[str, Decision] = {}


_decode_saved = msgspec.json.Decoder(dict[str, _Saved]).decode


class _Lane:
    def __init__(self, name: str, actor: Actor, saved: _Saved) -> None:
        self.name = name
        self.actor = actor
        self.queue: deque[Decision] = deque()
        self.queued: dict[str, int] = dict(saved.cursor)
        self.saved = saved
        self.failures = 0
        self.not_before = 0
        self.resent_at: int | None = None
        self.overdue: deque[Decision] = deque()  # standing decisions still to be re-sent in this round

    @property
    def resend_ms(self) -> int | None:
        return self.actor.resend_ms if isinstance(self.actor, Resending) else None


def _ignore(actor: str, outcome: str) -> None:
    """Count nothing."""


class Deliver:
    """`actors` by name; `file` keeps cursors over restarts; `counted(actor, outcome)` is told of every hand-over, outcome
    being done, unavailable, refused or dropped; `waiting(actor, n)` of queue lengths.

    `feed` never blocks and never raises. `tick` blocks as long as actors do: call it from a thread of its own (or use
    `run`), never from an event loop. Both may be called from different threads.
    """

    def __init__(
        self,
        actors: Mapping[str, Actor],
        file: Path | None = None,
        counted: Callable[[str, str], None] = _ignore,
        waiting: Callable[[str, int], None] | None = None,
    ) -> None:
        self._file = file
        self._counted = counted
        self._waiting = waiting
        kept = self._load()
        self._lanes = [_Lane(name, actor, kept.get(name, _Saved())) for name, actor in actors.items()]
        self._incoming: deque[Decision] = deque()
        self._dirty = False
        self._unsaved = False

    def feed(self, decisions: Iterable[Decision]) -> None:
        """Take decisions that are already durable, in the order of their log. Repeats are harmless."""
        self._incoming.extend(decisions)

    def tick(self, now_ms: int) -> int:
        """Hand over what is due; returns the time (ms) at which it wants to be called next. `now_ms` must not fall."""
        self._sort_in()
        for lane in self._lanes:
            self._serve(lane, now_ms)
            if self._waiting is not None:
                self._waiting(lane.name, len(lane.queue))
        if self._dirty:
            self._save()
        return min((self._due(lane, now_ms) for lane in self._lanes), default=now_ms + LONGEST_BACKOFF_MS)

    def run(self, clock: Callable[[], int], sleep: Callable[[float], object], stopped: Callable[[], bool]) -> None:
        """Tick until `stopped()`. `clock` gives ms, `sleep` takes seconds (an event's `wait` fits); at most 0.2 s apart."""
        while not stopped():
            due = self.tick(clock())
            sleep(min(0.2, max(0.0, (due - clock()) / 1000)))

    @property
    def idle(self) -> bool:
        """Nothing waits to be handed over."""
        return not self._incoming and not any(lane.queue for lane in self._lanes)

    def _sort_in(self) -> None:
        while self._incoming:
            decision = self._incoming.popleft()
            for lane in self._lanes:
                if lane.queued.get(decision.pilot, 0) >= decision.standing:
                    continue
                lane.queued[decision.pilot] = decision.standing
                if len(lane.queue) >= QUEUE:
                    lane.queue.popleft()
                    self._counted(lane.name, "dropped")
                lane.queue.append(decision)

    def _serve(self, lane: _Lane, now: int) -> None:
        if now < lane.not_before:
            return
        # After a restart what stands goes first: the other side may have forgotten it, and has to know it to end it.
        if lane.resent_at is None and not self._resend(lane, now):
            return
        for _ in range(TURN):
            if not lane.queue:
                break
            if not self._hand(lane, lane.queue[0], now):
                return
            self._passed(lane, lane.queue.popleft())
        self._resend(lane, now)

    def _resend(self, lane: _Lane, now: int) -> bool:
        """Send again what stands, when its time has come. False when the actor became unavailable."""
        if lane.resend_ms is None:
            return True
        if not lane.overdue and (lane.resent_at is None or now >= lane.resent_at + lane.resend_ms):
            lane.overdue.extend(lane.saved.standing.values())
            lane.resent_at = now
        while lane.overdue:
            decision = lane.overdue[0]
            if lane.saved.standing.get(decision.pilot) == decision and not self._hand(lane, decision, now):
                return False
            lane.overdue.popleft()
        return True

    def _hand(self, lane: _Lane, decision: Decision, now: int) -> bool:
        """Whether the decision is off our hands."""
        try:
            lane.actor.act(decision)
        except Unavailable as error:
            lane.not_before = now + min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS << min(lane.failures, 16))
            lane.failures += 1
            if lane.failures == 1:
                log.warning("act: %s is unavailable, trying again: %s", lane.name, error)
            self._counted(lane.name, "unavailable")
            return False
        except Refused as error:
            log.error("act: %s refused decision %s: %s", lane.name, decision.id, error)
            self._counted(lane.name, "refused")
        except Exception:
            # A mistake in one outlet must stop neither the others nor the monitor; the ledger has the decision.
            log.exception("act: %s failed on decision %s", lane.name, decision.id)
            self._counted(lane.name, "refused")
        else:
            self._counted(lane.name, "done")
        lane.failures = 0
        return True

    def _passed(self, lane: _Lane, decision: Decision) -> None:
        lane.saved.cursor[decision.pilot] = max(lane.saved.cursor.get(decision.pilot, 0), decision.standing)
        self._dirty = True
        if lane.resend_ms is None:
            return
        if decision.reason is Reason.EXITED or decision.level < Level.ESCALATE:
            lane.saved.standing.pop(decision.pilot, None)
        elif decision.level is not decision.was:
            lane.saved.standing[decision.pilot] = decision

    def _due(self, lane: _Lane, now: int) -> int:
        if lane.queue or lane.overdue:
            return max(now, lane.not_before)
        if lane.resend_ms is not None and lane.saved.standing and lane.resent_at is not None:
            return lane.resent_at + lane.resend_ms
        return now + LONGEST_BACKOFF_MS

    def _load(self) -> dict[str, _Saved]:
        if self._file is None:
            return {}
        empty: dict[str, _Saved] = {}
        return read_side_file(self._file, _decode_saved, empty, "actors are handed past decisions again")

    def _save(self) -> None:
        if self._file is None:
            self._dirty = False
            return
        beside = self._file.with_suffix(".new")
        try:
            with beside.open("wb") as file:
                file.write(msgspec.json.encode({lane.name: lane.saved for lane in self._lanes}))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._file)
        except OSError as error:
            # A full disk must not keep a halt from anybody; the price is repeats after a restart.
            if not self._unsaved:
                log.error("act: cursors cannot be saved: %s", error)
            self._unsaved = True
            return
        self._dirty = self._unsaved = False
