"""What this library raises: nothing else leaves its parsers and verifiers.

TlogError
├── BadFormat          text or bytes are not what the specification says: report line and fix
├── NotProved          well formed, but it does not hold
│   ├── ProofRefused       a Merkle proof does not lead to the root
│   ├── SignatureRefused   no signature of a known key, or a wrong one
│   └── PolicyRefused      signatures hold, but the policy wants more
├── HashUnavailable    a hash or tile that a proof needs cannot be read
└── KeyUnsupported     the installed `cryptography` or its OpenSSL has no ML-DSA-44
"""

from __future__ import annotations

from enum import StrEnum


class TlogError(Exception):
    """Root of everything that this library raises."""


class BadFormat(TlogError):
    """Input is not canonical. `what` names the format, `line` counts from 1 (`None`: the input as a whole)."""

    def __init__(self, what: str, problem: str, fix: str = "", line: int | None = None) -> None:
        where = what if line is None else f"{what}, line {line}"
        super().__init__(f"{where}: {problem}" + (f"; {fix}" if fix else ""))
        self.what, self.problem, self.fix, self.line = what, problem, fix, line


class ProofFault(StrEnum):
    """Why a Merkle proof is refused."""

    INDEX = "index is not below the tree size"
    SIZE = "old tree is larger than the new one"
    RANGE = "size or index is negative or above 2^63 - 1"
    HASH_LENGTH = "a hash does not have 32 bytes"
    LENGTH = "wrong number of hashes in the proof"
    EMPTY_ROOT = "root of size 0 is not SHA-256 of nothing"
    OLD_ROOT = "proof does not lead to the old root"
    ROOT = "proof does not lead to the root"


class SignatureFault(StrEnum):
    """Why a note is refused."""

    NO_KNOWN_KEY = "no signature by a known key"
    WRONG = "a signature by a known key does not verify"
    NO_LOG_KEY = "no signature by the log"
    ORIGIN = "origin is not the expected one"


class PolicyFault(StrEnum):
    """Why a policy does not accept a checkpoint."""

    NO_LOG = "not signed by a log of the policy"
    QUORUM = "the quorum is not reached"


class NotProved(TlogError):
    """Well formed, but it does not hold. `fault` is of a closed list."""

    def __init__(self, fault: StrEnum, detail: str = "") -> None:
        super().__init__(fault.value + (f": {detail}" if detail else ""))
        self.fault, self.detail = fault, detail


class ProofRefused(NotProved):
    """A Merkle proof does not hold. `fault` is a `ProofFault`."""

    def __init__(self, fault: ProofFault, detail: str = "") -> None:
        super().__init__(fault, detail)


class SignatureRefused(NotProved):
    """The signatures of a note do not hold. `fault` is a `SignatureFault`."""

    def __init__(self, fault: SignatureFault, detail: str = "") -> None:
        super().__init__(fault, detail)


class PolicyRefused(NotProved):
    """A policy does not accept a checkpoint. `fault` is a `PolicyFault`."""

    def __init__(self, fault: PolicyFault, detail: str = "") -> None:
        super().__init__(fault, detail)


class HashUnavailable(TlogError):
    """A stored hash or tile cannot be read, or has the wrong length."""


class KeyUnsupported(TlogError):
    """This installation cannot compute with keys of that type."""
