"""Requests and tokens of RFC 3161, through `rfc3161-client`. This and `verify.py` are its only homes."""

from __future__ import annotations

from typing import NamedTuple

import rfc3161_client as rfc3161
from cryptography import x509

from monitor.stamps.chain import UNREADABLE
from monitor.stamps.der import with_sorted_certificates


class Request(NamedTuple):
    """A request for a stamp: what is sent, and the nonce that the token must repeat."""

    body: bytes
    nonce: int


def request(message: bytes) -> Request:
    """Ask for a stamp on the SHA-512 of `message` (not empty), with the authority's certificates in the token."""
    made = rfc3161.TimestampRequestBuilder().data(message).hash_algorithm(rfc3161.HashAlgorithm.SHA512)
    built = made.cert_request(cert_request=True).nonce(nonce=True).build()
    assert built.nonce is not None
    return Request(built.as_bytes(), built.nonce)


def decode(raw: bytes) -> rfc3161.TimeStampResponse | None:
    """The response, or None when the bytes are not one with a token."""
    try:
        response = rfc3161.decode_timestamp_response(with_sorted_certificates(raw))
        _ = response.tst_info, response.signed_data  # decoded when asked for
    except (ValueError, TypeError):
        return None
    return response


def certificates(response: rfc3161.TimeStampResponse) -> list[x509.Certificate]:
    """The certificates in a token, in no order; those that cannot be read are left out."""
    found = []
    for raw in response.signed_data.certificates:
        try:
            certificate = x509.load_der_x509_certificate(raw)
            # Decoded when asked for: what cannot be read must not raise later.
            _ = certificate.subject, certificate.issuer, certificate.extensions, certificate.public_key()
        except UNREADABLE:
            continue
        found.append(certificate)
    return found


def signer(response: rfc3161.TimeStampResponse, known: list[x509.Certificate]) -> x509.Certificate | None:
    """The certificate that the token says it is signed with, of `known`."""
    infos = response.signed_data.signer_infos
    if len(infos) != 1:
        return None
    info = next(iter(infos))
    for certificate in known:
        if certificate.issuer == info.issuer and certificate.serial_number == info.serial_number:
            return certificate
    return None
