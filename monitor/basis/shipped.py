"""What acts and the monitor's own rules rest on in the sample that ships. A deployment sets its own. Pure."""

from __future__ import annotations

from monitor.basis.catalogue import Catalogue, catalogue_digest
from monitor.charter.clauses import Clauses, LegalBasis

_PLAN: Clauses = ("eu-aia-57-5",)
_GUIDANCE: Clauses = ("eu-aia-57-6",)
_STOP: Clauses = ("eu-aia-57-11",)
_LOGS: Clauses = ("eu-aia-12",)

SHIPPED_ACTS: dict[str, Clauses] = {
    "screen": ("eu-aia-58-2-a",),
    "refuse": ("eu-aia-58-2-a",),
    "admit": _PLAN,
    "amend": _PLAN,
    "extend": _PLAN,
    "grant": _PLAN,
    "override": ("eu-aia-57-11", "eu-aia-57-6"),
    "suspend": _STOP,
    "recall": ("eu-aia-57-11", "eu-aia-72-1"),
    "terminate": _STOP,
    "release": _STOP,
    "approve": _STOP,
    "rectify": ("eu-aia-20-1", "eu-aia-57-11"),
    "evaluate": ("eu-aia-9", "eu-aia-57-6"),
    "drill": ("eu-aia-14",),
    "inspect": _GUIDANCE,
    "guide": _GUIDANCE,
    "assess": _GUIDANCE,
    "exit": ("eu-aia-57-7",),
    "issue_report": ("eu-aia-57-7",),
    "graduate": ("eu-aia-57-7", "eu-aia-72-1"),
    "report": ("eu-aia-73-2", "eu-aia-60-7"),
    "reclassify": ("eu-aia-3-49",),
    "hold": ("eu-aia-73-6",),
    "lift_hold": ("eu-aia-73-6",),
    "notify_change": ("eu-aia-73-6",),
    "notify_suspension": _STOP,
    "propose_change": ("eu-aia-43-4",),
}
SHIPPED_REASONS: dict[str, Clauses] = {
    "unregistered_model": ("eu-aia-43-4",),
    "change_not_registered": ("eu-aia-43-4",),
    "missing_model": _LOGS,
    "sequence_gap": _LOGS,
    "source_conflict": _LOGS,
    "unknown_too_long": ("eu-aia-12", "eu-aia-57-6"),
    "late_share": ("eu-aia-12", "eu-aia-57-6"),
    "outside_cycle": _PLAN,
    "used_in_pause": _PLAN,
    "exposure_cap": _PLAN,
    "boundary_breached": ("eu-aia-57-5", "eu-aia-59-1"),
    "halt_overdue": ("eu-aia-14", "eu-aia-57-11"),
    "halt_contradicted": ("eu-aia-14", "eu-aia-57-11"),
    "lapsed": ("eu-aia-14",),
    "evidence_held": ("eu-aia-73-6",),
    "rectification_overdue": ("eu-aia-20-1", "eu-aia-57-11"),
    "inspection_finding": _GUIDANCE,
    "trend_rising": ("eu-aia-72-1",),
}


def shipped_basis(catalogue: Catalogue) -> LegalBasis:
    """The legal basis of a sandbox that puts the shipped catalogue in force."""
    return LegalBasis(
        id=catalogue.id,
        version=catalogue.version,
        digest=catalogue_digest(catalogue),
        acts=SHIPPED_ACTS,
        reasons=SHIPPED_REASONS,
    )
