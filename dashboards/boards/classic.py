"""The classic JSON model of a board, for file provisioning and the HTTP API of Grafana 11 to 13."""

from __future__ import annotations

import json
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
from grafana_foundation_sdk.models.common import BigValueGraphMode, BigValueTextMode, VizOrientation
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
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
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from . import shape
from .table import TAG, Board, Marks, Panel, Variable

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
GRAFANA = DataSourceRef(type_val="grafana", uid="-- Grafana --")
KINDS = {"stat": stat, "table": table, "lines": timeseries, "states": statetimeline, "gauges": bargauge}


def classic(board: Board) -> dict[str, Any]:
    """The board as Grafana's classic JSON."""
    built = dashboard.Dashboard(board.title).uid(board.uid).description(board.text).tags([TAG]).refresh("30s")
    built.time(board.since, "now").tooltip(DashboardCursorSync.CROSSHAIR)
    source = dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    built.with_variable(source)
    for variable in board.variables:
        built.with_variable(_variable(variable))
    for name, value in shape.ADDRESSES.items():
        address = dashboard.TextBoxVariable(name).default_value(value).hide(VariableHide.HIDE_VARIABLE)
        built.with_variable(address.current(VariableOption(text=value, value=value)))
    others = shape.other_boards()
    link = dashboard.DashboardLink(others.title).type(DashboardLinkType.DASHBOARDS).tags([others.url])
    built.link(link.as_dropdown(True).keep_time(True).include_vars(True))
    for mark in board.marks:
        built.annotation(_annotation(mark))
    for row in shape.placed(board):
        heading = dashboard.Row(row.row.title).id(row.number).grid_pos(GridPos(h=1, w=24, x=0, y=row.y))
        built.with_row(heading)
        for place in row.places:
            built.with_panel(_panel(place))
    made: dict[str, Any] = json.loads(JSONEncoder().encode(built.build()))
    for mark, one in zip(board.marks, made["annotations"].get("list", []), strict=True):
        one.update(shape.value_as_time(mark))  # of Grafana's Prometheus data source; the builder does not know it
    return made


def _variable(variable: Variable) -> Any:
    query = dashboard.QueryVariable(variable.name).label(variable.label).datasource(SOURCE).query(variable.query)
    query.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    if variable.several:
        query.multi(True).include_all(True).all_value(".*").current(VariableOption(text="All", value="$__all"))
    return query


def _annotation(mark: Marks) -> Any:
    built = dashboard.AnnotationQuery().name(mark.name).enable(mark.on).icon_color(mark.colour)
    if mark.tags:
        tags = dashboard.AnnotationTarget().type("tags").limit(200).match_any(False).tags(list(mark.tags))
        return built.datasource(GRAFANA).target(tags)
    return built.datasource(SOURCE).expr(mark.expr)


def _links(links: list[shape.Link]) -> list[Any]:
    return [
        dashboard.DashboardLink(one.title).type(DashboardLinkType.LINK).url(one.url).target_blank(True) for one in links
    ]


def _plain(links: list[shape.Link]) -> list[dict[str, Any]]:
    return [{"title": one.title, "url": one.url, "targetBlank": True} for one in links]


def _panel(place: shape.Place) -> Any:
    panel = place.panel
    built = KINDS[panel.kind].Panel().id(place.number).title(panel.question).description(panel.text)
    built.datasource(SOURCE).unit(panel.unit).links(_links(shape.panel_links(panel)))
    built.grid_pos(GridPos(h=panel.height, w=panel.width, x=place.x, y=place.y))
    if panel.mapping:
        built.mappings([_mapping(panel.mapping)])
    if panel.decimals is not None:
        built.decimals(panel.decimals)
    steps = [Threshold(value=None, color=panel.first), *(Threshold(value=v, color=c) for v, c in panel.steps)]
    built.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    if panel.unit == "percentunit":
        built.min(0)
    if series := shape.series_links(panel):
        built.data_links(_links(series))
    for number, query in enumerate(panel.queries):
        built.with_target(_target(panel, shape.REFERENCES[number], query.expr, query.legend))
    _look(panel, built)
    return built


def _target(panel: Panel, reference: str, expr: str, legend: str) -> Any:
    query = prometheus.Dataquery().expr(expr).ref_id(reference).datasource(SOURCE)
    if panel.kind in ("stat", "table", "gauges"):
        query.instant()
    else:
        query.range()
    if panel.kind == "table":
        query.format("table")
    elif legend:
        query.legend_format(legend)
    return query


def _look(panel: Panel, built: Any) -> None:
    match panel.kind:
        case "table":
            organize = {"excludeByName": shape.hidden(panel), "renameByName": shape.columns(panel)}
            built.with_transformation(DataTransformerConfig(id_val="organize", options=organize))
            for heading, links in shape.column_links(panel).items():
                built.override_by_name(heading, [DynamicConfigValue(id_val="links", value=_plain(links))])
        case "lines" | "states":
            built.legend(shape.legend())
        case "stat":
            built.text_mode(BigValueTextMode.NAME if panel.by_name else BigValueTextMode.AUTO)
            built.graph_mode(BigValueGraphMode.NONE).reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        case "gauges":
            built.orientation(VizOrientation.HORIZONTAL).reduce_options(
                common.ReduceDataOptions().calcs(["lastNotNull"])
            )


def _mapping(words: tuple[tuple[int, str, str], ...]) -> ValueMap:
    results = {str(v): ValueMappingResult(text=word, color=color, index=i) for i, (v, word, color) in enumerate(words)}
    made = ValueMap(options=results)
    made.type_val = MappingType.VALUE_TO_TEXT
    return made
