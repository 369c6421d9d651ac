"""What `doctor` makes of answers: of another kind of server, and of silences."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from monitor.cli.doctor_checks import CHECKS, Setup, _hides, run_check


class Answer(BaseHTTPRequestHandler):
    """Answers every request with `body`."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"x"', b"[" * 100_000, b"\xff", b'{"data": {"groups": [1]}}'])
@pytest.mark.parametrize("check", ["prometheus", "alertmanager", "grafana"])
def test_whatever_a_server_answers_fails_its_check_alone(
    url: str, check: str, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any JSON, and what is none, is a failure with a fix and no traceback."""
    monkeypatch.setattr(Answer, "body", body)
    found = run_check(CHECKS[check], Setup(prometheus=url, alertmanager=url, grafana=url, token="t"))
    assert found[-1].state == "failed"
    assert "address" in found[-1].fix


def matcher(value: str, name: str = "alertname", regex: bool = False, equal: bool = True) -> dict[str, Any]:
    return {"name": name, "value": value, "isRegex": regex, "isEqual": equal}


@pytest.mark.parametrize(
    ("matchers", "hides"),
    [
        ([matcher("SandboxClockSkew")], True),
        ([matcher("Watchdog")], True),
        ([matcher(".+", regex=True)], True),
        ([matcher("Sand.*", regex=True)], True),
        ([matcher("critical", "severity")], True),
        ([matcher("DiskFull", equal=False)], True),
        ([matcher("DiskFull")], False),
        ([matcher("Disk.*", regex=True), matcher("critical", "severity")], False),
        ([matcher("Sandbox.*|Watchdog", regex=True, equal=False)], False),
    ],
)
def test_a_silence_that_may_hide_an_alert_of_the_monitor_is_named(matchers: list[dict[str, Any]], hides: bool) -> None:
    """Also one that names no alert, or all of them."""
    assert _hides(matchers) is hides
