"""Whether a certificate was revoked, from certificate revocation lists (CRL, RFC 5280). Pure; `cryptography` only.

What a revocation means for a stamp is in section 4 of RFC 3161. With a reason of `LATER_ONLY`, stamps from before the
revocation stay valid. With any other reason, or none, the key may have been in other hands: all of its stamps are
invalid, whatever their time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cryptography import x509

from monitor.stamps.chain import UNREADABLE, named
from monitor.stamps.problems import Problem, StampProblem

LATER_ONLY = frozenset(
    {
        x509.ReasonFlags.unspecified,
        x509.ReasonFlags.affiliation_changed,
        x509.ReasonFlags.superseded,
        x509.ReasonFlags.cessation_of_operation,
    }
)


def addresses(certificate: x509.Certificate) -> list[str]:
    """The HTTP addresses from which the certificate's revocation list may be fetched; empty where it names none."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return []
    names = [name for point in points for name in point.full_name or ()]
    urls = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
    return [url for url in urls if url.startswith(("http://", "https://"))]


def judge(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    lists: Iterable[x509.CertificateRevocationList],
    at: datetime,
) -> list[Problem]:
    """What revocation lists say about a certificate at the time `at` (aware): nothing, or one problem.

    Only lists that `issuer` signed count. One of them must have been in force at `at` or later; every one of them can
    revoke.
    """
    usable = [found for found in lists if _speaks_of(found, certificate, issuer)]
    for found in usable:
        entry = found.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is not None and not _still_valid(entry, at):
            said = f"{named(certificate)} at {entry.revocation_date_utc:%Y-%m-%dT%H:%M:%SZ} ({_reason(entry)})"
            return [Problem(StampProblem.REVOKED, said)]
    if not usable:
        return [Problem(StampProblem.MISSING_REVOCATION, named(certificate))]
    ends = [found.next_update_utc for found in usable]
    if all(end is not None and end < at for end in ends):
        newest = max(end for end in ends if end is not None)
        said = f"the list for {named(certificate)} was to be renewed by {newest:%Y-%m-%dT%H:%M:%SZ}"
        return [Problem(StampProblem.STALE_REVOCATION, said)]
    return []


def _speaks_of(found: x509.CertificateRevocationList, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if found.issuer != certificate.issuer or found.issuer != issuer.subject:
        return False
    try:
        signed = found.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
        return signed and all(_covers(ext, certificate) for ext in found.extensions if ext.critical)
    except UNREADABLE:  # a key or an extension that `cryptography` does not know
        return False


def _covers(extension: x509.Extension[x509.ExtensionType], certificate: x509.Certificate) -> bool:
    """Whether a list with this critical extension speaks of the certificate. Delta and indirect lists do not."""
    point = extension.value
    if not isinstance(point, x509.IssuingDistributionPoint):
        return False
    if point.indirect_crl or point.only_contains_attribute_certs or point.only_some_reasons:
        return False
    try:
        authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    return not (point.only_contains_user_certs if authority else point.only_contains_ca_certs)


def _still_valid(entry: x509.RevokedCertificate, at: datetime) -> bool:
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except (x509.ExtensionNotFound, *UNREADABLE):
        return False
    return reason is x509.ReasonFlags.remove_from_crl or (reason in LATER_ONLY and at < entry.revocation_date_utc)


def _reason(entry: x509.RevokedCertificate) -> str:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return "no reason given"
