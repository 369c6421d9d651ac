"""Acts on a pilot that runs, as commands: changes, pauses, cycles, guidance, inspections, suspension, evidence hold.

Each sends one act, as `monitor/cli/control.py` does, with the same options and exit codes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from monitor.charter.running_acts import (
    ChangeProposal,
    ChangeRefusal,
    CycleProposal,
    Decline,
    EvidenceHold,
    Extension,
    Grant,
    Guidance,
    GuidanceFollowed,
    GuidanceRequest,
    HoldLift,
    Inspection,
    InspectionFinding,
    PauseRequest,
    Resumption,
    Suspension,
)
from monitor.charter.spec import ChangeKind, charter_hash
from monitor.cli.control import act_options, fresh, results_of, send
from monitor.compile.load import load_charter

KINDS = [kind.value for kind in ChangeKind]
reason_option = click.option("--reason", required=True, help="reason; recorded in the ledger")


@click.command("propose-change")
@click.argument("pilot")
@click.option("--kind", required=True, type=click.Choice(KINDS), help="what changes")
@click.option("--summary", required=True, help="the change in words")
@click.option("--modification", default="", help="item of the charter's plan of changes [default: the first that fits]")
@click.option("--model", default="", help="digest of the model that comes into use (kind model_version)")
@click.option("--subject", "subjects", multiple=True, help="id of what changes (all other kinds); repeatable")
@click.option(
    "--result",
    "results",
    multiple=True,
    metavar="SCENARIO/MEASURE=VALUE",
    help="result on a scenario of the plan's protocol; repeatable",
)
@click.option(
    "--charter",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="file with the amended charter that the firm agrees to; its hash is sent",
)
@act_options
def propose_change(
    pilot: str,
    kind: str,
    summary: str,
    modification: str,
    model: str,
    subjects: tuple[str, ...],
    results: tuple[str, ...],
    path: Path | None,
    to: str,
    prefix: str,
    author: str,
    id_: str,
) -> None:
    """Register a change of the system (the firm). If the charter's plan of changes covers it, it is registered, and
    statistics continue. Otherwise it is proposed: an officer amends the charter (`admit --amend`, with the charter that
    --charter names) or refuses the change (`refuse-change`)."""
    act = ChangeProposal(
        id=id_ or fresh(),
        pilot=pilot,
        author=author,
        kind=ChangeKind(kind),
        summary=summary,
        modification=modification,
        model=model,
        subjects=subjects,
        results=results_of(results),
        charter=None if path is None else charter_hash(load_charter(path)),
    )
    send(to, prefix, act)


@click.command("refuse-change")
@click.argument("pilot")
@reason_option
@act_options
def refuse_change(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Refuse the change that the firm proposed (an officer)."""
    send(to, prefix, ChangeRefusal(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))


@click.command()
@click.argument("pilot")
@reason_option
@act_options
def pause(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Ask for a pause of the pilot (the firm). It begins when an officer grants it (`grant`)."""
    send(to, prefix, PauseRequest(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))


@click.command()
@click.argument("pilot")
@act_options
def resume(pilot: str, to: str, prefix: str, author: str, id_: str) -> None:
    """End the pause of the pilot (the firm). Statistics go on where they stood."""
    send(to, prefix, Resumption(id=id_ or fresh(), pilot=pilot, author=author))


@click.command("propose-cycle")
@click.argument("pilot")
@click.option("--start", required=True, metavar="YYYY-MM-DD", help="first day of use")
@click.option("--end", required=True, metavar="YYYY-MM-DD", help="last day of use")
@reason_option
@act_options
def propose_cycle(pilot: str, start: str, end: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Ask for another cycle of use in place of the charter's (the firm). An officer grants it (`grant`)."""
    act = CycleProposal(id=id_ or fresh(), pilot=pilot, author=author, start=start, end=end, reason=reason)
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@click.option("--reason", default="", help="reason; recorded in the ledger")
@act_options
def grant(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Grant the pause or the cycle that the firm asked for (an officer)."""
    send(to, prefix, Grant(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))


@click.command()
@click.argument("pilot")
@reason_option
@act_options
def decline(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Decline the pause or the cycle that the firm asked for (an officer)."""
    send(to, prefix, Decline(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))


@click.command("ask-guidance")
@click.argument("pilot")
@click.option("--question", required=True, help="the question")
@click.option("--provision", default="", help="article or clause that it is about")
@act_options
def ask_guidance(pilot: str, question: str, provision: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Ask the authority for guidance (the firm). The printed id names the question."""
    act = GuidanceRequest(id=id_ or fresh(), pilot=pilot, author=author, question=question, provision=provision)
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@click.option("--answer", required=True, help="the guidance")
@click.option("--about", default="", help="id of the question that it answers")
@click.option("--provision", default="", help="article or clause that it is about")
@act_options
def guide(pilot: str, answer: str, about: str, provision: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Give guidance (an officer). The printed id names it."""
    act = Guidance(id=id_ or fresh(), pilot=pilot, author=author, answer=answer, about=about, provision=provision)
    send(to, prefix, act)


@click.command("follow-guidance")
@click.argument("pilot")
@click.option("--about", required=True, help="id of the guidance")
@click.option("--evidence", required=True, help="where it can be seen")
@act_options
def follow_guidance(pilot: str, about: str, evidence: str, to: str, prefix: str, author: str, id_: str) -> None:
    """State that guidance was followed (the firm)."""
    act = GuidanceFollowed(id=id_ or fresh(), pilot=pilot, author=author, about=about, evidence=evidence)
    send(to, prefix, act)


@click.command()
@click.argument("pilot")
@click.option("--scope", multiple=True, required=True, help="id of what was looked at; repeatable")
@click.option("--seen", required=True, help="what was seen")
@click.option(
    "--finding",
    "findings",
    multiple=True,
    metavar="NAME@DUE=WORDS",
    help="what must be rectified, and by when: logs@2026-03-01=no retention rule; repeatable. DUE is a date (its "
    "beginning, UTC) or a time with an offset",
)
@click.option(
    "--close", "closed", multiple=True, metavar="KEY", help="earlier finding seen to be rectified; repeatable"
)
@act_options
def inspect(
    pilot: str,
    scope: tuple[str, ...],
    seen: str,
    findings: tuple[str, ...],
    closed: tuple[str, ...],
    to: str,
    prefix: str,
    author: str,
    id_: str,
) -> None:
    """Record an inspection (an officer): its findings with their due dates, and earlier ones that are closed. A finding
    has the key inspection/ID/NAME; the firm rectifies it with `rectify --finding KEY`."""
    act = Inspection(
        id=id_ or fresh(),
        pilot=pilot,
        author=author,
        scope=scope,
        seen=seen,
        findings=tuple(map(_finding, findings)),
        closed=closed,
    )
    send(to, prefix, act)


def _finding(text: str) -> InspectionFinding:
    head, given, words = text.partition("=")
    name, _, due = head.partition("@")
    try:
        at = datetime.fromisoformat(due)
    except ValueError:
        given = ""
    if not (name and given and words):
        raise click.BadParameter(f"{text}: write NAME@YYYY-MM-DD=WORDS", param_hint="--finding")
    return InspectionFinding(name, words, at if at.tzinfo is not None else at.replace(tzinfo=UTC))


@click.command()
@click.argument("pilot")
@click.option("--end", required=True, metavar="YYYY-MM-DD", help="last day of the extended cycle")
@reason_option
@act_options
def extend(pilot: str, end: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Extend the stay of a pilot (an officer): its cycle ends later."""
    send(to, prefix, Extension(id=id_ or fresh(), pilot=pilot, author=author, end=end, reason=reason))


@click.command()
@click.argument("pilot")
@click.option("--basis", required=True, help="provision on which the suspension rests")
@reason_option
@act_options
def suspend(pilot: str, basis: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Suspend a pilot (an officer): the legal act of an authority. Its service is commanded to stop, and only a release
    ends that."""
    send(to, prefix, Suspension(id=id_ or fresh(), pilot=pilot, author=author, basis=basis, reason=reason))


@click.command()
@click.argument("pilot")
@reason_option
@act_options
def hold(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Hold the system as evidence (an officer): no change is registered, and another model in use is a finding. Of its
    ledger nothing is erased or deleted (`ledger hold`)."""
    send(to, prefix, EvidenceHold(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))


@click.command("lift-hold")
@click.argument("pilot")
@reason_option
@act_options
def lift_hold(pilot: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Lift the evidence hold (an officer): the authority was told what changes."""
    send(to, prefix, HoldLift(id=id_ or fresh(), pilot=pilot, author=author, reason=reason))
