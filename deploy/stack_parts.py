"""The parts of the stack: the command of each process, its readiness check, its login."""

from __future__ import annotations

import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stack_access import Access

DEPLOY = Path(__file__).resolve().parent
RUNBOOK = (DEPLOY / "runbook.md").as_uri()
MONITOR = (sys.executable, "-m", "monitor")


@dataclass(frozen=True)
class Part:
    """One process: its command, its readiness check, and the line printed when it is ready. `environment` is its
    login."""

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    summary: str
    supervised: bool = False
    environment: dict[str, str] = field(default_factory=dict)


def parts(data: Path, ports: dict[str, int], access: Access) -> tuple[Part, ...]:
    """All parts, in the order in which they start."""
    at = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    kafka = Part("kafka", access.broker(), access.broker_ready, f"Kafka             {access.addresses()}")
    watched = (_denials(data, at, ports),) if access.secure else ()
    door = (_gateway(at, ports, access),) if access.secure else ()
    monitor = _monitor(data, at, ports, access)
    return (kafka, *watched, *_alerting(data, at, ports), *monitor, *door, _prometheus(data, at))


def _denials(data: Path, at: dict[str, str], ports: dict[str, int]) -> Part:
    log = data / "kafka" / "authorizer.log"
    return Part(
        "denials",
        (*MONITOR, "topics", "denials", str(log), "--metrics-port", str(ports["denials"])),
        _http(at["denials"], "/live"),
        f"denied by Kafka   http://{at['denials']}/metrics ({log})",
        supervised=True,
    )


def _alerting(data: Path, at: dict[str, str], ports: dict[str, int]) -> tuple[Part, ...]:
    notified = str(data / "notified.jsonl")
    return (
        Part(
            "receiver",
            (sys.executable, str(DEPLOY / "local" / "receiver.py"), str(ports["receiver"]), notified),
            _http(at["receiver"], "/"),
            f"notifications     {notified}",
        ),
        Part(
            "alertmanager",
            (
                "prometheus-alertmanager",
                f"--config.file={data / 'alertmanager.yaml'}",
                f"--storage.path={data / 'alertmanager'}",
                f"--web.listen-address={at['alertmanager']}",
                "--cluster.listen-address=",
                "--log.level=warn",
            ),
            _http(at["alertmanager"], "/-/ready"),
            f"Alertmanager      http://{at['alertmanager']}",
        ),
    )


def _monitor(data: Path, at: dict[str, str], ports: dict[str, int], access: Access) -> tuple[Part, ...]:
    kafka = ("--bootstrap", at["kafka"])
    return (
        Part(
            "worker",
            (*MONITOR, "worker", *kafka, "--metrics-port", str(ports["worker"]), *access.worker_options()),
            _http(at["worker"], "/ready"),
            f"worker's metrics  http://{at['worker']}/metrics",
            supervised=True,
            environment=access.environment("monitor"),
        ),
        Part(
            "act",
            (
                *(*MONITOR, "act", *kafka, *access.reader_options()),
                *("--dir", str(data / "act")),
                *("--alertmanager", f"http://{at['alertmanager']}"),
                *("--json-lines", str(data / "decisions.jsonl")),
                *("--runbook-url", RUNBOOK, "--board-url", f"http://{at['notary']}/"),
                *("--metrics-port", str(ports["act"])),
            ),
            _http(at["act"], "/live"),
            f"decisions         {data / 'decisions.jsonl'}",
            supervised=True,
            environment=access.environment("act"),
        ),
        Part(
            "notary",
            (
                *(*MONITOR, "notary", *kafka, *access.reader_options()),
                *("--dir", str(data / "ledger"), "--port", str(ports["notary"])),
                *("--metrics-port", str(ports["notary-metrics"])),
            ),
            _http(at["notary"], "/"),
            f"board             http://{at['notary']}/ (ledger in {data / 'ledger'})",
            supervised=True,
            environment=access.environment("notary"),
        ),
    )


def _gateway(at: dict[str, str], ports: dict[str, int], access: Access) -> Part:
    return Part(
        "gateway",
        (*MONITOR, "gateway", "--users", "--bootstrap", at["kafka"], "--port", str(ports["gateway"])),
        lambda: _listens(ports["gateway"]),
        f"gateway of firms  http://{at['gateway']}/",
        supervised=True,
        environment=access.environment("gateway"),
    )


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _prometheus(data: Path, at: dict[str, str]) -> Part:
    return Part(
        "prometheus",
        (
            "prometheus",
            f"--config.file={data / 'prometheus.yaml'}",
            f"--storage.tsdb.path={data / 'prometheus'}",
            f"--web.listen-address={at['prometheus']}",
            "--log.level=warn",
        ),
        _http(at["prometheus"], "/-/ready"),
        f"Prometheus        http://{at['prometheus']}",
    )


def _http(address: str, path: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://{address}{path}", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    return ready
