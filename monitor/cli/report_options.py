"""What the subcommands of `sandbox-monitor report` share: options, and writing HTML, PDF or JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from monitor.cli.pulse import Pulse
from monitor.cli.terminal import echo
from monitor.errors import Refused
from monitor.report.pdf import browser, print_pdf
from monitor.translation import speaking
from monitor.translation.catalogue import LANGUAGES, Language

F = TypeVar("F", bound=Callable[..., Any])
PARTIES = ("public", "parties")


def ledger_option(function: F) -> F:
    """`--ledger DIR`, repeatable."""
    return click.option(
        "--ledger", "ledgers", required=True, multiple=True, metavar="DIR",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="directory of ledgers (of `serve`: DIR/ledger); repeatable",
    )(function)  # fmt: skip


def version_option(function: F) -> F:
    """`--for public|parties`."""
    return click.option(
        "--for", "version", type=click.Choice(PARTIES), default="public", show_default=True,
        help="parties: firm and authority; with texts that are stored next to the ledger, where you may read them",
    )(function)  # fmt: skip


def output_options(function: F) -> F:
    """`--out`, `--pdf`, `--json` and `--lang`."""
    for option in reversed((
        click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="write the document as HTML"),
        click.option("--pdf", type=click.Path(dir_okay=False, path_type=Path),
                     help="write it as PDF (A4), printed by an installed Chromium"),
        click.option("--json", "as_data", is_flag=True, help="print its facts as JSON, the same in every language"),
        click.option("--lang", "language", type=click.Choice(LANGUAGES), default="en", show_default=True,
                     help="language of the document"),
    )):  # fmt: skip
        function = option(function)
    return function


class Output:
    """Where a document goes. Without --out, --pdf and --json it is printed as HTML."""

    def __init__(self, out: Path | None, pdf: Path | None, as_data: bool, language: Language) -> None:
        if as_data and (out is not None or pdf is not None):
            raise click.UsageError("give --json alone: it prints the facts to stdout")
        self._out, self._pdf, self._json, self._language = out, pdf, as_data, language
        if pdf is not None:
            _checked(browser)  # before minutes of reading

    def write(self, facts: Any, page: Callable[[], str]) -> None:
        """Write facts or document; `page` makes it in the language that is spoken."""
        if self._json:
            echo(msgspec.json.format(msgspec.json.encode(facts, order="sorted"), indent=1))
            return
        with speaking(self._language):
            html = page()
        if self._out is None and self._pdf is None:
            echo(html.rstrip("\n"))
        if self._out is not None:
            self._out.parent.mkdir(parents=True, exist_ok=True)
            self._out.write_text(html, encoding="utf-8")
            echo(str(self._out))
        if self._pdf is not None:
            self._pdf.parent.mkdir(parents=True, exist_ok=True)
            pulse, target = Pulse(), self._pdf
            try:
                pulse.beat(lambda: "printing")
                _checked(lambda: print_pdf(html, target))
            finally:
                pulse.end()
            echo(str(target))


def _checked(action: Callable[[], object]) -> None:
    try:
        action()
    except Refused as error:
        raise click.ClickException(str(error)) from error


def say_incomplete(remarks: tuple[str, ...]) -> None:
    """Print what the ledgers lack to stderr, and end with exit code 1 if they lack anything."""
    for one in remarks:
        echo(one, err=True)
    if remarks:
        raise SystemExit(1)
