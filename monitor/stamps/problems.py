"""Why a time stamp proves nothing: the closed list. Standard library only."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class StampProblem(StrEnum):
    """Why a stamp does not prove that its message existed at its time."""

    UNREADABLE = "unreadable"  # not a response of RFC 3161
    NOT_GRANTED = "not_granted"  # the authority refused, or made a token with modifications
    OTHER_MESSAGE = "other_message"  # the token is about other bytes
    WEAK_HASH = "weak_hash"  # the token has a hash other than SHA-256, SHA-384 or SHA-512
    BAD_SIGNATURE = "bad_signature"  # not signed by the certificate it names, or one that may not stamp
    MISSING_CERTIFICATE = "missing_certificate"  # of the chain from the signer to a trusted root
    UNTRUSTED_ROOT = "untrusted_root"  # the chain ends at a root that is not trusted
    NOT_VALID_AT = "not_valid_at"  # a certificate was not valid at the time of the stamp
    REVOKED = "revoked"  # a certificate of the chain
    MISSING_REVOCATION = "missing_revocation"  # nothing says whether a certificate was revoked
    STALE_REVOCATION = "stale_revocation"  # what says so was out of date when the stamp was made


class Problem(NamedTuple):
    """One problem. `detail` names the certificate or the numbers."""

    kind: StampProblem
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.detail}" if self.detail else self.kind.value
