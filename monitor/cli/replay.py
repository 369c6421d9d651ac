"""`sandbox-monitor replay`: replays recorded input, prints the decisions, compares them with a record, draws them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, TextColumn

from monitor.charter.spec import Charter
from monitor.cli.replay_output import Printer
from monitor.cli.replay_shards import MOST, Divided, ShardOfFile, processes_for
from monitor.cli.terminal import echo
from monitor.clock import wall_ms
from monitor.compile.load import load_charter
from monitor.console.collector import Collector
from monitor.console.report import report
from monitor.engine.history import Header, PartSums, begins_history, decode
from monitor.engine.history_replay import HistoryReplay
from monitor.engine.replay import CharterReplay, read_lines
from monitor.errors import NotDeterministic
from monitor.model.events import millis
from monitor.model.lenient import refuse_utf16, without_bom
from monitor.model.records import Evidence, Outputs, digest
from monitor.notary.compare import Comparison, recorded_at
from monitor.notary.format import Damage
from monitor.projections.alpha_budget import AlphaRuns
from monitor.projections.formats import stamp

_PATH = click.Path(exists=True, path_type=Path)
WHOLE = "the order of telemetry, acts and time, and the monitor's outages, are those of the journal"


@click.command()
@click.argument("charters", nargs=-1, type=_PATH)
@click.argument("events", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option(
    "--against",
    type=_PATH,
    help="Compare with this record: a directory of ledgers, a .ledger file, or JSON lines of decisions.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the HTML report with a picture for each pilot.",
)
@click.option(
    "--evidence",
    "evidence_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write each closed period as a line of JSON, for `recompute.py` of a report.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines; see the format above.")
@click.option("--until", metavar="DATE", help="Events alone: let time run on to this day (UTC, its last moment).")
@click.option(
    "--admit-at",
    default="cycle",
    show_default=True,
    metavar="cycle|first|DATE",
    help="Events alone: admit at cycle.start, at a pilot's first event, or at the beginning of this day (UTC).",
)
@click.option(
    "--service/--no-service",
    default=None,
    help="Events alone: whether halts are obeyed is judged, although acts and commands are not in the file.",
)
@click.option("--twice", is_flag=True, help="Replay twice, with different batches, and compare the two results.")
@click.option(
    "--processes",
    type=click.IntRange(1, MOST),
    help="Events alone: divide the pilots over this many processes, with the same output; with --out always 1 "
    "[default: 2 for a large file, else 1].",
)
@click.option("--no-progress", is_flag=True, help="No progress on stderr.")
def replay(
    charters: Sequence[Path],
    events: Path,
    against: Path | None,
    out: Path | None,
    evidence_path: Path | None,
    as_json: bool,
    until: str | None,
    admit_at: str,
    service: bool | None,
    twice: bool,
    processes: int | None,
    no_progress: bool,
) -> None:
    """Replay FILE and print the decisions with their times. FILE is one of two kinds:

    A history (`sandbox-monitor export`): telemetry, acts and journal of a monitor, with the charters. The replay gives
    the same decisions, with the same ids and numbers; --against compares them with a ledger, field by field.

    Events alone (JSON lines: a CloudEvent, or an array of them, per line, in order of reception): CHARTERS (YAML files
    or directories) are applied to them. An event counts as received at its `recordedtime`, else at its `time`, unless
    that is in the future. Facts that such a file does not contain are assumed, and printed on stderr and in the report:
    when pilots were admitted, that there was no outage, that each event was sent by the firm, and that there was no
    service: commands and releases are not in the file, so whether halts were obeyed cannot be judged. An invalid line
    is listed as rejected, with its number; the replay continues.

    --json writes one object per line: {"replay": ...} first (file, kind, assumptions), {"decision": ...}, {"rejected":
    ..., "line": n}, with --against {"compared": ...} for each decision and command, and {"summary": ...} last.

    \b
    Examples:
      sandbox-monitor replay pilot-0001.history --against var/monitor/ledger
      sandbox-monitor replay charter.yaml events.jsonl --out replay.html

    \b
    Exit codes:
      0  replayed (whatever was decided); with --against: and the record agrees
      1  a charter or the file is invalid; with --against: the record differs, or is damaged
      2  usage error
      4  with --twice: the same input gave two results (NotDeterministic)
    """
    with events.open("rb") as file:
        first = file.readline(1 << 16)
    refuse_utf16(str(events), first)
    history = begins_history(without_bom(first))
    if history and (charters or until or admit_at != "cycle" or service is not None or processes is not None):
        raise click.UsageError(
            f"{events} is a history, which contains charters, admissions and time: leave out CHARTERS, --until, "
            f"--admit-at, "
            "--service and --processes; to try another charter, use `export --telemetry`"
        )
    # A report needs the evidence of every pilot, which stays in the process that computed it.
    count = processes if out is None and evidence_path is None else 1
    run = _history(events) if history else _events(events, _load(charters), until, admit_at, service, count)
    try:
        comparison = None if against is None else Comparison(recorded_at(against, run.pilots))
        printer = Printer(run, as_json=as_json, comparison=comparison)
        printer.begin()
        collector = Collector(run.charters) if out is not None else None
        with contextlib.ExitStack() as files:
            evidence = None if evidence_path is None else files.enter_context(evidence_path.open("wb"))
            for step in watched(run, quiet=no_progress or not sys.stderr.isatty()):
                printer.take(step)
                if collector is not None:
                    collector.take(step)
                if evidence is not None:
                    periods = (record for record in step.evidence if isinstance(record, Evidence))
                    evidence.writelines(msgspec.json.encode(record) + b"\n" for record in periods)
        printer.end()
    except Damage as damage:
        raise click.ClickException(f"the record is damaged: {damage}") from damage
    if twice:
        _compare_results(printer.digests, run.again())
    if collector is not None and out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        stories = collector.stories()
        lead = f"{events.name} replayed. " + " ".join(f"{line[0].upper()}{line[1:]}." for line in run.assumptions)
        out.write_text(report(f"Replay of {events.name}", stories, collector.rejected, lead), encoding="utf-8")
        echo(f"report: {out}", err=True)
    if comparison is not None and not comparison.same:
        sys.exit(1)


class Run:
    """One replay of a file. `kind`: `history` or `events`; `program`: what exported it ("" = not known); `pilots`:
    those in the file (empty: all); `charters`: those in force by pilot (filled while it runs); `assumptions`: sentences
    for people. Pilots stepped in other processes emit no evidence here: at the end `runs` has their use of alpha,
    `periods` their number of periods."""

    kind: Literal["history", "events"]
    program = ""
    pilots: frozenset[str] = frozenset()
    assumptions: tuple[str, ...] = ()
    charters: dict[str, Charter]

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0  # bytes read

    @property
    def runs(self) -> dict[str, AlphaRuns]:
        """Alpha used by the pilots of other processes; complete after the last step."""
        return {}

    @property
    def periods(self) -> int:
        """Periods closed in other processes."""
        return 0

    @property
    def received(self) -> int:
        """The time reached so far (ms)."""
        raise NotImplementedError

    @property
    def events(self) -> int:
        """Valid events stepped."""
        raise NotImplementedError

    def steps(self) -> Iterator[Outputs]:
        """The outputs of each step."""
        raise NotImplementedError

    def again(self) -> Iterable[Outputs]:
        """The outputs of a second replay, record by record on the slow path."""
        raise NotImplementedError

    def _lines(self, file: Iterable[bytes]) -> Iterator[bytes]:
        for raw in file:
            self.position += len(raw)
            yield raw


class OfHistory(Run):
    """A replay of a history. `header` is that of its first part; `sums.changed` says, once every line was read, what of
    the file is not as it was exported."""

    kind = "history"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with path.open("rb") as file:
            header = next(decode([file.readline(), b'{"record":"end","next":{},"records":0,"received":0}']))
        assert isinstance(header, Header)  # `begins_history`
        self.header, self.sums = header, PartSums()
        self.pilots, self.program = frozenset(header.pilots), header.program or ""
        self._replay = HistoryReplay()
        self.charters = self._replay.charters
        self.assumptions = (WHOLE,)

    @property
    def received(self) -> int:
        return self._replay.received

    @property
    def events(self) -> int:
        return self._replay.events

    def program_at(self, at: int) -> str:
        """The program that recorded what was decided at `at` (ms), as far as the replay has come; else what exported
        it."""
        before = [program for since, program in self._replay.programs if since <= at]
        return (before[-1] if before else "") or self.program

    def steps(self) -> Iterator[Outputs]:
        with self.path.open("rb") as file:
            yield from self._replay.steps(decode(self._lines(file), self.sums))

    def again(self) -> Iterator[Outputs]:
        with self.path.open("rb") as file:
            yield from HistoryReplay(batch=1, fast_path=False).steps(decode(file))


class _OfEvents(Run):
    kind = "events"

    def __init__(
        self,
        path: Path,
        plans: Sequence[Charter],
        until: int | None,
        admit: Literal["cycle", "first"] | int,
        service: bool,
        assumptions: tuple[str, ...],
        processes: int,
    ) -> None:
        super().__init__(path)
        self._plans, self._until, self._admit, self._service = plans, until, admit, service
        self.charters = {plan.pilot: plan for plan in plans}
        self.assumptions = assumptions
        self._latest = max(wall_ms(), until or 0)
        work = ShardOfFile(path, plans, until, admit, service, self._latest)
        self._divided = Divided(work, processes, self._lines)

    @property
    def received(self) -> int:
        return self._divided.own.received

    @property
    def events(self) -> int:
        return self._divided.own.events + sum(other.events for other in self._divided.others)

    @property
    def periods(self) -> int:
        return sum(other.periods for other in self._divided.others)

    @property
    def runs(self) -> dict[str, AlphaRuns]:
        return {name: runs for other in self._divided.others for name, runs in other.runs.items()}

    def steps(self) -> Iterator[Outputs]:
        yield from self._divided.steps()

    def again(self) -> Iterator[Outputs]:
        other = CharterReplay(self._plans, admit=self._admit, service=self._service, batch=1)
        with self.path.open("rb") as file:
            yield from other.steps(read_lines(file, self._latest), self._until)


def _history(path: Path) -> Run:
    return OfHistory(path)


def _events(
    path: Path, plans: Sequence[Charter], until: str | None, admit_at: str, service: bool | None, processes: int | None
) -> Run:
    if not plans:
        raise click.UsageError(f"{path} holds events alone: name their charters, as CHARTERS... FILE")
    served = bool(service)
    admit: Literal["cycle", "first"] | int
    if admit_at == "first":
        admit, when = "first", "at the first event that names it"
    elif admit_at == "cycle":
        admit, when = "cycle", "at its cycle.start"
    else:
        admit = _day(admit_at, "--admit-at")
        when = f"at {stamp(admit)}"
    assumptions = (
        f"each pilot is admitted {when}; no other act is in the file",
        "the monitor had no outage, and lines are in the order of reception",
        "each event was sent by the firm: signatures are not in the file",
        "halts are judged by acknowledgements of the commands of this replay, and by heartbeats"
        if served
        else "no service is judged: no command or release is in the file, so whether halts were obeyed is not known",
    )
    end = None if until is None else _day(until, "--until") + 86_399_999
    count = processes_for(path.stat().st_size, len(plans)) if processes is None else min(processes, len(plans))
    return _OfEvents(path, plans, end, admit, served, assumptions, count)


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
                f"{path} and {seen[plan.pilot]} are both charters of pilot {plan.pilot}; give one of them"
            )
        seen[plan.pilot] = path
    return plans


def _day(text: str, option: str) -> int:
    try:
        return millis(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a day; write YYYY-MM-DD", param_hint=option) from None


def watched(run: Run, quiet: bool) -> Iterator[Outputs]:
    """The steps of a run, with a progress bar over the bytes of its file."""
    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[reached]}"))
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
        task = progress.add_task("replay", total=run.path.stat().st_size, reached="")
        periods = 0
        for step in run.steps():
            periods += len(step.evidence)
            reached = f"{stamp(run.received)[:10]}  {run.events:,} events  {periods + run.periods:,} periods"
            progress.update(task, completed=run.position, reached=reached)
            yield step


def _compare_results(first: dict[str, str], again: Iterable[Outputs]) -> None:
    """Raise NotDeterministic unless the decisions of each pilot are the same in both replays."""
    second: dict[str, str] = {}
    for step in again:
        for decision in step.decisions:
            second[decision.pilot] = digest(second.get(decision.pilot, ""), decision.id, repr(decision))
    for pilot in sorted(first.keys() | second.keys()):
        if first.get(pilot) != second.get(pilot):
            raise NotDeterministic(
                f"the decisions of {pilot} differ between two replays of the same input; report this"
            )
    echo("replayed twice with the same result", err=True)
