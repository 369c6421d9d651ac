"""Every metric of the monitor: projects outputs onto the metrics of the catalogue.

All label sets that are known beforehand exist at zero from the start, so that the first event of a kind is an increase.
Event ids, users and free text never become labels. `pilot` does, up to a cap: pilots beyond it count in the totals only
(`sandbox_monitor_pilots`), and their number is itself a metric.

This is the only home of prometheus_client.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import prometheus_client
from prometheus_client import (
    CollectorRegistry,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from monitor import __version__
from monitor.charter.spec import Charter
from monitor.http_server.refusals import HttpRefusal
from monitor.model.output_records import OutputRejection
from monitor.model.records import UNCOUNTED, Closed, Command, Decision, Evidence, Level, Outputs, Reason, Rejected
from monitor.projections.alerts import PilotAlerts
from monitor.projections.clock_board import ClockFold
from monitor.projections.institution_metrics import InstitutionMetrics
from monitor.projections.metric_catalogue import CATALOGUE, PREFIX
from monitor.projections.open_commands import ACTIONS, OpenCommand, action_of
from monitor.projections.pilot_series import COMPACT, PilotSeries, Restored
from monitor.projections.text_format import exposition_of
from monitor.validate.rejections import RejectionReason

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OUTCOMES = ("done", "unavailable", "refused", "dropped")
REJECTIONS_KEPT = 64  # distinct rejection reasons; any further one counts as `other`

# No `_created` series: they double the number of counters, and a restart is visible without them.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """All metrics of one process. Safe to read from another thread; memory is bounded by `cap` and constants.

    `cap` is the number of pilots that may be label values; the series of `rejections` (reasons) and `actors` (names)
    are created at zero.
    """

    def __init__(
        self, cap: int = 5000, rejections: Iterable[str] = tuple(RejectionReason), actors: Iterable[str] = ()
    ) -> None:
        if cap < 1:
            raise ValueError("cap must be at least 1")
        self.cap = cap
        self.registry = CollectorRegistry()
        self._unprojected = CollectorRegistry()  # all but the series of pilots
        self._lock = threading.RLock()
        self._open: dict[int, bool] = {}  # partition -> whether its authors are not proved
        self._pilots = PilotSeries(cap, lambda why: self._of["dropped_total"].labels(why).inc())
        self._rejections = {"other"}
        self.registry.register(self._unprojected)
        ProcessCollector(registry=self._unprojected)
        made = {"counter": prometheus_client.Counter, "gauge": Gauge, "histogram": Histogram}
        self._of: dict[str, Any] = {}
        for spec in CATALOGUE:
            if spec.name in _PROJECTED:
                continue
            more: dict[str, Any] = {"buckets": spec.buckets} if spec.kind == "histogram" else {}
            self._of[spec.name[len(PREFIX) :]] = made[spec.kind](
                spec.name, spec.help, spec.labels, registry=self._unprojected, **more
            )
        self._zero(rejections, actors)
        self._institution = InstitutionMetrics(lambda name: self._of[name], cap * (1 + COMPACT))
        self.registry.register(_PilotCollector(self._pilots, self._lock))

    def _zero(self, rejections: Iterable[str], actors: Iterable[str]) -> None:
        for level in Level:
            for reason in Reason:
                self._of["decisions_total"].labels(level.word, reason.value)
        for action in ACTIONS:
            self._of["commands_total"].labels(action)
            self._of["commands_again_total"].labels(action)
        for word in ("count", "proportion", "gauge"):
            self._of["evidence_total"].labels(word)
        for word in ("pilot_cap", "slot_cap", "not_finite"):
            self._of["dropped_total"].labels(word)
        for actor in actors:
            self._of["act_pending"].labels(actor)
            self._of["actor_clock_skew_seconds"].labels(actor)
            for outcome in OUTCOMES:
                self._of["acted_total"].labels(actor, outcome)
        for word in UNCOUNTED:
            self._of["uncounted_total"].labels(word)
        for word in ("other", *rejections):
            self._of["rejected_total"].labels(self._rejection(str(word)))
        for refusal in HttpRefusal:
            self._of["http_refused_total"].labels(refusal.value)
        self._of["build_info"].labels(__version__).set(1)

    # -- outputs of the machine

    def observe(self, outputs: Outputs, now_ms: int | None = None) -> None:
        """Project durable outputs. Repeats (a standing not above the last one) change nothing.

        `now_ms` is the wall clock and counts as a heartbeat of the monitor.
        """
        with self._lock:
            for rejected in outputs.rejected:
                self._observe_rejected(rejected)
            for decision in outputs.decisions:
                if self._pilots.add_decision(decision):
                    self._of["decisions_total"].labels(decision.level.word, decision.reason.value).inc()
                    self._institution.add_decision(decision)
            for command in outputs.commands:
                self._observe_command(command)
            if outputs.permits:
                self._of["permits_total"].inc(len(outputs.permits))
            for item in outputs.evidence:
                if isinstance(item, Closed):
                    self._of["closed_through_timestamp_seconds"].labels(str(item.partition)).set(item.through / 1000)
                else:
                    self._observe_evidence(item)
        if now_ms is not None:
            self.heartbeat(now_ms)

    def seed(
        self,
        pilot: str,
        participant: str,
        level: Level,
        *,
        unknown: bool = False,
        command: OpenCommand | None = None,
        standing: int = 0,
        since_ms: int | None = None,
        reason: Reason | None = None,
        alerts: PilotAlerts | None = None,
        clocks: ClockFold | None = None,
        restored: Restored | None = None,
    ) -> None:
        """Set the state of a pilot without a decision, after recovery, so that a halted pilot keeps its series."""
        with self._lock:
            self._pilots.seed(
                pilot,
                participant,
                level,
                unknown=unknown,
                command=command,
                standing=standing,
                since_ms=since_ms,
                reason=reason,
                alerts=alerts,
                clocks=clocks,
                restored=restored,
            )
            if level is Level.HALT and command is not None and command.action == "halt":
                seen = command.acknowledged, command.state == "verified"
                self._institution.halts.seed(pilot, command.at, acknowledged=seen[0], verified=seen[1])

    def applicant(self, pilot: str, firm: str, standing: int, states: str, clocks: ClockFold) -> None:
        """Set the state of a pilot that is not admitted: for a process that takes over its partition."""
        with self._lock:
            self._pilots.seed_applicant(pilot, firm, standing, states, clocks)

    def firms(self, classes: Mapping[str, str]) -> None:
        """Set the class in force of every firm that has one, by id."""
        with self._lock:
            self._pilots.put_firms(classes)

    def common_causes(self, decisions: Iterable[Decision]) -> None:
        """Count the findings of the second stage."""
        with self._lock:
            self._institution.add_common_causes(decisions)

    def learn(self, charter: Charter) -> None:
        """Take the labels of a charter. Call it when the charter came into force."""
        with self._lock:
            self._pilots.learn(charter)

    def left(self, pilot: str, participant: str, states: str = "") -> None:
        """The pilot left the sandbox: its series are replaced by `pilot_left` and the state of its life."""
        with self._lock:
            self._pilots.left(pilot, participant, states)

    def left_owing(self, pilot: str, participant: str, standing: int, clocks: ClockFold) -> None:
        """The pilot left, and has these legal deadlines: for a process that takes over its partition."""
        with self._lock:
            self._pilots.seed_left(pilot, participant, standing, clocks)

    def forget(self, pilot: str) -> None:
        """Remove the series of a pilot that this process no longer owns."""
        with self._lock:
            self._pilots.forget(pilot)
            self._institution.halts.forget(pilot)

    def _rejection(self, reason: str) -> str:
        if reason not in self._rejections:
            if len(self._rejections) >= REJECTIONS_KEPT:
                return "other"
            self._rejections.add(reason)
        return reason

    def _observe_rejected(self, rejected: Rejected) -> None:
        for reason, events in rejected.reasons.items():
            self._of["rejected_total"].labels(self._rejection(reason)).inc(events)
            if reason == RejectionReason.FORGED:
                self._pilots.add_forged(rejected.pilot, events)

    def _observe_command(self, command: Command) -> None:
        self._pilots.add_attempt(command)
        self._of["commands_again_total" if command.again else "commands_total"].labels(action_of(command)).inc()

    def _observe_evidence(self, evidence: Evidence) -> None:
        if evidence.dropped:
            return  # counted in `uncounted_total`
        (self._of["revisions_total"] if evidence.late else self._of["evidence_total"].labels(evidence.kind)).inc()
        self._pilots.add_evidence(evidence)

    # -- the runner, the actors and the notary

    def heartbeat(self, now_ms: int) -> None:
        """The runner made progress at `now_ms` (wall clock)."""
        self._of["heartbeat_timestamp_seconds"].set(now_ms / 1000)

    def stepped(self, seconds: float, events: int) -> None:
        """The machine processed one batch of `events` in `seconds`."""
        self._of["step_seconds"].observe(seconds)
        self._of["events_total"].inc(events)

    def uncounted(self, events: Mapping[str, int]) -> None:
        """Add events that no indicator counts, by kind (`UNCOUNTED`)."""
        for kind, number in events.items():
            self._of["uncounted_total"].labels(kind).inc(number)

    def woken(self, delay_seconds: float) -> None:
        """A timer ran `delay_seconds` after its due time."""
        self._of["notify_delay_seconds"].observe(max(0.0, delay_seconds))

    def lagging(self, topic: str, partition: int, records: int) -> None:
        """`records` of this partition are not yet processed."""
        self._of["lag_records"].labels(topic, str(partition)).set(records)

    def owns(self, partition: int, epoch: int) -> None:
        """This process owns the partition under `epoch`."""
        self._of["partition_epoch"].labels(str(partition)).set(epoch)

    def open_mode(self, on: bool) -> None:
        """Whether no author is proved, before the state of a partition is known."""
        self._of["open_mode"].set(int(on))

    def configured(self, partition: int, version: int, digest: str, open_mode: bool) -> None:
        """The version (0 = not founded) and digest of the sandbox's configuration in the partition, and whether it is
        in open mode; the process is in open mode while one of its partitions is."""
        self._of["configuration_version"].labels(str(partition)).set(version)
        self._of["configuration_digest"].labels(str(partition)).set(int(digest[:12] or "0", 16))
        self._open[partition] = open_mode
        self._of["open_mode"].set(int(any(self._open.values())))

    def shared_topics(self, on: bool) -> None:
        """Whether participants share the topics of telemetry, commands and permits."""
        self._of["shared_topics"].set(int(on))

    def without_topics(self, participants: int) -> None:
        """Set the number of participants without usable separate topics."""
        self._of["participants_without_topics"].set(participants)

    def kafka_denied(self, user: str, operation: str, resource: str) -> None:
        """Count an operation that the brokers' authorizer denied."""
        self._of["kafka_denied_total"].labels(user, operation, resource).inc()

    def http_refused(self, reason: str) -> None:
        """An HTTP server refused a request or a connection for a reason of `HttpRefusal`."""
        self._of["http_refused_total"].labels(reason).inc()

    def short_leases(self, partition: int, pilots: int) -> None:
        """Set the number of pilots whose services may stop when one worker crashes."""
        self._of["leases_short"].labels(str(partition)).set(pilots)

    def checkpointed(self, partition: int, now_ms: int) -> None:
        """The partition's state was saved at `now_ms` (wall clock)."""
        self._of["checkpoint_timestamp_seconds"].labels(str(partition)).set(now_ms / 1000)

    def set_aside(self, partition: int, pilots: int) -> None:
        """So many pilots of the partition are set aside: their stored state cannot be read."""
        self._of["pilots_set_aside"].labels(str(partition)).set(pilots)

    def held(self, partition: int, resident: int, evicted: int) -> None:
        """Set the number of resident and of evicted pilots of the partition."""
        for state, number in (("awake", resident), ("asleep", evicted)):
            self._of["pilots_held"].labels(str(partition), state).set(number)

    def revoked(self, partition: int) -> None:
        """The partition is gone: its series end, so that no stale age raises an alert. Pilots are forgotten one by
        one."""
        self._open.pop(partition, None)
        for name in (
            "partition_epoch",
            "leases_short",
            "pilots_set_aside",
            "configuration_version",
            "configuration_digest",
            "checkpoint_timestamp_seconds",
            "closed_through_timestamp_seconds",
        ):
            self._of[name].remove_by_labels({"partition": str(partition)})
        for name in ("lag_records", "pilots_held"):
            self._of[name].remove_by_labels({"partition": str(partition)})

    def acted(self, actor: str, outcome: str) -> None:
        """A delivery to `actor` was attempted; `outcome` is one of OUTCOMES."""
        self._of["acted_total"].labels(actor, outcome).inc()

    def pending(self, actor: str, decisions: int) -> None:
        """Set the number of decisions pending for `actor`."""
        self._of["act_pending"].labels(actor).set(decisions)

    def skewed(self, actor: str, seconds: float) -> None:
        """Set by how many seconds the clock of the actor's target is ahead of ours (below 0: behind)."""
        self._of["actor_clock_skew_seconds"].labels(actor).set(seconds)

    def recorded(self, entries: int = 1) -> None:
        """The notary appended `entries` entries."""
        self._of["recorded_total"].inc(entries)

    def crash_loop(self, partition: int, starts: int, positions: Mapping[str, int], deleted: Mapping[str, int]) -> None:
        """So many workers in a row ended in this partition before they made a step; the next records are those at
        `positions`. Of the topics in `deleted` the log begins only there."""
        self.crash_loop_ended(partition)
        for topic, offset in positions.items() or {"": 0}.items():
            self._of["worker_crash_loop"].labels(str(partition), topic, str(offset)).set(starts)
            if topic in deleted:
                labels = (topic, str(partition), str(offset), str(deleted[topic] - 1))
                self._of["telemetry_deleted"].labels(*labels).set(1)

    def crash_loop_ended(self, partition: int) -> None:
        """The partition has a worker that makes steps."""
        for name in ("worker_crash_loop", "telemetry_deleted"):
            self._of[name].remove_by_labels({"partition": str(partition)})

    def limited_retention(self, topic: str, limited: bool) -> None:
        """Whether the log may delete records of a telemetry topic, by time or by size."""
        self._of["telemetry_retention_limited"].labels(topic).set(int(limited))

    def incomplete_ledgers(self, ledgers: int) -> None:
        """Set the number of ledgers that end before a decision that could not be entered."""
        self._of["ledger_incomplete"].set(ledgers)

    # -- witnesses and time stamps

    def witness_answered(self, answer: str) -> None:
        """This witness gave an answer of `monitor.witness.answers.AddAnswer`."""
        self._of["witness_answers_total"].labels(answer).inc()

    def witness_known(self, answers: Iterable[str]) -> None:
        """Create the series of these answers at zero."""
        for answer in answers:
            self._of["witness_answers_total"].labels(answer)

    def witness_forks(self, kept: int) -> None:
        """Set the number of checkpoints that this witness keeps as evidence of a fork."""
        self._of["witness_forks"].set(kept)

    def cosigners_known(self, witnesses: Iterable[str], outcomes: Iterable[str]) -> None:
        """Create the series of these witnesses and outcomes at zero."""
        outcomes = tuple(outcomes)
        for witness in witnesses:
            for outcome in outcomes:
                self._of["cosignatures_total"].labels(witness, outcome)

    def cosignature(self, witness: str, outcome: str) -> None:
        """A witness was asked; `outcome` is a `monitor.witness.client.Outcome`."""
        self._of["cosignatures_total"].labels(witness, outcome).inc()

    def lacks_quorum(self, log: str, since_ms: int | None) -> None:
        """Since when the log of this origin lacks the quorum of its policy; None: it has it."""
        self._of["quorum_lacking_since_timestamp_seconds"].remove_by_labels({"log": log})
        if since_ms is not None:
            self._of["quorum_lacking_since_timestamp_seconds"].labels(log).set(since_ms / 1000)

    def stamp_failed(self, reason: str) -> None:
        """A time stamp failed, or lacks something that proves it."""
        self._of["stamp_failures_total"].labels(reason).inc()

    def unstamped(self, since_ms: int | None) -> None:
        """Since when the oldest checkpoint without a time stamp waits; None: none does."""
        self._of["unstamped_since_timestamp_seconds"].set((since_ms or 0) / 1000)

    # -- the publication

    def publication_round(self, outcome: str, rounds: int = 1) -> None:
        """Count rounds that ended like this (`monitor.publication.service.RoundOutcome`)."""
        self._of["publication_rounds_total"].labels(outcome).inc(rounds)

    def publication_refused(self, reason: str, logs: int) -> None:
        """Set the number of logs that refuse to sign for this reason."""
        self._of["publication_refused"].labels(reason).set(logs)

    def published_until(self, now_ms: int) -> None:
        """What was entered before `now_ms` (wall clock) is published."""
        self._of["published_until_timestamp_seconds"].set(now_ms / 1000)

    def published(self, leaves: int, entries: int, now_ms: int | None) -> None:
        """Set the sizes of what is visible; `now_ms` (wall clock) when a checkpoint became visible just now."""
        self._of["published_leaves"].set(leaves)
        self._of["published_entries"].set(entries)
        if now_ms is not None:
            self._of["published_checkpoint_timestamp_seconds"].set(now_ms / 1000)

    # -- readers of outputs

    def reads(self, topic: str) -> None:
        """This process reads the output topic: its skips are counted from zero."""
        self._of["reader_records_total"].labels(topic)
        for reason in OutputRejection:
            self._of["foreign_records_total"].labels(topic, reason.value)

    def skipped_output(self, topic: str, reason: OutputRejection) -> None:
        """A record of the topic is no output of the monitor, and was skipped."""
        self._of["foreign_records_total"].labels(topic, reason.value).inc()

    def reading(self, topic: str, partition: int, position: int, lag: int, records: int) -> None:
        """`records` of the partition were read up to `position`, and `lag` more are there."""
        self._of["reader_records_total"].labels(topic).inc(records)
        self._of["reader_position"].labels(topic, str(partition)).set(position)
        self._of["reader_lag_records"].labels(topic, str(partition)).set(lag)

    def reading_failed(self) -> None:
        """Reading outputs failed, and is tried again."""
        self._of["reader_failures_total"].inc()

    # -- out

    def exposition(self) -> bytes:
        """Everything in the Prometheus text format; its media type is `CONTENT_TYPE`."""
        with self._lock:
            samples = list(self._pilots.samples())
        pilots = exposition_of((spec for spec in CATALOGUE if spec.name in _PROJECTED), samples)
        return generate_latest(self._unprojected) + pilots.encode()

    def serve(self, port: int, host: str = "127.0.0.1") -> tuple[int, Callable[[], None]]:
        """Answer `/metrics` from a thread. Port 0 picks a free one. Returns the port and a function that stops it."""
        server, thread = start_http_server(port, host, self.registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return int(server.server_port), stop


_TOTALS = (
    "pilots", "pilots_unknown", "pilots_beyond_cap", "commands_open", "halts_standing", "pilots_in_state",
    "declared_alarms_per_year", "firm_class",
)  # fmt: skip

# Read from the table of pilots at scrape time, so that a pilot that leaves takes all of its series along.
_PROJECTED = frozenset(
    spec.name for spec in CATALOGUE if "pilot" in spec.labels or spec.name in {PREFIX + name for name in _TOTALS}
)


class _PilotCollector(Collector):
    def __init__(self, pilots: PilotSeries, lock: threading.RLock) -> None:
        self._pilots = pilots
        self._lock = lock

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        kinds = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}
        families = {
            spec.name[len(PREFIX) :]: kinds[spec.kind](spec.name, spec.help, labels=spec.labels)
            for spec in CATALOGUE
            if spec.name in _PROJECTED
        }
        with self._lock:
            for name, labels, value in self._pilots.samples():
                families[name].add_metric(labels, value)
        yield from families.values()
