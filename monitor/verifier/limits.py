"""What a verification does not establish, in words for its reader: limits of any ledger, and anchors that are missing.

A verdict must not be read for more than it says. Every report ends with these sentences.
"""

from __future__ import annotations

from monitor.verifier.anchors import Anchors
from monitor.verifier.checks import Outcome
from monitor.verifier.report import Report

ALWAYS = (
    "whether the telemetry was true: the ledger shows what was reported to the monitor and what it decided on that",
    "whether events were kept from the monitor: gaps and silence are recorded, an event that it never met is not",
    "what happened before the first checkpoint that somebody outside noted: until then the ledger could be rewritten",
    "who holds a key: a valid signature shows that the key was used, not by whom",
)
NO_STAMPS = (
    "when anything was recorded: times in entries are stated by the records, and no external time stamp was checked"
)


def missing_anchors(anchors: Anchors, report: Report) -> list[str]:
    """One sentence for each trust anchor that was not given, with what it would have shown."""
    missing = []
    if not anchors.log_keys and not anchors.policies:
        missing.append("the key of the log (--log-key or --policy): who signed the checkpoints was not checked")
    elif report.unkeyed:
        logs = ", ".join(report.unkeyed)[:500]
        missing.append(f"the keys of further logs (--log-key or --policy): who signed those of {logs} was not checked")
    if report.nothing_signed:
        missing.append(
            "anything signed (a published log, a bundle, --published): no key, witness or policy that was given could "
            "be used"
        )
    if _not_in_authority(report):
        missing.append(
            "the authority log: whether the log was shown in two versions, one to each reader, was not checked"
        )
    if not anchors.checkpoints and not anchors.roots:
        missing.append(
            "an earlier checkpoint or root (--checkpoint, --root): a ledger that was rewritten, or cut at its end "
            "together with its index, could not be told from a sound one"
        )
    missing += _not_compared(report)
    if report.own_policies:
        missing.append(
            f"the policy (--policy): the one in the bundle was used, {', '.join(report.own_policies)}; compare it with "
            "the one that both sides agreed on"
        )
    elif not anchors.policies and not anchors.witness_keys:
        missing.append(
            "witnesses (--policy, --witness-key): whether others were shown another version of the log was not checked"
        )
    if anchors.stamp_roots is None:
        missing.append("the root certificate of a time stamp authority (--stamp-root): no time stamp was checked")
    return missing


def _not_compared(report: Report) -> list[str]:
    """Earlier checkpoints that were given and from which nothing follows for an input."""
    idle = {one.message for one in report.results if (one.check, one.outcome) == ("anchor.checkpoint", Outcome.NOT_RUN)}
    return [f"entries from which an earlier checkpoint follows: {message}" for message in sorted(idle)]


def _not_in_authority(report: Report) -> bool:
    """Whether a published log was checked alone."""
    passed = {result.check for result in report.results if result.outcome is not Outcome.NOT_RUN}
    return "checkpoint.format" in passed and not passed & {"authority.contains", "authority.leaf"}


def conclude(anchors: Anchors, report: Report) -> None:
    """Write the closing lists into the report."""
    report.missing_anchors = missing_anchors(anchors, report)
    stamped = any(r.check == "stamp.signature" and r.outcome is Outcome.PASS for r in report.results)
    report.not_established = [*ALWAYS, *([] if stamped else [NO_STAMPS])]
