"""Certificates of a client: what is wrong with its files is named, and replaced files are used from then on."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from monitor.access.kafka_handshake import require_login
from monitor.access.kafka_login import access
from monitor.errors import Refused, Unavailable
from monitor.testing.certificates import DAY, CertificateAuthority, Issued


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path / "tls")


def environment(authority: CertificateAuthority, issued: Issued) -> dict[str, str]:
    return {
        "SANDBOX_KAFKA_CA": str(authority.file),
        "SANDBOX_KAFKA_CERT": str(issued.certificate),
        "SANDBOX_KAFKA_KEY": str(issued.key),
    }


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ("CA", "SANDBOX_KAFKA_CERT is set, SANDBOX_KAFKA_CA is not"),
        ("KEY", "SANDBOX_KAFKA_CERT is set, SANDBOX_KAFKA_KEY is not"),
        ("CERT", "SANDBOX_KAFKA_KEY is set, SANDBOX_KAFKA_CERT is not"),
    ],
)
def test_certificate_key_and_authority_come_together(authority: CertificateAuthority, left_out: str, said: str) -> None:
    """A part that is missing is named."""
    given = environment(authority, authority.client("worker"))
    del given[f"SANDBOX_KAFKA_{left_out}"]
    with pytest.raises(Refused, match=said):
        access(given)


def test_an_expired_certificate_is_refused_with_its_date(authority: CertificateAuthority) -> None:
    """Before any connection, with the variable."""
    with pytest.raises(Refused, match=r"SANDBOX_KAFKA_CERT names .* expired on \d{4}-"):
        access(environment(authority, authority.client("worker", lifetime=-DAY)))


def test_an_encrypted_key_needs_its_password(authority: CertificateAuthority, tmp_path: Path) -> None:
    """The right one opens it, a wrong one and none are refused, and none is asked for on the terminal."""
    given = environment(authority, authority.client("worker", password="right"))
    file = tmp_path / "password"
    with_password = given | {"SANDBOX_KAFKA_KEY_PASSWORD_FILE": str(file)}
    with pytest.raises(Refused, match="is encrypted; give the file of its password"):
        access(given)
    with pytest.raises(Refused, match=r"SANDBOX_KAFKA_KEY_PASSWORD_FILE names .*, which cannot be read"):
        access(with_password)
    file.write_text("wrong\n")
    with pytest.raises(Refused, match="the password in SANDBOX_KAFKA_KEY_PASSWORD_FILE opens"):
        access(with_password)
    file.write_text("right\n")
    assert access(with_password)["security_protocol"] == "SSL"


def test_a_password_and_a_certificate_go_together(authority: CertificateAuthority, tmp_path: Path) -> None:
    """Mutual TLS does not exclude a login."""
    (tmp_path / "password").write_text("p\n")
    given = environment(authority, authority.client("worker")) | {
        "SANDBOX_KAFKA_USER": "monitor",
        "SANDBOX_KAFKA_PASSWORD_FILE": str(tmp_path / "password"),
    }
    assert access(given)["security_protocol"] == "SASL_SSL"


class Server:
    """Accepts TLS connections and keeps the serial number of each client's certificate."""

    def __init__(self, issued: Issued, trusted: Path) -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(trusted))
        self._context.load_cert_chain(issued.certificate, issued.key)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.serials: list[str] = []

    def meet(self, context: ssl.SSLContext) -> str:
        """One connection with a client; the serial number that it showed."""
        thread = threading.Thread(target=self._accept)
        thread.start()
        with (
            socket.create_connection(("127.0.0.1", self.port)) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as sock,
        ):
            sock.recv(1)
        thread.join()
        return self.serials[-1]

    def _accept(self) -> None:
        plain, _ = self._listener.accept()
        with plain, self._context.wrap_socket(plain, server_side=True) as sock:
            shown = sock.getpeercert()
            assert shown is not None
            self.serials.append(str(shown["serialNumber"]))
            sock.sendall(b"!")

    def close(self) -> None:
        self._listener.close()


def test_replaced_files_are_used_by_the_next_connection(authority: CertificateAuthority) -> None:
    """One context follows its files; files that do not fit each other leave the last ones in use."""
    server = Server(authority.server("server"), authority.file)
    try:
        first = authority.client("worker")
        context: ssl.SSLContext = access(environment(authority, first))["ssl_context"]
        before = server.meet(context)
        assert server.meet(context) == before
        authority.client("worker")
        renewed = server.meet(context)
        assert renewed != before
        first.key.write_bytes(authority.client("other").key.read_bytes())
        assert server.meet(context) == renewed
        first.certificate.unlink()
        assert server.meet(context) == renewed
    finally:
        server.close()


def test_an_address_where_nothing_answers_is_unavailable() -> None:
    """A port that accepts a connection and says nothing is not taken for a broker, nor for a wrong setting."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        threading.Thread(target=lambda: silent.accept()[0].close()).start()
        with pytest.raises(Unavailable, match="no Kafka broker answers"):
            require_login([address], {})
