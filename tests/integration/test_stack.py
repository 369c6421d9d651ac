"""Deployment: the stack without Docker runs; the files for what cannot run here are complete."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka import KafkaConsumer, TopicPartition

from monitor.access.kafka_login import access
from monitor.testing.ports import free_port
from monitor.testing.servers import answers
from monitor.testing.wait import Until

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.load((DEPLOY / "compose.yaml").read_text(), yaml.CSafeLoader)
PROVISIONING = DEPLOY / "grafana" / "provisioning"
OPEN_PARTS = ("kafka", "receiver", "alertmanager", "worker", "act", "notary", "prometheus")
PARTS = {"--secure": (*OPEN_PARTS, "denials", "gateway"), "--open": OPEN_PARTS}
PEOPLE_LINES = {"--secure": 4, "--open": 1}  # how three people log in, and the sandbox; a warning
until = Until(60.0, every=0.1)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.kafka
@pytest.mark.servers
@pytest.mark.parametrize("mode", ["--secure", pytest.param("--open", marks=pytest.mark.long)])
def test_the_stack_runs_and_stops(tmp_path: Path, mode: str) -> None:
    """After `up` a simulated death is notified as a halt; killed processes restart and duplicate nothing; `down` stops
    all. Secure by default, with every part under its login."""
    ports = {part: free_port() for part in (*PARTS[mode], "firms", "notary-metrics")}
    stack = [sys.executable, str(DEPLOY / "stack.py")]
    where = ["--dir", str(tmp_path), *(f"--port={part}={port}" for part, port in ports.items())]

    def run(word: str) -> subprocess.CompletedProcess[str]:
        command = [*stack, word, *where, *([] if mode == "--secure" else [mode])]
        return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)

    try:
        up = run("up")
        assert up.returncode == 0, up.stderr
        assert len(up.stdout.splitlines()) == len(PARTS[mode]) + PEOPLE_LINES[mode]
        assert run("status").returncode == 0
        simulate = [
            sys.executable,
            "-m",
            "monitor",
            "simulate",
            f"127.0.0.1:{ports['kafka']}",
            "--to",
            "kafka",
            "--admit",
        ]
        simulate += ["--pilots", "1", "--hours", "8", "--period", "1s", "--scenario", "death"]
        if mode == "--secure":
            simulate += ["--key", str(tmp_path / "keys" / "regulator.key")]
        environment = os.environ | login(tmp_path, "operator")
        subprocess.run(simulate, check=True, timeout=180, capture_output=True, cwd=ROOT, env=environment)

        def halted() -> list[dict[str, Any]]:
            names = [alert for alert in lines(tmp_path / "notified.jsonl") if alert["receiver"] == "on-call"]
            return [alert for alert in names if alert["labels"]["alertname"] == "SandboxPilotHalted"]

        [alert, *_] = until(halted, 30)
        assert alert["labels"]["via"] == "push"
        until(lambda: any(d["level"] == 3 for d in lines(tmp_path / "decisions.jsonl")), 10)

        for part, page in (("worker", "ready"), ("act", "live"), ("notary", "")):
            supervisor = json.loads((tmp_path / f"{part}.pid").read_text())["pid"]
            [child] = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
            os.kill(int(child), signal.SIGKILL)
            address = f"http://127.0.0.1:{ports[part]}/{page}"
            until(lambda address=address: not answers(address), 10)
            until(lambda address=address: answers(address), 60)
        up_query = f"http://127.0.0.1:{ports['prometheus']}/api/v1/query?query=sum(up)"
        jobs = len(yaml.load((tmp_path / "prometheus.yaml").read_text(), yaml.CSafeLoader)["scrape_configs"])
        until(lambda: scraped(up_query) == str(jobs), 60)
        ids = [d["id"] for d in lines(tmp_path / "decisions.jsonl")]
        assert len(set(ids)) == len(ids)
        until(lambda: ledgered(tmp_path / "ledger") >= set(ids), 20)
        # The notary was restarted: it serves its board while it reads the topics again.
        [row] = until(lambda: board_rows(f"http://127.0.0.1:{ports['notary']}/api/board.json"), 60)
        assert (row["level"], row["reason"], row["tier"]) == ("halt", "hard_rule", "high")

        again = run("up")
        assert again.returncode == 0, again.stderr
        assert "starting" not in again.stderr
        assert not (tmp_path / "kafka" / "authorizer.log").exists()  # no part was denied anything
        if mode == "--secure":
            attempt_is_counted(tmp_path, ports)
    finally:
        down = run("down")
    assert down.returncode == 0
    assert run("status").returncode == 1
    assert not [pid for pid in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path) in _read(pid)]


def login(stack: Path, user: str) -> dict[str, str]:
    """The variables of `env/USER.env`; none in the open stack."""
    file = stack / "env" / f"{user}.env"
    words = file.read_text().split() if file.exists() else []
    return dict(word.split("=", 1) for word in words if word.startswith("SANDBOX_KAFKA_"))


def attempt_is_counted(stack: Path, ports: dict[str, int]) -> None:
    """A firm reads another firm's commands: nothing is read, and the authority sees it."""
    consumer = KafkaConsumer(bootstrap_servers=f"127.0.0.1:{ports['firms']}", **access(login(stack, "firm-2")))
    try:
        consumer.assign([TopicPartition("sandbox.commands.firm-1", 0)])
        assert consumer.poll(timeout_ms=1_000) == {}
    finally:
        consumer.close(autocommit=False)
    page = f"http://127.0.0.1:{ports['denials']}/metrics"

    def counted() -> bool:
        with urllib.request.urlopen(page, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        denied = [line for line in lines if line.startswith("sandbox_monitor_kafka_denied_total{")]
        return any('principal="firm-2"' in line and 'resource="Topic"' in line for line in denied)

    until(counted)


def test_a_directory_keeps_its_mode(tmp_path: Path) -> None:
    """A secure stack is not started again without logins by a forgotten word, nor the reverse."""
    (tmp_path / "mode").write_text("secure\n")
    command = [sys.executable, str(DEPLOY / "stack.py"), "up", "--open", "--dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3
    assert "holds a secure stack" in done.stderr


def ledgered(directory: Path) -> set[str]:
    """Ids of all entries of the ledgers in a directory, which must be sound."""
    verify = [sys.executable, "-m", "monitor", "ledger"]
    subprocess.run([*verify, "verify", str(directory)], check=True, capture_output=True, timeout=120)
    found: set[str] = set()
    for file in directory.glob("*.ledger"):
        shown = subprocess.run([*verify, "show", "--json", str(file)], check=True, capture_output=True, timeout=120)
        found |= {json.loads(line)["record"]["id"] for line in shown.stdout.splitlines()}
    return found


def board_rows(address: str) -> list[dict[str, Any]]:
    """The pilots on the board."""
    with urllib.request.urlopen(address, timeout=5) as answer:
        found: list[dict[str, Any]] = json.load(answer)["pilots"]
    return found


def scraped(address: str) -> str:
    with urllib.request.urlopen(address, timeout=5) as answer:
        return str(json.load(answer)["data"]["result"][0]["value"][1])


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    """The error names a port that another process uses, with exit code 3, and nothing is left running."""
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        command = [sys.executable, str(DEPLOY / "stack.py"), "up", "--dir", str(tmp_path), f"--port=kafka={port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3
    assert f"port {port} of kafka is taken" in done.stderr


def test_a_recycled_process_id_is_not_ours(tmp_path: Path) -> None:
    """`down` does not stop a process that has a recycled process id."""
    (tmp_path / "prometheus.pid").write_text(json.dumps({"pid": os.getpid(), "born": "1"}))
    command = [sys.executable, str(DEPLOY / "stack.py"), "down", "--dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0
    assert "stopping" not in done.stderr


@pytest.mark.servers
@pytest.mark.parametrize("name", ["prometheus.yaml", "prometheus.local.yaml"])
def test_the_prometheus_configuration_is_valid(name: str) -> None:
    """promtool accepts it, rules included."""
    command = ["promtool", "check", "config", str(DEPLOY / "prometheus" / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", ["compose.yaml", "Dockerfile"])
def test_files_that_no_test_executes_state_it(file: str) -> None:
    """The first line of the file states it."""
    assert "NOT EXECUTED HERE" in (DEPLOY / file).read_text().splitlines()[0]


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_a_compose_service_is_pinned_private_and_complete(name: str) -> None:
    """Images have a version, ports are bound to loopback, files, volumes and dependencies exist, commands are those of
    the product."""
    service = COMPOSE["services"][name]
    assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:")
    for volume in service.get("volumes", ()):
        source = volume.split(":")[0]
        assert (DEPLOY / source).resolve().exists() if source.startswith(".") else source in COMPOSE["volumes"]
    for other in service.get("depends_on", ()):
        assert other in COMPOSE["services"]
    if "build" in service:
        context = (DEPLOY / service["build"]["context"]).resolve()
        assert (context / service["build"]["dockerfile"]).exists()
        command = [sys.executable, "-m", "monitor", service["command"][0], "--help"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, cwd=ROOT).stdout
        words = [word.split("=")[0] for word in service["command"] if word.startswith("--")]
        if service["command"][0] != "topics":
            assert all(word in said for word in words)


def test_compose_and_stack_run_the_same_kafka() -> None:
    """Both use the same version of Kafka."""
    pom = (DEPLOY / "local" / "pom.xml").read_text()
    version = COMPOSE["services"]["kafka"]["image"].split(":")[1]
    assert f">{version}<" in pom


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    """The provisioned folder is where compose mounts the dashboards; the data source is the Prometheus of compose."""
    provider = yaml.load((PROVISIONING / "dashboards" / "sandbox.yaml").read_text(), yaml.CSafeLoader)["providers"][0]
    mounts = dict(volume.split(":")[:2] for volume in COMPOSE["services"]["grafana"]["volumes"])
    assert mounts["../dashboards"] == provider["options"]["path"]
    [source] = yaml.load((PROVISIONING / "datasources" / "prometheus.yaml").read_text(), yaml.CSafeLoader)[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"


def test_prometheus_of_compose_scrapes_services_of_compose() -> None:
    """Every target and the Alertmanager are services, at the port that they are told to listen on."""
    config = yaml.load((DEPLOY / "prometheus" / "prometheus.yaml").read_text(), yaml.CSafeLoader)
    targets = [t for job in config["scrape_configs"] for group in job["static_configs"] for t in group["targets"]]
    for name, port in (target.split(":") for target in targets):
        assert port in " ".join(COMPOSE["services"][name]["command"])
    [[manager]] = [g["targets"] for a in config["alerting"]["alertmanagers"] for g in a["static_configs"]]
    assert manager.split(":")[0] in COMPOSE["services"]


def test_what_the_image_copies_exists() -> None:
    """Every path that the Dockerfile copies from the repository is there."""
    text = (DEPLOY / "Dockerfile").read_text()
    copied = [path for found in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M) for path in found.split()]
    assert copied
    missing = [path for path in copied if not (ROOT / path).exists()]
    assert missing == []


def test_the_installer_has_nothing_to_do_where_all_is_there() -> None:
    """With every program present it changes and prints nothing."""
    wanted = ("prometheus", "promtool", "prometheus-alertmanager", "amtool", "chromium", "chromedriver", "java", "mvn")
    if [program for program in wanted if shutil.which(program) is None]:
        pytest.skip("a program is missing, so there would be something to do")
    script = DEPLOY / "local" / "install-test-servers.sh"
    done = subprocess.run([script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_installer_says_what_to_do_without_root(tmp_path: Path) -> None:
    """Without root it installs nothing, names the packages and exits with 1."""
    for name in ("id", "sort", "tr"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    (tmp_path / "id").unlink()
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    script = DEPLOY / "local" / "install-test-servers.sh"
    done = subprocess.run(
        ["/bin/sh", script], capture_output=True, text=True, timeout=120, check=False, env={"PATH": str(tmp_path)}
    )
    assert done.returncode == 1
    assert "chromium-driver" in done.stderr
    assert "apt-get install" in done.stderr
