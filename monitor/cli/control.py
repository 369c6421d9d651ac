"""The acts of regulators and firms as commands: each sends one act of its author to `control`, over Kafka or HTTP.

The monitor decides whether an act takes effect. The command waits for the outcome and prints it: the entry, or the
missing step. Each act carries the standing of the pilot, read just before, and a validity period, so that a copy of it
that anybody resends has no effect (`monitor/state/acts_once.py`). Exit codes: 0 it took effect (or is durable and was
not decided in time), 1 it has no effect, 2 usage error, 3 the server is unavailable.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from msgspec import UNSET, structs

from monitor.access.environment import AUTHOR
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
    Submission,
    Withdrawal,
)
from monitor.charter.model_acts import ModelEntry
from monitor.cli.addresses import KEY_META, firm_options, key_option, to_option
from monitor.cli.charter import placeholders
from monitor.cli.outcomes import say, say_json
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trust_option, trusted_here
from monitor.client.control import read_state, send_act
from monitor.client.gateway import FirmIdentity
from monitor.clock import wall_ms
from monitor.compile.load import load_charter
from monitor.errors import Refused
from monitor.files.key_file import read_key
from monitor.lifecycle.firm_acts import Annulment, Classification
from monitor.lifecycle.sandbox_acts import SandboxFounding
from monitor.model.periods import parse_span
from monitor.projections.known_state import KnownState
from monitor.state.acts_once import AUTHOR_SKEW_MS, LONGEST_VALIDITY_MS, VALID_MS, validity
from monitor.translation import tr

KEY, WAIT = KEY_META, "sandbox_monitor.wait"
JSON = "sandbox_monitor.json"
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
    """Options of every act: server, author, key, waiting, validity and id."""
    for option in (
        to_option("kafka://host:port, http://host:port, or the https:// address of the gateway for firms"),
        click.option("--prefix", default="sandbox", show_default=True, help="prefix of the Kafka topic names"),
        click.option(
            "--author",
            required=True,
            envvar=AUTHOR,
            show_envvar=True,
            help="who acts: a person as named in the sandbox, else in the charter, or the firm by its participant.id",
        ),
        key_option("key file of the author (`sandbox-monitor keys new`); required when the sandbox or charter has one"),
        click.option(
            "--wait",
            type=click.FloatRange(0, 60),
            default=10.0,
            show_default=True,
            callback=_wait,
            expose_value=False,
            help="seconds to wait for the outcome",
        ),
        click.option(
            "--valid-for",
            default="1h",
            show_default=True,
            callback=_valid_for,
            expose_value=False,
            help="how long the act is valid; received later, it has no effect",
        ),
        click.option(
            "--standing",
            type=click.IntRange(0),
            callback=_standing,
            expose_value=False,
            help="number of the last entry of the pilot that you saw [default: read now]",
        ),
        click.option(
            "--no-wait", is_flag=True, callback=_no_wait, expose_value=False, help="do not wait for the outcome"
        ),
        click.option(
            "--json",
            is_flag=True,
            callback=lambda context, _option, given: context.meta.__setitem__(JSON, given),
            expose_value=False,
            help="the outcome as one JSON object",
        ),
        click.option(
            "--id", "id_", default="", help="id of this act, to repeat it without a second effect [default: a new one]"
        ),
    ):
        command = option(command)
    return trust_option(command, expose=False)  # type: ignore[return-value]


def fresh() -> str:
    """A unique id for a new act."""
    return uuid.uuid4().hex


def send(to: str, prefix: str, act: ControlBase) -> None:
    """Send an act to `control` and print its outcome. Raises Unavailable or Refused when it was not stored."""
    meta = click.get_current_context().meta
    key: Path | None = meta.get(KEY)
    body = msgspec.json.encode(_valid(to, prefix, act, signed=key is not None))
    signature = read_key(key).sign("control", body) if key else ""
    wait: float = meta.get(WAIT, 0.0)
    try:
        answer = send_act(
            to,
            act.pilot,
            act.id,
            body,
            signature,
            wait=wait,
            prefix=prefix,
            identity=identity_of(act.author),
            trusted=trusted_here(),
        )
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error
    kind = str(act.__struct_config__.tag).rpartition(".")[2]
    if meta.get(JSON):
        say_json(kind, act, answer)
    else:
        say(kind, act, answer, wait)


def identity_of(author: str) -> FirmIdentity | None:
    """Who signs the requests to a gateway: the author with `--key`."""
    key: Path | None = click.get_current_context().meta.get(KEY)
    return None if key is None else FirmIdentity.of(author, key)


def seen(to: str, prefix: str, pilot: str, author: str) -> KnownState | None:
    """The recorded state of a pilot, `None` when there is none. Raises Unavailable, Refused."""
    try:
        return read_state(to, pilot, prefix=prefix, identity=identity_of(author), trusted=trusted_here())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error


def _valid(to: str, prefix: str, act: ControlBase, *, signed: bool) -> ControlBase:
    """The act with standing and validity. An unsigned act is sent without them when the standing cannot be read."""
    meta = click.get_current_context().meta
    standing: int | None = meta.get(STANDING)
    if standing is None:
        try:
            known = seen(to, prefix, act.pilot, act.author)
        except Refused:  # of a gateway: the firm has no pilot of this name yet
            if not isinstance(act, Submission):
                raise
            known = None
        first = isinstance(act, Admission | Submission | SandboxFounding | ModelEntry | Classification | Annulment)
        standing = known.standing if known is not None else 0 if first else None
    if standing is None and signed:
        said = tr(
            "no entry of {pilot} was found, and a signed act must name the last one; give --standing (see the board)",
            pilot=act.pilot,
        )
        raise click.ClickException(said)
    if standing is None:
        return act
    now = wall_ms()
    return structs.replace(act, **validity(standing, now, meta.get(VALID, VALID_MS)))


@click.command()
@click.argument("files", metavar="CHARTER...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--amend", is_flag=True, help="amend the charter of an admitted pilot (needs a higher version)")
@act_options
def admit(files: tuple[Path, ...], amend: bool, to: str, prefix: str, author: str, id_: str) -> None:
    """Admit pilots under their charters. A charter with a mistake is refused here, with line and fix.

    The same charter by the same author again is "already taken". If another charter or author came first, the answer
    says what is in force, and by whom. Exit codes: 0 in force (or durable and not decided in time), 1 a charter is
    wrong or another one is in force, 2 usage error, 3 the server is unavailable.
    """
    for path in files:
        charter = load_charter(path)
        if left := placeholders(charter):
            raise click.ClickException(f"{path}: fill in the placeholders of the template: {', '.join(left)}")
        kind = Amendment if amend else Admission
        send(to, prefix, kind(id=id_ or fresh(), pilot=charter.pilot, author=author, charter=charter))


@click.command()
@click.argument("pilot")
@click.argument("level", type=click.Choice(["normal", "watch", "escalate", "halt"]))
@click.option("--reason", required=True, help="reason; recorded in the ledger")
@act_options
def override(pilot: str, level: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Set the level of a pilot. This cannot end a halt; only `release` can."""
    send(to, prefix, Override(id=id_ or fresh(), pilot=pilot, author=author, level=level, reason=reason))  # type: ignore[arg-type]


@click.command()
@click.argument("pilot")
@click.option(
    "--finding", required=True, help="what was found; without a halt: the key or indicator of an active finding"
)
@click.option("--cause", required=True, help="root cause")
@click.option("--action", required=True, help="corrective action")
@click.option("--evidence", required=True, help="where the correction can be verified")
@act_options
def rectify(
    pilot: str, finding: str, cause: str, action: str, evidence: str, to: str, prefix: str, author: str, id_: str
) -> None:
    """Record a corrective action: the first step towards the release of a halted pilot.

    Without a halt, --finding names an active finding by its key (indicator/segment/detector) or by its indicator. If
    the charter tolerates a first crossing of a limit, this closes its rectification window.
    """
    act = Rectification(
        id=id_ or fresh(), pilot=pilot, author=author, finding=finding, cause=cause, action=action, evidence=evidence
    )
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@click.option("--passed/--failed", required=True, help="result on the scenarios of the charter")
@click.option("--report", required=True, help="where the report is")
@click.option(
    "--result",
    "results",
    multiple=True,
    metavar="SCENARIO/MEASURE=VALUE",
    help="result on a scenario of the charter; repeatable",
)
@act_options
def evaluate(
    pilot: str, passed: bool, report: str, results: tuple[str, ...], to: str, prefix: str, author: str, id_: str
) -> None:
    """Record the re-evaluation of a halted pilot: the second step towards its release.

    If the charter names scenarios, every measure needs a result, and --passed requires that all keep their bounds.
    """
    found = results_of(results)
    act = Evaluation(id=id_ or fresh(), pilot=pilot, author=author, passed=passed, report=report, results=found)
    send(to, prefix, act)


def results_of(texts: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Results as scenario -> measure -> value. Raises click.BadParameter."""
    found: dict[str, dict[str, float]] = {}
    for text in texts:
        name, _, value = text.partition("=")
        scenario, _, measure = name.rpartition("/")
        try:
            found.setdefault(scenario, {})[measure] = float(value)
        except ValueError:
            scenario = ""
        if not scenario or not measure:
            raise click.BadParameter(f"{text}: write scenario/measure=number", param_hint="--result")
    return found


@click.command()
@click.argument("pilot")
@act_options
def approve(pilot: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Approve the release of a halted pilot. Two different approvers are needed."""
    send(to, prefix, Approval(id=id_ or fresh(), pilot=pilot, author=author))


@click.command()
@click.argument("pilot")
@click.option("--reason", default="", help="reason; required when the stop is not verified, always recorded")
@act_options
def release(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """End a halt. Refused until rectification, evaluation and two approvals are recorded.

    First prints the state of the halt. If the stop is not verified (unacknowledged, overdue or contradicted), a reason
    is required and recorded with that state.

    Afterwards the firm decides when its service resumes. The statistics restart with the next share of alpha.
    """
    known = seen(to, prefix, pilot, author)
    if known is not None and known.level == "halt":
        stop = known.stop or "state unknown (too long ago)"
        echo(f"halt of {pilot}: {stop}", err=True)
        if known.stop != "verified" and not reason and sys.stdin.isatty():
            reason = click.prompt("reason for ending a halt whose stop is not verified", err=True)
    send(to, prefix, Release(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))


@click.command()
@click.argument("pilot")
@click.argument("indicator")
@click.option("--reason", required=True, help="reason; recorded in the ledger")
@click.option(
    "--dispersion", is_flag=True, help="end the finding dispersion_exceeded instead: the limits may halt again"
)
@act_options
def accept(
    pilot: str, indicator: str, reason: str, dispersion: bool, to: str, prefix: str, author: str, id_: str
) -> None:
    """Accept a new normal level of an INDICATOR: detectors with a learnt baseline learn it again, and their findings
    end.

    Limits and the evidence against them do not change; only `admit --amend` changes limits.

    With --dispersion nothing is learnt again. A limit whose counts vary more than the charter grants escalates at most
    until its `variance_mean` is amended, which begins its evidence anew, or until this act: then it halts, at once if
    its threshold is reached. The check of the dispersion begins anew.
    """
    what = dispersion or UNSET
    act = Acceptance(id=id_ or fresh(), pilot=pilot, author=author, indicator=indicator, reason=reason, dispersion=what)
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@click.argument("finding")
@click.option("--reason", required=True, help="reason; recorded in the ledger")
@click.option("--for", "span", default="8h", show_default=True, help="duration, at most what the charter allows")
@act_options
def shelve(pilot: str, finding: str, reason: str, span: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Shelve an active FINDING (`indicator/segment/rule`): for that time it does not raise the level of the pilot.

    The indicator is still watched, and the finding counts again afterwards. A halt can never be shelved. A refusal
    lists the active findings.
    """
    act = Shelving(id=id_ or fresh(), pilot=pilot, author=author, finding=finding, reason=reason, span=span)
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@click.option("--full-stop", is_flag=True, help="really stop the service; only inside a window of the charter")
@act_options
def drill(pilot: str, full_stop: bool, to: str, prefix: str, author: str, id_: str) -> None:
    """Test a halt: an end-to-end dry run, marked as such. The service acknowledges without stopping.

    The time it took is recorded as `drill_passed`; no acknowledgement within the time of the charter escalates.
    """
    send(to, prefix, Drill(id=id_ or fresh(), pilot=pilot, author=author, full_stop=full_stop))


@click.command()
@click.argument("pilot")
@click.option("--reason", required=True, help="reason; recorded in the ledger")
@act_options
def dismiss(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Remove a pilot from the sandbox: its telemetry is no longer counted.

    A halted pilot leaves once its stop is verified; until then the halt, its command and its alert remain
    (`exit_pending`).
    """
    send(to, prefix, Withdrawal(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))


@click.command()
@click.argument("pilot")
@to_option("as for the acts")
@click.option("--prefix", default="sandbox", show_default=True, help="prefix of the Kafka topic names")
@firm_options
@click.option("--json", is_flag=True, expose_value=False, help="one JSON object, which is printed in any case")
def standing(pilot: str, to: str, prefix: str, author: str) -> None:
    """Print the standing (number of the last entry), the level and, under a halt, the state of the stop of a pilot, as
    JSON. Exit codes: 0 printed, 1 the pilot is not known or not yours, 2 usage error, 3 the server is unavailable.
    """
    known = seen(to, prefix, pilot, author)
    if known is None:
        raise click.ClickException(f"no entry of {pilot} was found")
    echo(msgspec.json.encode(known).decode())
