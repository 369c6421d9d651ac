"""`sandbox-monitor`: the one command. Subcommands are imported when they are called, so that `--help` is quick."""

from __future__ import annotations

import importlib
import sys

from monitor import __version__, logs
from monitor.errors import NotDeterministic, SandboxMonitorError, TryAgain

NEEDS_EXTRA = "this installation holds the SDK only; install the monitor: pip install 'sandbox-monitor[monitor]'"
try:
    import click
except ModuleNotFoundError as error:
    sys.exit(f"sandbox-monitor: no module {error.name}: {NEEDS_EXTRA}")

COMMANDS = {
    "act": ("monitor.cli.act", "hand decisions on Kafka to Alertmanager, Grafana or a file"),
    "bench": ("monitor.cli.bench", "measure the detectors by simulation (from a checkout)"),
    "charter": ("monitor.cli.charter", "check a charter file"),
    "dashboards": ("monitor.cli.dashboards", "build the Grafana dashboards, or push them"),
    "demo": ("monitor.cli.demo", "a simulated fleet on the embedded runtime, with the board"),
    "admit": ("monitor.cli.control", "put a charter in force for a pilot, or its amendment"),
    "override": ("monitor.cli.control", "set a pilot's level by hand, with a reason"),
    "rectify": ("monitor.cli.control", "record a corrective action, under a halt or on a finding"),
    "evaluate": ("monitor.cli.control", "record the re-evaluation of a halted pilot"),
    "approve": ("monitor.cli.control", "approve the release of a halted pilot"),
    "release": ("monitor.cli.control", "lift a halt, once every step stands in the record"),
    "accept": ("monitor.cli.control", "accept a new level of an indicator: what is usual is learnt anew"),
    "shelve": ("monitor.cli.control", "set a finding aside for a few hours, never a halt"),
    "drill": ("monitor.cli.control", "try out a halt of a pilot and measure how long its service takes"),
    "keys": ("monitor.cli.keys", "make a signing key, or show its public part"),
    "dismiss": ("monitor.cli.control", "let a pilot leave the sandbox"),
    "notary": ("monitor.cli.notary", "keep the ledger of decisions on Kafka, and show the board"),
    "ledger": ("monitor.cli.ledger", "verify a ledger, or read it"),
    "real": ("monitor.cli.real", "replay the three real data sets that ship with the product"),
    "export": ("monitor.cli.export", "what a monitor was given: the whole history for replay, or its telemetry"),
    "replay": ("monitor.cli.replay", "step recorded input again, compare it with the ledger, draw it"),
    "pool": ("monitor.cli.pool", "the second stage on Kafka: what pilots of one vendor have in common"),
    "serve": ("monitor.cli.serve", "the embedded runtime: one process, SQLite, HTTP ingress, board, metrics"),
    "simulate": ("monitor.cli.simulate", "send a seeded fleet of pilots to Kafka, HTTP or a file"),
    "topics": ("monitor.cli.topics", "create or check the Kafka topics"),
    "worker": ("monitor.cli.worker", "a Faust worker on Kafka"),
}


class Lazy(click.Group):
    """Lists every command from the table, imports one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in sorted(COMMANDS.items())])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sandbox-monitor")
def cli() -> None:
    """Streaming real-time risk monitor for AI regulatory sandboxes.

    Exit codes: 0 done, 1 wrong input or failed check, 2 called wrongly, 3 the other side is unavailable, 4 a replay
    differs from the record. Logs go to stderr, as text or with SANDBOX_LOG=json as JSON lines.
    """
    try:
        logs.set_up()
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def main() -> None:
    """Run the command line; our own errors end it with one line on stderr."""
    try:
        cli()
    except NotDeterministic as error:
        click.echo(f"sandbox-monitor: {error}", err=True)
        sys.exit(4)
    except TryAgain as error:
        click.echo(f"sandbox-monitor: {error}", err=True)
        sys.exit(3)
    except SandboxMonitorError as error:
        click.echo(f"sandbox-monitor: {error}", err=True)
        sys.exit(1)
    except ModuleNotFoundError as error:
        if (error.name or "monitor").split(".")[0] in ("monitor", "detectors"):
            raise
        click.echo(f"sandbox-monitor: no module {error.name}: {NEEDS_EXTRA}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
