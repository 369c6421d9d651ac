"""A real Kafka broker for tests and for `make stack`: one JVM on loopback, started from jars that Maven resolves.

`python -m monitor.testing.broker --dir DIR --port 9092` runs one in the foreground until SIGTERM or SIGINT; it prints
`ready 127.0.0.1:9092` on standard output once the broker answers. In Python:

    with KafkaBroker(Path("var/try/kafka")) as broker:
        ...  # broker.bootstrap is "127.0.0.1:<port>"

Needs Java 17 or newer, Maven once, and a checkout (see `broker_runtime`).
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType

from monitor.errors import Unavailable
from monitor.testing.broker_runtime import LOCAL, broker_command, format_storage
from monitor.testing.ports import free_port
from monitor.testing.scratch import scratch


def answers(port: int, timeout: float = 1.0, context: ssl.SSLContext | None = None) -> bool:
    """Whether a broker on this port answers a request (ApiVersions, version 0): an open port alone is too early.

    With a `context` it is asked over TLS.
    """
    request = struct.pack(">hhih", 18, 0, 1, -1)  # api key, api version, correlation id, no client id
    try:
        with contextlib.ExitStack() as stack:
            s = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout))
            if context is not None:
                s = stack.enter_context(context.wrap_socket(s, server_hostname="127.0.0.1"))
            s.sendall(struct.pack(">i", len(request)) + request)
            answer = s.recv(8)
            return len(answer) == 8 and struct.unpack(">ii", answer)[1] == 1  # a TLS alert is no answer
    except OSError:  # ssl.SSLError is one
        return False


class KafkaBroker:
    """One broker in `directory` (created), on its own loopback ports; data survive `stop`, `kill` and `restart`.

    `port` and `controller_port` default to free ones, or to those of an earlier start in the same directory. `settings`
    are further lines of the broker's configuration, `environment` is added to this process's own. The JVM's own log is
    `broker.log` in the directory.
    """

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        controller_port: int | None = None,
        settings: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.directory = directory.resolve()
        self._settings = settings or {}
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        before = self.configured_ports()
        self.port = port or before.get("PLAINTEXT") or before.get("FIRMS") or free_port()
        self.controller_port = controller_port or before.get("CONTROLLER") or free_port()

    @property
    def bootstrap(self) -> str:
        """Address for clients, `host:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the JVM, None when it does not run."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """Whether the JVM lives (it may not be ready yet, see `start`)."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        """The JVM's output."""
        return self.directory / "broker.log"

    def start(self, timeout: float = 60.0) -> KafkaBroker:
        """Start the JVM and return once it answers; the first start in a directory formats the storage.

        Raises `Unavailable` when Java or the jars are missing, when the JVM ends, or after `timeout` seconds.
        """
        self.launch()
        return self.ready(timeout)

    def launch(self) -> None:
        """Start the JVM and do not wait. It ends with the thread that called this, so call it from one that stays.

        Raises `Unavailable` when Java or the jars are missing.
        """
        if self.running:
            return
        if self._answers():
            raise Unavailable(f"something already answers on {self.bootstrap}: stop it, or choose another port")
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self._configure()
        data = self.directory / "data"
        if not (data / "meta.properties").exists():
            self._format(config, data)
        command = broker_command(config)
        keeper = shutil.which("setpriv")
        if keeper:  # a test run that is killed takes its broker with it
            command = [keeper, "--pdeathsig", "KILL", *command]
        with self.log.open("ab") as log:
            # Its own process group: Ctrl-C in a terminal reaches us alone, and we stop it in order.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                start_new_session=True,
                env={**os.environ, **self._environment},
            )
        (self.directory / "broker.pid").write_text(f"{self._process.pid}\n")

    def ready(self, timeout: float = 60.0) -> KafkaBroker:
        """Wait until a launched JVM answers. Raises `Unavailable` when it ends, or after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not self._answers():
            if not self.running:
                raise Unavailable(f"the broker ended while starting, see {self.log}:\n{self.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise Unavailable(f"the broker did not answer within {timeout:.0f} s, see {self.log}:\n{self.tail()}")
            time.sleep(0.05)
        return self

    def stop(self, timeout: float = 20.0) -> None:
        """SIGTERM and wait; SIGKILL after `timeout` seconds. Nothing to do when it does not run."""
        self._end(signal.SIGTERM, timeout)

    def kill(self) -> None:
        """SIGKILL: what a machine's death looks like to the log files (not to the disk)."""
        self._end(signal.SIGKILL, 10.0)

    def restart(self) -> None:
        """Stop in order and start again on the same ports and data."""
        self.stop()
        self.start()

    def wait(self) -> int:
        """Block until the JVM ends and return its exit code."""
        return self._process.wait() if self._process else 0

    def tail(self, lines: int = 15) -> str:
        """The end of the JVM's log, for error messages."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def __enter__(self) -> KafkaBroker:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def configured_ports(self) -> dict[str, int]:
        """Ports by listener, of an earlier start in the same directory; empty before the first."""
        config = self.directory / "server.properties"
        found: dict[str, int] = {}
        for line in config.read_text().splitlines() if config.exists() else ():
            key, _, value = line.partition("=")
            if key == "listeners":
                found = {part.split("://")[0]: int(part.rsplit(":", 1)[1]) for part in value.split(",")}
        return found

    def _answers(self) -> bool:
        return answers(self.port)

    def _own_settings(self) -> dict[str, str]:
        """What depends on this broker's ports and directory."""
        return {
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "log.dirs": str(self.directory / "data"),
        }

    def _format(self, config: Path, data: Path) -> None:
        format_storage(config, data, self._settings.get("node.id", "1"))

    def _configure(self) -> Path:
        config = self.directory / "server.properties"
        lines = "".join(f"{key}={value}\n" for key, value in {**self._own_settings(), **self._settings}.items())
        config.write_text((LOCAL / "broker.properties").read_text() + "\n" + lines)
        return config

    def _end(self, how: signal.Signals, timeout: float) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._process = None
        (self.directory / "broker.pid").unlink(missing_ok=True)


def shared() -> KafkaBroker:
    """The one broker of this process, started on first use in a temporary directory and stopped when the process
    ends."""
    global _shared
    if _shared is None or not _shared.running:
        directory = Path(tempfile.mkdtemp(prefix=scratch("broker")))
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        _shared = KafkaBroker(directory).start()
        atexit.register(_shared.stop)  # runs before the directory goes: last registered, first called
    return _shared


_shared: KafkaBroker | None = None


def main(arguments: list[str] | None = None) -> int:
    """Run one broker in the foreground. Exit code 0 after a signal, 1 when it could not start or ended by itself."""
    parser = argparse.ArgumentParser(
        prog="python -m monitor.testing.broker", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--dir", type=Path, required=True, help="where its data, configuration and log live")
    parser.add_argument("--port", type=int, default=9092, help="port on 127.0.0.1 (default 9092)")
    parser.add_argument(
        "--controller-port", type=int, default=None, help="port of the controller (default: a free one)"
    )
    given = parser.parse_args(arguments)
    return run_in_foreground(KafkaBroker(given.dir, given.port, given.controller_port))


def run_in_foreground(broker: KafkaBroker) -> int:
    """Run a broker until SIGTERM or SIGINT, and print when it is ready. Exit code 0 after a signal, 1 when it could not
    start or ended by itself."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    try:
        broker.start()
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    print(f"ready {broker.bootstrap}", flush=True)
    while broker.running and not asked.wait(0.5):
        pass
    ended = not broker.running
    with contextlib.suppress(ProcessLookupError):
        broker.stop()
    if ended:
        print(f"the broker ended by itself, see {broker.log}", file=sys.stderr)
    return 1 if ended else 0


if __name__ == "__main__":
    sys.exit(main())
