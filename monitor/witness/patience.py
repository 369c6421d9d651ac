"""How long publication may wait for witnesses that do not answer. Pure: the time is an argument."""

from __future__ import annotations

SHARE = 0.1  # of the time may be spent on waiting in vain, in the long run
LEAST_S = 0.5  # that each checkpoint waits all the same


class Patience:
    """Waiting in vain is paid from a budget of `burst_s` seconds, which fills up by `SHARE` of the time that passes.

    Many logs are cosigned one after the other, each by its own firm: without this, a hundred firms that are down would
    hold back every other log for a hundred times the time that one costs.

    >>> patience = Patience(10.0, now=0.0)
    >>> patience.wait(5.0, now=0.0)
    5.0
    >>> patience.spend(8.0); patience.wait(5.0, now=0.0), patience.wait(5.0, now=15.0)
    (2.0, 3.5)
    >>> patience.spend(8.0); patience.wait(5.0, now=15.0)
    0.5
    """

    def __init__(self, burst_s: float, now: float) -> None:
        self._burst, self._left, self._at = burst_s, burst_s, now

    def wait(self, wished: float, now: float) -> float:
        """How many seconds may be waited now, of the `wished` ones: at least LEAST_S of them."""
        self._left = min(self._burst, self._left + SHARE * (now - self._at))
        self._at = now
        return min(wished, max(LEAST_S, self._left))

    def spend(self, seconds: float) -> None:
        """So long was waited, and not every witness answered."""
        self._left = max(0.0, self._left - seconds)
