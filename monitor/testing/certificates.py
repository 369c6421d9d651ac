"""A certificate authority made on the spot, for tests and the local stack: PEM files, no `openssl` program.

Keys are EC P-256 (small and quick to make) in PKCS#8, as Kafka's PEM key store needs them. Every file with a key is
readable by its owner only.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

DAY = timedelta(days=1)
LOOPBACK = ("127.0.0.1", "localhost")


class Issued(Struct, frozen=True):
    """Files of one certificate: the `certificate`, its private `key`."""

    certificate: Path
    key: Path


class CertificateAuthority:
    """A root that signs server and client certificates. `directory` (created) has `ca.crt` and `ca.key`.

    An authority that exists in the directory is used again. Certificates are valid from an hour ago, for machines whose
    clocks differ, and for `lifetime` from now; a negative lifetime makes one that has expired.
    """

    def __init__(self, directory: Path, name: str = "sandbox test authority", lifetime: timedelta = 30 * DAY) -> None:
        self.directory = directory
        self.file = directory / "ca.crt"
        key_file = directory / "ca.key"
        directory.mkdir(parents=True, exist_ok=True)
        if self.file.exists() and key_file.exists():
            self._key = _private(key_file)
            self._certificate = x509.load_pem_x509_certificate(self.file.read_bytes())
            return
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, subject, self._key, lifetime)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        usage = _usage(key_cert_sign=True, crl_sign=True, digital_signature=False)
        self._certificate = builder.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        _write_secret(key_file, _pem(self._key))
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, stem: str, hosts: Sequence[str] = LOOPBACK, lifetime: timedelta = 30 * DAY) -> Issued:
        """Issue a server's certificate for these host names and addresses; files `<stem>.crt` and `<stem>.key`.

        It is a client's certificate too: brokers connect to each other with it.
        """
        names: list[x509.GeneralName] = [_general_name(host) for host in hosts]
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        return self._issue(stem, stem, purposes, names, lifetime)

    def client(self, name: str, lifetime: timedelta = 30 * DAY, password: str = "", stem: str = "") -> Issued:
        """Issue a client's certificate with the common name `name`; its key is encrypted where there is a `password`.

        The files are called `stem`, by default `name`.
        """
        return self._issue(stem or name, name, [ExtendedKeyUsageOID.CLIENT_AUTH], [], lifetime, password)

    def _issue(
        self,
        stem: str,
        name: str,
        purposes: Sequence[x509.ObjectIdentifier],
        alternatives: Sequence[x509.GeneralName],
        lifetime: timedelta,
        password: str = "",
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, self._certificate.subject, key, lifetime)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(digital_signature=True), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        issued = Issued(self.directory / f"{stem}.crt", self.directory / f"{stem}.key")
        # Renewed in place while clients read: each file is whole at any time. A reader that meets a new key with an old
        # certificate finds that they do not match, and keeps what it has.
        _write_secret(issued.key, _pem(key, password))
        _replace(issued.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        return issued


def key_store(issued: Issued, file: Path) -> Path:
    """Write Kafka's PEM key store: the key, then its certificate, in one file readable by its owner only."""
    _write_secret(file, issued.key.read_bytes() + issued.certificate.read_bytes())
    return file


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    begin, end = min(now, now + lifetime) - timedelta(hours=1), now + lifetime
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private(file: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _pem(key: ec.EllipticCurvePrivateKey, password: str = "") -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _write_secret(file: Path, content: bytes) -> None:
    _replace(file, content, 0o600)


def _replace(file: Path, content: bytes, mode: int) -> None:
    """Write the file atomically; it never exists with wider permissions than `mode`."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        out.write(content)
    fresh.replace(file)
