"""What the monitor tells a firm's service about its telemetry: what was rejected, and which findings are active. Pure.

It is sent with the permits: apart from commands the only records that a firm may read on Kafka.
"""

from __future__ import annotations

from msgspec import Struct

NEWEST = 3  # rejections with their details
FINDINGS = 16  # keys of active findings, at most
CHARACTERS = 160  # of each text
LARGEST_COUNT = 10**18  # a count is capped at it


class Rejection(Struct, frozen=True, array_like=True, gc=False):
    """One rejected event or record: when it was received (ms), which field, the reason (a word of
    `monitor.validate.rejections.RejectionReason`) and the fix."""

    received: int
    field: str
    reason: str
    detail: str


class Rejections(Struct, frozen=True, array_like=True, gc=False):
    """Telemetry of a pilot that was rejected since its admission: events or records by reason, and the newest ones,
    oldest first."""

    by_reason: dict[str, int] = {}
    newest: tuple[Rejection, ...] = ()

    def after(self, received: int, field: str, reason: str, detail: str, count: int = 1) -> Rejections:
        """The counts with one more rejection, of `count` events."""
        more = Rejection(received, field[:CHARACTERS], reason, detail[:CHARACTERS])
        by_reason = {**self.by_reason, reason: min(LARGEST_COUNT, self.by_reason.get(reason, 0) + count)}
        return Rejections(by_reason, (*self.newest, more)[-NEWEST:])


class Notice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a permit says besides the lease. `rejected`: events or records of the pilot that were rejected since its
    admission, by reason; `newest`: the last of them; `findings`: keys of its active findings; `rectify_by`: when an
    open rectification window is due (ms)."""

    rejected: dict[str, int] = {}
    newest: tuple[Rejection, ...] = ()
    findings: tuple[str, ...] = ()
    rectify_by: int | None = None
