"""The definitions of RFC 6962, section 2.1, written down as they stand there: the oracle for `monitor.tlog.merkle`."""

from __future__ import annotations

import hashlib
from functools import cache


class SlowTree:
    """Roots and proofs over a fixed list of entries, by recursion on ranges of the list."""

    def __init__(self, entries: list[bytes]) -> None:
        self.entries = entries
        self.mth = cache(self._mth)

    def _mth(self, start: int, end: int) -> bytes:
        """MTH(D[start:end])."""
        if start == end:
            return hashlib.sha256().digest()
        if end - start == 1:
            return hashlib.sha256(b"\x00" + self.entries[start]).digest()
        k = largest_power_of_two_below(end - start)
        return hashlib.sha256(b"\x01" + self.mth(start, start + k) + self.mth(start + k, end)).digest()

    def path(self, m: int, start: int, end: int) -> list[bytes]:
        """PATH(m, D[start:end])."""
        if end - start == 1:
            return []
        k = largest_power_of_two_below(end - start)
        if m < k:
            return [*self.path(m, start, start + k), self.mth(start + k, end)]
        return [*self.path(m - k, start + k, end), self.mth(start, start + k)]

    def proof(self, m: int, n: int) -> list[bytes]:
        """PROOF(m, D[n]) = SUBPROOF(m, D[n], true), for 0 < m <= n."""
        return self._subproof(m, 0, n, known=True)

    def _subproof(self, m: int, start: int, end: int, known: bool) -> list[bytes]:
        if m == end - start:
            return [] if known else [self.mth(start, end)]
        k = largest_power_of_two_below(end - start)
        if m <= k:
            return [*self._subproof(m, start, start + k, known), self.mth(start + k, end)]
        return [*self._subproof(m - k, start + k, end, known=False), self.mth(start, start + k)]


def largest_power_of_two_below(n: int) -> int:
    """The k of RFC 6962: a power of two with k < n <= 2k."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k
