"""Users of firms on a Kafka cluster: SCRAM-SHA-512 credentials, with passwords made here and kept in files.

As the operator. The cluster stores a salted hash; the file is the only place of the password.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from kafka.admin import KafkaAdminClient, ScramMechanism, UserScramCredentialUpsertion
from kafka.errors import KafkaError

from monitor.access.address import kafka_servers
from monitor.access.kafka_login import access
from monitor.access.tls import secret_of
from monitor.errors import Refused, Unavailable
from monitor.kafka.acl_admin import AclAdmin

ITERATIONS = 8192


def password_of(file: Path) -> str:
    """The password in `file`, which is written with a random one, readable by its owner only, where it is missing."""
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(24) + "\n")
    except FileExistsError:
        pass
    return secret_of("--password-dir", str(file))


def add_users(bootstrap: str, users: Sequence[str], directory: Path) -> list[str]:
    """Make the users that the cluster does not know, with the passwords in `directory`/USER.password; returns them.

    Users that exist are not changed. Raises Refused when the cluster does, `Unavailable` when no broker answers.
    """
    with AclAdmin(bootstrap) as acls:
        acls.existing()  # raises Refused for any other user, whom Kafka 4.1 would leave without an answer below
    directory.mkdir(parents=True, exist_ok=True)
    admin = KafkaAdminClient(bootstrap_servers=kafka_servers(bootstrap), bootstrap_timeout_ms=10_000, **access())
    try:
        known = admin.describe_user_scram_credentials()
        missing = [user for user in users if not known.get(user, {}).get("credential_infos")]
        wanted = [
            UserScramCredentialUpsertion(
                user, ScramMechanism.SCRAM_SHA_512, password_of(directory / f"{user}.password"), ITERATIONS
            )
            for user in missing
        ]
        refused = admin.alter_user_scram_credentials(wanted) if wanted else {}
    except KafkaError as error:
        raise Unavailable(f"no answer from {bootstrap}: {error!r}") from error
    finally:
        admin.close()
    for user, problem in refused.items():
        if problem:
            raise Refused(f"the cluster does not make the user {user}: {problem}")
    return missing
