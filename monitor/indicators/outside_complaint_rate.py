"""Complaints that users made outside the firm, counted over exposure."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.indicators.complaint_rate import ComplaintRate
from monitor.indicators.outside import is_outside
from monitor.model.events import Envelope


class OutsideComplaintRate(ComplaintRate):
    """`k` complaints of the users' channel, and of the reporters of the charter, over `m` units of exposure. Complaints
    that the firm reports do not count. A withdrawal takes nothing back."""

    outside = True  # complaints of the users' channel count here

    def counting(self, events: Sequence[Envelope]) -> Sequence[Envelope]:
        return [event for event in events if is_outside(event)]
