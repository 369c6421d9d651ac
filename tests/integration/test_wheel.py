"""The wheel without extras in a fresh environment is the SDK, and a firm needs nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monitor.charter.spec import canonical_charter
from monitor.simulation.fleet import Fleet
from tests.processes import piped

ROOT = Path(__file__).parents[2]
NOT_THERE = ("aiohttp", "click", "faust", "numpy", "river")
FIRM = """
import importlib.util, json, sys
from monitor.sdk import Halted, Pilot

to, pilot, participant, spool = sys.argv[1:5]
seen = {"importable": [name for name in sys.argv[5:] if importlib.util.find_spec(name)]}
with Pilot(pilot, participant=participant, to=to, model="m1", spool_dir=spool, heartbeat_s=0.2) as service:
    with service.guard():
        service.exposure(1, "decisions")
    service.incident("i-1", "serious_incident", harm="death")
    service.flush()
    try:
        while True:
            with service.guard():
                pass
    except Halted as halt:
        seen["reason"] = halt.reason
print(json.dumps(seen))
"""


def run(*command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT)


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment into which only the wheel was installed, with what it requires."""
    home = tmp_path_factory.mktemp("firm")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(home))
    assert built.returncode == 0, built.stderr
    (wheel,) = home.glob("*.whl")
    uv = str(Path(sys.executable).with_name("uv"))
    assert run(uv, "venv", "--python", sys.executable, str(home / "venv")).returncode == 0
    python = home / "venv" / "bin" / "python"
    install = [uv, "pip", "install", "--python", str(python), str(wheel)]
    # What `make install` fetched is in the cache of uv; only an empty cache asks the registry.
    if run(*install, "--offline").returncode:
        online = run(*install)
        if online.returncode:
            pytest.skip(f"the registry cannot be reached: {online.stderr.strip().splitlines()[-1]}")
    return python


def test_the_bare_wheel_sends_events_and_obeys(firm: Path, tmp_path: Path) -> None:
    """With nothing but the wheel a firm reports to a real monitor, and is halted by it; the monitor's libraries are
    absent."""
    fleet = Fleet(3, pilots=1, scenarios=["death"], start=int(time.time() * 1000) - 20_000, hours=6, period="2s")
    (pilot,) = fleet.pilots
    charter = fleet.charter_for(pilot)
    (tmp_path / "charter.yaml").write_bytes(canonical_charter(charter))
    (tmp_path / "firm.py").write_text(FIRM)
    options = ["--dir", str(tmp_path / "data"), "--port", "0", "--charter", str(tmp_path / "charter.yaml")]
    monitor = piped(
        [sys.executable, "-m", "monitor", "serve", *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert monitor.stdout is not None
        address = monitor.stdout.readline().decode().split()[1].rstrip("/")
        given = [address, pilot, charter.participant.id, str(tmp_path / "spool"), *NOT_THERE]
        done = run(str(firm), "-I", str(tmp_path / "firm.py"), *given)
    finally:
        monitor.terminate()
        monitor.wait(30)
        if monitor.stdout is not None:
            monitor.stdout.close()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"importable": [], "reason": "hard_rule"}


def test_the_command_of_the_bare_wheel_names_the_missing_extra(firm: Path) -> None:
    """`sandbox-monitor` without the monitor's libraries names the extra to install, without a traceback."""
    done = run(str(firm.with_name("sandbox-monitor")), "serve")
    assert done.returncode == 1
    assert "sandbox-monitor[monitor]" in done.stderr
    assert "Traceback" not in done.stderr
