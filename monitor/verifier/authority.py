"""The authority log: one leaf for each checkpoint of a pilot log. Shows that no log was ever shown in two versions."""

from __future__ import annotations

import re

from monitor.notary.authority_leaf import Leaf, decode_leaf
from monitor.verifier.report import Report

LOG_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
"""Where the log lies below a directory or URL. Nothing else is read there: the maker of a leaf chooses its origin."""


def parse_leaf(raw: bytes) -> Leaf:
    """The leaf in these bytes, of a log whose name can be that of a directory. Raises ValueError."""
    leaf = decode_leaf(raw)
    if not LOG_NAME.fullmatch(leaf.origin.rpartition("/")[2]):
        raise ValueError("the last part of an origin is the name of a directory: letters, digits, and - _ . inside it")
    return leaf


class History:
    """The leaves of an authority log in order: the checkpoints of each pilot log, of rising size."""

    def __init__(self, where: str, origin: str, report: Report) -> None:
        self.where = where
        self.by_origin: dict[str, dict[int, bytes]] = {}
        self.base = origin.rpartition("/")[0]
        self._last: dict[str, Leaf] = {}
        self._report = report
        self._sound = True

    def take(self, number: int, raw: bytes) -> bool:
        """Take leaf `number`; returns whether it is sound."""
        try:
            leaf = parse_leaf(raw)
        except ValueError as error:
            return self._fail("authority.leaf", str(error), number)
        if leaf.origin.rpartition("/")[0] != self.base:
            return self._fail(
                "authority.leaf", f"a checkpoint of {leaf.origin}, which is not below {self.base}", number
            )
        last = self._last.get(leaf.origin)
        if last is not None and leaf.size < last.size:
            return self._fail(
                "authority.history", f"{leaf.origin} went back from {last.size} to {leaf.size} entries", number
            )
        if last is not None and leaf.size == last.size and leaf.root != last.root:
            return self._fail("authority.history", f"{leaf.origin} has two roots at {leaf.size} entries", number)
        self._last[leaf.origin] = leaf
        self.by_origin.setdefault(leaf.origin, {})[leaf.size] = leaf.root
        return True

    def finish(self) -> None:
        """Report that every leaf was sound."""
        if self._sound:
            self._report.passed("authority.leaf", self.where)
            self._report.passed("authority.history", self.where)

    def latest(self, origin: str) -> Leaf | None:
        """The newest checkpoint of a log."""
        return self._last.get(origin)

    def logs(self) -> list[str]:
        """Names of the pilot logs."""
        return sorted(origin.rpartition("/")[2] for origin in self._last)

    def _fail(self, check: str, problem: str, number: int) -> bool:
        self._sound = False
        self._report.failed(check, self.where, problem, number)
        return False
