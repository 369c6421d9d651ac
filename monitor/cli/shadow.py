"""`sandbox-monitor shadow`: shadow charters, which run next to the charter in force and never act."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from monitor.charter.shadow_acts import ShadowStart, ShadowStop
from monitor.cli.addresses import to_option
from monitor.cli.control import act_options, fresh, send
from monitor.cli.running import reason_option
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trust_option, trusted_here
from monitor.client.shadow import read_summaries
from monitor.compile.load import load_charter
from monitor.engine.history import begins_history, decode
from monitor.engine.shadow_trial import ShadowTrial
from monitor.model.events import millis
from monitor.model.lenient import without_bom
from monitor.model.shadow_records import ShadowSummary
from monitor.projections.shadow_words import difference_words, facts, state_words

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NO_SUMMARY = "the first is written after --every of `shadow start` (1d by default), while telemetry arrives"
json_option = click.option("--json", "as_json", is_flag=True, help="one JSON object per line")


@click.group()
def shadow() -> None:
    """Shadow charters: what would be different under another charter, before it is in force.

    A shadow charter is stepped with the live telemetry of its pilot. It sends no command, permit or alert, makes no
    entry in the ledger and moves no level; its decisions are compared with those of the charter in force.
    """


@shadow.command()
@click.argument("path", metavar="CHARTER", type=_FILE)
@click.option("--until", required=True, help="when it ends: YYYY-MM-DD (end of that day, UTC) or a time in RFC 3339")
@click.option("--every", default="1d", show_default=True, help="time between two summaries")
@reason_option
@act_options
def start(path: Path, until: str, every: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Start a shadow charter (an officer), one per pilot. It must be one that `admit --amend` could put in force now,
    and cost no more than the charter in force. The start is recorded in the ledger, so the firm knows of it.

    It ends at --until, with `shadow stop`, with an amendment, or when the pilot leaves the sandbox. While the pilot is
    halted no telemetry comes, and nothing is compared; after a release the shadow begins again from the released pilot.
    """
    charter = load_charter(path)
    act = ShadowStart(
        id=id_ or fresh(), pilot=charter.pilot, author=author, charter=charter, until=_instant(until), every=every,
        reason=reason,
    )  # fmt: skip
    send(to, prefix, act)


@shadow.command()
@click.argument("pilot")
@reason_option
@act_options
def stop(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Stop the shadow charter of a pilot (an officer). A last summary is written."""
    send(to, prefix, ShadowStop(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))


def read_options(command: Any) -> Any:
    """Options of commands that read summaries."""
    for option in (
        to_option("as for the acts"),
        click.option("--prefix", default="sandbox", show_default=True, help="prefix of the Kafka topic names"),
        json_option,
        trust_option,
    ):
        command = option(command)
    return command


@shadow.command()
@click.argument("pilot")
@read_options
def show(pilot: str, to: str, prefix: str, as_json: bool, trusted: tuple[str, ...]) -> None:
    """Print the newest summary of the shadow charters of PILOT: what both decided, what only one did, by how much one
    was earlier, and whether and when the shadow charter would have halted the pilot, and why.

    Exit codes: 0 printed, 1 the pilot has no summary yet, 2 usage error, 3 the server is unavailable.
    """
    found = _read(to, prefix, pilot)
    if not found:
        raise click.ClickException(f"{pilot} has no summary of a shadow charter yet: {NO_SUMMARY}")
    for one in found if as_json else found[-1:]:
        _print(one, as_json)


@shadow.command("list")
@read_options
def list_(to: str, prefix: str, as_json: bool, trusted: tuple[str, ...]) -> None:
    """List all shadow charters that have a summary, each with its newest numbers."""
    found = _read(to, prefix, "")
    if not found:
        echo(f"no shadow charter has a summary yet: {NO_SUMMARY}", err=True)
    for one in found:
        if as_json:
            _print(one, as_json)
            continue
        different = one.only_live + one.only_shadow + one.earlier + one.later
        halt = "; would have halted" if one.first_halt is not None else ""
        echo(f"{one.pilot} version {one.version} {state_words(one)}: {one.same} same, {different} different{halt}")


@shadow.command()
@click.argument("path", metavar="CHARTER", type=_FILE)
@click.option("--history", "history", required=True, type=_FILE, help="history of the pilot (`sandbox-monitor export`)")
@click.option("--since", default="", help="compare from then on: YYYY-MM-DD or RFC 3339 [default: the admission]")
@json_option
def replay(path: Path, history: Path, since: str, as_json: bool) -> None:
    """Compare CHARTER with the charters that were in force, over a recorded history: what would have been different,
    had it been in force since then?

    It begins from the state that the pilot had then. Amendments in the history leave it as it is.

    \b
    Example:
      sandbox-monitor export --dir var/monitor --pilot pilot-0001 > pilot-0001.history
      sandbox-monitor shadow replay stricter.yaml --history pilot-0001.history --since 2026-03-01

    Exit codes: 0 compared (whatever the result), 1 the charter or the history cannot be used, 2 usage error.
    """
    charter = load_charter(path)
    with history.open("rb") as file:
        if not begins_history(without_bom(file.readline(1 << 16))):
            raise click.UsageError(f"{history} is no history; make one with `export --pilot {charter.pilot}`")
    trial = ShadowTrial(charter, millis(_instant(since, end=False)) if since else 0)
    with history.open("rb") as file:
        for _ in trial.compare(decode(file)):
            pass
    if trial.summary is None:
        raise click.ClickException(f"{charter.pilot} is not in the history, or did not run after --since")
    if trial.summary.ended == "failed":
        raise click.ClickException(f"the charter cannot be compared: {trial.summary.detail}")
    _print(trial.summary, as_json)


def _read(to: str, prefix: str, pilot: str) -> list[ShadowSummary]:
    try:
        return read_summaries(to, pilot=pilot, prefix=prefix, trusted=trusted_here())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error


def _print(one: ShadowSummary, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.encode(one).decode() + "\n")
        return
    echo(f"{one.pilot} of {one.participant}")
    for name, text in facts(one):
        echo(f"{name:<18} {text}")
    for difference in one.differences:
        echo(f"{'':<18} {difference_words(difference)}")
    if (more := one.only_live + one.only_shadow + one.earlier + one.later - len(one.differences)) > 0:
        echo(f"{'':<18} and {more} more")


def _instant(text: str, *, end: bool = True) -> datetime:
    """A day (its end, or its begin), or a time."""
    try:
        if len(text) == 10:
            clock = "23:59:59" if end else "00:00:00"
            return datetime.fromisoformat(f"{text}T{clock}").replace(tzinfo=UTC)
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise click.BadParameter(f"{text!r} is no time; write YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SSZ")
    return found
