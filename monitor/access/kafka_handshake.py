"""Tries encryption and login once before a client is made, so that a wrong setting is named at once.

Kafka clients retry a failed login as if the broker were down, and wait for an answer from a port that speaks another
protocol until a request times out. Here one connection is made, a handshake done, and closed; each failure that a
setting causes is a `Refused` that names the setting. A success is remembered for `REMEMBERED_S`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

from monitor.access.tls import RotatingContext
from monitor.errors import Refused, Unavailable

TIMEOUT_S = 5.0  # of each step
REMEMBERED_S = 60.0
_API_VERSIONS, _METADATA, _SASL_HANDSHAKE, _SASL_AUTHENTICATE = 18, 3, 17, 36
_UNSUPPORTED_MECHANISM, _ILLEGAL_SASL_STATE = 33, 34
_TLS_ALERT, _TLS_HANDSHAKE = 0x15, 0x16  # the first byte of a TLS record; no answer of Kafka is that long
_LARGEST_ANSWER = 16 * 1024 * 1024
_EXPIRED, _NOT_YET_VALID, _WRONG_HOST, _WRONG_ADDRESS = 10, 9, 62, 64  # X509_V_ERR_* of OpenSSL
_succeeded: dict[object, float] = {}


class ConnectionClosed(Exception):
    """The other side closed the connection, or a TLS alert ended it."""


def require_login(servers: Sequence[str], settings: Mapping[str, Any], *, reauthenticates: bool = False) -> None:
    """Connect to the first of `servers` (host:port) that accepts a connection, and log in with `settings`.

    `settings` are those of `kafka_login.access`. Other settings of encryption are not tried. Clients that cannot repeat
    the login of a connection (aiokafka) are refused where the broker limits the length of a session.

    Blocks for a few seconds at most. Raises Refused, naming the setting to correct; Unavailable when no server accepts
    a connection or answers.
    """
    context, protocol = settings.get("ssl_context"), str(settings.get("security_protocol", "PLAINTEXT"))
    user, password = settings.get("sasl_plain_username"), settings.get("sasl_plain_password")
    stamp = context.stamp if isinstance(context, RotatingContext) else context
    key = (tuple(servers), protocol, settings.get("sasl_mechanism"), user, password, stamp, reauthenticates)
    if time.monotonic() - _succeeded.get(key, -REMEMBERED_S) < REMEMBERED_S:
        return
    known = (context is not None) == protocol.endswith("SSL") and bool(user) == protocol.startswith("SASL_")
    problem: Exception | None = None
    for server in servers:
        host, _, port = server.rpartition(":") if ":" in server else (server, "", "9092")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), TIMEOUT_S) as plain:
                if known:
                    _Attempt(server, host.strip("[]"), settings).run(plain, reauthenticates)
        except (OSError, ConnectionClosed, struct.error) as error:
            problem = error
            continue
        _succeeded.clear()  # one entry is enough: a process logs in to one cluster
        _succeeded[key] = time.monotonic()
        return
    raise Unavailable(f"no Kafka broker answers at {','.join(servers)}: {problem}") from problem


class _Attempt:
    """One connection to one server."""

    def __init__(self, server: str, host: str, settings: Mapping[str, Any]) -> None:
        self._server, self._host, self._settings = server, host, settings
        self._context: ssl.SSLContext | None = settings.get("ssl_context")
        self._user = str(settings.get("sasl_plain_username") or "")

    def run(self, plain: socket.socket, reauthenticates: bool) -> None:
        """Do the handshake on a connected socket. Raises Refused, OSError or ConnectionClosed."""
        with contextlib.ExitStack() as stack:
            sock = plain if self._context is None else stack.enter_context(self._encrypted(plain, self._context))
            try:
                _ask(sock, _API_VERSIONS, 0, b"")
            except TlsAnswer:
                raise Refused(
                    f"{self._server} speaks TLS; set SANDBOX_KAFKA_CA to the file of the authority that signed the "
                    "broker's certificate, or give the address of a listener without TLS"
                ) from None
            except (ssl.SSLError, ConnectionError, ConnectionClosed) as error:
                self._explain_end(error)
                raise
            if self._user:
                self._log_in(sock, reauthenticates)
            else:
                self._require_open(sock)

    def _encrypted(self, plain: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        try:
            return context.wrap_socket(plain, server_hostname=self._host)
        except ssl.SSLCertVerificationError as error:
            raise Refused(self._server_certificate(error)) from error
        except (ssl.SSLError, ConnectionError) as error:
            if self._answers_in_plaintext():
                raise Refused(
                    f"{self._server} does not speak TLS, but SANDBOX_KAFKA_CA is set; give the address of a listener "
                    "with TLS, or unset SANDBOX_KAFKA_CA"
                ) from error
            self._explain_end(error)
            raise

    def _server_certificate(self, error: ssl.SSLCertVerificationError) -> str:
        if error.verify_code == _EXPIRED:
            return f"the certificate of {self._server} has expired; the operator must renew it"
        if error.verify_code == _NOT_YET_VALID:
            return (
                f"the certificate of {self._server} is not valid yet; check the clocks of this machine and the broker"
            )
        if error.verify_code in (_WRONG_HOST, _WRONG_ADDRESS):
            return (
                f"the certificate of {self._server} is not for the host name {self._host} ({error.verify_message}); "
                "give the broker's address as --bootstrap with a name that its certificate has"
            )
        return (
            f"the certificate of {self._server} is not signed by an authority in SANDBOX_KAFKA_CA "
            f"({error.verify_message}); give the file of the authority that signed it"
        )

    def _answers_in_plaintext(self) -> bool:
        host, _, port = self._server.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), TIMEOUT_S) as plain:
                _ask(plain, _API_VERSIONS, 0, b"")
                return True
        except (OSError, ConnectionClosed, TlsAnswer):
            return False

    def _explain_end(self, error: Exception) -> None:
        """Raise Refused where the connection ended because of this client's certificate."""
        if self._context is None:
            return
        reason = (error.reason or "") if isinstance(error, ssl.SSLError) else self._alert()
        if "ALERT" not in reason:
            return
        if "CERTIFICATE" not in reason and "UNKNOWN_CA" not in reason:
            return
        if not isinstance(self._context, RotatingContext) or not self._context.files.certificate:
            raise Refused(
                f"{self._server} asks for a certificate; set SANDBOX_KAFKA_CERT and SANDBOX_KAFKA_KEY"
            ) from error
        raise Refused(
            f"{self._server} does not accept the certificate in SANDBOX_KAFKA_CERT "
            f"({reason.lower().replace('_', ' ')}); give one that the authority of the broker signed"
        ) from error

    def _alert(self) -> str:
        """The reason of the alert that a server sends after the handshake, "" for none. A request that crosses it may
        reset the connection before it can be read; here nothing is sent."""
        assert self._context is not None
        host, _, port = self._server.rpartition(":")
        try:
            with (
                socket.create_connection((host.strip("[]"), int(port)), TIMEOUT_S) as plain,
                self._context.wrap_socket(plain, server_hostname=self._host) as sock,
            ):
                sock.settimeout(2.0)
                sock.recv(1)
        except ssl.SSLError as error:
            return error.reason or ""
        except OSError:
            pass
        return ""

    def _require_open(self, sock: socket.socket) -> None:
        """Ask for the metadata of no topic: a listener that expects a password closes the connection."""
        try:
            _ask(sock, _METADATA, 4, struct.pack(">i?", 0, False))
        except (ConnectionError, ConnectionClosed) as error:
            raise Refused(
                f"{self._server} asks for a login; set SANDBOX_KAFKA_USER and SANDBOX_KAFKA_PASSWORD_FILE, or give the "
                "address of a listener for certificates"
            ) from error

    def _log_in(self, sock: socket.socket, reauthenticates: bool) -> None:
        mechanism, password = self._settings["sasl_mechanism"], self._settings["sasl_plain_password"]
        answer = _ask(sock, _SASL_HANDSHAKE, 1, _string(mechanism))
        (code,) = struct.unpack_from(">h", answer)
        if code == _UNSUPPORTED_MECHANISM:
            raise Refused(
                f"{self._server} does not take {mechanism}; set SANDBOX_KAFKA_MECHANISM to one of "
                f"{', '.join(_strings(answer[2:]))}"
            )
        if code == _ILLEGAL_SASL_STATE:
            raise Refused(
                f"{self._server} takes no password, but SANDBOX_KAFKA_USER is set; give the address of a listener with "
                "SASL, or unset SANDBOX_KAFKA_USER"
            )
        if mechanism == "PLAIN":
            _, lifetime = self._authenticate(sock, f"\0{self._user}\0{password}".encode())
        else:
            # Imported where it is used: the package takes a tenth of the start of a worker, and most log in without it.
            from kafka.net.sasl.scram import ScramClient

            lifetime = self._scram(sock, ScramClient(self._user, password, mechanism))
        if lifetime > 0 and not reauthenticates:
            raise Refused(
                f"{self._server} ends a session after {lifetime / 1000:g} s (connections.max.reauth.ms), and this "
                "process cannot repeat its login; log in with a certificate (SANDBOX_KAFKA_CERT), or set "
                "connections.max.reauth.ms=0 on that listener"
            )

    def _scram(self, sock: socket.socket, client: Any) -> int:
        first, _ = self._authenticate(sock, client.first_message())
        client.process_server_first_message(first)
        last, lifetime = self._authenticate(sock, client.final_message())
        try:
            client.process_server_final_message(last)
        except ValueError as error:
            raise Refused(
                f"{self._server} does not know the password of {self._user} itself; this is not the broker that "
                "SANDBOX_KAFKA_PASSWORD_FILE is for"
            ) from error
        return lifetime

    def _authenticate(self, sock: socket.socket, token: bytes) -> tuple[bytes, int]:
        """Send one message of the mechanism; returns the server's, and the length of the session (ms, 0: no limit)."""
        answer = _ask(sock, _SASL_AUTHENTICATE, 1, struct.pack(">i", len(token)) + token)
        code, length = struct.unpack_from(">hh", answer)
        if code:
            raise Refused(
                f"{self._server} refuses the login of {self._user}; check SANDBOX_KAFKA_USER and the password in "
                "SANDBOX_KAFKA_PASSWORD_FILE"
            )
        at = 4 + max(length, 0)
        (size,) = struct.unpack_from(">i", answer, at)
        (lifetime,) = struct.unpack_from(">q", answer, at + 4 + size)
        return answer[at + 4 : at + 4 + size], lifetime


class TlsAnswer(Exception):
    """A TLS record came where an answer of Kafka was expected."""


def _ask(sock: socket.socket, api: int, version: int, body: bytes) -> bytes:
    """Send one request, return the body of its answer. Raises OSError, ConnectionClosed, TlsAnswer."""
    sock.settimeout(TIMEOUT_S)
    request = struct.pack(">hhi", api, version, 1) + _string("sandbox-login") + body
    sock.sendall(struct.pack(">i", len(request)) + request)
    head = _read(sock, 4)
    (size,) = struct.unpack(">i", head)
    if head[0] in (_TLS_ALERT, _TLS_HANDSHAKE):
        raise TlsAnswer
    if not 4 <= size <= _LARGEST_ANSWER:
        raise ConnectionClosed("the answer is not one of Kafka")
    return _read(sock, size)[4:]


def _read(sock: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = sock.recv(size - len(found))
        if not part:
            raise ConnectionClosed("the broker closed the connection")
        found += part
    return found


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">h", len(raw)) + raw


def _strings(raw: bytes) -> list[str]:
    """An array of strings."""
    (count,), at, found = struct.unpack_from(">i", raw), 4, []
    for _ in range(count):
        (size,) = struct.unpack_from(">h", raw, at)
        found.append(raw[at + 2 : at + 2 + size].decode(errors="replace"))
        at += 2 + size
    return found
