"""`sandbox-monitor ledger`: verify, show and rebuild ledgers; disclose or erase texts that they only commit to."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from monitor.cli.ledger_bundle import bundle
from monitor.cli.ledger_compare import compare
from monitor.cli.ledger_prove import prove, restore_authority
from monitor.cli.ledger_retention import hold, retention
from monitor.cli.ledger_stamp import stamp
from monitor.cli.ledger_witness import witness
from monitor.cli.terminal import echo
from monitor.errors import LedgerBroken
from monitor.notary import verify as verifier
from monitor.notary.commitment import Plaintext, PlaintextBroken, by_entry, line
from monitor.notary.entry_text import as_json_line, as_lines
from monitor.notary.format import Damage
from monitor.notary.holds import hold_of
from monitor.notary.plaintexts import PlaintextStore, plaintext_dir
from monitor.notary.rebuild import rebuild as reset_cursor
from monitor.notary.verify import CommitmentMismatch
from monitor.verifier.main import main as verifier_main

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def ledger() -> None:
    """Verify, show and rebuild ledgers; disclose or erase plaintexts; run a witness; stamp checkpoints.

    Needs the files only, no network, except `witness`, which listens, and `stamp --url`.
    """


ledger.add_command(prove)
ledger.add_command(hold)
ledger.add_command(retention)
ledger.add_command(restore_authority)
ledger.add_command(bundle)


@ledger.command()
@click.argument("arguments", nargs=-1, metavar="[PATH|URL]...")
@click.argument("path", type=click.Path(), metavar="PATH|URL")
@click.option("--root", multiple=True, metavar="HEX", help="a root noted earlier; repeatable")
@click.option("--disclosed", type=FILE, help="texts (`ledger disclose`) to check against their commitments")
@click.option("--json", is_flag=True, help="the report as JSON (monitor/verifier/report.schema.json)")
@click.option("--checkpoint", multiple=True, type=FILE, help="an earlier checkpoint; repeatable")
@click.option("--policy", multiple=True, type=FILE, help="keys, witnesses, quorum of a log (tlog-policy); repeatable")
@click.option("--log-key", multiple=True, metavar="VKEY", help="the key of a log; repeatable")
@click.option("--witness-key", multiple=True, metavar="VKEY", help="the key of a witness; repeatable")
@click.option("--stamp-root", type=FILE, help="root certificate of the time stamp authority (PEM)")
@click.option("--published", metavar="DIR|URL", help="the published logs that the ledgers given must agree with")
@click.option("--entries", is_flag=True, help="after the report, print what each entry says, if all is verified")
@click.option("--structure", is_flag=True, help="do not parse the JSON of entries: several times as fast")
def verify(arguments: tuple[str, ...], path: str, **flags: Any) -> None:
    """Verify ledgers: a ledger file, a directory of the notary, a published directory or one log of it, the http(s) URL
    of one, or a bundle.

    The report on stdout names each check by its id, lists the trust anchors that were not given, and ends with what the
    verification does not establish. Failures and warnings go to stderr too, as FILE:ENTRY:OFFSET: problem (entries
    count from 0, offsets in bytes), unless stdout is a terminal. @FILE reads further arguments from a file, one on each
    line.

    With --root, also print at which size a ledger had that root: all entries before are unchanged. Missing numbers of
    decisions (`standing`) are a failure. A ledger that begins above 1 is sound, with a warning. In a directory,
    cursor.json must not know more entries than the ledgers hold, and not-entered.jsonl no decision behind the end of
    its ledger.

    Exit codes: 0 verified, 1 failed, 2 no verdict (an input cannot be read, nothing to check, or a usage error).
    """
    given = [*arguments, path]
    for name, value in flags.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            given += [flag] if value else []
        else:
            for one in value if isinstance(value, tuple) else [value] if value is not None else []:
                given += [flag, str(one)]
    sys.exit(verifier_main(given, "sandbox-monitor ledger verify"))


ledger.add_command(compare)


@ledger.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="one JSON object per entry")
def show(file: Path, as_json: bool) -> None:
    """Print and check the entries of one ledger file, oldest first.

    Below each entry: what was decided, in the words of the board. For a hard rule: rule, incident, severity and harm.
    For a limit: events and exposure, what was allowed, the ratio with its interval, the evidence (an e-value) and its
    threshold, then the alpha of this threshold and of all thresholds up to now. For a charter: its hash, its version,
    what an amendment changed and what is withheld; `charter show --ledger` prints the charter. For evidence: each
    observation of the period with the scores of its detectors. Last, to whom a decision is addressed.

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
            for text in [as_json_line(number, entry, texts)] if as_json else as_lines(number, entry, texts):
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
    "--field", "fields", multiple=True, metavar="NAME", help="only this, as `ledger disclose` names it; repeatable"
)
@click.option("--renew-key", is_flag=True, help="also replace the key from which salts are made")
def erase(file: Path, entry: str, fields: tuple[str, ...], renew_key: bool) -> None:
    """Erase the plaintexts of an entry and their salts. The ledger does not change and stays sound.

    Afterwards the text cannot be proved. The notary may be running. Salts are made from `commitment.key`: anybody with
    that key can still test a guess of an erased text, until --renew-key replaces it. Texts that are kept have their
    salts with them; but a ledger that is rebuilt from the logs, without its files, then has other roots.

    Nothing of a pilot that is held as evidence is erased (`ledger hold`). Exit codes: 0 erased, 1 there was nothing to
    erase, or the pilot is held.
    """
    try:
        held = hold_of(verifier.entries(file))
        if held is not None:
            raise click.ClickException(
                f"{held.pilot} is held as evidence since entry {held.number} ({held.id}): nothing is erased; an "
                f"officer lifts the hold with `sandbox-monitor lift-hold {shlex.quote(held.pilot)}`"
            )
        store = PlaintextStore(plaintext_dir(file.parent.resolve()))
        erased = store.erase(file.stem, entry, fields)
        if erased and renew_key:
            store.renew_key()
    except (PlaintextBroken, Damage, OSError) as error:
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


ledger.add_command(stamp)
ledger.add_command(witness)


def _kept(file: Path) -> dict[tuple[str, str], Plaintext]:
    """The plaintexts of a ledger file; none when they are not stored here or not readable."""
    try:
        return PlaintextStore(plaintext_dir(file.parent.resolve())).of(file.stem)
    except OSError:
        return {}


def _say(text: str) -> None:
    echo(text, err=True)
