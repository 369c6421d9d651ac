"""Signs what the owner of a partition writes, over its place, so that a copy elsewhere or later is recognized."""

from __future__ import annotations

from monitor.model.signing import (
    HEADER,
    KEY_HEADER,
    NUMBER_HEADER,
    OUTPUT_HEADER,
    OutputKind,
    Place,
    SignedKind,
    Signer,
)

Headers = list[tuple[str, bytes]]
JSON = b"application/json"
FOR_SERVICES: dict[OutputKind, SignedKind] = {"command": "command", "permit": "permit"}


class OutputSigner:
    """The headers of one owner's records. Without a `signer` they are those of an unsigned deployment.

    Call `headers` in the order of writing: numbers rise with each call.
    """

    def __init__(self, signer: Signer | None, partition: int) -> None:
        self._signer = signer
        self._partition = partition
        self._number = 0

    def headers(self, kind: OutputKind, topic: str, epoch: int, key: bytes | None, value: bytes | None) -> Headers:
        """Headers of one record of the owner with this epoch. A record of the state topic has none without a signer."""
        named: Headers = [] if kind == "state" else [("content-type", JSON)]
        placed: Headers = [("type", kind.encode()), ("epoch", str(epoch).encode())]
        if self._signer is None:
            return named + placed if named else []
        self._number += 1
        place = Place(kind, topic, self._partition, epoch, self._number)
        proof = self._signer.sign_output(place, key, value)
        found = [*named, *placed, (NUMBER_HEADER, str(self._number).encode()), (OUTPUT_HEADER, proof.encode())]
        if value is not None and kind in FOR_SERVICES:
            found += [
                (HEADER, self._signer.sign(FOR_SERVICES[kind], value).encode()),
                (KEY_HEADER, self._signer.public.encode()),
            ]
        return found
