"""`sandbox-monitor replay`: run charters over recorded telemetry and draw what would have been decided."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from monitor.budget import alpha_use
from monitor.charter import Charter
from monitor.charter_file import load_charter
from monitor.console.alpha import alpha_words
from monitor.console.report import collect, move, report, told
from monitor.console.scales import stamp
from monitor.lenient import refuse_utf16
from monitor.model import Decision, Outputs, Rejected
from monitor.replay import Line, read_lines
from monitor.replay import replay as run
from monitor.telemetry import millis

_PATH = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("charters", nargs=-1, required=True, type=_PATH)
@click.argument("events", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the HTML report with a picture for each pilot.",
)
@click.option("--json", "as_json", is_flag=True, help='JSON lines: {"decision": ...} and {"rejected": ..., "line": n}.')
@click.option("--until", metavar="DATE", help="Let time run on to this day (UTC, its last moment).")
@click.option("--no-progress", is_flag=True, help="No progress bar on stderr.")
def replay(
    charters: Sequence[Path], events: Path, out: Path | None, as_json: bool, until: str | None, no_progress: bool
) -> None:
    """Run CHARTERS (YAML files or directories of them) over EVENTS and print what would have been decided, and when.

    EVENTS holds JSON lines: a CloudEvent, or an array of CloudEvents, on each line, in the order in which they were received. An
    event counts as received at its `recordedtime`, else at its `time`, unless that lies in the future. A line that cannot be used is listed as rejected, with
    its number, and stops nothing.

    \b
    Exit codes:
      0  replayed (whatever was decided)
      1  a charter cannot run
      2  called wrongly
    """
    plans = _load(charters)
    end = _last_moment(until) if until else None
    with events.open("rb") as file:
        refuse_utf16(str(events), file.read(2))
        file.seek(0)
        latest = max(int(time.time() * 1000), end or 0)
        log = _watched(file, latest, events.stat().st_size, quiet=no_progress or not sys.stderr.isatty())
        stories, rejected = collect(plans, _printing(run(plans, log, until=end), plans, as_json))
    for story in stories.values():
        if not story.decisions:
            click.echo(f"{story.title}: never admitted, its cycle starts after the last event", err=True)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        lead = f"{events.name} replayed under {len(plans)} charter{'s' if len(plans) != 1 else ''}."
        out.write_text(report(f"Replay of {events.name}", list(stories.values()), rejected, lead), encoding="utf-8")
        click.echo(f"report: {out}", err=True)
    if not as_json:
        for story in stories.values():
            uses = alpha_use(story.charter, story.runs, story.evidence)
            click.echo(f"{story.title}: {alpha_words(uses, story.charter.alpha)}")


def _load(paths: Iterable[Path]) -> list[Charter]:
    files: list[Path] = []
    for path in paths:
        found = sorted([*path.glob("*.yaml"), *path.glob("*.yml")]) if path.is_dir() else [path]
        if not found:
            raise click.UsageError(f"{path} holds no .yaml file")
        files += found
    plans = [load_charter(path) for path in files]
    seen: dict[str, Path] = {}
    for plan, path in zip(plans, files, strict=True):
        if plan.pilot in seen:
            raise click.UsageError(
                f"{path} and {seen[plan.pilot]} are both charters of pilot {plan.pilot}; name one of them"
            )
        seen[plan.pilot] = path
    return plans


def _last_moment(until: str) -> int:
    try:
        return millis(datetime.strptime(until, "%Y-%m-%d").replace(tzinfo=UTC)) + 86_399_999
    except ValueError:
        raise click.BadParameter(f"{until!r} is not a day; write YYYY-MM-DD", param_hint="--until") from None


def _watched(file: BinaryIO, latest: int, size: int, quiet: bool) -> Iterator[Line]:
    """The lines of the file, with a progress bar over its bytes."""
    with Progress(console=Console(stderr=True), disable=quiet, transient=True) as progress:
        task = progress.add_task("replay", total=size)
        for number, line in enumerate(read_lines(file, latest)):
            yield line
            if number % 256 == 0:
                progress.update(task, completed=file.tell())


def _printing(outputs: Iterable[Outputs], plans: Sequence[Charter], as_json: bool) -> Iterator[Outputs]:
    """Print decisions and rejections as they come, and pass everything on."""
    by_pilot = {plan.pilot: plan for plan in plans}
    for out in outputs:
        for rejected in out.rejected:
            click.echo(_json_rejected(rejected) if as_json else _rejected_words(rejected))
        for decision in out.decisions:
            click.echo(_json_decision(decision) if as_json else _words(decision, by_pilot[decision.pilot]))
        yield out


def _json_decision(decision: Decision) -> bytes:
    return msgspec.json.encode({"decision": decision})


def _json_rejected(rejected: Rejected) -> bytes:
    return msgspec.json.encode({"rejected": rejected, "line": rejected.offset + 1})


def _words(decision: Decision, charter: Charter) -> str:
    return f"{stamp(decision.at)}  {decision.pilot}  {move(decision)}  {told(decision, charter)}"


def _rejected_words(r: Rejected) -> str:
    return f"line {r.offset + 1} rejected: {r.field or 'record'}: {r.reason}" + (f" ({r.detail})" if r.detail else "")
