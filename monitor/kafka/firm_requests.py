"""Admits requests of firms: signed with a key of the charter in force, fresh, and never seen before. Pure."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from enum import StrEnum

from monitor.errors import Forged
from monitor.kafka.firm_directory import FirmDirectory, FirmOfPilot
from monitor.model.request_signing import NONCE_CHARACTERS, FirmRequest
from monitor.model.signing import Trusted
from monitor.model.subjects import is_model

FRESH_MS = 60_000  # how far the time of a request may be from that of the gateway
NONCES = 20_000  # of one firm; its rate keeps it far below
APPLICANTS = ""  # all firms without a pilot share one memory and one rate: everybody may choose a name and a key


class RequestRefusal(StrEnum):
    """Why a request of a firm was refused."""

    NOT_SIGNED = "not_signed"
    NOT_YOURS = "not_yours"  # no pilot of this firm, or not signed with a key of its charter: not told apart
    WRONG_SESSION = "wrong_session"
    NOT_FRESH = "not_fresh"
    REPEATED = "repeated"
    TOO_MANY = "too_many"


SENTENCES = {
    RequestRefusal.NOT_SIGNED: "sign the request: headers Sandbox-Firm, -Session, -Time, -Nonce, -Request-Signature",
    RequestRefusal.NOT_YOURS: "the firm has no such pilot, or this is not signed with a key of the charter in force",
    RequestRefusal.WRONG_SESSION: "the session is not that of this gateway; GET /v1/session and sign again",
    RequestRefusal.NOT_FRESH: "the time is more than 60 s from that of the gateway; GET /v1/session has it",
    RequestRefusal.REPEATED: "this request was received before; sign a new one",
    RequestRefusal.TOO_MANY: "too many requests of this firm within a minute",
}


def _refused(reason: RequestRefusal) -> Forged:
    return Forged("request", reason, SENTENCES[reason])


class RequestGate:
    """For one process: `session` is different in each."""

    def __init__(self, directory: FirmDirectory) -> None:
        self.session = secrets.token_hex(16)
        self._directory = directory
        self._nonces: dict[str, OrderedDict[str, int]] = {}  # firm: nonce and time

    def admit(
        self,
        request: FirmRequest,
        signature: str,
        pilot: str,
        body: bytes,
        now: int,
        applicant: FirmOfPilot | None = None,
    ) -> FirmOfPilot:
        """Return the firm of `pilot` if it signed this request, for this process, now (ms), for the first time.

        A pilot that is not known is that of the `applicant`, if one is given; so is a model.
        Raises Forged, with a RequestRefusal. What is not signed with a key of the charter leaves nothing behind.
        """
        if not signature or not request.firm:
            raise _refused(RequestRefusal.NOT_SIGNED)
        if request.session != self.session:
            raise _refused(RequestRefusal.WRONG_SESSION)
        if abs(now - request.time) > FRESH_MS:
            raise _refused(RequestRefusal.NOT_FRESH)
        known = self._directory.of(pilot)
        firm = known or applicant
        if firm is None or firm.participant != request.firm or not firm.keys:
            raise _refused(RequestRefusal.NOT_YOURS)
        try:
            Trusted(firm.keys).verify("request", request.signed_bytes(body), signature)
        except (Forged, ValueError):
            raise _refused(RequestRefusal.NOT_YOURS) from None
        self._once(request, now, APPLICANTS if known is None and not is_model(pilot) else request.firm)
        return firm

    def remembered(self, firm: str) -> int:
        """How many nonces of a firm are kept."""
        return len(self._nonces.get(firm, ()))

    def _once(self, request: FirmRequest, now: int, firm: str) -> None:
        if len(request.nonce) != NONCE_CHARACTERS:
            raise _refused(RequestRefusal.NOT_SIGNED)
        seen = self._nonces.setdefault(firm, OrderedDict())
        while seen and next(iter(seen.values())) < now - 2 * FRESH_MS:  # received then, so its time is not fresh now
            seen.popitem(last=False)
        if request.nonce in seen:
            raise _refused(RequestRefusal.REPEATED)
        if len(seen) >= NONCES:
            raise _refused(RequestRefusal.TOO_MANY)
        seen[request.nonce] = now
