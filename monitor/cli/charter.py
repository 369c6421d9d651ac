"""`sandbox-monitor charter`: check charter files, compare them, print their hash, start from a template, show one."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
import msgspec
from msgspec import structs
from rich.console import Console
from rich.table import Table

from detectors import SPENDS_ALPHA
from detectors.alpha import AlphaShare, report
from monitor.charter.spec import Charter, alpha_share, canonical_charter, charter_hash
from monitor.cli import charter_delays, charter_history, charter_power
from monitor.cli.charter_diff import diff
from monitor.cli.charter_show import show
from monitor.cli.terminal import echo
from monitor.cli.week import week
from monitor.compile.charter_basis import catalogue_warnings
from monitor.compile.ledger_policy import policy_problems
from monitor.compile.lint import alpha_shares
from monitor.compile.lint_indicator import HALTING
from monitor.compile.lint_people import FEW_APPROVERS
from monitor.compile.load import LoadedCharter, load_charter, read_bytes
from monitor.compile.load_basis import read_catalogue
from monitor.compile.power import IndicatorPower, power_of, power_problems
from monitor.compile.problem import Problem
from monitor.compile.sandbox_file import read_sandbox
from monitor.compile.standards import not_in_force, standard_problems
from monitor.compile.tier_rules import facts_of, tier_by_rule
from monitor.toolkits.deviations import toolkit_problems
from monitor.toolkits.load import SHIPPED, load_toolkit, shipped
from monitor.toolkits.new import new_charter
from monitor.witness.cosigner import read_policy

TEMPLATES = SHIPPED  # of each shipped toolkit one
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def charter() -> None:
    """Check a charter file, print its hash, start from a template, or show the charter of an admitted pilot.

    A charter is the plan under which one pilot runs: its limits, the responses to a broken limit, and the probability
    that a pilot that keeps every limit is ever halted (alpha).
    """


@charter.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file on stdout instead of the text.")
@click.option(
    "--history", type=FILE, metavar="EVENTS", help="Compare with recorded telemetry; propose limits and variance_mean."
)
@click.option(
    "--sandbox",
    "configuration",
    type=FILE,
    metavar="FILE",
    help="Also check against the configuration of the sandbox (`sandbox show`): authorities, people, tier, standards.",
)
@click.option(
    "--basis",
    "catalogue",
    type=FILE,
    metavar="FILE",
    help="The catalogue of clauses that the charter cites; without it the one that ships.",
)
@click.option(
    "--ledger-policy",
    "policy",
    type=FILE,
    metavar="FILE",
    help="Also check that the charter states the hash of this policy file (C2SP tlog-policy) in `ledger_policy`.",
)
@click.option(
    "--toolkit",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also compare with the toolkit in this folder; repeatable. The shipped ones are always known.",
)
def check(
    files: tuple[Path, ...],
    as_json: bool,
    history: Path | None,
    configuration: Path | None,
    policy: Path | None,
    folders: tuple[Path, ...],
    catalogue: Path | None,
) -> None:
    """Check whether each FILE is a valid charter.

    --sandbox also checks what the machine does at admission and amendment: the authorities are in the sandbox and have
    approvers, the tier is not below the one that the rules ask for (the reason is printed with its reference), and
    every minimum standard of the tier is kept.

    A charter that names a toolkit is compared with its template: what was loosened or removed is a warning, and so is a
    newer version of it. With --sandbox, one that is not in force there is a warning, or an error where the standard of
    the tier demands one in force.
    A rule that may halt and cites no clause of a legal basis, or only weak ones (APE below 18, or below `weak_below` of
    the sandbox; `sandbox-monitor basis --help`), is a warning, and so is a clause that the catalogue does not have, or
    has as repealed.

    --ledger-policy compares the file that says who must cosign the published log of the pilot with the hash in the
    charter, which both sides sign at admission.

    For a valid one: pilot, hash, how alpha is split (the threshold is the e-value at which a limit counts as broken),
    and the power: which excess of each limit is found by when, with which probability. For an invalid one, on stderr:
    every mistake as `file:line:column: field: problem; fix`. Warnings do not fail the check. Limits that halt under a
    `variance_mean` that nothing compares with data are named on stderr.

    A limit whose double cannot be found within the cycle with a probability of 80 % is an error in tiers high and
    critical, else a warning; `power` of an indicator states another ratio, time or probability, and the planned
    exposure of a period (without it the caps are taken: the best case).

    --history compares each limit on counts or proportions with EVENTS (JSON lines as for `replay`, also from before
    the cycle): the recorded rate and variance/mean with its 95 % interval, what the charter grants, and the lines
    `limit:` and `variance_mean:` that the recording supports. Dispersion above the granted one makes false halts more
    frequent than alpha. The proposed limit covers the quarter of the recording with the highest rate; cycles within
    five periods (weekdays) count as dispersion. With --json the rows are in `history`.

    Where more than 1 % of the recorded events came too late to count under the charter (by `recordedtime`; regraded
    incidents as well), it prints the `late_window:` or `reporting_delay:` that covers 99 % (`delays` with --json).

    \b
    Exit codes:
      0  every file is valid (whatever --history proposes)
      1  at least one is not, or EVENTS has no telemetry of its pilot
    """
    sandbox = None if configuration is None else read_sandbox(configuration)
    given = None if catalogue is None else read_catalogue(catalogue)
    agreed = "" if policy is None else read_policy(policy).sha256
    toolkits = [*map(load_toolkit, folders), *map(shipped, SHIPPED)]
    readings: list[tuple[Path, LoadedCharter]] = []
    for path in files:
        powers: list[IndicatorPower] = []

        def more(charter: Charter, powers: list[IndicatorPower] = powers) -> list[Problem]:
            powers += power_of(charter)
            lacks = [] if sandbox is None else standard_problems(charter, sandbox=sandbox)
            lacks += [] if sandbox is None else not_in_force(charter, sandbox)
            lacks += toolkit_problems(charter, toolkits)
            differs = policy_problems(charter, agreed) if agreed else []
            basis = [Problem("warning", *flaw) for flaw in catalogue_warnings(charter, given, sandbox)]
            return [*power_problems(charter, powers), *lacks, *differs, *basis]

        reading = read_bytes(path.read_bytes(), str(path), more)
        if sandbox is not None:  # its approvers release, not those of the charter
            kept = tuple(found for found in reading.found if found.problem != FEW_APPROVERS)
            reading = structs.replace(reading, found=kept)
        readings.append((path, reading))
        valid = reading.charter if not reading.errors else None
        rows = delays = None
        if valid is not None and history is not None:
            rows = charter_history.compare(valid, history)
            delays = charter_delays.compare_delays(valid, history)
        if as_json:
            summary = _summary(path, reading) | {"power": charter_power.rows(powers)}
            compared = {} if rows is None else {"history": rows, "delays": delays}
            echo(msgspec.json.encode(summary | compared))
            continue
        for found in reading.found:
            echo(str(found), err=True)
        if reading.charter is not None and not reading.errors:
            _print(path, reading.charter)
            if sandbox is not None:
                _print_tier(reading.charter)
            charter_power.show(powers)
            if rows is None:
                _unchecked(reading.charter)
        if rows is not None and history is not None:
            charter_history.show(history, rows)
            charter_delays.show_delays(history, delays or [])
    if any(reading.errors for _, reading in readings):
        sys.exit(1)


def _print_tier(made: Charter) -> None:
    """The tier that the rules ask for, with the reasons."""
    found = tier_by_rule(facts_of(made))
    reasons = "; ".join(f"{one.tier}: {one.reason} ({one.reference})" for one in found.reasons)
    echo(f"tier {made.tier}; the rules ask for {found.tier}{f' ({reasons})' if reasons else ''}")


@charter.command("hash")
@click.argument("file", type=FILE)
def hash_(file: Path) -> None:
    """Print the hash that both sides sign at admission.

    SHA-256 of the canonical form: every field, sorted. Comments, order and formatting of the YAML do not matter. Exit
    code 1 when FILE is not valid.
    """
    echo(charter_hash(load_charter(file)))


@charter.command()
@click.argument("file", type=FILE)
@click.option("--restart", type=click.IntRange(1, 10_000), default=1, show_default=True, help="which share of alpha")
def alpha(file: Path, restart: int) -> None:
    """Print the share of alpha of each threshold at a restart, and the sum over all restarts up to it.

    The page of a pilot on the board and the end of `replay` show the alpha that it has used.

    Statistics restart when a halt is released or a first crossing is tolerated. The shares of all restarts add up to
    the alpha of the charter: a pilot that keeps its limits is ever halted with at most that probability.
    """
    made = load_charter(file)
    shares = []
    for spec in made.indicators:
        if spec.weight and any(w.name in SPENDS_ALPHA for w in spec.detectors):
            now = alpha_share(made, spec, restart)
            spent = sum(alpha_share(made, spec, j) for j in range(1, restart + 1))
            bar = 1 / (now * (1 - spec.baseline.doubt)) if spec.baseline else 1 / now
            names = [f"{spec.name}/{segment}" for segment in spec.segments] or [spec.name]
            shares += [AlphaShare(name, now, bar, spent) for name in names]
    echo(report(shares, made.alpha))


@charter.command()
@click.argument("template", type=click.Choice(TEMPLATES))
def new(template: str) -> None:
    """Write the commented TEMPLATE of a shipped toolkit to stdout, as `toolkit new` does.

    \b
    Example:
      sandbox-monitor charter new consumer_finance > charter.yaml
    """
    echo(new_charter(shipped(template)), nl=False)


charter.add_command(week)
charter.add_command(show)
charter.add_command(diff)


def placeholders(made: Charter) -> list[str]:
    """The placeholders of a template that are still in a charter: every `<...>` in its text."""
    return sorted(set(re.findall(r"<[^<>]+>", canonical_charter(made).decode())))


def _summary(path: Path, reading: LoadedCharter) -> dict[str, object]:
    made = reading.charter if not reading.errors else None
    return {
        "file": str(path),
        "ok": made is not None,
        "pilot": made.pilot if made else None,
        "hash": charter_hash(made) if made else None,
        "alpha": alpha_shares(made) if made else [],
        "found": reading.found,
    }


def _unchecked(made: Charter) -> None:
    """Print which limits halt under a variance/mean that nothing has compared with data."""
    granted = [
        f"{spec.name} ({spec.variance_mean:g})"
        for spec in made.indicators
        for detector in spec.detectors
        if detector.name == HALTING and detector.level == "halt" and not detector.params.get("check_dispersion")
    ]
    if granted:
        echo(
            f"   variance_mean is granted and not checked: {', '.join(granted)}; if counts vary more, false halts are "
            "more frequent than alpha. Compare with recorded telemetry (--history), or give limit_e_process "
            "`params: {check_dispersion: true}`",
            err=True,
        )


def _print(path: Path, made: Charter) -> None:
    echo(f"OK {path}: pilot {made.pilot}, version {made.version}, hash {charter_hash(made)}")
    if left := placeholders(made):
        echo(f"still to fill in before `admit` or `serve`: {', '.join(left)}", err=True)
    shares = alpha_shares(made)
    if not shares:
        echo("   no limit spends alpha")
        return
    table = Table("indicator", "segment", "alpha", "threshold", box=None, pad_edge=True)
    for share in shares:
        table.add_row(share.indicator, share.segment or "-", f"{share.alpha:.3g}", f"{share.bar:,.0f}")
    Console(highlight=False, soft_wrap=True).print(table)
    spent = sum(spec.weight for spec in made.indicators)
    free = max(1 - spent, 0.0)
    echo(f"   alpha {made.alpha:g}, of which {free:.0%} is unassigned; the first restart gets 61 % of each share")
