"""Acts of an assessment, an exit and what follows, as commands. Each sends one act, as `monitor/cli/control.py` does,
with the same options and exit codes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from monitor.charter.exit_acts import (
    Assessing,
    AssessmentOutcome,
    ExitApproval,
    ExitOutcome,
    Graduation,
    PublicationConsent,
    Recall,
    ReportIssue,
    Termination,
    TierApproval,
    Withdrawal,
    Withholding,
)
from monitor.charter.spec import charter_hash
from monitor.cli.control import act_options, fresh, send
from monitor.compile.load import load_charter

F = TypeVar("F", bound=Callable[..., Any])
reason_option = click.option("--reason", required=True, help="reason; recorded in the ledger")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def condition_options(command: F) -> F:
    """The answers to the charter's conditions in words."""
    for name, words in (("unmet", "is not met"), ("met", "is met")):
        command = click.option(
            f"--{name}",
            multiple=True,
            type=click.IntRange(1, 64),
            metavar="NUMBER",
            help=f"number of a condition in words of the charter (exit.conditions, from 1) that {words}; repeatable",
        )(command)
    return command


@click.command()
@click.argument("pilot")
@click.option("--outcome", required=True, type=click.Choice(get_args(AssessmentOutcome)), help="what follows")
@reason_option
@condition_options
@act_options
def assess(
    pilot: str,
    outcome: AssessmentOutcome,
    reason: str,
    met: tuple[int, ...],
    unmet: tuple[int, ...],
    to: str,
    prefix: str,
    author: str,
    id_: str,
) -> None:
    """Assess a pilot (an officer). The monitor computes the numbers and records them with the outcome: for each
    indicator the rate with an interval that is valid at all times, exposure, power, decisions, rectifications, clocks,
    and the outcome that would follow at an exit.

    `adjust`, `suspend` and `exit` say what is intended; the amendment, suspension or exit is an act by itself.
    """
    act = Assessing(id=id_ or fresh(), pilot=pilot, author=author, outcome=outcome, reason=reason, met=met, unmet=unmet)
    send(to, prefix, act)


@click.command("exit")
@click.argument("pilot")
@click.option("--outcome", required=True, type=click.Choice(get_args(ExitOutcome)), help="how the stay ends")
@reason_option
@condition_options
@act_options
def exit_(
    pilot: str,
    outcome: ExitOutcome,
    reason: str,
    met: tuple[int, ...],
    unmet: tuple[int, ...],
    to: str,
    prefix: str,
    author: str,
    id_: str,
) -> None:
    """End the stay of a pilot with an outcome (an officer). The numbers are computed and recorded with it.

    `scale` is refused unless every bound keeps its limit, the declared power was reached, all conditions are met, and
    two approvers agreed (`approve-exit`). The refusal says what is missing. A halted pilot leaves once its stop is
    verified.
    """
    act = Withdrawal(
        id=id_ or fresh(), pilot=pilot, author=author, outcome=outcome, reason=reason, met=met, unmet=unmet
    )
    send(to, prefix, act)


@click.command("approve-exit")
@click.argument("pilot")
@act_options
def approve_exit(pilot: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Approve that a pilot exits with the outcome `scale` (an approver). Two different people are needed; an amendment,
    a halt or a restart of the statistics voids it."""
    send(to, prefix, ExitApproval(id=id_ or fresh(), pilot=pilot, author=author))


@click.command("approve-tier")
@click.argument("charter", type=FILE)
@act_options
def approve_tier(charter: Path, to: str, prefix: str, author: str, id_: str) -> None:
    """Approve the lower tier of CHARTER, the file of an amendment (an approver). Two different people are needed before
    an officer amends; another amendment, a halt or a restart of the statistics voids it."""
    read = load_charter(charter)
    act = TierApproval(id=id_ or fresh(), pilot=read.pilot, author=author, charter=charter_hash(read), tier=read.tier)
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@click.option("--basis", required=True, help="legal provision")
@reason_option
@act_options
def terminate(pilot: str, basis: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Terminate the stay of a pilot (an officer). A halted pilot leaves once its stop is verified."""
    send(to, prefix, Termination(id=id_ or fresh(), pilot=pilot, author=author, basis=basis, reason=reason))


@click.command("issue-report")
@click.argument("pilot")
@click.option("--report", required=True, type=FILE, help="exit-report.json that `report` wrote")
@click.option("--proof", required=True, type=FILE, help="written-proof.json that `report` wrote")
@act_options
def issue_report(pilot: str, report: Path, proof: Path, to: str, prefix: str, author: str, id_: str) -> None:
    """Record that written proof and exit report were issued (an officer): the SHA-256 of the two files."""
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (report, proof)]
    act = ReportIssue(id=id_ or fresh(), pilot=pilot, author=author, report=digests[0], proof=digests[1])
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@reason_option
@act_options
def withhold(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Record that the exit report is not published (an officer)."""
    send(to, prefix, Withholding(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))


@click.command("consent-to-publish")
@click.argument("pilot")
@act_options
def consent_to_publish(pilot: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Agree that the exit report is published (the firm)."""
    send(to, prefix, PublicationConsent(id=id_ or fresh(), pilot=pilot, author=author))


@click.command()
@click.argument("pilot")
@click.option("--months", type=click.IntRange(1, 120), help="length [default: exit.tracked_for of the charter]")
@click.option("--charter", "path", type=FILE, help="thinner charter [default: the one in force]")
@act_options
def graduate(pilot: str, months: int | None, path: Path | None, to: str, prefix: str, author: str, id_: str) -> None:
    """Begin the routine supervision of a pilot that exited with `scale` (an officer): the same stream stays watched, on
    the next share of alpha. A thinner charter may drop indicators, hard rules and drills; its version is higher."""
    charter = None if path is None else load_charter(path)
    act = Graduation(id=id_ or fresh(), pilot=pilot, author=author, months=months, charter=charter)
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@reason_option
@act_options
def recall(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Recall a system from routine supervision (an officer): the service is commanded to stop."""
    send(to, prefix, Recall(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))
