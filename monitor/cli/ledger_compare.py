"""`sandbox-monitor ledger compare`: a ledger against a replay of the history, decision by decision, with a verdict."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from monitor.cli.replay import OfHistory, watched
from monitor.cli.terminal import echo
from monitor.engine.history import begins_history
from monitor.errors import HistoryBroken, Refused, ReplayDiffers
from monitor.files.program import program_id
from monitor.model.lenient import refuse_utf16, without_bom
from monitor.model.records import Command, Decision, Evidence
from monitor.notary.appeal import SENTENCES, Appeal, Cause, Judged, Outcome, Verdict
from monitor.notary.compare import Difference, Recorded, ReplayFile, is_lines, recorded_at, why_not_compared
from monitor.notary.format import Damage
from monitor.notary.observed import ObservationComparison
from monitor.projections.formats import stamp
from monitor.verifier.copies import NotComparable, Relation, compare_copies, is_copy, read_copy
from monitor.verifier.stores import is_url

WORDS = {
    Verdict.SAME: "same",
    Verdict.DIFFERENT: "DIFFERENT",
    Verdict.MISSING: "MISSING in the ledger",
    Verdict.EXTRA: "EXTRA in the ledger",
    Verdict.AFTER_HISTORY: "after the history",
    Verdict.AFTER_LEDGER: "after the ledger",
}
WIDTH = max(map(len, WORDS.values())) + 2
NOT_SHOWN = (
    "that the telemetry in the history is what the service sent: compare it with the firm's own records",
    "which side is right where they differ: both get the values, with the entry to ask about",
)


class _PathOrUrl(click.Path):
    """A path that exists, or the URL of a published log, which `is_copy` recognizes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if is_url(str(value)) else super().convert(value, param, ctx)


REPLAY = _PathOrUrl(exists=True, path_type=Path)
REPLAY.name = "file"  # as it is called in help; a published log is a directory


@click.command()
@click.argument("ledger", type=REPLAY)
@click.argument("replay", type=REPLAY)
@click.option("--json", "as_json", is_flag=True, help="JSON lines: one object per decision, then a summary")
@click.option("--no-progress", is_flag=True, help="no progress on stderr")
def compare(ledger: Path, replay: Path, as_json: bool, no_progress: bool) -> None:
    """Compare LEDGER with REPLAY, decision by decision, and give a verdict.

    LEDGER is a .ledger file, a directory of them, or JSON lines of decisions. REPLAY is a history (`export`), which is
    replayed here, or what `replay --json` printed. Where both are copies of one log (a .ledger file, the directory of a
    published log, a checkpoint), their entries are compared instead: the same, one extends the other, or a fork, with
    the first entry that differs.

    Each decision and command is `same`, `different` (each field with both values), `missing` or `extra` in the ledger,
    or lies after the end of the history or of the ledger, and is not compared. Named first is what explains a
    difference or makes it meaningless: another program or charter version, a history that is incomplete or was changed
    after its export, the ledger of another pilot.

    Not compared: the epoch, and texts that the ledger only commits to where they are not stored next to it.

    \b
    Example:
      sandbox-monitor export --dir var/monitor --pilot pilot-0001 > pilot-0001.history
      sandbox-monitor ledger compare var/monitor/ledger pilot-0001.history

    \b
    Exit codes:
      0  every decision is the same; of copies: the same, or one extends the other
      1  replay differs from the record, or the ledger is damaged; of copies: a fork
      2  no verdict: they cannot be compared, and the summary says why; or a usage error
    """
    for given in (ledger, replay):
        if not is_url(str(given)) and not given.is_file() and not given.is_dir():
            raise click.UsageError(f"{given} is not a regular file; save it to one")
    if is_copy(str(ledger)) and is_copy(str(replay)):
        sys.exit(_copies(str(ledger), str(replay), as_json))
    for one in map(str, (ledger, replay)):
        if is_url(one):
            raise click.UsageError(f"{one} is a published log; compare it with a .ledger file or another copy of it")
        if one.endswith(".zip"):
            raise click.UsageError(f"{one} is a bundle, no whole log; check it with `ledger verify`")
    if replay.is_dir():
        raise click.UsageError(f"{replay} is a directory; give a history, or what `replay --json` printed")
    shown = _Shown(as_json)
    try:
        source = _opened(replay, quiet=no_progress or not sys.stderr.isatty())
    except (HistoryBroken, Refused, OSError) as error:  # exit code 1 would say that the replay differs
        echo(str(error), err=True)
        sys.exit(2)
    appeal = _judged(ledger, source, shown.judged)
    shown.summary(appeal, source)
    if appeal.outcome is Outcome.NO_VERDICT:
        sys.exit(2)
    if appeal.outcome is Outcome.DIFFERS:
        first = appeal.named[0]
        raise ReplayDiffers(f"{first.cause}, {first.words}")


def _copies(first: str, second: str, as_json: bool) -> int:
    try:
        found = compare_copies(read_copy(first), read_copy(second))
    except NotComparable as error:
        echo(str(error), err=True)
        return 2
    if as_json:
        fields = {"relation": found.relation.value, "first_difference": found.first, "says": found.sentence}
        echo(msgspec.json.encode({"copies": fields}))
    else:
        echo(f"{found.relation.value}: {found.sentence}")
    return {Relation.FORK: 1, Relation.UNKNOWN: 2}.get(found.relation, 0)


def judged_appeal(ledger: Path, replay: Path) -> Appeal:
    """The verdict on these files, without printing anything."""
    return _judged(ledger, _opened(replay, quiet=True), lambda judged: None)


def _judged(ledger: Path, source: _Source, each: Callable[[Judged], object]) -> Appeal:
    damage: list[str] = []
    appeal = Appeal(
        _sound(recorded_at(ledger, source.pilots), damage), commands=source.commands and not is_lines(ledger)
    )
    if damage:
        appeal.name(Cause.LEDGER_DAMAGED, damage[0])
    observed = None if is_lines(ledger) or not source.commands else ObservationComparison(ledger, source.pilots)
    try:
        for record in source.records():
            if isinstance(record, Evidence):
                if observed is not None and (one := observed.take(record)) is not None:
                    appeal.observed(one)
            elif (judged := appeal.take(record)) is not None:
                each(judged)
    except HistoryBroken as error:
        appeal.name(Cause.HISTORY_INCOMPLETE, str(error))
    except Damage as found:
        appeal.name(Cause.LEDGER_DAMAGED, str(found))
    else:
        for one in observed.rest() if observed is not None else ():
            appeal.observed(one)
        for judged in appeal.rest(source.pilots, source.until):
            each(judged)
    if observed is not None and observed.present:
        appeal.same_observations = observed.same
    source.name(appeal)
    return appeal


def _sound(recorded: Iterator[Recorded], damage: list[str]) -> Iterator[Recorded]:
    """The records before the first damage, which is put in `damage`."""
    try:
        yield from recorded
    except Damage as found:
        damage.append(str(found))


class _Source:
    """What is compared with the ledger: `records`, then `until` (ms). `pilots` are those that it says it is of."""

    pilots: frozenset[str] = frozenset()
    until = 0
    program = ""
    commands = True

    def records(self) -> Iterator[Decision | Command | Evidence]:
        """The replayed decisions, commands and observations, in order. Raises HistoryBroken."""
        raise NotImplementedError

    def name(self, appeal: Appeal) -> None:
        """Name what is known of the input after it was read."""
        mine = program_id()
        theirs = self.program if appeal.earliest is None else self.program_at(appeal.earliest)
        if theirs and theirs != mine:
            since = "" if appeal.earliest is None else f" at {stamp(appeal.earliest)}, where the differences begin"
            appeal.name(Cause.PROGRAM_VERSION, f"the history is of {theirs}{since}; this is {mine}")

    def program_at(self, at: int) -> str:
        """The program that decided at `at` (ms); "" if it is not known."""
        return self.program


class _History(_Source):
    def __init__(self, path: Path, quiet: bool) -> None:
        self._run, self._quiet = OfHistory(path), quiet
        self.pilots, self.program = self._run.pilots, self._run.program

    def records(self) -> Iterator[Decision | Command | Evidence]:
        for step in watched(self._run, quiet=self._quiet):
            yield from step.decisions
            yield from step.commands
            yield from (one for one in step.evidence if isinstance(one, Evidence))
        self.until = self._run.received

    def program_at(self, at: int) -> str:
        return self._run.program_at(at)

    def name(self, appeal: Appeal) -> None:
        super().name(appeal)
        if self._run.sums.changed:
            appeal.name(Cause.HISTORY_CHANGED, "; ".join(self._run.sums.changed))


class _Printed(_Source):
    """What `replay --json` printed: decisions, no commands."""

    commands = False

    def __init__(self, path: Path) -> None:
        self._file = ReplayFile(path)
        self.pilots, self.program = self._file.pilots, self._file.program

    def records(self) -> Iterator[Decision | Command | Evidence]:
        yield from self._file.decisions()
        self.until = self._file.until

    def name(self, appeal: Appeal) -> None:
        super().name(appeal)
        if self._file.kind == "events":
            appeal.name(Cause.EVENTS_ALONE, "the replay assumed when pilots were admitted, and knows no act")


def _opened(path: Path, quiet: bool) -> _Source:
    with path.open("rb") as file:
        first = file.readline(1 << 16)
    refuse_utf16(str(path), first)
    return _History(path, quiet) if begins_history(without_bom(first)) else _Printed(path)


class _Shown:
    """Prints: decisions on stdout, the summary on stderr, or everything as JSON lines on stdout."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json

    def judged(self, judged: Judged) -> None:
        """Print one decision or command."""
        if self._json:
            echo(msgspec.json.encode({"judged": judged}))
            return
        name = judged.recorded or judged.replayed
        what = f"{judged.pilot}  {judged.kind} {judged.standing}  {judged.reason}  {name}"
        echo(f"{WORDS[judged.verdict]:<{WIDTH}}{stamp(judged.at)}  {what}")
        for one in judged.differences:
            echo(f"{'':<{WIDTH}}{_difference(one)}")

    def summary(self, appeal: Appeal, source: _Source) -> None:
        """Print the verdict, what explains it, and what it does not show."""
        if self._json:
            echo(msgspec.json.encode({"summary": _summary(appeal, source)}))
            return
        for line in _lines(appeal, source):
            echo(line, err=True)


def _summary(appeal: Appeal, source: _Source) -> dict[str, Any]:
    differs = appeal.outcome is Outcome.DIFFERS
    return {
        "outcome": appeal.outcome,
        "error": ReplayDiffers.TEXT if differs else None,
        "named": [{"cause": one.cause, "words": one.words, "means": SENTENCES[one.cause]} for one in appeal.named],
        "counts": appeal.counts,
        "first": appeal.first,
        "observations": {"same": appeal.same_observations, "not_same": appeal.observations},
        "not_compared": {"epoch": "who wrote it, not what", **appeal.not_compared},
        "not_shown": NOT_SHOWN,
        "until": source.until,
        "exported_by": source.program,
        "replayed_by": program_id(),
    }


def _lines(appeal: Appeal, source: _Source) -> Iterator[str]:
    for one in appeal.named:
        yield f"{one.cause}: {SENTENCES[one.cause]} ({one.words})"
    counts = ", ".join(f"{count:,} {WORDS[verdict]}" for verdict, count in appeal.counts.items() if count)
    yield f"compared up to {stamp(source.until)}: {counts or 'nothing'}"
    if appeal.same_observations is not None:
        yield f"observations of closed periods: {appeal.same_observations:,} same, {appeal.observations:,} not"
    skipped = [f"{name} of {count:,} ({why_not_compared(name)})" for name, count in sorted(appeal.not_compared.items())]
    yield f"not compared: {', '.join(['epoch (it depends on the run)', *skipped])}"
    yield from (f"not shown: {one}" for one in NOT_SHOWN)
    if (first := appeal.first) is not None:
        yield f"first difference: {stamp(first.at)}, {first.kind} {first.standing} of {first.pilot}, {first.reason}"
    yield {
        Outcome.SAME: "verdict: same; the ledger follows from the history, with the same ids and numbers",
        Outcome.DIFFERS: f"verdict: {ReplayDiffers.TEXT}",
        Outcome.NO_VERDICT: "verdict: none; what is named above has to be settled first",
    }[appeal.outcome]


def _difference(one: Difference) -> str:
    return f"{one.field}: ledger {_short(one.recorded)}, replay {_short(one.replayed)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= 200 else f"{text[:200]}..."
