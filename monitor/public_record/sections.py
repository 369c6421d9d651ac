"""The sections of an annual report, and the measures that each lists."""

from __future__ import annotations

from monitor.public_record.measures import MEASURES
from monitor.translation import mark

_BY_SECTION: tuple[tuple[str, str, str, str], ...] = (
    ("setup", mark("Set-up and pilots"), "Art. 57(16)", "sandbox. pilots. firms."),
    ("applications", mark("Applications"), "Art. 57(16) and 58(2)(a)", "applications"),
    ("halts", mark("Halts"), "Art. 57(11) and (16)", "halts."),
    ("incidents", mark("Incidents and legal deadlines"), "Art. 57(16) and 73", "incidents. deadlines"),
    ("rectifications", mark("Corrective actions and complaints"), "Art. 57(12) and (16)",
     "rectifications. complaints."),
    ("supervision", mark("Assessments, exits and supervision"), "Art. 57(7) and (16)",
     "assessments exits supervision. drills inspections guidance rollout charters. changes"),
    ("lessons", mark("Lessons learnt"), "Art. 57(16)", "limits. indicators. rules. detectors. clauses"),
)  # fmt: skip
"""Id, title, legal basis (EU AI Act), and how the ids of its measures begin."""

SECTIONS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = tuple(
    (id_, title, basis, tuple(name for name in MEASURES if name.startswith(tuple(begins.split()))))
    for id_, title, basis, begins in _BY_SECTION
)
"""Id, title, legal basis, ids of measures."""
