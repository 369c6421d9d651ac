"""Alerts about processes that end again and again, records that the monitor did not write, and the readers of outputs:
notary, actors, second stage."""

from __future__ import annotations

from alert import JOB, Alert, M

READERS = "sandbox-notary|sandbox-act|sandbox-pool"
LOOP = 'partition="0",topic="sandbox.telemetry",offset="32"'
DELETED = 'topic="sandbox.telemetry",partition="0",first="32",last="52"'

READER_ALERTS = (
    Alert(
        "SandboxWorkerCrashLoop",
        "sandbox-monitor-health",
        f"max by (partition, topic, offset) ({M}worker_crash_loop) >= 3",
        "critical",
        "The worker of partition {{ $labels.partition }} ends again and again before it makes a step. The next record "
        "is {{ $labels.topic }}/{{ $labels.partition }} offset {{ $labels.offset }}: no decision is taken about these "
        "pilots. `worker --skip` passes one record.",
        {f"{M}worker_crash_loop{{{LOOP}}}": "3x30"},
        {f"{M}worker_crash_loop{{{LOOP}}}": "1x30"},
        ({"partition": "0", "topic": "sandbox.telemetry", "offset": "32"},),
        edge={f"{M}worker_crash_loop{{{LOOP}}}": "2x30"},
    ),
    Alert(
        "SandboxTelemetryDeleted",
        "sandbox-monitor-health",
        f"max by (topic, partition, first, last) ({M}telemetry_deleted) > 0",
        "critical",
        "Telemetry was deleted before it was read: {{ $labels.topic }}/{{ $labels.partition }} offsets "
        "{{ $labels.first }} to {{ $labels.last }}. The worker cannot go on: restore them, or start it once with "
        "--skip-lost.",
        {f"{M}telemetry_deleted{{{DELETED}}}": "1x30"},
        {f"{M}worker_crash_loop{{{LOOP}}}": "3x30"},
        ({"topic": "sandbox.telemetry", "partition": "0", "first": "32", "last": "52"},),
        edge={f"{M}telemetry_deleted{{{DELETED}}}": "0x30"},
    ),
    Alert(
        "SandboxTelemetryRetention",
        "sandbox-monitor-health",
        f"max by (topic) ({M}telemetry_retention_limited) > 0",
        "critical",
        "Kafka may delete telemetry before it is read: the retention of {{ $labels.topic }} is limited, by time or by "
        "size.",
        {f'{M}telemetry_retention_limited{{topic="sandbox.telemetry"}}': "1x30"},
        {f'{M}telemetry_retention_limited{{topic="sandbox.telemetry"}}': "0x30"},
        ({"topic": "sandbox.telemetry"},),
    ),
    Alert(
        "SandboxRestarting",
        "sandbox-monitor-health",
        # Of a process that lives for seconds, gauges are seen too rarely to be judged by their value.
        f'changes(process_start_time_seconds{{job=~"{JOB}|{READERS}"}}[10m]) >= 3',
        "critical",
        "{{ $labels.job }} at {{ $labels.instance }} was started three times or more within 10 min.",
        {f'process_start_time_seconds{{job="{JOB}",instance="a:1"}}': "1+9x5 99x30"},
        {f'process_start_time_seconds{{job="{JOB}",instance="a:1"}}': "1x30"},
        ({"job": JOB, "instance": "a:1"},),
        at="6m",
        edge={f'process_start_time_seconds{{job="{JOB}",instance="a:1"}}': "1x1 5x1 9x30"},
        above={f'process_start_time_seconds{{job="{JOB}",instance="a:1"}}': "1x1 5x1 9x1 12x30"},
    ),
    Alert(
        "SandboxForeignRecords",
        "sandbox-monitor-health",
        f"sum by (topic, reason) (increase({M}foreign_records_total[10m])) > 0",
        "warning",
        "Somebody else writes to {{ $labels.topic }}: records that the monitor did not write were skipped "
        "({{ $labels.reason }}).",
        {f'{M}foreign_records_total{{topic="sandbox.decisions",reason="unreadable"}}': "0x5 7x30"},
        {f'{M}foreign_records_total{{topic="sandbox.decisions",reason="unreadable"}}': "7x40"},
        ({"topic": "sandbox.decisions", "reason": "unreadable"},),
        at="10m",
    ),
    Alert(
        "SandboxLedgerIncomplete",
        "sandbox-monitor-health",
        f"max({M}ledger_incomplete) > 0",
        "critical",
        "A decision was read that does not follow the last entry of its ledger: a decision before it is missing, or "
        "the monitor did not write it.",
        {f"{M}ledger_incomplete": "2x30"},
        {f"{M}ledger_incomplete": "0x30"},
        above={f"{M}ledger_incomplete": "1x30"},
    ),
    Alert(
        "SandboxPublicationStopped",
        "sandbox-monitor-health",
        f"time() - max by (job) ({M}published_until_timestamp_seconds > 0) > 120",
        "warning",
        "{{ $labels.job }} has not published its ledgers for two minutes: firms, witnesses and the public do not see "
        "new entries.",
        {f'{M}published_until_timestamp_seconds{{job="sandbox-notary"}}': "1x30"},
        {f'{M}published_until_timestamp_seconds{{job="sandbox-notary"}}': "1+60x30"},
        ({"job": "sandbox-notary"},),
        above={f'{M}published_until_timestamp_seconds{{job="sandbox-notary"}}': "-121+60x30"},
        edge={f'{M}published_until_timestamp_seconds{{job="sandbox-notary"}}': "-120+60x30"},
        others=({f'{M}published_until_timestamp_seconds{{job="sandbox-notary"}}': "0x30"},),
    ),
    Alert(
        "SandboxPublicationRefused",
        "sandbox-monitor-health",
        f"max by (reason) ({M}publication_refused) > 0",
        "critical",
        "A log refuses to sign a checkpoint ({{ $labels.reason }}): the ledgers on this disk are not the continuation "
        "of what was signed.",
        {f'{M}publication_refused{{reason="older_than_newest"}}': "1x30"},
        {f'{M}publication_refused{{reason="older_than_newest"}}': "0x30"},
        ({"reason": "older_than_newest"},),
    ),
    Alert(
        "SandboxReaderLag",
        "sandbox-monitor-health",
        f"sum by (job, topic) ({M}reader_lag_records) > 100"
        f" and sum by (job, topic) (delta({M}reader_lag_records[5m])) >= 0",
        "critical",
        "{{ $labels.job }} is more than 100 records of {{ $labels.topic }} behind, and does not catch up: decisions "
        "are recorded or delivered late.",
        {f'{M}reader_lag_records{{job="sandbox-notary",topic="sandbox.decisions",partition="0"}}': "500+10x30"},
        {f'{M}reader_lag_records{{job="sandbox-notary",topic="sandbox.decisions",partition="0"}}': "5000-100x30"},
        ({"job": "sandbox-notary", "topic": "sandbox.decisions"},),
        hold="2m",
        since=1,
        above={f'{M}reader_lag_records{{job="sandbox-notary",topic="sandbox.decisions",partition="0"}}': "101x30"},
        edge={f'{M}reader_lag_records{{job="sandbox-notary",topic="sandbox.decisions",partition="0"}}': "100x30"},
    ),
    Alert(
        "SandboxReaderFailing",
        "sandbox-monitor-health",
        f"sum by (job, instance) (increase({M}reader_failures_total[5m])) > 0",
        "warning",
        "{{ $labels.job }} at {{ $labels.instance }} fails to read outputs, and tries again.",
        {f'{M}reader_failures_total{{job="sandbox-act",instance="a:1"}}': "0+3x30"},
        {f'{M}reader_failures_total{{job="sandbox-act",instance="a:1"}}': "3x30"},
        ({"job": "sandbox-act", "instance": "a:1"},),
        hold="1m",
        since=1,
    ),
    Alert(
        "SandboxNotaryAbsent",
        "sandbox-absent",
        # The embedded runtime keeps its ledger itself; a worker on Kafka does not.
        f'count({M}partition_epoch) unless on () count({M}heartbeat_timestamp_seconds{{job="sandbox-notary"}})'
        f" unless on () count({M}recorded_total > 0)",
        "critical",
        "No notary reports metrics: decisions are not recorded in the ledger.",
        {
            f'{M}partition_epoch{{job="{JOB}",partition="0"}}': "1x30",
            f'{M}recorded_total{{job="{JOB}"}}': "0x30",
            f'{M}heartbeat_timestamp_seconds{{job="sandbox-act"}}': "0+60x30",
        },
        {
            f'{M}partition_epoch{{job="{JOB}",partition="0"}}': "1x30",
            f'{M}recorded_total{{job="{JOB}"}}': "0x30",
            f'{M}heartbeat_timestamp_seconds{{job="sandbox-notary"}}': "0+60x30",
        },
        hold="1m",
        since=0,
    ),
)
