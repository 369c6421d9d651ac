"""Encryption and logins: a wrong setting is named at once, by every process and command; certificates are renewed while
clients work."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from monitor.access.address import kafka_servers
from monitor.access.kafka_handshake import require_login
from monitor.access.kafka_login import access
from monitor.errors import Refused, Unavailable
from monitor.testing.certificates import DAY, CertificateAuthority, key_store
from monitor.testing.ports import free_port
from monitor.testing.secure_broker import OPERATOR, SecureBroker
from monitor.testing.wait import Until
from tests.processes import piped
from tests.security.goals import Goal
from tests.strength import examples

pytestmark = pytest.mark.kafka
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """An authority that the broker does not know."""
    return CertificateAuthority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of listeners with a fault: `expired` certificate, `elsewhere` (another host name), `short` sessions,
    `both` (certificate and password), and `plaintext`."""
    home = tmp_path_factory.mktemp("faults")
    protocols = {
        "EXPIRED": "SSL",
        "ELSEWHERE": "SSL",
        "SHORT": "SASL_SSL",
        "BOTH": "SASL_SSL",
        "PLAINTEXT": "PLAINTEXT",
    }
    settings = {
        "listener.name.both.ssl.client.auth": "required",
        "listener.name.short.scram-sha-512.connections.max.reauth.ms": "60000",
    }
    for name in ("expired", "elsewhere"):
        settings[f"listener.name.{name}.ssl.keystore.location"] = str(home / f"{name}.pem")
    for name in ("short", "both"):
        settings[f"listener.name.{name}.scram-sha-512.sasl.jaas.config"] = SCRAM
        settings[f"listener.name.{name}.sasl.enabled.mechanisms"] = "SCRAM-SHA-512"
    broker = SecureBroker(home / "broker", settings=settings, listeners=protocols)
    key_store(broker.certificates.server("expired", lifetime=-DAY), home / "expired.pem")
    key_store(broker.certificates.server("elsewhere", ["broker.example.org"]), home / "elsewhere.pem")
    with broker as running:
        found = {name.lower(): f"127.0.0.1:{port}" for name, port in running.further.items()}
        yield found | {"authority": running.authority, "firms": running.firms, "clients": str(running.clients)}


def environment_of(brokers: dict[str, str], user: str) -> dict[str, str]:
    clients = Path(brokers["clients"])
    found = {"SANDBOX_KAFKA_CA": str(clients / "ca.crt")}
    if user.startswith("firm"):
        return found | {"SANDBOX_KAFKA_USER": user, "SANDBOX_KAFKA_PASSWORD_FILE": str(clients / f"{user}.password")}
    return found | {f"SANDBOX_KAFKA_{n}": str(clients / f"{user}.{e}") for n, e in (("CERT", "crt"), ("KEY", "key"))}


def faults(
    brokers: dict[str, str], stranger: CertificateAuthority, home: Path
) -> dict[str, tuple[str, dict[str, str], str]]:
    """Address, environment and what the message says, by fault."""
    firm, worker = environment_of(brokers, "firm-1"), environment_of(brokers, "monitor")
    ca = worker["SANDBOX_KAFKA_CA"]
    wrong, missing = home / "wrong.password", str(home / "missing")
    wrong.write_text("not it\n")
    other = stranger.client("monitor")
    theirs = {"SANDBOX_KAFKA_CERT": str(other.certificate), "SANDBOX_KAFKA_KEY": str(other.key)}
    past = stranger.client("past", lifetime=-DAY)
    expired = {"SANDBOX_KAFKA_CERT": str(past.certificate), "SANDBOX_KAFKA_KEY": str(past.key)}
    locked = stranger.client("locked", password="secret")
    closed = {"SANDBOX_KAFKA_CERT": str(locked.certificate), "SANDBOX_KAFKA_KEY": str(locked.key)}
    authority, firms = brokers["authority"], brokers["firms"]
    return {
        "wrong password": (firms, firm | {"SANDBOX_KAFKA_PASSWORD_FILE": str(wrong)}, "SANDBOX_KAFKA_PASSWORD_FILE"),
        "unknown user": (firms, firm | {"SANDBOX_KAFKA_USER": "unknown"}, "SANDBOX_KAFKA_USER"),
        "missing password": (firms, firm | {"SANDBOX_KAFKA_PASSWORD_FILE": missing}, "SANDBOX_KAFKA_PASSWORD_FILE"),
        "wrong mechanism": (firms, firm | {"SANDBOX_KAFKA_MECHANISM": "SCRAM-SHA-256"}, "to one of SCRAM-SHA-512"),
        "no login": (firms, {"SANDBOX_KAFKA_CA": ca}, "set SANDBOX_KAFKA_USER"),
        "password for a listener of certificates": (authority, firm, "set SANDBOX_KAFKA_CERT"),
        "password where none is taken": (brokers["plaintext"], without(firm, "CA"), "unset SANDBOX_KAFKA_USER"),
        "no TLS": (firms, {}, "set SANDBOX_KAFKA_CA"),
        "TLS to a plaintext port": (brokers["plaintext"], {"SANDBOX_KAFKA_CA": ca}, "unset SANDBOX_KAFKA_CA"),
        "unknown authority": (authority, worker | {"SANDBOX_KAFKA_CA": str(stranger.file)}, "SANDBOX_KAFKA_CA"),
        "missing authority": (authority, worker | {"SANDBOX_KAFKA_CA": missing}, "SANDBOX_KAFKA_CA"),
        "no certificate": (authority, {"SANDBOX_KAFKA_CA": ca}, "set SANDBOX_KAFKA_CERT"),
        "certificate of a stranger": (authority, worker | theirs, "SANDBOX_KAFKA_CERT"),
        "expired certificate": (authority, worker | expired, "SANDBOX_KAFKA_CERT names"),
        "certificate without key": (authority, without(worker, "KEY"), "SANDBOX_KAFKA_KEY"),
        "key of another": (authority, worker | {"SANDBOX_KAFKA_KEY": str(other.key)}, "SANDBOX_KAFKA_KEY"),
        "missing key": (authority, worker | {"SANDBOX_KAFKA_KEY": missing}, "SANDBOX_KAFKA_KEY"),
        "encrypted key": (authority, worker | closed, "SANDBOX_KAFKA_KEY_PASSWORD_FILE"),
        "wrong password of the key": (
            authority,
            worker | closed | {"SANDBOX_KAFKA_KEY_PASSWORD_FILE": str(wrong)},
            "SANDBOX_KAFKA_KEY_PASSWORD_FILE",
        ),
        "broker's certificate expired": (brokers["expired"], worker, "has expired"),
        "broker's certificate for another host": (brokers["elsewhere"], worker, "--bootstrap"),
        "session of limited length": (brokers["short"], firm, "connections.max.reauth.ms"),
    }


def without(environment: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in environment.items() if key != f"SANDBOX_KAFKA_{name}"}


def test_each_wrong_setting_is_named(
    brokers: dict[str, str], stranger: CertificateAuthority, tmp_path: Path, goal: Goal
) -> None:
    """Every fault of a login is refused with the setting to correct, never taken for a broker that is down."""
    unnamed = []
    for name, (address, environment, wanted) in faults(brokers, stranger, tmp_path).items():
        try:
            require_login(kafka_servers(address), access(environment))
            unnamed.append(f"{name}: accepted")
        except Refused as refused:
            if wanted not in str(refused):
                unnamed.append(f"{name}: {refused}")
        except Exception as error:
            unnamed.append(f"{name}: {error!r}")
    goal("login_faults_not_named", len(unnamed), 0, note="; ".join(unnamed))


def test_right_settings_are_accepted(brokers: dict[str, str]) -> None:
    """A password, a certificate, both, and neither, each where it is asked for."""
    firm, worker = environment_of(brokers, "firm-1"), environment_of(brokers, "monitor")
    for address, environment in (
        (brokers["firms"], firm),
        (brokers["authority"], worker),
        (brokers["both"], worker | firm),
        (brokers["plaintext"], {}),
    ):
        require_login(kafka_servers(address), access(environment))
    require_login(kafka_servers(brokers["short"]), access(firm), reauthenticates=True)


def test_a_broker_that_is_down_is_unavailable() -> None:
    """Nothing listens: the setting is not to blame, and the caller may retry."""
    with pytest.raises(Unavailable):
        require_login([f"127.0.0.1:{free_port()}"], {})


COMMANDS = {
    "dismiss": ["dismiss", "pilot-1", "--reason", "over", "--author", "regulator-1"],
    "worker": ["worker"],
    "notary": ["notary", "--dir", "{home}/ledger", "--port", "0"],
    "topics create": ["topics", "create"],
    "topics check": ["topics", "check"],
    "topics acls --apply": ["topics", "acls", "--participant", "firm-1", "--apply"],
    "act": ["act", "--dir", "{home}/act", "--json-lines", "{home}/decisions.jsonl"],
    "pool": ["pool"],
    "export": ["export", "--pilot", "pilot-1"],
    "charter show": ["charter", "show", "pilot-1"],
}
ACTS = ("dismiss", "charter show")  # these take --to kafka://


def test_every_process_and_command_ends_with_exit_code_1(brokers: dict[str, str], tmp_path: Path, goal: Goal) -> None:
    """Without TLS on a port that speaks it, each ends within seconds with exit code 1 and names the setting."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SANDBOX_KAFKA")}
    runs = {}
    for name, words in list(COMMANDS.items())[: examples(4, len(COMMANDS))]:
        flag, address = ("--to", f"kafka://{brokers['firms']}") if name in ACTS else ("--bootstrap", brokers["firms"])
        command = [sys.executable, "-m", "monitor", *(word.format(home=tmp_path) for word in words), flag, address]
        runs[name] = piped(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    wrong = []
    for name, process in runs.items():
        try:
            said, _ = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
        if process.returncode != 1 or "SANDBOX_KAFKA_CA" not in said:
            wrong.append(f"{name}: {process.returncode} {said[-300:]}")
    goal("processes_that_do_not_name_a_wrong_login", len(wrong), 0, note="; ".join(wrong))


FIRM = """
import sys
from monitor.sdk import Pilot
topic, to, spool = sys.argv[1:]
with Pilot("pilot-1", participant="firm-1", to=to, spool_dir=spool, telemetry_topic=topic) as pilot:
    sent = 0
    for line in sys.stdin:
        pilot.exposure(1, "decisions")
        sent += 1
    pilot.flush(90)
print(sent)
"""


def test_certificates_are_rotated_without_a_lost_event(tmp_path: Path, goal: Goal) -> None:
    """The authority, the broker's certificate and a client's are replaced while telemetry flows. A firm's service and
    a reader with a certificate keep running: every event arrives, over connections with the new files."""
    with SecureBroker(tmp_path / "broker") as broker:
        topic = broker.deploy("sandbox").telemetry_of("firm-1")
        command = [sys.executable, "-c", FIRM, topic, f"kafka://{broker.firms}", str(tmp_path / "spool")]
        firm = piped(
            command,
            env=os.environ | broker.environment("firm-1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert firm.stdin is not None
        with Reader(broker.authority, topic, broker.login("monitor")) as reader:
            for step in (lambda: None, lambda: issue_anew(broker), lambda: forget_the_old(broker)):
                step()
                before = len(reader.exposures)
                Until(60.0, every=0.2)(lambda before=before: reports(firm) and len(reader.exposures) > before)
            said, _ = firm.communicate(timeout=120)
            sent = int(said)
            Until(60.0, every=0.05)(lambda: len(reader.exposures) >= sent)
    goal("events_lost_by_a_rotation", sent - len(reader.exposures), 0, note=f"of {sent}")


def reports(firm: subprocess.Popen[str]) -> bool:
    """Let the service report one exposure."""
    assert firm.stdin is not None
    firm.stdin.write("one more\n")
    firm.stdin.flush()
    return True


def issue_anew(broker: SecureBroker) -> None:
    """Broker and clients trust a second authority, and get certificates of it. The broker reads its files at start."""
    following = CertificateAuthority(broker.clients / "next", "the next authority")
    fresh = broker.clients / "both.crt"
    fresh.write_bytes(broker.certificates.file.read_bytes() + following.file.read_bytes())
    fresh.replace(broker.certificates.file)
    key_store(following.server("broker"), broker.directory / "broker.pem")
    for user in ("monitor", OPERATOR):
        issued = following.client(user)
        issued.key.replace(broker.clients / f"{user}.key")
        issued.certificate.replace(broker.clients / f"{user}.crt")
    broker.restart()


def forget_the_old(broker: SecureBroker) -> None:
    """No client trusts the first authority any more."""
    (broker.clients / "next" / "ca.crt").replace(broker.certificates.file)
    broker.restart()


class Reader:
    """Reads a topic in a thread, with one aiokafka consumer from the first record to the end of the `with`."""

    def __init__(self, bootstrap: str, topic: str, login: dict[str, Any]) -> None:
        self._bootstrap, self._topic, self._login = bootstrap, topic, login
        self.exposures: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._read()))

    async def _read(self) -> None:
        async with AIOKafkaConsumer(
            self._topic, bootstrap_servers=self._bootstrap, auto_offset_reset="earliest", **self._login
        ) as consumer:
            while not self._over.is_set():
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    events = [event for record in records for event in json.loads(record.value)]
                    self.exposures |= {e["id"] for e in events if e["type"] == "sandbox.exposure.tallied"}

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
