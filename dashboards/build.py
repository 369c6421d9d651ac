"""Builds the three Grafana dashboards from the table in `panels.py`.

Run `sandbox-monitor dashboards build` (or this file) after a change and commit the JSON files. Built with
grafana-foundation-sdk for Grafana 11.6, as classic JSON, which file provisioning and the HTTP API both take.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

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
sys.path.insert(0, str(HERE))
from panels import FLEET, HEALTH, PILOT, M, Panel  # noqa: E402 (next to this file, which is loaded by its path)

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

KINDS = {"stat": stat, "table": table, "lines": timeseries, "states": statetimeline, "gauges": bargauge}


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
    now = panel.kind in ("stat", "table", "gauges")
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
        built.override_by_regexp("CPU.*", [DynamicConfigValue(id_val="unit", value="short")])
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
    # By tags, so that annotations of any dashboard are shown.
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
    """The text form that is committed."""
    return json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, made in build().items():
        (HERE / name).write_text(text(made))
