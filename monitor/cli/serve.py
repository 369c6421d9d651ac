"""`sandbox-monitor serve`: the embedded runtime, in one process and without a broker."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import Progress

from monitor.act.base import AnyActor
from monitor.act.json_lines import JsonLines
from monitor.charter.spec import Charter
from monitor.cli.addresses import HTTP_URLS, host_names
from monitor.cli.board_access import access_options
from monitor.cli.charter import placeholders
from monitor.cli.keys import checked
from monitor.cli.publishing import publishing_options
from monitor.cli.pushing import alert_links, board_url, grafana_url, pushing, runbook_url
from monitor.cli.terminal import echo
from monitor.compile.load import load_charter
from monitor.compile.sandbox_file import read_sandbox
from monitor.console.access.gate import BoardAccess
from monitor.embedded.monitor import HOST, Monitor
from monitor.embedded.run import run_until_stopped
from monitor.embedded.users_door import UsersDoorSettings
from monitor.files.key_file import read_key
from monitor.publication.publisher import PublicationSettings


@click.command()
@click.option(
    "--dir", "directory", required=True, type=click.Path(file_okay=False, path_type=Path), help="directory of all state"
)
@click.option(
    "--port", default=8321, show_default=True, type=click.IntRange(0, 65535), help="on 127.0.0.1; 0 = any free"
)
@click.option(
    "--charter",
    "charters",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="admit this pilot, or amend its charter; repeatable",
)
@click.option(
    "--alertmanager",
    metavar="URL[,URL]",
    type=HTTP_URLS,
    help="push halts, escalations and grave findings to it while they are active; both addresses of a pair",
)
@runbook_url
@board_url
@grafana_url
@click.option(
    "--decisions",
    type=click.Path(dir_okay=False, path_type=Path),
    help="append decisions to this file, one JSON line each",
)
@click.option(
    "--read",
    "source",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="also read telemetry from a file of JSON lines; - is standard input",
)
@click.option(
    "--admit-key",
    "admitters",
    multiple=True,
    help="public key (ed25519:...) that may admit pilots over HTTP; repeatable [default: anyone]",
)
@click.option(
    "--sandbox",
    "configuration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="found the sandbox with this configuration (`sandbox init --files-only`), after the charters are admitted",
)
@click.option(
    "--checkpoint", default=5.0, show_default=True, type=click.FloatRange(0.01), help="seconds between checkpoints"
)
@click.option(
    "--users-port", type=click.IntRange(0, 65535), help="door of the users: forms for complaints, on a separate port"
)
@click.option(
    "--users-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="key of the users' channel, whose public key the configuration of the sandbox has; needed with --users-port",
)
@click.option("--users-author", default="public", show_default=True, help="name of the channel in that configuration")
@click.option("--users-host", default=HOST, show_default=True, help="address on which the door of the users listens")
@publishing_options
@access_options
@host_names
def serve(
    directory: Path,
    port: int,
    charters: tuple[Path, ...],
    alertmanager: str | None,
    runbook: str,
    board: str,
    grafana: str,
    decisions: Path | None,
    source: str | None,
    admitters: tuple[str, ...],
    configuration: Path | None,
    checkpoint: float,
    users_port: int | None,
    users_key: Path | None,
    users_author: str,
    users_host: str,
    host_names: tuple[str, ...],
    publishing: tuple[PublicationSettings, float] | None,
    access: BoardAccess | None,
) -> None:
    """Run the monitor in this process: SQLite in --dir, telemetry and control over HTTP, board, metrics.

    The URL of the board is the first line on standard output. SIGTERM and Ctrl-C stop it cleanly. Charters are admitted
    at the start; the same ones again have no effect, one with a higher version amends.

    With --users-port users complain on a form of the authority, which the firm does not reach: read
    `monitor/embedded/README.md` before you open it to a network.

    Exit codes: 0 stopped by a signal, 1 wrong input, --dir or port used by another process, or a part of --dir damaged
    or older than the rest (the message names the fix), 2 usage error.
    """
    if (users_port is None) != (users_key is None):
        raise click.UsageError("--users-port and --users-key belong together")
    door = None
    if users_port is not None and users_key is not None:
        door = UsersDoorSettings(
            signer=read_key(users_key), author=users_author, host=users_host, port=users_port, host_names=host_names
        )
    actors: dict[str, AnyActor] = {}
    if alertmanager:
        board = board or (f"http://{HOST}:{port}/" if port else "")
        actors |= pushing(alertmanager, alert_links(runbook, board, grafana), lambda: monitor.metrics)
    if decisions:
        actors["json_lines"] = JsonLines(str(decisions))
    monitor = Monitor(
        directory,
        port=port,
        charters=[_filled_in(path) for path in charters],
        actors=actors,
        admitters=checked(admitters, "--admit-key"),
        sandbox=None if configuration is None else read_sandbox(configuration),
        checkpoint_every_ms=round(checkpoint * 1000),
        host_names=host_names,
        publishing=publishing,
        access=access,
        users=door,
    )

    def started() -> None:
        echo(f"board {monitor.address}")
        if monitor.users is not None:
            echo(f"users http://{users_host}:{monitor.users.port}/", err=True)
        if monitor.open_mode:
            echo(
                "open mode: anyone who reaches this port may admit pilots; found a sandbox (`sandbox-monitor sandbox "
                "init`), or restrict it with --admit-key",
                err=True,
            )
        echo(f"epoch {monitor.runner.epoch}, pilots {len(monitor.runner.machine.pilots)}; Ctrl-C ends it", err=True)

    async def reading() -> None:
        assert source is not None
        lines = await _read(monitor, source)
        echo(f"read {lines} lines of {source}", err=True)

    asyncio.run(run_until_stopped(monitor, started, reading if source else None))


def _filled_in(path: Path) -> Charter:
    made = load_charter(path)
    if left := placeholders(made):
        raise click.ClickException(f"{path}: fill in the placeholders of the template: {', '.join(left)}")
    return made


async def _read(monitor: Monitor, source: str) -> int:
    """Read the lines, with a progress bar on a terminal."""
    where: Path | BinaryIO = sys.stdin.buffer if source == "-" else Path(source)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        total = where.stat().st_size if isinstance(where, Path) and where.exists() else None
        task = bar.add_task("read", total=total)
        return await monitor.read_lines(where, lambda lines, size: bar.advance(task, size))
