"""The dashboards are built from their table, use existing metrics, and every query returns data from a real
Prometheus."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from click.testing import CliRunner

from monitor.act import ACTORS
from monitor.cli.dashboards import dashboards
from monitor.engine.replay import TimedRecord, replay_charters, timed_records
from monitor.model.output_records import OutputRejection
from monitor.model.records import Outputs
from monitor.projections.metric_catalogue import CATALOGUE, series_names
from monitor.projections.metrics import Metrics
from monitor.simulation.fleet import Fleet
from monitor.testing.recorder import Recorded, Recorder
from monitor.testing.servers import Server, prometheus
from monitor.testing.wait import Until

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "dashboards"
BOARDS: dict[str, dict[str, Any]] = {path.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
HALTED = "sandbox_monitor_pilot_level == 3 and on (pilot) sandbox_monitor_alpha_spent_ratio > 0"
QUERIES = [
    pytest.param(target["expr"], bool(target.get("instant")), id=f"{name}:{panel['title']}{target['refId']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
    for target in panel["targets"]
]


def test_the_committed_dashboards_are_what_the_table_builds() -> None:
    """`dashboards build --check` finds no difference."""
    done = CliRunner().invoke(dashboards, ["build", "--check"])
    assert done.exit_code == 0, done.output


def test_a_stale_dashboard_is_found(tmp_path: Path) -> None:
    """A file edited by hand fails the check, and `build` restores it."""
    for path in FOLDER.glob("*.*"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "fleet.json").write_text("{}")
    run = CliRunner()
    assert run.invoke(dashboards, ["build", "--check", "--dir", str(tmp_path)]).exit_code == 1
    assert run.invoke(dashboards, ["build", "--dir", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "fleet.json").read_text() == (FOLDER / "fleet.json").read_text()


def test_there_are_three_dashboards() -> None:
    """Fleet, one pilot, monitor health; each with a uid that never changes and the tag they are found by."""
    assert {board["uid"] for board in BOARDS.values()} == {"sandbox-fleet", "sandbox-pilot", "sandbox-health"}
    assert all(board["tags"] == ["sandbox-monitor"] for board in BOARDS.values())


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_every_panel_answers_a_question(name: str) -> None:
    """A title ends in a question mark, no question is asked twice, and no panel covers another."""
    panels = BOARDS[name]["panels"]
    titles = [panel["title"] for panel in panels]
    assert all(title.endswith("?") for title in titles)
    assert len(set(titles)) == len(titles)
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize(("expr", "instant"), QUERIES)
def test_every_metric_in_a_dashboard_exists(expr: str, instant: bool) -> None:
    """A query names only series of the catalogue, or the process's own."""
    used = set(re.findall(r"\b(?:sandbox_monitor|process)_\w+", expr))
    own = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
    assert used
    assert used <= series_names() | own


def test_no_metric_is_without_a_reader() -> None:
    """Every metric of the catalogue is used by a dashboard or an alert."""
    rules = yaml.load((ROOT / "deploy" / "prometheus" / "rules.yaml").read_text(), yaml.CSafeLoader)
    text = " ".join(rule["expr"] for group in rules["groups"] for rule in group["rules"])
    text += " ".join(target["expr"] for b in BOARDS.values() for p in b["panels"] for target in p["targets"])
    used = set(re.findall(r"\bsandbox_monitor_\w+", text))
    assert [spec.name for spec in CATALOGUE if not used & set(spec.series())] == []


def simulated() -> Iterator[Outputs]:
    """What the real machine emits for fleet after fleet; in each a pilot dies, one exceeds its limits, one falls
    silent."""
    for seed in itertools.count(1):
        fleet = Fleet(
            seed, pilots=4, scenarios=("death", "step", "silence", "late"), hours=40, onset=12, prefix=f"f{seed}-"
        )
        log = list(timed_records(fleet))
        for place in range(50, len(log), 100):  # and here and there bytes that are no event
            log[place] = TimedRecord(msgspec.structs.replace(log[place].record, value=b"{"), log[place].time)
        yield from replay_charters([fleet.charter_for(pilot) for pilot in fleet.pilots], log, batch=20)


def feed(metrics: Metrics, outputs: Outputs) -> None:
    """One step of the machine, with what runner, notary and actors report."""
    now = time.time_ns() // 1_000_000
    began = time.perf_counter()
    metrics.observe(outputs, now_ms=now)
    metrics.stepped(time.perf_counter() - began, 20)
    metrics.woken(0.05)
    metrics.lagging("sandbox.telemetry", 0, 12)
    metrics.owns(0, 1)
    metrics.configured(0, 1, "0f" * 16, open_mode=False)
    metrics.held(0, 12, 3)
    metrics.checkpointed(0, now)
    metrics.recorded(len(outputs.decisions))
    metrics.publication_round("published")
    metrics.cosignature("witness.example", "cosigned")
    metrics.witness_answered("cosigned")
    metrics.stamp_failed("unavailable")
    metrics.publication_refused("older_than_newest", 0)
    metrics.published(1, 1, now)
    metrics.published_until(now)
    for actor in ACTORS:
        metrics.acted(actor, "done")
        metrics.pending(actor, 0)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real Prometheus that scrapes a real /metrics while a simulated fleet runs, with a few seconds of its past."""
    metrics, done = Metrics(actors=ACTORS), threading.Event()

    def move() -> None:
        metrics.reads("sandbox.decisions")
        for turn, outputs in enumerate(simulated()):
            feed(metrics, outputs)
            metrics.reading("sandbox.decisions", 0, turn, 3, 1)
            metrics.skipped_output("sandbox.decisions", OutputRejection.UNREADABLE)
            if done.wait(0.002):
                return

    mover = threading.Thread(target=move)
    mover.start()
    port, stop = metrics.serve(0)
    try:
        directory = tmp_path_factory.mktemp("prometheus")
        with prometheus(directory, {"sandbox-monitor": [f"127.0.0.1:{port}"]}) as server:
            end = time.monotonic() + 30
            # A halt by statistics and one more stand, and a rate over five seconds is known: the slowest to appear.
            while time.monotonic() < end and not (
                ask(server, "rate(sandbox_monitor_events_total[5s]) > 0", True)
                and ask(server, "sum(sandbox_monitor_pilot_level == 3) >= 2", True)
                and ask(server, HALTED, True)
                and ask(server, "sum(sandbox_monitor_pilot_unknown) >= 1", True)
            ):
                time.sleep(0.2)
            time.sleep(1)
            yield server
    finally:
        done.set()
        mover.join()
        stop()


@pytest.fixture(scope="module")
def halted(loaded: Server) -> str:
    """A pilot that the statistics have halted."""
    found = Until(20.0, every=0.5)(lambda: ask(loaded, HALTED, True))
    return str(found[0]["metric"]["pilot"])


def ask(server: Server, expr: str, instant: bool) -> list[Any]:
    now = time.time()
    path, times = ("query", {"time": now}) if instant else ("query_range", {"start": now - 2, "end": now, "step": 1})
    address = f"{server.url}/api/v1/{path}?" + urllib.parse.urlencode({"query": expr} | times)
    with urllib.request.urlopen(address, timeout=5) as answer:
        found: list[Any] = json.load(answer)["data"]["result"]
        return found


@pytest.mark.servers
@pytest.mark.parametrize(("expr", "instant"), QUERIES)
def test_every_query_has_a_result(loaded: Server, halted: str, expr: str, instant: bool) -> None:
    """Each query, with its variables substituted as Grafana does, returns numbers from a real Prometheus."""
    filled = expr.replace("$pilot", halted).replace("$__rate_interval", "5s")
    assert "$" not in filled
    # A scrape that a busy machine delays too long leaves a gap of a few seconds in every series.
    found = Until(20.0, every=0.5)(lambda: ask(loaded, filled, instant))
    values = [value for series in found for _, value in ([series["value"]] if instant else series["values"])]
    assert any(value != "NaN" for value in values), filled


@pytest.mark.servers
def test_the_pilot_variable_lists_the_pilots(loaded: Server, halted: str) -> None:
    """The variable offers the pilots that have series."""
    [query] = [item["query"] for item in BOARDS["pilot.json"]["templating"]["list"] if item["name"] == "pilot"]
    found = re.fullmatch(r"label_values\((\w+), (\w+)\)", query)
    assert found is not None
    address = f"{loaded.url}/api/v1/label/{found[2]}/values?" + urllib.parse.urlencode({"match[]": found[1]})
    with urllib.request.urlopen(address, timeout=5) as answer:
        listed = json.load(answer)["data"]
    assert {"f1-0001", "f1-0002", "f1-0003", "f1-0004", halted} <= set(listed)


class FakeGrafana:
    """Answers the four calls as Grafana 11 does, and keeps what it is sent."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}

    def __call__(self, seen: Recorded) -> tuple[int, Any]:
        if seen.headers.get("authorization") != "Bearer secret":
            return 401, {"message": "Unauthorized"}
        if (seen.method, seen.path) == ("POST", "/grafana/api/dashboards/db"):
            board = seen.body["dashboard"]
            self.held[board["uid"]] = board
            return 200, {"uid": board["uid"], "url": f"/d/{board['uid']}/x", "status": "success", "version": 1}
        if seen.method == "GET" and seen.path.startswith("/grafana/api/dashboards/uid/"):
            uid = seen.path.rsplit("/", 1)[1]
            return (200, {"dashboard": self.held[uid], "meta": {}}) if uid in self.held else (404, {"message": "none"})
        if seen.method == "GET" and seen.path == "/grafana/api/search?tag=sandbox-monitor":
            return 200, [{"uid": uid} for uid in self.held]
        return 404, {"message": "Not found"}


def test_push_sends_reads_back_and_finds() -> None:
    """Three dashboards arrive by POST dashboards/db with overwrite, are read back by uid and found by their tag."""
    fake = FakeGrafana()
    with Recorder(fake) as recorder:
        arguments = ["push", "--url", recorder.url + "/grafana", "--token", "secret"]
        done = CliRunner().invoke(dashboards, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert done.stdout.splitlines() == [
            f"{recorder.url}/grafana/d/{uid}/x" for uid in ("sandbox-fleet", "sandbox-health", "sandbox-pilot")
        ]
        posts = [seen.body for seen in recorder.seen if seen.method == "POST"]
        assert [set(post) for post in posts] == [{"dashboard", "overwrite", "message"}] * 3
        assert all(post["overwrite"] is True and post["dashboard"]["id"] is None for post in posts)
        calls = [(seen.method, seen.path.split("?")[0].rsplit("/", 2)[-2]) for seen in recorder.seen]
        assert calls == [("POST", "dashboards"), ("GET", "uid")] * 3 + [("GET", "api")]
    assert {uid: held["title"] for uid, held in fake.held.items()} == {b["uid"]: b["title"] for b in BOARDS.values()}


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
