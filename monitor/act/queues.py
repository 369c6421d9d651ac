"""One queue, cursor and backoff per actor, so that an unavailable actor delays no other.

`RecordQueue` delivers every decision. `AlertQueue` folds decisions into alerts (`monitor/projections/alerts.py`),
delivers those that start and end, and resends the firing ones. Decisions below its cursor, or from before it attached,
are history: they are folded without a delivery.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from msgspec import Struct, field

from monitor.act.base import Actor, Notifier
from monitor.act.bursts import Bursts
from monitor.errors import Refused, Unavailable
from monitor.logs import EventLogger
from monitor.model.records import Decision
from monitor.model.subjects import is_pilot
from monitor.projections.alerts import Alert, Facts, PilotAlerts, after_decision, difference

log = EventLogger(__name__)

FIRST_BACKOFF_MS = 1_000
LONGEST_BACKOFF_MS = 60_000
QUEUE = 100_000  # pending decisions of one actor; beyond it the oldest are dropped and counted: the ledger has them
TURN = 500  # decisions delivered to one actor before the next actor
TOGETHER = 200  # alerts in one delivery


class Saved(Struct):
    """The state of a queue over restarts: the last standing delivered, by pilot; for alerts also the alerts at that
    cursor, and those that were sent and not yet ended. `attached`: history was read to its end."""

    cursor: dict[str, int] = {}
    pilots: dict[str, PilotAlerts] = {}
    sent: dict[str, Alert] = field(default_factory=dict, name="told")
    attached: bool = True


class ActorQueue:
    """`counted(actor, outcome)` is called for every delivery attempt: done, unavailable, refused or dropped."""

    def __init__(self, name: str, saved: Saved, counted: Callable[[str, str], None]) -> None:
        self.name = name
        self.saved = saved
        self.queue: deque[Decision] = deque()
        self.dirty = False  # `saved` has unwritten changes
        self._counted = counted
        self._queued = dict(saved.cursor)
        self._failures = 0
        self._not_before = 0

    def take(self, decision: Decision) -> None:
        """Queue a decision, unless it was delivered before."""
        if self._queued.get(decision.pilot, 0) >= decision.standing:
            return
        self._queued[decision.pilot] = decision.standing
        if len(self.queue) >= QUEUE:
            self._overflowed(self.queue.popleft())
            self._counted(self.name, "dropped")
        self.queue.append(decision)

    def caught_up(self) -> None:
        """History ends here: later decisions are new."""

    def serve(self, now: int) -> None:
        """Deliver what is due at `now` (ms), at most `TURN` decisions, until the actor is unavailable."""
        if now < self._not_before:
            return
        for _ in range(TURN):
            if not self.queue:
                return
            if not self._process(self.queue[0], now):
                return
            self._passed(self.queue.popleft())

    def due(self, now: int) -> int:
        """The time (ms) of the next call of `serve`."""
        return max(now, self._not_before) if self.queue else now + LONGEST_BACKOFF_MS

    def _process(self, decision: Decision, now: int) -> bool:
        raise NotImplementedError

    def _overflowed(self, decision: Decision) -> None:
        """Called for a decision that is dropped from a full queue."""

    def _passed(self, decision: Decision) -> None:
        self.saved.cursor[decision.pilot] = max(self.saved.cursor.get(decision.pilot, 0), decision.standing)
        self.dirty = True

    def _attempt(self, call: Callable[[], None], what: str, now: int) -> str:
        """Call the actor once. Returns done, unavailable (retried after a backoff) or refused."""
        try:
            call()
        except Unavailable as error:
            self._not_before = now + min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS << min(self._failures, 16))
            self._failures += 1
            if self._failures == 1:
                log.warning("actor.unavailable", stage="act", actor=self.name, error=error)
            outcome = "unavailable"
        except Refused as error:
            log.error("actor.refused", stage="act", actor=self.name, delivery=what, error=error)
            outcome = "refused"
        except Exception:
            # A bug in one actor must stop neither the others nor the monitor; the ledger has the decision.
            log.error("actor.failed", stage="act", actor=self.name, delivery=what, exc_info=True)
            outcome = "refused"
        else:
            outcome = "done"
        if outcome != "unavailable":
            self._failures = 0
        self._counted(self.name, outcome)
        return outcome


class RecordQueue(ActorQueue):
    """Delivers every decision once."""

    def __init__(self, name: str, actor: Actor, saved: Saved, counted: Callable[[str, str], None]) -> None:
        super().__init__(name, saved, counted)
        self._actor = actor

    def _process(self, decision: Decision, now: int) -> bool:
        outcome = self._attempt(lambda: self._actor.act(decision), f"decision {decision.id}", now)
        return outcome != "unavailable"


class Labels(NamedTuple):
    """What adds labels to alerts: `facts` returns those of a decision's charter, `bursts` groups what is too much."""

    facts: Callable[[Decision], Facts]
    bursts: Bursts


class AlertQueue(ActorQueue):
    """Delivers alerts. `history`: `caught_up` will be called.

    A queue without saved state delivers nothing until `caught_up` and then the firing alerts, once. A queue with a
    cursor delivers everything after it, including a halt that started and ended in the meantime.
    """

    def __init__(
        self,
        name: str,
        actor: Notifier,
        saved: Saved,
        counted: Callable[[str, str], None],
        labels: Labels,
        history: bool,
    ) -> None:
        super().__init__(name, saved, counted)
        self._actor = actor
        self._facts, self._bursts = labels
        self._bursts.remember(saved.sent.values())
        self._history = history
        self._resent_at: int | None = None
        self._asked = saved.attached  # whether the alerts open at the target were read

    def take(self, decision: Decision) -> None:
        """Fold history without a delivery; queue new decisions. What is no pilot has no alerts."""
        if not is_pilot(decision.pilot):
            return
        cursor = self.saved.cursor.get(decision.pilot, 0)
        if self.saved.attached and decision.standing > cursor:
            super().take(decision)
            return
        self._fold(decision)
        if decision.standing > cursor:
            self._queued[decision.pilot] = self.saved.cursor[decision.pilot] = decision.standing
            self.dirty = True

    def caught_up(self) -> None:
        """The firing alerts are now known: a queue that attaches delivers them."""
        self._history = False
        self.dirty = self.dirty or not self.saved.attached
        self.saved.attached = True
        if self._standing(0).keys() != self.saved.sent.keys():
            self._resent_at = None

    def serve(self, now: int) -> None:
        """As for every queue, but after a start firing alerts are resent first: the target may have lost them."""
        if now < self._not_before or not self.saved.attached:
            return
        if self._resent_at is None and not self._resend(now):
            return
        for _ in range(TURN // TOGETHER + 1):
            if not self._next(now):
                break
        if now >= self._not_before:
            flood = self._bursts.flood(now)
            if flood is not None and flood.identity not in self.saved.sent and not self._deliver([flood], [], now):
                return
            self._resend(now)

    def due(self, now: int) -> int:
        """The time (ms) when the queue or a resend is due."""
        due = super().due(now)
        if self._resent_at is None:
            return max(now, self._not_before)
        return min(due, self._resent_at + self._actor.resend_ms) if self.saved.sent or self.saved.pilots else due

    def _fold(self, decision: Decision) -> PilotAlerts:
        before = self.saved.pilots.get(decision.pilot, PilotAlerts())
        now = self.saved.pilots[decision.pilot] = after_decision(before, decision, self._facts(decision))
        return now

    def _next(self, now: int) -> bool:
        """Deliver the alerts of the next decisions in one request. Returns False when nothing is left, or the actor is
        unavailable. An alert that starts and ends is sent as both, in two requests."""
        pilots: dict[str, PilotAlerts] = {}
        begun: dict[str, Alert] = {}
        ended: dict[str, Alert] = {}
        taken = 0
        for decision in islice(self.queue, TURN):
            before = pilots.get(decision.pilot) or self.saved.pilots.get(decision.pilot, PilotAlerts())
            then = after_decision(before, decision, self._facts(decision))
            starts, ends = difference(before, then)
            again = any(a.identity in begun for a in ends) or any(a.identity in ended for a in starts)
            full = len(begun) + len(ended) + len(starts) + len(ends) > TOGETHER
            if taken and (again or full):
                break
            begun |= {alert.identity: alert for alert in starts}
            ended |= {alert.identity: alert for alert in ends}
            pilots[decision.pilot] = then
            taken += 1
        if not taken or ((begun or ended) and not self._deliver([*begun.values()], [*ended.values()], now)):
            return False
        self.saved.pilots |= pilots
        for _ in range(taken):
            self._passed(self.queue.popleft())
        return True

    def _overflowed(self, decision: Decision) -> None:
        self._fold(decision)  # alerts that it started or ended are delivered at the next resend
        self._passed(decision)

    def _standing(self, now: int) -> dict[str, Alert]:
        if self._history:  # the alerts when the state was saved; the present ones are not known yet
            return dict(self.saved.sent)
        flood = self._bursts.flood(now)
        every = (alert for pilot in self.saved.pilots.values() for alert in pilot.alerts())
        standing = {alert.identity: alert for alert in every if alert.until is None or now < alert.until}
        return standing if flood is None else {flood.identity: flood, **standing}

    def _resend(self, now: int) -> bool:
        """Resend firing alerts when due, and end those that no longer fire. Returns False when the actor is
        unavailable."""
        if self._resent_at is not None and now < self._resent_at + self._actor.resend_ms:
            return True
        if not self._asked and not self._ask(now):
            return False
        standing = self._standing(now)
        ended = [alert for name, alert in self.saved.sent.items() if name not in standing]
        todo: list[tuple[list[Alert], list[Alert]]] = [
            ([], ended[i : i + TOGETHER]) for i in range(0, len(ended), TOGETHER)
        ]
        alerts = list(standing.values())
        todo += [(alerts[i : i + TOGETHER], []) for i in range(0, len(alerts), TOGETHER)]
        self._resent_at = now
        for begun, over in todo:
            if not self._deliver(begun, over, now):
                self._resent_at = None  # restart with the alerts of that time
                return False
        return True

    def _ask(self, now: int) -> bool:
        """Read the alerts of these pilots that are open at the target, so that they can be ended."""
        found: list[Alert] = []
        if self._attempt(lambda: found.extend(self._actor.open()), "to say what is open", now) == "unavailable":
            return False
        self.saved.sent |= {alert.identity: alert for alert in found if alert.pilot in self.saved.pilots}
        self._asked = True
        return True

    def _deliver(self, begun: Sequence[Alert], ended: Sequence[Alert], now: int) -> bool:
        """Deliver alerts. Returns False when the actor is unavailable; refused alerts are retried at each resend."""
        what = "alerts of " + ", ".join(sorted({alert.pilot for alert in (*begun, *ended)})[:5])
        self._bursts.remember(found for alert in begun if (found := self.saved.sent.get(alert.identity)) is not None)
        begun = self._bursts.grouped(begun, now)
        ended = [self.saved.sent.get(alert.identity) or self._bursts.labelled(alert) for alert in ended]
        outcome = self._attempt(lambda: self._actor.notify(begun, ended), what, now)
        if outcome == "done":
            for alert in ended:
                self.saved.sent.pop(alert.identity, None)
            self.saved.sent |= {alert.identity: alert for alert in begun}
            self.dirty = True
        return outcome != "unavailable"
