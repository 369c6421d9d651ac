"""The notary's board on Kafka shows that no worker is deciding, with a real broker, worker and notary."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from monitor.testing.kafka import Fresh
from monitor.testing.ports import free_port
from monitor.testing.wait import Until
from monitor.testing.workers import Worker

SILENT_S = 11.0
LOOK_S = 0.2
until = Until(40.0, every=0.2)


@contextmanager
def notary(fresh: Fresh, home: Path) -> Iterator[int]:
    """Run `sandbox-monitor notary` as a separate process; returns the port of its board."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "monitor",
        "notary",
        "--bootstrap",
        fresh.bootstrap,
        "--prefix",
        fresh.names.prefix,
    ]
    command += ["--dir", str(home / "ledger"), "--port", str(port), "--silent-after", f"{SILENT_S:g}"]
    with (home / "notary.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def got(port: int, path: str) -> str:
    """A page; empty while the board does not respond."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


@pytest.mark.kafka
def test_the_board_shows_that_the_worker_is_dead_and_when_it_last_wrote(tmp_path: Path) -> None:
    """While a worker runs, its last write is recent. After it is killed, a banner with that time appears
    after the limit, and the data names the silent partitions; with a new worker the banner disappears."""
    fresh, workers = Fresh(2), []

    def begun() -> Worker:
        options = ("--instance", "w0", "--session-timeout", "6")  # so that the group readmits it at once
        return Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log", *options)

    try:
        workers.append(begun().wait_ready())
        with notary(fresh, tmp_path) as port:

            def told() -> dict[str, Any]:
                return dict(json.loads(got(port, "/api/board.json") or '{"worker": {}}')["worker"])

            until(lambda: told().get("last_heard") and told()["silent_partitions"] == [], 120)
            assert 'role="alert"' not in got(port, "/")
            until(lambda: "; worker last seen <time" in got(port, "/fleet"), 120)
            workers[-1].kill()
            killed = time.time() * 1000
            until(lambda: told()["silent_partitions"] == [0, 1], SILENT_S + 60)
            heard = told()["last_heard"]
            assert time.time() * 1000 - heard >= SILENT_S * 1000, "it is called silent before the time set"
            last = {row.partition: row.timestamp for row in asyncio.run(fresh.raw(fresh.names.journal))}
            assert min(last.values()) <= heard <= killed + 5_000, "it is not the moment of its last word"
            page = got(port, "/")
            moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(heard / 1000))
            assert '<p class="alarm" role="alert"><b>■ No worker seen since <time' in page
            assert moment in page
            workers.append(begun())
            until(lambda: told()["silent_partitions"] == [], 120)
            assert 'role="alert"' not in got(port, "/")
    finally:
        for worker in workers:
            worker.kill()
