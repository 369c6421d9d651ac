"""Schema v2 of a board (`dashboard.grafana.app/v2beta1`), as a resource for the API of Grafana 12.2 and later."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboardv2beta1 as v2
from grafana_foundation_sdk.builders.resource import Manifest, Metadata
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboardv2beta1 as model
from grafana_foundation_sdk.models.common import BigValueGraphMode, BigValueTextMode, VizOrientation

from . import shape
from .table import TAG, Board, Marks, Panel, Variable

API_VERSION, KIND = "dashboard.grafana.app/v2beta1", "Dashboard"
KINDS = {"stat": stat, "table": table, "lines": timeseries, "states": statetimeline, "gauges": bargauge}


def resource(board: Board) -> dict[str, Any]:
    """The board as a resource: `apiVersion`, `kind`, `metadata`, `spec`."""
    manifest = Manifest().api_version(API_VERSION).kind(KIND).metadata(Metadata().name(board.uid))
    made: dict[str, Any] = json.loads(JSONEncoder().encode(manifest.spec(_spec(board)).build()))
    return made


def _spec(board: Board) -> model.Dashboard:
    built = (
        v2.Dashboard(board.title).description(board.text).tags([TAG]).cursor_sync(model.DashboardCursorSync.CROSSHAIR)
    )
    built.time_settings(v2.TimeSettings().from_val(board.since).to("now").auto_refresh("30s"))
    others = shape.other_boards()
    link = v2.DashboardLink().title(others.title).type(model.DashboardLinkType.DASHBOARDS).tags([others.url])
    built.links([link.as_dropdown(True).keep_time(True).include_vars(True)])
    built.annotations([_annotation(mark) for mark in board.marks])
    built.variable(v2.DatasourceVariable("datasource").label("Prometheus").plugin_id("prometheus"))
    for variable in board.variables:
        built.variable(_variable(variable))
    for name, value in shape.ADDRESSES.items():
        built.variable(_address(name, value))
    rows = v2.RowsLayout()
    for row in shape.placed(board):
        grid = v2.GridLayout()
        for place in row.places:
            name, panel = f"panel-{place.number}", place.panel
            built.element(name, _panel(place))
            item = v2.GridLayoutItem(name).x(place.x).y(place.y - row.y - 1)
            grid.item(item.width(panel.width).height(panel.height))
        rows.row(v2.RowsLayoutRow(row.row.title).grid_layout(grid))
    return built.rows_layout(rows).build()


def _source() -> Any:
    return v2.Dashboardv2beta1DataQueryKindDatasource().name("${datasource}")


def _variable(variable: Variable) -> Any:
    query = v2.DataQueryKind().group("prometheus").version("v0").datasource(_source())
    query.spec({"query": variable.query, "refId": "PrometheusVariableQueryEditor-VariableQuery"})
    built = v2.QueryVariable(variable.name).label(variable.label).query(query)
    built.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)
    if variable.several:
        built.multi(True).include_all(True).all_value(".*")
        built.current(model.VariableOption(text="All", value="$__all"))
    return built


def _address(name: str, value: str) -> Any:
    built = v2.TextVariable(name).query(value).hide(model.VariableHide.HIDE_VARIABLE)
    return built.current(model.VariableOption(text=value, value=value))


def _annotation(mark: Marks) -> Any:
    built = v2.AnnotationQuery().name(mark.name).enable(mark.on).hide(False).icon_color(mark.colour)
    if mark.tags:
        own = v2.Dashboardv2beta1DataQueryKindDatasource().name("-- Grafana --")
        query = v2.DataQueryKind().group("grafana").version("v0").datasource(own)
        tags = {"type": "tags", "limit": 200, "matchAny": False, "tags": list(mark.tags)}
        return built.query(query.spec(tags))
    query = v2.DataQueryKind().group("prometheus").version("v0").datasource(_source())
    built.query(query.spec({"expr": mark.expr, "refId": "Anno"}))
    return built.legacy_options(shape.value_as_time(mark))


def _data_links(links: list[shape.Link]) -> list[Any]:
    return [v2.DataLink().title(one.title).url(one.url).target_blank(True) for one in links]


def _plain(links: list[shape.Link]) -> list[dict[str, Any]]:
    return [{"title": one.title, "url": one.url, "targetBlank": True} for one in links]


def _panel(place: shape.Place) -> Any:
    panel = place.panel
    data = v2.QueryGroup()
    for number, query in enumerate(panel.queries):
        data.target(_target(panel, shape.REFERENCES[number], query.expr, query.legend))
    if panel.kind == "table":
        organize = {"excludeByName": shape.hidden(panel), "renameByName": shape.columns(panel)}
        data.transformation(v2.Transformation().kind("organize").id("organize").options(organize))
    built = v2.Panel().id(place.number).title(panel.question).description(panel.text)
    return built.links(_data_links(shape.panel_links(panel))).data(data).visualization(_visualization(panel))


def _target(panel: Panel, reference: str, expr: str, legend: str) -> Any:
    query = prometheus.Query().version("v0").datasource(_source()).expr(expr)
    if panel.kind in ("stat", "table", "gauges"):
        query.instant()
    else:
        query.range()
    if panel.kind == "table":
        query.format("table")
    elif legend:
        query.legend_format(legend)
    return v2.Target().ref_id(reference).hidden(False).query(query)


def _visualization(panel: Panel) -> Any:
    built = KINDS[panel.kind].Visualization().unit(panel.unit)
    if panel.mapping:
        built.mappings([_mapping(panel.mapping)])
    if panel.decimals is not None:
        built.decimals(panel.decimals)
    steps = [model.Threshold(value=None, color=panel.first)]
    steps += [model.Threshold(value=value, color=colour) for value, colour in panel.steps]
    built.thresholds(v2.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
    if panel.unit == "percentunit":
        built.min(0)
    if series := shape.series_links(panel):
        built.data_links(_plain(series))
    match panel.kind:
        case "table":
            built.show_header(True)
            for heading, links in shape.column_links(panel).items():
                built.override_by_name(heading, [model.DynamicConfigValue(id_val="links", value=_plain(links))])
        case "lines" | "states":
            built.legend(shape.legend())
        case "stat":
            built.text_mode(BigValueTextMode.NAME if panel.by_name else BigValueTextMode.AUTO)
            built.graph_mode(BigValueGraphMode.NONE).reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        case "gauges":
            built.orientation(VizOrientation.HORIZONTAL).reduce_options(
                common.ReduceDataOptions().calcs(["lastNotNull"])
            )
    return built


def _mapping(words: tuple[tuple[int, str, str], ...]) -> model.ValueMap:
    results = {
        str(value): model.ValueMappingResult(text=word, color=colour, index=place)
        for place, (value, word, colour) in enumerate(words)
    }
    return model.ValueMap(options=results)
