"""The panels of the three dashboards as a table: each title is a question that its queries answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

M = "sandbox_monitor_"
ONE = '{pilot="$pilot"}'
WHO = "max by (pilot, participant)"
SLOT = "max by (indicator, segment)"
SCORE = "max by (indicator, segment, detector)"
LEVELS = ((0, "normal", "green"), (1, "watch", "yellow"), (2, "escalate", "orange"), (3, "halt", "red"))

Kind = Literal["stat", "table", "lines", "states", "gauges"]


@dataclass(frozen=True)
class Panel:
    """One question. `queries` are (expression, legend); `mapping` shows values as text."""

    question: str
    kind: Kind
    queries: tuple[tuple[str, str], ...]
    width: int = 12
    height: int = 8
    unit: str = "short"
    mapping: tuple[tuple[int, str, str], ...] = ()
    help: str = ""


YES = ((0, "no", "green"), (1, "yes", "red"))

FLEET = (
    Panel(
        "How many pilots are at each level?",
        "stat",
        ((f"sum by (level) ({M}pilots)", "{{level}}"),),
        height=5,
        help="All pilots, including those beyond the label cap.",
    ),
    Panel("How many pilots are unknown?", "stat", ((f"sum({M}pilots_unknown)", "unknown"),), 6, 5),
    Panel(
        "How many pilots have no series, because of the label cap?",
        "stat",
        ((f"sum({M}pilots_beyond_cap)", "beyond the cap"),),
        6,
        5,
    ),
    Panel(
        "Which pilots are escalated or halted, and why?",
        "table",
        (
            (
                f"max by (pilot, participant, reason) ({M}pilot_reason)"
                f" * on (pilot, participant) group_left () ({WHO} ({M}pilot_level) >= 2)",
                "",
            ),
        ),
        mapping=LEVELS,
    ),
    Panel("Which halts are not acknowledged?", "table", ((f"{WHO} ({M}pilot_unacknowledged) == 1", ""),), 6),
    Panel("How many commands are open?", "lines", ((f"sum by (state) ({M}commands_open)", "{{state}}"),), 6),
    Panel(
        "Which commands are open, and for how many seconds?",
        "table",
        ((f"time() - max by (pilot, participant, action, state) ({M}command_open_timestamp_seconds)", ""),),
        6,
    ),
    Panel("Which pilots are unknown?", "table", ((f"{WHO} ({M}pilot_unknown) == 1", ""),), 6),
    Panel(
        "How did the level of each pilot change?",
        "states",
        ((f"max by (pilot) ({M}pilot_level)", "{{pilot}}"),),
        24,
        10,
        mapping=LEVELS,
    ),
    Panel(
        "Which pilots are closest to a threshold?",
        "gauges",
        (
            (
                f"topk(10, max by (pilot, indicator, segment, detector) ({M}statistic / {M}bar))",
                "{{pilot}} {{indicator}} {{segment}} {{detector}}",
            ),
        ),
        unit="percentunit",
        help="Statistic divided by its threshold; at 100 % the detector reports a finding.",
    ),
    Panel(
        "Which pilots have the thresholds that may spend the most alpha?",
        "gauges",
        ((f"topk(10, {WHO} ({M}alpha_spent_ratio))", "{{pilot}}"),),
        unit="percentunit",
        help="False-halt probability that all thresholds so far may spend; the board shows the alpha used.",
    ),
    Panel(
        "Which decisions are taken, and for what reason?",
        "lines",
        ((f"sum by (level, reason) (increase({M}decisions_total[$__rate_interval])) > 0", "{{level}}: {{reason}}"),),
    ),
    Panel(
        "How many commands and permits are sent to services?",
        "lines",
        (
            (f"sum by (action) (rate({M}commands_total[$__rate_interval]))", "command {{action}}"),
            (f"sum by (action) (rate({M}commands_again_total[$__rate_interval]))", "resent: {{action}}"),
            (f"sum(rate({M}permits_total[$__rate_interval]))", "permits"),
        ),
        unit="ops",
    ),
)

PILOT = (
    Panel("At which level is it?", "stat", ((f"max({M}pilot_level{ONE})", "level"),), 4, 5, mapping=LEVELS),
    Panel(
        "Since when?",
        "stat",
        ((f"max({M}pilot_level_timestamp_seconds{ONE}) * 1000", "since"),),
        4,
        5,
        "dateTimeAsIso",
    ),
    Panel(
        "Why?",
        "stat",
        ((f"max by (reason) ({M}pilot_reason{ONE})", "{{reason}}"),),
        4,
        5,
        help="Reason of the last change of level.",
    ),
    Panel("Is it unknown?", "stat", ((f"max({M}pilot_unknown{ONE})", "unknown"),), 4, 5, mapping=YES),
    Panel(
        "Is a halt unacknowledged?",
        "stat",
        ((f"max({M}pilot_unacknowledged{ONE})", "unacknowledged"),),
        4,
        5,
        mapping=YES,
    ),
    Panel(
        "How much alpha may the thresholds spend?",
        "stat",
        ((f"max({M}alpha_spent_ratio{ONE})", "alpha"),),
        4,
        5,
        "percentunit",
    ),
    Panel(
        "How did its level change?",
        "states",
        (
            (f"max by (pilot) ({M}pilot_level{ONE})", "level"),
            (f"max by (pilot) ({M}pilot_unknown{ONE}) * 4", "unknown"),
        ),
        24,
        5,
        mapping=(*LEVELS, (4, "unknown", "purple")),
    ),
    Panel(
        "How close is each statistic to its threshold?",
        "lines",
        ((f"{SCORE} ({M}statistic{ONE} / {M}bar{ONE})", "{{indicator}} {{segment}} {{detector}}"),),
        24,
        9,
        "percentunit",
        help="Statistic divided by its threshold; at 100 % the detector reports a finding.",
    ),
    Panel(
        "What is the statistic of each detector, and its threshold?",
        "lines",
        (
            (f"{SCORE} ({M}statistic{ONE})", "{{indicator}} {{segment}} {{detector}}"),
            (f"{SCORE} ({M}bar{ONE})", "threshold of {{indicator}} {{segment}} {{detector}}"),
        ),
        help="Natural logarithms for e-processes and e-detectors.",
    ),
    Panel(
        "How many events per unit of exposure?",
        "lines",
        ((f"{SLOT} ({M}observed{ONE}) / ({SLOT} ({M}exposure{ONE}) > 0)", "{{indicator}} {{segment}}"),),
    ),
    Panel("What was observed?", "lines", ((f"{SLOT} ({M}observed{ONE})", "{{indicator}} {{segment}}"),)),
    Panel("Over what exposure?", "lines", ((f"{SLOT} ({M}exposure{ONE})", "{{indicator}} {{segment}}"),)),
    Panel(
        "When did the last closed period of each indicator end?",
        "table",
        ((f"{SLOT} ({M}period_end_timestamp_seconds{ONE}) * 1000", ""),),
        24,
        6,
        "dateTimeAsIso",
    ),
)

HEALTH = (
    Panel(
        "How long ago did each monitor make progress?",
        "stat",
        ((f"time() - max by (instance) ({M}heartbeat_timestamp_seconds)", "{{instance}}"),),
        8,
        5,
        "s",
    ),
    Panel("Which version runs?", "stat", ((f"max by (version) ({M}build_info)", "{{version}}"),), 8, 5),
    Panel("Which partitions are owned, under which epoch?", "table", ((f"{M}partition_epoch", ""),), 8, 5),
    Panel(
        "How many events per second are processed?",
        "lines",
        ((f"sum(rate({M}events_total[$__rate_interval]))", "events"),),
    ),
    Panel(
        "How many events are rejected, and why?",
        "lines",
        ((f"sum by (reason) (rate({M}rejected_total[$__rate_interval])) > 0", "{{reason}}"),),
        unit="ops",
    ),
    Panel(
        "How many events are accepted but not counted, and why?",
        "lines",
        ((f"sum by (kind) (rate({M}uncounted_total[$__rate_interval]))", "{{kind}}"),),
        unit="ops",
    ),
    Panel(
        "How many records are not yet processed?",
        "lines",
        ((f"max by (topic, partition) ({M}lag_records)", "{{topic}}/{{partition}}"),),
    ),
    Panel(
        "How many pilots are resident, and how many evicted?",
        "lines",
        ((f"sum by (state) ({M}pilots_held)", "{{state}}"),),
        help='"awake" = resident in memory, "asleep" = evicted to a compressed snapshot.',
    ),
    Panel(
        "Which version of the sandbox's configuration does each partition have?",
        "lines",
        ((f"max by (partition) ({M}configuration_version)", "{{partition}}"),),
        help="All partitions have the same one, soon after each change; `sandbox-monitor sandbox sync` copies it.",
    ),
    Panel(
        "How long does a step (one batch) take?",
        "lines",
        (
            (f"histogram_quantile(0.5, sum by (le) (rate({M}step_seconds_bucket[$__rate_interval])))", "50 %"),
            (f"histogram_quantile(0.99, sum by (le) (rate({M}step_seconds_bucket[$__rate_interval])))", "99 %"),
            (f"sum(rate({M}step_seconds_sum[5m])) / sum(rate({M}step_seconds_count[5m]))", "mean"),
        ),
        unit="s",
    ),
    Panel(
        "How late do timers run?",
        "lines",
        (
            (f"histogram_quantile(0.99, sum by (le) (rate({M}notify_delay_seconds_bucket[$__rate_interval])))", "99 %"),
            (f"sum(rate({M}notify_delay_seconds_sum[5m])) / sum(rate({M}notify_delay_seconds_count[5m]))", "mean"),
        ),
        unit="s",
    ),
    Panel(
        "How old is the last checkpoint?",
        "lines",
        ((f"time() - max by (partition) ({M}checkpoint_timestamp_seconds)", "{{partition}}"),),
        unit="s",
    ),
    Panel(
        "Up to when are all periods closed?",
        "table",
        ((f"max by (partition) ({M}closed_through_timestamp_seconds) * 1000", ""),),
        unit="dateTimeAsIso",
    ),
    Panel(
        "How many periods close, and how many are revised?",
        "lines",
        (
            (f"sum by (kind) (rate({M}evidence_total[$__rate_interval]))", "{{kind}}"),
            (f"sum(rate({M}revisions_total[$__rate_interval]))", "revised"),
        ),
        unit="ops",
    ),
    Panel(
        "How many ledger entries are recorded?",
        "lines",
        ((f"sum(rate({M}recorded_total[$__rate_interval]))", "entries"),),
        unit="ops",
    ),
    Panel(
        "Is the publication current?",
        "lines",
        (
            (f"time() - max by (job) ({M}published_until_timestamp_seconds > 0)", "{{job}}: not published for"),
            (f"time() - max by (job) ({M}published_checkpoint_timestamp_seconds > 0)", "{{job}}: last checkpoint"),
        ),
        unit="s",
        help="Empty where ledgers are not published.",
    ),
    Panel(
        "What is published, and how do rounds end?",
        "lines",
        (
            (f"sum by (job) ({M}published_entries)", "{{job}} entries"),
            (f"sum by (job) ({M}published_leaves)", "{{job}} authority leaves"),
            (f"sum by (outcome) (rate({M}publication_rounds_total[$__rate_interval]))", "rounds: {{outcome}}"),
            (f"sum by (reason) ({M}publication_refused)", "logs refused: {{reason}}"),
        ),
    ),
    Panel(
        "Who cosigns published checkpoints?",
        "lines",
        (
            (
                f"sum by (witness, outcome) (increase({M}cosignatures_total[$__rate_interval])) > 0",
                "{{witness}} {{outcome}}",
            ),
            (f"sum by (answer) (increase({M}witness_answers_total[$__rate_interval])) > 0", "own witness: {{answer}}"),
            (f"sum by (reason) (increase({M}stamp_failures_total[$__rate_interval])) > 0", "no time stamp: {{reason}}"),
        ),
        help="Empty where no policy names a witness, and no witness runs here.",
    ),
    Panel(
        "How far are the readers of outputs, and how far behind?",
        "lines",
        (
            (f"max by (job, topic, partition) ({M}reader_lag_records)", "{{job}} {{topic}}/{{partition}} behind"),
            (f"sum by (job, topic) (rate({M}reader_records_total[$__rate_interval]))", "{{job}} {{topic}} per second"),
        ),
        help="Notary, actors, second stage.",
    ),
    Panel(
        "Up to which offset are outputs read?",
        "table",
        ((f"max by (job, topic, partition) ({M}reader_position)", ""),),
    ),
    Panel(
        "Which records did the monitor not write?",
        "lines",
        (
            (
                f"sum by (topic, reason) (increase({M}foreign_records_total[$__rate_interval])) > 0",
                "{{topic}} {{reason}}",
            ),
        ),
        help="Skipped on topics that only the monitor may write.",
    ),
    Panel(
        "Do the actors deliver?",
        "lines",
        (
            (f"sum by (actor, outcome) (rate({M}acted_total[$__rate_interval])) > 0", "{{actor}} {{outcome}}"),
            (f"sum by (actor) ({M}act_pending)", "{{actor}} pending"),
        ),
    ),
    Panel("Were any values dropped from the metrics?", "stat", ((f"sum by (why) ({M}dropped_total)", "{{why}}"),)),
    Panel(
        "How much memory and CPU does it use?",
        "lines",
        (
            ('process_resident_memory_bytes{job="sandbox-monitor"}', "memory {{instance}}"),
            ('rate(process_cpu_seconds_total{job="sandbox-monitor"}[$__rate_interval])', "CPU {{instance}}"),
        ),
        unit="bytes",
    ),
)
