"""`sandbox-monitor status`: where a pilot stands in its life, what is open, which step is next and who owes it."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from msgspec import UNSET

from monitor.charter.spec import Charter
from monitor.cli.addresses import to_option
from monitor.cli.charter_show import charters_at
from monitor.cli.control import KEY, identity_of
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trust_option, trusted_here
from monitor.client.control import read_status
from monitor.clock import wall_ms
from monitor.errors import SandboxMonitorError
from monitor.lifecycle.acts import Role
from monitor.lifecycle.names import INITIAL, Region, State
from monitor.lifecycle.next_steps import command_for
from monitor.model.clock_record import ClockRecord, Owes
from monitor.model.subjects import is_pilot
from monitor.projections.clock_board import time_left
from monitor.projections.formats import stamp
from monitor.projections.pilot_status import PilotStatus
from monitor.projections.wording import plain


@click.command()
@click.argument("pilot")
@to_option("as for the acts")
@click.option("--prefix", default="sandbox", show_default=True, help="prefix of the Kafka topic names")
@click.option("--author", default="", help="the firm by its participant.id, for a gateway")
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=lambda context, _option, path: context.meta.__setitem__(KEY, path),
    expose_value=False,
    help="key file of the firm, for a gateway",
)
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
@trust_option
def status(pilot: str, to: str, prefix: str, author: str, as_json: bool, trusted: tuple[str, ...]) -> None:
    """Print where PILOT stands: its states, level, open findings, the next step and who owes it, legal deadlines.

    Read from the recorded decisions, also before the admission. Whom to reach is printed where the charter in force
    names contacts.

    \b
    Exit codes:
      0  printed
      1  no entry of the pilot was found
      2  usage error
      3  the server is unavailable
    """
    if not is_pilot(pilot):
        raise click.BadParameter(f"{pilot} is no pilot; see `sandbox show`, `model show`", param_hint="PILOT")
    try:
        found = read_status(to, pilot, prefix=prefix, identity=identity_of(author), trusted=trusted_here())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error
    if found is None:
        raise click.ClickException(f"no entry of {pilot} was found; `apply` begins its record")
    if as_json:
        echo(msgspec.json.encode(found).decode())
        return
    charter = _charter(to, prefix, pilot, trusted)
    for line in _lines(found, {} if charter is None else contacts_of(charter), wall_ms()):
        echo(line)
    if charter is not None and not charter.participant.keys and not found.open_mode:
        echo("unsigned   the charter has no key of the firm, so the author of its acts is not proved")
    if not found.whole:
        echo("older decisions were not read: open findings and deadlines may be missing", err=True)


def _lines(found: PilotStatus, contacts: dict[str, str], now: int) -> list[str]:
    others = [
        plain(name) for region, name in found.states.items()
        if region != Region.PILOT and State(name) is not INITIAL[Region(region)]
    ]  # fmt: skip
    state = ", ".join([plain(found.states[Region.PILOT]), *others])
    outcome = f" (outcome {plain(found.outcome)})" if found.outcome else ""
    unknown = f", unknown: {plain(found.unknown)}" if found.unknown else ""
    lines = [
        f"{found.pilot} of {found.participant}: {state}{outcome}",
        f"level      {found.level}{unknown}; decision {found.standing}, {stamp(found.at)}",
        f"charter    {found.charter}",
    ]
    if found.authorities:
        lines.append(f"authority  {', '.join(found.authorities)}")
    if found.open_mode:
        lines.append("open mode  the last act was not signed: its author is not proved")
    lines += [
        f"open       {one.key}: {plain(one.reason)} ({one.level}) since {stamp(one.since)}" for one in found.findings
    ]
    for step in found.steps:
        whom = f"{step.who} owes `{command_for(step.act)}`" if step.who else "waits"
        where = f" [{contacts[step.who]}]" if contacts.get(step.who) else ""
        lines.append(f"next       {whom}: {step.what}{where}")
    lines += [_clock(one, contacts, now) for one in found.clocks]
    return [*lines, *(f"last       {text}" for text in found.newest)]


def _clock(one: ClockRecord, contacts: dict[str, str], now: int) -> str:
    left = time_left(None if one.due is None else one.due - now)
    where = f" [{contacts[one.owed_by]}]" if contacts.get(one.owed_by) else ""
    forbids = f"; forbids {', '.join(map(plain, one.forbids))}" if one.forbids else ""
    about = f", {plain(one.starts)} {one.key}" if one.key else ""
    return f"deadline   {one.owed_by} owes {one.title} ({one.basis}){about}: {left}{forbids}{where}"


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
