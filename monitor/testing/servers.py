"""Starts the real Prometheus and the real Alertmanager of Debian on loopback, with everything they write in one
directory."""

from __future__ import annotations

import http.client
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from monitor.errors import Stop, Unavailable
from monitor.testing.ports import free_port

PROMETHEUS = "prometheus"
ALERTMANAGER = "prometheus-alertmanager"


def missing(*programs: str) -> list[str]:
    """Those of `programs` that are not on the path; `deploy/local/install-test-servers.sh` installs them."""
    return [program for program in programs if shutil.which(program) is None]


class Server:
    """One running server: `url`, `pid`, and `log`, the file it writes to. A context manager that stops it."""

    def __init__(self, command: Sequence[str], port: int, directory: Path, name: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{port}"
        self.log = directory / f"{name}.log"
        with self.log.open("ab") as out:
            # A separate session, so that a Ctrl-C in the terminal does not stop the server before the tests end.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.pid = self.process.pid

    def wait_ready(self, path: str = "/-/ready", seconds: float = 60.0) -> Server:
        """Return when `path` answers 200. Raises `Stop` with the log's end when the server died, `Unavailable` when
        late."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Stop(f"{self.url} ended with {self.process.returncode}: {self._tail()}")
            if answers(self.url + path):
                return self
            time.sleep(0.05)
        self.stop()
        raise Unavailable(f"{self.url} is not ready after {seconds:.0f} s: {self._tail()}")

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after ten seconds."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-800:]


def answers(url: str) -> bool:
    """Whether `url` answers with a 2xx status now."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(200 <= answer.status < 300)
    except (urllib.error.URLError, OSError):
        return False


def http_request(
    port: int,
    method: str,
    path: str,
    body: bytes | None = None,
    kind: str = "",
    headers: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    """Send one request over a new connection to loopback; returns (status, body), status 0 when no server answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, ({"Content-Type": kind} if kind else {}) | dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def prometheus(
    directory: Path,
    targets: Mapping[str, Sequence[str]],
    *,
    rules: Sequence[Path] = (),
    alertmanagers: Sequence[str] = (),
    interval: str = "200ms",
    port: int | None = None,
) -> Server:
    """Start Prometheus and wait for it. `targets` maps a job's name to its `host:port` list, `alertmanagers` are
    `host:port`."""
    port = port or free_port()
    config = directory / "prometheus.yaml"
    directory.mkdir(parents=True, exist_ok=True)
    lines = [f"global: {{scrape_interval: {interval}, scrape_timeout: {interval}, evaluation_interval: {interval}}}"]
    lines.append(f"rule_files: {[str(rule.resolve()) for rule in rules]}")
    if alertmanagers:
        lines.append(f"alerting: {{alertmanagers: [{{static_configs: [{{targets: {list(alertmanagers)}}}]}}]}}")
    lines.append("scrape_configs:")
    for job, hosts in targets.items():
        lines.append(f"  - {{job_name: {job}, static_configs: [{{targets: {list(hosts)}}}]}}")
    config.write_text("\n".join(lines) + "\n")
    command = [PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    # Prometheus finds Alertmanagers five seconds after its start; an alert that fired before is lost until it is
    # resent.
    command += ["--rules.alert.resend-delay=1s"]
    return Server(command, port, directory, "prometheus").wait_ready()


def alertmanager(directory: Path, config: Path, *, port: int | None = None, cluster: Sequence[str] = ()) -> Server:
    """Start Alertmanager with `config` and wait for it; without flags for a `cluster` it joins none."""
    port = port or free_port()
    command = [ALERTMANAGER, f"--config.file={config}", f"--storage.path={directory / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    command += cluster or ["--cluster.listen-address="]
    return Server(command, port, directory, "alertmanager").wait_ready()
