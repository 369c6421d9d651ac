"""The acts before an admission as commands: apply, screen, refuse, agree, withdraw-application.

Options, outcome and exit codes are those of `monitor/cli/control.py`.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from monitor.charter.control import Agreement, ApplicationRefusal, ApplicationWithdrawal, Screening, Submission
from monitor.charter.spec import charter_hash
from monitor.cli.charter import placeholders
from monitor.cli.control import act_options, fresh, send
from monitor.cli.terminal import echo
from monitor.compile.load import load_charter
from monitor.compile.load_application import load_application

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _template(context: click.Context, _option: click.Parameter, given: bool) -> None:
    if given:
        text = resources.files("monitor.charter.templates").joinpath("application.yaml").read_text("utf-8")
        echo(text, nl=False)
        context.exit()


@click.command()
@click.argument("application", type=FILE)
@click.argument("charter", type=FILE)
@click.option(
    "--template",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_template,
    help="write a commented application to stdout",
)
@act_options
def apply(application: Path, charter: Path, to: str, prefix: str, author: str, id_: str) -> None:
    """Apply for a place in the sandbox, as the firm: the APPLICATION, and the CHARTER that the firm proposes.

    Both files are checked here, with line and fix, and again by the monitor. The answer names the entry; `status PILOT`
    says which step is next, and who owes it.

    \b
    Example:
      sandbox-monitor apply --template > application.yaml
      sandbox-monitor charter new consumer_finance > charter.yaml
      sandbox-monitor apply application.yaml charter.yaml --author acme --key acme.key
    """
    proposed = load_charter(charter)
    if left := placeholders(proposed):
        raise click.ClickException(f"{charter}: fill in the placeholders of the template: {', '.join(left)}")
    stated = load_application(application, proposed)
    send(to, prefix, Submission(
        id=id_ or fresh(), pilot=proposed.pilot, author=author, application=stated, charter=proposed,
    ))  # fmt: skip


@click.command()
@click.argument("pilot")
@click.option("--charter", type=FILE, help="replaces the charter that the firm proposed")
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="ITEM=WHY",
    help="why an item of the negative list does not apply although its term was found; repeatable",
)
@act_options
def screen(
    pilot: str, charter: Path | None, answers: tuple[str, ...], to: str, prefix: str, author: str, id_: str
) -> None:
    """Screen an application, as an officer of a responsible authority.

    Refused with what is missing: an item of the negative list whose term was found and that has no --answer, an
    authority that is not responsible, a tier that is too light, a minimum standard of the tier, and in tiers high and
    critical a limit whose excess would probably not be found. Then send the firm a corrected --charter to agree on, or
    `refuse` the application. Then firm and officer sign with `agree`.
    """
    given = {}
    for text in answers:
        item, _, why = text.partition("=")
        if not item or not why:
            raise click.BadParameter(f"{text}: write ITEM=WHY", param_hint="--answer")
        given[item] = why
    replaced = None if charter is None else load_charter(charter)
    send(to, prefix, Screening(id=id_ or fresh(), pilot=pilot, author=author, charter=replaced, answers=given))


@click.command()
@click.argument("pilot")
@click.option("--item", "items", multiple=True, help="item of the negative list that is why, such as eu-5-1-c")
@click.option("--reason", required=True, help="reason; recorded in the ledger")
@act_options
def refuse(pilot: str, items: tuple[str, ...], reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Refuse an application, as an officer. The record names each --item with its legal reference.

    A refused application is closed: another one needs another name. The firm may appeal.
    """
    act = ApplicationRefusal(id=id_ or fresh(), pilot=pilot, author=author, reason=reason, items=items)
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@click.argument("charter")
@act_options
def agree(pilot: str, charter: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Sign a CHARTER (a file, or its hash) as the firm or as an officer. Both sides sign one hash before an admission,
    and the firm signs that of an amendment before `admit --amend`."""
    named = charter if len(charter) == 64 and not Path(charter).exists() else charter_hash(load_charter(Path(charter)))
    send(to, prefix, Agreement(id=id_ or fresh(), pilot=pilot, author=author, charter=named))


@click.command("withdraw-application")
@click.argument("pilot")
@click.option("--reason", default="", help="reason; recorded in the ledger")
@act_options
def withdraw_application(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Withdraw an application, as the firm. It is closed then: another one needs another name."""
    send(to, prefix, ApplicationWithdrawal(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))
