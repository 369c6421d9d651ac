"""Checks the time stamps (RFC 3161) that are stored with a checkpoint of the authority log.

The files of one stamp: `checkpoint` (the signed note that was stamped), `token.tsr` (the response), `chain.pem` (the
certificates), `revocation.pem` (the revocation lists; missing where none could be fetched).
"""

from __future__ import annotations

from collections.abc import Mapping

from monitor.tlog import checkpoint as body
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.errors import TlogError
from monitor.tlog.note import parse_note
from monitor.verifier.anchors import Anchors, KeyRefused
from monitor.verifier.report import Report

NAMES = ("checkpoint", "token.tsr", "chain.pem", "revocation.pem")
NO_ROOT = "no root certificate of a time stamp authority was given (--stamp-root)"
NO_LIBRARY = "the package rfc3161-client is not installed here: no time stamp can be checked"
_CHECKS = ("stamp.present", "stamp.signature", "stamp.revocation")


def check_stamp(files: Mapping[str, bytes], head: Checkpoint, where: str, anchors: Anchors, report: Report) -> None:
    """Check the stamp of the checkpoint `head`. With --stamp-root a stamp must be there. Raises KeyRefused."""
    if anchors.stamp_roots is None:
        _not_run(where, NO_ROOT, report)
        return
    if not {"checkpoint", "token.tsr"} <= set(files):
        report.failed("stamp.present", where, f"the checkpoint of {head.size} leaves has no time stamp")
        return
    report.passed("stamp.present", where)
    try:
        stamped = body.parse(parse_note(files["checkpoint"]).text)
    except TlogError as error:
        report.failed("stamp.signature", where, f"what was stamped is no checkpoint: {error}")
        return
    if (stamped.origin, stamped.size, stamped.root) != (head.origin, head.size, head.root):
        report.failed(
            "stamp.signature", where, f"the stamp is on another checkpoint: {stamped.origin} at {stamped.size}"
        )
        return
    _verify(files, where, anchors.stamp_roots, report)


def no_stamps(where: str, anchors: Anchors, report: Report) -> None:
    """Report a publication without any stamp."""
    if anchors.stamp_roots is None:
        _not_run(where, NO_ROOT, report)
    else:
        report.failed("stamp.present", where, "no checkpoint has a time stamp")


def not_here(where: str, anchors: Anchors, report: Report) -> None:
    """Report one log that is checked alone: time stamps lie in the directory of the authority log."""
    _not_run(where, NO_ROOT if anchors.stamp_roots is None else "time stamps lie with the authority log", report)


def not_listed(where: str, anchors: Anchors, report: Report) -> None:
    """Report a server whose newest checkpoint has no stamp: it lists no others, and few checkpoints have one."""
    if anchors.stamp_roots is None:
        _not_run(where, NO_ROOT, report)
    else:
        message = "the newest checkpoint has no time stamp, and a server does not list those of others: verify a copy"
        report.warned("stamp.present", where, message)


def _not_run(where: str, reason: str, report: Report) -> None:
    for check in _CHECKS:
        report.not_run(check, where, reason)


def _verify(files: Mapping[str, bytes], where: str, roots: bytes, report: Report) -> None:
    try:
        from monitor.stamps.pem import certificates_in, lists_in
        from monitor.stamps.problems import StampProblem
        from monitor.stamps.verify import verify
    except ImportError:
        for check in _CHECKS[1:]:
            report.not_run(check, where, NO_LIBRARY)
        return
    trusted = certificates_in(roots)
    if not trusted:
        raise KeyRefused("--stamp-root: no certificate in PEM form")
    verdict = verify(
        files["checkpoint"],
        files["token.tsr"],
        roots=trusted,
        certificates=certificates_in(files.get("chain.pem", b"")),
        lists=lists_in(files.get("revocation.pem", b"")),
    )
    unknown = (StampProblem.MISSING_REVOCATION, StampProblem.STALE_REVOCATION)
    revoked = [problem for problem in verdict.problems if problem.kind is StampProblem.REVOKED]
    unsaid = [problem for problem in verdict.problems if problem.kind in unknown]
    others = [problem for problem in verdict.problems if problem not in revoked and problem not in unsaid]
    for problem in others:
        report.failed("stamp.signature", where, str(problem))
    for problem in revoked:
        report.failed("stamp.revocation", where, str(problem))
    for problem in unsaid:
        report.warned("stamp.revocation", where, str(problem))
    if not others:
        report.passed("stamp.signature", where)
        report.proved_times.append(f"{where}: {verdict.at} by {verdict.authority}")
        if not revoked and not unsaid:
            report.passed("stamp.revocation", where)
