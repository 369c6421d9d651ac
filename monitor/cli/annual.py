"""`sandbox-monitor annual`: the annual report of a sandbox, from its ledgers alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from monitor.cli.pulse import Pulse
from monitor.cli.report_options import Output
from monitor.cli.terminal import echo
from monitor.notary.format import Damage
from monitor.public_record import recompute_annual, recompute_figures
from monitor.public_record.annual import annual_report, as_json
from monitor.public_record.annual_page import as_html
from monitor.public_record.figures import Annual
from monitor.public_record.ledgers import Remark
from monitor.report import recompute
from monitor.translation import speaking
from monitor.translation.catalogue import LANGUAGES, Language

ledgers_argument = click.argument(
    "ledgers", metavar="LEDGER_DIR...", nargs=-1, required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)  # fmt: skip


@click.command(short_help="Report on a year of the sandbox, from its ledgers.")
@ledgers_argument
@click.option("--year", required=True, type=click.IntRange(1970, 9998), help="the year, in UTC")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="directory to write all files to")
@click.option("--json", "as_data", is_flag=True, help="print the report as JSON")
@click.option("--html", "as_page", is_flag=True, help="print the report as a page")
@click.option("--pdf", type=click.Path(dir_okay=False, path_type=Path),
              help="write the page as PDF (A4), printed by an installed Chromium")  # fmt: skip
@click.option("--lang", "language", type=click.Choice(LANGUAGES), default="en", show_default=True,
              help="language of the page")  # fmt: skip
def annual(
    ledgers: tuple[Path, ...], year: int, out: Path | None, as_data: bool, as_page: bool, pdf: Path | None,
    language: Language,
) -> None:  # fmt: skip
    """Report on a year of the sandbox (EU AI Act, Art. 57(16)): set-up and pilots, applications, halts, incidents and
    deadlines, corrective actions and complaints, supervision, lessons learnt.

    It is made from the ledgers alone, of one or more directories (the partitions of a deployment). Each number names
    the decisions that it counts, or the evidence that it rests on, and how it is defined, in plain words. A ledger that
    is damaged, cut short or not there is named in the report and on stderr. With --out the report is written as
    annual-YEAR.json and annual-YEAR.html (in Chinese annual-YEAR.zh.html), with `recompute_annual.py`: a separate
    program (standard library only, none of the monitor's code)
    that computes every number again and prints those that differ.

    \b
    Examples:
      sandbox-monitor annual var/monitor/ledger --year 2026 --out annual
      python annual/recompute_annual.py annual/annual-2026.json var/monitor/ledger
      sandbox-monitor annual var/monitor/ledger --year 2026 --json
      sandbox-monitor annual var/monitor/ledger --year 2026 --lang zh --pdf annual.pdf

    \b
    Exit codes:
      0  written; the ledgers are whole
      1  there is no ledger, or one is not complete: the report is written all the same, and names it
      2  usage error
    """
    chosen = sum((as_data, as_page, out is not None))
    if (chosen != 1 and not (pdf is not None and chosen == 0)) or (pdf is not None and (as_data or as_page)):
        raise click.UsageError("give one of --out DIR, --json and --html, or --pdf FILE, alone or with --out")
    output = Output(None, pdf, as_data, language)
    pulse = Pulse()
    try:
        made = annual_report(ledgers, year, lambda done, of: pulse.beat(lambda: f"{done} of {of} ledgers read"))
    except Damage as damage:
        raise click.ClickException(str(damage)) from damage
    finally:
        pulse.end()
    if as_data:
        echo(as_json(made).rstrip("\n"))
    elif out is not None:
        _write(made, out, year, language)
    if as_page or pdf is not None:
        output.write(made, lambda: as_html(made))
    say_remarks(made.remarks)


def _write(made: Annual, out: Path, year: int, language: Language) -> None:
    """Write the report as JSON and as a page, and the programs that compute it again."""
    with speaking(language):
        page = as_html(made)
    out.mkdir(parents=True, exist_ok=True)
    ending = "html" if language == "en" else f"{language}.html"
    for suffix, text in (("json", as_json(made)), (ending, page)):
        target = out / f"annual-{year}.{suffix}"
        target.write_text(text, encoding="utf-8")
        echo(str(target))
    for program in (recompute_annual.__file__, recompute_figures.__file__, recompute.__file__):
        shutil.copyfile(program, out / Path(program).name)
        echo(str(out / Path(program).name))


def say_remarks(remarks: tuple[Remark, ...]) -> None:
    """Print what the ledgers lack to stderr, and end with exit code 1 if they lack anything."""
    for one in remarks:
        place = f":{one.entry}" if one.entry >= 0 else ""
        echo(f"{one.file}{place}: {one.problem}", err=True)
    if remarks:
        raise SystemExit(1)
