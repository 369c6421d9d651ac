"""Commands for what follows from a pilot: its step of a rollout, a template, replicas, and their comparison."""

from __future__ import annotations

import json
from pathlib import Path

import click
import msgspec

from monitor.charter.exit_acts import StepEvaluation, TemplateMaking
from monitor.charter.template import charter_to_fill_in, template_digest, template_of
from monitor.cli.control import act_options, fresh, send
from monitor.cli.terminal import echo
from monitor.compile.dump import plain_yaml
from monitor.compile.load import load_charter
from monitor.errors import Refused
from monitor.notary.format import Damage
from monitor.report.cohort import Cohort, CohortStream, cohort_of, deviations, template_made
from monitor.report.cohort_page import cohort_page
from monitor.report.ledger_dir import stay_of
from monitor.translation import speaking
from monitor.translation.catalogue import LANGUAGES, Language

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
ledger_option = click.option(
    "--ledger",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="directory of ledgers (of `serve`: DIR/ledger)",
)


@click.command("evaluate-step")
@click.argument("pilot")
@click.option("--reason", required=True, help="why now; recorded in the ledger")
@act_options
def evaluate_step(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Evaluate the step of a rollout (an officer). The monitor computes the outcome from what was counted since the
    step began, and records it with the numbers:

    \b
      success       every limit is shown to be kept: the cap on users rises to that of the next step
      failure       a limit is shown to be exceeded, or the pilot was halted: the cap falls by one step
      inconclusive  the cap stays; ask again later, at no price: the intervals are valid at all times

    The charter states the steps (`rollout`). More users than the cap in force escalate.
    """
    send(to, prefix, StepEvaluation(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))


@click.command("make-template")
@click.argument("pilot")
@click.option("--template", required=True, help="its name, such as clinical-notes-2026")
@click.option("--reason", required=True, help="what was learnt; recorded in the ledger")
@act_options
def make_template(pilot: str, template: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Make the charter of a finished pilot a template that other pilots may replicate (an officer)."""
    act = TemplateMaking(id=id_ or fresh(), pilot=pilot, author=author, template=template, reason=reason)
    send(to, prefix, act)


@click.command()
@click.argument("origin")
@ledger_option
@click.option(
    "--check", "checked", type=FILE, metavar="CHARTER", help="compare this charter with the template it names"
)
def replicate(origin: str, ledger: Path, checked: Path | None) -> None:
    """Write a charter for a replica of the pilot ORIGIN to stdout: its template, with placeholders in <angle brackets>
    for what belongs to the new pilot, and its provenance (`replicates`).

    A template is the public part of the charter in the ledger of ORIGIN, so it needs no server, and holds nothing that
    ORIGIN keeps confidential. With --check nothing is written: each field in which CHARTER differs from the template is
    printed.

    \b
    Example:
      sandbox-monitor replicate pilot-0001 --ledger var/monitor/ledger > replica.yaml

    \b
    Exit codes:
      0  written, or checked
      1  no template was made of ORIGIN, or CHARTER names another one
      2  usage error
    """
    try:
        made = template_made(stay_of(ledger, origin))
    except (Damage, Refused) as error:
        raise click.ClickException(str(error)) from None
    if made is None:
        raise click.ClickException(f"no template was made of {origin}; an officer makes one with `make-template`")
    name, public = made
    if checked is None:
        echo(plain_yaml(charter_to_fill_in(public, name)), nl=False)
        hidden = ", ".join(public.get("confidential", ()))
        echo(f"template {name} of {origin}" + (f"; confidential, so not in it: {hidden}" if hidden else ""), err=True)
        return
    charter, digest = load_charter(checked), template_digest(template_of(public))
    if not charter.replicates or (charter.replicates.pilot, charter.replicates.digest) != (origin, digest):
        raise click.ClickException(
            f"{checked}: replicates: write pilot {origin}, template {name}, digest {digest}; that is the template"
        )
    found = deviations(charter, public)
    for field, was, now in found:
        echo(f"{field}: {json.dumps(was, ensure_ascii=False)} -> {json.dumps(now, ensure_ascii=False)}")
    echo(f"{len(found)} fields differ from the template {name}", err=True)


@click.command()
@click.argument("origin")
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
@click.option("--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="write a page with forest plots")
@click.option("--lang", "language", type=click.Choice(LANGUAGES), default="en", show_default=True,
              help="language of the page")  # fmt: skip
def cohort(origin: str, ledger: Path, as_json: bool, page: Path | None, language: Language) -> None:
    """Compare the replicas of the pilot ORIGIN with it and each other, from their ledgers alone.

    For each indicator: the rate of each pilot with an interval that is valid at all times, and over all of them a
    random-effects estimate, how much of the differences chance does not explain (I2), and where one more replica is
    expected. It compares; no pilot's level depends on it.
    """
    try:
        found = cohort_of(ledger, origin)
    except (Damage, Refused) as error:
        raise click.ClickException(str(error)) from None
    if page is not None:
        with speaking(language):
            page.write_text(cohort_page(found), encoding="utf-8")
        echo(str(page), err=True)
    if as_json:
        echo(msgspec.json.encode(found).decode())
    elif page is None:
        _print(found)


def _print(found: Cohort) -> None:
    echo(f"template {found.template} of {found.origin}, {len(found.members) - 1} replicas")
    for member in found.members:
        words = "origin" if member.origin else "replica" if member.same_template else "replica of an older template"
        echo(f"  {member.pilot}: {words}, version {member.version}, halts {member.halts}, {member.outcome or 'in'}")
    for row in found.streams:
        echo(f"{_name(row.indicator, row.segment)} {row.pilot}: {_rate(row)}")
    for one in found.pooled:
        following = "" if one.next_low is None else f"; one more: {one.next_low:.4g} to {one.next_high:.4g}"
        words = f"{one.rate:.4g} ({one.low:.4g} to {one.high:.4g}), I2 {one.i2:.0%}{following}"
        echo(f"{_name(one.indicator, one.segment)} pooled over {one.pilots}: {words}")


def _name(indicator: str, segment: str) -> str:
    return f"{indicator}/{segment}" if segment else indicator


def _rate(row: CohortStream) -> str:
    if row.rate is None:
        return "no exposure in complete periods"
    low, high = (f"{value:.4g}" if value is not None else "?" for value in (row.low, row.high))
    words = f"{row.events:,.6g} of {row.exposure:,.6g}: {row.rate:.4g} ({low} to {high})"
    return words if row.comparable else f"{words}; counted in another way, so not pooled"
