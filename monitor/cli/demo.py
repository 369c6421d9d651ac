"""`sandbox-monitor demo`: a simulated fleet on the embedded runtime, with the board."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import click
import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from monitor.cli.sandbox import write_files
from monitor.cli.terminal import echo
from monitor.clock import wall_ms
from monitor.embedded.ingress import BATCH
from monitor.embedded.monitor import Monitor
from monitor.embedded.run import run_until_stopped
from monitor.errors import Refused
from monitor.model.events import Envelope
from monitor.model.records import Command, Decision, Level, Outputs
from monitor.model.subjects import is_pilot
from monitor.projections.message import notification_line
from monitor.publication.log_key import new_log_key
from monitor.publication.publisher import PublicationSettings
from monitor.simulation.fleet import Fleet
from monitor.simulation.simulated_service import SimulatedService

PERIOD_MS = 2_000
ONSET = 3  # periods until the scenarios begin
STORIES = (
    "calm", "death", "busy", "step", "overdispersed", "group",
    "calm", "drift", "silent_model", "silence", "spike", "late",
)  # fmt: skip
TURN_S = 0.1  # how often due events are sent
ORIGIN = "demo.example/ledger"  # of the published logs
PUBLISH_EVERY_S = 5.0
_LONG = 1_000_000  # periods: practically endless


class Show:
    """What has happened so far; prints one line per rise to escalate or halt, and one progress line."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.sent = 0
        self.decisions = 0
        self.first_halt: float | None = None
        self.levels: dict[str, Level] = {}
        self.commands: list[Command] = []
        self.over = False
        self.say: Callable[[str], None] = click.echo  # how a line of standard output is printed

    @property
    def seconds(self) -> float:
        """Seconds since the command started."""
        return time.monotonic() - self.began

    def take(self, outputs: Outputs) -> None:
        """Add committed outputs; print what is new."""
        for decision in outputs.decisions:
            self.decisions += 1
            self._print(decision)
        self.commands += outputs.commands

    def _print(self, decision: Decision) -> None:
        if is_pilot(decision.pilot):
            self.levels[decision.pilot] = decision.level
        if decision.level <= decision.was or decision.level < Level.ESCALATE:
            return
        if decision.level is Level.HALT and self.first_halt is None:
            self.first_halt = self.seconds
        self.say(f"{self.seconds:6.1f} s  {decision.level.name:<8}  {notification_line(decision)}")

    def counts(self) -> str:
        """Pilots by level, as text."""
        at = Counter(self.levels.values())
        return " ".join(f"{level.word} {at[level]}" for level in Level)

    def line(self, stepped: int) -> str:
        """The progress line."""
        return f"{self.seconds:4.0f} s  {self.counts()}  events {stepped} of {self.sent}  decisions {self.decisions}"


@click.command()
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="keep the state in this (empty) directory; default: a temporary one",
)
@click.option(
    "--port", default=8321, show_default=True, type=click.IntRange(0, 65535), help="on 127.0.0.1; 0 = any free"
)
@click.option("--pilots", default=len(STORIES), show_default=True, type=click.IntRange(1, 500), help="number of pilots")
@click.option("--seed", default=1, show_default=True, help="the same seed gives the same fleet")
@click.option(
    "--speed", default=1.0, show_default=True, type=click.FloatRange(0.1, 10), help="2 = periods of 1 s instead of 2 s"
)
@click.option(
    "--for", "seconds", type=click.FloatRange(1), metavar="SECONDS", help="stop after this time; default: at Ctrl-C"
)
def demo(directory: Path | None, port: int, pilots: int, seed: int, speed: float, seconds: float | None) -> None:
    """Watch a simulated fleet: the board in a browser, each escalation and halt as a line on standard output.

    Only the firms are simulated: their events arrive over HTTP and are stored, evaluated, recorded in ledgers and
    shown. It runs in real time, with charters that have periods of two seconds instead of hours or months.

    Exit codes: 0 ended, 1 the port is taken or the directory is not empty, 2 usage error.
    """
    if directory is not None and directory.exists() and any(directory.iterdir()):
        raise Refused(f"{directory} is not empty; give an empty or new --dir")
    with _kept(directory) as where:
        asyncio.run(_show(where, port, pilots, seed, round(PERIOD_MS / speed), seconds))


@contextmanager
def _kept(directory: Path | None) -> Iterator[Path]:
    if directory is not None:
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="sandbox-monitor-demo-") as name:
        yield Path(name)


async def _show(directory: Path, port: int, pilots: int, seed: int, period: int, seconds: float | None) -> None:
    show = Show()
    start = wall_ms() + period  # the grid of periods begins at or before it, never far ahead of the clock
    fleet = Fleet(seed, pilots=pilots, scenarios=STORIES, start=start, hours=_LONG, period=f"{period}ms", onset=ONSET)
    charters = [fleet.charter_for(pilot) for pilot in fleet.pilots]
    people = directory / "people"
    sandbox = write_files(people, "demo", charters[0].authorities[0].id)
    published = PublicationSettings(directory=directory / "published", key=new_log_key(people / "log.key", ORIGIN))
    monitor = Monitor(
        directory,
        port=port,
        charters=charters,
        sandbox=sandbox,
        watchers=[show.take],
        publishing=(published, PUBLISH_EVERY_S),
    )

    def started() -> None:
        echo(f"board {monitor.address}")
        echo(
            f"The sandbox is founded: acts are signed, with the keys in {people} (try: sandbox-monitor override PILOT "
            f"watch --reason test --author officer --key {people / 'officer.key'} --to {monitor.address.rstrip('/')}).",
            err=True,
        )
        echo(
            f"{pilots} simulated pilots in real time. Their charters have periods of {period / 1000:g} s instead of "
            f"hours or "
            "months; nothing else is faster than in reality. Ctrl-C ends it.",
            err=True,
        )

    async def work() -> None:
        sending = asyncio.create_task(_send(fleet, monitor, show))
        printing = asyncio.create_task(_progress(monitor, show))
        try:
            done, _ = await asyncio.wait({sending, printing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            show.over = True  # the sender stops between two requests, so that sent and counted events agree
            await asyncio.wait({sending}, timeout=2)
            for task in (sending, printing):
                task.cancel()
            await asyncio.gather(sending, printing, return_exceptions=True)
            for _ in range(200):
                if monitor.events >= show.sent:
                    break
                await asyncio.sleep(0.01)

    await run_until_stopped(monitor, started, work, ends_with_work=True)
    _sum_up(monitor, show)


async def _send(fleet: Fleet, monitor: Monitor, show: Show) -> None:
    """Act as the firms: send due events, obey halts."""
    obedience = SimulatedService()
    async with aiohttp.ClientSession(headers={"Content-Type": BATCH}) as session:
        due: list[Envelope] = []
        for received, event in fleet:
            while received > wall_ms() or len(due) >= 1_000:
                due += _obeyed(obedience, show)
                await _post(session, monitor, due, show)
                due.clear()
                if show.over:
                    return
                await asyncio.sleep(TURN_S)
            sent = obedience.passes(event)
            if sent is not None:
                due.append(sent)


def _obeyed(obedience: SimulatedService, show: Show) -> list[Envelope]:
    """Acknowledgements of the commands that arrived meanwhile."""
    commands, show.commands = show.commands, []
    answers = [obedience.command(command, wall_ms()) for command in commands]
    return [answer for answer in answers if answer is not None]


async def _post(session: aiohttp.ClientSession, monitor: Monitor, events: list[Envelope], show: Show) -> None:
    for first in range(0, len(events), 100):
        batch = events[first : first + 100]
        body = msgspec.json.encode(batch)
        while True:
            async with session.post(f"{monitor.address}v1/telemetry", data=body) as answer:
                if answer.status != 429:
                    answer.raise_for_status()
                    break
            await asyncio.sleep(int(answer.headers["Retry-After"]))
        show.sent += len(batch)


async def _progress(monitor: Monitor, show: Show) -> None:
    """One live line on a terminal, a line every five seconds elsewhere; both on stderr."""
    console = Console(stderr=True)
    if not console.is_terminal:
        while True:
            await asyncio.sleep(5)
            echo(show.line(monitor.events), err=True)
    with Live(console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as live:
        if sys.stdout.isatty():  # both streams on one screen: print above the live line
            show.say = lambda line: console.print(Text(line), soft_wrap=True)
        try:
            while True:
                live.update(Text(show.line(monitor.events), no_wrap=True, overflow="ellipsis"))
                await asyncio.sleep(0.5)
        finally:
            show.say = click.echo


def _sum_up(monitor: Monitor, show: Show) -> None:
    ledgers = monitor.notary.heads
    echo(f"events {show.sent} sent, {monitor.events} stepped; decisions {show.decisions}; pilots {show.counts()}")
    echo(f"ledgers {len(ledgers)} with {sum(head.size for head in ledgers.values())} entries")
    halt = "-" if show.first_halt is None else f"{show.first_halt:.1f} s after the command"
    echo(f"first halt {halt}")
