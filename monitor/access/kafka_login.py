"""Login and encryption of this process's Kafka clients, read from the environment.

`SANDBOX_KAFKA_CA` names the PEM file of the authority that signed the broker's certificate, or `system` for those of
the machine; without it the connection is not encrypted, which is for loopback only. A process proves who it is by a
certificate, by a password, or by both:

- `SANDBOX_KAFKA_CERT` and `SANDBOX_KAFKA_KEY` name the PEM files of its certificate and private key (mutual TLS), and
  `SANDBOX_KAFKA_KEY_PASSWORD_FILE` that of the key's password, if it has one. Replaced files are used from the next
  connection on.
- `SANDBOX_KAFKA_USER` names the user, `SANDBOX_KAFKA_PASSWORD_FILE` the file with the password.
  `SANDBOX_KAFKA_MECHANISM` is SCRAM-SHA-512 by default, PLAIN or SCRAM-SHA-256.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from monitor.access.tls import RotatingContext, TlsFiles, secret_of
from monitor.errors import Refused

MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")


def access(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Client settings for aiokafka and kafka-python alike; empty without a user and an authority.

    Raises Refused, naming the variable and the fix, for an invalid value, an unreadable file or an expired certificate.
    """
    settings: dict[str, Any] = {}
    if tls := _tls_files(environment):
        settings["ssl_context"] = RotatingContext(tls)
    user = environment.get("SANDBOX_KAFKA_USER", "")
    if user:
        settings |= _password_login(user, environment)
    if user or tls:
        settings["security_protocol"] = ("SASL_" if user else "") + ("SSL" if tls else "PLAINTEXT")
    return settings


def _tls_files(environment: Mapping[str, str]) -> TlsFiles | None:
    ca = environment.get("SANDBOX_KAFKA_CA", "")
    certificate, key = environment.get("SANDBOX_KAFKA_CERT", ""), environment.get("SANDBOX_KAFKA_KEY", "")
    password = environment.get("SANDBOX_KAFKA_KEY_PASSWORD_FILE", "")
    for given, name, missing, other in (
        (certificate, "SANDBOX_KAFKA_CERT", not ca, "SANDBOX_KAFKA_CA; give the authority of the broker, or `system`"),
        (certificate, "SANDBOX_KAFKA_CERT", not key, "SANDBOX_KAFKA_KEY; give the file of the certificate's key"),
        (key, "SANDBOX_KAFKA_KEY", not certificate, "SANDBOX_KAFKA_CERT; give the file of the key's certificate"),
        (password, "SANDBOX_KAFKA_KEY_PASSWORD_FILE", not key, "SANDBOX_KAFKA_KEY; give the file of the key"),
    ):
        if given and missing:
            variable, _, fix = other.partition("; ")
            raise Refused(f"{name} is set, {variable} is not; {fix}")
    return TlsFiles(ca=ca, certificate=certificate, key=key, password=password) if ca else None


def _password_login(user: str, environment: Mapping[str, str]) -> dict[str, Any]:
    mechanism = environment.get("SANDBOX_KAFKA_MECHANISM", MECHANISMS[0])
    if mechanism not in MECHANISMS:
        raise Refused(f"SANDBOX_KAFKA_MECHANISM is {mechanism!r}; give one of {', '.join(MECHANISMS)}")
    file = environment.get("SANDBOX_KAFKA_PASSWORD_FILE", "")
    if not file:
        raise Refused("SANDBOX_KAFKA_USER is set, SANDBOX_KAFKA_PASSWORD_FILE is not; give the file of the password")
    return {
        "sasl_mechanism": mechanism,
        "sasl_plain_username": user,
        "sasl_plain_password": secret_of("SANDBOX_KAFKA_PASSWORD_FILE", file),
    }
