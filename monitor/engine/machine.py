"""One partition as a deterministic state machine: records in, outputs out, and when to be woken next. Start reading
here.

Pure: no clock, no randomness, no input or output. `telemetry`, `control` and `time` are the three kinds of input, in
the order that the journal fixes. Results never depend on how records were cut into batches.

`Machine.step_event` is the pipeline of one event. Its stages have the names of the folders: validate, observe, detect,
decide, record. Most events never reach it one by one: `monitor/engine/batched.py` takes runs of ordinary events at
once, with the same result.

A timer fires at its due time and carries it: just before the pilot's first record with a later `received`, else at the
first `time` that is later. Both ways give the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from functools import partial

import msgspec

from monitor.charter.control import Amendment, ControlBase
from monitor.compile.state_size import open_allowance
from monitor.deadlines.rules import ClockTable
from monitor.decide.events import decide
from monitor.decide.senders import ANYBODY, Sender, Senders
from monitor.detect.events import detect
from monitor.detect.shed import shed
from monitor.engine.acts import ControlActs, SandboxStates
from monitor.engine.aside import PilotsAside
from monitor.engine.batched import BatchStepper
from monitor.engine.clock_tables import follow_clock_table
from monitor.engine.firing import TimerFiring
from monitor.engine.outages import Outages
from monitor.engine.partition import Partition, PartitionState
from monitor.engine.shadows import AppliedAct, Shadows
from monitor.engine.telemetry import EventRejection, RecordStepper, TopicBatch
from monitor.errors import ControlRefused, Forged, LogBroken
from monitor.lifecycle.acts import Role
from monitor.lifecycle.sandbox import SUBJECT, Sandbox
from monitor.lifecycle.sandbox_acts import SandboxState, configuration_digest
from monitor.model.event_ids import TAKE_EFFECT, not_a_pseudonym
from monitor.model.events import CommandAcknowledged, Envelope, Event
from monitor.model.labels import tidied
from monitor.model.pseudonyms import shown
from monitor.model.records import Claim, Closed, Outputs, Record, Rejected
from monitor.model.refusals import FORGERIES, Forgery, Refusal
from monitor.model.signing import Trusted
from monitor.model.subjects import SHADOW, firm_subject
from monitor.observe.contested import observe_contested
from monitor.observe.events import before_admission, observe
from monitor.observe.fast_path_cache import HOT_PILOTS
from monitor.observe.names import without_names
from monitor.state.applicant import Applicant, applicant_snapshot, restored_applicant
from monitor.state.firm_file import ClassInForce, FirmFile, firm_snapshot, restored_firm
from monitor.state.model_file import ModelFile, model_snapshot, restored_model
from monitor.state.pilot import PilotState
from monitor.state.pilot_cache import RESIDENT_PILOTS
from monitor.state.sandbox import restored_subject
from monitor.state.sequences import Arrival, accept_sequence
from monitor.state.timers import GAP_WAIT_MS, NEVER
from monitor.validate.parse import validate_control
from monitor.validate.rejections import Rejecter, RejectionReason

GAP_MS = 30_000  # a longer step between two `time` is a fault of the monitor, never silence of a firm
# Refusals that have a rejection reason of the same meaning; any other is `control_refused`.
_REJECTIONS: dict[str, RejectionReason] = {
    Refusal.REPEATED: RejectionReason.REPEATED,
    Refusal.CONFLICT: RejectionReason.CONFLICT,
    Refusal.ALREADY_ADMITTED: RejectionReason.CONFLICT,
}

NO_KEYS: Mapping[str, str] = {}


class Machine:
    """The state machine of one partition.

    `journalled` is False only for replays of logs without a journal: they behave as if a `time` were read at each due
    time, so the monitor was never unavailable, and they list every rejection. `secret` keys the digests of rejected
    input. `owner_of` returns the participant that alone may write a telemetry topic (`None` = everybody). `keyed`: a
    record without a key is rejected, as it is in no pilot's partition. `admitters` may admit pilots, and amend or end
    them in place of an officer. `open_mode` (default: on where there are no `admitters`) lets everybody who writes to
    control admit; the record says whether it was signed.

    `resident` is how many pilots are kept as objects, `hot` how many of these with unpacked detectors; outputs depend
    on neither. `events` counts the valid events that were stepped, `fast_path_events` those of them that were taken
    in batches, `skipped_periods` the empty periods that were not closed one by one. `dirty` are the pilots that
    changed since the caller cleared it.

    For replays without a journal: `service` False says that no service received commands, so whether a command is
    obeyed is not judged, and nothing is drilled. `evidence` False: empty periods leave no evidence; decisions are the
    same (`monitor/detect/leap.py`).
    """

    fast_path = True  # False: every event takes the slow path, with the same result
    skips_empty_periods = True  # False: every period is closed one by one, with the same result
    gap_ms = GAP_MS  # another value only where a test drives the clock in longer steps (`monitor/testing/driven.py`)

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
        shadows: bool = True,
    ) -> None:
        self._partition = Partition(partition, epoch, resident=resident, hot=hot, service=service)
        self.pilots = self._partition.pilots
        self.dirty = self._partition.changed
        self._timers = TimerFiring(self._partition, evidence=evidence, skips_empty_periods=self.skips_empty_periods)
        self._outages = Outages(self._partition)
        self._aside = PilotsAside(self._partition)
        self._acts = ControlActs(
            self._partition, self._aside, self._catch_up, admitters, open_mode, applied=self._act_applied
        )
        self._single = RecordStepper(self._partition, self.step_event, keyed=keyed, secret=secret, limited=journalled)
        self._senders = Senders()
        self._batched = BatchStepper(self._partition, self._single, self._catch_up, self._senders)
        self._uncounted: dict[str, int] = {}
        self._digested: tuple[Sandbox | None, str] = (None, "")  # the configuration, and its digest
        self._journalled, self._keyed = journalled, keyed
        self._shadows = Shadows(self._partition, self._shadow_machine)
        self._steps_shadows = shadows
        self._applied: AppliedAct | None = None  # the act that took effect in this step
        self._secret = secret
        self._control_topic = control_topic
        self._owner_of = owner_of

    # ---- the pipeline of one event

    def step_event(self, event: Event, record: Record, owner: str | None, out: Outputs) -> EventRejection | None:
        """Step one well-formed event of `record`. Returns why it is rejected, or `None`."""
        partition = self._partition
        # Validate what depends on the pilot; bytes, schema and times are validated in `monitor/validate/parse.py`.
        pilot = partition.pilots.get(event.subject)
        if pilot is None:
            return EventRejection(self._aside.why(event.subject), "subject")
        sender = self._senders.sender(pilot.plan, record, event) if pilot.plan.signed else ANYBODY
        if (rejection := _not_accepted(pilot, sender, owner)) is not None:
            return rejection
        field = ""
        if pilot.plan.pseudonyms:
            field, event = not_a_pseudonym(event), without_names(pilot.plan, event)
        assert isinstance(sender, Sender)
        if sender.key:
            event = sender.named(event)
        by_reporter = bool(sender.reporter)
        # Catch up timers: what was due before this record fires first.
        at = self._catch_up(pilot, record.received, out)
        partition.hot.disturbed(pilot)
        # Accept the sequence number: an event counts once.
        arrival = accept_sequence(pilot, event, at, sender.key)
        if arrival == "repeat":
            return None
        if pilot.gap is not None:
            self._wait_for_gap(pilot, pilot.gap)
        if arrival != "new":
            return self._contested(pilot, event, arrival, out, by_reporter)
        if (rejection := _not_applicable(pilot, event)) is not None:
            return rejection
        if field:
            rejection = EventRejection(RejectionReason.NOT_A_PSEUDONYM, field)
            if not isinstance(event, TAKE_EFFECT):
                return rejection
        context = partition.context(pilot, at, event, out)
        event = tidied(event)
        # Observe: the event becomes counts of open periods.
        observed = observe(context, event, by_reporter=by_reporter)
        # Detect: the counts meet the detectors.
        detect(context, observed)
        # Decide: rules for single events, the command in force, the next permit.
        rearm = decide(context, event, observed, by_reporter=by_reporter)
        if (most := open_allowance(pilot.plan)) is not None:
            shed(context, most)
        # Record: the context has put each move and its command on `out` as it was decided.
        if rearm or context.recorded:
            partition.settle(context)
            partition.arm(pilot)
        return rejection

    def _wait_for_gap(self, pilot: PilotState, noticed: int) -> None:
        """Set the timer of a gap that was `noticed` then (ms)."""
        if noticed + GAP_WAIT_MS < pilot.due:
            self._partition.arm(pilot)

    def _contested(
        self, pilot: PilotState, event: Envelope, arrival: Arrival, out: Outputs, by_reporter: bool
    ) -> EventRejection:
        """Reject an event for its sequence number or the key of its source; reports of harm in it still take effect.

        The same event may be resent, and others may reuse its sequence number and id, so the cause includes the
        standing: no two decisions share an id.
        """
        name = shown(event.id) if pilot.plan.pseudonyms else event.id
        cause = f"event:{event.source}#{int(event.sequence)}/{name}@{pilot.standing.counter + 1}"
        context = self._partition.context(pilot, pilot.received, cause, out)
        observe_contested(context, event, arrival, by_reporter)
        if context.recorded:
            self._partition.settle(context)
            self._partition.arm(pilot)
        if arrival == "older_key":
            return _forged(Forgery.OLDER_KEY)
        return EventRejection(
            RejectionReason.SOURCE_CONFLICT if arrival == "conflict" else RejectionReason.SEQUENCE_TOO_OLD, "sequence"
        )

    def _catch_up(self, pilot: PilotState, received: int, out: Outputs) -> int:
        """Bring a pilot to `received` (ms): timers that were due before it fire first. Returns the time that was
        reached, which never falls."""
        partition = self._partition
        partition.hot.use(pilot)
        if received > pilot.received:
            if pilot.due < received:
                heard_until = partition.state.last_time + self.gap_ms if self._journalled else NEVER
                self._timers.fire(pilot, received, heard_until, out)
            pilot.received = received
        partition.changed.add(pilot.id)
        return pilot.received

    # ---- the three inputs

    def telemetry(self, topic: str, records: Sequence[Record]) -> Outputs:
        """Step telemetry records of one topic in offset order."""
        steps = self.telemetry_steps(topic, records)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                out: Outputs = done.value
                return out

    def telemetry_steps(self, topic: str, records: Sequence[Record]) -> Generator[None, None, Outputs]:
        """The same in steps; the outputs are the generator's result. Between two steps records of another topic may be
        stepped, and nothing else: no act, no time, no snapshot. Results do not depend on where it pauses, as no pilot
        has events on two topics."""
        stretch = TopicBatch(topic, self._owner_of(topic))
        if self.fast_path:
            out = yield from self._batched.steps(records, stretch)
        else:
            self._single.records(records, stretch)
            out = self._single.outputs(stretch)
        self._senders.forget()
        self.pilots.evict_excess()
        if self._shadows:
            yield from self._shadows.telemetry(topic, records, out)
        for kind, events in out.uncounted.items():
            self._uncounted[kind] = self._uncounted.get(kind, 0) + events
        return out

    def control(self, record: Record) -> Outputs:
        """Step one control record; an act that may not take effect is rejected with its reason."""
        out = Outputs()
        act = validate_control(record, self._control_topic, self._partition.number, secret=self._secret)
        if isinstance(act, Rejected):
            out.rejected.append(act)
            return out
        if self._shadows:
            self._shadows.prepare()
        before, self._applied = self._partition.sandbox.sandbox, None
        try:
            self._acts.step(act, record, out)
        except Forged as refused:
            self._reject_act(RejectionReason.FORGED, refused, act.pilot, record, out)
        except ControlRefused as refused:
            reason = _REJECTIONS.get(refused.reason, RejectionReason.CONTROL_REFUSED)
            self._reject_act(reason, refused, act.pilot, record, out)
        if self._steps_shadows and (self._shadows or self._applied is not None):
            if self._partition.sandbox.sandbox is not before:
                self._shadows.configured(record.received, self._partition.subject.at, out)
            else:
                self._shadows.control(record.received, self._applied, out)
        return out

    def time(self, now: int, *, unbroken: bool = False) -> Outputs:
        """Step to `now` (ms): fire every timer due before it. `unbroken`: time went on from the last `time` to this
        one without a gap, through entries that are not stepped (a history of single pilots leaves them out)."""
        out = Outputs()
        self._shadows.prepare()
        state = self._partition.state
        step = now - state.last_time if state.last_time and self._journalled else 0
        step = min(step, self.gap_ms) if unbroken else step
        if step > self.gap_ms:
            self._outages.begin(step, now, out)
            self._acts.applications.outage(now)
        elif step < -self.gap_ms and not self._outages.flagged:
            # Until the clock has caught up nothing falls due, so no pilot is watched.
            self._outages.begin(0, state.last_time, out)
        self._acts.applications.time(now, out)
        fired = self._partition.fire_due(now, partial(self._timers.fire, before=now, heard_until=NEVER, out=out))
        if 0 < step <= self.gap_ms:
            self._outages.end(now, out)
        state.last_time = max(state.last_time, now)
        out.rejected.extend(state.rates.released(now))
        if fired and (through := self._partition.closed_until()) > state.closed:
            state.closed = through  # the second stage waits for it
            out.evidence.append(Closed(partition=self._partition.number, through=through))
        if self._shadows:
            self._shadows.time(now, unbroken, out)
        return out

    def lost(self, lost: dict[str, tuple[int, int]], keys: Mapping[str, str] = NO_KEYS) -> Outputs:
        """The log has deleted these offsets of telemetry (topic -> first lost, first kept) before they were stepped, or
        an operator skipped the last of them (`keys`, see `Skipped`)."""
        out = Outputs()
        for topic, (first, kept) in sorted(lost.items()):
            owner = self._owner_of(topic)
            if topic in keys:
                self._outages.skipped(topic, kept - 1, keys[topic], owner, out)
            else:
                self._outages.lost(topic, first, kept, owner, out)
        self._shadows.prepare()
        self._shadows.lost(lost, dict(keys), out)
        return out

    @property
    def unreadable(self) -> Collection[str]:
        """Pilots whose snapshot is damaged, and that are not set aside yet: `set_aside` is to be called."""
        return frozenset(self._aside.unreadable)

    @property
    def aside(self) -> int:
        """How many pilots are set aside, or are to be."""
        return len(self._aside.unreadable) + len(self._partition.state.aside)

    def set_aside(self, pilots: Collection[str]) -> Outputs:
        """Continue without these pilots: nothing of them counts, no act but an admission is accepted, and what they may
        do stays as it was commanded. See `monitor/engine/aside.py`."""
        out = self._aside.set_aside(pilots)
        self._shadows.drop(sorted(pilots), self._partition.state.last_time, out)
        return out

    @property
    def clock_table(self) -> ClockTable | None:
        """The legal deadlines in force; `None` without a sandbox."""
        return self._partition.clock_table

    def use_clock_table(self, table: ClockTable | None, at: int = 0) -> Outputs:
        """Step with these legal deadlines from `at` (ms) on: for trials of a table, where there is no sandbox."""
        out = Outputs()
        follow_clock_table(self._partition, table, at, f"clocks:{at}", out, self._catch_up)
        for machine in self._shadows.machines:
            machine.use_clock_table(table, at)
        return out

    def believe_senders(self) -> None:
        """Accept events whatever signed them: for replays of events whose signatures are not contained."""
        self._senders.verify = False

    def use_configuration(self, sandbox: Sandbox, digest: str, at: int, received: int) -> Outputs:
        """Continue under this configuration of the sandbox, which an act that was received at `received` (ms) put in
        force from `at` (ms) on: for replays of histories that do not hold the act. `digest` is that of the whole
        configuration (`configuration_digest`)."""
        out = Outputs()
        self._shadows.prepare()
        self._acts.use_configuration(sandbox, digest, at, received, out)
        self._shadows.configured(received, at, out)
        return out

    def withheld(self, pilot: str, received: int) -> Outputs:
        """Step a control record on a pilot that was refused: the timers that were due before it fire. For replays of
        histories that do not hold the record."""
        out = Outputs()
        if (known := self.pilots.get(pilot)) is not None and not known.exited:
            self._catch_up(known, received, out)
            self._partition.arm(known)
        if self._shadows:
            self._shadows.prepare()
            self._shadows.control(received, None, out)
        return out

    def take_claim(self, claim: Claim) -> None:
        """Continue as the owner of this claim: for replays, where one machine steps the entries of several owners in
        turn."""
        self.epoch = claim.epoch
        self._acts.trust(Trusted(claim.admitters) if claim.admitters else None, claim.open_mode)
        self._owner_of = claim.owners.get
        self._senders.rules = claim.rules or 1
        for machine in self._shadows.machines:
            machine.take_claim(claim)

    # ---- shadow charters

    @property
    def shadows(self) -> Shadows:
        """The shadow charters that run."""
        return self._shadows

    def _act_applied(self, act: ControlBase, received: int, roles: frozenset[Role]) -> None:
        self._applied = AppliedAct(act, received, roles)

    def _shadow_machine(self) -> Machine:
        """A machine like this one, without pilots, at the same time: for one shadow charter."""
        partition = self._partition
        made = type(self)(
            partition.number,
            partition.epoch,
            journalled=self._journalled,
            control_topic=self._control_topic,
            keyed=self._keyed,
            service=partition.service,
            owner_of=self._owner_of,
            open_mode=self._acts.open_mode,
            shadows=False,
        )
        made.fast_path, made.skips_empty_periods = self.fast_path, self.skips_empty_periods
        made._senders.rules, made._senders.verify = self._senders.rules, self._senders.verify
        made._partition.state.last_time = partition.state.last_time
        made._partition.subject = msgspec.msgpack.decode(
            msgspec.msgpack.encode(partition.subject), type=type(partition.subject)
        )
        made._partition.take_clock_table()
        return made

    def amend(self, act: Amendment, received: int) -> None:
        """Put a shadow charter in force. Only of a machine of a shadow. Raises ControlRefused."""
        self._acts.amend(act, received)

    def arm(self, pilot: PilotState) -> None:
        """Compute the next due time of a pilot whose state was replaced."""
        self._partition.arm(pilot)

    def follow(self, act: ControlBase, received: int, roles: frozenset[Role], states: SandboxStates) -> Outputs:
        """Apply an act that was accepted for the pilot of this shadow. Raises ControlRefused where it does not
        apply."""
        out = Outputs()
        self._acts.follow(act, received, roles, states, out)
        return out

    # ---- state in and out

    @property
    def notify_at(self) -> int | None:
        """When a timer is due, or a sum of rejections (ms); a `time` later than that fires it. A lower bound: nothing
        is due earlier."""
        due = (self._partition.notify_at, self._partition.state.rates.due(), self._acts.applications.notify_at,
               self._shadows.notify_at)  # fmt: skip
        return min((at for at in due if at is not None), default=None)

    @property
    def open_mode(self) -> bool:
        """Whether authors are not proved: the sandbox has no keys, or without one the deployment has no admitters."""
        return self._acts.open_mode

    @property
    def applicants(self) -> Mapping[str, Applicant]:
        """The pilots that are not admitted: those whose application is open, or was refused or withdrawn."""
        return self._partition.applications

    @property
    def models(self) -> Mapping[str, ModelFile]:
        """The files of models, by key (`model:<id>`)."""
        return self._partition.models

    @property
    def firms(self) -> Mapping[str, FirmFile]:
        """The files of firms, by key (`firm:<id>`)."""
        return self._partition.firms

    def use_class(self, given: ClassInForce) -> None:
        """Put a class in force without the act that did it; nothing is recorded."""
        self._partition.firms[firm_subject(given.firm)] = FirmFile(firm_class=given.firm_class, open=given.open)

    @property
    def sandbox(self) -> SandboxState:
        """The configuration of the sandbox, as this partition has it."""
        return self._partition.sandbox

    @property
    def configuration(self) -> tuple[int, str]:
        """Version and digest of the configuration in force; 0 and "" without one."""
        sandbox = self._partition.sandbox.sandbox
        if sandbox is not self._digested[0]:
            self._digested = (sandbox, configuration_digest(sandbox))
        return 0 if sandbox is None else sandbox.version, self._digested[1]

    @property
    def sandbox_standing(self) -> int:
        """How many acts on the configuration were accepted."""
        return self._partition.subject.standing

    @property
    def partition(self) -> int:
        """The number of the partition."""
        return self._partition.number

    @property
    def epoch(self) -> int:
        """The epoch that stands in outputs."""
        return self._partition.epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._partition.epoch = epoch
        self._partition.hot.epoch(epoch)
        for machine in self._shadows.machines:
            machine.epoch = epoch

    @property
    def events(self) -> int:
        """Valid events that were stepped since the machine was made."""
        return self._single.events + self._batched.events

    @property
    def fast_path_events(self) -> int:
        """Events of `events` that were taken in batches."""
        return self._batched.events

    @property
    def skipped_periods(self) -> int:
        """Empty periods that were skipped."""
        return self._timers.skipped_periods

    @property
    def queued_timers(self) -> int:
        """Entries of the timer queue, outdated ones included."""
        return self._partition.queued_timers

    def snapshots(self, pilots: Iterable[str]) -> dict[str, bytes | None]:
        """Returns the states of the given pilots, models and firms as bytes and, under "", the state of the partition.
        The name `sandbox` is that of its configuration."""
        names = set(pilots)
        applicants, models, firms = self._partition.applications, self._partition.models, self._partition.firms
        states: dict[str, bytes | None] = {}
        for name in sorted(names - {SUBJECT}):
            if name.startswith(SHADOW) and name not in self.pilots:
                states[name] = self._shadows.snapshot(name)
            elif name in applicants:
                states[name] = applicant_snapshot(applicants[name])
            elif name in firms:
                states[name] = firm_snapshot(firms[name])
            else:
                states[name] = model_snapshot(models[name]) if name in models else self.pilots.raw(name)
        if SUBJECT in names:
            states[SUBJECT] = msgspec.msgpack.encode(self._partition.subject)
        states[""] = msgspec.msgpack.encode(self._partition.state.in_order())
        return states

    def restore(self, snapshots: dict[str, bytes]) -> None:
        """Continue from snapshots. A pilot whose snapshot is damaged is `unreadable`. Raises LogBroken when the state
        of the partition is, when too many are, or when another version of this code wrote them."""
        for name, raw in snapshots.items():
            if not name:
                try:
                    self._partition.state = msgspec.msgpack.decode(raw, type=PartitionState)
                except msgspec.MsgspecError as error:
                    raise LogBroken(f"the state of the partition cannot be read: {error}") from error
                self._aside.restored()
            elif name == SUBJECT:
                self._partition.subject = restored_subject(raw)
                self._partition.take_clock_table()
            elif name.startswith(SHADOW) and self._shadows.restore(raw):
                continue
            elif (applicant := restored_applicant(raw)) is not None:
                self._partition.applications[name] = applicant
            elif (model := restored_model(raw)) is not None:
                self._partition.models[name] = model
            elif (firm := restored_firm(raw)) is not None:
                self._partition.firms[name] = firm
            elif (pilot := self._aside.restore(name, raw)) is not None:
                self.pilots[pilot.id] = pilot
                self._outages.restored(pilot)
                self._partition.arm(pilot)
                self.pilots.evict_excess()

    def drain_uncounted(self) -> dict[str, int]:
        """Return how many events no indicator counted, by kind (`UNCOUNTED`), since the last call."""
        found, self._uncounted = self._uncounted, {}
        return found

    def _reject_act(
        self, reason: RejectionReason, refused: ControlRefused | Forged, pilot: str, record: Record, out: Outputs
    ) -> None:
        reject = Rejecter(record, self._control_topic, self._partition.number, self._secret)
        out.rejected.append(reject(reason, refused.field, f"{refused.reason}: {refused.detail}", pilot=pilot))


def _not_accepted(pilot: PilotState, sender: Sender | Forgery, owner: str | None) -> EventRejection | None:
    """Why no event of this sender is accepted for the pilot."""
    if isinstance(sender, Forgery):
        return _forged(sender)
    if owner is not None and owner != pilot.charter.participant.id:
        return EventRejection(RejectionReason.NOT_YOURS, "subject")
    if pilot.exited:
        return EventRejection(RejectionReason.AFTER_EXIT, "subject")
    return None


def _forged(why: Forgery) -> EventRejection:
    return EventRejection(RejectionReason.FORGED, "signature", f"{why.value}: {FORGERIES[why]}")


def _not_applicable(pilot: PilotState, event: Event) -> EventRejection | None:
    """Why a new event does not apply to the pilot as it stands: it acknowledges another command than the one in
    force, or is older than the pilot."""
    if isinstance(event, CommandAcknowledged):
        if event.data.command != pilot.standing.command:
            return EventRejection(RejectionReason.NOT_IN_FORCE, "data.command")
        if event.data.standing != pilot.standing.ordered:
            return EventRejection(RejectionReason.NOT_IN_FORCE, "data.standing")
    if before_admission(pilot, event):
        return EventRejection(RejectionReason.BEFORE_ADMISSION, "time")
    return None
