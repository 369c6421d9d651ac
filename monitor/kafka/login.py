"""The login of this process's Kafka clients, tried before they are made; and what the cluster refuses later."""

from __future__ import annotations

import asyncio

from aiokafka.errors import KafkaError

from monitor.access.address import kafka_servers
from monitor.access.kafka_handshake import require_login as try_login
from monitor.access.kafka_login import access
from monitor.errors import Refused, SandboxMonitorError, Unavailable


async def require_login(bootstrap: str) -> None:
    """Raise Refused, naming the setting, when the broker does not take this process's login; `Unavailable` when none
    answers."""
    await asyncio.to_thread(try_login, kafka_servers(bootstrap), access())


def problem(what: str, error: KafkaError) -> SandboxMonitorError:
    """What to raise for an error of the client: Refused where the user lacks a grant, else `Unavailable`.

    `what` says what could not be done, and where.
    """
    if "AuthorizationFailed" in type(error).__name__:
        names = ", ".join(sorted(map(str, error.args[0]))) if error.args and isinstance(error.args[0], set) else error
        user = access().get("sasl_plain_username") or "of this process's certificate"
        return Refused(
            f"{what}: the user {user} lacks a grant ({names}); fix: log in as a user that has it, or let the operator "
            "apply the grants: sandbox-monitor topics acls --apply"
        )
    return Unavailable(f"{what}: {error!r}")
