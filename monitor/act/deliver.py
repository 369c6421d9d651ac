"""Delivers decisions and alerts to actors: the only place that queues, retries and resends.

Each actor has a queue (`monitor/act/queues.py`). The cursor is the pilot's `standing`, which rises by one with every
record of the pilot. That makes `feed` safe to call with the whole decisions log after a restart: delivered decisions
are skipped, whatever the partition or the order between pilots. Delivery is at least once; actors are idempotent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from monitor.act.base import AnyActor, Notifier
from monitor.act.bursts import Bursts
from monitor.act.queues import LONGEST_BACKOFF_MS, ActorQueue, AlertQueue, Labels, RecordQueue, Saved
from monitor.charter.spec import Charter, charter_hash
from monitor.files.durable import replace_file
from monitor.files.side_file import read_side_file
from monitor.logs import EventLogger
from monitor.model.records import Decision
from monitor.projections.alerts import Facts, facts_of

log = EventLogger(__name__)

CHARTERS = 8  # charters of one pilot whose labels are stored: the newest
PILOTS = 100_000  # pilots whose labels are stored: the newest

_decode_saved = msgspec.json.Decoder(dict[str, Saved]).decode


def _ignore(actor: str, outcome: str) -> None:
    """The default for `counted`."""


class Deliver:
    """`actors` by name; `file` keeps cursors over restarts; `counted(actor, outcome)` is called for every delivery
    attempt, outcome being done, unavailable, refused or dropped; `waiting(actor, n)` reports queue lengths. `history`:
    the log is fed from its start, and `caught_up` is called at the end that it had when reading began; without it all
    decisions are new.

    `feed` never blocks and never raises. `tick` blocks as long as actors do: call it from a dedicated thread (or use
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
        self._labels = Labels(self._facts_of, Bursts())
        kept = self._load()
        self._queues = [
            self._queue_for(name, actor, kept.get(name), counted, history) for name, actor in actors.items()
        ]
        self._incoming: deque[Decision | None] = deque()
        self._unsaved = False

    def feed(self, decisions: Iterable[Decision]) -> None:
        """Queue durable decisions in the order of their log. Repeats have no effect. Never blocks."""
        self._incoming.extend(decisions)

    def caught_up(self) -> None:
        """The log was fed up to the end that it had when reading began. Never blocks."""
        self._incoming.append(None)

    def learn(self, charter: Charter) -> None:
        """Store tier, sector and region of a charter for the labels of later alerts. Never blocks."""
        known = dict(self._facts.get(charter.pilot, {}))
        known[charter_hash(charter)] = facts_of(charter)
        self._facts[charter.pilot] = dict(list(known.items())[-CHARTERS:])
        while len(self._facts) > PILOTS:  # includes charters of refused admissions
            del self._facts[next(iter(self._facts))]

    def knows(self, decision: Decision) -> bool:
        """Whether the charter of a decision is stored. Never blocks."""
        return decision.charter in self._facts.get(decision.pilot, {})

    def tick(self, now_ms: int) -> int:
        """Deliver what is due. Returns the time (ms) of the next call. `now_ms` must not decrease."""
        while self._incoming:
            decision = self._incoming.popleft()
            for queue in self._queues:
                if decision is None:
                    queue.caught_up()
                else:
                    queue.take(decision)
        for queue in self._queues:
            queue.serve(now_ms)
            if self._waiting is not None:
                self._waiting(queue.name, len(queue.queue))
        if any(queue.dirty for queue in self._queues):
            self._save()
        return min((queue.due(now_ms) for queue in self._queues), default=now_ms + LONGEST_BACKOFF_MS)

    def run(self, clock: Callable[[], int], sleep: Callable[[float], object], stopped: Callable[[], bool]) -> None:
        """Tick until `stopped()`. `clock` gives ms, `sleep` takes seconds (an event's `wait` fits); at most 0.2 s
        apart."""
        while not stopped():
            due = self.tick(clock())
            sleep(min(0.2, max(0.0, (due - clock()) / 1000)))

    @property
    def idle(self) -> bool:
        """Whether no delivery is pending."""
        return not self._incoming and not any(queue.queue for queue in self._queues)

    def _queue_for(
        self, name: str, actor: AnyActor, saved: Saved | None, counted: Callable[[str, str], None], history: bool
    ) -> ActorQueue:
        if isinstance(actor, Notifier):
            return AlertQueue(name, actor, saved or Saved(attached=not history), counted, self._labels, history)
        return RecordQueue(name, actor, saved or Saved(), counted)

    def _facts_of(self, decision: Decision) -> Facts:
        known = self._facts.get(decision.pilot, {})
        return known.get(decision.charter) or (list(known.values())[-1] if known else Facts())

    def _load(self) -> dict[str, Saved]:
        if self._file is None:
            return {}
        empty: dict[str, Saved] = {}
        price = "records are delivered again, alerts start with the firing ones"
        return read_side_file(self._file, _decode_saved, empty, price)

    def _save(self) -> None:
        if self._file is None:
            self._clean()
            return
        try:
            content = msgspec.json.encode({queue.name: queue.saved for queue in self._queues})
            replace_file(self._file, content, mode=0o644, temporary=self._file.with_suffix(".new"))
        except OSError as error:
            # A full disk must not block the alert of a halt; the cost is repeated deliveries after a restart.
            if not self._unsaved:
                log.error("cursors.not_saved", stage="act", path=self._file, error=error)
            self._unsaved = True
            return
        self._unsaved = False
        self._clean()

    def _clean(self) -> None:
        for queue in self._queues:
            queue.dirty = False
