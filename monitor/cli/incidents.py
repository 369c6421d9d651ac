"""Acts about incidents as commands: the firm's report and notice to the authority, an officer's classification.

Each sends one act, as `monitor/cli/control.py` does, with the same options and exit codes.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click
import msgspec

from monitor.charter.act_base import Instant
from monitor.charter.incident_acts import ChangeNotice, IncidentReportAct, Reclassification, SuspensionNotice
from monitor.cli.control import KEY, act_options, fresh, identity_of, send
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trusted_here
from monitor.client.control import read_status
from monitor.deadlines.facts import FactKind
from monitor.errors import SandboxMonitorError
from monitor.files.key_file import read_key
from monitor.model.clock_record import IncidentClass
from monitor.model.pseudonyms import is_pseudonym, pseudonym
from monitor.translation import tr

AWARE = "since when the firm knew of it, if earlier than its first report; RFC 3339 with a UTC offset"


def _instant(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return msgspec.convert(text, Instant)
    except msgspec.ValidationError:
        raise click.BadParameter(tr("{text}: write a time such as 2026-03-02T10:00:00+01:00", text=text)) from None


aware_option = click.option("--aware", callback=_instant, metavar="TIME", help=AWARE)


@click.command("report-incident")
@click.argument("pilot")
@click.option("--incident", required=True, help="id of the incident, as in its telemetry")
@click.option("--complete/--initial", required=True, help="the complete report, or an incomplete one that comes first")
@click.option("--report", required=True, help="where the report is")
@aware_option
@act_options
def report_incident(
    pilot: str,
    incident: str,
    complete: bool,
    report: str,
    aware: datetime | None,
    to: str,
    prefix: str,
    author: str,
    id_: str,
) -> None:
    """Report a serious incident to the authority (the firm; EU AI Act, Art. 73).

    An initial report in time is enough; the complete one stays owed. Deadlines run from the first event about the
    incident, or from --aware if that is earlier. The id is the one that your service passed to the SDK: where the SDK
    sent its pseudonym, made with the same --key, the pseudonym is sent here too.
    """
    act = IncidentReportAct(
        id=id_ or fresh(),
        pilot=pilot,
        author=author,
        incident=_as_known(to, prefix, pilot, author, incident),
        complete=complete,
        report=report,
        aware=aware,
    )
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@click.option(
    "--about",
    required=True,
    type=click.Choice(["change", "suspension"]),
    help="change: the authority is told of a change of the system; suspension: the AI Office was told (an officer)",
)
@click.option("--notice", "words", required=True, help="what was told, and where it can be found")
@click.option("--incident", default="", help="id of the incident (--about change) [default: every open one]")
@act_options
def notice(pilot: str, about: str, words: str, incident: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Record that somebody was told.

    While a serious incident is open, the model must not change before the authority was told of the incident or of
    the change (Art. 73(6)). Of a suspension the AI Office is told (Art. 57(11)).
    """
    if about == "suspension":
        if incident:
            raise click.UsageError(tr("--incident goes with --about change"))
        send(to, prefix, SuspensionNotice(id=id_ or fresh(), pilot=pilot, author=author, notice=words))
        return
    if incident:
        incident = _as_known(to, prefix, pilot, author, incident)
    send(to, prefix, ChangeNotice(id=id_ or fresh(), pilot=pilot, author=author, notice=words, incident=incident))


def _as_known(to: str, prefix: str, pilot: str, author: str, incident: str) -> str:
    """The id under which a deadline of the incident runs: as given, or its pseudonym by the author's key. Without one
    stderr says so, and the id is sent as given."""
    try:
        found = read_status(to, pilot, prefix=prefix, identity=identity_of(author), trusted=trusted_here())
    except (SandboxMonitorError, ValueError):  # sending the act reports it
        return incident
    known = [] if found is None else [one.key for one in found.clocks if one.starts == FactKind.SERIOUS_INCIDENT.value]
    key: Path | None = click.get_current_context().meta.get(KEY)
    made = incident if key is None or is_pseudonym(incident) else pseudonym(read_key(key).pseudonym_key, incident)
    if incident in known or made == incident:
        same = incident
    elif made in known:
        echo(tr("incident {incident} has the pseudonym {made}", incident=incident, made=made), err=True)
        same = made
    else:
        same = incident
    if same not in known:
        said = tr(
            "no open deadline of incident {incident} was found, so this ends none; open are: {known}",
            incident=same, known=", ".join(dict.fromkeys(known)) or tr("none"),
        )  # fmt: skip
        echo(said, err=True)
    return same


@click.command()
@click.argument("pilot")
@click.option("--incident", required=True, help="id of the incident, as in its telemetry")
@click.option(
    "--class",
    "classes",
    multiple=True,
    type=click.Choice([name.value for name in IncidentClass]),
    help="class of the incident; repeatable",
)
@click.option("--not-serious", is_flag=True, help="it is no serious incident: its deadlines end")
@click.option("--reason", required=True, help="reason; recorded in the ledger")
@aware_option
@act_options
def reclassify(
    pilot: str,
    incident: str,
    classes: tuple[str, ...],
    not_serious: bool,
    reason: str,
    aware: datetime | None,
    to: str,
    prefix: str,
    author: str,
    id_: str,
) -> None:
    """Decide on the classes of an incident, in place of what was reported (an officer).

    Deadlines follow: 2 days for critical infrastructure and widespread infringement, 10 for a death, 15 for the rest.
    Later reports count again.
    """
    if bool(classes) == not_serious:
        raise click.UsageError(tr("name at least one --class, or say --not-serious"))
    act = Reclassification(
        id=id_ or fresh(),
        pilot=pilot,
        author=author,
        incident=incident,
        classes=tuple(IncidentClass(name) for name in classes),
        reason=reason,
        aware=aware,
    )
    send(to, prefix, act)
