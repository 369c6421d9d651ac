"""The dashboards are built from one table in two formats that say the same, follow the rules of Grafana's formats, and
are pushed and exported with the addresses of an installation."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as classic_model
from grafana_foundation_sdk.models import dashboardv2beta1 as v2_model
from grafana_foundation_sdk.models import units

from monitor.cli.dashboards import dashboards
from monitor.console.pages import PAGES, named
from monitor.projections.links import FLEET_DASHBOARD, PILOT_DASHBOARD, Links
from monitor.projections.metric_catalogue import CATALOGUE, series_names
from monitor.testing.grafana import FakeGrafana
from monitor.testing.recorder import Recorder

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "dashboards"
BOARDS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
V2: dict[str, dict[str, Any]] = {
    path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("v2/*.yaml"))
}
NAMES = sorted(BOARDS)
UNITS = {value for name, value in vars(units).items() if isinstance(value, str) and not name.startswith("__")}


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The panels without the headings of rows."""
    yield from (panel for panel in board["panels"] if panel["type"] != "row")


def queries(board: dict[str, Any]) -> Iterator[str]:
    """Every PromQL expression: of panels and of annotations."""
    yield from (target["expr"] for panel in panels(board) for target in panel["targets"])
    yield from (mark["expr"] for mark in board.get("annotations", {}).get("list", []) if "expr" in mark)


PANELS = [pytest.param(panel, id=f"{name}: {panel['title']}") for name in NAMES for panel in panels(BOARDS[name])]


# ---- from the table


def test_the_committed_dashboards_are_what_the_table_builds() -> None:
    """`dashboards build --check` finds no difference, in either format."""
    done = CliRunner().invoke(dashboards, ["build", "--check"])
    assert done.exit_code == 0, done.output
    assert len(done.output.splitlines()) == 2 * len(BOARDS)


@pytest.mark.parametrize("file", ["fleet.json", "v2/fleet.yaml"])
def test_a_stale_dashboard_is_found(file: str, tmp_path: Path) -> None:
    """A file edited by hand fails the check, and `build` restores it."""
    copied = tmp_path / "dashboards"
    shutil.copytree(FOLDER, copied)
    (copied / file).write_text("{}")
    run, path = CliRunner(), list(sys.path)
    try:
        assert run.invoke(dashboards, ["build", "--check", "--dir", str(copied)]).exit_code == 1
        assert run.invoke(dashboards, ["build", "--dir", str(copied)]).exit_code == 0
    finally:
        sys.path[:] = path
    assert (copied / file).read_text() == (FOLDER / file).read_text()


def test_there_are_seven_dashboards() -> None:
    """Each with a uid that never changes, the tag they are found by, and whom it is for."""
    assert {board["uid"] for board in BOARDS.values()} == {
        "sandbox-fleet", "sandbox-pilot", "sandbox-halts", "sandbox-life", "sandbox-across", "sandbox-detectors",
        "sandbox-health",
    }  # fmt: skip
    assert {PILOT_DASHBOARD, FLEET_DASHBOARD} <= {board["uid"] for board in BOARDS.values()}
    assert all(board["tags"] == ["sandbox-monitor"] for board in BOARDS.values())
    assert all(board["description"].startswith("For ") for board in BOARDS.values())
    assert {name: board["uid"] for name, board in BOARDS.items()} == {
        name: made["metadata"]["name"] for name, made in V2.items()
    }


def test_only_classic_dashboards_are_json() -> None:
    """Grafana's file provisioning takes every JSON file below its folder for a classic dashboard."""
    assert {path.parent for path in FOLDER.rglob("*.json")} == {FOLDER}


# ---- rules of the classic format


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_unique_and_no_panel_covers_another(name: str) -> None:
    """Ids of panels and rows are unique, and all lie side by side within 24 columns without an overlap."""
    every = BOARDS[name]["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in every)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert {x for x, _ in cells} <= set(range(24))
    assert every[0]["type"] == "row"


@pytest.mark.parametrize("name", NAMES)
def test_a_board_is_what_the_models_of_the_sdk_read(name: str) -> None:
    """Read into the SDK's model of each format and written again, nothing is lost or added."""

    class Encoder(JSONEncoder):
        """The model of schema v2 reads plugin and version of a visualization as sets of one, and adds an empty
        `custom`."""

        def default(self, o: Any) -> Any:
            return next(iter(o)) if isinstance(o, set) and len(o) == 1 else super().default(o)

    def again(made: Any, model: Any) -> Any:
        read = json.loads(Encoder().encode(model.from_json(made)))
        for panel in read.get("elements", {}).values():
            defaults = panel["spec"]["vizConfig"]["spec"]["fieldConfig"]["defaults"]
            if defaults.get("custom") == {}:
                del defaults["custom"]
        return read

    classic = json.loads(json.dumps(BOARDS[name]))
    for mark in classic.get("annotations", {}).get("list", []):  # settings of the Prometheus data source
        for key in ("useValueForTime", "titleFormat", "textFormat", "tagKeys", "step"):
            mark.pop(key, None)
    assert again(classic, classic_model.Dashboard) == classic
    assert again(V2[name]["spec"], v2_model.Dashboard) == V2[name]["spec"]
    assert (V2[name]["apiVersion"], V2[name]["kind"]) == ("dashboard.grafana.app/v2beta1", "Dashboard")


@pytest.mark.parametrize("name", NAMES)
def test_every_query_goes_to_the_chosen_prometheus(name: str) -> None:
    """The first variable is the data source; panels, targets, variables and annotations refer to it."""
    board = BOARDS[name]
    first, *rest = board["templating"]["list"]
    assert (first["name"], first["type"], first["query"]) == ("datasource", "datasource", "prometheus")
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert all(one["datasource"] == chosen for one in rest if one["type"] == "query")
    for panel in panels(board):
        assert panel["datasource"] == chosen
        assert all(target["datasource"] == chosen for target in panel["targets"])
    for mark in board.get("annotations", {}).get("list", []):
        assert mark["datasource"] in (chosen, {"type": "grafana", "uid": "-- Grafana --"})
        assert mark["datasource"] == chosen if "expr" in mark else mark["target"]["tags"]


@pytest.mark.parametrize("name", NAMES)
def test_only_declared_variables_are_used(name: str) -> None:
    """Every variable in a query, link or tag is one of the board, or one that Grafana has everywhere."""
    text = (FOLDER / f"{name}.json").read_text()
    declared = {item["name"] for item in BOARDS[name]["templating"]["list"]}
    builtin = {"__rate_interval", "__range", "__range_s", "__url_time_range", "__field", "__data", "__all"}
    used = set(re.findall(r"\$\{?(\w+)", text))
    assert used <= declared | builtin
    assert declared <= used | {"board", "runbook"}


@pytest.mark.parametrize("name", ["fleet", "halts", "life", "across", "detectors"])
def test_pilots_are_selected_by_authority_sector_region_and_tier(name: str) -> None:
    """Each may be several values or all; all includes pilots without a value."""
    chosen = {one["name"]: one for one in BOARDS[name]["templating"]["list"] if one["type"] == "query"}
    assert set(chosen) == {"authority", "sector", "region", "tier"}
    for one in chosen.values():
        assert (one["multi"], one["includeAll"], one["allValue"]) == (True, True, ".*")
        assert one["current"]["value"] == "$__all"


# ---- for the reader


@pytest.mark.parametrize("name", NAMES)
def test_no_question_is_asked_twice(name: str) -> None:
    """The title of a panel is a question of which its board has one."""
    titles = [panel["title"] for panel in panels(BOARDS[name])]
    assert all(title.endswith("?") for title in titles)
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_can_be_read_without_its_queries(panel: dict[str, Any]) -> None:
    """It has a description of at least a sentence, a unit of Grafana, thresholds that begin with a colour, and a legend
    of words: no series is named by its labels in braces alone."""
    assert len(panel["description"]) >= 15
    assert panel["description"].endswith(".")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in UNITS
    assert defaults["thresholds"]["steps"][0]["value"] is None
    steps = [step["value"] for step in defaults["thresholds"]["steps"][1:]]
    assert steps == sorted(steps)
    assert len(panel["targets"]) <= 6
    for target in panel["targets"]:
        if panel["type"] == "table":
            assert target["format"] == "table"
        else:
            assert target["legendFormat"].strip()


@pytest.mark.parametrize("panel", [one for one in PANELS if one.values[0]["type"] == "table"])
def test_every_column_of_a_table_has_a_heading(panel: dict[str, Any]) -> None:
    """A label by which the query groups is renamed or left out; the values have a heading too."""
    [organize] = [one["options"] for one in panel["transformations"] if one["id"] == "organize"]
    shown = {
        label for found in re.findall(r"by \(([^)]*)\)", panel["targets"][0]["expr"]) for label in found.split(", ")
    }
    assert shown - {"le"} <= set(organize["renameByName"]) | set(organize["excludeByName"])
    assert organize["renameByName"]["Value"] != "Value"


def urls(value: Any) -> Iterator[str]:
    """Every value of a key `url` below."""
    if isinstance(value, dict):
        yield from (one for key, one in value.items() if key == "url")
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from urls(one)


@pytest.mark.parametrize("panel", PANELS)
def test_links_lead_to_pages_and_headings_that_exist(panel: dict[str, Any]) -> None:
    """A link goes to a page of the board, to a heading of the runbook, or to the dashboard of a pilot."""
    runbook = (ROOT / "deploy" / "runbook.md").read_text()
    headings = {line[3:].lower() for line in runbook.splitlines() if line.startswith("## ")}
    for url in urls(panel):
        place, _, rest = url.partition("#") if "#" in url else url.partition("/")
        if place == "${runbook:raw}":
            assert rest in headings
        elif place == "${board:raw}":
            kind, _, name = rest.partition("/")
            assert (named(kind) if name else f"/{kind}") in PAGES
            assert not name or re.fullmatch(r"\$\{[\w.]+:percentencode\}", name)
        else:
            assert url.startswith(f"/d/{PILOT_DASHBOARD}?var-pilot=$")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "health"])
def test_what_is_shown_of_a_pilot_firm_or_authority_links_to_its_page(name: str) -> None:
    """Each cell of such a column and each series that is named after one; every panel leads to the board."""
    kinds = {"pilot": "pilot", "participant": "firm", "firm": "firm", "authority": "authority"}
    for panel in panels(BOARDS[name]):
        assert any(link["url"].startswith("${board:raw}/") for link in panel["links"])
        found = set(urls(panel["fieldConfig"]))
        [organize] = [one["options"] for one in panel.get("transformations", []) if one["id"] == "organize"] or [{}]
        for label, kind in kinds.items():
            if panel["type"] == "table":
                groups = re.findall(r"by \(([^)]*)\)", panel["targets"][0]["expr"])
                shown = any(label in one.split(", ") for one in groups) and label not in organize["excludeByName"]
                variable = f"__data.fields.{organize['renameByName'][label]}"
            else:
                shown = all(target["legendFormat"].startswith(f"{{{{{label}}}}}") for target in panel["targets"])
                variable = f"__field.labels.{label}"
            assert not shown or f"${{board:raw}}/{kind}/${{{variable}:percentencode}}" in found, (panel["title"], label)


# ---- the two formats say the same


@pytest.mark.parametrize("name", NAMES)
def test_both_formats_have_the_same_panels_queries_and_marks(name: str) -> None:
    """Title, description, place, queries, legends, unit, thresholds, links of each panel; variables and annotations."""
    classic, spec = BOARDS[name], V2[name]["spec"]
    rows = [one for one in classic["panels"] if one["type"] == "row"]
    layout = spec["layout"]["spec"]["rows"]
    assert [row["title"] for row in rows] == [row["spec"]["title"] for row in layout]
    placed = {
        item["spec"]["element"]["name"]: (item["spec"], row["gridPos"]["y"] + 1)
        for row, made in zip(rows, layout, strict=True)
        for item in made["spec"]["layout"]["spec"]["items"]
    }
    assert set(placed) == set(spec["elements"])
    for panel in panels(classic):
        made = spec["elements"][f"panel-{panel['id']}"]["spec"]
        item, top = placed[f"panel-{panel['id']}"]
        at = panel["gridPos"]
        assert (item["x"], item["y"] + top, item["width"], item["height"]) == (at["x"], at["y"], at["w"], at["h"])
        assert (made["title"], made["description"]) == (panel["title"], panel["description"])
        targets = [one["spec"]["query"]["spec"] for one in made["data"]["spec"]["queries"]]
        assert [(one["expr"], one.get("legendFormat"), bool(one.get("instant"))) for one in targets] == [
            (one["expr"], one.get("legendFormat"), bool(one.get("instant"))) for one in panel["targets"]
        ]
        assert made["vizConfig"]["group"] == panel["type"]
        ours, theirs = made["vizConfig"]["spec"]["fieldConfig"]["defaults"], panel["fieldConfig"]["defaults"]
        assert (ours["unit"], ours["thresholds"]) == (theirs["unit"], theirs["thresholds"])
        assert [one["url"] for one in made["links"]] == [one["url"] for one in panel.get("links", [])]
    assert [one["spec"]["name"] for one in spec["variables"]] == [one["name"] for one in classic["templating"]["list"]]
    marks = classic.get("annotations", {}).get("list", [])
    assert [one["spec"]["name"] for one in spec["annotations"]] == [one["name"] for one in marks]
    assert [one["spec"]["query"]["spec"].get("tags") for one in spec["annotations"]] == [
        one.get("target", {}).get("tags") for one in marks
    ]


@pytest.mark.parametrize("name", NAMES)
def test_no_value_of_schema_v2_is_null(name: str) -> None:
    """The schema has no null but for the first step of thresholds."""

    def nulls(value: Any, path: str) -> Iterator[str]:
        if isinstance(value, dict):
            for key, one in value.items():
                yield from nulls(one, f"{path}/{key}")
        elif isinstance(value, list):
            for one in value:
                yield from nulls(one, path)
        elif value is None:
            yield path

    assert {path.rsplit("/", 2)[1] for path in nulls(V2[name], "")} <= {"steps"}


# ---- metrics


@pytest.mark.parametrize(
    ("name", "expr"), [pytest.param(n, e, id=f"{n}: {e}") for n in NAMES for e in queries(BOARDS[n])]
)
def test_every_metric_in_a_dashboard_exists(name: str, expr: str) -> None:
    """A query names only series of the catalogue that are not deprecated, or the process's own."""
    used = set(re.findall(r"\b(?:sandbox_monitor|process)_\w+", expr))
    own = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
    assert used
    assert used <= (series_names() | own) - {spec.name for spec in CATALOGUE if spec.deprecated}


def test_no_metric_is_without_a_reader() -> None:
    """Every metric of the catalogue that is not deprecated is used by a dashboard or an alert."""
    rules = yaml.load((ROOT / "deploy" / "prometheus" / "rules.yaml").read_text(), yaml.CSafeLoader)
    text = " ".join(rule["expr"] for group in rules["groups"] for rule in group["rules"])
    text += " ".join(expr for board in BOARDS.values() for expr in queries(board))
    used = set(re.findall(r"\bsandbox_monitor_\w+", text))
    assert [s.name for s in CATALOGUE if not used & set(s.series()) and not s.deprecated] == []


# ---- push and export


def pushed(*more: str) -> tuple[FakeGrafana, Any]:
    fake = FakeGrafana()
    with Recorder(fake) as recorder:
        arguments = ["push", "--url", recorder.url + "/grafana", "--token", "secret", *more]
        done = CliRunner().invoke(dashboards, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert done.stdout.splitlines() == [f"{recorder.url}/grafana/d/{BOARDS[name]['uid']}/x" for name in NAMES]
        return fake, recorder.seen


def test_push_sends_reads_back_and_finds() -> None:
    """All dashboards arrive by POST dashboards/db with overwrite, are read back by uid and found by their tag."""
    fake, seen = pushed()
    posts = [one.body for one in seen if one.method == "POST"]
    assert [set(post) for post in posts] == [{"dashboard", "overwrite", "message"}] * len(NAMES)
    assert all(post["overwrite"] is True and post["dashboard"]["id"] is None for post in posts)
    calls = [(one.method, one.path.split("?")[0].rsplit("/", 2)[-2]) for one in seen]
    assert calls == [("POST", "dashboards"), ("GET", "uid")] * len(NAMES) + [("GET", "api")]
    assert {uid: held["title"] for uid, held in fake.dashboards.items()} == {
        board["uid"]: board["title"] for board in BOARDS.values()
    }


def address_of(board: dict[str, Any], name: str) -> tuple[str, str]:
    listed = board["spec"]["variables"] if "spec" in board else board["templating"]["list"]
    [found] = [one for one in (item.get("spec", item) for item in listed) if one["name"] == name]
    return found["query"], found["current"]["value"]


def test_pushed_dashboards_link_to_the_board_and_runbook_of_the_installation() -> None:
    """The hidden variables hold the addresses that were given; without one they stay as shipped."""
    fake, _ = pushed("--board-url", "https://board.example.org/", "--runbook-url", "https://wiki.example.org/runbook")
    for board in fake.dashboards.values():
        assert address_of(board, "board") == ("https://board.example.org",) * 2
        assert address_of(board, "runbook") == ("https://wiki.example.org/runbook",) * 2
    shipped, _ = pushed()
    assert address_of(shipped.dashboards["sandbox-fleet"], "runbook")[0] == Links().runbook


@pytest.mark.parametrize("schema", ["classic", "v2"])
def test_exported_dashboards_are_the_shipped_ones_with_other_addresses(schema: str, tmp_path: Path) -> None:
    """For file provisioning, in either format: only the two addresses differ."""
    target = tmp_path / "out"
    run = CliRunner().invoke(
        dashboards, ["export", str(target), "--schema", schema, "--board-url", "https://b.example.org"]
    )
    assert run.exit_code == 0, run.output
    ending = "json" if schema == "classic" else "yaml"
    assert run.stdout.splitlines() == [str(target / f"{name}.{ending}") for name in NAMES]
    for name, shipped in (BOARDS if schema == "classic" else V2).items():
        made = yaml.safe_load((target / f"{name}.{ending}").read_text())
        assert address_of(made, "board") == ("https://b.example.org",) * 2
        text = json.dumps(made).replace("https://b.example.org", address_of(shipped, "board")[0])
        assert json.loads(text) == shipped


def test_an_export_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """Exit code 1 and a line that names the folder."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    run = CliRunner().invoke(dashboards, ["export", str(blocked / "out")])
    assert run.exit_code == 1
    assert str(blocked) in run.output


@pytest.mark.parametrize(
    ("url", "token", "code"),
    [
        pytest.param("", "wrong", 1, id="a wrong token is refused"),
        pytest.param("http://127.0.0.1:1", "secret", 3, id="no Grafana there is unavailable"),
        pytest.param("not-a-url", "secret", 2, id="an address that is none is called wrongly"),
    ],
)
def test_the_exit_code_of_push_states_the_kind_of_failure(
    url: str, token: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused: 1; malformed address: 2; unavailable server: 3; each with one line on stderr."""
    from monitor.__main__ import main

    with Recorder(FakeGrafana()) as recorder:
        monkeypatch.setattr(
            "sys.argv", ["sandbox-monitor", "dashboards", "push", "--url", url or recorder.url, "--token", token]
        )
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == code
    said = capsys.readouterr()
    assert said.out == ""
    assert len([line for line in said.err.splitlines() if line and not line.startswith(("Usage:", "Try "))]) == 1
    assert "secret" not in said.err
