"""Who may use the stack: everybody on this machine (`Open`), or who logs in (`Secure`).

The secure stack has one broker with two listeners: firms log in with a password (SCRAM-SHA-512 over TLS), processes and
people of the authority with a certificate. Certificates, passwords and keys are made at the first start, in files that
only their owner can read; `env/USER.env` has the lines by which a shell logs in.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

FIRMS = ("firm-1", "firm-2", "firm-3", "firm-4", "firm-5")  # those of the simulated fleet
PARTITIONS, PREFIX, GROUP = 3, "sandbox", "sandbox-monitor"
PEOPLE = ("operator", "regulator", "reader")


class Access(Protocol):
    """How the parts of a stack, and the people who use it, reach Kafka."""

    mode: str
    secure: bool

    def prepare(self) -> None:
        """Make keys, before anything starts."""

    def broker(self) -> tuple[str, ...]:
        """The command that runs the broker."""

    def broker_ready(self) -> bool:
        """Whether the broker answers."""

    def addresses(self) -> str:
        """The broker's addresses, for people."""

    def environment(self, user: str) -> dict[str, str]:
        """The login of a process."""

    def open_topics(self) -> str:
        """Create topics and grants. Returns the error message; empty on success."""

    def worker_options(self) -> tuple[str, ...]:
        """Further options of the worker."""

    def reader_options(self) -> tuple[str, ...]:
        """Further options of notary and act."""

    def founding(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """The command that founds the sandbox, or says that it is founded, and its login."""

    def summary(self) -> Sequence[str]:
        """What people need to connect, a line each."""


class Open:
    """No logins, no encryption: every process on this machine may do everything."""

    mode, secure = "open", False

    def __init__(self, directory: Path, ports: Mapping[str, int]) -> None:
        self._directory, self._port = directory.resolve(), ports["kafka"]

    def prepare(self) -> None:
        """See `Access`."""
        make_people(self._directory)

    def founding(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """See `Access`."""
        return (*_init(self._directory), "--to", f"kafka://{self.addresses()}"), {}

    def broker(self) -> tuple[str, ...]:
        """See `Access`."""
        where = ("--dir", str(self._directory / "kafka"), "--port", str(self._port))
        return (sys.executable, "-m", "monitor.testing.broker", *where)

    def broker_ready(self) -> bool:
        """See `Access`."""
        from monitor.testing.broker import answers

        return answers(self._port)

    def addresses(self) -> str:
        """See `Access`."""
        return f"127.0.0.1:{self._port}"

    def environment(self, user: str) -> dict[str, str]:
        """See `Access`."""
        return {}

    def open_topics(self) -> str:
        """See `Access`."""
        from monitor.errors import SandboxMonitorError
        from monitor.kafka.topics import TopicNames, create_topics, topics

        try:
            with logged_in({}):
                asyncio.run(create_topics(self.addresses(), topics(TopicNames(PREFIX), PARTITIONS, 1)))
        except SandboxMonitorError as error:
            return str(error)
        return ""

    def worker_options(self) -> tuple[str, ...]:
        """See `Access`."""
        return ()

    def reader_options(self) -> tuple[str, ...]:
        """See `Access`."""
        return ()

    def summary(self) -> Sequence[str]:
        """See `Access`."""
        people = f"people            {self._directory / 'people'}   (keys; founded by `stack.py up --sandbox`)"
        return ["open mode         no logins: every process of this machine may do everything", people]


class Secure:
    """Logins, TLS and grants; topics for each of `firms`; signed outputs; admissions signed by the regulator's key."""

    mode, secure = "secure", True

    def __init__(self, directory: Path, ports: Mapping[str, int], firms: Sequence[str]) -> None:
        self._directory = directory.resolve()
        self._port, self._firms_port = ports["kafka"], ports["firms"]
        self._firms = tuple(dict.fromkeys((*_recorded_firms(self._directory), *firms)))
        self._clients = self._directory / "kafka" / "clients"
        self._keys = self._directory / "keys"

    def prepare(self) -> None:
        """See `Access`."""
        from monitor.files.key_file import new_key

        self._directory.chmod(0o700)
        (self._directory / "firms").write_text("".join(f"{firm}\n" for firm in self._firms))
        for name in ("monitor", "regulator"):
            if not (self._keys / f"{name}.key").exists():
                new_key(self._keys / f"{name}.key")
        make_people(self._directory)

    def founding(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """See `Access`. The regulator's key is the one that may found."""
        to = ("--to", f"kafka://127.0.0.1:{self._port}", "--key", str(self._keys / "regulator.key"))
        return (*_init(self._directory), *to), self.environment("regulator")

    def broker(self) -> tuple[str, ...]:
        """See `Access`."""
        where = ("--dir", str(self._directory / "kafka"), "--port", str(self._port))
        firms = tuple(word for firm in self._firms for word in ("--firm", firm))
        listener = ("--firms-port", str(self._firms_port))
        return (sys.executable, "-m", "monitor.testing.secure_broker", *where, *listener, *firms)

    def broker_ready(self) -> bool:
        """See `Access`. False, too, until the broker's certificates are made."""
        from monitor.access.kafka_login import access
        from monitor.errors import Refused
        from monitor.testing.broker import answers

        try:
            return answers(self._port, context=access(self.environment("operator"))["ssl_context"])
        except Refused:
            return False

    def addresses(self) -> str:
        """See `Access`."""
        return f"127.0.0.1:{self._port} (authority), 127.0.0.1:{self._firms_port} (firms)"

    def environment(self, user: str) -> dict[str, str]:
        """See `Access`."""
        files = {"CA": "ca.crt"}
        if user in self._firms:
            named = {"USER": user, "PASSWORD_FILE": str(self._clients / f"{user}.password")}
        else:
            named, files = {}, files | {"CERT": f"{user}.crt", "KEY": f"{user}.key"}
        named |= {name: str(self._clients / file) for name, file in files.items()}
        return {f"SANDBOX_KAFKA_{name}": value for name, value in named.items()}

    def open_topics(self) -> str:
        """See `Access`."""
        from monitor.errors import SandboxMonitorError

        try:
            with logged_in(self.environment("operator")):
                self._open_as_operator()
        except SandboxMonitorError as error:
            return str(error)
        self._write_logins()
        return ""

    def _open_as_operator(self) -> None:
        """What `topics create`, `topics acls --apply` and `topics users` do, and the quotas of the firms.

        In this process: it saves three starts of Python."""
        from monitor.kafka.acl_admin import AclAdmin
        from monitor.kafka.acls import AclUsers, grants
        from monitor.kafka.quotas import QuotaAdmin
        from monitor.kafka.scram_users import add_users
        from monitor.kafka.topics import TopicNames, create_topics, topics, users_topic

        bootstrap = f"127.0.0.1:{self._port}"
        names = TopicNames(PREFIX, self._firms)
        wanted = [*topics(names, PARTITIONS, 1), users_topic(names, PARTITIONS, 1)]
        asyncio.run(create_topics(bootstrap, wanted))
        with AclAdmin(bootstrap) as admin:
            admin.add(admin.difference(list(grants(PREFIX, GROUP, self._firms, AclUsers()))).missing)
        add_users(bootstrap, self._firms, self._clients)
        with QuotaAdmin(bootstrap) as quotas:
            quotas.apply(self._firms)

    def worker_options(self) -> tuple[str, ...]:
        """See `Access`."""
        from monitor.files.key_file import read_key

        admitter = self._keys / "regulator.key"
        admit = ("--admit-key", read_key(admitter).public) if admitter.exists() else ()
        return ("--each", "--key-file", str(self._keys / "monitor.key"), *admit)

    def reader_options(self) -> tuple[str, ...]:
        """See `Access`."""
        from monitor.files.key_file import read_key

        signer = self._keys / "monitor.key"
        return ("--trust-key", read_key(signer).public) if signer.exists() else ()

    def summary(self) -> Sequence[str]:
        """See `Access`."""
        logins = self._directory / "env"
        return [
            f"regulator         . {logins / 'regulator.env'}   (--key {self._keys / 'regulator.key'} to admit)",
            f"operator          . {logins / 'operator.env'}",
            f"people            {self._directory / 'people'}   (keys; founded by `stack.py up --sandbox`)",
            f"firm              . {logins / f'{self._firms[0]}.env'}   (to=kafka://127.0.0.1:{self._firms_port}; "
            f"also {', '.join(self._firms[1:])})",
        ]

    def _write_logins(self) -> None:
        from monitor.files.key_file import read_key

        trust = read_key(self._keys / "monitor.key").public
        logins = self._directory / "env"
        logins.mkdir(mode=0o700, exist_ok=True)
        for user in (*PEOPLE, *self._firms):
            port = self._firms_port if user in self._firms else self._port
            lines = [f"# Kafka at 127.0.0.1:{port}; the monitor signs with {trust}"]
            lines += [f"export {name}={value}" for name, value in self.environment(user).items()]
            if user in PEOPLE:  # their commands leave out what the monitor did not sign
                lines.append(f"export SANDBOX_TRUST_KEYS={trust}")
            (logins / f"{user}.env").write_text("\n".join(lines) + "\n")


def make_people(directory: Path) -> None:
    """Make the first configuration of the sandbox and the keys of its people, unless they are there."""
    from monitor.cli.sandbox import write_files

    if not (directory / "people" / "sandbox.yaml").exists():
        write_files(directory / "people", "stack", "sandbox-authority")


def _init(directory: Path) -> tuple[str, ...]:
    return (sys.executable, "-m", "monitor", "sandbox", "init", str(directory / "people"))


def _recorded_firms(directory: Path) -> list[str]:
    """Firms of earlier starts in this directory."""
    file = directory / "firms"
    return file.read_text().split() if file.exists() else []


def mode_of(directory: Path) -> str:
    """`open` or `secure`, as the stack in this directory was started; empty where there is none."""
    file = directory / "mode"
    return file.read_text().strip() if file.exists() else ""


def without_login(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without a login of the shell that starts the stack: each part has its own."""
    return {name: value for name, value in environment.items() if not name.startswith("SANDBOX_KAFKA_")}


@contextlib.contextmanager
def logged_in(login: Mapping[str, str]) -> Iterator[None]:
    """Give this process a login for a while."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update({**without_login(before), **login})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
