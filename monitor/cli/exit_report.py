"""`sandbox-monitor report exit`: written proof, exit report and good-faith pack of a pilot, from its ledger alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from monitor.cli.terminal import echo
from monitor.notary import verify as verifier
from monitor.notary.encoding import encode
from monitor.notary.format import Damage
from monitor.notary.store import file_name
from monitor.report import recompute
from monitor.report.documents import as_html, as_json, document
from monitor.report.fields import DOCUMENTS
from monitor.report.stay import Stay
from monitor.tlog.merkle import leaf_hash
from monitor.translation import speaking
from monitor.translation.catalogue import LANGUAGES, Language


@click.command("exit", short_help="Documents at the end of a stay.")
@click.argument("pilot")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="directory to write to")
@click.option(
    "--ledger",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="directory of ledgers (of `serve`: DIR/ledger), or one .ledger file",
)
@click.option("--lang", "language", type=click.Choice(LANGUAGES), default="en", show_default=True,
              help="language of the HTML; the JSON is the same in every language")  # fmt: skip
def exit_documents(pilot: str, out: Path, ledger: Path, language: Language) -> None:
    """Write the documents at the end of a stay: written-proof, exit-report and good-faith, each as JSON and HTML.

    They are made from the ledger alone, which is verified first; each number names its entry. `recompute.py` is written
    next to them: a separate program (standard library only, none of the monitor's code) that computes every number
    again and prints `same`, `different` or `missing`. With an exit that is recorded, `issue-report` puts the SHA-256 of
    the JSON files on record.

    \b
    Example:
      sandbox-monitor report exit pilot-0001 --ledger var/monitor/ledger --out report
      python report/recompute.py report/exit-report.json var/monitor/ledger/pilot-0001-*.ledger

    \b
    Exit codes:
      0  written
      1  no ledger of this pilot, or it is damaged
      2  usage error
    """
    path = ledger / file_name(pilot) if ledger.is_dir() else ledger
    if not path.exists():
        raise click.ClickException(f"{ledger} has no ledger of {pilot}; give the directory of its ledger")
    try:
        entries = list(verifier.entries(path))
    except Damage as damage:
        raise click.ClickException(f"the ledger is damaged: {damage}") from damage
    stay = Stay(entries, [leaf_hash(encode(entry)) for entry in entries])
    if stay.pilot != pilot:
        raise click.ClickException(f"{path} is the ledger of {stay.pilot or 'no pilot'}, not of {pilot}")
    out.mkdir(parents=True, exist_ok=True)
    for name in DOCUMENTS:
        made = document(stay, name)
        with speaking(language):
            page = as_html(made)
        for suffix, text in (("json", as_json(made)), ("html", page)):
            target = out / f"{name}.{suffix}"
            target.write_text(text, encoding="utf-8")
            echo(str(target))
    shutil.copyfile(recompute.__file__, out / "recompute.py")
    echo(str(out / "recompute.py"))
    if stay.exit is None:
        echo(f"{pilot} has no exit on record: the documents hold what was recorded so far", err=True)
