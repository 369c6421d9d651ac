"""Lanes: one queue, cursor and backoff per actor, so that an unavailable one delays no other.

`RecordLane` hands over every decision. `AlertLane` folds decisions into the alerts that stand
(`monitor/projections/alerts.py`), hands over what begins and ends, and resends what stands. What an `AlertLane` is fed
below its cursor, or before it attached, is history: it is folded silently.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from monitor.act.base import Actor, Notifier
from monitor.errors import Refused, Unavailable
from monitor.model.records import Decision
from monitor.projections.alerts import Alert, Facts, PilotAlerts, after_decision, difference

log = logging.getLogger(__name__)

FIRST_BACKOFF_MS = 1_000
LONGEST_BACKOFF_MS = 60_000
QUEUE = 100_000  # decisions that may wait for one actor; beyond it the oldest go, counted: the ledger has them
TURN = 500  # decisions handed to one actor before the next one gets its turn
TOGETHER = 200  # alerts in one hand-over


class Saved(Struct):
    """What a lane needs after a restart: the last standing handed over, by pilot; for alerts also what stood at that
    cursor, and the alerts that were sent to the other side and not yet ended there. `attached`: history was read to its
    end."""

    cursor: dict[str, int] = {}
    pilots: dict[str, PilotAlerts] = {}
    told: dict[str, Alert] = {}
    attached: bool = True


class Lane:
    """`counted(actor, outcome)` is called for every delivery attempt: done, unavailable, refused or dropped."""

    def __init__(self, name: str, saved: Saved, counted: Callable[[str, str], None]) -> None:
        self.name = name
        self.saved = saved
        self.queue: deque[Decision] = deque()
        self.dirty = False  # `saved` changed since it was last on disk
        self._counted = counted
        self._queued = dict(saved.cursor)
        self._failures = 0
        self._not_before = 0

    def take(self, decision: Decision) -> None:
        """Queue a decision, unless it was handed over before."""
        if self._queued.get(decision.pilot, 0) >= decision.standing:
            return
        self._queued[decision.pilot] = decision.standing
        if len(self.queue) >= QUEUE:
            self._overflowed(self.queue.popleft())
            self._counted(self.name, "dropped")
        self.queue.append(decision)

    def caught_up(self) -> None:
        """History ends here: all that is taken from now on happened after the start."""

    def serve(self, now: int) -> None:
        """Hand over what is due at `now` (ms), until the actor is unavailable or its turn is over."""
        if now < self._not_before:
            return
        for _ in range(TURN):
            if not self.queue:
                return
            if not self._process(self.queue[0], now):
                return
            self._passed(self.queue.popleft())

    def due(self, now: int) -> int:
        """When (ms) `serve` is to be called next."""
        return max(now, self._not_before) if self.queue else now + LONGEST_BACKOFF_MS

    def _process(self, decision: Decision, now: int) -> bool:
        raise NotImplementedError

    def _overflowed(self, decision: Decision) -> None:
        """Called for a decision that is dropped from a full queue."""

    def _passed(self, decision: Decision) -> None:
        self.saved.cursor[decision.pilot] = max(self.saved.cursor.get(decision.pilot, 0), decision.standing)
        self.dirty = True

    def _attempt(self, call: Callable[[], None], what: str, now: int) -> str:
        """Call the actor once; returns done, unavailable (to be repeated after a pause) or refused."""
        try:
            call()
        except Unavailable as error:
            self._not_before = now + min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS << min(self._failures, 16))
            self._failures += 1
            if self._failures == 1:
                log.warning("act: %s is unavailable, trying again: %s", self.name, error)
            outcome = "unavailable"
        except Refused as error:
            log.error("act: %s refused %s: %s", self.name, what, error)
            outcome = "refused"
        except Exception:
            # A mistake in one outlet must stop neither the others nor the monitor; the ledger has the decision.
            log.exception("act: %s failed on %s", self.name, what)
            outcome = "refused"
        else:
            outcome = "done"
        if outcome != "unavailable":
            self._failures = 0
        self._counted(self.name, outcome)
        return outcome


class RecordLane(Lane):
    """Hands every decision over, once."""

    def __init__(self, name: str, actor: Actor, saved: Saved, counted: Callable[[str, str], None]) -> None:
        super().__init__(name, saved, counted)
        self._actor = actor

    def _process(self, decision: Decision, now: int) -> bool:
        outcome = self._attempt(lambda: self._actor.act(decision), f"decision {decision.id}", now)
        return outcome != "unavailable"


class AlertLane(Lane):
    """Hands over alerts. `facts` gives the labels that a decision's charter adds; `history`: `caught_up` will be
    called.

    A lane without saved state attaches at what stands: it is silent until `caught_up` and then sends what stands, once.
    A lane with a cursor hands over whatever happened after it, a halt that began and ended in between included.
    """

    def __init__(
        self,
        name: str,
        actor: Notifier,
        saved: Saved,
        counted: Callable[[str, str], None],
        facts: Callable[[Decision], Facts],
        history: bool,
    ) -> None:
        super().__init__(name, saved, counted)
        self._actor = actor
        self._facts = facts
        self._history = history
        self._resent_at: int | None = None
        self._asked = saved.attached  # whether the other side was asked what it still holds

    def take(self, decision: Decision) -> None:
        """Fold history silently; queue what is new."""
        cursor = self.saved.cursor.get(decision.pilot, 0)
        if self.saved.attached and decision.standing > cursor:
            super().take(decision)
            return
        self._fold(decision)
        if decision.standing > cursor:
            self._queued[decision.pilot] = self.saved.cursor[decision.pilot] = decision.standing
            self.dirty = True

    def caught_up(self) -> None:
        """From now on what stands is known: a lane that attaches sends it."""
        self._history = False
        self.dirty = self.dirty or not self.saved.attached
        self.saved.attached = True
        if self._standing().keys() != self.saved.told.keys():
            self._resent_at = None

    def serve(self, now: int) -> None:
        """As for every lane; but what stands goes first after a start, as the other side may have forgotten it."""
        if now < self._not_before or not self.saved.attached:
            return
        if self._resent_at is None and not self._resend(now):
            return
        super().serve(now)
        if now >= self._not_before:
            self._resend(now)

    def due(self, now: int) -> int:
        """When the queue or what stands is due."""
        due = super().due(now)
        if self._resent_at is None:
            return max(now, self._not_before)
        return min(due, self._resent_at + self._actor.resend_ms) if self.saved.told or self.saved.pilots else due

    def _fold(self, decision: Decision) -> PilotAlerts:
        before = self.saved.pilots.get(decision.pilot, PilotAlerts())
        now = self.saved.pilots[decision.pilot] = after_decision(before, decision, self._facts(decision))
        return now

    def _process(self, decision: Decision, now: int) -> bool:
        before = self.saved.pilots.get(decision.pilot, PilotAlerts())
        then = after_decision(before, decision, self._facts(decision))
        begun, ended = difference(before, then)
        if (begun or ended) and not self._say(begun, ended, now):
            return False
        self.saved.pilots[decision.pilot] = then
        return True

    def _overflowed(self, decision: Decision) -> None:
        self._fold(decision)  # what it began or ended is found at the next resending
        self._passed(decision)

    def _standing(self) -> dict[str, Alert]:
        if self._history:  # what stood when the state was saved; what stands now is not known yet
            return dict(self.saved.told)
        return {alert.identity: alert for pilot in self.saved.pilots.values() for alert in pilot.alerts()}

    def _resend(self, now: int) -> bool:
        """Resend what stands when it is due, and end what should have ended. False when the actor became
        unavailable."""
        if self._resent_at is not None and now < self._resent_at + self._actor.resend_ms:
            return True
        if not self._asked and not self._ask(now):
            return False
        standing = self._standing()
        ended = [alert for name, alert in self.saved.told.items() if name not in standing]
        todo: list[tuple[list[Alert], list[Alert]]] = [
            ([], ended[i : i + TOGETHER]) for i in range(0, len(ended), TOGETHER)
        ]
        alerts = list(standing.values())
        todo += [(alerts[i : i + TOGETHER], []) for i in range(0, len(alerts), TOGETHER)]
        self._resent_at = now
        for begun, over in todo:
            if not self._say(begun, over, now):
                self._resent_at = None  # from its beginning, with what stands by then
                return False
        return True

    def _ask(self, now: int) -> bool:
        """A lane that attaches learns which alerts the other side still holds of these pilots, so that it can end
        them."""
        found: list[Alert] = []
        if self._attempt(lambda: found.extend(self._actor.open()), "to say what is open", now) == "unavailable":
            return False
        self.saved.told |= {alert.identity: alert for alert in found if alert.pilot in self.saved.pilots}
        self._asked = True
        return True

    def _say(self, begun: Sequence[Alert], ended: Sequence[Alert], now: int) -> bool:
        """Send alerts. Returns False when the actor is unavailable; refused alerts are sent again at each resending."""
        what = "alerts of " + ", ".join(sorted({alert.pilot for alert in (*begun, *ended)})[:5])
        outcome = self._attempt(lambda: self._actor.notify(begun, ended), what, now)
        if outcome == "done":
            for alert in ended:
                self.saved.told.pop(alert.identity, None)
            self.saved.told |= {alert.identity: alert for alert in begun}
            self.dirty = True
        return outcome != "unavailable"
