"""Health of the monitor itself: whether it works, how far behind it is, and whether outputs are recorded and sent."""

from __future__ import annotations

from .table import ORANGE_FROM_ONE, Board, M, Panel, Query, Row, Step

STALE: tuple[Step, ...] = ((30, "orange"), (120, "red"))


def _rate(metric: str, by: str = "") -> str:
    grouped = f"sum by ({by}) " if by else "sum"
    return f"{grouped}(rate({M}{metric}[$__rate_interval]))"


def _quantile(share: float, metric: str) -> str:
    return f"histogram_quantile({share}, sum by (le) (rate({M}{metric}_bucket[$__rate_interval])))"


def _mean(metric: str) -> str:
    return f"{_rate(metric + '_sum')} / {_rate(metric + '_count')}"


ALIVE = Row(
    "Processes and partitions",
    (
        Panel(
            "How long ago did each process make progress?",
            "Time since the last heartbeat of each process of the monitor. Alerts fire after about two minutes.",
            "stat",
            (Query(f"time() - max by (instance) ({M}heartbeat_timestamp_seconds > 0)", "{{instance}}"),),
            unit="s", width=8, height=5, steps=STALE, alerts=("SandboxMonitorHeartbeatOld", "SandboxMonitorDown"),
        ),
        Panel(
            "Which version runs?",
            "Version of the program. Several versions are normal only during an update.",
            "stat",
            (Query(f"max by (version) ({M}build_info)", "{{version}}"),),
            unit="none", width=8, height=5, first="blue", by_name=True,
        ),
        Panel(
            "Can anyone admit a pilot?",
            "Open mode: neither a sandbox with keys is founded nor an admitter key is configured.",
            "stat",
            (Query(f"max({M}open_mode)", "open mode"),),
            unit="none", width=8, height=5, mapping=((0, "no", "green"), (1, "yes", "red")),
            alerts=("SandboxOpenMode",),
        ),
        Panel(
            "Which partitions are owned, under which epoch?",
            "Every partition has one owner. The epoch rises with each change of owner.",
            "table",
            (Query(f"max by (instance, partition) ({M}partition_epoch)"),),
            unit="none", width=8, value="Epoch", alerts=("SandboxTwoOwners",),
        ),
        Panel(
            "Up to when are all periods closed?",
            "Event time up to which every period of the partition is closed.",
            "table",
            (Query(f"max by (partition) ({M}closed_through_timestamp_seconds) * 1000"),),
            unit="dateTimeAsIso", width=8, value="Closed through", alerts=("SandboxMonitorStuck",),
        ),
        Panel(
            "Which version of the sandbox's configuration does each partition have?",
            "All partitions have the same one soon after each change; `sandbox-monitor sandbox sync` copies it.",
            "lines",
            (Query(f"max by (partition) ({M}configuration_version)", "partition {{partition}}"),),
            unit="none", width=8, alerts=("SandboxConfigurationDiffers",),
        ),
        Panel(
            "How many pilots are in memory, and how many on disk only?",
            'Pilots of all partitions: resident in memory ("awake"), or evicted to a compressed snapshot ("asleep").',
            "lines",
            (Query(f"sum by (state) ({M}pilots_held)", "{{state}}"),),
            unit="none",
        ),
        Panel(
            "How much memory does each process use?",
            "Resident memory.",
            "lines",
            (Query('process_resident_memory_bytes{job="sandbox-monitor"}', "{{instance}}"),),
            unit="bytes", width=6,
        ),
        Panel(
            "How much processor time does each process use?",
            "Seconds of processor time per second; 100 % is one core.",
            "lines",
            (Query('rate(process_cpu_seconds_total{job="sandbox-monitor"}[$__rate_interval])', "{{instance}}"),),
            unit="percentunit", width=6,
        ),
    ),
)  # fmt: skip

INPUT = Row(
    "Telemetry in",
    (
        Panel(
            "How many events per second are processed?",
            "Telemetry events that the machine stepped, all partitions.",
            "lines",
            (Query(_rate("events_total"), "events"),),
            unit="eps",
        ),
        Panel(
            "How many records are not yet processed?",
            "Records of each input topic and partition behind the end of the log.",
            "lines",
            (Query(f"max by (topic, partition) ({M}lag_records)", "{{topic}}/{{partition}}"),),
            unit="none", alerts=("SandboxMonitorLag",),
        ),
        Panel(
            "How many events are rejected, and why?",
            "Telemetry and acts that were not accepted, per second. The sender sees each with its reason.",
            "lines",
            (Query(_rate("rejected_total", "reason") + " > 0", "{{reason}}"),),
            unit="eps", alerts=("SandboxManyRejected", "SandboxForged"),
        ),
        Panel(
            "How many events are accepted but not counted, and why?",
            "Events that no indicator counts, per second: a segment, unit or currency that the charter does not name, "
            "a repeated incident, an event that came too late.",
            "lines",
            (Query(_rate("uncounted_total", "kind"), "{{kind}}"),),
            unit="eps",
        ),
        Panel(
            "How many HTTP requests are refused, and why?",
            "Requests and connections that an HTTP server of the monitor refused, per second.",
            "lines",
            (Query(_rate("http_refused_total", "reason"), "{{reason}}"),),
            unit="reqps", alerts=("SandboxHttpRefusing",),
        ),
        Panel(
            "Were any values dropped from the metrics?",
            "Values without a series, by cause: more pilots than the cap, more indicators than a pilot may show, not "
            "a number.",
            "stat",
            (Query(f"sum by (why) ({M}dropped_total)", "{{why}}"),),
            unit="none", steps=ORANGE_FROM_ONE, alerts=("SandboxPilotsBeyondCap", "SandboxNumberNotFinite"),
        ),
    ),
)  # fmt: skip

STEPS = Row(
    "Steps, timers, checkpoints",
    (
        Panel(
            "How long does a step (one batch) take?",
            "Median, 99th percentile and mean.",
            "lines",
            (
                Query(_quantile(0.5, "step_seconds"), "50 %"),
                Query(_quantile(0.99, "step_seconds"), "99 %"),
                Query(_mean("step_seconds"), "mean"),
            ),
            unit="s",
        ),
        Panel(
            "How late do timers run?",
            "Delay of a timer after its due time: 99th percentile and mean.",
            "lines",
            (
                Query(_quantile(0.99, "notify_delay_seconds"), "99 %"),
                Query(_mean("notify_delay_seconds"), "mean"),
            ),
            unit="s", alerts=("SandboxTimersLate",),
        ),
        Panel(
            "How old is the last checkpoint?",
            "Time since the state of each partition was saved. Recovery replays what came after it.",
            "lines",
            (Query(f"time() - max by (partition) ({M}checkpoint_timestamp_seconds)", "partition {{partition}}"),),
            unit="s", alerts=("SandboxMonitorCheckpointOld",),
        ),
        Panel(
            "How many periods close, and how many are revised?",
            "Per second, by kind of observation; revised: late events raised the evidence of a closed period.",
            "lines",
            (
                Query(_rate("evidence_total", "kind"), "{{kind}}"),
                Query(_rate("revisions_total"), "revised"),
            ),
            unit="ops",
        ),
    ),
)  # fmt: skip

OUTPUT = Row(
    "Outputs: record, publish, act",
    (
        Panel(
            "How many ledger entries are recorded?",
            "Entries that the notary appended, per second.",
            "lines",
            (Query(_rate("recorded_total"), "entries"),),
            unit="ops", page="ledger", alerts=("SandboxLedgerIncomplete",),
        ),
        Panel(
            "How far behind are the readers of outputs?",
            "Records not yet read by notary, actors and second stage, and records read per second.",
            "lines",
            (
                Query(
                    f"max by (job, topic, partition) ({M}reader_lag_records)",
                    "{{job}}: {{topic}}/{{partition}} behind",
                ),
                Query(_rate("reader_records_total", "job, topic"), "{{job}}: {{topic}} per second"),
            ),
            alerts=("SandboxReaderLag",),
        ),
        Panel(
            "Up to which offset are outputs read?",
            "Next offset of each reader.",
            "table",
            (Query(f"max by (job, topic, partition) ({M}reader_position)"),),
            unit="none", value="Next offset",
        ),
        Panel(
            "Which records did the monitor not write?",
            "Records that were skipped on topics that only the monitor may write, per interval.",
            "lines",
            (
                Query(
                    f"sum by (topic, reason) (increase({M}foreign_records_total[$__rate_interval])) > 0",
                    "{{topic}}: {{reason}}",
                ),
            ),
            unit="none", alerts=("SandboxForeignRecords", "SandboxOutputsForged"),
        ),
        Panel(
            "Do the actors deliver?",
            "Deliveries per second by actor (Alertmanager, annotations, JSON lines) and outcome, and decisions that "
            "wait.",
            "lines",
            (
                Query(_rate("acted_total", "actor, outcome") + " > 0", "{{actor}}: {{outcome}}"),
                Query(f"sum by (actor) ({M}act_pending)", "{{actor}}: pending"),
            ),
            alerts=("SandboxActorFailing",),
        ),
        Panel(
            "Is the publication current?",
            "Time since everything that was entered was published, and since the last checkpoint. Empty where ledgers "
            "are not published.",
            "lines",
            (
                Query(
                    f"time() - max by (job) ({M}published_until_timestamp_seconds > 0)",
                    "{{job}}: not published for",
                ),
                Query(
                    f"time() - max by (job) ({M}published_checkpoint_timestamp_seconds > 0)",
                    "{{job}}: last checkpoint",
                ),
            ),
            unit="s", page="ledger", alerts=("SandboxPublicationStopped",),
        ),
        Panel(
            "What is published, and how do rounds end?",
            "Visible entries and leaves, rounds per second by outcome, and logs that refuse to sign.",
            "lines",
            (
                Query(f"sum by (job) ({M}published_entries)", "{{job}}: entries"),
                Query(f"sum by (job) ({M}published_leaves)", "{{job}}: leaves of the authority log"),
                Query(_rate("publication_rounds_total", "outcome"), "rounds: {{outcome}}"),
                Query(f"sum by (reason) ({M}publication_refused)", "logs refused: {{reason}}"),
            ),
            page="ledger", alerts=("SandboxPublicationRefused",),
        ),
        Panel(
            "Who cosigns published checkpoints?",
            "Requests for cosignatures and time stamps per interval, by outcome. Empty where no policy names a "
            "witness, and no witness runs here.",
            "lines",
            (
                Query(
                    f"sum by (witness, outcome) (increase({M}cosignatures_total[$__rate_interval])) > 0",
                    "{{witness}}: {{outcome}}",
                ),
                Query(
                    f"sum by (answer) (increase({M}witness_answers_total[$__rate_interval])) > 0",
                    "own witness: {{answer}}",
                ),
                Query(
                    f"sum by (reason) (increase({M}stamp_failures_total[$__rate_interval])) > 0",
                    "no time stamp: {{reason}}",
                ),
            ),
            unit="none", page="ledger", alerts=("SandboxWitnessRefuses", "SandboxQuorumLacking", "SandboxStampOld"),
        ),
    ),
)  # fmt: skip

BOARD = Board(
    "sandbox-health",
    "health",
    "Sandbox: health of the monitor",
    "For operators: whether the monitor works, how far behind it is, and whether its outputs are recorded and sent.",
    (ALIVE, INPUT, STEPS, OUTPUT),
)
