"""The three Grafana dashboards as one table of questions: each panel's title is a question that its query answers.

Run `sandbox-monitor dashboards build` (or this file) after a change and commit the JSON beside it. Built with
grafana-foundation-sdk for Grafana 11.6, as classic JSON, which file provisioning and the HTTP API both take.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueGraphMode, BigValueTextMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    GridPos,
    MappingType,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableRefresh,
)

HERE = Path(__file__).parent
M = "sandbox_monitor_"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
ONE = '{pilot="$pilot"}'
WHO = "max by (pilot, participant)"
SLOT = "max by (indicator, segment)"
SCORE = "max by (indicator, segment, detector)"
LEVELS = ((0, "normal", "green"), (1, "watch", "yellow"), (2, "escalate", "orange"), (3, "halt", "red"))

Kind = Literal["stat", "table", "lines", "states", "bars"]
KINDS = {"stat": stat, "table": table, "lines": timeseries, "states": statetimeline, "bars": bargauge}


@dataclass(frozen=True)
class Panel:
    """One question. `queries` are (expression, legend); `mapping` turns values into words."""

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
        help="All pilots, also those beyond the label cap.",
    ),
    Panel("How many pilots are unknown?", "stat", ((f"sum({M}pilots_unknown)", "unknown"),), 6, 5),
    Panel(
        "How many pilots have no series of their own?",
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
    Panel("How many commands are still open?", "lines", ((f"sum by (state) ({M}commands_open)", "{{state}}"),), 6),
    Panel(
        "Which commands are still open, and since when?",
        "table",
        ((f"time() - max by (pilot, participant, action, state) ({M}command_open_timestamp_seconds)", ""),),
        6,
    ),
    Panel("Which pilots are unknown?", "table", ((f"{WHO} ({M}pilot_unknown) == 1", ""),), 6),
    Panel(
        "How did each pilot move on the ladder?",
        "states",
        ((f"max by (pilot) ({M}pilot_level)", "{{pilot}}"),),
        24,
        10,
        mapping=LEVELS,
    ),
    Panel(
        "Which pilots are nearest to a bar?",
        "bars",
        (
            (
                f"topk(10, max by (pilot, indicator, segment, detector) ({M}statistic / {M}bar))",
                "{{pilot}} {{indicator}} {{segment}} {{detector}}",
            ),
        ),
        unit="percentunit",
        help="Statistic divided by bar; 100 % is an alarm.",
    ),
    Panel(
        "Whose thresholds may spend most alpha?",
        "bars",
        ((f"topk(10, {WHO} ({M}alpha_spent_ratio))", "{{pilot}}"),),
        unit="percentunit",
        help="Probability of a false halt that the thresholds up to now may spend; what was used stands on the pilot's page.",
    ),
    Panel(
        "Which decisions are taken, and for what reason?",
        "lines",
        ((f"sum by (level, reason) (increase({M}decisions_total[$__rate_interval])) > 0", "{{level}}: {{reason}}"),),
    ),
    Panel(
        "What goes out to the services?",
        "lines",
        (
            (f"sum by (action) (rate({M}commands_total[$__rate_interval]))", "command {{action}}"),
            (f"sum by (action) (rate({M}commands_again_total[$__rate_interval]))", "told again: {{action}}"),
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
    Panel("Why?", "stat", ((f"max by (reason) ({M}pilot_reason{ONE})", "{{reason}}"),), 4, 5, help="The first cause."),
    Panel("Is it unknown?", "stat", ((f"max({M}pilot_unknown{ONE})", "unknown"),), 4, 5, mapping=YES),
    Panel(
        "Does a halt wait for its acknowledgement?",
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
        "How did it move on the ladder?",
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
        "How near is each statistic to its bar?",
        "lines",
        ((f"{SCORE} ({M}statistic{ONE} / {M}bar{ONE})", "{{indicator}} {{segment}} {{detector}}"),),
        24,
        9,
        "percentunit",
        help="100 % is an alarm.",
    ),
    Panel(
        "What does each detector say, and where is its bar?",
        "lines",
        (
            (f"{SCORE} ({M}statistic{ONE})", "{{indicator}} {{segment}} {{detector}}"),
            (f"{SCORE} ({M}bar{ONE})", "bar of {{indicator}} {{segment}} {{detector}}"),
        ),
        help="Natural logarithms for e-processes and e-detectors.",
    ),
    Panel(
        "How many events for each unit of exposure?",
        "lines",
        ((f"{SLOT} ({M}observed{ONE}) / ({SLOT} ({M}exposure{ONE}) > 0)", "{{indicator}} {{segment}}"),),
    ),
    Panel("What was observed?", "lines", ((f"{SLOT} ({M}observed{ONE})", "{{indicator}} {{segment}}"),)),
    Panel("Over what exposure?", "lines", ((f"{SLOT} ({M}exposure{ONE})", "{{indicator}} {{segment}}"),)),
    Panel(
        "Up to when are its periods closed?",
        "table",
        ((f"{SLOT} ({M}period_end_timestamp_seconds{ONE}) * 1000", ""),),
        24,
        6,
        "dateTimeAsIso",
    ),
)

HEALTH = (
    Panel(
        "How long ago did each monitor move?",
        "stat",
        ((f"time() - max by (instance) ({M}heartbeat_timestamp_seconds)", "{{instance}}"),),
        8,
        5,
        "s",
    ),
    Panel("Which version runs?", "stat", ((f"max by (version) ({M}build_info)", "{{version}}"),), 8, 5),
    Panel("Which partitions are owned, under which epoch?", "table", ((f"{M}partition_epoch", ""),), 8, 5),
    Panel(
        "How many events are stepped a second?", "lines", ((f"sum(rate({M}events_total[$__rate_interval]))", "events"),)
    ),
    Panel(
        "How much is set aside, and why?",
        "lines",
        ((f"sum by (reason) (rate({M}rejected_total[$__rate_interval])) > 0", "{{reason}}"),),
        unit="ops",
    ),
    Panel(
        "How much is accepted but counts nowhere, by the kind of label?",
        "lines",
        ((f"sum by (kind) (rate({M}uncounted_total[$__rate_interval]))", "{{kind}}"),),
        unit="ops",
    ),
    Panel(
        "How far behind is it?",
        "lines",
        ((f"max by (topic, partition) ({M}lag_records)", "{{topic}}/{{partition}}"),),
    ),
    Panel(
        "How many pilots are held, and how many of them sleep?",
        "lines",
        ((f"sum by (state) ({M}pilots_held)", "{{state}}"),),
    ),
    Panel(
        "How long does a step take?",
        "lines",
        (
            (f"histogram_quantile(0.5, sum by (le) (rate({M}step_seconds_bucket[$__rate_interval])))", "50 %"),
            (f"histogram_quantile(0.99, sum by (le) (rate({M}step_seconds_bucket[$__rate_interval])))", "99 %"),
            (f"sum(rate({M}step_seconds_sum[5m])) / sum(rate({M}step_seconds_count[5m]))", "mean"),
        ),
        unit="s",
    ),
    Panel(
        "How late are timers served?",
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
        "How much is recorded in the ledger?",
        "lines",
        ((f"sum(rate({M}recorded_total[$__rate_interval]))", "entries"),),
        unit="ops",
    ),
    Panel(
        "Do the actors get through?",
        "lines",
        (
            (f"sum by (actor, outcome) (rate({M}acted_total[$__rate_interval])) > 0", "{{actor}} {{outcome}}"),
            (f"sum by (actor) ({M}act_pending)", "{{actor}} waiting"),
        ),
    ),
    Panel("Did any number get no series?", "stat", ((f"sum by (why) ({M}dropped_total)", "{{why}}"),)),
    Panel(
        "How much memory and processor does it use?",
        "lines",
        (
            ('process_resident_memory_bytes{job="sandbox-monitor"}', "memory {{instance}}"),
            ('rate(process_cpu_seconds_total{job="sandbox-monitor"}[$__rate_interval])', "processors {{instance}}"),
        ),
        unit="bytes",
    ),
)


def _mapping(words: tuple[tuple[int, str, str], ...]) -> ValueMap:
    results = {str(v): ValueMappingResult(text=word, color=color, index=i) for i, (v, word, color) in enumerate(words)}
    made = ValueMap(options=results)
    made.type_val = MappingType.VALUE_TO_TEXT
    return made


def _panel(panel: Panel, number: int, x: int, y: int) -> Any:
    built = KINDS[panel.kind].Panel().id(number).title(panel.question).datasource(SOURCE).unit(panel.unit)
    built.grid_pos(GridPos(h=panel.height, w=panel.width, x=x, y=y))
    if panel.help:
        built.description(panel.help)
    if panel.mapping:
        built.mappings([_mapping(panel.mapping)])
    steps = [Threshold(value=None, color="green")]
    if panel.unit == "percentunit":
        steps += [Threshold(value=0.5, color="orange"), Threshold(value=1.0, color="red")]
        built.min(0)
    built.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    now = panel.kind in ("stat", "table", "bars")
    for place, (expr, legend) in enumerate(panel.queries):
        query = prometheus.Dataquery().expr(expr).ref_id("ABCDEF"[place]).datasource(SOURCE)
        query.instant() if now else query.range()
        if legend:
            query.legend_format(legend)
        if panel.kind == "table":
            query.format("table")
        built.with_target(query)
    if panel.kind == "table":
        hidden = {"Time": True, "__name__": True, "job": True}
        built.with_transformation(DataTransformerConfig(id_val="organize", options={"excludeByName": hidden}))
    if panel.kind == "stat":
        by_name = panel.question in ("Why?", "Which version runs?")
        text = BigValueTextMode.NAME if by_name else BigValueTextMode.AUTO
        built.graph_mode(BigValueGraphMode.NONE).text_mode(text)
        built.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if panel.question.startswith("How much memory"):
        built.override_by_regexp("processors.*", [DynamicConfigValue(id_val="unit", value="short")])
    return built


def _dashboard(uid: str, title: str, panels: tuple[Panel, ...], variable: bool = False) -> dict[str, Any]:
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .tags(["sandbox-monitor"])
        .timezone("utc")
        .time("now-6h", "now")
        .refresh("10s")
        .editable()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    link = dashboard.DashboardLink("Sandbox monitor").type(DashboardLinkType.DASHBOARDS)
    built.link(link.tags(["sandbox-monitor"]).as_dropdown(False).keep_time(True).include_vars(True))
    # Built of tags, so that marks show whichever dashboard they were made for.
    tags = ["pilot:$pilot"] if variable else ["sandbox-monitor"]
    marks = dashboard.AnnotationQuery().name("Decisions").enable(True).icon_color("red")
    marks.datasource(DataSourceRef(type_val="grafana", uid="-- Grafana --"))
    marks.target(dashboard.AnnotationTarget().type("tags").limit(200).match_any(False).tags(tags))
    built.annotation(marks)
    if variable:
        query = dashboard.QueryVariable("pilot").label("Pilot").datasource(SOURCE)
        query.query(f"label_values({M}pilot_level, pilot)").refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        built.with_variable(query)
    x = y = row = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > 24:
            x, y, row = 0, y + row, 0
        built.with_panel(_panel(panel, number, x, y))
        x, row = x + panel.width, max(row, panel.height)
    made: dict[str, Any] = json.loads(JSONEncoder().encode(built.build()))
    return made


def build() -> dict[str, dict[str, Any]]:
    """File name -> dashboard, as Grafana's classic JSON model."""
    return {
        "fleet.json": _dashboard("sandbox-fleet", "Sandbox: the fleet", FLEET),
        "pilot.json": _dashboard("sandbox-pilot", "Sandbox: one pilot", PILOT, variable=True),
        "health.json": _dashboard("sandbox-health", "Sandbox: monitor health", HEALTH),
    }


def text(made: dict[str, Any]) -> str:
    """The one text form that is committed."""
    return json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, made in build().items():
        (HERE / name).write_text(text(made))
