"""Every metric of the monitor, as one object that projects what the machine put out onto what the catalogue lists.

All label sets that can be known beforehand exist at zero from the start, so that the first event of a kind is a rise
and not a birth. Event ids, users and free text never become labels. `pilot` does, up to a cap: pilots beyond it count
in the aggregates only (`sandbox_monitor_pilots`), and how many they are is itself a metric.

This is the only home of prometheus_client.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import prometheus_client
from msgspec import structs
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
from monitor.model.records import UNCOUNTED, Closed, Command, Decision, Evidence, Level, Outputs, Reason, Rejected
from monitor.projections.alerts import Facts, PilotAlerts, facts_of
from monitor.projections.alerts import after_decision as standing_after
from monitor.projections.metric_catalogue import CATALOGUE, PREFIX
from monitor.projections.open_commands import ACTIONS, OPEN, OpenCommand, action_of, after_attempt, after_decision
from monitor.validate.rejections import RejectionReason

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ACTORS = ("alertmanager", "annotations", "json_lines")
OUTCOMES = ("done", "unavailable", "refused", "dropped")
SLOTS_PER_PILOT = 64  # (indicator, segment) pairs of one pilot that get series; a charter with more is cut, and counted
DETECTORS_PER_SLOT = 8
COMPACT = 20  # pilots beyond the cap that still count in the aggregates, as a multiple of the cap
REJECTIONS_KEPT = 64  # distinct rejection reasons; any further one counts as `other`

# No `_created` series: they double the number of counters and say nothing that a restart does not.
disable_created_metrics()  # type: ignore[no-untyped-call]


class _Slot:
    __slots__ = ("end", "k", "m", "scores")

    def __init__(self) -> None:
        self.end: int | None = None
        self.k = 0.0
        self.m = 0.0
        self.scores: dict[str, tuple[float, float]] = {}


class _Pilot:
    """What is known of one pilot; `slots` stays empty beyond the cap."""

    __slots__ = (
        "alerts",
        "alpha",
        "command",
        "forged",
        "labelled",
        "level",
        "participant",
        "reason",
        "since",
        "slots",
        "standing",
        "unknown",
    )

    def __init__(self, participant: str, labelled: bool) -> None:
        self.participant = participant
        self.labelled = labelled
        self.standing = 0
        self.level = Level.NORMAL
        self.reason: Reason | None = None
        self.since: int | None = None
        self.unknown = False
        self.command: OpenCommand | None = None
        self.alpha: float | None = None
        self.alerts = PilotAlerts()
        self.forged = 0
        self.slots: dict[tuple[str, str], _Slot] = {}


class Metrics:
    """All metrics of one process. Safe to read from another thread; memory is bounded by `cap` and the constants above.

    `cap` is how many pilots may be label values; `rejections` are the reasons to create at zero.
    """

    def __init__(self, cap: int = 5000, rejections: Iterable[str] = tuple(RejectionReason)) -> None:
        if cap < 1:
            raise ValueError("cap must be at least 1")
        self.cap = cap
        self.registry = CollectorRegistry()
        self._lock = threading.RLock()
        self._pilots: dict[str, _Pilot] = {}
        self._labelled = 0
        self._facts: dict[str, Facts] = {}
        self._left: dict[str, str] = {}  # participants of pilots that left, by pilot: the newest
        self._rejections = {"other"}
        ProcessCollector(registry=self.registry)
        made = {"counter": prometheus_client.Counter, "gauge": Gauge, "histogram": Histogram}
        self._of: dict[str, Any] = {}
        for spec in CATALOGUE:
            if spec.name in _PROJECTED:
                continue
            more: dict[str, Any] = {"buckets": spec.buckets} if spec.kind == "histogram" else {}
            self._of[spec.name[len(PREFIX) :]] = made[spec.kind](
                spec.name, spec.help, spec.labels, registry=self.registry, **more
            )
        self._zero(rejections)
        self.registry.register(_PilotCollector(self))

    def _zero(self, rejections: Iterable[str]) -> None:
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
        for actor in ACTORS:
            self._of["act_pending"].labels(actor)
            self._of["actor_clock_skew_seconds"].labels(actor)
            for outcome in OUTCOMES:
                self._of["acted_total"].labels(actor, outcome)
        for word in UNCOUNTED:
            self._of["uncounted_total"].labels(word)
        for word in ("other", *rejections):
            self._of["rejected_total"].labels(self._rejection(str(word)))
        self._of["build_info"].labels(__version__).set(1)

    # -- the machine's outputs

    def observe(self, outputs: Outputs, now_ms: int | None = None) -> None:
        """Project outputs that are already durable. Repeats (a standing not above the last one) change nothing.

        `now_ms` is the wall clock and counts as a heartbeat of the monitor.
        """
        with self._lock:
            for rejected in outputs.rejected:
                self._observe_rejected(rejected)
            for decision in outputs.decisions:
                self._observe_decision(decision)
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
    ) -> None:
        """Say where a pilot stands without a decision: after recovery, so that a halted pilot does not vanish from
        view."""
        with self._lock:
            known = self._pilot(pilot, participant)
            if known is None:
                return
            known.participant, known.level, known.unknown = participant, level, unknown
            known.command, known.standing, known.since, known.reason = command, standing, since_ms, reason
            known.alerts = alerts or PilotAlerts(standing, level)

    def learn(self, charter: Charter) -> None:
        """Take what the charter in force says of its pilot. Call it when the charter came into force."""
        with self._lock:
            if charter.pilot in self._facts or len(self._facts) < self.cap:
                self._facts[charter.pilot] = facts_of(charter)

    def left(self, pilot: str, participant: str) -> None:
        """The pilot left the sandbox: from now on that is said of it, and nothing else."""
        with self._lock:
            self.forget(pilot)
            self._left[pilot] = participant
            while len(self._left) > self.cap:
                del self._left[next(iter(self._left))]

    def forget(self, pilot: str) -> None:
        """The pilot is no longer this process's business (it left, or its partition was revoked)."""
        with self._lock:
            self._left.pop(pilot, None)
            self._facts.pop(pilot, None)
            known = self._pilots.pop(pilot, None)
            if known is None or not known.labelled:
                return
            self._labelled -= 1

    def _pilot(self, pilot: str, participant: str = "") -> _Pilot | None:
        known = self._pilots.get(pilot)
        if known is None:
            if len(self._pilots) >= self.cap * (1 + COMPACT):
                self._dropped("pilot_cap")
                return None
            known = self._pilots[pilot] = _Pilot(participant, False)
        if not known.labelled:
            known.labelled = self._labelled < self.cap
            self._labelled += known.labelled
        return known

    def _dropped(self, why: str) -> None:
        self._of["dropped_total"].labels(why).inc()

    def _finite(self, *numbers: float | None) -> bool:
        if all(n is None or math.isfinite(n) for n in numbers):
            return True
        self._dropped("not_finite")
        return False

    def _rejection(self, reason: str) -> str:
        if reason not in self._rejections:
            if len(self._rejections) >= REJECTIONS_KEPT:
                return "other"
            self._rejections.add(reason)
        return reason

    def _observe_rejected(self, rejected: Rejected) -> None:
        self._of["rejected_total"].labels(self._rejection(rejected.reason)).inc()
        known = self._pilots.get(rejected.pilot)
        if known is not None and rejected.reason == RejectionReason.FORGED:
            known.forged += 1

    def _observe_decision(self, decision: Decision) -> None:
        known = self._pilot(decision.pilot, decision.participant)
        if known is not None and known.standing >= decision.standing:
            return
        self._of["decisions_total"].labels(decision.level.word, decision.reason.value).inc()
        if known is None:
            return
        if decision.reason is Reason.EXITED:
            self.left(decision.pilot, decision.participant)
            return
        if known.labelled:
            known.alerts = standing_after(known.alerts, decision)
        known.participant, known.standing = decision.participant, decision.standing
        if decision.level is not known.level or known.since is None:
            known.since, known.reason = decision.at, decision.reason
        known.level, known.unknown = decision.level, bool(decision.unknown)
        known.command = after_decision(known.command, decision)
        finding = decision.finding
        if finding.alpha_spent is not None and self._finite(finding.alpha_spent):
            known.alpha = finding.alpha_spent
        if finding.statistic is not None and finding.bar is not None and finding.rule:
            self._score(known, finding.indicator, finding.segment, {finding.rule: (finding.statistic, finding.bar)})

    def _observe_command(self, command: Command) -> None:
        known = self._pilots.get(command.pilot)
        if known is not None:
            known.command = after_attempt(known.command, command)
        self._of["commands_again_total" if command.again else "commands_total"].labels(action_of(command)).inc()

    def _observe_evidence(self, evidence: Evidence) -> None:
        (self._of["revisions_total"] if evidence.late else self._of["evidence_total"].labels(evidence.kind)).inc()
        known = self._pilot(evidence.pilot, evidence.participant)
        if known is None:
            return
        slot = self._score(known, evidence.indicator, evidence.segment, evidence.scores)
        if slot is not None and self._finite(evidence.k, evidence.m) and (slot.end is None or evidence.end >= slot.end):
            slot.end, slot.k, slot.m = evidence.end, evidence.k, evidence.m

    def _score(
        self, known: _Pilot, indicator: str, segment: str, scores: dict[str, tuple[float, float]]
    ) -> _Slot | None:
        if not known.labelled:
            self._dropped("pilot_cap")
            return None
        slot = known.slots.get((indicator, segment))
        if slot is None:
            if len(known.slots) >= SLOTS_PER_PILOT:
                self._dropped("slot_cap")
                return None
            slot = known.slots[(indicator, segment)] = _Slot()
        for detector, pair in scores.items():
            if not self._finite(*pair):
                continue
            if detector in slot.scores or len(slot.scores) < DETECTORS_PER_SLOT:
                slot.scores[detector] = pair
            else:
                self._dropped("slot_cap")
        return slot

    # -- the runner, the actors and the notary

    def heartbeat(self, now_ms: int) -> None:
        """The runner lives at `now_ms` (wall clock)."""
        self._of["heartbeat_timestamp_seconds"].set(now_ms / 1000)

    def stepped(self, seconds: float, events: int) -> None:
        """One batch of `events` went through the machine in `seconds`."""
        self._of["step_seconds"].observe(seconds)
        self._of["events_total"].inc(events)

    def uncounted(self, events: Mapping[str, int]) -> None:
        """So many more events count nowhere, by kind (`UNCOUNTED`)."""
        for kind, number in events.items():
            self._of["uncounted_total"].labels(kind).inc(number)

    def woken(self, delay_seconds: float) -> None:
        """A timer was served `delay_seconds` after its due time."""
        self._of["notify_delay_seconds"].observe(max(0.0, delay_seconds))

    def lagging(self, topic: str, partition: int, records: int) -> None:
        """`records` of this partition are not yet stepped."""
        self._of["lag_records"].labels(topic, str(partition)).set(records)

    def owns(self, partition: int, epoch: int) -> None:
        """This process owns the partition under `epoch`."""
        self._of["partition_epoch"].labels(str(partition)).set(epoch)

    def open_mode(self, on: bool) -> None:
        """Whether no admitter key is configured."""
        self._of["open_mode"].set(int(on))

    def short_leases(self, partition: int, pilots: int) -> None:
        """So many pilots' services may stop when one worker crashes."""
        self._of["leases_short"].labels(str(partition)).set(pilots)

    def checkpointed(self, partition: int, now_ms: int) -> None:
        """The partition's state was saved at `now_ms` (wall clock)."""
        self._of["checkpoint_timestamp_seconds"].labels(str(partition)).set(now_ms / 1000)

    def held(self, partition: int, awake: int, asleep: int) -> None:
        """How many pilots of the partition are awake and asleep."""
        for state, number in (("awake", awake), ("asleep", asleep)):
            self._of["pilots_held"].labels(str(partition), state).set(number)

    def revoked(self, partition: int) -> None:
        """The partition is gone: its series end, so that no stale age raises an alert. Pilots are forgotten one by
        one."""
        for name in (
            "partition_epoch",
            "leases_short",
            "checkpoint_timestamp_seconds",
            "closed_through_timestamp_seconds",
        ):
            self._of[name].remove_by_labels({"partition": str(partition)})
        for name in ("lag_records", "pilots_held"):
            self._of[name].remove_by_labels({"partition": str(partition)})

    def acted(self, actor: str, outcome: str) -> None:
        """A decision was handed to `actor`; `outcome` is one of OUTCOMES."""
        self._of["acted_total"].labels(actor, outcome).inc()

    def pending(self, actor: str, decisions: int) -> None:
        """So many decisions wait for `actor`."""
        self._of["act_pending"].labels(actor).set(decisions)

    def skewed(self, actor: str, seconds: float) -> None:
        """The clock of the actor's other side is so far ahead of ours (below 0: behind)."""
        self._of["actor_clock_skew_seconds"].labels(actor).set(seconds)

    def recorded(self, entries: int = 1) -> None:
        """The notary appended so many entries."""
        self._of["recorded_total"].inc(entries)

    # -- out

    def exposition(self) -> bytes:
        """Everything in the Prometheus text format; its media type is `CONTENT_TYPE`."""
        return generate_latest(self.registry)

    def serve(self, port: int, host: str = "127.0.0.1") -> tuple[int, Callable[[], None]]:
        """Answer `/metrics` from a thread. Port 0 picks a free one. Returns the port and a function that stops it."""
        server, thread = start_http_server(port, host, self.registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return int(server.server_port), stop


# Read from the pilots' table at scrape time, so that a pilot that leaves takes all of its series along.
_PROJECTED = frozenset(
    spec.name
    for spec in CATALOGUE
    if "pilot" in spec.labels
    or spec.name in {PREFIX + name for name in ("pilots", "pilots_unknown", "pilots_beyond_cap", "commands_open")}
)


class _PilotCollector(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        kinds = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}
        families = {
            spec.name[len(PREFIX) :]: kinds[spec.kind](spec.name, spec.help, labels=spec.labels)
            for spec in CATALOGUE
            if spec.name in _PROJECTED
        }
        with self._metrics._lock:
            pilots = self._metrics._pilots
            levels = dict.fromkeys(Level, 0)
            for known in pilots.values():
                levels[known.level] += 1
            for level, number in levels.items():
                families["pilots"].add_metric([level.word], number)
            states = dict.fromkeys(OPEN, 0)
            for known in pilots.values():
                if known.command is not None and known.command.open:
                    states[known.command.state] += 1
            for state, number in states.items():
                families["commands_open"].add_metric([state], number)
            families["pilots_unknown"].add_metric([], sum(known.unknown for known in pilots.values()))
            families["pilots_beyond_cap"].add_metric([], len(pilots) - self._metrics._labelled)
            for pilot, participant in self._metrics._left.items():
                families["pilot_left"].add_metric([pilot, participant], 1)
            for pilot, known in pilots.items():
                if known.labelled:
                    _add_pilot(families, pilot, known)
                    if facts := self._metrics._facts.get(pilot):
                        families["pilot_info"].add_metric([pilot, known.participant, *structs.astuple(facts)], 1)
        yield from families.values()


def _add_pilot(families: dict[str, Any], pilot: str, known: _Pilot) -> None:
    who = [pilot, known.participant]
    families["pilot_level"].add_metric(who, known.level)
    families["pilot_unknown"].add_metric(who, known.unknown)
    families["pilot_forged_total"].add_metric(who, known.forged)
    families["pilot_unacknowledged"].add_metric(who, bool(known.command and known.command.unacknowledged_halt))
    if known.command is not None and known.command.open:
        at = [*who, known.command.action, known.command.state]
        families["command_open_timestamp_seconds"].add_metric(at, known.command.at / 1000)
    if known.since is not None:
        families["pilot_level_timestamp_seconds"].add_metric(who, known.since / 1000)
    findings = Counter((a.name, a.severity) for a in known.alerts.alerts() if a is not known.alerts.of_level)
    for (name, severity), number in findings.items():
        families["grave_findings"].add_metric([*who, name, severity], number)
    if known.reason is not None:
        families["pilot_reason"].add_metric([*who, known.reason.value], 1)
    if known.alpha is not None:
        families["alpha_spent_ratio"].add_metric(who, known.alpha)
    for (indicator, segment), slot in known.slots.items():
        at = [pilot, indicator, segment]
        if slot.end is not None:
            families["observed"].add_metric(at, slot.k)
            families["exposure"].add_metric(at, slot.m)
            families["period_end_timestamp_seconds"].add_metric(at, slot.end / 1000)
        for detector, (statistic, bar) in slot.scores.items():
            families["statistic"].add_metric([*at, detector], statistic)
            families["bar"].add_metric([*at, detector], bar)
