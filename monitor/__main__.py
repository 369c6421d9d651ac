"""`sandbox-monitor`: the one command. Subcommands are imported when they are called, so that `--help` is quick."""

from __future__ import annotations

import importlib
import sys
from typing import Literal

from monitor import __version__, logs
from monitor.access.environment import LANGUAGE
from monitor.errors import NotDeterministic, SandboxMonitorError, TryAgain

NEEDS_EXTRA = "this installation holds the SDK only; install the monitor: pip install 'sandbox-monitor[monitor]'"
try:
    import click
    from click.shell_completion import CompletionItem

    from monitor.cli.pilot_names import complete_pilots
    from monitor.cli.terminal import echo
    from monitor.translation import speaking
except ModuleNotFoundError as error:
    sys.exit(f"sandbox-monitor: no module {error.name}: {NEEDS_EXTRA}")

COMMANDS = {
    "act": ("monitor.cli.act", "deliver decisions from Kafka to Alertmanager, Grafana or a file"),
    "fleet": ("monitor.cli.fleet", "pilots and their levels, of all or of one authority"),
    "alerts": ("monitor.cli.alerts", "routes of alerts to the authorities of a sandbox"),
    "basis": ("monitor.cli.basis", "the legal basis of rules: clauses, scores, which rule cites which"),
    "bench": ("monitor.cli.bench", "measure the detectors by simulation (from a checkout)"),
    "completion": (
        "monitor.cli.completion",
        "completion of commands, flags and pilots for bash, zsh or fish",
    ),
    "charter": ("monitor.cli.charter", "check charter files, start from a template, show the charter in force"),
    "dashboards": ("monitor.cli.dashboards", "build the Grafana dashboards, or push them"),
    "doctor": ("monitor.cli.doctor", "check an installation: clocks, Kafka, keys, Prometheus, Alertmanager, Grafana"),
    "demo": ("monitor.cli.demo", "a simulated fleet on the embedded runtime, with the board"),
    "admit": ("monitor.cli.control", "admit a pilot under its charter, or amend the charter"),
    "apply": ("monitor.cli.application", "apply for a place in the sandbox, as the firm"),
    "screen": ("monitor.cli.application", "screen an application: negative list, tier, standards, power"),
    "refuse": ("monitor.cli.application", "refuse an application, naming items of the negative list"),
    "agree": ("monitor.cli.application", "sign the hash of a charter, as the firm or an officer"),
    "withdraw-application": ("monitor.cli.application", "withdraw an application, as the firm"),
    "rejections": ("monitor.cli.status", "telemetry of a pilot that was rejected or counts nowhere, with the fix"),
    "status": ("monitor.cli.status", "state of a pilot, what is open, which step is next and who owes it"),
    "override": ("monitor.cli.control", "set the level of a pilot, with a reason"),
    "rectify": ("monitor.cli.control", "record a corrective action, under a halt or on a finding"),
    "evaluate": ("monitor.cli.control", "record the re-evaluation of a halted pilot"),
    "approve": ("monitor.cli.control", "approve the release of a halted pilot"),
    "release": ("monitor.cli.control", "release a halted pilot, once all required steps are recorded"),
    "accept": ("monitor.cli.control", "accept a new level of an indicator; its baseline is learnt again"),
    "shelve": ("monitor.cli.control", "shelve a finding for a few hours; never a halt"),
    "drill": ("monitor.cli.control", "test a halt of a pilot and measure the time to acknowledge"),
    "propose-change": ("monitor.cli.running", "register a change of the system, or propose it (the firm)"),
    "refuse-change": ("monitor.cli.running", "refuse a proposed change"),
    "pause": ("monitor.cli.running", "ask for a pause of a pilot (the firm)"),
    "resume": ("monitor.cli.running", "end the pause of a pilot (the firm)"),
    "propose-cycle": ("monitor.cli.running", "ask for another cycle of use (the firm)"),
    "grant": ("monitor.cli.running", "grant the pause or cycle that the firm asked for"),
    "decline": ("monitor.cli.running", "decline the pause or cycle that the firm asked for"),
    "ask-guidance": ("monitor.cli.running", "ask the authority for guidance (the firm)"),
    "guide": ("monitor.cli.running", "give guidance, or answer a question"),
    "follow-guidance": ("monitor.cli.running", "state that guidance was followed (the firm)"),
    "inspect": ("monitor.cli.running", "record an inspection, its findings and their due dates"),
    "extend": ("monitor.cli.running", "extend the stay of a pilot"),
    "suspend": ("monitor.cli.running", "suspend a pilot: a legal act that commands its service to stop"),
    "hold": ("monitor.cli.running", "hold the system of a pilot as evidence"),
    "trend": ("monitor.cli.trend", "print the trend report of a pilot from its ledger"),
    "lift-hold": ("monitor.cli.running", "lift an evidence hold"),
    "report-incident": ("monitor.cli.incidents", "report a serious incident to the authority (the firm)"),
    "notice": ("monitor.cli.incidents", "record that the authority or the AI Office was told"),
    "complaints": ("monitor.cli.complaints", "complaints of users outside the firm: import, answer, redress"),
    "reclassify": ("monitor.cli.incidents", "decide on the classes of an incident"),
    "gateway": ("monitor.cli.gateway", "serve firms on Kafka: their acts, and exports of their pilots"),
    "standing": ("monitor.cli.control", "show the standing and level of a pilot"),
    "keys": ("monitor.cli.keys", "create a signing key, or show its public key"),
    "assess": ("monitor.cli.exits", "assess a pilot; the numbers are computed and recorded"),
    "exit": ("monitor.cli.exits", "end the stay of a pilot with an outcome, evaluated and recorded"),
    "approve-exit": ("monitor.cli.exits", "approve that a pilot exits with the outcome `scale`"),
    "approve-tier": ("monitor.cli.exits", "approve the lower tier of an amendment"),
    "terminate": ("monitor.cli.exits", "terminate the stay of a pilot"),
    "issue-report": ("monitor.cli.exits", "record that written proof and exit report were issued"),
    "withhold": ("monitor.cli.exits", "record that the exit report is not published"),
    "consent-to-publish": ("monitor.cli.exits", "agree that the exit report is published (the firm)"),
    "annual": ("monitor.cli.annual", "report on a year of the sandbox from its ledgers"),
    "register": ("monitor.cli.register", "write the public register of the sandbox from its ledgers"),
    "reasons": ("monitor.cli.reasons", "state the reasons of the halts of a pilot from its ledger"),
    "report": ("monitor.cli.report", "documents from ledgers: a halt, a pilot, a fleet, a year, the end of a stay"),
    "graduate": ("monitor.cli.exits", "begin the routine supervision of a pilot that exited with `scale`"),
    "evaluate-step": ("monitor.cli.replicas", "evaluate the step of a rollout: the cap on users rises, falls or stays"),
    "make-template": ("monitor.cli.replicas", "make the charter of a finished pilot a template"),
    "replicate": ("monitor.cli.replicas", "write a charter for a replica of a finished pilot"),
    "cohort": ("monitor.cli.replicas", "compare the replicas of a pilot, from their ledgers"),
    "recall": ("monitor.cli.exits", "recall a system from routine supervision"),
    "dismiss": ("monitor.cli.control", "remove a pilot from the sandbox"),
    "notary": ("monitor.cli.notary", "record decisions from Kafka in ledgers, and serve the board"),
    "model": ("monitor.cli.model", "show which pilots use a version of a model, and what happened to each"),
    "supplier": ("monitor.cli.supplier", "what a supplier may see of its models over all pilots"),
    "ledger": (
        "monitor.cli.ledger",
        "verify, compare, show or rebuild ledgers; prove and bundle entries; disclose or erase texts",
    ),
    "real": ("monitor.cli.real", "replay the three shipped data sets"),
    "export": ("monitor.cli.export", "export the input of a monitor: its history, or telemetry alone"),
    "replay": ("monitor.cli.replay", "replay recorded input; compare with a ledger; write a report"),
    "pool": ("monitor.cli.pool", "pool evidence over the pilots of one vendor (Kafka)"),
    "sandbox": ("monitor.cli.sandbox", "found the sandbox, show and change its people and standards"),
    "serve": ("monitor.cli.serve", "the embedded runtime: one process, SQLite, HTTP ingress, board, metrics"),
    "shadow": ("monitor.cli.shadow", "shadow charters: start, stop, show, list, compare over a history"),
    "simulate": ("monitor.cli.simulate", "send a seeded fleet of pilots to Kafka, HTTP or a file"),
    "firm": ("monitor.cli.firm", "the record of a firm over its pilots, and its class: show, list, classify, annul"),
    "toolkit": ("monitor.cli.toolkit", "toolkits by sector: list, show, start a charter from one, check, publish"),
    "topics": ("monitor.cli.topics", "create or check the Kafka topics, and who may use them"),
    "worker": ("monitor.cli.worker", "a Faust worker on Kafka"),
}
GROUPS: dict[str, str] = {
    "Look, for everybody": (
        "status rejections fleet ledger firm model trend standing cohort supplier reasons register annual report"
    ),
    "Firms": (
        "apply agree withdraw-application rectify evaluate propose-change pause resume propose-cycle ask-guidance "
        "follow-guidance report-incident consent-to-publish export keys"
    ),
    "Regulators: charters and admission": (
        "charter toolkit basis screen refuse admit approve-tier shadow evaluate-step make-template replicate"
    ),
    "Regulators: pilots that run": (
        "override shelve accept drill refuse-change grant decline guide inspect extend suspend hold lift-hold notice "
        "reclassify complaints"
    ),
    "Regulators: release and exit": (
        "approve release assess approve-exit exit terminate issue-report withhold graduate recall dismiss"
    ),
    "Operators": ("serve worker notary act pool gateway topics sandbox doctor alerts dashboards completion"),
    "Trials and replays": "demo simulate replay real bench",
}
"""The commands by who types them, for `--help`. A test holds that each is in one group."""
FUNCTIONS = {"exit": "exit_"}  # names that Python has for something else


NAME = "sandbox-monitor"


class Lazy(click.Group):
    """Lists every command from the table, imports one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = getattr(module, FUNCTIONS.get(cmd_name, cmd_name.replace("-", "_")))
        complete_pilots(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, COMMANDS[name][1]) for name in names.split() if name in COMMANDS])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands and flags that begin so; no module is imported for it."""
        found = [CompletionItem(name, help=text) for name, (_, text) in sorted(COMMANDS.items())]
        return [one for one in found if one.value.startswith(incomplete)] + (
            click.Command.shell_complete(self, ctx, incomplete) if incomplete.startswith("-") else []
        )


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sandbox-monitor")
@click.option(
    "--lang",
    type=click.Choice(["en", "zh"]),
    default="en",
    envvar=LANGUAGE,
    show_envvar=True,
    help="language of what is printed for people; data (--json) and logs stay English",
)
@click.pass_context
def cli(context: click.Context, lang: Literal["en", "zh"]) -> None:
    """Streaming real-time risk monitor for AI regulatory sandboxes.

    \b
    Examples:
      sandbox-monitor demo                                          a simulated fleet, with the board
      sandbox-monitor status pilot-0001 --to http://127.0.0.1:8321  why is it halted, who owes what
      sandbox-monitor rejections pilot-0001                         what of our telemetry has no effect
      sandbox-monitor ledger show var/monitor/ledger/pilot-0001-*.ledger

    Exit codes: 0 done, 1 wrong input or failed check, 2 usage error, 3 server unavailable, 4 `replay --twice` gave
    two results. Data go to stdout, talk to stderr. Logs go to stderr, as text or with SANDBOX_LOG=json as JSON lines.
    """
    try:
        logs.set_up()
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    context.with_resource(speaking(lang))


def main() -> None:
    """Run the command line; our own errors end it with one line on stderr."""
    try:
        cli(prog_name=NAME)
    except NotDeterministic as error:
        echo(f"sandbox-monitor: {error}", err=True)
        sys.exit(4)
    except TryAgain as error:
        echo(f"sandbox-monitor: {error}", err=True)
        sys.exit(3)
    except SandboxMonitorError as error:
        echo(f"sandbox-monitor: {error}", err=True)
        sys.exit(1)
    except ModuleNotFoundError as error:
        if (error.name or "monitor").split(".")[0] in ("monitor", "detectors"):
            raise
        echo(f"sandbox-monitor: no module {error.name}: {NEEDS_EXTRA}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
