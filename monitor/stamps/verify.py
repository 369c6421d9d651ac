"""Verifies one time stamp: what it proves, or each reason why it proves nothing.

Imports the standard library, `cryptography`, `rfc3161_client` and its neighbours here, so that it can be used without
the rest of the monitor. Reads no clock and no network: certificates and revocation lists are arguments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

import rfc3161_client as rfc3161
from cryptography import x509

from monitor.stamps import chain, revocation, token
from monitor.stamps.problems import Problem, StampProblem

HASHES = {
    "2.16.840.1.101.3.4.2.1": hashlib.sha256,
    "2.16.840.1.101.3.4.2.2": hashlib.sha384,
    "2.16.840.1.101.3.4.2.3": hashlib.sha512,
}


class Verdict(NamedTuple):
    """What a stamp says. `at` is its time, None when it cannot be read; it is proved only when `problems` is empty.

    `chain` goes from the signer to the root, as far as it was found.
    """

    at: datetime | None
    authority: str
    chain: tuple[x509.Certificate, ...]
    problems: tuple[Problem, ...]

    @property
    def proved(self) -> bool:
        """Whether the message existed at the time `at`, if the roots are trusted."""
        return not self.problems


def verify(
    message: bytes,
    raw: bytes,
    *,
    roots: Sequence[x509.Certificate],
    certificates: Sequence[x509.Certificate] = (),
    lists: Sequence[x509.CertificateRevocationList] = (),
    nonce: int | None = None,
) -> Verdict:
    """Verify the response `raw` as a stamp on `message`.

    `roots` are trusted; `certificates` and `lists` are what was stored with it and what the caller has since. With
    `nonce`, it must answer that request. Every problem is named, not only the first.
    """
    response = token.decode(raw)
    if response is None:
        return Verdict(None, "", (), (Problem(StampProblem.UNREADABLE, f"{len(raw)} bytes"),))
    try:
        return _verdict(response, message, roots, [*token.certificates(response), *certificates], (lists, nonce))
    except chain.UNREADABLE as error:  # a part of it that is decoded only when it is used
        return Verdict(None, "", (), (Problem(StampProblem.UNREADABLE, str(error)[:200]),))


def _verdict(
    response: rfc3161.TimeStampResponse,
    message: bytes,
    roots: Sequence[x509.Certificate],
    known: list[x509.Certificate],
    rest: tuple[Sequence[x509.CertificateRevocationList], int | None],
) -> Verdict:
    at = response.tst_info.gen_time
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    problems = _about(response, message)
    lists, nonce = rest
    signer = token.signer(response, known)
    if signer is None:
        infos = [f"{info.issuer.rfc4514_string()} serial {info.serial_number:x}" for info in _infos(response)]
        problems.append(Problem(StampProblem.MISSING_CERTIFICATE, f"of the signer: {', '.join(infos) or 'not named'}"))
        return Verdict(at, "", (), tuple(problems))
    path, broken = chain.build(signer, known, roots, at)
    problems += broken
    if not broken:
        problems += _signed(response, signer, path, nonce)
    for certificate, issuer in pairwise(path):
        problems += revocation.judge(certificate, issuer, lists, at)
    return Verdict(at, signer.subject.rfc4514_string(), tuple(path), tuple(problems))


def _infos(response: rfc3161.TimeStampResponse) -> list[rfc3161.SignerInfo]:
    return list(response.signed_data.signer_infos)


def _about(response: rfc3161.TimeStampResponse, message: bytes) -> list[Problem]:
    problems = []
    if response.status != rfc3161.PKIStatus.GRANTED:
        problems.append(Problem(StampProblem.NOT_GRANTED, f"status {response.status}"))
    imprint = response.tst_info.message_imprint
    name = imprint.hash_algorithm.dotted_string
    if name not in HASHES:
        problems.append(Problem(StampProblem.WEAK_HASH, name))
    elif HASHES[name](message).digest() != imprint.message:
        problems.append(Problem(StampProblem.OTHER_MESSAGE, imprint.message.hex()[:16]))
    return problems


def _signed(
    response: rfc3161.TimeStampResponse,
    signer: x509.Certificate,
    path: Sequence[x509.Certificate],
    nonce: int | None,
) -> list[Problem]:
    """Check the signature, the signer's permission to stamp, and the nonce, with the library."""
    builder = rfc3161.VerifierBuilder(
        tsa_certificate=signer, intermediates=list(path[1:-1]), roots=[path[-1]], nonce=nonce
    )
    try:
        builder.build().verify(response, response.tst_info.message_imprint.message)
    except (rfc3161.VerificationError, ValueError) as error:
        return [Problem(StampProblem.BAD_SIGNATURE, str(error))]
    return []
