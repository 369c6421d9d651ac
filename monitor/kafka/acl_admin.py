"""Compares a cluster's access control lists with the grants of a deployment, and applies them.

With kafka-python's admin client, as the operator. Applying is idempotent: what exists stays, what is missing is added.
What the cluster grants on this deployment's resources beyond the list is *stale*; it is removed on request only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.errors import KafkaError, SecurityDisabledError
from msgspec import Struct

from monitor.access.address import kafka_servers
from monitor.access.kafka_decoders import serialise_decoders
from monitor.access.kafka_handshake import require_login
from monitor.access.kafka_login import access
from monitor.errors import Refused, Unavailable
from monitor.kafka.acls import Grant

_RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.CLUSTER,
}
_RESOURCE_NAMES = {kind: name for name, kind in _RESOURCES.items()}
_BATCH = 200  # entries per request

serialise_decoders()


class AclEntry(Struct, frozen=True, order=True):
    """One entry of the cluster: `user` may, or with `deny` may not, do one `operation` (Kafka's name)."""

    user: str
    operation: str
    resource: str
    name: str
    prefixed: bool = False
    host: str = "*"
    deny: bool = False

    def __str__(self) -> str:
        verb = "may not" if self.deny else "may"
        pattern = f"{self.resource} {self.name}{'*' if self.prefixed else ''}"
        return f"{self.user} {verb} {self.operation} {pattern}" + (f" from {self.host}" if self.host != "*" else "")


class AclDifference(Struct, frozen=True):
    """What the cluster lacks, and what it has beyond the list on the same resources."""

    missing: tuple[AclEntry, ...]
    stale: tuple[AclEntry, ...]


def entries(grants: Iterable[Grant]) -> Iterator[AclEntry]:
    """The grants as single entries."""
    for grant in grants:
        for operation in grant.operations:
            yield AclEntry(grant.user, operation, grant.resource, grant.name, grant.prefixed)


class AclAdmin:
    """The access control lists of one cluster; use it in a `with`.

    Methods raise `Unavailable` when no broker answers, `Refused` when the cluster has no authorizer or the user of
    this process is not the operator.
    """

    def __init__(self, bootstrap: str, login: Mapping[str, Any] | None = None) -> None:
        """Connect, with the `login` of this process's environment unless one is given."""
        self._bootstrap = bootstrap
        login = access() if login is None else login
        require_login(kafka_servers(bootstrap), login, reauthenticates=True)
        try:
            self._admin = KafkaAdminClient(
                bootstrap_servers=kafka_servers(bootstrap), bootstrap_timeout_ms=10_000, **login
            )
        except (KafkaError, OSError) as error:
            raise Unavailable(f"no Kafka broker answers at {bootstrap}: {error}") from error

    def __enter__(self) -> AclAdmin:
        return self

    def __exit__(self, *_: object) -> None:
        self._admin.close()

    def existing(self) -> set[AclEntry]:
        """Every entry of the cluster."""
        every = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        found, _ = self._asked(
            self._admin.describe_acls, ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, every)
        )
        return {_entry(acl) for acl in found}

    def difference(self, grants: Sequence[Grant]) -> AclDifference:
        """Compare the cluster with `grants`."""
        wanted, existing = set(entries(grants)), self.existing()
        reaching = {entry for entry in existing if _reaches(entry, wanted)}
        return AclDifference(tuple(sorted(wanted - existing)), tuple(sorted(reaching - wanted)))

    def add(self, missing: Sequence[AclEntry]) -> None:
        """Add entries."""
        for start in range(0, len(missing), _BATCH):
            done = self._asked(self._admin.create_acls, [_acl(entry) for entry in missing[start : start + _BATCH]])
            if done["failed"]:
                raise Refused(f"the cluster does not take the grants: {done['failed'][0].__name__}")

    def remove(self, stale: Sequence[AclEntry]) -> None:
        """Remove entries."""
        for start in range(0, len(stale), _BATCH):
            filters = [_filter(entry) for entry in stale[start : start + _BATCH]]
            for entry, _, error in self._asked(self._admin.delete_acls, filters):
                if error.errno:
                    raise Refused(f"the cluster does not remove {entry}: {error.__name__}")

    def _asked(self, method: Callable[[Any], Any], argument: Any) -> Any:
        try:
            return method(argument)
        except SecurityDisabledError as error:
            raise Refused(
                f"the brokers at {self._bootstrap} have no authorizer, so every client may do everything; "
                "fix: set authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer on each"
            ) from error
        except KafkaError as error:
            if "AuthorizationFailed" in type(error).__name__:
                raise Refused(
                    "the cluster lets this user neither read nor change grants; log in as the operator, a super user"
                ) from error
            raise Unavailable(f"no answer from {self._bootstrap}: {error!r}") from error


def _reaches(entry: AclEntry, wanted: set[AclEntry]) -> bool:
    """Whether the entry covers a resource of the deployment, or the cluster as a whole."""
    if entry.resource == "cluster" or entry.name == "*":
        return True
    names = {w.name for w in wanted if w.resource == entry.resource}
    prefixes = {w.name for w in wanted if w.resource == entry.resource and w.prefixed}
    if entry.prefixed and any(name.startswith(entry.name) for name in names):
        return True
    return entry.name in names or any(entry.name.startswith(prefix) for prefix in prefixes)


def _kafka_name(name: str) -> str:
    """`DESCRIBE_CONFIGS` as `DescribeConfigs`."""
    return "".join(word.capitalize() for word in name.split("_"))


def _operation(name: str) -> ACLOperation:
    return next(operation for operation in ACLOperation if _kafka_name(operation.name) == name)


def _entry(acl: ACL) -> AclEntry:
    pattern = acl.resource_pattern
    return AclEntry(
        acl.principal.removeprefix("User:"),
        _kafka_name(acl.operation.name),
        _RESOURCE_NAMES.get(pattern.resource_type, pattern.resource_type.name.lower()),
        pattern.resource_name,
        pattern.pattern_type == ACLResourcePatternType.PREFIXED,
        acl.host,
        acl.permission_type == ACLPermissionType.DENY,
    )


def _acl(entry: AclEntry) -> ACL:
    pattern = ResourcePattern(_resource_type(entry), entry.name, _pattern_type(entry))
    return ACL(f"User:{entry.user}", entry.host, _operation(entry.operation), _permission(entry), pattern)


def _filter(entry: AclEntry) -> ACLFilter:
    pattern = ResourcePatternFilter(_resource_type(entry), entry.name, _pattern_type(entry))
    return ACLFilter(f"User:{entry.user}", entry.host, _operation(entry.operation), _permission(entry), pattern)


def _resource_type(entry: AclEntry) -> ResourceType:
    return _RESOURCES.get(entry.resource) or ResourceType[entry.resource.upper()]


def _pattern_type(entry: AclEntry) -> ACLResourcePatternType:
    return ACLResourcePatternType.PREFIXED if entry.prefixed else ACLResourcePatternType.LITERAL


def _permission(entry: AclEntry) -> ACLPermissionType:
    return ACLPermissionType.DENY if entry.deny else ACLPermissionType.ALLOW
