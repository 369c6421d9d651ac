"""Alerts about published checkpoints: witnesses that contradict or refuse, quorums, time stamps."""

from __future__ import annotations

from alert import Alert, M

WITNESS = 'witness="outside"'
ACME = 'log="sandbox.example/acme"'

LEDGER_ALERTS = (
    Alert(
        "SandboxCheckpointContradicted",
        "sandbox-monitor-health",
        f'sum by (witness, outcome) (increase({M}cosignatures_total{{outcome=~"fork|ahead"}}[1h])) > 0',
        "critical",
        "The witness {{ $labels.witness }} contradicts a checkpoint of ours ({{ $labels.outcome }}): it cosigned a "
        "larger checkpoint of that log, or one with another root. The disk was restored from an older copy, two "
        "notaries sign, or the log was rewritten.",
        {f'{M}cosignatures_total{{{WITNESS},outcome="fork"}}': "0x5 1x30"},
        {
            f'{M}cosignatures_total{{{WITNESS},outcome="fork"}}': "1x40",
            f'{M}cosignatures_total{{{WITNESS},outcome="refused"}}': "0+1x40",
        },
        ({"witness": "outside", "outcome": "fork"},),
    ),
    Alert(
        "SandboxWitnessFork",
        "sandbox-monitor-health",
        f"max by (instance) ({M}witness_forks) > 0",
        "critical",
        "The witness at {{ $labels.instance }} keeps evidence of a fork: a log that it follows signed two checkpoints "
        "that cannot both be true.",
        {f'{M}witness_forks{{instance="firm:8324"}}': "0x5 1x30"},
        {f'{M}witness_forks{{instance="firm:8324"}}': "0x40"},
        ({"instance": "firm:8324"},),
    ),
    Alert(
        "SandboxWitnessRefuses",
        "sandbox-monitor-health",
        f"sum by (witness, outcome) "
        f'(increase({M}cosignatures_total{{outcome=~"unknown_log|not_signed|refused|bad_answer"}}[1h])) > 0',
        "warning",
        "The witness {{ $labels.witness }} does not cosign our checkpoints ({{ $labels.outcome }}): one of the two "
        "sides has a wrong key, origin or address.",
        {f'{M}cosignatures_total{{{WITNESS},outcome="unknown_log"}}': "0+1x30"},
        {f'{M}cosignatures_total{{{WITNESS},outcome="unavailable"}}': "0+1x40"},
        ({"witness": "outside", "outcome": "unknown_log"},),
    ),
    Alert(
        "SandboxQuorumLacking",
        "sandbox-monitor-health",
        f"time() - max by (log) ({M}quorum_lacking_since_timestamp_seconds) > 600",
        "critical",
        "The log {{ $labels.log }} has lacked the cosignatures that its policy needs for more than 10 min: its newest "
        "checkpoint is not published. Entries are recorded all the same.",
        {f"{M}quorum_lacking_since_timestamp_seconds{{{ACME}}}": "60x40"},
        {f"{M}quorum_lacking_since_timestamp_seconds{{{ACME}}}": "0+60x40"},
        ({"log": "sandbox.example/acme"},),
        above={f"{M}quorum_lacking_since_timestamp_seconds{{{ACME}}}": "599x40"},
        edge={f"{M}quorum_lacking_since_timestamp_seconds{{{ACME}}}": "600x40"},
    ),
    Alert(
        "SandboxStampOld",
        "sandbox-monitor-health",
        f"time() - max({M}unstamped_since_timestamp_seconds > 0) > 3600",
        "warning",
        "Published checkpoints have waited for a time stamp for more than an hour: nothing but our own clock says when "
        "their entries existed.",
        {f"{M}unstamped_since_timestamp_seconds": "60x90"},
        {f"{M}unstamped_since_timestamp_seconds": "0x90"},
        at="70m",
        above={f"{M}unstamped_since_timestamp_seconds": "599x90"},
        edge={f"{M}unstamped_since_timestamp_seconds": "600x90"},
    ),
)
