"""Hands decisions and alerts to actors: the one place that queues, retries and resends what stands.

Each actor has a lane (`monitor/act/queues.py`). The cursor is the pilot's `standing`, which rises by one with every
record of the pilot. That makes `feed` safe to call with the whole decisions log after a restart: what was acted on is
skipped, whatever the partition or the order between pilots. Delivery is at least once; actors are idempotent.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from monitor.act.base import AnyActor, Notifier
from monitor.act.queues import LONGEST_BACKOFF_MS, AlertLane, Lane, RecordLane, Saved
from monitor.charter.spec import Charter, charter_hash
from monitor.files.durable import replace_file
from monitor.files.side_file import read_side_file
from monitor.model.records import Decision
from monitor.projections.alerts import Facts, facts_of

log = logging.getLogger(__name__)

KEPT = 8  # charters of one pilot whose labels are remembered: the newest
PILOTS = 100_000  # pilots whose labels are remembered: the newest

_decode_saved = msgspec.json.Decoder(dict[str, Saved]).decode


def _ignore(actor: str, outcome: str) -> None:
    """Count nothing."""


class Deliver:
    """`actors` by name; `file` keeps cursors over restarts; `counted(actor, outcome)` is called for every delivery
    attempt, outcome being done, unavailable, refused or dropped; `waiting(actor, n)` of queue lengths. `history`: the
    log is fed from its start, and `caught_up` is called where it ended when reading began; without it all that is fed
    is new.

    `feed` never blocks and never raises. `tick` blocks as long as actors do: call it from a thread of its own (or use
    `run`), never from an event loop. Both may be called from different threads.
    """

    def __init__(
        self,
        actors: Mapping[str, AnyActor],
        file: Path | None = None,
        counted: Callable[[str, str], None] = _ignore,
        waiting: Callable[[str, int], None] | None = None,
        *,
        history: bool = False,
    ) -> None:
        self._file = file
        self._waiting = waiting
        self._facts: dict[str, dict[str, Facts]] = {}
        kept = self._load()
        self._lanes = [self._lane(name, actor, kept.get(name), counted, history) for name, actor in actors.items()]
        self._incoming: deque[Decision | None] = deque()
        self._unsaved = False

    def feed(self, decisions: Iterable[Decision]) -> None:
        """Take decisions that are already durable, in the order of their log. Repeats are harmless."""
        self._incoming.extend(decisions)

    def caught_up(self) -> None:
        """The log was fed up to where it ended when reading began. Never blocks."""
        self._incoming.append(None)

    def learn(self, charter: Charter) -> None:
        """Take tier, sector and region of a charter for the labels of alerts that begin from now on. Never blocks."""
        known = dict(self._facts.get(charter.pilot, {}))
        known[charter_hash(charter)] = facts_of(charter)
        self._facts[charter.pilot] = dict(list(known.items())[-KEPT:])
        while len(self._facts) > PILOTS:  # charters of refused admissions come here too
            del self._facts[next(iter(self._facts))]

    def knows(self, decision: Decision) -> bool:
        """Whether the charter of a decision was taken. Never blocks."""
        return decision.charter in self._facts.get(decision.pilot, {})

    def tick(self, now_ms: int) -> int:
        """Hand over what is due; returns the time (ms) at which it wants to be called next. `now_ms` must not fall."""
        while self._incoming:
            decision = self._incoming.popleft()
            for lane in self._lanes:
                if decision is None:
                    lane.caught_up()
                else:
                    lane.take(decision)
        for lane in self._lanes:
            lane.serve(now_ms)
            if self._waiting is not None:
                self._waiting(lane.name, len(lane.queue))
        if any(lane.dirty for lane in self._lanes):
            self._save()
        return min((lane.due(now_ms) for lane in self._lanes), default=now_ms + LONGEST_BACKOFF_MS)

    def run(self, clock: Callable[[], int], sleep: Callable[[float], object], stopped: Callable[[], bool]) -> None:
        """Tick until `stopped()`. `clock` gives ms, `sleep` takes seconds (an event's `wait` fits); at most 0.2 s
        apart."""
        while not stopped():
            due = self.tick(clock())
            sleep(min(0.2, max(0.0, (due - clock()) / 1000)))

    @property
    def idle(self) -> bool:
        """Nothing waits to be handed over."""
        return not self._incoming and not any(lane.queue for lane in self._lanes)

    def _lane(
        self, name: str, actor: AnyActor, saved: Saved | None, counted: Callable[[str, str], None], history: bool
    ) -> Lane:
        if isinstance(actor, Notifier):
            return AlertLane(name, actor, saved or Saved(attached=not history), counted, self._facts_of, history)
        return RecordLane(name, actor, saved or Saved(), counted)

    def _facts_of(self, decision: Decision) -> Facts:
        known = self._facts.get(decision.pilot, {})
        return known.get(decision.charter) or (list(known.values())[-1] if known else Facts())

    def _load(self) -> dict[str, Saved]:
        if self._file is None:
            return {}
        empty: dict[str, Saved] = {}
        price = "records are handed over again, alerts begin with what stands"
        return read_side_file(self._file, _decode_saved, empty, price)

    def _save(self) -> None:
        if self._file is None:
            self._clean()
            return
        try:
            replace_file(self._file, msgspec.json.encode({lane.name: lane.saved for lane in self._lanes}), mode=0o644)
        except OSError as error:
            # A full disk must not keep a halt from anybody; the price is repeats after a restart.
            if not self._unsaved:
                log.error("act: cursors cannot be saved: %s", error)
            self._unsaved = True
            return
        self._unsaved = False
        self._clean()

    def _clean(self) -> None:
        for lane in self._lanes:
            lane.dirty = False
