"""What commands print for people is translated: in the pseudo-language, where every message is in double brackets,
nothing is left outside of them but what stays as it is recorded."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from monitor.charter.incident_acts import IncidentReportAct
from monitor.cli.doctor import doctor
from monitor.cli.doctor_checks import CHECKS, LOADED, PLACEHOLDER, WATCHDOG
from monitor.cli.firm import firm, recorded_grounds
from monitor.cli.fleet import fleet
from monitor.cli.incidents import notice, reclassify
from monitor.cli.ledger import ledger
from monitor.cli.outcomes import say
from monitor.cli.status_lines import status_lines
from monitor.client.control import Outcome
from monitor.console.board_json import as_data
from monitor.files.key_file import new_key
from monitor.firms.record import FirmRecord
from monitor.model.records import Decision, Level, Reason, Rejected
from monitor.projections.pilot_status import pilot_status
from monitor.testing.records import decision
from monitor.translation import PSEUDO, Language, speaking
from tests.board_world import World, world
from tests.contract.test_board_pages import given

CODES = {
    "finding", "level", "act", "flag", "command", "evidence", "charter",  # kinds of entries
    "halt", "resume", "drill",  # actions of commands
    "counted", "nowhere",  # the code of a problem
    "UTC", "JSON",
}  # fmt: skip
"""Words that stay as they are recorded, besides names, ids, details and texts that people wrote (`given`)."""
LANGUAGES: tuple[Language, ...] = (PSEUDO, "zh")  # in Chinese, what a message is filled with must be translated too


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory.mktemp("board"))


def left(text: str) -> set[str]:
    """The words of a text that are outside of messages, without hashes and commands to type."""
    while "⟦" in text:
        inner = re.sub(r"⟦[^⟦⟧]*⟧", " ", text)
        assert inner != text, text
        text = inner
    text = re.sub(r"`[^`]*`|--[a-z-]+( [A-Z]+\b)?|\b[0-9a-f]{8,}\b|https?://[^ ，：；。]+", " ", text)
    return set(re.findall(r"[A-Za-z]{3,}", text)) - CODES


def ran(language: Language, command: click.Command, *arguments: str) -> str:
    """What a command prints, on both streams."""
    with speaking(language):
        result = CliRunner().invoke(command, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output


@contextmanager
def answering(answers: dict[str, Any]) -> Iterator[str]:
    """The address of a server that answers paths with JSON, and `{}` elsewhere."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = msgspec.json.encode(answers.get(self.path.partition("?")[0], {}))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_entries_of_ledgers(made: World, language: Language) -> None:
    """`ledger show`, for every ledger of the world and every kind of entry; data are the same in every language."""
    files = sorted(made.ledger.glob("*.ledger"))
    assert len(files) > 10
    found: set[str] = set()
    for file in files:
        found |= left(ran(language, ledger.commands["show"], str(file)))
    assert sorted(found - given(made)) == []
    data = ran(language, ledger.commands["show"], str(files[0]), "--json")
    assert data == CliRunner().invoke(ledger.commands["show"], [str(files[0]), "--json"]).output


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("arguments", [("list",), ("show", "firm-1"), ("show", "firm-2"), ("show", "firm-9")])
def test_records_and_classes_of_firms(language: Language, arguments: tuple[str, ...]) -> None:
    """`firm show` and `firm list`: a class, one that the record does not tell, and a firm that is not known."""
    numbers = {name: 3 for name, kind in FirmRecord.__annotations__.items() if kind == "Count"}
    records = [FirmRecord(firm="firm-1", **numbers), FirmRecord(firm="firm-2", pilots=1, truncated=True)]
    with answering({"/v1/firms": records}) as url:
        text = ran(language, firm.commands[arguments[0]], *arguments[1:], "--to", url)
    assert "firm-" in text
    assert sorted(left(text.replace("Error:", "")) - {"firm"}) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_class_that_a_firm_reads_of_itself(made: World, language: Language) -> None:
    """`firm own`: the grounds are computed again from what the act recorded, in the language of the reader."""
    recorded = next(one for one in made.outputs.decisions if one.reason is Reason.FIRM_CLASSIFIED)
    content = recorded.finding.content
    assert isinstance(content, dict)
    with speaking(language):
        lines = recorded_grounds(content)
    assert lines
    assert sorted(left(" ".join(lines))) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_pilots_of_a_board(made: World, language: Language) -> None:
    """`fleet`: the board answers in the language that is asked for."""
    with speaking(language):
        board = json.loads(msgspec.json.encode(as_data(made.board, made.now)))
    with answering({"/api/board.json": board}) as url:
        text = ran(language, fleet, "--board", url)
    assert len(text.splitlines()) > 10
    assert sorted(left(text) - given(made)) == []
    with answering({"/api/board.json": {"pilots": []}}) as url:
        assert sorted(left(ran(language, fleet, "--board", url))) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_checks_of_an_installation(tmp_path: Path, language: Language) -> None:
    """`doctor`: without addresses, with servers in good order, in bad order, and with an answer of another server."""
    key = tmp_path / "a.key"
    public = new_key(key).public
    silence = {"status": {"state": "active"}, "matchers": [], "createdBy": "", "endsAt": "", "id": ""}
    good = {
        "/api/v2/status": {"cluster": {"peers": [1, 2]}, "config": {"original": f"{WATCHDOG}\n resolve_timeout: 1h"}}
    }
    bad = {
        "/api/v2/status": {"config": {"original": PLACEHOLDER}},
        "/api/v2/silences": [silence],
        "/api/v1/rules": {"data": {"groups": [{"rules": [{"name": "Rule", "health": "err"}]}]}},
        "/api/v1/targets": {"data": {"activeTargets": [{"scrapeUrl": "", "health": "", "lastError": ""}]}},
        "/api/v1/alertmanagers": {"data": {"activeAlertmanagers": []}},
    }  # fmt: skip
    names = {"Rule", *LOADED, *CHECKS, "Prometheus", "Grafana", "Alertmanager", "GiB"}
    for answers in ({}, good, bad):
        with answering(answers) as url:
            where = [part for name in ("prometheus", "alertmanager", "grafana", "board") for part in (f"--{name}", url)]
            text = ran(language, doctor, *where, "--key-file", str(key), "--dir", str(tmp_path))
        text = text.replace(public, "")
        text = re.sub(
            re.escape(str(tmp_path))
            + r"[^ ⟧，：]*|\w+Error\([^⟧\n]*\)|amtool[^⟧\n]*|sandbox-monitor dashboards[^⟧\n]*",
            " ",
            text,
        )
        assert sorted(left(text) - names - SETTINGS) == []
    assert sorted(left(ran(language, doctor)) - names - SETTINGS) == []


SETTINGS = {
    "chrony", "systemd", "timesyncd", "alerting", "alertmanagers", "deploy", "prometheus", "rules", "yaml", "files",
    "rule", "scrape", "configs", "resolve", "timeout", "cluster", "peer", "token", "GRAFANA", "TOKEN", "host", "port",
    "FILE", "DIR", "URL", "Status", "Rules", "Watchdog",
}  # fmt: skip
"""Names of programs, files and settings."""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "answer",
    [
        None,
        Outcome(
            decision=decision(2, level=Level.WATCH, reason=Reason.RECTIFICATION_RECORDED, author="firm", signed="ab")
        ),
        Outcome(decision=decision(2, reason=Reason.RECTIFICATION_RECORDED, author="firm"), repeated=True),
        Outcome(rejected=Rejected(topic="control", partition=0, offset=1, reason="repeated", field="id")),
        Outcome(rejected=Rejected(topic="control", partition=0, offset=1, reason="forged", field="author")),
    ],
)
def test_what_became_of_an_act(language: Language, answer: Outcome | None, capsys: pytest.CaptureFixture[str]) -> None:
    """`report-incident`, `notice` and all other acts print the outcome with the same lines."""
    act = IncidentReportAct(id="i-1", pilot="p", author="firm", incident="i-9", complete=True, report="")
    said = ""
    with speaking(language):
        try:
            say("report", act, answer, 1.0)
        except click.ClickException as error:
            said = str(error)
    printed = capsys.readouterr()
    assert sorted(left(said + printed.out + printed.err) - {"report", "forged", "author", "control"}) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_mistakes_in_acts_about_incidents(language: Language) -> None:
    """Flags that do not fit, and a time that is none."""
    to = ("p", "--author", "a", "--to", "http://127.0.0.1:1", "--incident", "i", "--reason", "r")
    told = ("p", "--author", "a", "--to", "http://127.0.0.1:1", "--incident", "i", "--about", "suspension")
    for command, arguments in (
        (reclassify, to),
        (reclassify, (*to, "--aware", "x")),
        (notice, (*told, "--notice", "n")),
    ):
        text = ran(language, command, *arguments).partition("Error: ")[2]
        assert text
        assert sorted(left(text) - {"Invalid", "value", "for", "change"}) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_status_of_pilots(made: World, language: Language) -> None:
    """`status`, for every pilot of the world."""
    by_pilot: dict[str, list[Decision]] = {}
    for one in made.outputs.decisions:
        by_pilot.setdefault(one.pilot, []).append(one)
    found: set[str] = set()
    for decisions in by_pilot.values():
        with speaking(language):
            status = pilot_status(decisions)
            assert status is not None
            found |= left(" ".join(status_lines(status, (), {}, made.now)))
    assert sorted(found - given(made)) == []


def test_the_check_finds_text_that_is_not_translated() -> None:
    """Outside of every message, also next to one."""
    assert left("⟦a level ⟦halt⟧ of⟧ pilot 5 ⟦x⟧s UTC deadbeef00") == {"pilot"}
