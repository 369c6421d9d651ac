"""A real Kafka broker that every client must log in to: SASL_SSL for firms, client certificates for the authority.

    with SecureBroker(Path("var/try/kafka"), firms=("firm-1", "firm-2")) as broker:
        broker.environment("firm-1")     # SANDBOX_KAFKA_* of a firm: SCRAM-SHA-512 over TLS, on `broker.firms`
        broker.environment("monitor")    # of a process of the authority: a client certificate, on `broker.authority`

There is no listener without encryption and no anonymous user: the controller's listener takes the broker's own
certificate only. What no access control list grants is denied (`StandardAuthorizer`); denied operations are lines of
`authorizer.log`. Users of firms are made when the storage is formatted; the operator (a super user) may add more.

`python -m monitor.testing.secure_broker --dir DIR --firm acme` runs one in the foreground.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import secrets
import ssl
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from kafka.admin import KafkaAdminClient, NewTopic

from monitor.access.kafka_login import access
from monitor.errors import Unavailable
from monitor.kafka.acl_admin import AclAdmin
from monitor.kafka.acls import AclUsers, grants
from monitor.kafka.denials import Denial, parse_denial
from monitor.kafka.scram_users import ITERATIONS, password_of
from monitor.kafka.topics import TopicNames, topics, users_topic
from monitor.testing.broker import KafkaBroker, answers, run_in_foreground
from monitor.testing.broker_runtime import run_format_tool
from monitor.testing.certificates import DAY, CertificateAuthority, key_store
from monitor.testing.ports import free_port
from monitor.testing.wait import Until

OPERATOR = "operator"
AUTHORITY = (OPERATOR, "monitor", "notary", "act", "pool", "gateway", "channel", "regulator", "reader")
"""Users with a client certificate, each with the minimum that its role needs but the operator, who may do all."""
# A distinguished name of exactly one common name; any other maps to itself, which no grant names.
PRINCIPAL_RULES = "RULE:^CN=([a-zA-Z0-9._-]+)$/$1/,DEFAULT"


class SecureBroker(KafkaBroker):
    """One broker in `directory`, formatted with one SCRAM user for each of `firms`.

    `firms` and `authority` are the addresses of the two listeners, host:port. `listeners` are further ones, name to
    protocol, with their ports in `further`. `lifetime` is that of the certificates.
    Files for clients are in `directory`/clients.
    """

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        authority_port: int | None = None,
        firms: Sequence[str] = ("firm-1", "firm-2"),
        settings: Mapping[str, str] | None = None,
        lifetime: timedelta = DAY,
        listeners: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(directory, port, settings=dict(settings or {}))
        self.authority_port = authority_port or self.configured_ports().get("AUTHORITY") or free_port()
        self.further = {name: self.configured_ports().get(name) or free_port() for name in listeners or {}}
        self._further_protocols = dict(listeners or {})
        self._fixed_ports = port is not None or bool(self.configured_ports())
        self.lifetime = lifetime
        self.participants = tuple(firms)
        self.clients = self.directory / "clients"
        self.certificates = CertificateAuthority(self.clients, lifetime=30 * lifetime)
        self.renew_server()
        for user in AUTHORITY:
            self.certificates.client(user, lifetime)

    def start(self, timeout: float = 60.0) -> SecureBroker:
        """See `KafkaBroker.start`. A first start takes other ports when another process was given one of them."""
        for attempts_left in (2, 1, 0):
            try:
                super().start(timeout)
            except Unavailable:
                if self._fixed_ports or not attempts_left or "Address already in use" not in self.tail(200):
                    raise
                self.log.unlink()
                self.port, self.authority_port, self.controller_port = free_port(), free_port(), free_port()
                self.further = {name: free_port() for name in self.further}
            else:
                break
        self._fixed_ports = True
        return self

    @property
    def firms(self) -> str:
        """Address of the listener of firms: SASL_SSL, SCRAM-SHA-512."""
        return f"127.0.0.1:{self.port}"

    @property
    def authority(self) -> str:
        """Address of the authority's listener: TLS with client certificates."""
        return f"127.0.0.1:{self.authority_port}"

    @property
    def bootstrap(self) -> str:
        """The authority's listener."""
        return self.authority

    def environment(self, user: str) -> dict[str, str]:
        """The SANDBOX_KAFKA_* variables of a user: a certificate for the authority's, a password for a firm's."""
        common = {"SANDBOX_KAFKA_CA": str(self.certificates.file)}
        if (self.clients / f"{user}.crt").exists():
            files = {"CERT": self.clients / f"{user}.crt", "KEY": self.clients / f"{user}.key"}
            return common | {f"SANDBOX_KAFKA_{name}": str(file) for name, file in files.items()}
        return common | {"SANDBOX_KAFKA_USER": user, "SANDBOX_KAFKA_PASSWORD_FILE": str(self.password_file(user))}

    def address(self, user: str) -> str:
        """The listener that this user connects to."""
        return self.authority if (self.clients / f"{user}.crt").exists() else self.firms

    def login(self, user: str) -> dict[str, Any]:
        """Client settings of a user, for aiokafka and kafka-python alike."""
        return access(self.environment(user))

    def admin(self, user: str = OPERATOR) -> KafkaAdminClient:
        """An admin client; the caller closes it."""
        return KafkaAdminClient(bootstrap_servers=self.address(user), **self.login(user))

    def password_file(self, user: str) -> Path:
        """The file with the password of a SCRAM user, written with a random one where it does not exist."""
        file = self.clients / f"{user}.password"
        password_of(file)
        return file

    def deploy(self, prefix: str, participants: Sequence[str] = (), partitions: int = 1, group: str = "") -> TopicNames:
        """Create the topics of a deployment and apply its grants, as the operator; returns the names of the topics.

        `participants` are the broker's firms by default, `group` (of the workers) is called like the prefix. Returns
        once every grant is in force.
        """
        names = TopicNames(prefix, tuple(participants) or self.participants)
        wanted = list(grants(prefix, group or prefix, names.participants, AclUsers()))
        admin = self.admin()
        try:
            new = [
                NewTopic(t.name, t.partitions, t.replication, topic_configs=t.settings)
                for t in (*topics(names, partitions, 1), users_topic(names, partitions, 1))
            ]
            admin.create_topics(new)
        finally:
            admin.close()
        with AclAdmin(self.authority, self.login(OPERATOR)) as acls:
            acls.add(acls.difference(wanted).missing)
            Until(30.0, every=0.05)(lambda: not acls.difference(wanted).missing)
        return names

    def renew_server(self) -> None:
        """Issue a new certificate for the broker. A running broker uses it after a restart."""
        key_store(self.certificates.server("broker", lifetime=self.lifetime), self.directory / "broker.pem")

    def denials(self) -> list[Denial]:
        """Every denied operation so far, oldest first (the broker keeps the last 16 MiB)."""
        file = self.directory / "authorizer.log"
        lines = file.read_text(errors="replace").splitlines() if file.exists() else []
        return [denial for line in lines if (denial := parse_denial(line)) is not None]

    def _answers(self) -> bool:
        return answers(self.authority_port, context=self._operator_context())

    def _operator_context(self) -> ssl.SSLContext:
        context: ssl.SSLContext = self.login(OPERATOR)["ssl_context"]
        return context

    def _own_settings(self) -> dict[str, str]:
        stores: dict[str, str] = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.directory / "broker.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.certificates.file),
            "ssl.endpoint.identification.algorithm": "https",
            "ssl.enabled.protocols": "TLSv1.2,TLSv1.3",
        }
        ports = {"FIRMS": self.port, "AUTHORITY": self.authority_port, **self.further}
        protocols = {"FIRMS": "SASL_SSL", "AUTHORITY": "SSL", "CONTROLLER": "SSL", **self._further_protocols}
        listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())
        return {
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
            "inter.broker.listener.name": "AUTHORITY",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "log.dirs": str(self.directory / "data"),
            **stores,
            "listener.name.authority.ssl.client.auth": "required",
            "listener.name.controller.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": PRINCIPAL_RULES,
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.firms.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.firms.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:broker;User:{OPERATOR}",
            "allow.everyone.if.no.acl.found": "false",
        }

    def _format(self, config: Path, data: Path) -> None:
        """Kafka's own tool, with the users of firms: their passwords are in a file, not on a command line."""
        words = []
        for user in self.participants:
            salt, salted = (base64.b64encode(part).decode() for part in self._salted(user))
            words.append(f'SCRAM-SHA-512=[name={user},iterations={ITERATIONS},salt="{salt}",saltedpassword="{salted}"]')
        run_format_tool(config, scram=words)

    def _salted(self, user: str) -> tuple[bytes, bytes]:
        salt = secrets.token_bytes(16)
        password = self.password_file(user).read_text().strip().encode()
        return salt, hashlib.pbkdf2_hmac("sha512", password, salt, ITERATIONS)


def main(arguments: list[str] | None = None) -> int:
    """Run one broker in the foreground. Exit code 0 after a signal, 1 when it could not start or ended by itself."""
    parser = argparse.ArgumentParser(
        prog="python -m monitor.testing.secure_broker", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--dir", type=Path, required=True, help="where its data, certificates and log live")
    parser.add_argument("--port", type=int, default=9092, help="the authority's port on 127.0.0.1 (default 9092)")
    parser.add_argument("--firms-port", type=int, default=9094, help="the firms' port on 127.0.0.1 (default 9094)")
    parser.add_argument("--firm", action="append", default=[], help="a firm that gets a user; repeatable")
    parser.add_argument("--days", type=int, default=30, help="how long certificates are valid (default 30)")
    given = parser.parse_args(arguments)
    lifetime = given.days * DAY
    return run_in_foreground(SecureBroker(given.dir, given.firms_port, given.port, given.firm, lifetime=lifetime))


if __name__ == "__main__":
    sys.exit(main())
