"""The fixed sentences of a statement of reasons."""

from __future__ import annotations

PARTS: dict[str, str] = {
    "facts": "What happened",
    "ground": "On which ground",
    "method": "How it was established",
    "who": "Who decided",
    "after": "What followed",
    "redress": "What the firm must do, and can do",
    "verify": "How to verify this statement",
}
"""Part -> title, in order."""

METHODS: dict[str, str] = {
    "statistical": "A statistic (an e-value) that measures evidence against the hypothesis that the service keeps the "
    "limit of its charter. It may be looked at after every event: the halt follows when it reaches its threshold.",
    "hard_rule": "A single event that the charter lists as a hard rule. It halts at once; no statistic is involved.",
    "suspended": "A decision of a person at the authority; no statistic is involved.",
    "overridden": "A decision of a person at the authority; no statistic is involved.",
    "recalled": "A decision of a person at the authority; no statistic is involved.",
    "rectification_overdue": "A date passed: the first excess of a limit was tolerated, to be rectified in time.",
    "clock_missed": "A legal deadline passed whose rule says that a miss halts.",
    "state_lost": "The stored state of the pilot could not be read, so that nothing shows that its limits are kept.",
    "rule": "A rule of the charter or of the sandbox; no statistic is involved.",
}
GUARANTEE = (
    "A firm that keeps every limit of its charter is halted by a limit with a probability of at most {alpha}, over the "
    "whole life of the pilot and however often it is looked at."
)
ASSUMPTIONS = (
    "variance/mean {v}, as the charter declares: the guarantee holds if, given the past, the events of each period "
    "vary at most so much"
)
ANNULLED = (
    "An approver annulled this decision: it was wrong, and counts no longer against the firm (ledger firm:{firm})."
)
DECIDED = {
    "machine": "The monitor, by the rules of the charter that firm and authority agreed on. No person took part.",
    "person": "A person in the role of officer at the authority ({authority}).",
}
HALF = "not stored here; `sandbox-monitor ledger disclose` gives the text that the ledger commits to"
REDRESS: tuple[tuple[str, str], ...] = (
    ("now", "Stop the service and acknowledge the command. The stop is verified by three heartbeats without service."),
    ("1. rectify", "Record a corrective action (`sandbox-monitor rectify {pilot}`): finding, cause, action, evidence."),
    ("2. evaluate", "A new evaluation on the scenarios of the charter must pass; in tiers high and critical not by the "
     "firm itself."),
    ("3. approve", "Two different approvers of the authority agree; the firm names neither of them."),
    ("4. release", "An officer releases the halt; the firm then decides when to resume."),
    ("appeal", "Compute the decision again from the recorded telemetry: `sandbox-monitor export --pilot {pilot}`, then "
     "`sandbox-monitor ledger compare LEDGER HISTORY`. It names the first decision that differs. Objections go to the "
     "authority below, and to the courts as its law provides."),
)  # fmt: skip
VERIFY: tuple[tuple[str, str], ...] = (
    ("entry", "decision {entry} of pilot {pilot}, id {decision}"),
    ("show", "`sandbox-monitor ledger show LEDGER` prints the entry with all of its numbers"),
    ("verify", "`sandbox-monitor ledger verify LEDGER --root ROOT` checks every entry, and that nothing was changed "
     "since the root below was noted"),
)  # fmt: skip
ROWS: dict[str, str] = {"what": "finding", "decided": "decided at", "detector": "the detector says"}
"""Names of rows that are shown otherwise."""
