"""`sandbox-monitor ledger`: verify, show and rebuild ledgers; disclose or erase texts that they only commit to."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from monitor.cli.terminal import echo
from monitor.errors import LedgerBroken
from monitor.model.records import Decision, Level, Reason
from monitor.notary import verify as verifier
from monitor.notary.commitment import FIELDS, Plaintext, PlaintextBroken, by_entry, committed, get, line, lines, put
from monitor.notary.cursor import FIX, too_short
from monitor.notary.encoding import Entry
from monitor.notary.format import Damage
from monitor.notary.not_entered import problems as not_entered
from monitor.notary.plaintexts import PlaintextStore, plaintext_dir
from monitor.notary.rebuild import rebuild as reset_cursor
from monitor.notary.verify import CommitmentMismatch
from monitor.projections.wording import REASONS, budget_words, sentence

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def ledger() -> None:
    """Verify, show and rebuild ledgers; disclose or erase plaintexts. Needs the files only, no network."""


@ledger.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--root", "roots", multiple=True, metavar="HEX", help="a root noted earlier; repeatable")
@click.option("--disclosed", type=FILE, help="check these texts (`ledger disclose`) against their commitments")
@click.option("--json", "as_json", is_flag=True, help="one JSON object per ledger")
def verify(path: Path, roots: tuple[str, ...], disclosed: Path | None, as_json: bool) -> None:
    """Check every entry of a ledger file, or of all ledgers in a directory, and print the entries and root of each.

    With --root, also print at which size a ledger had that root: all entries before are unchanged.

    The decisions of a pilot are numbered without gaps (`standing`): a missing number is damage. A ledger that begins
    above 1 is sound, and stderr says so: it was started when earlier decisions were no longer in the log. In a
    directory, cursor.json must not know more entries than the ledgers hold, and not-entered.jsonl no decision behind
    the end of its ledger.

    Exit codes: 0 sound, 1 damaged (FILE:ENTRY:OFFSET on stderr; entries count from 0, offsets in bytes), entries
    missing, a root not found, or a disclosed text that does not match its commitment.
    """
    bad = shown = 0
    texts = _disclosed(disclosed) if disclosed else []
    missing = {root.lower() for root in roots}
    try:
        files = verifier.ledgers(path)
    except Damage as damage:
        _say(str(damage))
        sys.exit(1)
    cursor, sounds, last = verifier.cursor_of(path), list[verifier.Verified](), dict[str, int]()
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("verify", total=sum(file.stat().st_size for file in files))
        done = 0
        for file in files:
            try:
                sound = verifier.verify(
                    file,
                    roots,
                    lambda read, done=done: bar.update(task, completed=done + read),  # type: ignore[misc]
                    texts,
                )
            except (Damage, CommitmentMismatch) as damage:
                bad += 1
                _say(str(damage))
            except OSError as error:
                bad += 1
                _say(f"{file}: {error.strerror}")
            else:
                missing -= sound.found.keys()
                shown += sound.shown
                sounds.append(sound)
                last[sound.model] = max(last.get(sound.model, 0), sound.last or 0)
                _print(sound, as_json)
            done += file.stat().st_size
    for problem in [] if bad else too_short(cursor, verifier.sizes_of(sounds)):
        bad += 1
        _say(f"{path}: {problem}; {FIX.format(directory=path)}")
    for problem in not_entered(path, last) if path.is_dir() and not bad else []:
        bad += 1
        _say(problem)
    for root in sorted(missing):
        bad += 1
        _say(f"no ledger here had the root {root}")
    if disclosed:
        bad += shown != len(texts)
        _say(f"{shown} of {len(texts)} disclosed texts match their commitments")
    _say(f"{len(files)} {'ledger' if len(files) == 1 else 'ledgers'}, {'sound' if not bad else f'{bad} wrong'}")
    sys.exit(1 if bad else 0)


@ledger.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="one JSON object per entry")
def show(file: Path, as_json: bool) -> None:
    """Print and check the entries of one ledger file, oldest first.

    Below each entry: what was decided, in the words of the board. For a hard rule: rule, incident, severity and harm.
    For a limit: events and exposure, what was allowed, the ratio with its interval, the evidence (an e-value) and its
    threshold, then the alpha of this threshold and of all thresholds up to now. For an admission: the hash of the
    charter; `charter show` prints the charter.

    Authors and texts of people are printed if their plaintexts are stored next to the ledger and you may read them; the
    ledger holds only commitments to them.

    Exit codes: 0 sound, 1 damaged (entries before the damage are printed), or a plaintext does not match its
    commitment.
    """
    try:
        kept = by_entry(_kept(file).values())
        for number, entry in enumerate(verifier.entries(file)):
            known = kept.get(entry.id, [])
            verifier.check_disclosure(file, entry, known)
            texts = {plaintext.field: plaintext.text for plaintext in known}
            for text in [_as_json(number, entry, texts)] if as_json else _as_lines(number, entry, texts):
                echo(text)
    except (Damage, CommitmentMismatch, PlaintextBroken) as damage:
        _say(str(damage))
        sys.exit(1)


@ledger.command()
@click.argument("file", type=FILE)
@click.option("--entry", "chosen", multiple=True, metavar="ID", help="of these entries only; repeatable [default: all]")
def disclose(file: Path, chosen: tuple[str, ...]) -> None:
    """Print the plaintexts of the entries of one ledger file, with their salts, one JSON object per text.

    Anyone can check them against the ledger with `ledger verify --disclosed`. Exit codes: 0 done, 1 there are none.
    """
    try:
        texts = [text for text in _kept(file).values() if not chosen or text.id in chosen]
    except PlaintextBroken as error:
        raise click.ClickException(str(error)) from error
    for text in texts:
        echo(line(text))
    if not texts:
        raise click.ClickException(
            "no plaintexts of these entries are stored next to this ledger, or you may not read them"
        )


@ledger.command()
@click.argument("file", type=FILE)
@click.option("--entry", required=True, metavar="ID", help="the entry whose plaintexts to erase")
@click.option(
    "--field", "fields", multiple=True, type=click.Choice(FIELDS), help="only this; repeatable [default: all]"
)
def erase(file: Path, entry: str, fields: tuple[str, ...]) -> None:
    """Erase the plaintexts of an entry and their salts. The ledger does not change and stays sound.

    Afterwards the text cannot be recovered or proved. The notary may be running. Exit codes: 0 erased, 1 there was
    nothing to erase.
    """
    try:
        erased = PlaintextStore(plaintext_dir(file.parent.resolve())).erase(file.stem, entry, fields or FIELDS)
    except (PlaintextBroken, OSError) as error:
        raise click.ClickException(str(error)) from error
    if not erased:
        raise click.ClickException(f"no plaintexts of entry {entry} are stored next to this ledger")
    echo(f"erased: {erased} {'text' if erased == 1 else 'texts'} of entry {entry}")


@ledger.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
def rebuild(directory: Path) -> None:
    """Prepare the ledgers in DIRECTORY so that the next start appends missing entries from the decisions log.

    For ledgers that were restored from an older copy, or are missing. Stop the monitor (`serve`, `notary`) first. Every
    ledger here is verified; then the cursor is reset, so that the next start reads the log from its beginning: known
    records are skipped, missing ones appended, with the same bytes and roots as before. If the log no longer holds a
    missing record, that start ends with exit code 1 and names it. The old cursor, and the index of a missing ledger,
    are kept as `<name>.old` (then `.old.1` ...).

    Exit codes: 0 ready to start, 1 a ledger is damaged or a monitor is running.
    """
    try:
        for text in reset_cursor(directory):
            _say(text)
    except (Damage, LedgerBroken, OSError) as error:
        raise click.ClickException(str(error)) from error


def _kept(file: Path) -> dict[tuple[str, str], Plaintext]:
    """The plaintexts of a ledger file; none when they are not stored here or not readable."""
    try:
        return PlaintextStore(plaintext_dir(file.parent.resolve())).of(file.stem)
    except OSError:
        return {}


def _disclosed(path: Path) -> list[Plaintext]:
    try:
        texts = [text for text in lines(path, path.read_bytes()) if text.salt]
    except (PlaintextBroken, OSError) as error:
        raise click.ClickException(str(error)) from error
    if not texts:
        raise click.ClickException(f"{path} discloses nothing; fix: give the lines that `ledger disclose` printed")
    return texts


def _print(sound: verifier.Verified, as_json: bool) -> None:
    if as_json:
        fields = sound._asdict() | {"file": str(sound.file)}
        echo(json.dumps(fields, sort_keys=True))
    else:
        echo(f"{sound.file} entries={sound.entries} root={sound.root} pilot={sound.name.text}")
    for root, size in sound.found.items():
        _say(
            f"{sound.file}: had the root {root[:16]}... at {size} entries; {sound.entries - size} since, all before "
            f"unchanged"
        )
    for remark in sound.remarks:
        _say(remark)


def _as_json(number: int, entry: Entry, texts: dict[str, str]) -> str:
    fields = {"number": number, "type": entry.type.name.lower(), "record": entry.record()}
    if texts:
        fields["words"] = texts
    return json.dumps(fields, sort_keys=True, ensure_ascii=False)


def _as_lines(number: int, entry: Entry, texts: dict[str, str]) -> list[str]:
    record = entry.record()
    at = datetime.fromtimestamp(entry.at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if "action" in record:
        what = record["action"]
    else:
        was, level = Level(record["was"]).word, Level(record["level"]).word
        what = f"{was} -> {level}" if was != level else level
    who = texts.get("author") or get(record, "author") or ""
    by = f" by {who if isinstance(who, str) else f'({str(committed(who))[:16]}...)'}" if who else ""
    kind = record.get("kind", "command")
    head = f"{number:>6}  {at}  standing {entry.standing:<5} {kind:<8} {what:<20} {record['reason']}  {entry.id}{by}"
    return [head, *(f"        {line}" for line in _explained(record, texts))]


def _explained(record: dict[str, Any], texts: dict[str, str]) -> list[str]:
    """What was decided and on which numbers, in the sentences of the board, then the alpha of the thresholds. Empty for
    records of a newer version that this one does not know: `--json` shows them."""
    for field in FIELDS:
        if get(record, field):
            put(record, field, texts.get(field) or _clear(get(record, field)))
    try:
        if "action" in record:
            reason = REASONS[Reason(record["reason"])]
            return [f"Command to {record['action']} for decision {record['decision']}: {reason}."]
        decision = msgspec.convert(record, Decision)
    except (msgspec.ValidationError, ValueError, KeyError):
        return []
    small = budget_words(decision.finding)
    if decision.reason in (Reason.ADMITTED, Reason.AMENDED):
        small.append(f"charter {decision.charter}")
    return [f"{sentence(decision)}.", *(["; ".join(small)] if small else [])]


def _clear(value: object) -> str:
    """The text in an entry; empty for a commitment."""
    return value if isinstance(value, str) else ""


def _say(text: str) -> None:
    echo(text, err=True)
