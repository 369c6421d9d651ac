"""`sandbox-monitor complaints`: what users report outside the firm, and what became of it.

Each command but `import` sends one act, as `monitor/cli/control.py` does, with the same options and exit codes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import click
import msgspec

from monitor.charter.users_acts import (
    MOST_ITEMS,
    ComplaintAnswer,
    ComplaintFiling,
    ComplaintWithdrawal,
    RedressStep,
    UserComplaint,
    UserDeparture,
)
from monitor.cli.control import JSON, KEY, act_options, fresh, identity_of, send
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trusted_here
from monitor.client.control import Outcome, send_act
from monitor.client.decisions import read_decisions
from monitor.clock import wall_ms
from monitor.files.key_file import read_key
from monitor.importers.users_complaints import FIELDS, LAYOUTS, SHOWN, Refused, public_pseudonym, rows
from monitor.model.records import Reason
from monitor.state.acts_once import validity

OUTCOME_S = 60.0  # for the outcome of one act of an import


@click.group()
def complaints() -> None:
    """Complaints that users make outside the firm, their answers, redress, and users who leave the pilot.

    Sent by a public channel, whose people and keys are in the configuration of the sandbox (role public_channel), or an
    officer. The firm answers, and gives or refuses redress. Complaints are named by pseudonyms of 32 hexadecimal
    digits; any other id, such as that of a public file, is replaced by its pseudonym.
    """


def _names(_context: click.Context, _argument: click.Parameter, given: Sequence[str]) -> tuple[str, ...]:
    if len(given) > MOST_ITEMS:
        raise click.BadParameter(f"{len(given)} ids; an act has at most {MOST_ITEMS}")
    known = set("0123456789abcdef")
    return tuple(one if len(one) == 32 and set(one) <= known else public_pseudonym(one) for one in given)


ids = click.argument("ids", nargs=-1, required=True, callback=_names)


@complaints.command()
@click.argument("pilot")
@ids
@click.option("--text", default="", metavar="SHA256", help="SHA-256 of the answer, which the user has")
@act_options
def answer(pilot: str, ids: tuple[str, ...], text: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Record that complaints were answered (the firm, a public channel or an officer)."""
    send(to, prefix, ComplaintAnswer(id=id_ or fresh(), pilot=pilot, author=author, complaints=ids, text=text))


@complaints.command()
@click.argument("pilot")
@ids
@act_options
def withdraw(pilot: str, ids: tuple[str, ...], to: str, prefix: str, author: str, id_: str) -> None:
    """Record that users withdrew complaints (a public channel or an officer). What was counted stays counted."""
    send(to, prefix, ComplaintWithdrawal(id=id_ or fresh(), pilot=pilot, author=author, complaints=ids))


@complaints.command()
@click.argument("pilot")
@click.argument("step", type=click.Choice(["asked", "given", "refused"]))
@ids
@click.option("--text", default="", metavar="SHA256", help="SHA-256 of the reasons, which the user has")
@act_options
def redress(
    pilot: str, step: Any, ids: tuple[str, ...], text: str, to: str, prefix: str, author: str, id_: str
) -> None:
    """Record that redress was asked for, given or refused. The firm does not ask."""
    act = RedressStep(id=id_ or fresh(), pilot=pilot, author=author, step=step, complaints=ids, text=text)
    send(to, prefix, act)


@complaints.command()
@click.argument("pilot")
@ids
@act_options
def leave(pilot: str, ids: tuple[str, ...], to: str, prefix: str, author: str, id_: str) -> None:
    """Record that users withdrew from the pilot (a public channel or an officer). IDS are pseudonyms of users."""
    send(to, prefix, UserDeparture(id=id_ or fresh(), pilot=pilot, author=author, users=ids))


def _columns(_context: click.Context, _option: click.Parameter, given: Sequence[str]) -> dict[str, str]:
    found = dict(one.partition("=")[::2] for one in given)
    if wrong := sorted(set(found) - set(FIELDS)):
        raise click.BadParameter(f"{wrong[0]!r} is no field; write FIELD=COLUMN with a field of {', '.join(FIELDS)}")
    return found


def _values(_context: click.Context, _option: click.Parameter, given: Sequence[str]) -> tuple[tuple[str, str], ...]:
    if wrong := [one for one in given if "=" not in one]:
        raise click.BadParameter(f"{wrong[0]!r}; write COLUMN=VALUE")
    return tuple((name, value) for name, _, value in (one.partition("=") for one in given))


@complaints.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--pilot", required=True, help="the pilot that all complaints are about")
@click.option("--layout", type=click.Choice(list(LAYOUTS)), default="plain", show_default=True, help="known columns")
@click.option("--map", "columns", multiple=True, callback=_columns, metavar="FIELD=COLUMN", help="id, time or segment")
@click.option("--where", multiple=True, callback=_values, metavar="COLUMN=VALUE", help="only such rows; repeatable")
@click.option("--zone", default="UTC", show_default=True, help="of times without an offset, such as America/New_York")
@click.option("--dry-run", is_flag=True, help="send nothing; say what would be sent, refused and repeated")
@act_options
def import_(
    file: Path,
    pilot: str,
    layout: str,
    columns: dict[str, str],
    where: tuple[tuple[str, str], ...],
    zone: str,
    dry_run: bool,
    to: str,
    prefix: str,
    author: str,
    id_: str,
) -> None:
    """Report a public file of complaints (CSV), up to 50 in one act.

    What the record of the pilot has already is left out, so the same file twice changes nothing. A complaint counts in
    the indicators of outside complaints if its period is open, up to the budget of a sender and a day; the others are
    on record as late or over budget. Exit codes: 0 done, 1 an act was refused or the record cannot be read, 2 usage
    error, 3 server unavailable.
    """
    as_json: bool = click.get_current_context().meta.get(JSON, False)
    if zone not in available_timezones():
        raise click.BadParameter(f"{zone} is no time zone; write a name such as Europe/Berlin", param_hint="--zone")
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            found = list(rows(lines, LAYOUTS[layout] | columns, where, zone))
    except (ValueError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file}: {error}") from None
    record = read_decisions(to, pilot, prefix=prefix, identity=identity_of(author), trusted=trusted_here())
    if not record.whole:
        raise click.ClickException("the record cannot be read to its start in time; nothing was sent")
    known = {
        name
        for one in record.decisions
        if one.reason is Reason.COMPLAINT_FILED and one.finding.content
        for name in one.finding.content.get("complaints", ())  # type: ignore[union-attr]
    }
    whole = [one for one in found if isinstance(one, UserComplaint)]
    new = [one for one in whole if one.complaint not in known]
    report: dict[str, Any] = {
        "file": str(file),
        "pilot": pilot,
        "rows": len(found),
        "repeated": len(whole) - len(new),
        "refused": _refusals([one for one in found if isinstance(one, Refused)]),
        "new": len(new),
    }
    if not dry_run:
        report |= _sent(to, prefix, pilot, author, new)
    _print(report, as_json, dry_run)
    if report.get("not_taken"):
        raise SystemExit(1)


def _refusals(found: Sequence[Refused]) -> dict[str, Any]:
    counts = Counter(one.why.value for one in found)
    lines = {why: [one.line for one in found if one.why.value == why][:SHOWN] for why in counts}
    return {why: {"rows": count, "first_lines": lines[why]} for why, count in sorted(counts.items())}


def _sent(to: str, prefix: str, pilot: str, author: str, new: Sequence[UserComplaint]) -> dict[str, Any]:
    """Send acts one after the other; stops at the first that is refused."""
    key: Path | None = click.get_current_context().meta.get(KEY)
    taken: Counter[str] = Counter()
    for start in range(0, len(new), MOST_ITEMS):
        given = validity(0, wall_ms())
        act = ComplaintFiling(
            id=fresh(),
            pilot=pilot,
            author=author,
            complaints=tuple(new[start : start + MOST_ITEMS]),
            not_before=given["not_before"],
            not_after=given["not_after"],
        )
        body = msgspec.json.encode(act)
        signature = read_key(key).sign("control", body) if key else ""
        more: Any = {"wait": OUTCOME_S, "prefix": prefix, "identity": identity_of(author), "trusted": trusted_here()}
        outcome = send_act(to, pilot, act.id, body, signature, **more)
        why = _counted(outcome, taken)
        if why:
            return {**taken, "not_taken": len(new) - taken["taken"], "why": why}
    return {"taken": taken["taken"], "late": taken["late"], "over_budget": taken["over budget"]}


def _counted(outcome: Outcome | None, taken: Counter[str]) -> str:
    """Add what an act reported. Returns why nothing was, or an empty text."""
    if outcome is None:
        return f"no outcome within {OUTCOME_S:g} s; import the file again later"
    if outcome.decision is None:
        return "refused" if outcome.rejected is None else f"{outcome.rejected.field}: {outcome.rejected.detail}"
    content = outcome.decision.finding.content or {}
    taken["taken"] += round(outcome.decision.finding.observed or 0)
    for name in ("late", "over budget"):
        value = content.get(name, 0)
        taken[name] += round(value) if isinstance(value, int | float) else 0
    return ""


def _print(report: dict[str, Any], as_json: bool, dry_run: bool) -> None:
    if as_json:
        echo(json.dumps(report))
        return
    refused = report["refused"]
    echo(f"{report['file']}: {report['rows']} rows, {report['repeated']} on record before, {report['new']} new")
    for why, one in refused.items():
        lines = ", ".join(map(str, one["first_lines"]))
        echo(f"refused {one['rows']}: {why.replace('_', ' ')} (lines {lines}{' ...' if one['rows'] > SHOWN else ''})")
    if dry_run:
        echo("dry run: nothing was sent")
    else:
        said = f"taken {report.get('taken', 0)}, of these {report.get('late', 0)} late"
        echo(f"{said} and {report.get('over_budget', 0)} over the budget of the day")
    if report.get("not_taken"):
        echo(f"{report['not_taken']} were not taken: {report['why']}", err=True)
