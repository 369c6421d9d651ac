"""Login and encryption of this process's Kafka clients, read from the environment.

`SANDBOX_KAFKA_USER` names the user, `SANDBOX_KAFKA_PASSWORD_FILE` the file with the password. `SANDBOX_KAFKA_MECHANISM`
is SCRAM-SHA-512 by default, PLAIN or SCRAM-SHA-256. `SANDBOX_KAFKA_CA` names the PEM file of the authority that signed
the broker's certificate, or `system` for those of the machine; without it the connection is not encrypted, which is for
loopback only.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitor.errors import Refused

MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")


def access(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Client settings for aiokafka and kafka-python alike; empty without a user and an authority.

    Raises Refused, naming the variable and the fix, for an invalid value or an unreadable file.
    """
    user, ca = environment.get("SANDBOX_KAFKA_USER", ""), environment.get("SANDBOX_KAFKA_CA", "")
    settings: dict[str, Any] = {}
    if ca:
        try:
            settings["ssl_context"] = ssl.create_default_context(cafile=None if ca == "system" else ca)
        except OSError as error:  # ssl.SSLError is one
            raise Refused(
                f"SANDBOX_KAFKA_CA names {ca}, which is not a file of certificates ({error}); give PEM"
            ) from error
    if user:
        mechanism = environment.get("SANDBOX_KAFKA_MECHANISM", MECHANISMS[0])
        if mechanism not in MECHANISMS:
            raise Refused(f"SANDBOX_KAFKA_MECHANISM is {mechanism!r}; give one of {', '.join(MECHANISMS)}")
        file = environment.get("SANDBOX_KAFKA_PASSWORD_FILE", "")
        if not file:
            raise Refused(
                "SANDBOX_KAFKA_USER is set, SANDBOX_KAFKA_PASSWORD_FILE is not; give the file of the password"
            )
        try:
            password = Path(file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(
                f"SANDBOX_KAFKA_PASSWORD_FILE names {file}, which cannot be read: {error}; give a readable file"
            ) from error
        settings |= {
            "sasl_mechanism": mechanism,
            "sasl_plain_username": user,
            "sasl_plain_password": password,
        }
    if user or ca:
        settings["security_protocol"] = ("SASL_" if user else "") + ("SSL" if ca else "PLAINTEXT")
    return settings
