"""What the monitor tells a firm's service about its telemetry: what was rejected, what was accepted and counts nowhere
or came too late to count, and which findings are active. Pure.

It is sent with the permits: apart from commands the only records that a firm may read on Kafka.
"""

from __future__ import annotations

from msgspec import Struct

NEWEST = 4  # rejections with their details
COUNTED_NOWHERE = "counted_nowhere"  # accepted, but no indicator of the charter counts it
LATE_DROPPED = "late_dropped"  # accepted, but too late to count
NOT_REJECTED = (COUNTED_NOWHERE, LATE_DROPPED)
"""Reasons among the `Rejections` of events that were accepted and have no effect; the others are words of
`monitor.validate.rejections.RejectionReason`."""
FINDINGS = 16  # keys of active findings, at most
CHARACTERS = 160  # of each text
LARGEST_COUNT = 10**18  # a count is capped at it


class Rejection(Struct, frozen=True, array_like=True, gc=False):
    """One rejected event or record, or one that counts nowhere: when it was received (ms), which field, the reason (a
    word of `monitor.validate.rejections.RejectionReason`, or of `NOT_REJECTED`) and the fix."""

    received: int
    field: str
    reason: str
    detail: str


class Rejections(Struct, frozen=True, array_like=True, gc=False):
    """Telemetry of a pilot that has no effect since its admission: events or records by reason, and the newest ones,
    oldest first. Of those with equal reason and field only the newest is listed, so that no flood of one mistake hides
    another."""

    by_reason: dict[str, int] = {}
    newest: tuple[Rejection, ...] = ()

    def after(self, received: int, field: str, reason: str, detail: str, count: int = 1) -> Rejections:
        """The counts with one more rejection, of `count` events."""
        more = Rejection(received, field[:CHARACTERS], reason, detail[:CHARACTERS])
        others = [one for one in self.newest if one.reason != reason or one.field != more.field]
        return Rejections(self._counted(reason, count), (*others, more)[-NEWEST:])

    def counted(self, reason: str, count: int = 1) -> Rejections:
        """The counts with `count` more events for a reason of which the newest one is listed already."""
        return Rejections(self._counted(reason, count), self.newest)

    def _counted(self, reason: str, count: int) -> dict[str, int]:
        return {**self.by_reason, reason: min(LARGEST_COUNT, self.by_reason.get(reason, 0) + count)}

    @property
    def rejected(self) -> dict[str, int]:
        """Events or records that were rejected, by reason."""
        return {reason: count for reason, count in self.by_reason.items() if reason not in NOT_REJECTED}

    @property
    def uncounted(self) -> dict[str, int]:
        """Events that were accepted and have no effect, by reason (`NOT_REJECTED`)."""
        return {reason: self.by_reason[reason] for reason in NOT_REJECTED if reason in self.by_reason}


class Notice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a permit says besides the lease. `rejected`: events or records of the pilot that were rejected since its
    admission, by reason; `uncounted`: events that were accepted and have no effect, by reason (`NOT_REJECTED`);
    `newest`: the last of both; `findings`: keys of its active findings; `rectify_by`: when an open rectification window
    is due (ms)."""

    rejected: dict[str, int] = {}
    uncounted: dict[str, int] = {}
    newest: tuple[Rejection, ...] = ()
    findings: tuple[str, ...] = ()
    rectify_by: int | None = None
