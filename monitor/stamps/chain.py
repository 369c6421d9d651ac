"""The chain of certificates from the signer of a time stamp to a trusted root. Pure; `cryptography` only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from monitor.stamps.problems import Problem, StampProblem

LONGEST = 8  # certificates
UNREADABLE = (  # what `cryptography` raises for bytes that are no certificate or list, some of it only on use
    ValueError, TypeError, KeyError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)  # fmt: skip


def named(certificate: x509.Certificate) -> str:
    """The certificate for people: its subject and serial number."""
    return f"{certificate.subject.rfc4514_string()} (serial {certificate.serial_number:x})"


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` signed `certificate`: names match and the signature verifies."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def build(
    signer: x509.Certificate, others: Iterable[x509.Certificate], roots: Sequence[x509.Certificate], at: datetime
) -> tuple[list[x509.Certificate], list[Problem]]:
    """Return the chain from `signer` to one of `roots` (included), and what is wrong with it.

    Certificates must be valid at the time `at` (aware), issuers must be authorities (basic constraints, RFC 5280). With
    a problem the chain has the certificates that were found.
    """
    pool, chain, problems = [*others], [signer], list[Problem]()
    while len(chain) <= LONGEST:
        last = chain[-1]
        problems += _not_valid(last, at)
        if last in roots:
            return chain, problems
        issuer = next((root for root in roots if issued_by(last, root)), None) or next(
            (found for found in pool if found not in chain and _may_issue(found) and issued_by(last, found)), None
        )
        if issuer is None:
            if issued_by(last, last):
                problems.append(Problem(StampProblem.UNTRUSTED_ROOT, named(last)))
            else:
                missing = f"{last.issuer.rfc4514_string()}, the issuer of {named(last)}"
                problems.append(Problem(StampProblem.MISSING_CERTIFICATE, missing))
            return chain, problems
        chain.append(issuer)
    problems.append(Problem(StampProblem.MISSING_CERTIFICATE, f"no root within {LONGEST} certificates"))
    return chain, problems


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *UNREADABLE):
        return False


def _not_valid(certificate: x509.Certificate, at: datetime) -> list[Problem]:
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if first <= at <= last:
        return []
    detail = f"{named(certificate)} is valid from {first:%Y-%m-%dT%H:%MZ} to {last:%Y-%m-%dT%H:%MZ}"
    return [Problem(StampProblem.NOT_VALID_AT, detail)]
