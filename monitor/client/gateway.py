"""The side of a firm: requests to the gateway of the authority, signed with the firm's key."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from monitor.clock import wall_ms
from monitor.errors import Refused
from monitor.files.key_file import read_key
from monitor.model.request_signing import (
    FIRM_HEADER,
    NONCE_CHARACTERS,
    NONCE_HEADER,
    REQUEST_HEADER,
    SESSION_HEADER,
    TIME_HEADER,
    FirmRequest,
)  # fmt: skip
from monitor.model.signing import Signer
from monitor.sdk.http_link import HttpLink

UNAUTHORIZED = "status 401"


class _Session(Struct):
    session: str
    time: int


class FirmIdentity(Struct, frozen=True):
    """Who signs: the participant, and its key."""

    firm: str
    signer: Signer

    @classmethod
    def of(cls, firm: str, key: Path) -> FirmIdentity:
        """From a key file. Raises Refused."""
        return cls(firm, read_key(key))


class GatewayLink(HttpLink):
    """An HTTP link whose requests are signed. Raises ValueError when `address` is none."""

    def __init__(self, address: str, identity: FirmIdentity) -> None:
        super().__init__(address)
        self._identity = identity
        self._session: tuple[str, int] | None = None  # and how far the clock of the gateway is ahead (ms)

    def get(self, path: str, wait: float = 0.0) -> bytes:
        """See `HttpLink.get`."""
        try:
            return super().get(path, wait)
        except Refused as error:
            self._renew(error)
            return super().get(path, wait)

    def post(self, path: str, body: bytes, kind: str, signature: str = "") -> bytes:
        """See `HttpLink.post`."""
        try:
            return super().post(path, body, kind, signature)
        except Refused as error:
            self._renew(error)
            return super().post(path, body, kind, signature)

    def stream(self, path: str) -> Iterator[bytes]:
        """Yield the body of a GET as it comes. Raises as `get`, and Unavailable when it ends early."""
        try:
            yield from super().stream(path)
        except Refused as error:
            self._renew(error)
            yield from super().stream(path)

    def _renew(self, error: Refused) -> None:
        """Forget the session if the gateway does not accept it, as after its restart; else raise the error."""
        if UNAUTHORIZED not in str(error):
            raise error
        self._session = None

    def headers(self, method: str, path: str, body: bytes | None) -> dict[str, str]:
        """See `HttpLink.headers`."""
        if path == "/v1/session":
            return {}
        if self._session is None:
            found = msgspec.json.decode(super().get("/v1/session"), type=_Session)
            self._session = found.session, found.time - wall_ms()
        session, ahead = self._session
        nonce = secrets.token_hex(NONCE_CHARACTERS // 2)
        asked = FirmRequest(self._identity.firm, method, self.target(path), session, wall_ms() + ahead, nonce)
        return {
            FIRM_HEADER: asked.firm,
            SESSION_HEADER: session,
            TIME_HEADER: str(asked.time),
            NONCE_HEADER: nonce,
            REQUEST_HEADER: self._identity.signer.sign("request", asked.signed_bytes(body or b"")),
        }


def is_gateway(to: str) -> bool:
    """Whether a gateway answers at this address, and not an embedded monitor. Raises Unavailable, ValueError."""
    if not to.startswith(("http://", "https://")):
        return False
    link = HttpLink(to)
    try:
        return bool(link.get("/v1/session"))
    except Refused:
        return False
    finally:
        link.close()
