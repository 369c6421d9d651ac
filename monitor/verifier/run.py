"""Verifies a list of inputs under given trust anchors. Returns a report; raises nothing for what the inputs hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monitor.verifier.anchors import Anchors
from monitor.verifier.ledger_files import check_directory, check_ledger
from monitor.verifier.limits import conclude
from monitor.verifier.report import Report


def verify_all(inputs: Sequence[str], anchors: Anchors) -> Report:
    """Check every input: a ledger file or a directory of the notary."""
    report = Report()
    shown = 0
    for name in inputs:
        path = Path(name)
        if path.is_dir():
            if not any(path.glob("*.ledger")) and not any(path.glob("*.index")) and not (path / "cursor.json").exists():
                report.no_verdict(f"{path}: there is no ledger in this directory")
                continue
            shown += sum(followed.shown for followed in check_directory(path, anchors, report))
        elif path.exists():
            followed = check_ledger(path, anchors, report)
            shown += followed.shown if followed else 0
        else:
            report.no_verdict(f"{path}: no such file")
    _noted_roots(anchors, report)
    _texts(anchors, shown, report)
    conclude(anchors, report)
    return report


def _noted_roots(anchors: Anchors, report: Report) -> None:
    for root in anchors.roots:
        having = [one for one in report.subjects if root in one.found]
        for one in having:
            report.passed("anchor.root", one.where)
        if not having:
            report.failed("anchor.root", root[:16], f"no ledger here had the root {root}")


def _texts(anchors: Anchors, shown: int, report: Report) -> None:
    if anchors.texts and shown < len(anchors.texts) and not report.failures:
        message = (
            f"{shown} of {len(anchors.texts)} disclosed texts match their commitments; no ledger here has the others"
        )
        report.failed("text.commitment", "--disclosed", message)
