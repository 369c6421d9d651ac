"""Walks through a page of documentation: types its commands in order, and compares what they print with the page.

A block marked `sh` holds commands; `sh exit=1` one that is refused; `sh serve` the command of a server, which runs
until the page is over: its output is read up to the line with its address. With a word that names a runtime (`sh
kafka`) it is typed on that runtime only. A block marked `text` right after one is what it prints: a line `...` stands
for any lines, and `...` within a line for any characters. A block marked with a
language and a file name is saved under that name.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from monitor.__main__ import cli
from monitor.errors import SandboxMonitorError
from monitor.testing.wait import Until
from tests.processes import piped

BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHELL = re.compile(r"[$|;&<`*?]")
PORT, LEDGER = "8321", "monitor/ledger"
RUNTIMES = {"embedded", "kafka"}
PATIENCE_S = 60.0
MOST_S = 300.0  # promised time from `sandbox init` to a pilot that runs
PINNED = "authority.pinned "  # logged by a service when it reads the first signed answer: in no fixed order
until = Until(PATIENCE_S, every=0.1)


class Block(NamedTuple):
    """A fenced block of a page: its language, the words behind that, and its text."""

    language: str
    words: list[str]
    text: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = []
    for info, text in BLOCK.findall(page.read_text("utf-8")):
        language, *words = info.split() or [""]
        found.append(Block(language, words, text))
    return found


def commands(text: str) -> Iterator[str]:
    """The commands of a block, one by one: lines that continue, and documents that a line begins, belong to it."""
    lines = iter(text.splitlines())
    for line in lines:
        whole = [line]
        while whole[-1].endswith("\\"):
            whole.append(next(lines))
        if end := re.search(r"<<'?(\w+)", line):
            whole += iter(lines.__next__, end.group(1))
            whole.append(end.group(1))
        command = "\n".join(whole)
        if command.strip() and not command.startswith("#"):
            yield command


def pattern(text: str) -> re.Pattern[str]:
    """What a block of output stands for."""
    parts = []
    for line in text.rstrip("\n").split("\n"):
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(re.escape(part) for part in line.split("...")) + r" *\n")
    return re.compile("".join(parts))


class Walk:
    """A page that is walked through in an empty directory, on a free port."""

    ledger = LEDGER  # the directory of the ledgers on the page
    no_pilots = frozenset({"sandbox"})  # ledgers that are of no pilot

    def __init__(self, page: Path, home: Path, port: int, patch: pytest.MonkeyPatch, *, processes: bool) -> None:
        """`processes`: each command is a separate process, as for a user; else most run in this process. `runtime`:
        blocks of another one are passed over. `names`: what stands for a text of the page here."""
        self.page, self.home, self.port, self.patch, self.processes = page, home, port, patch, processes
        self.runtime, self.names = "", dict[str, str]()
        self.servers: list[subprocess.Popen[bytes]] = []  # what `serve` started
        self.took: list[tuple[float, str]] = []
        patch.chdir(home)
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("XDG_STATE_HOME", str(home / "state"))

    def through(self) -> None:
        """Walk to the end. Raises AssertionError with block and output where the page is untrue."""
        found = list(self.blocks())
        try:
            for block, after in zip(found, [*found[1:], Block("", [], "")], strict=True):
                if block.language == "sh":
                    said = self.typed(block)
                    if after.language == "text":
                        self.compare(block, said, pattern(after.text))
                elif block.words:
                    (self.home / block.words[0]).write_text(block.text, "utf-8")
        finally:
            self.end()

    def adapted(self, text: str) -> str:
        """The text of a block, with the address of the monitor and the names of this walk."""
        for word, here in {PORT: str(self.port), **self.names}.items():
            text = text.replace(word, here)
        return text

    def blocks(self) -> Iterator[Block]:
        """The blocks of the page for this runtime, with the names that stand for those of the page."""
        other = False
        for block in blocks(self.page):
            named = RUNTIMES & set(block.words)
            other = bool(named - {self.runtime}) or (other and block.language == "text")
            if not other:
                words = [word for word in block.words if word not in RUNTIMES]
                yield Block(block.language, words, self.adapted(block.text))

    def compare(self, block: Block, said: str, expected: re.Pattern[str]) -> None:
        """Raises AssertionError unless that was printed. `status` is asked again for a while: what a service sent is
        not stepped at once."""
        *_, last = commands(block.text)
        again = last if last.startswith("sandbox-monitor status") else ""
        before = said.removesuffix(self.one(again)[1]) if again else ""
        end = time.monotonic() + PATIENCE_S
        while not expected.fullmatch(said):
            assert again, f"{block.text}\n--- printed\n{said}"
            assert time.monotonic() < end, f"{block.text}\n--- printed\n{said}"
            time.sleep(0.1)
            said = before + self.one(again)[1]

    def caught_up(self) -> bool:
        """Whether the ledger has the decisions of each pilot."""
        found = CliRunner().invoke(cli, ["ledger", "verify", self.ledger, "--json"])
        for ledger in json.loads(found.stdout)["ledgers"]:
            pilot = Path(ledger["file"]).name.rpartition("-")[0]
            said = CliRunner().invoke(cli, ["status", pilot, "--json"])
            if pilot not in self.no_pilots and json.loads(said.stdout)["standing"] > ledger["entries"]:
                return False
        return True

    def report(self) -> str:
        """How long the commands took, until the pilot ran and as a whole."""
        first = next(n for n, (_, command) in enumerate(self.took) if "sandbox init" in command)
        last = next(n for n, (_, command) in enumerate(self.took) if "-monitor admit" in command)
        until_running = sum(took for took, _ in self.took[first : last + 1])
        whole = sum(took for took, _ in self.took)
        word = "ok" if until_running <= MOST_S else "short"
        return (
            f"GOAL walk_{self.page.stem}_init_to_running_s {until_running:.1f} {MOST_S:g} {word} "
            f"of {whole:.1f} s for all commands"
        )

    def typed(self, block: Block) -> str:
        """Run the commands of a block. Returns what they print."""
        if block.words == ["serve"]:
            return self.serve(block.text)
        said = ""
        expected = int(next((word.partition("=")[2] for word in block.words if word.startswith("exit=")), "0"))
        todo = list(commands(block.text))
        for number, command in enumerate(todo, 1):
            began = time.monotonic()
            code, output = self.one(command)
            self.took.append((time.monotonic() - began, command))
            wanted = expected if number == len(todo) else 0
            assert code == wanted, f"{command}\n--- exit code {code}, printed\n{output}"
            said += output
        return said

    def one(self, command: str) -> tuple[int, str]:
        """Exit code and output of one command."""
        if named := re.fullmatch(r"export (\w+)=(\S+)", command):
            self.patch.setenv(*named.groups())
            return 0, ""
        if self.ledger in command and self.servers:  # the notary follows the decisions
            until(self.caught_up)
        plain, _, target = command.replace("\\\n", " ").partition(" > ")
        if self.processes or SHELL.search(command) or not command.startswith("sandbox-monitor "):
            run = subprocess.run(
                ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            lines = run.stdout.splitlines(keepends=True)
            return run.returncode, "".join(line for line in lines if not line.startswith(PINNED))
        result = CliRunner().invoke(cli, shlex.split(plain)[1:])
        said = result.stderr if target else result.output
        if isinstance(result.exception, SandboxMonitorError):
            said += f"sandbox-monitor: {result.exception}\n"  # as `main` does
        elif result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        if target:
            Path(target).write_bytes(result.stdout_bytes)
        return result.exit_code, said

    def serve(self, text: str) -> str:
        """Start a server. Returns its output up to the line with its address."""
        (command,) = commands(text)
        server = piped(["bash", "-c", "exec " + command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.servers.append(server)
        assert server.stdout is not None
        said = ""
        for line in server.stdout:
            said += line.decode()
            if b" http://" in line:
                return said
        raise AssertionError(f"{command}\n--- ended\n{said}")

    def end(self) -> None:
        """End the servers cleanly, the last one first."""
        while self.servers:
            server = self.servers.pop()
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=60)
