"""The catalogue of metrics: name, kind, help (with the unit) and labels of each; nothing else may be exposed.

A test holds alerts and dashboards against it.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

PREFIX = "sandbox_monitor_"
_STEP_BUCKETS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
_HALT_BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0, 604_800.0)
_STAND_BUCKETS = (3600.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0, 1_209_600.0, 2_592_000.0, 7_776_000.0)
_DELAY_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Spec(Struct, frozen=True):
    """One metric: its full name as exposed, what it is, in which unit, with which labels."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    deprecated: bool = False  # kept for dashboards of other people; ours read what its help names in its place

    def series(self) -> tuple[str, ...]:
        """The names under which Prometheus stores it."""
        return (
            tuple(self.name + end for end in ("_bucket", "_sum", "_count"))
            if self.kind == "histogram"
            else (self.name,)
        )


def _spec(name: str, kind: Any, text: str, *labels: str, buckets: tuple[float, ...] = ()) -> Spec:
    return Spec(PREFIX + name, kind, text, labels, buckets)


_PILOT = ("pilot", "participant")
_SLOT = ("pilot", "indicator", "segment")

CATALOGUE: tuple[Spec, ...] = (
    # validate
    _spec("rejected_total", "counter", "Rejected telemetry and acts, by reason.", "reason"),
    _spec(
        "uncounted_total",
        "counter",
        "Accepted events that no indicator counts, by kind: a segment, unit, currency, measure of items or kind of"
        " claims that the charter does not name, a repeated incident id, an incident id dropped from memory,"
        " a correction of a closed period,"
        " an event that came too late (late).",
        "kind",
    ),
    _spec("events_total", "counter", "Telemetry events processed by the machine."),
    # observe
    _spec("evidence_total", "counter", "Periods closed, by kind of observation.", "kind"),
    _spec("revisions_total", "counter", "Closed periods whose evidence late events raised."),
    _spec("observed", "gauge", "Events in the last closed period; the value itself for a gauge indicator.", *_SLOT),
    _spec("exposure", "gauge", "Exposure or trials of the last closed period, in the charter's unit.", *_SLOT),
    _spec("period_end_timestamp_seconds", "gauge", "End of the last closed period, event time.", *_SLOT),
    _spec("closed_through_timestamp_seconds", "gauge", "All periods up to here are closed, event time.", "partition"),
    # detect
    _spec(
        "statistic", "gauge", "Last statistic; a natural logarithm for e-processes and e-detectors.", *_SLOT, "detector"
    ),
    _spec("bar", "gauge", "Threshold of the statistic, in the same unit.", *_SLOT, "detector"),
    _spec(
        "pilot_alpha",
        "gauge",
        "Alpha of the pilot's charter: the largest probability of a false halt by statistics during its whole stay.",
        *_PILOT,
    ),
    _spec(
        "pilot_alpha_may_spend",
        "gauge",
        "Part of pilot_alpha that the thresholds of all runs so far may spend, whatever is observed; a probability.",
        *_PILOT,
    ),
    _spec(
        "pilot_alpha_used",
        "gauge",
        "Part of pilot_alpha that is used: the shares of runs that are over, and of thresholds that were reached.",
        *_PILOT,
    ),
    Spec(
        PREFIX + "alpha_spent_ratio",
        "gauge",
        "Deprecated, and no ratio: pilot_alpha_may_spend at the last decision that stated it; read pilot_alpha_used"
        " / pilot_alpha.",
        _PILOT,
        deprecated=True,
    ),
    _spec(
        "alarms_total",
        "counter",
        "Alarms of detectors that people see, by detector and the level that each asks for (unknown: the flag).",
        "detector",
        "level",
    ),
    _spec(
        "declared_alarms_per_year",
        "gauge",
        "False alarms per year that the charters in force declare, by detector and level, summed over their pilots.",
        "detector",
        "level",
    ),
    # decide
    _spec("decisions_total", "counter", "Decisions taken, by resulting level and reason.", "level", "reason"),
    _spec("level_changes_total", "counter", "Changes of level, by level before and after.", "was", "level"),
    _spec("halts_total", "counter", "Halts, by reason; a further finding on a halted pilot is none.", "reason"),
    _spec("releases_total", "counter", "Halts that were lifted."),
    _spec(
        "halts_standing",
        "gauge",
        "Halts that stand, by state: commanded, acknowledged, contradicted, overdue, verified, unknown.",
        "state",
    ),
    _spec("halt_timestamp_seconds", "gauge", "When a halt that stands was decided, by its state.", *_PILOT, "state"),
    _spec(
        "halt_acknowledge_seconds",
        "histogram",
        "Time from the decision to halt until a service acknowledged it.",
        buckets=_HALT_BUCKETS,
    ),
    _spec(
        "halt_verify_seconds",
        "histogram",
        "Time from the decision to halt until its stop was first verified.",
        buckets=_HALT_BUCKETS,
    ),
    _spec(
        "halt_release_seconds",
        "histogram",
        "Time from the decision to halt until the halt was released.",
        buckets=_STAND_BUCKETS,
    ),
    _spec(
        "pilots_in_state",
        "gauge",
        "Pilots and applications in each state of life, including those beyond the label cap.",
        "state",
    ),
    _spec("pilot_state", "gauge", "1 for the state of life of a pilot whose life is not over.", *_PILOT, "state"),
    _spec(
        "pilot_scope",
        "gauge",
        "1 for each authority responsible for the pilot (one empty label where none is), with labels of its charter.",
        *_PILOT,
        "authority",
        "tier",
        "sector",
        "region",
    ),
    _spec("firm_class", "gauge", "1 for the class in force of a firm.", "firm", "firm_class"),
    _spec(
        "complaints_total",
        "counter",
        "Complaints and steps of the users' channel: filed, withdrawn, answered, redress_asked, redress_given,"
        " redress_refused, users_left.",
        "kind",
    ),
    _spec(
        "common_causes_total",
        "counter",
        "Findings of the second stage: pilots of a vendor together exceed what their limits allow.",
        "vendor",
        "indicator",
    ),
    _spec(
        "common_cause_timestamp_seconds",
        "gauge",
        "When the last finding of the second stage was made.",
        "vendor",
        "indicator",
    ),
    _spec("pilots", "gauge", "Pilots at each level, including those beyond the label cap.", "level"),
    _spec("pilots_unknown", "gauge", "Pilots whose state is unknown, including those beyond the label cap."),
    _spec("pilot_level", "gauge", "Level of the pilot: 0 normal, 1 watch, 2 escalate, 3 halt.", *_PILOT),
    _spec("pilot_level_timestamp_seconds", "gauge", "When the pilot came to its level.", *_PILOT),
    _spec("pilot_reason", "gauge", "1 for the reason of the pilot's last change of level.", *_PILOT, "reason"),
    _spec("pilot_unknown", "gauge", "1 while data of the pilot is missing, late or partial.", *_PILOT),
    _spec(
        "pilot_info",
        "gauge",
        "1, with labels from the charter of the pilot, and the ids of its responsible authorities, joined by commas.",
        *_PILOT,
        "tier",
        "sector",
        "region",
        "authority",
    ),
    _spec(
        "pilot_forged_total",
        "counter",
        "Acts and events of the pilot with a missing or wrong signature.",
        *_PILOT,
    ),
    _spec("pilot_left", "gauge", "1 for a pilot that has left the sandbox.", *_PILOT),
    _spec(
        "grave_findings",
        "gauge",
        "Active grave findings, by alert name and severity.",
        *_PILOT,
        "alert",
        "severity",
    ),
    _spec(
        "clocks",
        "gauge",
        "Legal deadlines of the pilot by who owes and state; of missed ones those that are still owed.",
        *_PILOT,
        "owed_by",
        "state",
    ),
    _spec(
        "clock_changes_total",
        "counter",
        "Changes of legal deadlines, by who owes and change; of complaints only misses and what follows them.",
        "owed_by",
        "change",
    ),
    _spec(
        "clock_due_timestamp_seconds",
        "gauge",
        "The next due instant of the pilot's legal deadlines that run, by who owes it.",
        *_PILOT,
        "owed_by",
    ),
    _spec("pilots_beyond_cap", "gauge", "Pilots without series, because the label cap was reached."),
    _spec("dropped_total", "counter", "Values dropped from the metrics, by cause.", "why"),
    # record
    _spec("recorded_total", "counter", "Entries appended to the ledger."),
    _spec(
        "ledger_incomplete",
        "gauge",
        "Ledgers that end before a decision that was read and could not be entered.",
    ),
    # record: witnesses and time stamps of published checkpoints
    _spec("witness_answers_total", "counter", "Answers of this witness to add-checkpoint, by answer.", "answer"),
    _spec("witness_forks", "gauge", "Checkpoints that this witness keeps as evidence of a fork."),
    _spec(
        "cosignatures_total",
        "counter",
        "Requests for a cosignature, by witness (the name of its key) and outcome.",
        "witness",
        "outcome",
    ),
    _spec(
        "quorum_lacking_since_timestamp_seconds",
        "gauge",
        "Since when a log lacks the quorum of its policy, so that its newest checkpoint is not published.",
        "log",
    ),
    _spec("stamp_failures_total", "counter", "Time stamps that failed or prove nothing, by reason.", "reason"),
    _spec(
        "unstamped_since_timestamp_seconds",
        "gauge",
        "Since when the oldest checkpoint without a time stamp waits for one; 0 while none does.",
    ),
    # record: publication
    _spec("publication_rounds_total", "counter", "Rounds of the publication, by outcome.", "outcome"),
    _spec("published_leaves", "gauge", "Leaves of the visible checkpoint of the authority log."),
    _spec("published_entries", "gauge", "Entries that are visible in all published pilot logs."),
    _spec("published_until_timestamp_seconds", "gauge", "Until when everything that was entered is published."),
    _spec("published_checkpoint_timestamp_seconds", "gauge", "When the last checkpoint became visible."),
    _spec("publication_refused", "gauge", "Logs that refuse to sign a checkpoint, by reason.", "reason"),
    # act
    _spec("commands_total", "counter", "Commands sent to services, without retransmissions.", "action"),
    _spec("commands_again_total", "counter", "Retransmissions of unacknowledged commands.", "action"),
    _spec("commands_open", "gauge", "Open commands, by state.", "state"),
    _spec(
        "command_open_timestamp_seconds",
        "gauge",
        "When an open command was given.",
        *_PILOT,
        "action",
        "state",
    ),
    _spec("permits_total", "counter", "Permits given to services."),
    _spec("pilot_unacknowledged", "gauge", "1 while the service has not acknowledged its halt.", *_PILOT),
    _spec("acted_total", "counter", "Deliveries to an actor, by outcome.", "actor", "outcome"),
    _spec("act_pending", "gauge", "Decisions pending for an actor.", "actor"),
    _spec(
        "actor_clock_skew_seconds",
        "gauge",
        "Seconds by which the target's clock is ahead of ours (0: within 2 s).",
        "actor",
    ),
    # readers of outputs: notary, actors, second stage
    _spec(
        "foreign_records_total",
        "counter",
        "Records that the monitor did not write on a topic that only it may write; skipped, by topic and reason.",
        "topic",
        "reason",
    ),
    _spec("reader_records_total", "counter", "Records of an output topic that were read.", "topic"),
    _spec("reader_position", "gauge", "Next offset that is read of an output topic.", "topic", "partition"),
    _spec("reader_lag_records", "gauge", "Records of an output topic not yet read.", "topic", "partition"),
    _spec("reader_failures_total", "counter", "Failures of reading outputs, each followed by another attempt."),
    # the owners of partitions, seen from the notary
    _spec(
        "worker_crash_loop",
        "gauge",
        "Starts in a row without a step, while workers end again and again; topic and offset of the next record.",
        "partition",
        "topic",
        "offset",
    ),
    _spec(
        "telemetry_deleted",
        "gauge",
        "1 while a worker cannot go on because the log deleted the offsets first to last before they were read.",
        "topic",
        "partition",
        "first",
        "last",
    ),
    _spec("telemetry_retention_limited", "gauge", "1 while the log may delete records of the topic, else 0.", "topic"),
    # the monitor itself
    _spec("build_info", "gauge", "1, with the version that runs.", "version"),
    _spec("heartbeat_timestamp_seconds", "gauge", "When the runner last made progress, wall clock."),
    _spec("step_seconds", "histogram", "Time to step one batch through the machine.", buckets=_STEP_BUCKETS),
    _spec("notify_delay_seconds", "histogram", "Delay of a timer after its due time, seconds.", buckets=_DELAY_BUCKETS),
    _spec("lag_records", "gauge", "Records not yet processed.", "topic", "partition"),
    _spec(
        "open_mode",
        "gauge",
        "1 while neither a sandbox with keys is founded nor an admitter key is configured, so that anyone who can "
        "write to control can admit a pilot; else 0.",
    ),
    _spec(
        "configuration_version",
        "gauge",
        "Version of the sandbox's configuration in the partition; 0 = not founded.",
        "partition",
    ),
    _spec(
        "configuration_digest",
        "gauge",
        "First 48 bits of the digest of the sandbox's configuration in the partition; 0 = not founded.",
        "partition",
    ),
    _spec(
        "shared_topics",
        "gauge",
        "1 while all participants share the topics of telemetry, commands and permits, so that each can read the halts "
        "of the others; else 0.",
    ),
    _spec(
        "participants_without_topics",
        "gauge",
        "Participants whose commands and permits go to the shared topics, as their own are missing or unusable.",
    ),
    _spec(
        "leases_short",
        "gauge",
        "Pilots whose lease is shorter than twice the session time-out plus the recovery measured at the last start.",
        "partition",
    ),
    _spec(
        "pilots_held",
        "gauge",
        'Pilots of the partition: resident ("awake") or evicted to a compressed snapshot ("asleep").',
        "partition",
        "state",
    ),
    _spec("pilots_set_aside", "gauge", "Pilots of the partition whose stored state cannot be read.", "partition"),
    _spec(
        "kafka_denied_total",
        "counter",
        "Operations that the brokers' authorizer denied, by principal, operation and kind of resource.",
        "principal",
        "operation",
        "resource",
    ),
    _spec("http_refused_total", "counter", "Requests and connections refused by an HTTP server, by reason.", "reason"),
    _spec("partition_epoch", "gauge", "Epoch under which this process owns the partition.", "partition"),
    _spec(
        "checkpoint_timestamp_seconds", "gauge", "When the partition's state was last saved, wall clock.", "partition"
    ),
)


def series_names() -> frozenset[str]:
    """Every series name that may be exposed: what alerts and dashboards may refer to."""
    return frozenset(name for spec in CATALOGUE for name in spec.series())
