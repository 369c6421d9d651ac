"""What the evidence of a year says about each limit of a pilot: the share of it that was used, with an interval. Pure.

Limits are those of the public parts of charters, which cannot be withheld. Of several charters in a year each period
counts against the one in force when it ended.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec import Struct, field

from detectors.rate_sequence import proportion_lower, proportion_upper, rate_lower, rate_upper
from monitor.notary.encoding import Entry, EntryType
from monitor.public_record.figures import Collector, Figure, digits
from monitor.public_record.pilot import InForce, Json, PilotRecord

ALPHA = 0.025  # of each side of an interval
APPROACHED = 0.5  # share of a limit below which it was never approached
PROPORTION, GAUGE = "proportion", "gauge"


class Limit(Struct, frozen=True):
    """The limit of an indicator in the units of its observations; `below`: harm is on the lower side."""

    value: float
    below: bool
    variance_mean: float


class Stream(Struct):
    """Sums of one indicator and segment over the year. `events` and `exposure` of complete periods, `extra` events of
    incomplete periods or late; `allowed` the events that the limit in force allows in that exposure. `worst` of a gauge
    is its largest value over the limit (of a minimum the other way). `months`: month to events and allowed events."""

    kind: str
    below: bool = False
    variance_mean: float = 1.0
    limited: bool = False
    events: float = 0.0
    extra: float = 0.0
    exposure: float = 0.0
    allowed: float = 0.0
    complete: int = 0
    worst: float | None = None
    months: dict[str, list[float]] = field(default_factory=dict)
    entries: dict[str, list[int]] = field(default_factory=dict)


def limits_of(charter: InForce) -> dict[str, Limit]:
    """The limits on rates, shares and values in the public part of a charter, by indicator."""
    found = {}
    for spec in charter.document.get("indicators") or ():
        names = [one["name"] for one in spec.get("detectors") or ()]
        if spec["kind"] == "silence" or (names and all(name == "disparity" for name in names)):
            continue  # a gap, and a comparison with other segments: no limit on a rate
        value, below, per = spec.get("limit"), spec.get("direction") == "below", spec.get("per") or 1.0
        baseline = spec.get("baseline")
        if baseline is not None:
            value = baseline["times"] * baseline["events"] / baseline["exposure"] * per
        if value is None:
            continue
        if spec["kind"] == "complaint_handling_time":  # the longest mean in hours; slow handling is a low rate
            value, below, per = 1.0 / value, not below, 1.0
        found[spec["name"]] = Limit(value / per, below, float(spec.get("variance_mean") or 1.0))
    return found


class Streams:
    """Folds the evidence of one pilot in a year: periods that end after `since` and at the latest at `until` (ms)."""

    def __init__(self, pilot: PilotRecord, since: int, until: int) -> None:
        self.since, self.until = since, until
        self.streams: dict[tuple[str, str], Stream] = {}
        self._starts = [one.record["at"] for one in pilot.charters]
        self._limits = [limits_of(one) for one in pilot.charters]

    def add(self, entries: Iterable[tuple[str, int, Entry]]) -> Streams:
        """Take file name, number and entry of each record of evidence."""
        for file, number, entry in entries:
            if entry.type is EntryType.EVIDENCE and self.since < entry.at <= self.until:
                limits = self._in_force(entry.at)
                for row in entry.record()["observations"]:
                    self._observe(row, limits, entry.at, (file, number))
        return self

    def _in_force(self, at: int) -> dict[str, Limit]:
        place = bisect_left(self._starts, at) - 1
        return self._limits[max(place, 0)] if self._limits else {}

    def _observe(self, row: Json, limits: dict[str, Limit], at: int, where: tuple[str, int]) -> None:
        if "dropped" in row:
            return
        key = (row["indicator"], row["segment"])
        stream = self.streams.get(key)
        if stream is None:
            stream = self.streams[key] = Stream(row["kind"])
        first = stream.entries.setdefault(where[0], [where[1], where[1]])
        first[1] = where[1]
        limit = limits.get(row["indicator"])
        if limit is not None:
            stream.limited, stream.below, stream.variance_mean = True, limit.below, limit.variance_mean
        if row["kind"] == GAUGE:
            _gauge(stream, row, limit)
            return
        if row.get("late") or row.get("unknown"):
            stream.extra += row["k"] if row.get("unknown") else max(row["k"], 0.0)
            return
        allowed = 0.0 if limit is None else limit.value * row["m"]
        stream.complete += 1
        stream.events += row["k"]
        stream.exposure += row["m"]
        stream.allowed += allowed
        month = stream.months.setdefault(_month(at), [0.0, 0.0])
        month[0] += row["k"]
        month[1] += allowed


def _gauge(stream: Stream, row: Json, limit: Limit | None) -> None:
    if row.get("late") or row.get("unknown"):
        return
    stream.complete += 1
    stream.exposure += 1
    if limit is not None and (share := _of_limit(row["k"], limit.value, limit.below)) is not None:
        stream.worst = share if stream.worst is None else max(stream.worst, share)


def _of_limit(value: float, limit: float, below: bool) -> float | None:
    over, under = (limit, value) if below else (value, limit)
    return over / under if under > 0 else None


def _month(at: int) -> str:
    """The month (UTC) that a period which ends at `at` belongs to."""
    return datetime.fromtimestamp((at - 1) / 1000, UTC).strftime("%m")


def share_of(stream: Stream) -> tuple[float, float | None, float | None] | None:
    """The share of the limit that was used, with its interval (no upper end: `None`); `None` where there is none."""
    if stream.kind == GAUGE:
        return None if stream.worst is None else (stream.worst, stream.worst, stream.worst)
    if not stream.limited or not stream.allowed:
        return None
    share, below = stream.kind == PROPORTION, stream.below
    counted = stream.events if below else stream.events + stream.extra
    exposure = stream.exposure + (counted - stream.events if share else 0.0)
    limit, rate = stream.allowed / stream.exposure, counted / exposure
    upper, lower = (proportion_upper, proportion_lower) if share else (rate_upper, rate_lower)
    low = lower(counted, exposure, ALPHA, stream.variance_mean)
    high = upper(counted, exposure, ALPHA, stream.variance_mean)
    assert low is not None
    assert high is not None
    if below:
        if not rate:
            return None
        return limit / rate, limit / high, (limit / low if low > 0 else None)
    return rate / limit, low / limit, high / limit


def never_approached(found: tuple[float, float | None, float | None]) -> bool:
    """Whether the whole interval is below half of the limit."""
    return found[2] is not None and found[2] < APPROACHED


def always_broken(stream: Stream, found: tuple[float, float | None, float | None]) -> bool:
    """Whether the whole interval is beyond the limit, and every month with exposure too."""
    if found[1] is None or found[1] <= 1:
        return False
    months = [(k, allowed) for k, allowed in stream.months.values() if allowed]
    return all(k < allowed if stream.below else k > allowed for k, allowed in months)


def add_limits(into: Collector, pilot: PilotRecord, streams: Streams) -> None:
    """Add shares, and limits that were never approached or always broken."""
    for (indicator, segment), stream in sorted(streams.streams.items()):
        found = share_of(stream)
        if found is None:
            continue
        low, high = (None, None) if stream.kind == GAUGE else found[1:]
        made = Figure(
            of=(pilot.pilot, indicator, segment),
            value=digits(found[0]),
            low=None if low is None else digits(low),
            high=None if high is None else digits(high),
            periods={file: (first, last) for file, (first, last) in sorted(stream.entries.items())},
        )
        into.figure("limits.share", made)
        if never_approached(found):
            into.figure("limits.never_approached", made)
        elif stream.kind != GAUGE and always_broken(stream, found):
            into.figure("limits.always_broken", made)


def add_complaints(into: Collector, pilot: PilotRecord, streams: Streams, charter: InForce | None) -> None:
    """Add the complaints that were counted: of several indicators the one that counts most."""
    if charter is None:
        return
    names = [one["name"] for one in charter.document.get("indicators") or () if one["kind"] == "complaint_rate"]
    best: tuple[float, dict[str, tuple[int, int]]] | None = None
    for name in names:
        rows = [stream for (indicator, _), stream in streams.streams.items() if indicator == name]
        total = sum(row.events + row.extra for row in rows)
        if rows and (best is None or total > best[0]):
            best = total, _spans(rows)
    if best is not None:
        into.figure("complaints.counted", Figure(of=(pilot.pilot,), value=digits(best[0]), periods=best[1]))


def _spans(rows: Iterable[Stream]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for row in rows:
        for file, (first, last) in row.entries.items():
            old = found.get(file, (first, last))
            found[file] = (min(old[0], first), max(old[1], last))
    return dict(sorted(found.items()))


def add_no_data(into: Collector, pilot: PilotRecord, streams: Streams, charter: InForce) -> None:
    """Add the indicators of a charter that had no complete period with exposure."""
    for spec in charter.document.get("indicators") or ():
        rows = [stream for (indicator, _), stream in streams.streams.items() if indicator == spec["name"]]
        if spec["kind"] != "silence" and not any(row.complete and row.exposure for row in rows):
            into.count("indicators.no_data", charter.record, pilot.pilot, spec["name"])
