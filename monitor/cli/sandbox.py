"""`sandbox-monitor sandbox`: found the sandbox, show its configuration, and change it by proposals."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from msgspec import UNSET, structs

from monitor.basis.catalogue import catalogue_digest
from monitor.basis.citations import sandbox_rules
from monitor.basis.shipped import shipped_basis
from monitor.charter.control import ControlBase
from monitor.cli import control
from monitor.cli.addresses import to_option
from monitor.cli.control import KEY, WAIT, act_options, fresh
from monitor.cli.sandbox_link import Server, accepted, blocked_releases, copy_to_partitions
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trust_option, trusted_here
from monitor.compile.lint_basis import clause_flaws
from monitor.compile.load_basis import check_in_force, read_catalogue, shipped_catalogue
from monitor.compile.sandbox_file import read_sandbox, sandbox_yaml
from monitor.deadlines.shipped import example_table
from monitor.files.durable import create_file
from monitor.files.key_file import own_key
from monitor.lifecycle.change_words import change_words
from monitor.lifecycle.first import FIRST_PEOPLE, first_sandbox
from monitor.lifecycle.sandbox import SUBJECT, Sandbox, size_of, unsigned_firms
from monitor.lifecycle.sandbox_acts import (
    OpenProposal,
    Proposal,
    ProposalApproval,
    ProposalWithdrawal,
    SandboxFounding,
    change_digest,
    configuration_digest,
)
from monitor.lifecycle.sandbox_diff import change_between
from monitor.network.responsibility import network_of
from monitor.projections.formats import stamp
from monitor.projections.sandbox_record import SandboxHistory, SandboxVersion, history_of
from monitor.publication.log_key import new_log_key
from monitor.toolkits.load import SHIPPED, shipped

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
TO = to_option("kafka://host:port or http://host:port")
PREFIX = click.option("--prefix", default="sandbox", show_default=True, help="prefix of the Kafka topic names")
LOG_KEY = "log.key"
WAIT_S = 30.0  # for the outcome of the founding


@click.group()
def sandbox() -> None:
    """The configuration of the sandbox: authorities, people with roles and keys, standards of the tiers, negative list,
    legal deadlines, toolkits in force.

    Once it is founded, roles come from it alone: a charter only names which of its authorities are responsible. It is
    founded once (`init`). Each change is proposed by an officer and approved by an approver, who is another person.

    \b
    Exit codes of all commands:
      0  done
      1  no effect, a file is wrong, or no sandbox is founded
      2  usage error
      3  the server is unavailable
    """


@sandbox.command()
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@TO
@PREFIX
@click.option("--name", default="sandbox", show_default=True, help="id of the sandbox")
@click.option("--authority", default="authority", show_default=True, help="id of the first authority")
@click.option(
    "--key",
    type=FILE,
    callback=lambda context, _option, path: context.meta.__setitem__(KEY, path),
    expose_value=False,
    help="key file of an admitter, where the deployment has any (--admit-key)",
)
@click.option("--author", default="operator", show_default=True, help="who founds it")
@click.option("--origin", help="also make DIR/log.key, the key of the published logs (`keys new-log`), for this origin")
@click.option("--files-only", is_flag=True, help="write the files, and found nothing yet")
@trust_option
def init(
    directory: Path,
    to: str,
    prefix: str,
    name: str,
    authority: str,
    author: str,
    origin: str | None,
    files_only: bool,
    trusted: tuple[str, ...],
) -> None:
    """Make keys and a first configuration in DIR, and found the sandbox with it.

    DIR gets sandbox.yaml (one authority, the EU negative list, standards of the tiers, legal deadlines, the shipped
    toolkits) and one key
    file each for `officer`, `approver-1`, `approver-2` and `evaluator`, readable by their owner only: give each person
    his or her file, and keep no copy. An existing sandbox.yaml is used as it is, so edit it between --files-only and
    the second run.

    \b
    Example:
      sandbox-monitor sandbox init people --to http://127.0.0.1:8321
      sandbox-monitor screen my-pilot --author officer --key people/officer.key --to http://127.0.0.1:8321
    """
    made = write_files(directory, name, authority)
    if origin is not None and not (directory / LOG_KEY).exists():
        new_log_key(directory / LOG_KEY, origin)
        echo(f"wrote {directory / LOG_KEY}: give it to the notary (--log-key), and back it up", err=True)
    if files_only:
        return
    click.get_current_context().meta[WAIT] = WAIT_S
    found_sandbox(Server(to, prefix, trusted_here()), made, author)


def write_files(directory: Path, name: str, authority: str) -> Sandbox:
    """The configuration in a directory; keys and file are made where they are missing."""
    path = directory / "sandbox.yaml"
    if path.exists():
        echo(f"{path} is there already, and is used", err=True)
        return read_sandbox(path)
    keys = {person: own_key(directory / f"{person}.key") for person in FIRST_PEOPLE}
    made = first_sandbox(name, authority, {person: key.public for person, key in keys.items()}, example_table())
    made = structs.replace(
        made,
        toolkits=tuple(shipped(one).ref for one in SHIPPED),
        legal_basis=shipped_basis(shipped_catalogue()),
    )
    create_file(path, sandbox_yaml(made).encode())
    echo(f"wrote {path} and the keys of {', '.join(FIRST_PEOPLE)} in {directory}", err=True)
    return made


def found_sandbox(server: Server, made: Sandbox, author: str) -> None:
    """Found the sandbox, or print that this configuration is in force already."""
    in_force = history_of(accepted(server)).in_force
    if in_force is None:
        act = SandboxFounding(id=fresh(), pilot=SUBJECT, author=author, sandbox=made)
        _send(server, act)
    elif configuration_digest(in_force) != configuration_digest(made):
        raise click.ClickException(
            f"no effect: version {in_force.version} of {in_force.id} is in force and differs; use `sandbox propose`"
        )
    else:
        echo(f"already in force: version {in_force.version} of {in_force.id}")
        _copy(server)


@sandbox.command()
@click.argument("file", type=FILE)
@click.option("--basis", "catalogue", type=FILE, metavar="FILE", help="also check that this catalogue is `legal_basis`")
def check(file: Path, catalogue: Path | None) -> None:
    """Check a configuration: every mistake with its line and the fix on stderr, a summary on stdout.

    --basis compares a catalogue of clauses (`sandbox-monitor basis`) with id, version and digest in `legal_basis`, and
    the clauses that clocks, acts and rules of the monitor cite with those that it has.
    """
    made = read_sandbox(file)
    _check_basis(made, catalogue)
    mode = "open mode: no person has a key" if made.open_mode else "signed: every person has a key"
    echo(
        f"{made.id}, version {made.version}: {len(made.authorities)} authorities, {len(made.people)} people, "
        f"{len(made.prohibitions)} prohibitions, {len(made.clocks.rules)} deadlines, "
        f"{len(made.toolkits or ())} toolkits; "
        f"{mode}; {size_of(made)} bytes; "
        f"digest {configuration_digest(made)}"
    )
    if not made.toolkits:
        echo("warning: toolkits: none is in force; publish one with `toolkit publish`", err=True)
    if unsigned_firms(made):
        echo(
            "warning: firm_keys: a firm without a key may act, and its acts are unsigned; write `firm_keys: required`",
            err=True,
        )
    if network_of(made) is None:
        echo(
            "warning: responsibility: decisions name neither responsible authorities nor addressees; "
            "write `responsibility: computed`",
            err=True,
        )


def _check_basis(made: Sandbox, file: Path | None) -> None:
    """Raises BasisError for a catalogue that is not in force. Clauses that it lacks are warnings."""
    if made.legal_basis is UNSET:
        echo(
            "warning: legal_basis: no catalogue of clauses is in force, so decisions do not name the clauses that they "
            "rest on; add it (monitor/basis/README.md)",
            err=True,
        )
        return
    catalogue = shipped_catalogue() if file is None else read_catalogue(file)
    if file is None and catalogue_digest(catalogue) != made.legal_basis.digest:
        return
    check_in_force(catalogue, made.legal_basis)
    for rule in sandbox_rules(made):
        for flaw in clause_flaws(rule, catalogue):
            echo(f"warning: {flaw.field}: {flaw.problem}; {flaw.fix}", err=True)


@sandbox.command()
@TO
@PREFIX
@click.option("--version", type=click.IntRange(1), help="this version instead of the one in force")
@click.option("--json", "as_json", is_flag=True, help="JSON on one line instead of YAML")
@trust_option
def show(to: str, prefix: str, version: int | None, as_json: bool, trusted: tuple[str, ...]) -> None:
    """Print the configuration in force: YAML on stdout, which `sandbox check` and `sandbox propose` read.

    On stderr: all versions with time and author, and the open proposals.
    """
    history = _history(Server(to, prefix, trusted_here()))
    for one in history.versions:
        echo(_line(one), err=True)
    for name, proposed in history.open.items():
        echo(f"open proposal {name} by {proposed.author}: {change_words(proposed.change)}", err=True)
    chosen = [one.sandbox for one in history.versions if version in (None, one.sandbox.version)]
    if not chosen:
        raise click.ClickException(f"there is no version {version}; the last is {history.versions[-1].sandbox.version}")
    echo(msgspec.json.encode(chosen[-1]).decode() if as_json else sandbox_yaml(chosen[-1]), nl=as_json)


def _line(one: SandboxVersion) -> str:
    decision = one.decision
    signed = f"signed by key {decision.signed}" if decision.signed else "not signed"
    return (
        f"version {one.sandbox.version} {decision.reason.value} {stamp(decision.at)} by {decision.author} ({signed}; "
        f"decision {decision.standing}): digest {decision.charter}"
    )


@sandbox.command()
@click.argument("file", type=FILE)
@act_options
def propose(file: Path, to: str, prefix: str, author: str, id_: str) -> None:
    """Propose the differences between the configuration in force and FILE, as one change. By an officer.

    Start from `sandbox show > FILE`. It has no effect until an approver, who is another person, approves it.
    """
    server = Server(to, prefix, trusted_here())
    in_force = _history(server).in_force
    assert in_force is not None
    change = change_between(in_force, read_sandbox(file))
    if change is None:
        raise click.ClickException(f"{file} does not differ from version {in_force.version}, which is in force")
    act = Proposal(id=id_ or fresh(), pilot=SUBJECT, author=author, change=change)
    echo(change_words(change), err=True)
    _send(server, act)
    echo(f"approve it: sandbox-monitor sandbox approve {act.id}", err=True)


@sandbox.command()
@click.argument("proposal")
@click.option("--despite-halts", is_flag=True, help="send it, even if it leaves a halt without releasers")
@act_options
def approve(proposal: str, despite_halts: bool, to: str, prefix: str, author: str, id_: str) -> None:
    """Put a PROPOSAL in force as the next version. By an approver who is not its author.

    The content is printed; the approval names its digest, so exactly this content comes into force.

    A change that would leave a halt without the people who may release it is refused. On Kafka the partition that
    decides knows its own pilots only; for those of the others this command reads the decisions first, and sends nothing
    if it finds such a halt. A halt that is decided meanwhile is not seen.
    """
    server = Server(to, prefix, trusted_here())
    history = _history(server)
    proposed = _open(history, proposal)
    echo(f"by {proposed.author}: {change_words(proposed.change)}", err=True)
    if blocked := blocked_releases(server, history, proposed.change):
        words = "\n".join(blocked)
        if not despite_halts:
            raise click.ClickException(f"not sent: {words}\nor insist with --despite-halts")
        echo(f"warning: {words}", err=True)
    act = ProposalApproval(
        id=id_ or fresh(), pilot=SUBJECT, author=author, proposal=proposal, digest=change_digest(proposed.change)
    )
    _send(server, act)


@sandbox.command()
@click.argument("proposal")
@act_options
def withdraw(proposal: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Withdraw an open PROPOSAL. By an officer."""
    act = ProposalWithdrawal(id=id_ or fresh(), pilot=SUBJECT, author=author, proposal=proposal)
    _send(Server(to, prefix, trusted_here()), act)


@sandbox.command()
@TO
@PREFIX
@trust_option
def sync(to: str, prefix: str, trusted: tuple[str, ...]) -> None:
    """Copy every accepted act on the sandbox and on firms to the partitions that lack it, in order (Kafka).

    The other commands do this after each act. Needed after partitions were added, or when a command was interrupted
    (alert SandboxConfigurationDiffers). Repeating it has no effect.
    """
    server = Server(to, prefix, trusted_here())
    _history(server)
    _copy(server)


def _history(server: Server) -> SandboxHistory:
    history = history_of(accepted(server))
    if not history.versions:
        raise click.ClickException(f"no sandbox is founded at {server.to}; use `sandbox-monitor sandbox init`")
    return history


def _open(history: SandboxHistory, name: str) -> OpenProposal:
    proposals = history.open
    if name not in proposals:
        there = ", ".join(proposals) or "none"
        raise click.ClickException(f"there is no open proposal {name}; open: {there}")
    return proposals[name]


def _send(server: Server, act: ControlBase) -> None:
    """Send an act, print its outcome, and copy what was accepted to the other partitions."""
    control.send(server.to, server.prefix, act)
    _copy(server)


def send_to_sandbox(to: str, prefix: str, act: ControlBase) -> None:
    """Send an act on the configuration to a server, print its outcome, and copy it to the other partitions."""
    server = Server(to, prefix, trusted_here())
    _history(server)
    _send(server, act)


def _copy(server: Server) -> None:
    copied = copy_to_partitions(server)
    if any(copied.values()):
        where = ", ".join(f"{number} to partition {partition}" for partition, number in copied.items() if number)
        echo(f"copied {where}", err=True)
