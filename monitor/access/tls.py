"""TLS of a client: a context made from PEM files, which reads them again when they were replaced.

Long-running processes connect again and again; each new connection uses the files as they are then, so certificates are
rotated by replacing the files, without a restart. Files that are being replaced, and do not fit each other for a
moment, are not used: the last ones that were complete stay in use.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from cryptography import x509
from msgspec import Struct

from monitor.errors import Refused
from monitor.logs import EventLogger

SYSTEM = "system"
events = EventLogger(__name__)
_Stamp: TypeAlias = tuple[tuple[str, int, int, int], ...]


class TlsFiles(Struct, frozen=True, kw_only=True):
    """`ca` is a PEM file, or `system` for the authorities of the machine. `certificate`, `key` and `password` (of the
    key) are files, or empty."""

    ca: str
    certificate: str = ""
    key: str = ""
    password: str = ""

    def stamp(self) -> _Stamp:
        """Changes whenever one of the files is replaced or written. Raises OSError for a missing one."""
        named = [name for name in (self.ca, self.certificate, self.key, self.password) if name and name != SYSTEM]
        stats = [(name, Path(name).stat()) for name in named]
        return tuple((name, stat.st_mtime_ns, stat.st_size, stat.st_ino) for name, stat in stats)

    def load(self, now: datetime) -> ssl.SSLContext:
        """A context with what the files hold. Raises Refused, naming the variable and the fix."""
        try:
            context = ssl.create_default_context(cafile=None if self.ca == SYSTEM else self.ca)
        except OSError as error:  # ssl.SSLError is one
            raise Refused(
                f"SANDBOX_KAFKA_CA names {self.ca}, which is not a file of certificates ({error}); give PEM"
            ) from error
        if self.certificate:
            self._require_valid(now)
            self._load_chain(context)
        return context

    def _require_valid(self, now: datetime) -> None:
        end = valid_until(self.certificate)
        if now >= end:
            raise Refused(
                f"SANDBOX_KAFKA_CERT names {self.certificate}, which expired on {end:%Y-%m-%d %H:%M} UTC; "
                "give a valid certificate"
            )

    def _load_chain(self, context: ssl.SSLContext) -> None:
        def password() -> str:
            # Without this OpenSSL would ask on the terminal.
            if not self.password:
                raise Refused(
                    f"SANDBOX_KAFKA_KEY names {self.key}, which is encrypted; "
                    "give the file of its password as SANDBOX_KAFKA_KEY_PASSWORD_FILE"
                )
            return secret_of("SANDBOX_KAFKA_KEY_PASSWORD_FILE", self.password)

        try:
            context.load_cert_chain(self.certificate, self.key, password)
        except ssl.SSLError as error:
            raise Refused(self._chain_problem(error)) from error
        except OSError as error:
            raise Refused(
                f"SANDBOX_KAFKA_KEY names {self.key}, which cannot be read: {error}; give a readable file"
            ) from error

    def _chain_problem(self, error: ssl.SSLError) -> str:
        if error.reason == "KEY_VALUES_MISMATCH":
            return (
                f"SANDBOX_KAFKA_KEY names {self.key}, which is not the key of the certificate {self.certificate}; "
                "give the two files that were made together"
            )
        if self.password:
            return (
                f"SANDBOX_KAFKA_KEY names {self.key}, which is not a private key that the password in "
                f"SANDBOX_KAFKA_KEY_PASSWORD_FILE opens ({error}); give PEM and its password"
            )
        return f"SANDBOX_KAFKA_KEY names {self.key}, which is not a private key ({error}); give PEM"


def valid_until(certificate: str) -> datetime:
    """Until when the certificate of a client, a PEM file, is valid. Raises Refused, naming the variable and the fix."""
    try:
        return x509.load_pem_x509_certificate(Path(certificate).read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        raise Refused(
            f"SANDBOX_KAFKA_CERT names {certificate}, which is not a certificate ({error}); give PEM"
        ) from error


class RotatingContext(ssl.SSLContext):
    """A client's context that follows its files: what they hold when a connection begins is what it uses.

    The constructor raises Refused like `TlsFiles.load`. Later problems are logged (`tls.files_kept`), once for each
    state of the files.
    """

    files: TlsFiles
    stamp: _Stamp
    _inner: ssl.SSLContext

    def __new__(cls, files: TlsFiles) -> RotatingContext:
        self = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        self._inner = files.load(datetime.now(UTC))
        self.files, self.stamp = files, files.stamp()
        return self

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """See `ssl.SSLContext.wrap_bio`."""
        return self._current().wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """See `ssl.SSLContext.wrap_socket`."""
        return self._current().wrap_socket(*args, **kwargs)

    def _current(self) -> ssl.SSLContext:
        try:
            stamp = self.files.stamp()
            if stamp != self.stamp:
                self.stamp = stamp
                self._inner = self.files.load(datetime.now(UTC))
                events.info("tls.files_reloaded")
        except (OSError, Refused) as error:
            events.warning("tls.files_kept", error=str(error))
        return self._inner


def secret_of(variable: str, file: str) -> str:
    """The text of a file that `variable` names, without surrounding white space. Raises Refused, naming both."""
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{variable} names {file}, which cannot be read: {error}; give a readable file") from error
