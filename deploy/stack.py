"""`make stack`: the real stack on loopback without Docker: Kafka, worker, act, notary, Prometheus, Alertmanager.

`python deploy/stack.py up` starts the parts that are not running, waits until each is ready and prints its address;
`down` stops all in reverse order; `status` prints the state of each. Data, logs and pid files are in var/stack. Worker,
act and notary are supervised: they are restarted after any end, with growing pauses.

By default the stack is secure: TLS, a user with a login and grants for each process and firm, topics for each firm,
keys for outputs and admissions. `--open` is without all of that, for trials. A directory keeps its mode and its firms.

Exit codes: 0 all parts run (or are stopped), 1 a part does not run, 2 usage error, 3 a part did not become ready.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from stack_access import FIRMS, Access, Open, Secure, mode_of, without_login
from stack_parts import RUNBOOK, Part, parts

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
PORTS = {
    "kafka": 9092,
    "firms": 9094,
    "denials": 9467,
    "gateway": 8322,
    "receiver": 9095,
    "alertmanager": 9093,
    "worker": 9464,
    "act": 9465,
    "notary-metrics": 9466,
    "notary": 8321,
    "prometheus": 9090,
}
READY_SECONDS = 180.0  # for several parts at the same time, on a busy machine
STOP_SECONDS = 20.0


class Stack:
    """The parts, in the order in which they start, with everything they write in `directory`."""

    def __init__(self, directory: Path, ports: dict[str, int], access: Access) -> None:
        self.directory = directory.resolve()
        self.ports, self.access = ports, access
        self.parts = parts(self.directory, ports, access)

    def up(self, sandbox: bool = False) -> int:
        """Start the parts that are not running; on failure stop those that this call started. `sandbox`: found the
        sandbox, too."""
        self.directory.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        if wrong := self._other_mode():
            say(f"stack: {wrong}")
            return 3
        self.access.prepare()
        self.parts = parts(self.directory, self.ports, self.access)  # with the keys
        self._configure()
        started: list[Part] = []
        first = [part.name for part in self.parts].index("worker")  # from here on: what needs topics and logins
        for group in (self.parts[:first], self.parts[first:]):
            if group[0].name == "worker" and (wrong := self.access.open_topics()):
                return self._abort(started, wrong)
            if wrong := self._start_all(group, started) or self._wait_for(group):
                return self._abort(started, wrong)
        if sandbox and (wrong := self._found()):
            return self._abort(started, wrong)
        for part in self.parts:
            print(part.summary)
        for line in self.access.summary():
            print(line)
        say(f"ready after {time.monotonic() - began:.1f} s; logs in {self.directory}; `make stack-down` stops all")
        return 0

    def _found(self) -> str:
        """Found the sandbox, unless it is founded. Returns the error message; empty on success."""
        command, login = self.access.founding()
        done = subprocess.run(command, env=without_login(os.environ) | login, capture_output=True, text=True, cwd=ROOT)
        say(done.stdout.strip())
        if done.returncode == 0:
            people = self.directory / "people"
            say(f"simulated pilots enter the sandbox with `simulate ... --admit --people {people}`")
        return "" if done.returncode == 0 else done.stderr.strip()

    def _start_all(self, group: Sequence[Part], started: list[Part]) -> str:
        """Start the parts that are not running. Returns the error message; empty on success."""
        for part in group:
            if self.pid(part) is not None:
                continue
            if taken(self.ports[part.name]):
                return f"port {self.ports[part.name]} of {part.name} is taken by another process"
            say(f"starting {part.name} ...")
            self._start(part)
            started.append(part)
        return ""

    def _wait_for(self, group: Sequence[Part]) -> str:
        """Wait until the parts are ready. Returns the error message; empty on success."""
        end = time.monotonic() + READY_SECONDS
        for part in group:
            while not part.ready():
                if self.pid(part) is None:
                    return f"{part.name} ended: {self._tail(part)}"
                if time.monotonic() > end:
                    return f"{part.name} is not ready: {self._tail(part)}"
                time.sleep(0.1)
        return ""

    def down(self, parts: Sequence[Part] | None = None) -> int:
        """Stop in reverse order: SIGTERM, then SIGKILL after `STOP_SECONDS`."""
        for part in reversed(self.parts if parts is None else parts):
            pid = self.pid(part)
            if pid is None:
                continue
            say(f"stopping {part.name} ...")
            os.kill(pid, signal.SIGTERM)
            end = time.monotonic() + STOP_SECONDS
            while self.pid(part) is not None:
                if time.monotonic() > end:
                    os.kill(pid, signal.SIGKILL)
                    break
                time.sleep(0.05)
            self._pid_file(part).unlink(missing_ok=True)
        return 0

    def status(self) -> int:
        """Print one line per part."""
        good = True
        for part in self.parts:
            pid = self.pid(part)
            word = "stopped" if pid is None else "ready" if part.ready() else "not ready"
            good = good and word == "ready"
            print(f"{part.name:<14}{word:<11}{pid or ''}")
        return 0 if good else 1

    def pid(self, part: Part) -> int | None:
        """The process id while the process that we started runs; a reused id is not it."""
        try:
            kept = json.loads(self._pid_file(part).read_text())
        except (FileNotFoundError, ValueError):
            return None
        return kept["pid"] if born(kept["pid"]) == kept["born"] else None

    def _pid_file(self, part: Part) -> Path:
        return self.directory / f"{part.name}.pid"

    def _log(self, part: Part) -> Path:
        return self.directory / f"{part.name}.log"

    def _tail(self, part: Part) -> str:
        return self._log(part).read_text(errors="replace")[-800:]

    def _start(self, part: Part) -> None:
        command = part.command
        if part.supervised:
            command = (sys.executable, str(Path(__file__).resolve()), "supervise", "--", *command)
        with self._log(part).open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                start_new_session=True,
                env=without_login(os.environ) | part.environment,
            )
        self._pid_file(part).write_text(json.dumps({"pid": process.pid, "born": born(process.pid)}))

    def _abort(self, started: Sequence[Part], why: str) -> int:
        say(f"stack: {why}")
        self.down(started)
        return 3

    def _other_mode(self) -> str:
        """Why the directory cannot be used in this mode; empty where it can."""
        file = self.directory / "mode"
        before = file.read_text().strip() if file.exists() else ""
        if not before and (self.directory / "kafka" / "data").exists():
            before = "open"  # a stack of before there was a choice
        if before not in ("", self.access.mode):
            return f"{self.directory} holds a {before} stack; remove it, give another --dir, or start with --{before}"
        file.write_text(f"{self.access.mode}\n")
        return ""

    def _configure(self) -> None:
        """Write the shipped configuration with the ports of this stack."""
        prometheus = (DEPLOY / "prometheus" / "prometheus.local.yaml").read_text()
        alertmanager = (DEPLOY / "alertmanager" / "alertmanager.yaml").read_text()
        scraped = (("worker", 9464), ("act", 9465), ("notary-metrics", 9466), ("denials", 9467))
        for part, port in scraped:
            prometheus = prometheus.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.ports[part]}")
        if not self.access.secure:  # nothing is denied
            prometheus = prometheus[: prometheus.index("  - job_name: sandbox-denials")]
        prometheus = prometheus.replace("127.0.0.1:9093", f"127.0.0.1:{self.ports['alertmanager']}")
        rules = self.directory / "rules.yaml"
        board = f"http://127.0.0.1:{self.ports['notary']}/"
        build = [
            sys.executable,
            str(DEPLOY / "prometheus" / "build.py"),
            "--runbook-url",
            RUNBOOK,
            "--board-url",
            board,
        ]
        subprocess.run([*build, "--out", str(rules)], check=True, cwd=ROOT)
        prometheus = prometheus.replace("[rules.yaml]", f"[{rules}]")
        (self.directory / "prometheus.yaml").write_text(prometheus)
        alertmanager = alertmanager.replace("127.0.0.1:9095", f"127.0.0.1:{self.ports['receiver']}")
        (self.directory / "alertmanager.yaml").write_text(alertmanager)


FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 30.0


def supervise(command: Sequence[str]) -> int:
    """Run `command`, and restart it after any end, until SIGTERM, which is passed on. The pause before a restart is 1
    s, doubled after each further end up to 30 s; after a run of a minute it is 1 s again."""
    stop = False
    pause = FIRST_PAUSE_S
    child: subprocess.Popen[bytes] | None = None

    def on_signal(number: int, frame: object) -> None:
        nonlocal stop
        stop = True
        if child is not None and child.poll() is None:
            child.terminate()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    setpriv = shutil.which("setpriv")  # if installed, the child does not outlive a killed supervisor
    prefix = [setpriv, "--pdeathsig", "TERM"] if setpriv else []
    while not stop:
        began = time.monotonic()
        child = subprocess.Popen([*prefix, *command])
        if stop:
            child.terminate()
        code = child.wait()
        if not stop:
            if time.monotonic() - began > 60:
                pause = FIRST_PAUSE_S
            say(f"supervise: {' '.join(command[:4])} ended with {code}; restarting in {pause:.0f} s")
            until = time.monotonic() + pause
            while not stop and time.monotonic() < until:
                time.sleep(0.1)
            pause = min(2 * pause, LAST_PAUSE_S)
    return 0


def born(pid: int) -> str | None:
    """The start time of the process in clock ticks since boot; None for no process or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


def taken(port: int) -> bool:
    """Whether something listens on this loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def say(text: str) -> None:
    """Print to stderr."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """The command line."""
    if sys.argv[1:3] == ["supervise", "--"]:
        return supervise(sys.argv[3:])
    parser = argparse.ArgumentParser(prog="stack", description="the real stack on loopback, without Docker")
    parser.add_argument("word", choices=["up", "down", "status"])
    parser.add_argument("--dir", type=Path, default=ROOT / "var" / "stack", help="data, logs and pid files")
    parser.add_argument("--open", action="store_true", help="without logins and encryption: trials only")
    parser.add_argument("--secure", action="store_true", help="with logins, TLS and grants (the default)")
    parser.add_argument("--sandbox", action="store_true", help="found the sandbox, with the people in people/")
    parser.add_argument("--firm", action="append", default=[], help=f"a firm; repeatable (default: {', '.join(FIRMS)})")
    parser.add_argument("--port", action="append", default=[], metavar="PART=PORT", help=f"other than {PORTS}")
    arguments = parser.parse_args()
    ports = dict(PORTS)
    for pair in arguments.port:
        name, _, number = pair.partition("=")
        if name not in PORTS or not number.isdigit():
            parser.error(f"--port {pair}: write PART=PORT with a part of {', '.join(PORTS)}")
        ports[name] = int(number)
    if arguments.open and arguments.secure:
        parser.error("--open and --secure exclude each other")
    opened = arguments.open or (arguments.word != "up" and mode_of(arguments.dir) == "open")
    access = Open(arguments.dir, ports) if opened else Secure(arguments.dir, ports, arguments.firm or FIRMS)
    stack = Stack(arguments.dir, ports, access)
    done: int = stack.up(arguments.sandbox) if arguments.word == "up" else getattr(stack, arguments.word)()
    return done


if __name__ == "__main__":
    sys.exit(main())
