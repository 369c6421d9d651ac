"""`sandbox-monitor register`: the public register of a sandbox as static pages, from its ledgers alone."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.annual import ledgers_argument, say_remarks
from monitor.cli.terminal import echo
from monitor.notary.format import Damage
from monitor.public_record.register import read_register
from monitor.public_record.register_pages import site


@click.command()
@ledgers_argument
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="directory to write to")
def register(ledgers: tuple[Path, ...], out: Path) -> None:
    """Write the public register: a page for each pilot that was admitted and for the statement of reasons of each halt,
    lists by state, tier, sector, region, authority, firm and last change, a feed, and everything as JSON.

    The pages are static, in English and Chinese, and have no scripts: any web server can publish the directory. The
    same ledgers give the same bytes. What a charter lists as confidential is not in them, nor are names, keys and
    contacts of people; exit reports only where the firm consented to their publication.

    \b
    Example:
      sandbox-monitor register var/monitor/ledger --out public

    \b
    Exit codes:
      0  written; the ledgers are whole
      1  there is no ledger, or one is not complete: the register is written all the same, and names it
      2  usage error
    """
    try:
        listed, remarks = read_register(ledgers)
    except Damage as damage:
        raise click.ClickException(str(damage)) from damage
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    for name, text in site(listed, remarks):
        (out / name).write_text(text, encoding="utf-8")
        written += 1
    echo(str(out / "index.html"))
    echo(f"pilots {len(listed)}, files {written}", err=True)
    say_remarks(remarks)
