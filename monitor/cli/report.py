"""`sandbox-monitor report`: documents from ledgers alone, as HTML and PDF, in English and Chinese."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from monitor.cli.annual import annual as annual_command
from monitor.cli.exit_report import exit_documents
from monitor.cli.pulse import Pulse
from monitor.cli.report_options import Output, ledger_option, output_options, say_incomplete, version_option
from monitor.errors import Refused
from monitor.notary.commitment import PlaintextBroken
from monitor.notary.format import Damage
from monitor.public_record.documents.fleet import fleet_report
from monitor.public_record.documents.fleet_page import fleet_page
from monitor.public_record.documents.halt import halt_report
from monitor.public_record.documents.halt_page import halt_page
from monitor.public_record.documents.pilot import pilot_report
from monitor.public_record.documents.pilot_page import pilot_page
from monitor.public_record.documents.source import Source, read_source
from monitor.translation.catalogue import Language


class Reports(click.Group):
    """Documents by name; `report PILOT --out DIR` is `report exit PILOT --out DIR`, as it was before there were
    others."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the first argument, else `exit` with all of them."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            return "exit", self.commands["exit"], args
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options before the pilot belong to `exit` too."""
        if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
            args = ["exit", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Reports)
def report() -> None:
    """Documents from ledgers alone: of a halt, a pilot, a fleet, a year, and at the end of a stay.

    Each statement names the ledger entries that it rests on; the document lists them with their hashes and how to
    verify it. The same ledgers give the same bytes (but of PDF).

    \b
    Examples:
      sandbox-monitor report halt pilot-0001 --ledger var/monitor/ledger --pdf halt.pdf
      sandbox-monitor report pilot pilot-0001 --ledger var/monitor/ledger --lang zh --out pilot.html
      sandbox-monitor report fleet --ledger var/monitor/ledger --days 30 --json
      sandbox-monitor report annual var/monitor/ledger --year 2026 --out annual
      sandbox-monitor report exit pilot-0001 --ledger var/monitor/ledger --out report
    """


@report.command()
@click.argument("pilot")
@ledger_option
@click.option(
    "--entry",
    type=click.IntRange(0),
    help="the entry that began the halt, by its number in the ledger (`ledger show`) [default: the last halt]",
)
@version_option
@output_options
def halt(
    pilot: str, ledgers: tuple[Path, ...], entry: int | None, version: str, out: Path | None, pdf: Path | None,
    as_data: bool, language: Language,
) -> None:  # fmt: skip
    """Document a halt: what was measured, by which rule and on which legal basis it was decided, who had to know, how
    the service answered, what happened since, the evidence as picture and table, and how to verify all of it.

    \b
    Examples:
      sandbox-monitor report halt pilot-0001 --ledger var/monitor/ledger --pdf halt.pdf
      sandbox-monitor report halt pilot-0001 --ledger var/monitor/ledger --entry 17 --lang zh --out halt.html

    \b
    Exit codes:
      0  written
      1  no ledger of this pilot or no such halt; or the ledger is not complete (written all the same)
      2  usage error
    """
    output = Output(out, pdf, as_data, language)
    source = _source(ledgers, pilot, version)
    try:
        made = halt_report(source, entry)
    except Refused as error:
        raise click.ClickException(str(error)) from error
    output.write(made, lambda: halt_page(made, source))
    say_incomplete(made.remarks)


@report.command()
@click.argument("pilot")
@ledger_option
@version_option
@output_options
def pilot(
    pilot: str, ledgers: tuple[Path, ...], version: str, out: Path | None, pdf: Path | None, as_data: bool,
    language: Language,
) -> None:  # fmt: skip
    """Document the whole stay of a pilot so far: state, halts, limits with intervals, deadlines, charters, history.

    \b
    Examples:
      sandbox-monitor report pilot pilot-0001 --ledger var/monitor/ledger --pdf pilot.pdf
      sandbox-monitor report pilot pilot-0001 --ledger var/monitor/ledger --json

    \b
    Exit codes:
      0  written
      1  no ledger of this pilot; or the ledger is not complete (written all the same)
      2  usage error
    """
    output = Output(out, pdf, as_data, language)
    source = _source(ledgers, pilot, version)
    made = pilot_report(source)
    output.write(made, lambda: pilot_page(made, source))
    say_incomplete(made.remarks)


@report.command()
@ledger_option
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="length of the period")
@click.option(
    "--until",
    type=click.DateTime(("%Y-%m-%d",)),
    help="the first day after the period, in UTC [default: the day after the last decision]",
)
@output_options
def fleet(
    ledgers: tuple[Path, ...], days: int, until: datetime | None, out: Path | None, pdf: Path | None, as_data: bool,
    language: Language,
) -> None:  # fmt: skip
    """Document a fleet over a period: pilots by state, halts, annulled false alarms, legal deadlines met and missed by
    who owed them, and the alarms of each detector against the rate that it declares, with exact intervals.

    \b
    Examples:
      sandbox-monitor report fleet --ledger var/monitor/ledger --pdf fleet.pdf
      sandbox-monitor report fleet --ledger var/monitor/ledger --days 365 --until 2027-01-01 --lang zh --out fleet.html

    \b
    Exit codes:
      0  written
      1  there is no ledger; or one is not complete (written all the same)
      2  usage error
    """
    output = Output(out, pdf, as_data, language)
    pulse = Pulse()
    end = None if until is None else int(until.replace(tzinfo=UTC).timestamp() * 1000)
    try:
        made = fleet_report(ledgers, days, end, lambda done, of: pulse.beat(lambda: f"{done} of {of} pilots read"))
    except Damage as error:
        raise click.ClickException(str(error)) from error
    finally:
        pulse.end()
    output.write(made, lambda: fleet_page(made))
    say_incomplete(made.remarks)


def _source(ledgers: tuple[Path, ...], pilot: str, version: str) -> Source:
    try:
        return read_source(ledgers, pilot, version == "parties")
    except (Refused, Damage, PlaintextBroken) as error:
        raise click.ClickException(str(error)) from error


report.add_command(annual_command, "annual")
report.add_command(exit_documents, "exit")
