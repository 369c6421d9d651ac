"""Which trust anchors found something to check. An anchor that was given and met nothing of its log must not look like
one that was satisfied: the maker of a record also chooses the names of its logs, and which files lie in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.verifier.anchors import Anchors
from monitor.verifier.report import Report


@dataclass
class Used:
    """Of one input: the origins of its checkpoints, those of them that a given key is for, whether a given policy
    governs one, and whether a witness of --witness-key cosigned one."""

    met: set[str] = field(default_factory=set)
    keyed: set[str] = field(default_factory=set)
    governed: bool = False
    cosigned: bool = False

    def check(self, where: str, anchors: Anchors, report: Report) -> None:
        """Fail what the reader demands and the input evades. Call it once the input was checked."""
        if not self.met:
            return
        logs = ", ".join(sorted(self.met))[:300]
        if (anchors.log_keys or anchors.policies) and not self.keyed:
            message = f"its logs are {logs}: no key that was given (--log-key, --policy) is of any of them"
            report.failed("checkpoint.signature", where, message)
        if anchors.policies and not self.governed:
            message = f"its checkpoints are of {logs}: no policy that was given (--policy) names any of these logs"
            report.failed("policy.satisfied", where, message)
        if anchors.witness_keys and not anchors.policies and not self.cosigned:
            message = "none of its checkpoints is cosigned by a witness that was given (--witness-key)"
            report.failed("witness.cosignature", where, message)
        if self.keyed:
            report.unkeyed += sorted(self.met - self.keyed - set(report.unkeyed))
