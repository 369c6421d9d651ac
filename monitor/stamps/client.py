"""Asks a time-stamping authority (RFC 3161 over HTTP), and fetches the revocation lists that its certificates name.

Every answer is bounded in bytes, and in time between two of them: call it in a thread for which nothing waits longer
than it wants to. A token is returned only after it was verified.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from email.message import Message
from typing import IO, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from monitor.access.address import http_address
from monitor.errors import Refused, Unavailable
from monitor.stamps import chain, revocation, token
from monitor.stamps.problems import StampProblem
from monitor.stamps.verify import Verdict, verify

QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
TIMEOUT_S = 10.0  # without any byte
LONGEST_REPLY, LONGEST_LIST = 64 * 1024, 8 * 1024 * 1024  # bytes
LIST_AGE_S = 3_600.0  # a revocation list is fetched again after this
_LACKS_REVOCATION = {StampProblem.MISSING_REVOCATION, StampProblem.STALE_REVOCATION}


class Stamped(NamedTuple):
    """A verified stamp on `message` with all that proves it later, in DER: the token (a whole response), the chain
    from the signer to the root, and the revocation lists that could be fetched."""

    message: bytes
    token: bytes
    certificates: tuple[bytes, ...]
    lists: tuple[bytes, ...]
    verdict: Verdict


class StampClient:
    """Asks the authority at `url`. `roots` are the certificates that it must lead to. Blocks; one thread at a time."""

    def __init__(self, url: str, roots: Sequence[x509.Certificate]) -> None:
        if not roots:
            raise Refused("no root certificate for the time stamps; give the authority's root as a PEM file")
        self._address, self._roots = http_address(url, "http://stamps.example.org/tsr"), tuple(roots)
        self._lists: dict[str, tuple[float, bytes]] = {}

    @property
    def authority(self) -> str:
        """Its address, without credentials."""
        return self._address.shown

    def stamp(self, message: bytes) -> Stamped:
        """Return a stamp on `message`, verified but for what only revocation lists can tell when none is available.

        Raises Unavailable when the authority does not answer, Refused when its answer proves nothing.
        """
        asked = token.request(message)
        headers = {"Content-Type": QUERY, **self._address.headers}
        raw = _fetch(self._address.url, self._address.shown, LONGEST_REPLY, asked.body, headers)
        first = verify(message, raw, roots=self._roots, nonce=asked.nonce)
        wrong = [problem for problem in first.problems if problem.kind not in _LACKS_REVOCATION]
        if wrong:
            raise Refused(f"the time stamp of {self.authority} proves nothing: {'; '.join(map(str, wrong))}")
        lists = self._revocation(first.chain)
        parsed = [x509.load_der_x509_crl(found) for found in lists]
        verdict = verify(message, raw, roots=self._roots, lists=parsed, nonce=asked.nonce)
        wrong = [problem for problem in verdict.problems if problem.kind not in _LACKS_REVOCATION]
        if wrong:
            raise Refused(f"the time stamp of {self.authority} proves nothing: {'; '.join(map(str, wrong))}")
        return Stamped(message, raw, tuple(c.public_bytes(Encoding.DER) for c in verdict.chain), lists, verdict)

    def _revocation(self, certificates: Sequence[x509.Certificate]) -> tuple[bytes, ...]:
        """The lists that certificates of the chain name; those that cannot be had are left out."""
        found = [self._list(certificate) for certificate in certificates[:-1]]
        return tuple(dict.fromkeys(raw for raw in found if raw))

    def _list(self, certificate: x509.Certificate) -> bytes:
        now = time.monotonic()
        for url in revocation.addresses(certificate):
            fetched, raw = self._lists.get(url, (0.0, b""))
            if raw and now - fetched < LIST_AGE_S:
                return raw
            try:
                raw = _fetch(url, url, LONGEST_LIST)
                x509.load_der_x509_crl(raw)
            except (Unavailable, Refused, *chain.UNREADABLE):
                continue
            self._lists = dict([*self._lists.items()][-15:]) | {url: (now, raw)}
            return raw
        return b""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def _fetch(
    url: str, shown: str, longest: int, body: bytes | None = None, headers: dict[str, str] | None = None
) -> bytes:
    """The body that `url` answers. Raises Unavailable; Refused for 4xx and for more than `longest` bytes."""
    try:
        with _opener.open(urllib.request.Request(url, body, headers or {}), timeout=TIMEOUT_S) as answer:
            raw: bytes = answer.read(longest + 1)
    except urllib.error.HTTPError as error:
        error.close()
        kind = Unavailable if error.code >= 500 or error.code in (408, 425, 429) else Refused
        raise kind(f"{shown} answered {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(f"{shown} does not answer: {error}") from error
    if len(raw) > longest:
        raise Refused(f"{shown} answered more than {longest} bytes")
    return raw
