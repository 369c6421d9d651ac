"""The rejected events of one record, grouped: one rejection for each reason, field and pilot, with their number. Pure.

A record holds up to 5,000 events, and each of them may be bad in the same way. What is written about a record is
bounded by `GROUPS` rejections, so that no record costs more to reject than to send.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from monitor.model.records import Record, Rejected
from monitor.validate.rejections import Rejecter, RejectionReason

GROUPS = 16  # rejections of one record, at most; the last one sums up all further ones
PLACES = 10  # indices that one rejection lists

GroupKey: TypeAlias = tuple[RejectionReason, str, str]  # reason, field, pilot


class Group:
    """Events that were rejected for one reason in one field: how many, the first of their `places` in the record, and
    the `detail` of the first ("" = the sentence of the reason)."""

    __slots__ = ("count", "detail", "places")

    def __init__(self, place: int, detail: str, count: int = 1) -> None:
        self.count, self.detail, self.places = count, detail, [place]

    def add(self, place: int, count: int = 1) -> None:
        """Count `count` more events, of which the first stands after those before it."""
        self.count += count
        if len(self.places) < PLACES:
            self.places.append(place)


class RejectedEvents:
    """The rejected events of one record, or what is wrong with the whole record (place 0)."""

    __slots__ = ("_groups", "record")

    def __init__(self, record: Record) -> None:
        self.record = record
        self._groups: dict[GroupKey, Group] = {}

    def add(
        self,
        why: RejectionReason,
        field: str = "",
        detail: str = "",
        *,
        index: int = 0,
        pilot: str = "",
        count: int = 1,
    ) -> None:
        """Reject the event at the place `index`, or `count` records from there on that cannot be read; `pilot` as far
        as it can be read from the event. `detail` must never repeat a value of the input."""
        group = self._groups.get((why, field, pilot))
        if group is None:
            self._groups[why, field, pilot] = Group(index, detail, count)
        else:
            group.add(index, count)

    def merge(self, more: RejectedEvents) -> None:
        """Add the rejected events of the same record that another stage found."""
        for key, theirs in more._groups.items():
            mine = self._groups.get(key)
            if mine is None:
                self._groups[key] = theirs
            else:
                mine.count += theirs.count
                mine.places = sorted({*mine.places, *theirs.places})[:PLACES]

    def groups(self) -> Iterable[tuple[GroupKey, Group]]:
        """All groups in the order of their first events."""
        return sorted(self._groups.items(), key=lambda found: found[1].places[0])

    def __bool__(self) -> bool:
        return bool(self._groups)

    def rejections(self, topic: str, partition: int, secret: bytes) -> list[Rejected]:
        """Returns at most `GROUPS` rejections, which count every event."""
        reject = Rejecter(self.record, topic, partition, secret)
        found = list(self.groups())
        own = found if len(found) <= GROUPS else found[: GROUPS - 1]
        listed = [
            reject(why, field, group.detail, pilot=pilot, places=group.places, count=group.count)
            for (why, field, pilot), group in own
        ]
        if rest := found[len(own) :]:
            by_reason: dict[str, int] = {}
            for (why, _, _), group in rest:
                by_reason[why.value] = by_reason.get(why.value, 0) + group.count
            listed.append(
                reject(
                    RejectionReason.SEVERAL_REASONS,
                    places=[group.places[0] for _, group in rest[:PLACES]],
                    count=sum(by_reason.values()),
                    by_reason=by_reason,
                )
            )
        return listed
