"""`sandbox-monitor status` and `rejections`: where a pilot stands, and what of its telemetry has no effect."""

from __future__ import annotations

import click
import msgspec
from msgspec import UNSET

from monitor.charter.spec import Charter
from monitor.cli.addresses import firm_options, to_option
from monitor.cli.charter_show import charters_at
from monitor.cli.control import identity_of
from monitor.cli.status_lines import own_lines, status_lines
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trust_option, trusted_here
from monitor.client.control import read_status
from monitor.client.own_topics import OwnRecords, own_records
from monitor.client.telemetry_problems import read_problems
from monitor.clock import wall_ms
from monitor.errors import Refused, SandboxMonitorError, Unavailable
from monitor.lifecycle.acts import Role
from monitor.model.clock_record import Owes
from monitor.model.subjects import is_pilot
from monitor.model.telemetry_problems import TelemetryProblem, problems_of
from monitor.projections.pilot_status import with_answers_due
from monitor.projections.problem_fold import problem_lines
from monitor.sdk.kafka_link import KafkaLink
from monitor.sdk.transports import open_link
from monitor.translation import tr

NOT_ALLOWED = "has no topic"  # of a topic that this login may not read, the broker says that it is not there
READ_S = 10.0
json_option = click.option("--json", "as_json", is_flag=True, help="one JSON object")


@click.command()
@click.argument("pilot")
@to_option("as for the acts")
@click.option("--prefix", default="sandbox", show_default=True, help="prefix of the Kafka topic names")
@firm_options
@json_option
@trust_option
def status(pilot: str, to: str, prefix: str, author: str, as_json: bool, trusted: tuple[str, ...]) -> None:
    """Print where PILOT stands: its level and why, with the numbers; its states and the next step; who owes what by
    when, also answers to complaints of users; rollout, shadow charter, open command; the evidence of each indicator;
    the last decisions with their numbers; telemetry that was rejected or counts nowhere.

    Read from the recorded decisions, also before the admission. Whom to reach is printed where the charter in force
    names contacts. A firm that may read its own topics only gives --author with its participant.id: it gets the command
    in force and what the monitor states about its telemetry; the gateway has the rest.

    \b
    Examples:
      sandbox-monitor status pilot-0001 --to http://127.0.0.1:8321
      sandbox-monitor status pilot-0001 --to https://GATEWAY:8322 --author firm-1 --key firm.key

    \b
    Exit codes:
      0  printed
      1  no entry of the pilot was found
      2  usage error
      3  the server is unavailable
    """
    _require_pilot(pilot)
    try:
        found = read_status(to, pilot, prefix=prefix, identity=identity_of(author), trusted=trusted_here())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error
    except Unavailable as error:
        if author and NOT_ALLOWED in str(error):
            _own(to, prefix, pilot, author, as_json)
            return
        raise
    if found is None:
        raise click.ClickException(f"no entry of {pilot} was found; `apply` begins its record")
    problems = _rejections(to, prefix, pilot, author)
    charter = _charter(to, prefix, pilot, trusted) if found.complaints or not as_json else None
    found = with_answers_due(found, charter)
    if as_json:
        echo(msgspec.json.encode({**msgspec.to_builtins(found), "rejections": problems}).decode())
        return
    for line in status_lines(found, problems, {} if charter is None else contacts_of(charter), wall_ms()):
        echo(line)
    if charter is not None and not charter.participant.keys and not found.open_mode:
        echo(tr("unsigned   the charter has no key of the firm, so the author of its acts is not proved"))
    if not found.whole:
        echo(tr("older decisions were not read: open findings and deadlines may be missing"), err=True)


@click.command()
@click.argument("pilot")
@to_option("as for the acts")
@click.option("--prefix", default="sandbox", show_default=True, help="prefix of the Kafka topic names")
@firm_options
@click.option("--json", "as_json", is_flag=True, help="one JSON object per kind of problem")
@trust_option
def rejections(pilot: str, to: str, prefix: str, author: str, as_json: bool, trusted: tuple[str, ...]) -> None:
    """Print what of the telemetry of PILOT has no effect, the newest first: rejected, counted nowhere, or too late to
    count; each kind once, with the number of events, field, reason and fix.

    It works at a monitor (`serve`), at the gateway for firms, on Kafka for those who may read `rejected`, and for a
    firm (--author) on its topics: there with the newest of each kind only.

    \b
    Example:
      sandbox-monitor rejections pilot-0001 --to http://127.0.0.1:8321

    \b
    Exit codes:
      0  printed, also if there are none
      2  usage error
      3  the server is unavailable
    """
    _require_pilot(pilot)
    for row in (found := _all_problems(to, prefix, pilot, author)):
        if as_json:
            echo(msgspec.json.encode({**msgspec.to_builtins(row), "fix": row.fix}).decode())
    if not as_json:
        for line in problem_lines(found):
            echo(line)
        if not found:
            echo(tr("nothing of {pilot} was rejected, and everything counts", pilot=pilot), err=True)


def _require_pilot(pilot: str) -> None:
    if not is_pilot(pilot):
        raise click.BadParameter(f"{pilot} is no pilot; see `sandbox show`, `model show`", param_hint="PILOT")


def _all_problems(to: str, prefix: str, pilot: str, author: str) -> tuple[TelemetryProblem, ...]:
    identity = identity_of(author)
    try:
        rows = read_problems(to, pilot, prefix=prefix, wait=READ_S, identity=identity, trusted=trusted_here())
        found = read_status(to, pilot, prefix=prefix, identity=identity, trusted=trusted_here())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error
    except Unavailable as error:
        if author and NOT_ALLOWED in str(error):
            notice = _own_records(to, prefix, pilot, author).notice
            return () if notice is None else problems_of(notice)
        raise
    known = {(one.reason, one.field): one for one in (*(found.problems if found is not None else ()), *rows)}
    return tuple(sorted(known.values(), key=lambda one: -(one.at or 0)))


def _rejections(to: str, prefix: str, pilot: str, author: str) -> tuple[TelemetryProblem, ...] | None:
    """The rejections of the pilot, None where they cannot be read: an older monitor, or missing rights."""
    try:
        return read_problems(
            to, pilot, prefix=prefix, wait=READ_S, identity=identity_of(author), trusted=trusted_here()
        )
    except (Refused, Unavailable) as error:
        echo(tr("rejections cannot be read here: {error}", error=error), err=True)
        return None


def _own_records(to: str, prefix: str, pilot: str, author: str) -> OwnRecords:
    link = open_link(to, prefix=prefix, participant=author)
    try:
        assert isinstance(link, KafkaLink)
        return own_records(link, pilot, READ_S)
    finally:
        link.close()


def _own(to: str, prefix: str, pilot: str, author: str, as_json: bool) -> None:
    """The status from the topics of the firm alone."""
    found = _own_records(to, prefix, pilot, author)
    if as_json:
        echo(msgspec.json.encode({"pilot": pilot, **msgspec.to_builtins(found)}).decode())
        return
    for line in own_lines(pilot, found.command, found.notice, found.heard):
        echo(line)
    echo(
        tr(
            "read from the topics of {firm} alone; decisions and deadlines: --to https://GATEWAY:8322 --key",
            firm=author,
        ),
        err=True,
    )


def _charter(to: str, prefix: str, pilot: str, trusted: tuple[str, ...]) -> Charter | None:
    """The charter in force, if it can be read here."""
    try:
        versions = charters_at(to, prefix, pilot, trusted)
    except SandboxMonitorError:
        return None
    return versions[-1].charter if versions else None


def contacts_of(charter: Charter) -> dict[str, str]:
    """Contacts of firm and authorities, by who owes a step or a deadline."""
    firm = charter.participant.contacts
    ours = ", ".join(text for one in charter.authorities if one.contacts is not UNSET for text in one.contacts)
    theirs = "" if firm is UNSET else ", ".join(firm)
    return {
        Role.FIRM.value: theirs, Role.OFFICER.value: ours, Role.APPROVER.value: ours, Owes.AUTHORITY.value: ours,
    }  # fmt: skip
