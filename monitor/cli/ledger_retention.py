"""`sandbox-monitor ledger hold` and `ledger retention`: what is held as evidence, and what has reached its time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from monitor.cli.terminal import echo
from monitor.clock import wall_ms
from monitor.errors import LedgerBroken
from monitor.notary.commitment import PlaintextBroken
from monitor.notary.entry_text import stamped
from monitor.notary.format import EVIDENCE, Damage, LedgerReader
from monitor.notary.holds import Hold, hold_of
from monitor.notary.retention import CLASSES, Due, apply, due
from monitor.notary.verify import entries, ledgers

DIRECTORY = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("--json", "as_json", is_flag=True, help="one JSON object per pilot")
def hold(path: Path, as_json: bool) -> None:
    """Print whether the pilots of a ledger file, or of all in a directory, are held as evidence.

    While a pilot is held, `ledger erase` and `ledger retention` leave everything of it. An officer sets the hold with
    `sandbox-monitor hold PILOT --reason ...` and lifts it with `sandbox-monitor lift-hold`; a serious incident sets it
    too. Each is an entry of the ledger, which is all that this command reads.

    Exit codes: 0 printed, 1 a ledger is damaged, 2 usage error.
    """
    try:
        for file in ledgers(path):
            with file.open("rb") as opened:
                name = LedgerReader(file, opened).name
            if name.log == EVIDENCE:
                continue
            found = hold_of(entries(file))
            echo(_json(name.subject, found) if as_json else _line(name.subject, found))
    except Damage as damage:
        raise click.ClickException(str(damage)) from damage


@click.command()
@click.argument("directory", type=DIRECTORY)
@click.option("--keep", multiple=True, metavar="CLASS=DAYS", help="another time than the default; `forever` for no end")
@click.option("--at", "day", metavar="DATE", help="as if it were this day, YYYY-MM-DD [default: now]; not with --apply")
@click.option("--apply", "really", is_flag=True, help="erase and delete what is due and not held")
def retention(directory: Path, keep: tuple[str, ...], day: str | None, really: bool) -> None:
    """Print how long each kind of record is kept, and what has reached its time; with --apply remove that.

    Texts that the ledger only commits to are erased with their salts: no root changes. A complete yearly shard of
    evidence is deleted (stop the monitor first); the next shard has its size and root, and retired.jsonl lists it.
    Entries of decisions are never removed. What is published elsewhere (`--publish`) must be deleted there.

    Nothing of a pilot that is held as evidence is removed (`ledger hold`). The result is on stdout; exit codes: 0 done,
    1 a ledger is damaged or a monitor is running, 2 usage error.
    """
    if really and day:
        raise click.UsageError("--apply removes what is due now; leave out --at")
    days, now = _days(keep), wall_ms() if day is None else _day(day)
    for one in CLASSES:
        kept = days[one.name]
        echo(f"{one.name:<10} {'for ever' if kept is None else f'{kept} days':<10} {one.what} ({one.why})")
    try:
        found = due(directory, now, days)
        for row in found:
            echo(_due(row))
        if really:
            for text in apply(directory, found, now):
                echo(text)
    except (Damage, PlaintextBroken, LedgerBroken, OSError) as error:
        raise click.ClickException(str(error)) from error
    held = sum(row.held is not None for row in found)
    echo(f"{len(found)} due, of these {held} held as evidence", err=True)


def _days(keep: tuple[str, ...]) -> dict[str, int | None]:
    days = {one.name: one.days for one in CLASSES}
    for text in keep:
        name, _, value = text.partition("=")
        if name not in days or name == "decisions":
            known = ", ".join(one for one in days if one != "decisions")
            raise click.BadParameter(f"{text}: give one of {known}, = and days", param_hint="--keep")
        if value != "forever" and not (value.isascii() and value.isdigit()):
            raise click.BadParameter(f"{text}: give a number of days, or `forever`", param_hint="--keep")
        days[name] = None if value == "forever" else int(value)
    return days


def _day(text: str) -> int:
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        raise click.BadParameter(f"{text}: give a day as YYYY-MM-DD", param_hint="--at") from None


def _due(one: Due) -> str:
    what = f"{one.field} of entry {one.entry}" if one.entry else "shard of evidence"
    held = "" if one.held is None else f"; held since entry {one.held.number} ({one.held.id})"
    return f"due {stamped(one.until)} {one.kind:<10} {one.file.name}: {what}{held}"


def _line(pilot: str, found: Hold | None) -> str:
    if found is None:
        return f"{pilot}: not held"
    return f"{pilot}: held as evidence since entry {found.number}, {stamped(found.at)} ({found.id})"


def _json(pilot: str, found: Hold | None) -> str:
    return json.dumps({"pilot": pilot, "held": None if found is None else found._asdict()}, sort_keys=True)
