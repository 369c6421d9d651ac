"""What regulators do by command: each of these puts one act, under the name of its author, on the `control` log, over
Kafka or HTTP.

The monitor decides whether an act takes effect. The command waits for that and says it: the entry, or the step that is
missing. Each act carries the pilot's standing, read just before, and the time for which it is valid, so that no copy of
it, resent by anybody, takes effect (`monitor/state/acts_once.py`). Exit codes: 0 it took effect (or is durable and was not judged
in time), 1 it has no effect, 2 called wrongly, 3 the other side is away.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from msgspec import structs

from monitor.charter.control import (
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
from monitor.cli.charter import placeholders
from monitor.client.control import read_state, send_act
from monitor.clock import wall_ms
from monitor.compile.load import load_charter
from monitor.files.key_file import read_key
from monitor.model.periods import parse_span
from monitor.model.records import Rejected
from monitor.model.refusals import Refusal
from monitor.projections.known_state import KnownState
from monitor.state.acts_once import AUTHOR_SKEW_MS, LONGEST_VALIDITY_MS, VALID_MS, validity
from monitor.validate.rejections import RejectionReason

KEY, WAIT = "sandbox_monitor.key", "sandbox_monitor.wait"
VALID, STANDING = "sandbox_monitor.valid", "sandbox_monitor.standing"
F = TypeVar("F", bound=Callable[..., Any])


def _wait(context: click.Context, _option: click.Parameter, seconds: float) -> None:
    context.meta.setdefault(WAIT, seconds)


def _no_wait(context: click.Context, _option: click.Parameter, given: bool) -> None:
    if given:
        context.meta[WAIT] = 0.0


def _valid_for(context: click.Context, _option: click.Parameter, text: str) -> None:
    try:
        span = parse_span(text).after(0)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if not 0 < span <= LONGEST_VALIDITY_MS - AUTHOR_SKEW_MS:
        raise click.BadParameter(f"{text} is not above 0 and below 31 days; write a span such as 1h")
    context.meta[VALID] = span


def _standing(context: click.Context, _option: click.Parameter, number: int | None) -> None:
    context.meta[STANDING] = number


def act_options(command: F) -> F:
    """Where to, who acts, and the id that makes a repeat harmless."""
    for option in (
        click.option(
            "--to", default="kafka://127.0.0.1:9092", show_default=True, help="kafka://host:port or http://host:port"
        ),
        click.option("--prefix", default="sandbox", show_default=True, help="first part of every Kafka topic's name"),
        click.option(
            "--author",
            required=True,
            help="who acts: an officer or approver by the name in the charter, or the firm by its participant.id",
        ),
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
        click.option(
            "--valid-for",
            default="1h",
            show_default=True,
            callback=_valid_for,
            expose_value=False,
            help="how long the act may be under way; received later it has no effect",
        ),
        click.option(
            "--standing",
            type=click.IntRange(0),
            callback=_standing,
            expose_value=False,
            help="the pilot's last entry that you saw; a later act of yours makes this one void [default: read now]",
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
    key: Path | None = meta.get(KEY)
    body = msgspec.json.encode(_valid(to, prefix, act, signed=key is not None))
    signature = read_key(key).sign("control", body) if key else ""
    wait: float = meta.get(WAIT, 0.0)
    try:
        answer = send_act(to, act.pilot, act.id, body, signature, wait=wait, prefix=prefix)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error
    kind = str(act.__struct_config__.tag).rpartition(".")[2]
    click.echo(f"{kind} {act.pilot} {act.id}")
    if answer is not None and answer.repeated and not _in_force(answer.rejected):
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
        if _in_force(refused):
            click.echo(f"already taken: {refused.detail.removeprefix('repeated: ')}")
            return
        if refused.reason == RejectionReason.REPEATED.value:
            raise click.ClickException(
                "no effect: what became of the first one is too long ago; a new try needs a new --id"
            )
        fix = " (--reason)" if refused.detail.startswith(Refusal.HALT_NOT_VERIFIED.value) else ""
        raise click.ClickException(f"no effect: {refused.reason}, {refused.field}: {refused.detail}{fix}")
    else:
        waited = f"not judged within {wait:g} s" if wait else "not waited for"
        click.echo(f"durable on control, {waited}: see the board, or `rejected`", err=True)


def _in_force(refused: Rejected | None) -> bool:
    """Whether an admission was refused because the same charter, by the same author, is in force."""
    return refused is not None and refused.reason == RejectionReason.REPEATED.value and refused.field == "charter"


def seen(to: str, prefix: str, pilot: str) -> KnownState | None:
    """What the record says of a pilot now. Raises Unavailable, Refused."""
    try:
        return read_state(to, pilot, prefix=prefix)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error


def _valid(to: str, prefix: str, act: ControlBase, *, signed: bool) -> ControlBase:
    """The act with what makes it valid once. An unsigned one goes without where the pilot's standing cannot be read."""
    meta = click.get_current_context().meta
    standing: int | None = meta.get(STANDING)
    if standing is None:
        known = seen(to, prefix, act.pilot)
        standing = known.standing if known is not None else 0 if isinstance(act, Admission) else None
    if standing is None and signed:
        raise click.ClickException(
            f"no entry of {act.pilot} was found, which the act has to name; give --standing (see the board)"
        )
    if standing is None:
        return act
    now = wall_ms()
    return structs.replace(act, **validity(standing, now, meta.get(VALID, VALID_MS)))


@click.command()
@click.argument("files", metavar="CHARTER...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--amend", is_flag=True, help="the pilot is in the sandbox already: amend its charter (a higher version)")
@act_options
def admit(files: tuple[Path, ...], amend: bool, to: str, prefix: str, author: str, id_: str) -> None:
    """Admit pilots under their charters. A charter that does not hold together is refused here, with line and fix.

    The same charter again, by the same author, is "already taken". Where another charter or author came first, the
    answer says what is in force, and by whom. Exit codes: 0 in force (or durable and not judged in time), 1 a charter
    is wrong or another one is in force, 2 called wrongly, 3 the other side is away.
    """
    for path in files:
        charter = load_charter(path)
        if left := placeholders(charter):
            raise click.ClickException(f"{path}: fill in what the template leaves open: {', '.join(left)}")
        kind = Amendment if amend else Admission
        send(to, prefix, kind(id=id_ or fresh(), pilot=charter.pilot, author=author, charter=charter))


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

    Without a halt --finding names an active finding, by its key (indicator/segment/detector) or by its indicator alone.
    Where the charter tolerates a first crossing, this closes its rectification window.
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
@click.option(
    "--reason", default="", help="why, in words; needed where the stop is not verified, and on record in any case"
)
@act_options
def release(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Lift a halt. Refused (see the rejected log) until rectification, evaluation and two approvals stand in the
    record.

    Says first what became of the halt. Where the stop was not acknowledged or verified, is overdue or contradicted, a
    reason is asked for, which stands in the ledger with that state.

    The firm resumes by its own act afterwards; the statistics start on the next share of alpha.
    """
    known = seen(to, prefix, pilot)
    if known is not None and known.level == "halt":
        stop = known.stop or "older than what was looked at"
        click.echo(f"halt of {pilot}: {stop}", err=True)
        if known.stop != "verified" and not reason and sys.stdin.isatty():
            reason = click.prompt("reason for lifting a halt whose stop is not verified", err=True)
    send(to, prefix, Release(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))


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
    """Let a pilot leave the sandbox: its telemetry is no longer counted.

    A halted pilot leaves once its stop is verified; until then the halt, its command and its alert stand
    (`exit_pending`).
    """
    send(to, prefix, Withdrawal(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))
