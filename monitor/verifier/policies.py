"""Policies that the reader gave, or that a bundle holds: which one governs a log, and whether a checkpoint meets it."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.tlog.errors import TlogError
from monitor.tlog.keys import Verifier
from monitor.tlog.note import SignedNote
from monitor.tlog.policy import Policy, parse_policy
from monitor.verifier.report import Report


class Policies:
    """Parsed policies. One governs a log if a `log` line of it names its origin `B/LOG`, or `B` for all logs of a
    sandbox. Reports policies that cannot be parsed, and those that demand no witness."""

    def __init__(self, policies: Sequence[tuple[str, bytes]], report: Report) -> None:
        self._known: list[tuple[str, Policy]] = []
        self._report = report
        self.add(policies)

    def add(self, policies: Sequence[tuple[str, bytes]]) -> None:
        """Add further policies."""
        report = self._report
        for name, data in policies:
            try:
                policy = parse_policy(data)
            except TlogError as error:
                report.failed("policy.format", name, str(error))
                continue
            if not policy.logs:
                report.failed("policy.format", name, "it names no log; fix: add a line `log VKEY`")
                continue
            report.passed("policy.format", name)
            if policy.needs_witnesses:
                report.passed("policy.quorum", name)
            else:
                message = "its quorum is `none`: it accepts checkpoints that no witness has seen"
                report.failed("policy.quorum", name, message)
            self._known.append((name, policy))

    def log_keys(self) -> list[Verifier]:
        """The log keys of all policies."""
        return [log.verifier for _, policy in self._known for log in policy.logs]

    def witnesses(self, origin: str) -> list[Verifier]:
        """The witnesses in the policies of a log."""
        return [one.verifier for _, policy in self._of(origin) for one in policy.witnesses]

    def check(self, note: SignedNote, origin: str, where: str, keys: Sequence[Verifier]) -> bool:
        """Check a checkpoint against each policy of its log; `keys` are those of the log. Returns whether one governs
        it."""
        governing = self._of(origin)
        if self._known and not governing:
            self._report.not_run("policy.satisfied", where, f"no policy given names the log {origin}")
        for name, policy in governing:
            found = policy.satisfied(note, keys)
            if found:
                self._report.passed("policy.satisfied", where)
            else:
                self._report.failed("policy.satisfied", where, f"{found.problem} (policy {name})")
        return bool(governing)

    def _of(self, origin: str) -> list[tuple[str, Policy]]:
        names = (origin, origin.rpartition("/")[0])
        return [one for one in self._known if any(log.verifier.name in names for log in one[1].logs)]
