"""Rate limit of what is written about rejected telemetry, per telemetry topic and firm. Pure.

A token bucket for each firm: `BURST` rejections at once, `PER_SECOND` on average. It is filled by times of reception,
so a replay writes the same. Beyond the rate rejections are summed up: one rejection `rate_limited` counts, by reason,
what came from its position to `through`. It is written `HELD_MS` after the first of them, before the next rejection of
the firm or at the next `time`. So nothing is lost from the counts, and what is written is bounded whatever is sent.

The buckets of different topics are independent between two journal entries: the order in which topics are stepped,
which no journal fixes, changes nothing. Bounds: `FIRMS` buckets of a topic, whose further firms share one; and
`BUCKETS` of a partition, of `BUCKET_BYTES` each, kept at each `time`. There what is held in the others is written at
once and they are forgotten: those that lack the fewest tokens, so that who floods stays limited. In between, each topic
that is stepped may add its own. A full bucket that holds nothing is forgotten, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from monitor.model.records import Rejected
from monitor.validate.rejections import SENTENCES, RejectionReason

BURST = 1_000  # rejections of one firm that are written at once
PER_SECOND = 100  # rejections of one firm that are written on average
HELD_MS = 1_000  # from the first rejection that is summed up to when the sum is written
FIRMS = 64  # buckets of one topic, besides the one that all others share
BUCKETS = 512  # buckets of one partition after a `time`
BUCKET_BYTES = 4_096  # of one bucket, with its names
LARGEST_COUNT = 10**18  # a count is capped at it
TOKEN = 1_000  # one rejection, in thousandths of a token: a millisecond adds PER_SECOND of them
OTHERS = ""  # the name of the bucket that is shared


class HeldRejections(Struct, array_like=True, gc=False):
    """Rejections that are summed up: the position of the first of them, which pilot they are of (empty: several), when
    the first was received (ms), since when they are held (ms, the time of the bucket), how many events they count by
    reason, and the id of the last of them."""

    partition: int
    offset: int
    index: int
    pilot: str
    received: int
    since: int
    by_reason: dict[str, int]
    through: str

    def add(self, rejected: Rejected) -> None:
        """Count one more."""
        for reason, events in rejected.reasons.items():
            self.by_reason[reason] = min(LARGEST_COUNT, self.by_reason.get(reason, 0) + events)
        self.through = rejected.id
        if rejected.pilot != self.pilot:
            self.pilot = ""

    def summary(self, topic: str) -> Rejected:
        """The rejection that stands for all of them."""
        return Rejected(
            topic=topic,
            partition=self.partition,
            offset=self.offset,
            index=self.index,
            field="",
            reason=RejectionReason.RATE_LIMITED.value,
            detail=SENTENCES[RejectionReason.RATE_LIMITED],
            pilot=self.pilot,
            received=self.received,
            count=sum(self.by_reason.values()),
            through=self.through,
            by_reason=self.by_reason,
        )


class Bucket(Struct, array_like=True, gc=False):
    """The bucket of one firm: thousandths of `tokens` as they were `at` that time (ms), and what is `held`."""

    tokens: int = BURST * TOKEN
    at: int = 0
    topic: str = ""  # of what is held
    held: HeldRejections | None = None

    def fill(self, at: int) -> None:
        """Time goes on to `at` (ms), never back."""
        if at > self.at:
            self.tokens = min(BURST * TOKEN, self.tokens + (at - self.at) * PER_SECOND)
            self.at = at

    def due(self) -> int | None:
        """After which time (ms) what is held may be written; `None` when nothing is."""
        return None if self.held is None else self.held.since + HELD_MS

    def release(self) -> Iterator[Rejected]:
        """Yields what is held, if its time has come."""
        if self.held is not None and self.at > self.held.since + HELD_MS and self.tokens >= TOKEN:
            self.tokens -= TOKEN
            held, self.held = self.held, None
            yield held.summary(self.topic)

    def admit(self, rejected: Rejected) -> Iterator[Rejected]:
        """Yields a rejection that may be written now, else holds it."""
        if self.held is not None:
            self.held.add(rejected)
        elif self.tokens >= TOKEN:
            self.tokens -= TOKEN
            yield rejected
        else:
            r = rejected
            self.topic = r.topic
            self.held = HeldRejections(r.partition, r.offset, r.index, r.pilot, r.received, self.at, {}, "")
            self.held.add(r)

    @property
    def idle(self) -> bool:
        """Whether it is as a new one would be."""
        return self.held is None and self.tokens >= BURST * TOKEN


class RejectionRates(Struct, array_like=True):
    """The buckets of a partition, by topic and firm."""

    buckets: dict[str, dict[str, Bucket]] = {}

    def limited(self, topic: str, received: int, rejected: Iterable[tuple[str, Rejected]]) -> Iterator[Rejected]:
        """Yields what may be written of the rejections of one record, each with the firm that it is of (`OTHERS` = not
        known), and before them what was held of these firms."""
        for firm, each in rejected:
            bucket = self._bucket(topic, firm, received)
            bucket.fill(received)
            yield from bucket.release()
            yield from bucket.admit(each)

    def released(self, now: int) -> Iterator[Rejected]:
        """Yields what is held and may be written `now` (ms); forgets buckets that are full, and those beyond the bound,
        of which it yields whatever is held."""
        for topic in sorted(self.buckets):
            firms = self.buckets[topic]
            for firm in sorted(firms):
                firms[firm].fill(now)
                yield from firms[firm].release()
            self._forget_idle(topic)
        yield from self._forget_excess()

    def in_order(self) -> RejectionRates:
        """Equal, with topics and firms by name."""
        return RejectionRates({topic: dict(sorted(firms.items())) for topic, firms in sorted(self.buckets.items())})

    def due(self) -> int | None:
        """After which time (ms) something that is held may be written; `None` when nothing is held."""
        times = (bucket.due() for firms in self.buckets.values() for bucket in firms.values())
        return min((at for at in times if at is not None), default=None)

    def _bucket(self, topic: str, firm: str, received: int) -> Bucket:
        firms = self.buckets.setdefault(topic, {})
        if firm not in firms and len(firms) >= FIRMS:
            for each in firms.values():
                each.fill(received)
            self._forget_idle(topic)
            firms = self.buckets.setdefault(topic, {})
            firm = firm if len(firms) < FIRMS else OTHERS
        bucket = firms.get(firm)
        if bucket is None:
            bucket = firms[firm] = Bucket(at=received)
        return bucket

    def _forget_excess(self) -> Iterator[Rejected]:
        names = [(topic, firm) for topic, firms in self.buckets.items() for firm in firms]
        excess = len(names) - BUCKETS
        if excess <= 0:
            return
        fullest = sorted(names, key=lambda name: (-self.buckets[name[0]][name[1]].tokens, name))[:excess]
        for topic, firm in sorted(fullest):
            bucket = self.buckets[topic].pop(firm)
            if bucket.held is not None:
                yield bucket.held.summary(bucket.topic)
            if not self.buckets[topic]:
                del self.buckets[topic]

    def _forget_idle(self, topic: str) -> None:
        firms = {name: bucket for name, bucket in self.buckets[topic].items() if not bucket.idle}
        if firms:
            self.buckets[topic] = firms
        else:
            del self.buckets[topic]
