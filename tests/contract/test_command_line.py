"""Every command keeps to the rules of the command line: groups, `--json`, one meaning per flag, help, completion."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from monitor.__main__ import COMMANDS, GROUPS, cli

RUNS = "runs until it is ended; its facts are metrics and logs"
FILES = "writes files whose form is fixed, and prints where"
VALUE = "prints one value, or a file, as it is"
CHECKS = "prints each mistake with field and fix; the exit code is the result"
NO_JSON = {
    **dict.fromkeys(["act", "demo", "gateway", "ledger witness", "notary", "pool", "serve", "worker"], RUNS),
    "topics denials": RUNS,
    **dict.fromkeys(["dashboards build", "dashboards export", "keys new", "keys new-log", "keys new-witness"], FILES),
    **dict.fromkeys(["ledger bundle", "ledger rebuild", "ledger restore-authority", "real", "register"], FILES),
    **dict.fromkeys(["report exit", "sandbox init", "bench detection", "bench stream"], FILES),
    **dict.fromkeys(["alerts routes", "basis sample", "charter hash", "charter new", "completion", "export"], VALUE),
    **dict.fromkeys(["keys show", "keys show-log", "ledger disclose", "ledger prove", "model bom"], VALUE),
    **dict.fromkeys(["charter week", "replicate", "toolkit new"], VALUE),
    **dict.fromkeys(["basis check", "firm rules", "sandbox check", "toolkit check", "topics acls"], CHECKS),
    **dict.fromkeys(["ledger erase", "ledger retention", "sandbox sync", "topics users"], "says what it changed"),
    "charter alpha": "a table; `charter check --json` has its numbers",
}
"""Commands without `--json`, and why."""
ONE_MEANING: dict[str, tuple[object, set[str]]] = {
    "--to": ("address of the monitor", {"simulate", "ledger bundle"}),
    "--author": ("who acts", set()),
    "--prefix": ("prefix of the Kafka topic names", {"simulate"}),
    "--json": ("flag", set()),
}
"""Flags with one type in every command, and the commands where an older meaning stays."""


def walked(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from walked(below, (*path, name))
    else:
        yield " ".join(path), command


EVERY = dict(walked(cli))


def options(command: click.Command) -> dict[str, click.Parameter]:
    return {name: one for one in command.params for name in one.opts if name.startswith("--")}


def test_every_command_is_in_one_group_of_the_help() -> None:
    """`--help` lists commands by who types them."""
    grouped = [name for names in GROUPS.values() for name in names.split()]
    assert sorted(grouped) == sorted(COMMANDS)
    shown = CliRunner().invoke(cli, ["--help"]).output
    assert all(f"{title}:" in shown for title in GROUPS)


def test_every_command_that_prints_facts_has_json() -> None:
    """A script reads the same facts as a person; the list says why some commands have none."""
    assert {name for name, command in EVERY.items() if "--json" not in options(command)} == set(NO_JSON)


@pytest.mark.parametrize("flag", ONE_MEANING)
def test_a_flag_means_the_same_in_every_command(flag: str) -> None:
    """Type and, for addresses and authors, environment variable are equal wherever the flag is."""
    _, older = ONE_MEANING[flag]
    found = {
        (type(one.type).__name__, one.is_flag if isinstance(one, click.Option) else None)
        for name, command in EVERY.items()
        if name not in older and (one := options(command).get(flag)) is not None
    }
    assert len(found) == 1, found


@pytest.mark.parametrize("name", EVERY)
def test_every_command_says_what_it_does(name: str) -> None:
    """The help begins with a sentence, and every option has its help."""
    command = EVERY[name]
    assert command.help, name
    silent = [one.name for one in command.params if isinstance(one, click.Option) and not one.help and not one.hidden]
    assert not silent


def completed(tmp_path: Path, *words: str) -> list[str]:
    """What a real bash offers after these words."""
    script = subprocess.run(
        [sys.executable, "-m", "monitor", "completion", "bash"], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    (tmp_path / "completion.bash").write_text(script)
    (tmp_path / "sandbox-monitor").write_text(f'#!/bin/sh\nexec {sys.executable} -m monitor "$@"\n')
    (tmp_path / "sandbox-monitor").chmod(0o755)
    asked = (
        f"source {tmp_path}/completion.bash; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
        '_sandbox_monitor_completion sandbox-monitor; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SANDBOX_MONITOR_TO": ""}
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, env=environment, timeout=120)
    assert not done.stderr
    return done.stdout.split()


def test_a_real_bash_completes_commands_subcommands_and_flags(tmp_path: Path) -> None:
    """The printed script works as it is; the installed program is what it calls."""
    assert completed(tmp_path, "sandbox-monitor", "stat") == ["status"]
    assert completed(tmp_path, "sandbox-monitor", "ledger", "ver") == ["verify"]
    assert completed(tmp_path, "sandbox-monitor", "status", "--js") == ["--json"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str) -> None:
    """The script names the program and its variable."""
    shown = CliRunner().invoke(cli, ["completion", shell])
    assert shown.exit_code == 0
    assert "_SANDBOX_MONITOR_COMPLETE" in shown.output


@pytest.mark.parametrize("arguments", [["--help"], ["toolkit", "list"], ["basis", "list"]])
def test_no_colour_and_no_cursor_codes_where_output_is_no_terminal(arguments: list[str]) -> None:
    """A file or a pipe gets plain text, also where the environment names a colourful terminal."""
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *arguments], capture_output=True, env=environment, timeout=120, check=True
    )
    assert b"\x1b" not in done.stdout + done.stderr
