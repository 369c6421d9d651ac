"""What regulators do by command: each of these puts one act, under the name of its author, on the `control` log, over Kafka or HTTP.

The monitor decides whether an act takes effect. The command waits for that and says it: the entry, or the step that is missing.
Exit codes: 0 it took effect (or is durable and was not judged in time), 1 it has no effect, 2 called wrongly, 3 the other
side is away.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from monitor.charter_file import load_charter
from monitor.cli.charter import placeholders
from monitor.control import (
    Acceptance,
    Admission,
    Amendment,
    Approval,
    ControlBase,
    Drill,
    Evaluation,
    Override,
    Rectification,
    Release,
    Shelving,
    Withdrawal,
)
from monitor.keyfile import read_key
from monitor.model import digest
from monitor.sdk.acts import put

KEY, WAIT = "sandbox_monitor.key", "sandbox_monitor.wait"
F = TypeVar("F", bound=Callable[..., Any])


def _wait(context: click.Context, _option: click.Parameter, seconds: float) -> None:
    context.meta.setdefault(WAIT, seconds)


def _no_wait(context: click.Context, _option: click.Parameter, given: bool) -> None:
    if given:
        context.meta[WAIT] = 0.0


def act_options(command: F) -> F:
    """Where to, who acts, and the id that makes a repeat harmless."""
    for option in (
        click.option(
            "--to", default="kafka://127.0.0.1:9092", show_default=True, help="kafka://host:port or http://host:port"
        ),
        click.option("--prefix", default="sandbox", show_default=True, help="first part of every Kafka topic's name"),
        click.option("--author", required=True, help="who acts; approvers are named in the charter"),
        click.option(
            "--key",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            callback=lambda context, _option, path: context.meta.__setitem__(KEY, path),
            expose_value=False,
            help="the author's key file (`sandbox-monitor keys new`), where the charter names a key",
        ),
        click.option(
            "--wait",
            type=click.FloatRange(0, 60),
            default=10.0,
            show_default=True,
            callback=_wait,
            expose_value=False,
            help="seconds to wait for what becomes of it",
        ),
        click.option("--no-wait", is_flag=True, callback=_no_wait, expose_value=False, help="do not wait for it"),
        click.option(
            "--id", "id_", default="", help="id of this act, to repeat it without a second effect [default: a new one]"
        ),
    ):
        command = option(command)
    return command


def fresh() -> str:
    """An id that no other act has."""
    return uuid.uuid4().hex


def send(to: str, prefix: str, act: ControlBase) -> None:
    """Put an act on `control` and say what became of it. Raises Unavailable, Refused when it is not durable there."""
    meta = click.get_current_context().meta
    body = msgspec.json.encode(act)
    key: Path | None = meta.get(KEY)
    signature = read_key(key).sign("control", body) if key else ""
    wait: float = meta.get(WAIT, 0.0)
    try:
        answer = put(to, act.pilot, act.id, body, signature, wait=wait, prefix=prefix)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error
    kind = str(act.__struct_config__.tag).rpartition(".")[2]
    click.echo(f"{kind} {act.pilot} {act.id}")
    if answer is not None and answer.repeated:
        click.echo("repeated: an act with this id was judged before; this copy changes nothing")
    if answer is not None and answer.decision is not None:
        taken = answer.decision
        moved = (
            f"{taken.was.word} -> {taken.level.word}" if taken.level != taken.was else f"stays at {taken.level.word}"
        )
        signed = f"signed by key {taken.signed}" if taken.signed else "not signed"
        click.echo(
            f"{'already ' if answer.repeated else ''}taken: {taken.reason.value}, {moved}; entry {taken.standing} of {taken.pilot}, {signed}"
        )
    elif answer is not None and answer.rejected is not None:
        refused = answer.rejected
        raise click.ClickException(f"no effect: {refused.reason}, {refused.field}: {refused.detail}")
    elif answer is not None:
        raise click.ClickException(
            "no effect: what became of the first one is too long ago; a new try needs a new --id"
        )
    else:
        waited = f"not judged within {wait:g} s" if wait else "not waited for"
        click.echo(f"durable on control, {waited}: see the board, or `rejected`", err=True)


@click.command()
@click.argument("files", metavar="CHARTER...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--amend", is_flag=True, help="the pilot is in the sandbox already: amend its charter (a higher version)")
@act_options
def admit(files: tuple[Path, ...], amend: bool, to: str, prefix: str, author: str, id_: str) -> None:
    """Admit pilots under their charters. A charter that does not hold together is refused here, with line and fix.

    Exit codes: 0 durable on the control log, 1 a charter is wrong, 2 called wrongly, 3 the other side is away.
    """
    for path in files:
        charter = load_charter(path)
        if left := placeholders(charter):
            raise click.ClickException(f"{path}: fill in what the template leaves open: {', '.join(left)}")
        kind = Amendment if amend else Admission  # the same charter again is the same act
        name = id_ or digest(kind.__name__, charter.pilot, charter.version)
        send(to, prefix, kind(id=name, pilot=charter.pilot, author=author, charter=charter))


@click.command()
@click.argument("pilot")
@click.argument("level", type=click.Choice(["normal", "watch", "escalate", "halt"]))
@click.option("--reason", required=True, help="why, in words; it stands in the ledger")
@act_options
def override(pilot: str, level: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Set a pilot's level by hand. A halt is not lowered this way but by `release`."""
    send(to, prefix, Override(id=id_ or fresh(), pilot=pilot, author=author, level=level, reason=reason))  # type: ignore[arg-type]


@click.command()
@click.argument("pilot")
@click.option(
    "--finding", required=True, help="what was found; without a halt: the key or indicator of an active finding"
)
@click.option("--cause", required=True, help="why it happened")
@click.option("--action", required=True, help="what was done about it")
@click.option("--evidence", required=True, help="where that can be verified")
@act_options
def rectify(
    pilot: str, finding: str, cause: str, action: str, evidence: str, to: str, prefix: str, author: str, id_: str
) -> None:
    """Record a corrective action: the first step towards the release of a halted pilot.

    Without a halt --finding names an active finding, by its key (indicator/segment/detector) or by its indicator alone. Where the
    charter tolerates a first crossing, this closes its rectification window.
    """
    act = Rectification(
        id=id_ or fresh(), pilot=pilot, author=author, finding=finding, cause=cause, action=action, evidence=evidence
    )
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@click.option("--passed/--failed", required=True, help="the result on the charter's scenarios")
@click.option("--report", required=True, help="where the report lies")
@click.option(
    "--result",
    "results",
    multiple=True,
    metavar="SCENARIO/MEASURE=VALUE",
    help="a result on a scenario of the charter; repeatable",
)
@act_options
def evaluate(
    pilot: str, passed: bool, report: str, results: tuple[str, ...], to: str, prefix: str, author: str, id_: str
) -> None:
    """Record the re-evaluation of a halted pilot: the second step towards its release.

    Where the charter names scenarios, a result of each measure is asked for, and a passed one must keep the bounds.
    """
    found: dict[str, dict[str, float]] = {}
    for text in results:
        name, _, value = text.partition("=")
        scenario, _, measure = name.rpartition("/")
        try:
            found.setdefault(scenario, {})[measure] = float(value)
        except ValueError:
            scenario = ""
        if not scenario or not measure:
            raise click.BadParameter(f"{text}: write scenario/measure=number", param_hint="--result")
    act = Evaluation(id=id_ or fresh(), pilot=pilot, author=author, passed=passed, report=report, results=found)
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@act_options
def approve(pilot: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Approve the release of a halted pilot. Two different approvers are needed."""
    send(to, prefix, Approval(id=id_ or fresh(), pilot=pilot, author=author))


@click.command()
@click.argument("pilot")
@act_options
def release(pilot: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Lift a halt. Refused (see the rejected log) until rectification, evaluation and two approvals stand in the record.

    The firm resumes by its own act afterwards; the statistics start on the next share of alpha.
    """
    send(to, prefix, Release(id=id_ or fresh(), pilot=pilot, author=author))


@click.command()
@click.argument("pilot")
@click.argument("indicator")
@click.option("--reason", required=True, help="why, in words; it stands in the ledger")
@act_options
def accept(pilot: str, indicator: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Accept a new level of an INDICATOR: detectors that learn what is usual learn it anew, and what they had found is answered.

    Limits stay as they are, and so does the evidence against them: those change by `admit --amend` only.
    """
    act = Acceptance(id=id_ or fresh(), pilot=pilot, author=author, indicator=indicator, reason=reason)
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@click.argument("finding")
@click.option("--reason", required=True, help="why, in words; it stands in the ledger")
@click.option("--for", "span", default="8h", show_default=True, help="how long, at most what the charter grants")
@act_options
def shelve(pilot: str, finding: str, reason: str, span: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Set an active FINDING (`indicator/segment/rule`) aside: for that time it no longer holds the pilot's level up.

    It is watched all the same, counts again when the time is over, and can never be a halt. A refusal on the rejected log
    names the findings that are active.
    """
    act = Shelving(id=id_ or fresh(), pilot=pilot, author=author, finding=finding, reason=reason, span=span)
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@click.option(
    "--full-stop", is_flag=True, help="stop the service for real; only inside a window that the charter names"
)
@act_options
def drill(pilot: str, full_stop: bool, to: str, prefix: str, author: str, id_: str) -> None:
    """Try out a halt: a dry run from end to end, marked as such. The service answers as it would, without stopping.

    How long it took stands in the ledger as `drill_passed`; no answer within the charter's time escalates.
    """
    send(to, prefix, Drill(id=id_ or fresh(), pilot=pilot, author=author, full_stop=full_stop))


@click.command()
@click.argument("pilot")
@click.option("--reason", required=True, help="why, in words; it stands in the ledger")
@act_options
def dismiss(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Let a pilot leave the sandbox: its telemetry is no longer counted."""
    send(to, prefix, Withdrawal(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))
