"""Alerts about the monitor: progress, ownership, delivery, configuration, absence; and the watchdog."""

from __future__ import annotations

from alert import JOB, Alert, M

FORGED = "not_signed|unknown_key|bad_signature|replayed|epoch_not_claimed"

_TELEMETRY = f'{M}rejected_total{{reason!~"control_refused|conflict"}}'

MONITOR_ALERTS = (
    Alert(
        "SandboxLeaseShort",
        "sandbox-monitor-health",
        f"sum({M}leases_short) > 0",
        "warning",
        "The lease of some pilots is shorter than a failover of a worker: the crash of one worker may "
        "stop their services.",
        {M + 'leases_short{partition="0"}': "2x30"},
        {M + 'leases_short{partition="0"}': "0x30"},
        hold="5m",
    ),
    Alert(
        "SandboxPilotSetAside",
        "sandbox-monitor-health",
        f"sum by (partition) ({M}pilots_set_aside) > 0",
        "critical",
        "The stored state of pilots of partition {{ $labels.partition }} cannot be read: they are not "
        "monitored until they are admitted again.",
        {M + 'pilots_set_aside{partition="3"}': "1x30"},
        {M + 'pilots_set_aside{partition="3"}': "0x30"},
        ({"partition": "3"},),
    ),
    Alert(
        "SandboxOpenMode",
        "sandbox-monitor-health",
        f"max({M}open_mode) == 1",
        "info",
        "Open mode: neither a sandbox with keys nor an admitter key is configured, so anyone who can write to control "
        "can admit a pilot. Not for supervised pilots.",
        {M + "open_mode": "1x30"},
        {M + "open_mode": "0x30"},
    ),
    Alert(
        "SandboxConfigurationDiffers",
        "sandbox-monitor-health",
        f"(max by (job) ({M}configuration_digest) - min by (job) ({M}configuration_digest)) > 0",
        "critical",
        "Partitions have different versions of the sandbox's configuration, so they judge by different people: run "
        "`sandbox-monitor sandbox sync`.",
        {M + 'configuration_digest{partition="0"}': "7x30", M + 'configuration_digest{partition="1"}': "5x30"},
        {M + 'configuration_digest{partition="0"}': "7x30", M + 'configuration_digest{partition="1"}': "7x30"},
        hold="5m",
    ),
    Alert(
        "SandboxKafkaDenied",
        "sandbox-monitor-health",
        # No `increase`: a user's first denial is the first sample of its series.
        f"sum by (principal) ({M}kafka_denied_total) > "
        f"(sum by (principal) ({M}kafka_denied_total offset 15m) or 0 * sum by (principal) ({M}kafka_denied_total))",
        "warning",
        "Kafka denied operations of the user {{ $labels.principal }} in the last 15 minutes: a wrong login, a missing "
        "grant, or an attempt to reach what belongs to others.",
        {M + 'kafka_denied_total{principal="firm-1",operation="WRITE",resource="Topic"}': "_x10 1x20"},
        {M + 'kafka_denied_total{principal="firm-1",operation="WRITE",resource="Topic"}': "1x40"},
        ({"principal": "firm-1"},),
    ),
    Alert(
        "SandboxOutputsForged",
        "sandbox-monitor-health",
        f'sum by (topic, reason) (increase({M}foreign_records_total{{reason=~"{FORGED}"}}[15m])) > 0',
        "critical",
        "Records of {{ $labels.topic }} are not the monitor's, or its workers sign with a key that is not trusted here "
        "({{ $labels.reason }}). They were skipped.",
        {M + 'foreign_records_total{topic="sandbox.decisions",reason="not_signed"}': "0x10 1x20"},
        {
            M + 'foreign_records_total{topic="sandbox.decisions",reason="not_signed"}': "3x40",
            M + 'foreign_records_total{topic="sandbox.decisions",reason="unreadable"}': "0+9x40",
        },
        ({"topic": "sandbox.decisions", "reason": "not_signed"},),
        at="15m",
    ),
    Alert(
        "SandboxSharedTopics",
        "sandbox-monitor-health",
        f"max({M}shared_topics) == 1",
        "info",
        "Shared topics: all firms share the topics of telemetry, commands and permits, so that each can read the halts "
        "and sources of the others. Not for supervised pilots.",
        {M + "shared_topics": "1x30"},
        {M + "shared_topics": "0x30"},
    ),
    Alert(
        "SandboxParticipantWithoutTopics",
        "sandbox-monitor-health",
        f"max({M}participants_without_topics) > 0",
        "warning",
        "Commands and permits of some firms go to the shared topics, because their separate topics are missing or have "
        "wrong settings. Their services may not receive a halt.",
        {M + "participants_without_topics": "1x30"},
        {M + "participants_without_topics": "0x30"},
        hold="1m",
    ),
    Alert(
        "SandboxHttpRefusing",
        "sandbox-monitor-health",
        f"sum by (reason) (rate({M}http_refused_total[5m])) > 1",
        "warning",
        "An HTTP server refuses more than one request or connection per second ({{ $labels.reason }}): a client is "
        "broken or hostile, or sends more than its share.",
        {M + 'http_refused_total{reason="rate"}': "0+120x40"},
        {M + 'http_refused_total{reason="rate"}': "0+30x40"},
        ({"reason": "rate"},),
        hold="5m",
    ),
    Alert(
        "SandboxTelemetryLost",
        "sandbox-monitor-health",
        # No `increase`: it is counted when the worker starts, before it is scraped for the first time.
        f'sum({M}decisions_total{{reason="telemetry_lost"}}) > 0',
        "critical",
        "Kafka deleted telemetry before it was read, and a worker continued with --skip-lost. A report "
        "of a death may be lost.",
        {M + 'decisions_total{level="watch",reason="telemetry_lost"}': "2x20"},
        {M + 'decisions_total{level="watch",reason="sequence_gap"}': "0x10 2x20"},
        ({},),
        at="15m",
    ),
    Alert(
        "SandboxMonitorHeartbeatOld",
        "sandbox-monitor-health",
        f"time() - max by (instance) ({M}heartbeat_timestamp_seconds) > 60",
        "critical",
        "The monitor at {{ $labels.instance }} answers scrapes, but has made no progress for more than 60 s.",
        {M + 'heartbeat_timestamp_seconds{instance="a:1"}': "0x30"},
        {M + 'heartbeat_timestamp_seconds{instance="a:1"}': "0+60x30"},
        ({"instance": "a:1"},),
        hold="1m",
    ),
    Alert(
        "SandboxMonitorLag",
        "sandbox-monitor-health",
        f"sum by (topic, partition) ({M}lag_records) > 10000",
        "warning",
        "More than 10,000 records of {{ $labels.topic }}/{{ $labels.partition }} are not yet processed.",
        {M + 'lag_records{topic="t",partition="0"}': "20000x30"},
        {M + 'lag_records{topic="t",partition="0"}': "9000x30"},
        ({"topic": "t", "partition": "0"},),
        hold="5m",
    ),
    Alert(
        "SandboxMonitorStuck",
        "sandbox-monitor-health",
        f"sum by (instance) ({M}lag_records) > 0 and sum by (instance) (rate({M}events_total[5m])) == 0"
        f" and sum by (instance) (rate({M}rejected_total[5m])) == 0",
        "critical",
        "Records are pending at {{ $labels.instance }}, and none is processed.",
        {
            M + 'lag_records{instance="a:1",topic="t",partition="0"}': "5x30",
            M + 'events_total{instance="a:1"}': "7x30",
            M + 'rejected_total{instance="a:1",reason="bad_json"}': "0x30",
        },
        {
            M + 'lag_records{instance="a:1",topic="t",partition="0"}': "5x30",
            M + 'events_total{instance="a:1"}': "7+60x30",
            M + 'rejected_total{instance="a:1",reason="bad_json"}': "0x30",
        },
        ({"instance": "a:1"},),
        hold="2m",
    ),
    Alert(
        "SandboxMonitorCheckpointOld",
        "sandbox-monitor-health",
        f"time() - max by (partition) ({M}checkpoint_timestamp_seconds) > 120"
        f" and on (partition) sum by (partition) ({M}lag_records) > 0",
        "warning",
        "Partition {{ $labels.partition }} has had no checkpoint for more than 2 min while records are pending.",
        {
            M + 'checkpoint_timestamp_seconds{partition="0"}': "0x30",
            M + 'lag_records{topic="t",partition="0"}': "5x30",
        },
        {
            M + 'checkpoint_timestamp_seconds{partition="0"}': "0+60x30",
            M + 'lag_records{topic="t",partition="0"}': "5x30",
        },
        ({"partition": "0"},),
        hold="1m",
    ),
    Alert(
        "SandboxTwoOwners",
        "sandbox-monitor-health",
        f"count by (partition) ({M}partition_epoch) > 1",
        "warning",
        "Two processes report that they own partition {{ $labels.partition }}; the one with the lower "
        "epoch should have ended.",
        {
            M + 'partition_epoch{instance="a:1",partition="0"}': "1x30",
            M + 'partition_epoch{instance="b:1",partition="0"}': "2x30",
        },
        {
            M + 'partition_epoch{instance="a:1",partition="0"}': "1x30",
            M + 'partition_epoch{instance="b:1",partition="1"}': "2x30",
        },
        ({"partition": "0"},),
        hold="2m",
    ),
    Alert(
        "SandboxTimersLate",
        "sandbox-monitor-health",
        f"histogram_quantile(0.99, sum by (le) (rate({M}notify_delay_seconds_bucket[5m]))) > 30",
        "warning",
        "More than 1 % of timers run over 30 s late: silence and ends of periods are detected late.",
        {
            M + 'notify_delay_seconds_bucket{le="30.0"}': "0x30",
            M + 'notify_delay_seconds_bucket{le="60.0"}': "0+10x30",
            M + 'notify_delay_seconds_bucket{le="+Inf"}': "0+10x30",
        },
        {
            M + 'notify_delay_seconds_bucket{le="30.0"}': "0+10x30",
            M + 'notify_delay_seconds_bucket{le="60.0"}': "0+10x30",
            M + 'notify_delay_seconds_bucket{le="+Inf"}': "0+10x30",
        },
        hold="5m",
    ),
    Alert(
        "SandboxManyRejected",
        "sandbox-monitor-health",
        # Refused acts are no telemetry: a repeated admission in a quiet sandbox would be most of its records.
        f"sum(increase({_TELEMETRY}[10m]))"
        f" / clamp_min(sum(increase({_TELEMETRY}[10m])) + sum(increase({M}events_total[10m])), 1) > 0.05",
        "warning",
        "More than 5 % of telemetry events are rejected.",
        {M + 'rejected_total{reason="bad_json"}': "0+10x30", f"{M}events_total": "0+100x30"},
        {
            M + 'rejected_total{reason="bad_json"}': "0+2x30",
            M + 'rejected_total{reason="control_refused"}': "0+50x30",
            f"{M}events_total": "0+100x30",
        },
    ),
    Alert(
        "SandboxActorFailing",
        "sandbox-monitor-health",
        f'sum by (actor) (increase({M}acted_total{{outcome!="done"}}[5m])) > 0',
        "warning",
        "The actor {{ $labels.actor }} has had failed deliveries for 5 min.",
        {M + 'acted_total{actor="alertmanager",outcome="unavailable"}': "0+3x30"},
        {
            M + 'acted_total{actor="alertmanager",outcome="unavailable"}': "0x30",
            M + 'acted_total{actor="alertmanager",outcome="done"}': "0+3x30",
        },
        ({"actor": "alertmanager"},),
        hold="5m",
    ),
    Alert(
        "SandboxClockSkew",
        "sandbox-monitor-health",
        f"abs(max by (actor, instance) ({M}actor_clock_skew_seconds)) > 30",
        "warning",
        "The clocks of {{ $labels.actor }} and of {{ $labels.instance }} differ by more than 30 s.",
        {M + 'actor_clock_skew_seconds{actor="alertmanager",instance="a:1"}': "-600x30"},
        {M + 'actor_clock_skew_seconds{actor="alertmanager",instance="a:1"}': "-20x30"},
        ({"actor": "alertmanager", "instance": "a:1"},),
        hold="2m",
    ),
    Alert(
        "SandboxNumberNotFinite",
        "sandbox-monitor-health",
        f'sum(increase({M}dropped_total{{why="not_finite"}}[1h])) > 0',
        "warning",
        "A detector or a period returned a number that is not finite: the detector may be blind.",
        {M + 'dropped_total{why="not_finite"}': "0x5 1x30"},
        {M + 'dropped_total{why="not_finite"}': "0x30", M + 'dropped_total{why="slot_cap"}': "0+1x30"},
    ),
    Alert(
        "SandboxPilotsBeyondCap",
        "sandbox-monitor-health",
        f"sum({M}pilots_beyond_cap) > 0",
        "warning",
        "Some pilots are beyond the label cap and have no series: their halts arrive by push only.",
        {f"{M}pilots_beyond_cap": "4x30"},
        {f"{M}pilots_beyond_cap": "0x30"},
        hold="5m",
    ),
    Alert(
        "SandboxMonitorDown",
        "sandbox-absent",
        f'up{{job=~"{JOB}|sandbox-act|sandbox-notary|sandbox-pool"}} == 0',
        "critical",
        "{{ $labels.job }} at {{ $labels.instance }} does not answer scrapes.",
        {f'up{{job="{JOB}",instance="a:1"}}': "1x10 0x20"},
        {f'up{{job="{JOB}",instance="a:1"}}': "1x30"},
        ({"job": JOB, "instance": "a:1"},),
        hold="1m",
    ),
    Alert(
        "SandboxMonitorAbsent",
        "sandbox-absent",
        f'absent({M}heartbeat_timestamp_seconds{{job="{JOB}"}})',
        "critical",
        "No monitor reports metrics: no pilot is monitored.",
        {
            f'{M}heartbeat_timestamp_seconds{{job="{JOB}"}}': "0+60x5 stale",
            M + 'heartbeat_timestamp_seconds{job="sandbox-act"}': "0+60x30",
        },
        {f'{M}heartbeat_timestamp_seconds{{job="{JOB}"}}': "0+60x30"},
        ({"job": JOB},),
        hold="1m",
        absent=({"job": JOB},),
    ),
    Alert(
        "Watchdog",
        "sandbox-watchdog",
        "vector(1)",
        "none",
        "Always fires. When it stops, Prometheus or Alertmanager is broken; the dead-man receiver must then alert.",
        {"up": "1x30"},
        {},
        absent=({},),
        always="it must never be silent",
    ),
)
