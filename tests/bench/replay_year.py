"""How long a replay of a year takes: 1,000,000 events of 100 pilots, stepped by `sandbox-monitor replay`.

    python tests/bench/replay_year.py [--events N] [--pilots N] [--keep DIR]

The file is written by the product's own simulator and writer: a fleet whose charters count in periods of a day. Events
of the pilots are interleaved in time; a pilot sends about 27 a day, and all periods close at noon. The command runs in
a separate process, which divides so large a file over two; seconds are wall time and the processor time of all its
processes, memory the sum of their largest resident sets. The goal is for two processors that do nothing else. The
second run, `early`, is 1,840 events of one pilot under the template charter in periods of 5 s, admitted eight months
before the first.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import msgspec

from monitor.compile.load import load_charter
from monitor.engine.replay import write_lines
from monitor.simulation.fleet import Fleet
from monitor.toolkits.load import shipped

START = 1_767_571_200_000  # Monday 5 January 2026
SECONDS, MEGABYTES = 20.0, 400.0


def wanted(events: int, pilots: int) -> tuple[Fleet, int]:
    """A fleet of a year that sends at least so many events, and how many to take of it."""
    volume = 400.0
    while True:
        fleet = Fleet(3, pilots=pilots, start=START, hours=365, period="1d", volume=volume)
        one = sum(1 for _ in Fleet(3, pilots=10, start=START, hours=365, period="1d", volume=volume)) * pilots // 10
        if one >= events:
            return fleet, events
        volume *= max(1.2, events / max(one, 1))


def write(home: Path, events: int, pilots: int) -> tuple[Path, Path, int]:
    """The file and the directory of its charters."""
    fleet, most = wanted(events, pilots)
    charters = home / "charters"
    charters.mkdir(parents=True, exist_ok=True)
    for pilot in fleet.pilots:
        (charters / f"{pilot}.yaml").write_bytes(msgspec.json.encode(fleet.charter_for(pilot)) + b"\n")
    path, written = home / "year.jsonl", 0
    with path.open("wb") as file:
        for line in islice(write_lines(iter(fleet)), most):
            file.write(line)
            written += 1
    return path, charters, written


def resident(pid: int) -> float:
    """The largest resident sets (megabytes) so far of a process and its children, added up."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    peak = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
    return peak / 1024 + sum(resident(int(child)) for child in children)


def timed(arguments: Sequence[str]) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak megabytes of one run of the command. Raises CalledProcessError."""
    began, peak = time.monotonic(), 0.0
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([sys.executable, "-m", "monitor", "replay", *arguments], stdout=out, stderr=out)
        while True:
            peak = max(peak, resident(process.pid))
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            time.sleep(0.05)
        if status:
            out.seek(0)
            raise subprocess.CalledProcessError(status, arguments, out.read()[-2000:])
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, peak


def goal(name: str, figure: float, bound: float) -> None:
    """One line, as the other benches print it."""
    print(f"GOAL {name} {figure:.4g} <={bound:g} {'ok' if figure <= bound else 'short'}", flush=True)


def early(home: Path) -> tuple[Path, Path]:
    """A pilot under the template, in periods of 5 s, whose events begin eight months after its cycle."""
    text = shipped("consumer_finance").charter_text
    text = (
        text.replace("<pilot-id>", "pilot-0001")
        .replace("period: 1d", "period: 5s")
        .replace("period: 1mo", "period: 5s")
    )
    text = text.replace("reporting_delay: 6h", "reporting_delay: 5s").replace("promise: 15d", "promise: 60s")
    charter = home / "early.yaml"
    charter.write_text(text, encoding="utf-8")
    load_charter(charter)
    fleet = Fleet(1, pilots=1, scenarios=["calm"], start=START + 240 * 86_400_000, hours=200, period="5s")
    events = home / "early.jsonl"
    events.write_bytes(b"".join(islice(write_lines(iter(fleet)), 1_840)))
    return charter, events


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--pilots", type=int, default=100)
    parser.add_argument("--keep", type=Path, help="write the file here, and use it again if it is there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        home = given.keep or Path(made)
        path, charters = home / "year.jsonl", home / "charters"
        if not path.exists():
            began = time.monotonic()
            path, charters, _ = write(home, given.events, given.pilots)
            print(f"written in {time.monotonic() - began:.0f} s: {path.stat().st_size / 1e6:.0f} MB", flush=True)
        wall, cpu, peak = timed([str(charters), str(path), "--no-progress"])
        print(
            f"year: {wall:.1f} s wall, {cpu:.1f} s processor, {given.events / cpu:,.0f} events/s of processor, "
            f"{peak:.0f} MB"
        )
        goal("replay-year-seconds", wall, SECONDS)
        goal("replay-year-processor-seconds", cpu, SECONDS)
        goal("replay-year-megabytes", peak, MEGABYTES)
        charter, events = early(home)
        wall, cpu, peak = timed([str(charter), str(events), "--no-progress"])
        print(f"early: {wall:.1f} s wall, {cpu:.1f} s processor, {peak:.0f} MB")
        goal("replay-early-seconds", wall, SECONDS)
        goal("replay-early-megabytes", peak, MEGABYTES)


if __name__ == "__main__":
    main()
