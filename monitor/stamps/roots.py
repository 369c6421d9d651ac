"""Reads certificates and revocation lists that a person trusts or brings, from PEM or DER files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from cryptography import x509

from monitor.errors import Refused
from monitor.stamps.chain import UNREADABLE, issued_by, named

Roots: TypeAlias = list[x509.Certificate]


def read_roots(files: Iterable[Path]) -> Roots:
    """The root certificates in these files. Raises Refused, naming the file, when one has none or one that is not a
    root (not signed by itself)."""
    found = []
    for path in files:
        raw = _bytes(path)
        try:
            pem = b"-----BEGIN" in raw
            roots = x509.load_pem_x509_certificates(raw) if pem else [x509.load_der_x509_certificate(raw)]
        except UNREADABLE as error:
            raise Refused(f"{path} has no certificate: {error}; give the authority's root as PEM or DER") from error
        for root in roots:
            if not issued_by(root, root):
                raise Refused(f"{path}: {named(root)} is not a root certificate; give the one that signed itself")
        found += roots
    return found


def read_lists(files: Iterable[Path]) -> list[x509.CertificateRevocationList]:
    """The revocation list in each file. Raises Refused, naming the file."""
    found = []
    for path in files:
        raw = _bytes(path)
        try:
            found.append(x509.load_pem_x509_crl(raw) if b"-----BEGIN" in raw else x509.load_der_x509_crl(raw))
        except UNREADABLE as error:
            raise Refused(f"{path} has no revocation list: {error}; give a CRL as PEM or DER") from error
    return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
