"""Ed25519 signatures over the exact bytes of a record; they are sent in a header, never inside the record. Pure.

What is signed is `sandbox-monitor/1 <kind>` LF and the body, so that a permit can never pass as a command. A signature
is written `<key id>:<base64>` in the Kafka header `signature` and the HTTP header `Sandbox-Signature`; a key id is the
first 16 hex digits of the SHA-256 of the public key, which is written `ed25519:<base64>`. Keys are handled by
`monitor/files/key_file.py`; the state machine neither signs nor holds a key.

An output of the monitor on Kafka carries a second signature, in the header `output-signature`, that also covers its
`Place`: what it is, in which topic and partition, under which epoch and key, and its number. So a signed output cannot
be moved or repeated. Commands and permits have both: a service that receives one over HTTP knows no place.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Literal, NamedTuple, Protocol, TypeAlias, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from monitor.errors import Forged
from monitor.model.refusals import Forgery

SignedKind: TypeAlias = Literal["command", "permit", "control", "telemetry", "request"]
HEADER = "signature"
HTTP_HEADER = "Sandbox-Signature"
PREFIX = "ed25519:"
OutputKind: TypeAlias = Literal[
    "decision", "command", "permit", "evidence", "closed", "rejected", "journal", "state",
    "shadow_decision", "shadow_summary",
]  # fmt: skip
OUTPUT_HEADER = "output-signature"
NUMBER_HEADER = "number"
KEY_HEADER = "signed-by"  # of commands and permits: the public key, which a service may pin at first contact
HTTP_KEY_HEADER = "Sandbox-Signed-By"


class Place(NamedTuple):
    """Where an output was written, as its signature covers it.

    `number` rises with each output of one owner (one epoch of one partition), so it rises within a topic too: a reader
    recognizes a copy by it.
    """

    kind: OutputKind
    topic: str
    partition: int
    epoch: int
    number: int


class OutputRecord(Protocol):
    """A record of an output topic, as the clients of Kafka give it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Iterable[tuple[str, bytes | None]]


class Signer:
    """One private key. Raises ValueError when `seed` has not 32 bytes."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        raw = self._key.public_key().public_bytes_raw()
        self.public = PREFIX + b64encode(raw).decode()
        self.key_id = _key_id(raw)
        # Derived, so that a pseudonym says nothing about the key that signs.
        self.pseudonym_key = hmac.digest(seed, b"sandbox-monitor/1 pseudonyms", "sha256")

    def sign(self, kind: SignedKind, body: bytes) -> str:
        """The signature of `body`, as sent in the header.

        >>> signer = Signer(bytes(32))
        >>> Trusted([signer.public]).verify("permit", b"{}", signer.sign("permit", b"{}")) == signer.key_id
        True
        """
        return self._sign(_signed(kind, body))

    def sign_output(self, place: Place, key: bytes | None, body: bytes | None) -> str:
        """The signature of an output at its place, as sent in the header `output-signature`. `body` is None for a
        tombstone.

        >>> signer, place = Signer(bytes(32)), Place("decision", "sandbox.decisions", 0, 7, 1)
        >>> signature = signer.sign_output(place, b"p", b"{}")
        >>> Trusted([signer.public]).verify_output(place, b"p", b"{}", signature) == signer.key_id
        True
        """
        return self._sign(_placed(place, key, body))

    def _sign(self, signed: bytes) -> str:
        return f"{self.key_id}:{b64encode(self._key.sign(signed)).decode()}"


class Trusted:
    """The public keys (`ed25519:<base64>`) whose signatures are accepted. Raises ValueError when one is not a key."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys: dict[str, Ed25519PublicKey] = {}
        for text in keys:
            raw = read_public(text)
            self._keys[_key_id(raw)] = Ed25519PublicKey.from_public_bytes(raw)

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def ids(self) -> frozenset[str]:
        """The ids of these keys."""
        return frozenset(self._keys)

    def verify(self, kind: SignedKind, body: bytes, signature: str) -> str:
        """The id of the key that signed `body` as a `kind`. Raises Forged."""
        return self._verify(_signed(kind, body), signature)

    def verify_output(self, place: Place, key: bytes | None, body: bytes | None, signature: str) -> str:
        """The id of the key that signed an output at this place. Raises Forged."""
        return self._verify(_placed(place, key, body), signature)

    def _verify(self, signed: bytes, signature: str) -> str:
        key_id, _, text = signature.partition(":")
        key = self._keys.get(key_id)
        if key is None and not signature:
            raise Forged("signature", Forgery.NOT_SIGNED, "a key is named here, so its signature is asked for")
        if key is None:
            known = ", ".join(sorted(self._keys)) or "no key"
            raise Forged("signature", Forgery.UNKNOWN_KEY, f"{key_id[:40]} signed, where only {known} is believed")
        try:
            key.verify(b64decode(text, validate=True), signed)
        except (InvalidSignature, ValueError):
            raise Forged("signature", Forgery.BAD_SIGNATURE, f"{key_id} did not sign these bytes") from None
        return key_id


class SignedOutput(NamedTuple):
    """What a valid signature of an output proves: its place, and the id of the key."""

    place: Place
    key: str


def signed_output(trusted: Trusted, record: OutputRecord) -> SignedOutput:
    """What the signature of an output proves. Raises Forged."""
    headers = {name: value or b"" for name, value in record.headers}
    text = headers.get(OUTPUT_HEADER, b"").decode(errors="replace")
    kind = headers.get("type", b"").decode(errors="replace")
    try:
        epoch, number = int(headers.get("epoch", b"0")), int(headers.get(NUMBER_HEADER, b"0"))
    except ValueError:
        epoch = number = 0  # then the signature is not of this place
    place = Place(cast("OutputKind", kind), record.topic, record.partition, epoch, number)
    return SignedOutput(place, trusted.verify_output(place, record.key, record.value, text))


class Proved(NamedTuple):
    """What the signature of an act proves: the id of the key that signed it ("" = not signed), and whether that is a
    key of an admitter of the deployment."""

    key: str = ""
    admitter: bool = False


def read_public(text: str) -> bytes:
    """The 32 bytes of a public key written `ed25519:<base64>`. Raises ValueError."""
    try:
        raw = b64decode(text.strip().removeprefix(PREFIX), validate=True)
    except ValueError:
        raw = b""
    if not text.strip().startswith(PREFIX) or len(raw) != 32:
        raise ValueError(f"{text[:60]!r} is no public key; write ed25519:<base64 of 32 bytes>")
    return raw


def _key_id(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]


def _signed(kind: SignedKind, body: bytes) -> bytes:
    return b"sandbox-monitor/1 " + kind.encode() + b"\n" + body


def _placed(place: Place, key: bytes | None, body: bytes | None) -> bytes:
    lengths = f"{'-' if key is None else len(key)} {'-' if body is None else len(body)}"
    line = f"sandbox-monitor/2 {place.kind} {place.topic}/{place.partition} {place.epoch} {place.number} {lengths}\n"
    return line.encode() + (key or b"") + (body or b"")
