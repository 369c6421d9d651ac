"""`sandbox-monitor ledger`: verify a ledger, or read it."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from monitor.model import Level
from monitor.notary import verify as verifier
from monitor.notary.encoding import Entry
from monitor.notary.segment import Damage


@click.group()
def ledger() -> None:
    """Verify a ledger, or read it. Needs no network and nothing but the files."""


@ledger.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--root", "roots", multiple=True, metavar="HEX", help="a root noted earlier; may be given again")
@click.option("--json", "as_json", is_flag=True, help="one JSON object per ledger")
def verify(path: Path, roots: tuple[str, ...], as_json: bool) -> None:
    """Re-read every entry of a ledger file, or of all in a directory, and print entries and root of each.

    With --root, also say at which size a ledger had that root: everything before is unchanged since it was noted.

    Exit codes: 0 sound, 1 damaged (FILE:ENTRY:OFFSET on stderr; entries count from 0, offsets in bytes) or a root not found.
    """
    bad = 0
    missing = {root.lower() for root in roots}
    try:
        files = verifier.ledgers(path)
    except Damage as damage:
        _say(str(damage))
        sys.exit(1)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("verify", total=sum(file.stat().st_size for file in files))
        done = 0
        for file in files:
            try:
                sound = verifier.verify(file, roots, lambda read, done=done: bar.update(task, completed=done + read))  # type: ignore[misc]
            except Damage as damage:
                bad += 1
                _say(str(damage))
            except OSError as error:
                bad += 1
                _say(f"{file}: {error.strerror}")
            else:
                missing -= sound.found.keys()
                _print(sound, as_json)
            done += file.stat().st_size
    for root in sorted(missing):
        bad += 1
        _say(f"no ledger here ever had the root {root}")
    _say(f"{len(files)} {'ledger' if len(files) == 1 else 'ledgers'}, {'sound' if not bad else f'{bad} wrong'}")
    sys.exit(1 if bad else 0)


@ledger.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="one JSON object per entry")
def show(file: Path, as_json: bool) -> None:
    """Print the entries of one ledger file, oldest first, checking each.

    Exit codes: 0 sound, 1 damaged (what comes before the damage is printed).
    """
    try:
        for number, entry in enumerate(verifier.entries(file)):
            click.echo(_as_json(number, entry) if as_json else _as_line(number, entry))
    except Damage as damage:
        _say(str(damage))
        sys.exit(1)


def _print(sound: verifier.Verified, as_json: bool) -> None:
    if as_json:
        fields = sound._asdict() | {"file": str(sound.file)}
        click.echo(json.dumps(fields, sort_keys=True))
    else:
        click.echo(f"{sound.file} entries={sound.entries} root={sound.root} pilot={sound.model}")
    for root, size in sound.found.items():
        _say(
            f"{sound.file}: had the root {root[:16]}... at {size} entries; {sound.entries - size} since, all before unchanged"
        )
    if sound.torn:
        _say(f"{sound.file}: ends with {sound.torn} bytes of an entry that was never acknowledged")


def _as_json(number: int, entry: Entry) -> str:
    fields = {"number": number, "type": entry.type.name.lower(), "record": entry.record()}
    return json.dumps(fields, sort_keys=True, ensure_ascii=False)


def _as_line(number: int, entry: Entry) -> str:
    record = entry.record()
    at = datetime.fromtimestamp(entry.at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if "action" in record:
        what = record["action"]
    else:
        was, level = Level(record["was"]).word, Level(record["level"]).word
        what = f"{was} -> {level}" if was != level else level
    by = f" by {record['author']}" if record.get("author") else ""
    kind = record.get("kind", "command")
    return f"{number:>6}  {at}  standing {entry.standing:<5} {kind:<8} {what:<20} {record['reason']}{by}  {entry.id}"


def _say(text: str) -> None:
    click.echo(text, err=True)
