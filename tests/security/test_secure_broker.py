"""The broker that the suite is run on: no door is open without a login."""

from __future__ import annotations

import socket
import ssl
import stat

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError

from monitor.kafka.acls import AclUsers, grants
from monitor.kafka.denials import Denial, parse_denial
from monitor.testing.broker import answers
from monitor.testing.secure_broker import SecureBroker
from monitor.testing.wait import Until
from tests.security.goals import Goal

pytestmark = pytest.mark.kafka
until = Until(30.0, every=0.05)


def test_no_listener_answers_without_tls(secure_broker: SecureBroker, goal: Goal) -> None:
    """A plaintext request is answered on no port, the controller's included."""
    ports = (secure_broker.port, secure_broker.authority_port, secure_broker.controller_port)
    goal("listeners_open_in_plaintext", sum(answers(port) for port in ports), 0)


def test_the_authority_and_the_controller_take_clients_with_a_certificate_only(secure_broker: SecureBroker) -> None:
    """TLS without a certificate, and with one that another authority signed, is refused before any request."""
    context = ssl.create_default_context(cafile=str(secure_broker.certificates.file))
    for port in (secure_broker.authority_port, secure_broker.controller_port):
        assert not answers(port, context=context)
    with socket.create_connection(("127.0.0.1", secure_broker.port)) as plain:
        context.wrap_socket(plain, server_hostname="127.0.0.1").close()  # firms log in with a password


def test_a_denied_operation_is_a_line_of_the_authorizers_log(secure_broker: SecureBroker) -> None:
    """User, operation, resource and request are told."""
    names = secure_broker.deploy("denied")
    topic = names.telemetry_of("firm-2")
    producer = KafkaProducer(
        bootstrap_servers=secure_broker.firms, max_block_ms=10_000, **secure_broker.login("firm-1")
    )
    try:
        with pytest.raises(KafkaError):
            producer.send(topic, b"{}").get(20)
        producer.send(names.telemetry_of("firm-1"), b"{}").get(20)
    finally:
        producer.close()
    wanted = Denial("firm-1", "DESCRIBE", "Topic", topic, "Metadata")
    until(lambda: wanted in secure_broker.denials())
    assert parse_denial("an ordinary line") is None


def test_files_with_a_secret_are_readable_by_their_owner_only(secure_broker: SecureBroker) -> None:
    """Private keys and passwords have mode 0600."""
    secrets = [file for pattern in ("*.key", "*.password") for file in secure_broker.clients.glob(pattern)]
    secrets.append(secure_broker.directory / "broker.pem")
    assert len(secrets) > 8
    assert {stat.S_IMODE(file.stat().st_mode) for file in secrets} == {0o600}


def test_a_second_deployment_is_separate_from_the_first(secure_broker: SecureBroker) -> None:
    """A firm of one deployment that has no part in another has no grant there."""
    users = AclUsers()
    [mine, other] = [{g for g in grants(p, p, ("firm-1",), users) if g.user == "firm-1"} for p in ("one", "two")]
    assert not {g.name for g in mine} & {g.name for g in other}
