"""Certificates and revocation lists in PEM files. Pure; `cryptography` only."""

from __future__ import annotations

from cryptography import x509

from monitor.stamps.chain import UNREADABLE


def certificates_in(pem: bytes) -> list[x509.Certificate]:
    """The certificates in a PEM file; blocks that cannot be read are left out."""
    return [found for block in _blocks(pem) if (found := _certificate(block)) is not None]


def lists_in(pem: bytes) -> list[x509.CertificateRevocationList]:
    """The revocation lists in a PEM file; blocks that cannot be read are left out."""
    return [found for block in _blocks(pem) if (found := _list(block)) is not None]


def _blocks(pem: bytes) -> list[bytes]:
    end = b"-----END "
    parts = pem.split(b"-----BEGIN ")[1:]
    return [b"-----BEGIN " + part for part in parts if end in part]


def _certificate(block: bytes) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(block)
    except UNREADABLE:
        return None


def _list(block: bytes) -> x509.CertificateRevocationList | None:
    try:
        return x509.load_pem_x509_crl(block)
    except UNREADABLE:
        return None
