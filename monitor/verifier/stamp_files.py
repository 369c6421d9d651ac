"""Checks the time stamps (RFC 3161) that are stored with a checkpoint of the authority log."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.tlog.note import SignedNote
from monitor.verifier.anchors import Anchors
from monitor.verifier.report import Report

NO_ROOT = "no root certificate of a time stamp authority was given (--stamp-root)"


def check_stamps(stamps: Mapping[str, bytes], note: SignedNote, where: str, anchors: Anchors, report: Report) -> None:
    """Check the stamps of one checkpoint, file name -> content. With --stamp-root a stamp must be there."""
    if anchors.stamp_roots is None:
        for check in ("stamp.present", "stamp.signature", "stamp.revocation"):
            report.not_run(check, where, NO_ROOT)
        return
    if not stamps:
        report.failed("stamp.present", where, "the checkpoint has no time stamp")
        return
    report.passed("stamp.present", where)
