"""One partition as a deterministic state machine: records in, outputs out, and when to be woken next.

Pure: no clock, no randomness, no input or output. `telemetry`, `control` and `time` are the three kinds of input, in the
order that the journal fixes; results never depend on how records were cut into batches. Each event goes through the stages
validate, observe, detect, decide, record, in that order; runs of ordinary events are observed at once.

A timer fires at its due time and carries it: just before the pilot's first record with a later `received`, else at the
first `time` that is later. Both ways give the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from heapq import heapify, heappop, heappush
from itertools import accumulate
from typing import TypeAlias

import msgspec
from msgspec import Struct, structs

from monitor.charter.control import Admission, Amendment, ControlBase, Release
from monitor.charter.spec import charter_hash
from monitor.compile.plan import Plan
from monitor.compile.state_size import open_allowance
from monitor.decide import authority
from monitor.decide.context import DecisionContext
from monitor.decide.control_acts import admit, apply_act, begin_drill, restart_statistics
from monitor.decide.enforcement import command_overdue, resend, stop_tracking
from monitor.decide.ladder import Move, unshelve
from monitor.decide.signatures import SIGNED_EVENTS, forged, signed_by
from monitor.decide.tolerate import rectification_overdue as not_rectified
from monitor.detect.leap import Tries, leap
from monitor.detect.periods import TELEMETRY_LOST_KEY, close, raise_silence
from monitor.detect.shed import shed
from monitor.errors import ControlRefused, Forged
from monitor.model.bounds import short
from monitor.model.events import CommandAcknowledged, Envelope
from monitor.model.labels import tidied
from monitor.model.records import Claim, Closed, Finding, Level, Outputs, Reason, Record, Rejected
from monitor.model.refusals import Refusal
from monitor.model.signing import Proved, Trusted
from monitor.observe.contested import contested
from monitor.observe.events import before_admission, observe
from monitor.observe.fast_path_cache import HOT_PILOTS, HotPilots
from monitor.observe.split import end_of_batch
from monitor.state import acts_once
from monitor.state.pilot import Pilot
from monitor.state.pilot_cache import RESIDENT_PILOTS, PilotCache
from monitor.state.sequences import arrived
from monitor.state.snapshots import restore
from monitor.state.timers import NEVER, next_closing, next_timer, postpone
from monitor.validate.parse import validate, validate_control
from monitor.validate.rejections import Rejecter, RejectionReason
from monitor.validate.runs import MIN_BATCH, EventBatch, EventRun, as_batch, group_by_key, runs

STALE_TIMERS = 1_024  # outdated entries that the queue of timers may hold
GAP_MS = 30_000  # a longer step between two `time` is a fault of the monitor, never silence of a firm
# Refusals that are rejections of their own; any other is `control_refused`.
_WHYS: dict[str, RejectionReason] = {
    Refusal.REPEATED: RejectionReason.REPEATED,
    Refusal.CONFLICT: RejectionReason.CONFLICT,
    Refusal.ALREADY_ADMITTED: RejectionReason.CONFLICT,
}
Pieces: TypeAlias = list[tuple[int, Outputs]]  # outputs, and the offset of the last record that they come from


class PartitionState(Struct, array_like=True):
    """What belongs to the partition and to no pilot: the last `time` (ms), and up to where every period is closed (ms)."""

    last_time: int = 0
    closed: int = 0


class Machine:
    """The state machine of one partition.

    `journalled` is False only for replays of logs without a journal, where a `time` is thought to stand at each due time and
    so the monitor was never away. `secret` keys the digests of rejected input. `owner_of` tells which participant alone may
    write a telemetry topic (`None` = anybody). `keyed` says that a record without a key is in no pilot's partition.
    `admitters` may admit pilots, and amend or end them in place of an officer. `open_mode` (by default: where there are no
    `admitters`) lets anybody who writes to control admit, and the record says whether it was signed.
    `awake` is how many pilots are held in memory, the others sleep, and `ready` how many of those with their detectors and
    open periods at hand: neither makes a difference to what is put out. `events` counts the valid events stepped since the
    object was made, `folded` those of them that were taken in runs.

    For replays without a journal: `service` False says that no service stands behind the telemetry, so whether a command is
    obeyed is not judged, and nothing is drilled; `evidence` False lets closed periods that hold nothing pass without evidence
    of their own, with the same decisions (`monitor/detect/leap.py`).
    """

    fast_path = True  # False: every event goes the long way, with the same result
    skips_empty_periods = True  # False: every period is closed by itself, with the same result

    def __init__(
        self,
        partition: int = 0,
        epoch: int = 0,
        *,
        journalled: bool = True,
        secret: bytes = b"",
        control_topic: str = "control",
        keyed: bool = False,
        resident: int = RESIDENT_PILOTS,
        hot: int = HOT_PILOTS,
        service: bool = True,
        evidence: bool = True,
        owner_of: Callable[[str], str | None] = lambda topic: None,
        admitters: Trusted | None = None,
        open_mode: bool | None = None,
    ) -> None:
        self.partition = partition
        self.epoch = epoch
        self._hot = HotPilots(epoch, hot)
        self.pilots = PilotCache(resident, on_load=self._loaded, on_evict=self._hot.evicted)
        self.dirty: set[str] = set()
        self.partition_state = PartitionState()
        self.events = 0
        self.fast_path_events = 0
        self._uncounted: dict[str, int] = {}
        self.skipped_periods = 0  # periods that were passed over
        self._due: list[tuple[int, str]] = []
        self._dues: dict[str, int] = {}  # what stands in `_due` for each pilot
        self._edges: dict[str, int] = {}  # up to where (ms) the periods of each pilot are closed
        self._flagged: set[str] = set()  # pilots that the monitor was away from
        self._journalled = journalled
        self._service = service
        self._evidence = evidence
        self._secret = secret
        self._control_topic = control_topic
        self._keyed = keyed
        self._owner_of = owner_of
        self._admitters = admitters
        self._open = not admitters if open_mode is None else open_mode

    # ---- state in and out

    @property
    def notify_at(self) -> int | None:
        """When a timer is due (ms); a `time` later than that fires it. May be early, never late."""
        while self._due:
            due, name = self._due[0]
            if self._dues[name] == due:
                return due
            heappop(self._due)
        return None

    def snapshots(self, pilots: Iterable[str]) -> dict[str, bytes | None]:
        """Bytes of the given pilots' states and, under "", of the partition's own."""
        states: dict[str, bytes | None] = {name: self.pilots.raw(name) for name in sorted(pilots)}
        states[""] = msgspec.msgpack.encode(self.partition_state)
        return states

    def restore(self, snapshots: dict[str, bytes]) -> None:
        """Take up where snapshots left off. Raises LogBroken when one cannot be read."""
        for name, raw in snapshots.items():
            if name:
                pilot, _ = restore(raw)
                self.pilots[pilot.id] = pilot
                if "monitor" in pilot.standing.unknown:
                    self._flagged.add(pilot.id)
                self._arm(pilot)
                self.pilots.evict_excess()
            else:
                self.partition_state = msgspec.msgpack.decode(raw, type=PartitionState)

    # ---- the three inputs

    def telemetry(self, topic: str, records: Sequence[Record]) -> Outputs:
        """Step telemetry records of one topic in offset order."""
        out = Outputs()
        owner = self._owner_of(topic)
        at = 0
        while at < len(records):
            groups, at = group_by_key(records, at) if self.fast_path else ([], at)
            pieces: Pieces = []
            for mine in groups:
                for run in runs(mine):
                    if isinstance(run, EventRun):
                        self._run(topic, run, owner, pieces)
                    else:
                        self._records(topic, run, owner, pieces)
            if at < len(records):
                self._records(topic, records[at : at + 1], owner, pieces)
                at += 1
            # One key was stepped after the other, but what they give is put out as they came.
            for _, piece in sorted(pieces, key=lambda found: found[0]):
                out.extend(piece)
        self.pilots.evict_excess()
        for kind, events in out.uncounted.items():
            self._uncounted[kind] = self._uncounted.get(kind, 0) + events
        return out

    def drain_uncounted(self) -> dict[str, int]:
        """Events that count nowhere, by kind (`UNCOUNTED`), since this was last asked."""
        found, self._uncounted = self._uncounted, {}
        return found

    def _records(self, topic: str, records: Iterable[Record], owner: str | None, pieces: Pieces) -> None:
        """Step records that are to be judged each by itself."""
        for record in records:
            if self._keyed and record.key is None:
                reject = Rejecter(record, topic, self.partition, self._secret)
                rejected = [reject(RejectionReason.KEY_MISMATCH, "key")]
            else:
                events, places, rejected = validate(record, topic, self.partition, secret=self._secret)
                count = len(events)
                if count:
                    run = EventRun(events, [record] * count, [record.received] * count, places)
                    self._run(topic, run, owner, pieces, valid=True)
            if rejected:
                self._note(rejected, record)
                pieces.append((record.offset, Outputs(rejected=rejected)))

    def _run(self, topic: str, run: EventRun, owner: str | None, pieces: Pieces, valid: bool = False) -> None:
        """Step a run, as much of it at once as is ordinary. Unless all of it is known to be `valid`, what is no batch is judged
        record by record."""
        todo = [(0, len(run.events), valid)]
        while todo:
            first, stop, valid = todo.pop()
            if (end := self._batch_end(run, first, stop, valid)) < stop:
                todo.append((end, stop, valid))
                stop = end
            batch = as_batch(run, first, stop) if stop - first >= MIN_BATCH else None
            valid = valid or batch is not None
            if batch is not None and self._at_once(batch, run, first, owner, pieces):
                self.events += stop - first
            elif valid and self._batch_end(run, first, stop, valid) < stop:
                todo.append((first, stop, valid))
            elif not valid and run.records[first] is run.records[stop - 1]:
                self._records(topic, run.records[first : first + 1], owner, pieces)
            elif valid and first == 0 and stop >= MIN_BATCH and self._head_first(run.events[0], run.received[0]):
                self._one_by_one(topic, run, 0, 1, owner, pieces)
                todo.append((1, stop, True))
            elif stop - first >= 2 * MIN_BATCH and self._may_fold(run.events[first].subject):
                half = run.middle(first, stop)  # one event that is not ordinary holds back its neighbours only
                todo += [(half, stop, valid), (first, half, valid)]
            elif valid:
                self._one_by_one(topic, run, first, stop, owner, pieces)
            else:
                self._records(topic, run.records_of(first, stop), owner, pieces)

    def _batch_end(self, run: EventRun, first: int, stop: int, valid: bool) -> int:
        """Where a batch that begins at `first` should end, by the timers and periods of its pilot."""
        pilot = self.pilots.get(run.events[first].subject) if self.fast_path and stop - first >= MIN_BATCH else None
        return stop if pilot is None or pilot.exited else end_of_batch(pilot, run, first, stop, not valid)

    def _one_by_one(self, topic: str, run: EventRun, first: int, stop: int, owner: str | None, pieces: Pieces) -> None:
        for event, record, place in zip(
            run.events[first:stop], run.records[first:stop], run.places[first:stop], strict=True
        ):
            if not pieces or pieces[-1][0] != record.offset:
                pieces.append((record.offset, Outputs()))
            piece = pieces[-1][1]
            why = forged(self._plan(event.subject), record) if isinstance(event, SIGNED_EVENTS) else None
            why = why or self._event(event, record.received, owner, piece)
            if why is not None:
                reject = Rejecter(record, topic, self.partition, self._secret)
                piece.rejected.append(reject(why[0], why[1], index=place, pilot=event.subject))
                self._note(piece.rejected[-1:], record)
        self.events += stop - first

    def _note(self, rejected: Iterable[Rejected], record: Record) -> None:
        """Remember rejections for the permits of their pilot. Keys are stepped apart, so a record says nothing of another pilot
        than its key's."""
        for each in rejected:
            mine = each.pilot and (record.key is None or record.key == each.pilot.encode())
            pilot = self.pilots.get(each.pilot) if mine else None
            if pilot is not None:
                pilot.rejections = pilot.rejections.after(each.received, each.field, each.reason, each.detail)
                self.dirty.add(pilot.id)

    def control(self, record: Record) -> Outputs:
        """Step one control record; what may not take effect is rejected with its reason."""
        out = Outputs()
        act = validate_control(record, self._control_topic, self.partition, secret=self._secret)
        if isinstance(act, Rejected):
            out.rejected.append(act)
            return out
        try:
            by = signed_by(self._plan(act.pilot), act, record, self._admitters, self._open)
            self._act(act, record.received, out, by)
        except (ControlRefused, Forged) as refused:
            reject = Rejecter(record, self._control_topic, self.partition, self._secret)
            detail = f"{refused.reason}: {refused.detail}"
            why = (
                RejectionReason.FORGED
                if isinstance(refused, Forged)
                else _WHYS.get(refused.reason, RejectionReason.CONTROL_REFUSED)
            )
            out.rejected.append(reject(why, refused.field, detail, pilot=act.pilot))
        return out

    def take_claim(self, claim: Claim) -> None:
        """Go on as the owner of this claim: for replays, where one machine steps the entries of several owners in turn."""
        self.epoch = claim.epoch
        self._hot.epoch(claim.epoch)
        self._admitters = Trusted(claim.admitters) if claim.admitters else None
        self._open = not self._admitters if claim.open_mode is None else claim.open_mode
        self._owner_of = claim.owners.get

    def time(self, now: int, *, unbroken: bool = False) -> Outputs:
        """Step to `now` (ms): fire every timer due before it. `unbroken`: time ran on from the last `time` to this one without
        a gap, through entries that are not stepped (a history of single pilots leaves them out)."""
        out = Outputs()
        step = now - self.partition_state.last_time if self.partition_state.last_time and self._journalled else 0
        step = min(step, GAP_MS) if unbroken else step
        if step > GAP_MS:
            self._away(step, now, out)
        elif step < -GAP_MS and not self._flagged:
            # Until the clock is there again nothing falls due, so nobody is watched.
            self._away(0, self.partition_state.last_time, out)
        fired = False
        while (due := self.notify_at) is not None and due < now:
            pilot = self.pilots[heappop(self._due)[1]]
            self._hot.use(pilot)
            self._fire(pilot, now, NEVER, out)
            fired = True
            self.pilots.evict_excess()
        if 0 < step <= GAP_MS:
            self._back(now, out)
        self.partition_state.last_time = max(self.partition_state.last_time, now)
        if fired:
            self._closed(out)
        return out

    # ---- one event, one act

    def _at_once(self, batch: EventBatch, run: EventRun, first: int, owner: str | None, pieces: Pieces) -> bool:
        """Take a batch at once, a run's events from `first` on, if there is nothing out of the ordinary in it. Timers that are due
        before its first event fire in any case."""
        pilot = self.pilots.get(batch.events[0].subject) if self.fast_path else None
        if pilot is None or pilot.exited or (owner is not None and owner != pilot.charter.participant.id):
            return False
        if open_allowance(pilot.plan) is not None:
            return False  # each event may open a period too many
        if pilot.plan.firm and not _word_is_signed(pilot.plan, batch, run, first):
            return False
        clipped = nondecreasing(run.received[first : first + len(batch.events)], pilot.received)
        if pilot.due < clipped[0]:
            fired = Outputs()
            self._reach(pilot, clipped[0], fired)
            pieces.append((run.records[first].offset, fired))
        if clipped[-1] > pilot.received and pilot.due < clipped[-1]:
            return False
        out = Outputs()
        if not self._hot.fast_path(pilot).take(batch, clipped, out):
            return False
        pieces.append((run.records[first + len(batch.events) - 1].offset, out))
        pilot.received = clipped[-1]
        self.dirty.add(pilot.id)
        self.fast_path_events += len(batch.events)
        return True

    def _head_first(self, event: Envelope, received: int) -> bool:
        """Whether an event stands before its neighbours alone: its source is new, or a timer fires before it."""
        pilot = self.pilots.get(event.subject) if self.fast_path else None
        if pilot is None or pilot.exited:
            return False
        return short(event.source) not in pilot.sources or (received > pilot.received and pilot.due < received)

    def _may_fold(self, name: str) -> bool:
        """Whether part of a batch might be taken where the whole was not."""
        pilot = self.pilots.get(name)
        return self.fast_path and pilot is not None and not self._hot.fast_path(pilot).idle

    def _event(
        self, event: Envelope, received: int, owner: str | None, out: Outputs
    ) -> tuple[RejectionReason, str] | None:
        """Step one event; when it may not be taken, say why and which field."""
        pilot = self.pilots.get(event.subject)
        if pilot is None:
            return RejectionReason.NOT_ADMITTED, "subject"
        if owner is not None and owner != pilot.charter.participant.id:
            return RejectionReason.NOT_YOURS, "subject"
        if pilot.exited:
            return RejectionReason.AFTER_EXIT, "subject"
        at = self._reach(pilot, received, out)
        self._hot.disturbed(pilot)
        found = arrived(pilot, event, at)
        if found in ("conflict", "too_old"):
            self._contested(pilot, event, found == "conflict", out)
            return (
                RejectionReason.SOURCE_CONFLICT if found == "conflict" else RejectionReason.SEQUENCE_TOO_OLD
            ), "sequence"
        if found == "new":
            if isinstance(event, CommandAcknowledged) and (field := _not_in_force(pilot, event)):
                return RejectionReason.NOT_IN_FORCE, field
            if before_admission(pilot, event):
                return RejectionReason.BEFORE_ADMISSION, "time"
            context = DecisionContext(pilot, pilot.plan, at, event, out, self.epoch)
            ended = observe(context, tidied(event))
            if (most := open_allowance(pilot.plan)) is not None:
                shed(context, most)
            if ended or context.recorded:
                self._settled(context)
                self._arm(pilot)
        return None

    def _contested(self, pilot: Pilot, event: Envelope, conflict: bool, out: Outputs) -> None:
        """Act on what an event says that is rejected for its number. The same event may come again, and others under its number
        and id: so the standing is part of the cause, and no two decisions share an id."""
        cause = f"event:{event.source}#{int(event.sequence)}/{event.id}@{pilot.standing.counter + 1}"
        context = DecisionContext(pilot, pilot.plan, pilot.received, cause, out, self.epoch)
        contested(context, event, conflict)
        if context.recorded:
            self._settled(context)
            self._arm(pilot)

    def _act(self, act: ControlBase, received: int, out: Outputs, by: Proved) -> None:
        """Let one act take effect. Raises ControlRefused."""
        pilot = self.pilots.get(act.pilot)
        if pilot is None:
            if not isinstance(act, Admission):
                raise ControlRefused("pilot", Refusal.NOT_ADMITTED, f"{act.pilot} has not been admitted")
            self._admitted(act, received, out, by)
            return
        firm = act.author == pilot.charter.participant.id
        acts_once.check_copy(pilot.acts, act, by, firm)
        if pilot.exited:
            raise ControlRefused(
                "pilot", Refusal.AFTER_EXIT, f"{act.pilot} has left the sandbox; a new pilot needs a new name"
            )
        if isinstance(act, Admission) or (isinstance(act, Amendment) and charter_hash(act.charter) == pilot.hash):
            acts_once.check_already_admitted(pilot.acts, act, by, pilot.charter.version, pilot.hash)
        acts_once.check_time(act, received)
        at = self._reach(pilot, received, out)
        authority.check_role(pilot.charter, act, by)
        standing, old = pilot.standing, pilot.plan.keys
        seen = standing.lifting.last if isinstance(act, Release) else standing.lifting.basis
        seen = seen if isinstance(act, acts_once.RELEASE_STEPS) else 0
        acts_once.check_valid(pilot.acts, act, by, firm, standing.counter, seen)
        context = DecisionContext(pilot, pilot.plan, at, f"control:{act.id}", out, self.epoch, by.key)
        self._hot.changed(pilot)
        apply_act(context, act)
        if not self._service:
            stop_tracking(pilot)
        if isinstance(act, Amendment):
            others = self._admitters.ids if self._admitters else ()
            acts_once.change_keys(pilot.acts, act, old, pilot.plan.keys, others, pilot.standing.counter)
            pilot.acts.by = (act.author, by.key)
        acts_once.remember_act(pilot.acts, act, by, firm, pilot.standing.counter)
        self._arm(pilot)

    def _admitted(self, act: Admission, received: int, out: Outputs, by: Proved) -> None:
        """Take a pilot in. Raises ControlRefused."""
        pilot = self.pilots[act.pilot] = admit(act, received, by, self._open)
        self._hot.use(pilot)
        self.dirty.add(pilot.id)
        move = Move("act", Level.NORMAL, Level.NORMAL, Reason.ADMITTED, False)
        version = Finding(rule=f"version {act.charter.version}")
        DecisionContext(pilot, pilot.plan, received, f"control:{act.id}", out, self.epoch, by.key).record(
            move, version, act.author
        )
        acts_once.remember_act(pilot.acts, act, by, act.author == act.charter.participant.id, pilot.standing.counter)
        self._arm(pilot)

    def _reach(self, pilot: Pilot, received: int, out: Outputs) -> int:
        """Bring a pilot to `received` (ms), clipped so that it never falls: timers due before it fire first."""
        self._hot.use(pilot)
        if received > pilot.received:
            if pilot.due < received:
                self._fire(pilot, received, self.partition_state.last_time + GAP_MS if self._journalled else NEVER, out)
            pilot.received = received
        self.dirty.add(pilot.id)
        return pilot.received

    # ---- timers

    def _arm(self, pilot: Pilot) -> None:
        """Work out the pilot's next due time again, and up to where its periods are closed."""
        due = pilot.due = next_timer(pilot)[0]
        if due != self._dues.get(pilot.id) and due < NEVER:
            heappush(self._due, (due, pilot.id))
        self._dues[pilot.id] = due
        if len(self._due) > 2 * len(self._dues) + STALE_TIMERS:  # most of it is no longer true
            self._due = [(at, name) for name, at in self._dues.items() if at < NEVER]
            heapify(self._due)
        if pilot.exited:
            self._edges.pop(pilot.id, None)
            return
        closes = next_closing(pilot)
        if closes is not None:
            self._edges[pilot.id] = closes.edge

    def _plan(self, name: str) -> Plan | None:
        """The plan of a pilot, who wakes for it; `None` when there is none."""
        pilot = self.pilots.get(name)
        return None if pilot is None else pilot.plan

    def _loaded(self, pilot: Pilot) -> None:
        """A pilot that slept is ready again, as it was."""
        pilot.due = self._dues[pilot.id]

    def _fire(self, pilot: Pilot, before: int, silence_until: int, out: Outputs) -> None:
        """Fire the pilot's timers due before `before` in order of due time; silence only up to `silence_until`: later than
        that the monitor itself was not there to hear."""
        plan = pilot.plan
        self._hot.changed(pilot)
        self.dirty.add(pilot.id)
        far = Tries(len(plan.closes)) if self.skips_empty_periods and before - pilot.due > plan.leap_ms else None
        while (timer := next_timer(pilot))[0] < before:
            due, kind, name = timer
            if due > silence_until and kind in ("silence", "overdue", "drill", "rectify"):
                postpone(pilot, kind, name, before)
                continue
            pilot.received = max(pilot.received, due)
            context = DecisionContext(pilot, plan, due, f"timer:{kind}/{name}@{due}", out, self.epoch)
            if kind == "close":
                close(context, plan.indicator(name))
                if far:
                    far.closed(lambda: self._leap(pilot, before))
            elif kind == "silence":
                raise_silence(context, plan.indicator(name))
            elif kind == "overdue":
                command_overdue(context)
            elif kind == "again":
                resend(context)
            elif kind == "rectify":
                not_rectified(context)
            elif kind == "unshelve":
                context.apply(unshelve(pilot.standing, name, due), Finding(rule=name), key=name)
            elif kind == "drill":
                pilot.drilled = due
                if not self._service:
                    continue
                with suppress(ControlRefused):  # a halt stands, or the last drill is still open
                    begin_drill(context, full_stop=False)
            else:
                finding = Finding(rule="unknown", detail=pilot.standing.flag)
                context.raise_finding("unknown", Level.ESCALATE, Reason.UNKNOWN_TOO_LONG, finding)
                level = pilot.standing.level
                if plan.strict and not pilot.standing.halted:
                    context.record(Move("flag", level, level, Reason.LAPSED, False), finding)
            self._settled(context)
        self._arm(pilot)

    def _leap(self, pilot: Pilot, before: int) -> bool:
        """Pass over periods that hold nothing, if such close next. Returns whether there were any."""
        passed = leap(pilot, before, self._evidence) if next_timer(pilot)[1] == "close" else 0
        self.skipped_periods += passed
        return passed > 0

    def _settled(self, context: DecisionContext) -> None:
        """A cause has been dealt with: where a crossing of a limit was tolerated, its share of alpha is spent."""
        if context.tolerated:
            standing = context.pilot.standing
            context.pilot.standing = structs.replace(standing, restart=standing.restart + 1)
            restart_statistics(context.pilot, context.plan, standing.restart + 1)
        if not self._service:
            stop_tracking(context.pilot)

    # ---- the partition as a whole

    def _away(self, step: int, now: int, out: Outputs) -> None:
        """No `time` for more than 30 s, or one that lies before the last: a fault of ours. Silence deadlines move on by `step`
        (ms), and everybody is flagged."""
        absence = Finding(rule="monitor", period_start=now - step, period_end=now) if step else Finding(rule="monitor")
        for name in sorted(self.pilots):
            pilot = self.pilots[name]
            if pilot.exited:
                continue
            pilot.heard = {watch: min(now, at + step) for watch, at in pilot.heard.items()}
            if step:
                pilot.outage = (now - step, now)
            standing = pilot.standing
            if standing.halt_state.due is not None:
                order = structs.replace(standing.halt_state, due=standing.halt_state.due + step)
                pilot.standing = structs.replace(standing, halt_state=order)
            sending = standing.retransmission
            if (
                sending is not None and sending.due is not None and sending.due < now
            ):  # at once, and once, not as often as was missed
                pilot.standing = structs.replace(pilot.standing, retransmission=structs.replace(sending, due=now))
            self._own_fault(pilot, now, out).flag("monitor", Reason.MONITOR_GAP, absence)
            self._flagged.add(name)
            self._arm(pilot)
            self.pilots.evict_excess()

    def lost(self, lost: dict[str, tuple[int, int]]) -> Outputs:
        """The log has deleted these offsets of telemetry (topic -> first lost, first kept) before they were stepped: every pilot that
        may have sent some of it gets a finding, and its state is not known until time goes on. No time passes."""
        out = Outputs()
        for topic, (first, kept) in sorted(lost.items()):
            owner = self._owner_of(topic)
            where = f"{topic}/{self.partition} offsets {first} to {kept - 1}"
            finding = Finding(rule="telemetry", observed=float(kept - first), detail=where)
            for name in sorted(self.pilots):
                pilot = self.pilots[name]
                if pilot.exited or (owner is not None and owner != pilot.charter.participant.id):
                    continue
                self.dirty.add(name)
                context = DecisionContext(
                    pilot, pilot.plan, pilot.received, f"lost:{topic}@{first}-{kept}", out, self.epoch
                )
                context.flag("monitor", Reason.MONITOR_GAP, finding)
                self._flagged.add(name)
                if pilot.plan.slowest is not None:  # its periods count the quiet ones after which the finding leaves
                    level = Level[pilot.charter.responses.sequence_gap.upper()]
                    context.raise_finding(TELEMETRY_LOST_KEY, level, Reason.TELEMETRY_LOST, finding)
                self._arm(pilot)
                self.pilots.evict_excess()
        return out

    def _back(self, now: int, out: Outputs) -> None:
        """Time goes on as it should again."""
        for name in sorted(self._flagged):
            pilot = self.pilots[name]
            if "monitor" in pilot.standing.unknown:
                self._own_fault(pilot, now, out).unflag("monitor")
                self._arm(pilot)
        self._flagged.clear()

    def _own_fault(self, pilot: Pilot, now: int, out: Outputs) -> DecisionContext:
        self.dirty.add(pilot.id)
        pilot.received = max(pilot.received, now)
        return DecisionContext(pilot, pilot.plan, pilot.received, f"timer:monitor_gap@{now}", out, self.epoch)

    def _closed(self, out: Outputs) -> None:
        """Tell the second stage up to where every period of this partition is closed."""
        through = min(self._edges.values(), default=0)
        if through > self.partition_state.closed:
            self.partition_state.closed = through
            out.evidence.append(Closed(partition=self.partition, through=through))


def _word_is_signed(plan: Plan, batch: EventBatch, run: EventRun, first: int) -> bool:
    """Whether no word of the service in it is forged."""
    for kind in SIGNED_EVENTS:
        judged = None
        for event in batch.by_type.get(kind, ()):
            record = run.records[first + int(event.sequence) - batch.first]
            if record is not judged and forged(plan, record):
                return False
            judged = record  # one signature for all of its events
    return True


def nondecreasing(received: list[int], least: int) -> list[int]:
    """Times of reception (ms) clipped so that none falls below another before it, or below `least`."""
    if received[0] >= least and received == sorted(received):  # as a rule; a clip costs five times as much
        return received
    return list(accumulate(received, max, initial=least))[1:]


def _not_in_force(pilot: Pilot, event: CommandAcknowledged) -> str:
    """The field in which an acknowledgement differs from the command in force; "" when it is of that one."""
    standing, data = pilot.standing, event.data
    if data.command != standing.command:
        return "data.command"
    return "" if data.standing == standing.ordered else "data.standing"
