"""Compares the hash of a policy file with what a charter states. Pure."""

from __future__ import annotations

from monitor.charter.spec import Charter
from monitor.compile.problem import Problem


def policy_problems(charter: Charter, sha256: str) -> list[Problem]:
    """What keeps the policy file with this SHA-256 (hex) from being the one that the charter was agreed with: at most
    one problem."""
    stated = charter.ledger_policy
    if stated == sha256:
        return []
    problem = f"is the hash of another policy file: {stated}" if stated else "states no policy file"
    return [Problem("error", "ledger_policy", problem, f"write ledger_policy: {sha256}, or give the agreed file")]
