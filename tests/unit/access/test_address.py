"""A malformed address is refused before anything starts, with the fix; credentials are used and never shown."""

from __future__ import annotations

import base64
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.__main__ import cli
from monitor.access.address import http_address, kafka_servers, shown
from monitor.access.kafka_login import access
from monitor.act import ACTORS
from monitor.act.base import Notifier
from monitor.act.http import post
from monitor.errors import Refused, SandboxMonitorError, Unavailable
from monitor.kafka import health
from monitor.sdk.transports import open_link
from monitor.testing.records import halted

SECRET = "s3cret"

BAD_URLS = [
    ("127.0.0.1:9093", "write http:// or https:// in front: http://127.0.0.1:9093"),
    ("alerts.example.org", "write http:// or https:// in front: http://alerts.example.org"),
    (f"user:{SECRET}@host:9093", "write http:// or https:// in front: http://***@host:9093"),
    ("ftp://host", "write http:// or https:// in front: http://127.0.0.1:9093"),
    ("http:host", "write http:// or https:// in front"),
    ("http://", "names no host"),
    ("http://:9093", "names no host"),
    ("http://host:0", "not a number from 1 to 65535"),
    ("http://host:65536", "not a number from 1 to 65535"),
    ("http://host:port", "not a number from 1 to 65535"),
    (f"http://user:{SECRET}/x@host", "percent-encoded"),
    ("http://ho st", "percent-encode"),
    ("http://host\n", "percent-encode"),
    ("http://h\u00f6st", "xn--"),
    ("http://host?x=1", "leave out what begins with ?"),
    (f"http://user:{SECRET}#x@host", "percent-encoded"),
    ("http://[::1", "not a number from 1 to 65535"),
    ("http://-host", "names no host"),
    ("", "write http:// or https:// in front"),
]  # fmt: skip

BAD_SERVERS = [
    ("kafka://host:9092", "has a scheme"),
    (f"user:{SECRET}@host:9092", "SANDBOX_KAFKA_PASSWORD_FILE"),
    ("", "names no host"),
    (":9092", "names no host"),
    ("host:", "not a port"),
    ("host:0", "not a port"),
    ("host:99999", "not a port"),
    ("host:\u0669", "not a port"),
    ("a:9092, b:9092", "names no host"),
    ("host:9092/topic", "not a port"),
]


@pytest.mark.parametrize(("address", "fix"), BAD_URLS)
def test_a_malformed_url_is_refused_with_the_fix_and_without_its_password(address: str, fix: str) -> None:
    """A URL that can never work is refused before any request."""
    with pytest.raises(Refused) as refused:
        http_address(address)
    assert fix in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(("address", "fix"), BAD_SERVERS)
def test_malformed_kafka_servers_are_refused_with_the_fix(address: str, fix: str) -> None:
    """Otherwise a client would retry for ever."""
    with pytest.raises(Refused) as refused:
        kafka_servers(address)
    assert fix in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://host", "https://host:9093/am/", "http://[::1]:9093", "http://10.0.0.1:1", "http://my_host.local.:80",
        "http://u@h", "HTTP://host", "http://host:",
    ],
)  # fmt: skip
def test_a_url_that_can_work_is_accepted(address: str) -> None:
    """Whether a server answers there is not checked here."""
    assert "@" not in http_address(address).url


def test_kafka_servers_may_be_several_and_lack_their_port() -> None:
    """The default port is 9092."""
    assert kafka_servers("a,b:1,[::1]:2,") == ["a:9092", "b:1", "[::1]:2"]


OPTIONS = [
    (["serve", "--dir", "d", "--alertmanager"], "127.0.0.1:9093"),
    (["act", "--dir", "d", "--alertmanager"], f"user:{SECRET}@host"),
    (["act", "--dir", "d", "--annotations"], "grafana:3000"),
    (["dashboards", "push", "--token", "t", "--url"], "grafana:3000"),
    (["act", "--dir", "d", "--json-lines", "x", "--bootstrap"], "kafka://host"),
    (["worker", "--bootstrap"], "host:0"),
    (["notary", "--dir", "d", "--bootstrap"], f"u:{SECRET}@host"),
    (["pool", "--bootstrap"], "host:port"),
    (["export", "--bootstrap"], "http://host"),
    (["topics", "check", "--bootstrap"], ""),
    (["topics", "create", "--bootstrap"], "a b"),
    (["release", "p", "--author", "x", "--reason", "y", "--to"], "host:9092"),
    (["release", "p", "--author", "x", "--reason", "y", "--to"], "http://host:0"),
    (["simulate", "--to", "http"], "host:port"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "address"), OPTIONS)
def test_a_command_refuses_a_malformed_address_before_it_starts(
    arguments: list[str], address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usage error (exit code 2) says what to write, creates nothing, and does not repeat the password."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, [*arguments, address])
    assert (result.exit_code, type(result.exception)) == (2, SystemExit), result.output
    assert list(tmp_path.iterdir()) == []
    assert SECRET not in result.output


@pytest.mark.parametrize("name", ["alertmanager", "annotations"])
def test_what_goes_wrong_at_an_address_never_shows_its_password(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the error nor the log contains it."""
    actor = ACTORS[name](f"http://user:{SECRET}@127.0.0.1:9")
    with pytest.raises(SandboxMonitorError) as away:
        actor.notify((), ()) if isinstance(actor, Notifier) else actor.act(halted(standing=1))
    assert "***@127.0.0.1:9" in str(away.value)
    assert SECRET not in str(away.value) + caplog.text


def test_a_host_that_does_not_resolve_is_retried() -> None:
    """A name may resolve later: that is an outage, not a wrong address."""
    with pytest.raises(Unavailable, match=r"no-such-host\.invalid"):
        post("http://no-such-host.invalid/x", b"{}")


def test_credentials_of_a_url_are_sent_as_basic_authentication() -> None:
    """Percent-encoded characters are decoded, and the requested URL contains no credentials."""
    seen: list[tuple[str, str]] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append((self.path, self.headers["Authorization"]))
            self.send_response(401 if len(seen) > 1 else 200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the overridden name)
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://ann:{SECRET}%2F%40@127.0.0.1:{server.server_port}/am"
        post(f"{address}/api", b"{}")
        with pytest.raises(Refused) as refused:
            post(f"{address}/api", b"{}")
        server.shutdown()
    path, header = seen[0]
    assert (path, base64.b64decode(header.removeprefix("Basic "))) == ("/am/api", f"ann:{SECRET}/@".encode())
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "to", ["host:9092", "kafka://", "kafka://host:0", "http://host:0", "http://h?x", f"x://u:{SECRET}@h"]
)
def test_the_sdk_refuses_a_malformed_address_when_it_is_made(to: str) -> None:
    """A service that could never report fails at its start."""
    with pytest.raises(ValueError, match="is not an address") as refused:
        open_link(to)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SANDBOX_KAFKA_USER": "u"}, "SANDBOX_KAFKA_PASSWORD_FILE is not; give"),
        (
            {"SANDBOX_KAFKA_USER": "u", "SANDBOX_KAFKA_PASSWORD_FILE": "/no/such/file"},
            "SANDBOX_KAFKA_PASSWORD_FILE names",
        ),
        ({"SANDBOX_KAFKA_USER": "u", "SANDBOX_KAFKA_MECHANISM": "x"}, "give one of SCRAM-SHA-512"),
        ({"SANDBOX_KAFKA_CA": "/no/such/file"}, "SANDBOX_KAFKA_CA names"),
        ({"SANDBOX_KAFKA_CA": __file__}, "SANDBOX_KAFKA_CA names"),
    ],
)
def test_a_wrong_login_of_kafka_is_refused_with_the_variable(environment: dict[str, str], says: str) -> None:
    """The error comes before a client is made."""
    with pytest.raises(Refused, match=says):
        access(environment)


def test_a_port_that_is_taken_is_refused_with_the_fix() -> None:
    """So is an address that this machine does not have."""
    with (
        HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server,
        pytest.raises(Refused, match=f":{server.server_port} cannot be listened on.*; choose another"),
    ):
        health.serve(server.server_port, {})
    with pytest.raises(Refused, match="invalid:0 cannot be listened on"):
        health.serve(0, {}, "no-such-host.invalid")


def test_an_address_is_shown_without_what_stands_before_the_last_at() -> None:
    """Credentials are removed from a malformed address too."""
    assert shown(f"http://u:{SECRET}/@:{SECRET}@h") == "http://***@h"
    assert shown("http://h") == "http://h"
