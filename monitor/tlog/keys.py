"""Keys of signed notes, as text: `vkey` (public) and `skey` (private). https://c2sp.org/signed-note

    <name>+<key id, 8 hex digits>+<base64 of: 1 byte type, public key>
    PRIVATE+KEY+<name>+<key id, 8 hex digits>+<base64 of: 1 byte type, 32 bytes seed>

The key id is the first 4 bytes of SHA-256(name || newline || type || public key). Types: `0x01` Ed25519, for the log
itself; `0x04` Ed25519 and `0x06` ML-DSA-44 cosignatures, which carry a time. ML-DSA-44 needs `cryptography` >= 50.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from monitor.tlog import messages
from monitor.tlog.errors import BadFormat, KeyUnsupported, SignatureFault, SignatureRefused
from monitor.tlog.text import check_name, from_base64, printable, short, to_base64

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

SEED_BYTES = 32
KEY_ID_BYTES = 4
MAX_KEY_TEXT = 4096  # characters of a vkey or skey; the longest (ML-DSA-44) has about 2,000
PRIVATE = "PRIVATE+KEY+"
# Ed25519 points whose order divides 8, by their y coordinate: 0, 1, -1 and two more, and encodings that are not reduced
# modulo p. OpenSSL verifies signatures under them that need no private key.
P = 2**255 - 19
Y_BITS = 2**255 - 1
SMALL_ORDER = frozenset(
    {
        0,
        1,
        P - 1,
        P,
        P + 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)


class KeyType(IntEnum):
    """The signature types of signed-note that this library knows; a type is never reused."""

    ED25519 = 0x01
    COSIGNATURE_ED25519 = 0x04
    COSIGNATURE_ML_DSA_44 = 0x06

    @property
    def timed(self) -> bool:
        """Whether a signature carries the time at which it was made."""
        return self is not KeyType.ED25519

    @property
    def public_bytes(self) -> int:
        """Length of the public key."""
        return 1312 if self is KeyType.COSIGNATURE_ML_DSA_44 else 32

    @property
    def signature_bytes(self) -> int:
        """Length of a signature, with its time."""
        return {KeyType.ED25519: 64, KeyType.COSIGNATURE_ED25519: 8 + 64, KeyType.COSIGNATURE_ML_DSA_44: 8 + 2420}[self]


class Verifier:
    """A public key with its name. Equal if name, type and key are equal.

    Raises:
        BadFormat: bad name, a public key of the wrong length, or an Ed25519 point of small order.
    """

    def __init__(self, name: str, kind: KeyType, public: bytes) -> None:
        check_name(name, "key")
        if len(public) != kind.public_bytes:
            raise BadFormat("key", f"public key of {len(public)} bytes", f"this type has {kind.public_bytes}")
        if kind is not KeyType.COSIGNATURE_ML_DSA_44 and int.from_bytes(public, "little") & Y_BITS in SMALL_ORDER:
            raise BadFormat("key", f"key {short(name)} is of small order: anybody can sign for it", "make another key")
        self.name, self.kind, self.public = name, kind, public
        self.key_id = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:KEY_ID_BYTES]

    @property
    def vkey(self) -> str:
        """The key as text."""
        return f"{self.name}+{self.key_id.hex()}+{to_base64(bytes([self.kind]) + self.public)}"

    def verify(self, text: str, signature: bytes) -> int | None:
        """Check one signature of the text of a note.

        Returns:
            The time in the signature, in seconds since 1970; `None` for type `0x01`, which has none.

        Raises:
            SignatureRefused: it is not by this key over this text.
            BadFormat: a cosignature of a text that is no checkpoint.
        """
        if len(signature) != self.kind.signature_bytes:
            raise SignatureRefused(SignatureFault.WRONG, f"{printable(self.name)}: {len(signature)} bytes")
        time = signature_time(signature) if self.kind.timed else None
        message = _message(self.kind, self.name, text, time)
        self._check(signature[messages.TIMESTAMP_BYTES :] if self.kind.timed else signature, message)
        return time

    def verify_subtree(self, subtree: messages.Subtree, signature: bytes) -> int:
        """Check one signature of a range of leaves (ML-DSA-44 alone); returns its time, 0 for none.

        Raises:
            SignatureRefused: it is not by this key over this subtree.
            BadFormat: a field of the subtree is out of range.
            ValueError: the key is of another type.
        """
        if self.kind is not KeyType.COSIGNATURE_ML_DSA_44:
            raise ValueError("only keys of type COSIGNATURE_ML_DSA_44 sign subtrees")
        if len(signature) != self.kind.signature_bytes:
            raise SignatureRefused(SignatureFault.WRONG, f"{printable(self.name)}: {len(signature)} bytes")
        time = signature_time(signature)
        if subtree.start and time:
            raise SignatureRefused(
                SignatureFault.WRONG, f"{printable(self.name)}: a time with a subtree not from leaf 0"
            )
        self._check(signature[messages.TIMESTAMP_BYTES :], messages.subtree_message(self.name, time, subtree))
        return time

    def _check(self, signature: bytes, message: bytes) -> None:
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            raise SignatureRefused(SignatureFault.WRONG, f"key {printable(self.name)}+{self.key_id.hex()}") from None

    @cached_property
    def _key(self) -> Ed25519PublicKey | MLDSA44PublicKey:
        if self.kind is not KeyType.COSIGNATURE_ML_DSA_44:
            return Ed25519PublicKey.from_public_bytes(self.public)
        try:
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

            return MLDSA44PublicKey.from_public_bytes(self.public)
        except (ImportError, UnsupportedAlgorithm) as error:
            raise KeyUnsupported(f"{NO_ML_DSA} ({error})") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Verifier):
            return NotImplemented
        return (self.name, self.kind, self.public) == (other.name, other.kind, other.public)

    def __hash__(self) -> int:
        return hash((self.name, self.kind, self.public))

    def __repr__(self) -> str:
        return f"Verifier({printable(self.name)}+{self.key_id.hex()}, {self.kind.name})"


class Signer:
    """A private key with its name; `seed` has 32 bytes, of a secure random source.

    Raises:
        BadFormat: bad name, or a seed of another length.
        KeyUnsupported: this installation has no ML-DSA-44.
    """

    def __init__(self, name: str, kind: KeyType, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise BadFormat("key", f"seed of {len(seed)} bytes", f"a seed has {SEED_BYTES}")
        self._seed = seed
        self._key = _private(kind, seed)
        self.verifier = Verifier(name, kind, self._key.public_key().public_bytes_raw())

    @property
    def name(self) -> str:
        """The name of the key."""
        return self.verifier.name

    @property
    def skey(self) -> str:
        """The private key as text: a secret."""
        verifier = self.verifier
        return f"{PRIVATE}{self.name}+{verifier.key_id.hex()}+{to_base64(bytes([verifier.kind]) + self._seed)}"

    def sign(self, text: str, time: int | None = None) -> bytes:
        """The signature of the text of a note, as it follows the key id in a signature line.

        Args:
            text: with its final newline; a checkpoint for types that carry a time.
            time: seconds since 1970, for types that carry one, and for them alone.

        Raises:
            BadFormat: the text is no checkpoint, or the time is out of range.
            ValueError: a time is missing, or given for type `0x01`.
        """
        kind = self.verifier.kind
        if kind.timed != (time is not None):
            raise ValueError(f"time: {'needed' if kind.timed else 'must be None'} for a key of type {kind.name}")
        signature = self._key.sign(_message(kind, self.name, text, time))
        return signature if time is None else time.to_bytes(messages.TIMESTAMP_BYTES, "big") + signature

    def sign_subtree(self, subtree: messages.Subtree, time: int = 0) -> bytes:
        """The signature of a range of leaves (ML-DSA-44 alone), with its time in front.

        Raises:
            BadFormat: a field is out of range, or a time is given for a subtree that does not start at leaf 0.
            ValueError: the key is of another type.
        """
        if self.verifier.kind is not KeyType.COSIGNATURE_ML_DSA_44:
            raise ValueError("only keys of type COSIGNATURE_ML_DSA_44 sign subtrees")
        message = messages.subtree_message(self.name, time, subtree)
        return time.to_bytes(messages.TIMESTAMP_BYTES, "big") + self._key.sign(message)

    def __repr__(self) -> str:
        return f"Signer({printable(self.name)}+{self.verifier.key_id.hex()})"  # never the seed


def _message(kind: KeyType, name: str, text: str, time: int | None) -> bytes:
    """What a key of this type signs of a text; `time` is `None` where the type has none."""
    if time is None:
        return text.encode()
    if kind is KeyType.COSIGNATURE_ML_DSA_44:
        return messages.ml_dsa_44_message(name, text, time)
    return messages.ed25519_message(text, time)


NO_ML_DSA = "ML-DSA-44 needs the package cryptography >= 50 with an OpenSSL that has it"


def _private(kind: KeyType, seed: bytes) -> Ed25519PrivateKey | MLDSA44PrivateKey:
    if kind is not KeyType.COSIGNATURE_ML_DSA_44:
        return Ed25519PrivateKey.from_private_bytes(seed)
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

        return MLDSA44PrivateKey.from_seed_bytes(seed)
    except (ImportError, UnsupportedAlgorithm) as error:
        raise KeyUnsupported(f"{NO_ML_DSA} ({error})") from None


def signature_time(signature: bytes) -> int:
    """The time of a cosignature, in seconds since 1970. Says nothing unless the signature was verified.

    Raises:
        SignatureRefused: too short, or a time above 2^63 - 1.
    """
    time = int.from_bytes(signature[: messages.TIMESTAMP_BYTES], "big")
    if len(signature) < messages.TIMESTAMP_BYTES or time >= 2**63:
        raise SignatureRefused(SignatureFault.WRONG, "no valid time in a cosignature")
    return time


def parse_vkey(text: str, line: int | None = None) -> Verifier:
    """A public key from text.

    Raises:
        BadFormat: not canonical, an unknown type, or a key id that is not that of the key.
    """
    name, kind, key, key_id = _fields(text, "vkey", line)
    verifier = Verifier(name, kind, key)
    _check_id(key_id, verifier, "vkey", line)
    return verifier


def parse_skey(text: str) -> Signer:
    """A private key from text; messages never repeat it.

    Raises:
        BadFormat: not canonical, an unknown type, or a key id that is not that of the key.
        KeyUnsupported: this installation has no ML-DSA-44.
    """
    if not text.startswith(PRIVATE):
        raise BadFormat("skey", "does not begin with PRIVATE+KEY+", "give the private key, not the public one")
    name, kind, seed, key_id = _fields(text.removeprefix(PRIVATE), "skey", None)
    signer = Signer(name, kind, seed)
    _check_id(key_id, signer.verifier, "skey", None)
    return signer


def _fields(text: str, what: str, line: int | None) -> tuple[str, KeyType, bytes, str]:
    """Name, type, key and key id. Quotes nothing of the key: it may be private."""
    fix = "copy the whole key: NAME+KEYID+BASE64"
    parts = text.split("+", 2)
    if len(text) > MAX_KEY_TEXT or len(parts) != 3:
        raise BadFormat(what, "no key", fix, line)
    name, key_id, encoded = parts
    check_name(name, what, line)
    try:
        data = from_base64(encoded, what, line)
    except BadFormat:
        raise BadFormat(what, f"key {short(name)} is no canonical base64", fix, line) from None
    if not data or data[0] not in list(KeyType):
        known = ", ".join(f"0x{kind:02x}" for kind in KeyType)
        raise BadFormat(what, f"key {short(name)} has an unknown type", f"known types are {known}", line)
    kind, size = KeyType(data[0]), len(data) - 1
    expected = SEED_BYTES if what == "skey" else kind.public_bytes
    if size != expected:
        raise BadFormat(what, f"key {short(name)} has {size} bytes instead of {expected}", fix, line)
    return name, kind, data[1:], key_id


def _check_id(key_id: str, verifier: Verifier, what: str, line: int | None) -> None:
    if key_id != verifier.key_id.hex():
        problem = f"key id {short(key_id)} instead of {verifier.key_id.hex()}"
        raise BadFormat(what, problem, "name, type and key must be those that the id was made from", line)
