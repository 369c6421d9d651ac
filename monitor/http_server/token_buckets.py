"""Token buckets: how much each client may take per second, with a burst. Pure: the time is an argument."""

from __future__ import annotations

from collections import OrderedDict

CLIENTS = 4_096


class TokenBuckets:
    """One bucket per client: it holds at most `burst` tokens and gains `per_second` of them.

    A charge may be larger than what is left; the client then waits until the debt is paid. Of more than `clients`
    clients the least recent is forgotten, which fills its bucket.
    """

    def __init__(self, per_second: float, burst: float, clients: int = CLIENTS) -> None:
        if per_second <= 0 or burst <= 0:
            raise ValueError("a bucket needs a positive rate and a positive burst")
        self._per_second, self._burst, self._clients = per_second, burst, clients
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> tokens, and when (s)

    def wait(self, client: str, now: float) -> float:
        """Seconds until the client may send again at `now` (s, from a clock that never decreases); 0.0: at once.

        >>> buckets = TokenBuckets(per_second=2, burst=1)
        >>> buckets.charge("a", 3, now=0.0); buckets.wait("a", now=0.0), buckets.wait("a", now=1.0)
        (1.0, 0.0)
        """
        tokens = self._tokens(client, now)
        return 0.0 if tokens >= 0 else -tokens / self._per_second

    def charge(self, client: str, amount: float, now: float) -> None:
        """Take `amount` tokens of the client."""
        self._levels[client] = self._tokens(client, now) - amount, now
        self._levels.move_to_end(client)
        while len(self._levels) > self._clients:
            self._levels.popitem(last=False)

    def _tokens(self, client: str, now: float) -> float:
        tokens, at = self._levels.get(client, (self._burst, now))
        return min(self._burst, tokens + max(0.0, now - at) * self._per_second)
