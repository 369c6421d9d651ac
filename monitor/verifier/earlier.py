"""Earlier checkpoints that a reader kept: each log must still begin with the entries that they count."""

from __future__ import annotations

from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.merkle import EMPTY_ROOT
from monitor.verifier.anchors import Anchors
from monitor.verifier.checkpoints import check_checkpoint
from monitor.verifier.keyring import Keyring
from monitor.verifier.report import Report


class Earlier:
    """The checkpoints of `--checkpoint`, by origin. `compare` one log after another, then `finish`."""

    def __init__(self, anchors: Anchors, keyring: Keyring, report: Report) -> None:
        self._report = report
        self._known: list[tuple[str, Checkpoint]] = []
        self._met: set[str] = set()
        for name, raw in anchors.checkpoints:
            checked = check_checkpoint(raw, name, "", keyring, report)
            if checked is not None:
                self._known.append((name, checked[0]))

    def sizes(self, origin: str) -> set[int]:
        """The sizes at which the tree head of this log is wanted."""
        return {head.size for _, head in self._known if head.origin == origin}

    def sizes_of_log(self, log: str) -> set[int]:
        """The same for a ledger file, of which only the name of its log is known: the last part of the origin."""
        return {head.size for _, head in self._known if head.origin.rpartition("/")[2] == log}

    def compare(self, where: str, origin: str, size: int, heads: dict[int, bytes]) -> None:
        """Compare a log of this origin with what was known of it; `heads` are its tree heads at the sizes wanted."""
        self._compare(where, size, heads, [one for one in self._known if one[1].origin == origin])

    def compare_log(self, where: str, log: str, size: int, heads: dict[int, bytes]) -> None:
        """The same for a ledger file."""
        self._compare(where, size, heads, [one for one in self._known if one[1].origin.rpartition("/")[2] == log])

    def _compare(self, where: str, size: int, heads: dict[int, bytes], known: list[tuple[str, Checkpoint]]) -> None:
        for name, head in known:
            self._met.add(name)
            root = EMPTY_ROOT if head.size == 0 else heads.get(head.size)
            if size < head.size:
                message = f"it has {size} entries, the earlier checkpoint {name} counts {head.size}: older, or cut"
            elif root is None:
                message = (
                    f"its tree head at {head.size} entries, of the checkpoint {name}, does not follow from a bundle"
                )
                self._report.not_run("anchor.checkpoint", where, message)
                continue
            elif root != head.root:
                message = f"at {head.size} entries it has another root than the earlier checkpoint {name}: a fork"
            else:
                self._report.passed("anchor.checkpoint", where)
                continue
            self._report.failed("anchor.checkpoint", where, message)

    def finish(self) -> None:
        """Report the checkpoints of logs that were not among the inputs."""
        for name, head in self._known:
            if name not in self._met and not self._report.failures:
                self._report.failed("anchor.checkpoint", name, f"nothing that was given is the log {head.origin}")
