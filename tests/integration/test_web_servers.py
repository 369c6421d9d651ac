"""Real multi-process servers: all workers share the state, and the crash of one does not stop the service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.charter.spec import Responses
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity
from monitor.model.records import Reason
from monitor.testing.environments import Embedded
from monitor.testing.ports import free_port
from monitor.testing.servers import http_request
from monitor.testing.slowness import Slowness
from monitor.testing.wait import Until

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
WORKERS = 3
SERVERS = {
    "uvicorn": ["uvicorn", "guarded_app:app", "--app-dir", str(EXAMPLES), "--lifespan", "off", "--port", "{port}"],
    "gunicorn-sync": ["gunicorn", "guarded_app:wsgi", "--chdir", str(EXAMPLES), "--bind", "127.0.0.1:{port}"],
    "gunicorn-uvicorn": [
        *["gunicorn", "guarded_app:app", "--chdir", str(EXAMPLES), "--bind", "127.0.0.1:{port}"],
        *["--worker-class", "uvicorn_worker.UvicornWorker"],
    ],
}
until = Until(40.0, every=0.05)


@pytest.fixture(name="slowness")
def measured_slowness() -> Iterator[Slowness]:
    """How much slower this machine is than an idle one, measured during the test."""
    with Slowness() as slowness:
        yield slowness


@pytest.mark.parametrize("name", SERVERS)
def test_the_workers_share_the_standing_and_one_crash_stops_nothing(
    tmp_path: Path, name: str, slowness: Slowness
) -> None:
    """All workers serve under permits. One is killed: the others serve every request, and a new one joins. After a
    reported death no worker serves a request that begins a second after the recorded halt, and the halt is verified
    from the events of all workers."""
    (tmp_path / "environment").mkdir()
    environment = Embedded(tmp_path / "environment", 1, Responses(lease="6s", acknowledge_within="6s"))
    charter, settings, port = environment.next(), environment.settings(environment.proxy()), free_port()
    variables = {
        **os.environ,
        "TO": str(settings["to"]),
        "TRUST": str(settings["trust"]),
        "KEY": str(environment.key),
        "PILOT": charter.pilot,
        "PARTICIPANT": charter.participant.id,
        "SPOOL": str(tmp_path / "spool"),
        "HEARTBEAT_S": "0.5",
    }
    words = [word.format(port=port) for word in SERVERS[name]]
    command = [sys.executable, "-m", *words, "--workers", str(WORKERS), "--log-level", "warning"]
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=variables, stdout=log, stderr=log, start_new_session=True)

    def workers(tries: int = 60) -> set[int]:
        """Ids of the processes that served some requests."""
        said = [http_request(port, "GET", "/") for _ in range(tries)]
        return {int(body.split()[-1]) for status, body in said if status == 200}

    try:
        until(lambda: len(workers()) == WORKERS)
        first = workers(200)
        killed = min(first)
        os.kill(killed, signal.SIGKILL)
        time.sleep(0.2)
        answers = [http_request(port, "GET", "/")[0] for _ in range(100)]
        assert answers.count(200) >= 99, answers  # a connection that the killed worker had accepted is lost
        until(lambda: len(workers() - {killed}) == WORKERS)
        now = int(time.time() * 1000)
        death = Emitter("outside/1", charter.pilot).incident(now, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)
        environment.report(death)
        environment.decisions.wait(charter.pilot, Reason.HARD_RULE)
        time.sleep(slowness.factor)  # a second on an idle machine
        refused = [http_request(port, "GET", "/") for _ in range(100)]
        assert {status for status, _ in refused} == {503}
        problem = json.loads(refused[0][1])
        assert (problem["pilot"], problem["reason"]) == (charter.pilot, "hard_rule")
        environment.decisions.wait(charter.pilot, Reason.HALT_VERIFIED)
        words = {d.author for d in environment.decisions.of(charter.pilot) if d.reason == Reason.COMMAND_ACKNOWLEDGED}
        assert len(words) == WORKERS
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        environment.close()
