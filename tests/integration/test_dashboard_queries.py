"""Every query of every dashboard returns series from a real Prometheus that holds simulated days of the monitor."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from monitor.act.annotations import Annotations
from monitor.act.grafana import TOKEN_VARIABLE
from monitor.testing.grafana import FakeGrafana
from monitor.testing.recorder import Recorder
from monitor.testing.servers import Server
from tests.country.nation import AUTHORITIES, START
from tests.integration.dashboard_history import DAYS, LATER, LATER_HOURS, History, serve
from tests.integration.test_dashboards import BOARDS, FOLDER, NAMES, panels

pytestmark = pytest.mark.servers
DAY_S, HOUR_S = 86_400, 3_600
ONE_VALUE = ("stat", "table", "bargauge")  # panels that show the present


class Window(NamedTuple):
    """A span of simulated time (s), with the ranges that stand for those that Grafana puts into queries."""

    start: int
    end: int
    step: int
    interval: str
    range_s: int


COUNTRY = Window(START // 1000, START // 1000 + DAYS * DAY_S, 6 * HOUR_S, "1d", 30 * DAY_S)
FLEET = Window(LATER // 1000, LATER // 1000 + (LATER_HOURS + 2) * HOUR_S, HOUR_S, "3h", 2 * DAY_S)

EMPTY_IN_THE_COUNTRY = {
    "Which halts are not acknowledged?": "every service of the country acknowledges a halt within seconds",
    "Which pilots do not run although they are admitted?": "no firm of the country asks for a pause",
    "Which vendors have pilots that exceed together what their limits allow?": "its faults have no common cause",
    "How long ago was the last finding about each vendor?": "its faults have no common cause",
    "Which class has each firm?": "its sandbox has no rules for classes of firms",
    "How many firms are in each class?": "its sandbox has no rules for classes of firms",
}
"""Panels that may be empty, each with the reason: filled by the second scenario."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    made = serve(tmp_path_factory.mktemp("prometheus"))
    with made.server:
        yield made


def get(server: Server, path: str, **query: Any) -> Any:
    address = f"{server.url}/api/v1/{path}?" + urllib.parse.urlencode(query, doseq=True)
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        pytest.fail(f"{query}: {error.read().decode()[:500]}")


def filled(expr: str, window: Window, **chosen: str) -> str:
    """The expression with its variables replaced as Grafana does; what is not chosen is All."""
    values = {"authority": ".*", "sector": ".*", "region": ".*", "tier": ".*", **chosen}
    for name, value in values.items():
        expr = expr.replace(f"${name}", value)
    expr = expr.replace("$__rate_interval", window.interval).replace("$__range_s", str(window.range_s))
    expr = expr.replace("$__range", f"{window.range_s}s")
    assert "$" not in expr, expr
    return expr


def numbers(server: Server, expr: str, window: Window, now: bool) -> list[dict[str, Any]]:
    """The series that the expression returns at some moment of the window, NaN aside."""
    if not now:
        found = get(server, "query_range", query=expr, start=window.start, end=window.end, step=window.step)["result"]
        return [one for one in found if any(value != "NaN" for _, value in one["values"])]
    for at in range(window.end, window.start, -window.step):
        found = get(server, "query", query=expr, time=at)["result"]
        if any(one["value"][1] != "NaN" for one in found):
            return list(found)
    return []


def a_halted_pilot(server: Server, window: Window) -> str:
    """A pilot whose halt stands at the end, or stood last."""
    found = numbers(server, "sandbox_monitor_pilot_level == 3", window, now=True)
    return min(str(one["metric"]["pilot"]) for one in found)


@pytest.fixture(scope="module")
def pilots(history: History) -> dict[Window, str]:
    """A pilot that is halted, of each scenario."""
    return {window: a_halted_pilot(history.server, window) for window in (COUNTRY, FLEET)}


QUERIES = [
    pytest.param(panel, target, id=f"{name}: {panel['title']} {target['refId']}")
    for name in NAMES
    for panel in panels(BOARDS[name])
    for target in panel["targets"]
]


@pytest.mark.parametrize(("panel", "target"), QUERIES)
def test_every_query_returns_series(
    panel: dict[str, Any], target: dict[str, Any], history: History, pilots: dict[Window, str]
) -> None:
    """With all values of the variables, in the country; in the second scenario where a reason is listed."""
    window = FLEET if panel["title"] in EMPTY_IN_THE_COUNTRY else COUNTRY
    expr = filled(target["expr"], window, pilot=pilots[window])
    assert numbers(history.server, expr, window, panel["type"] in ONE_VALUE), expr


def test_the_list_of_empty_panels_is_right(history: History, pilots: dict[Window, str]) -> None:
    """Each panel on it exists, and is empty in the country in at least one of its queries."""
    listed = [panel for name in NAMES for panel in panels(BOARDS[name]) if panel["title"] in EMPTY_IN_THE_COUNTRY]
    assert {panel["title"] for panel in listed} == set(EMPTY_IN_THE_COUNTRY)
    for panel in listed:
        exprs = [filled(target["expr"], COUNTRY, pilot=pilots[COUNTRY]) for target in panel["targets"]]
        assert not all(numbers(history.server, expr, COUNTRY, panel["type"] in ONE_VALUE) for expr in exprs), panel[
            "title"
        ]


PLAUSIBLE = {
    "s": lambda value: abs(value) < 3 * 366 * DAY_S,
    "dateTimeAsIso": lambda value: COUNTRY.start * 1000 <= value <= (FLEET.end + 366 * DAY_S) * 1000,
    "percentunit": lambda value: 0 <= value < 1e4,
    "none": lambda value: abs(value) < 1e6,
}
"""What a value in this unit can be in these simulated days: a time in s is no time since 1970, and so on."""


@pytest.mark.parametrize(
    ("panel", "target"), [one for one in QUERIES if one.values[0]["fieldConfig"]["defaults"]["unit"] in PLAUSIBLE]
)
def test_values_are_in_the_unit_of_their_panel(
    panel: dict[str, Any], target: dict[str, Any], history: History, pilots: dict[Window, str]
) -> None:
    """An expression whose operators bind otherwise than meant returns numbers of another size."""
    window = FLEET if panel["title"] in EMPTY_IN_THE_COUNTRY else COUNTRY
    found = numbers(history.server, filled(target["expr"], window, pilot=pilots[window]), window, now=True)
    if panel["title"] == "Up to which offset are outputs read?":
        return  # an offset is any number
    plausible = PLAUSIBLE[panel["fieldConfig"]["defaults"]["unit"]]
    values = [float(one["value"][1]) for one in found]
    assert all(plausible(value) for value in values if value == value), values


# ---- variables


def values_of(server: Server, board: str, name: str, window: Window) -> list[str]:
    [query] = [one["query"] for one in BOARDS[board]["templating"]["list"] if one["name"] == name]
    found = re.fullmatch(r"label_values\((\w+), (\w+)\)", query)
    assert found is not None
    span = {"start": window.start, "end": window.end}
    return list(get(server, f"label/{found[2]}/values", **{"match[]": found[1]}, **span))


def test_the_variables_offer_what_there_is(history: History) -> None:
    """Authorities, sectors, regions, tiers of the charters in force; the pilots that have a level."""

    def offered(name: str) -> set[str]:
        return set(values_of(history.server, "fleet", name, COUNTRY))

    assert offered("authority") <= set(AUTHORITIES)
    assert len(offered("authority")) >= 4
    assert offered("sector") == {"driving", "finance", "health", "media"}
    assert offered("tier") == {"limited", "high"}
    assert len(offered("region")) == 4
    assert len(values_of(history.server, "pilot", "pilot", COUNTRY)) >= 20


@pytest.mark.parametrize("name", ["authority", "sector", "region", "tier"])
def test_each_value_selects_a_part_and_all_parts_are_all(name: str, history: History) -> None:
    """The pilots that the values of a variable select are, together, those of All; several values select their sum."""
    expr = next(
        target["expr"]
        for panel in panels(BOARDS["fleet"])
        if panel["title"] == "How did the level of each pilot change?"
        for target in panel["targets"]
    )

    def selected(value: str) -> set[str]:
        found = get(history.server, "query", query=filled(expr, COUNTRY, **{name: value}), time=COUNTRY.end)["result"]
        return {one["metric"]["pilot"] for one in found}

    parts = {value: selected(value) for value in values_of(history.server, "fleet", name, COUNTRY)}
    every = selected(".*")
    assert set().union(*parts.values()) <= every
    assert len([part for part in parts.values() if part]) >= 2
    assert all(part < every for part in parts.values())
    admitted = {pilot for part in parts.values() for pilot in part}
    rest = selected("")  # pilots without the label, such as applicants; no value of the list
    assert admitted | rest == every
    first, second, *_ = parts
    assert selected(f"({first}|{second})") == parts[first] | parts[second]


SELECTING = [
    pytest.param(target["expr"], id=f"{name}: {panel['title']} {target['refId']}")
    for name in NAMES
    for panel in panels(BOARDS[name])
    for target in panel["targets"]
    if "$authority" in target["expr"] and panel["type"] in ONE_VALUE
]


@pytest.mark.parametrize("expr", SELECTING)
def test_a_selection_shows_only_its_pilots(expr: str, history: History) -> None:
    """With one authority chosen, a result by pilot has only pilots of that authority, and numbers are no larger."""
    authority = "north"
    at = next(at for at in range(COUNTRY.end, COUNTRY.start, -COUNTRY.step) if _halts(history.server, at))
    scope = get(history.server, "query", query=f'sandbox_monitor_pilot_scope{{authority="{authority}"}}', time=at)
    own = {one["metric"]["pilot"] for one in scope["result"]}
    assert own
    chosen, every = (
        get(history.server, "query", query=filled(expr, COUNTRY, authority=value), time=at)["result"]
        for value in (authority, ".*")
    )
    assert {one["metric"]["pilot"] for one in chosen if "pilot" in one["metric"]} <= own
    assert len(chosen) <= len(every)


def _halts(server: Server, at: int) -> bool:
    return bool(get(server, "query", query="sandbox_monitor_halt_timestamp_seconds", time=at)["result"])


def test_every_query_accepts_one_value_of_each_variable(history: History) -> None:
    """A selection of one authority, sector, region and tier is a valid expression for every query."""
    chosen = {"authority": "north", "sector": "driving", "region": "north", "tier": "high", "pilot": "pilot-0001"}
    for name in NAMES:
        for panel in panels(BOARDS[name]):
            for target in panel["targets"]:
                get(history.server, "query", query=filled(target["expr"], COUNTRY, **chosen), time=COUNTRY.end)


# ---- annotations


def marks(key: str) -> list[Any]:
    return [
        pytest.param(mark, id=f"{name}: {mark['name']}")
        for name in NAMES
        for mark in BOARDS[name].get("annotations", {}).get("list", [])
        if key in mark
    ]


@pytest.mark.parametrize("mark", marks("expr"))
def test_every_annotation_from_metrics_is_a_moment(
    mark: dict[str, Any], history: History, pilots: dict[Window, str]
) -> None:
    """Its values are times in ms within the simulated days."""
    expr = filled(mark["expr"], COUNTRY, pilot=pilots[COUNTRY])
    found = numbers(history.server, expr, COUNTRY, now=True)
    assert found
    assert all(COUNTRY.start * 1000 <= float(one["value"][1]) <= COUNTRY.end * 1000 for one in found)
    assert set(re.findall(r"\{\{(\w+)\}\}", mark["titleFormat"])) <= set(found[0]["metric"])


@pytest.fixture(scope="module")
def annotated(history: History) -> Iterator[FakeGrafana]:
    """A stand-in for Grafana to which the actor delivered every decision of the country."""
    grafana = FakeGrafana()
    with pytest.MonkeyPatch.context() as patch, Recorder(grafana) as recorder:
        patch.setenv(TOKEN_VARIABLE, "secret")
        actor = Annotations(recorder.url + "/grafana")
        for decision in history.decisions:
            actor.act(decision)
        yield grafana


@pytest.mark.parametrize("mark", marks("target"))
def test_every_annotation_of_decisions_is_found_by_its_tags(
    mark: dict[str, Any], annotated: FakeGrafana, history: History
) -> None:
    """Changes of level, stops, releases, changes of pilots, deadlines, acts: what the actor wrote is what the boards
    select, also for one pilot."""

    def found(pilot: str) -> list[dict[str, Any]]:
        return annotated.tagged([tag.replace("$pilot", pilot) for tag in mark["target"]["tags"]])

    everyone = {decision.pilot for decision in history.decisions}
    assert mark["target"]["matchAny"] is False
    assert [one for pilot in everyone for one in found(pilot)]


# ---- what a new user asks

FENCE = re.compile(r"```promql\n(.*?)```", re.DOTALL)


def test_the_queries_of_the_readme_answer_their_question(history: History, pilots: dict[Window, str]) -> None:
    """Why was this pilot halted, on what evidence, who did what since: three queries, as typed, with a pilot's id."""
    typed = FENCE.findall((FOLDER / "README.md").read_text())
    assert len(typed) == 3
    pilot = pilots[COUNTRY]
    [halt] = [one for one in history.decisions if one.pilot == pilot and one.level > one.was and one.level == 3][:1]
    at = halt.at / 1000 + DAY_S
    why, evidence, since = (
        get(history.server, "query", query=one.strip().replace("pilot-0001", pilot), time=at)["result"] for one in typed
    )
    assert halt.reason.value in {one["metric"]["reason"] for one in why}
    assert [float(one["value"][1]) for one in why] == [halt.at / 1000]
    assert {one["metric"]["indicator"] for one in evidence} >= {"incidents", "complaints"}
    assert {one["metric"].get("state") for one in since} & {"verified", "acknowledged", "contradicted"}
    assert {one["metric"].get("owed_by") for one in since} & {"firm", "authority"}
    assert all(one["metric"]["pilot"] == pilot for one in (*why, *evidence, *since))


def test_the_simulated_days_have_what_the_boards_are_about(history: History) -> None:
    """Halts and releases, deadlines met and missed by firms and authorities,
    several authorities, sectors and tiers. Otherwise the tests above could not fail."""

    def last(expr: str) -> float:
        found = get(history.server, "query", query=expr, time=COUNTRY.end)["result"]
        return float(found[0]["value"][1]) if found else 0.0

    assert last("sum(sandbox_monitor_halts_total)") >= 3
    assert last("sum(sandbox_monitor_releases_total)") >= 1
    for change in ("met", "missed"):
        for owes in ("firm", "authority"):
            expr = f'sum(sandbox_monitor_clock_changes_total{{owed_by="{owes}", change="{change}"}})'
            assert last(expr) >= 1, (owes, change)
    assert last("count(count by (participant) (sandbox_monitor_pilot_level))") >= 5
    halts = [one for one in history.decisions if one.level > one.was and one.level == 3]
    assert last("sum(sandbox_monitor_halts_total)") == len(halts)
