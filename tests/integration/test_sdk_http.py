"""The SDK with the embedded monitor: the same calls, over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli.simulate import simulate
from monitor.embedded.monitor import Monitor
from monitor.errors import Halted, Unavailable
from monitor.model.builders import Emitter
from monitor.model.events import encode
from monitor.model.records import Outputs
from monitor.sdk import Pilot
from monitor.sdk.http_link import HttpLink
from monitor.simulation.fleet import Fleet
from monitor.testing.ports import free_port
from monitor.testing.wait import Until

until = Until(60.0)


@contextmanager
def monitor(directory: Path, port: int, fleet: Fleet) -> Iterator[tuple[Monitor, list[Outputs]]]:
    """A real embedded monitor in a thread, with the charters of a fleet, and its outputs."""
    outputs: list[Outputs] = []
    ready, done = threading.Event(), threading.Event()
    running: list[Monitor] = []

    async def serve() -> None:
        each = Monitor(
            directory, port=port, charters=[fleet.charter_for(p) for p in fleet.pilots], watchers=[outputs.append]
        )
        running.append(each)
        await each.start()
        ready.set()
        while not done.is_set():
            await asyncio.sleep(0.02)
        await each.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(60)
    try:
        yield running[0], outputs
    finally:
        done.set()
        thread.join(20)


def fleet_of_one() -> Fleet:
    """One pilot, whose charter halts at once on a death."""
    now = time.time_ns() // 1_000_000
    return Fleet(1, pilots=1, scenarios=["calm"], start=now, hours=24)


def test_a_death_reported_halts_the_service_that_reported_it(tmp_path: Path) -> None:
    """From report to refusal through the monitor: the hard rule halts, the guard refuses, the halt is acknowledged."""
    port = free_port()
    with monitor(tmp_path / "monitor", port, fleet_of_one()) as (_, outputs):
        with Pilot(
            "pilot-0001",
            participant="firm-1",
            to=f"http://127.0.0.1:{port}",
            model="m1",
            spool_dir=tmp_path / "spool",
            heartbeat_s=0.5,
            pack_ms=5,
        ) as pilot:
            with pilot.guard("case-1"):
                pilot.exposure(1, "decisions")
            pilot.incident("i-1", "serious_incident", harm="death")
            until(lambda: pilot.standing.halted)
            with pytest.raises(Halted, match=r"pilot-0001 is halted since .*hard_rule"), pilot.guard("case-2"):
                pytest.fail("the guard let work begin")

            def acknowledged() -> bool:
                return any(d.reason == "command_acknowledged" for o in list(outputs) for d in o.decisions)

            until(acknowledged)
        assert [r for o in outputs for r in o.rejected] == []


def test_reports_wait_during_an_outage_of_the_monitor(tmp_path: Path) -> None:
    """After a restart of the monitor on the same port every event arrives and none is rejected; no work begins while
    the state is unknown."""
    port = free_port()
    fleet = fleet_of_one()
    with Pilot(
        "pilot-0001",
        participant="firm-1",
        to=f"http://127.0.0.1:{port}",
        model="m1",
        spool_dir=tmp_path / "spool",
        heartbeat_s=0,
        guard_timeout=0.2,
    ) as pilot:
        with pytest.raises(Unavailable, match="not known yet"), pilot.guard():
            pytest.fail("the guard let work begin")
        for n in range(120):
            pilot.gain(n / 1000)
        for _ in range(2):
            with monitor(tmp_path / "monitor", port, fleet) as (running, outputs):
                pilot.flush(20)
                until(lambda running=running: running.events >= 120)  # type: ignore[misc]
                until(lambda: pilot.standing.known)
                with pilot.guard():
                    pass
                assert [r for o in outputs for r in o.rejected] == []
            for n in range(120):
                pilot.gain(n / 1000)
        with monitor(tmp_path / "monitor", port, fleet) as (running, _):
            pilot.flush(20)


def test_the_simulator_sends_over_http(tmp_path: Path) -> None:
    """All events of `simulate --to http --admit` are processed, and none is rejected."""
    port = free_port()
    empty = Fleet(1, pilots=0, start=0, hours=1)
    with monitor(tmp_path / "monitor", port, empty) as (running, outputs):
        arguments = [
            "--to",
            "http",
            "--at-once",
            "--period",
            "1s",
            "--hours",
            "20",
            "--pilots",
            "3",
            "--scenario",
            "calm",
            "--admit",
        ]
        result = CliRunner().invoke(simulate, [f"http://127.0.0.1:{port}", *arguments, "--json"])
        assert result.exit_code == 0, result.output
        sent = json.loads(result.stdout)
        until(lambda: running.events >= sent["events"])
        assert running.events == sent["events"] > 1000
        assert len(sent["truth"]) == 3
        assert [r for o in outputs for r in o.rejected] == []


def test_the_status_shows_what_the_monitor_rejected(tmp_path: Path) -> None:
    """After an event with a wrong field, sent without the SDK, `status()` shows how many were rejected, the field and
    the fix."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with monitor(tmp_path / "monitor", port, fleet_of_one()) as _:
        service = {"participant": "firm-1", "to": address, "spool_dir": tmp_path / "spool", "heartbeat_s": 0.3}
        with Pilot("pilot-0001", model="m1", **service) as pilot:  # type: ignore[arg-type]
            until(lambda: pilot.status().notice is not None)
            bad = json.loads(encode(Emitter("raw/1", "pilot-0001").incident(time.time_ns() // 1_000_000)))
            bad["data"]["severity"] = "dreadful"
            link = HttpLink(address)
            link.send("pilot-0001", json.dumps([bad]).encode())
            link.close()
            until(lambda: (told := pilot.status().notice) is not None and told.rejected)
            notice = pilot.status().notice
            assert notice is not None
            assert notice.rejected == {"unknown_value": 1}
            assert (notice.newest[0].field, notice.newest[0].reason) == ("data.severity", "unknown_value")
            assert "serious_incident" in notice.newest[0].detail
