"""Checks one checkpoint: its format, origin, signature by the log, cosignatures, and what a policy demands of it."""

from __future__ import annotations

from monitor.tlog import checkpoint as body
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.errors import TlogError
from monitor.tlog.keys import Verifier
from monitor.tlog.note import SignedNote, parse_note
from monitor.verifier.keyring import Keyring
from monitor.verifier.report import Report


def check_checkpoint(
    raw: bytes, where: str, log: str, keyring: Keyring, report: Report
) -> tuple[Checkpoint, SignedNote] | None:
    """The checkpoint in `raw`, found in the place of `log` (the last part of its origin; "": of any). `None` if it is
    none, or of another log."""
    try:
        note = parse_note(raw)
        head = body.parse(note.text)
    except TlogError as error:
        report.failed("checkpoint.format", where, str(error))
        return None
    report.passed("checkpoint.format", where)
    if log and head.origin.rpartition("/")[2] != log:
        report.failed("checkpoint.origin", where, f"a checkpoint of {head.origin} in the place of the log {log}")
        return None
    report.passed("checkpoint.origin", where)
    _check_signature(note, head, where, keyring, report)
    return head, note


def _check_signature(note: SignedNote, head: Checkpoint, where: str, keyring: Keyring, report: Report) -> None:
    keys = keyring.of_log(head.origin)
    keyring.used.met.add(head.origin)
    if keys:
        keyring.used.keyed.add(head.origin)
    else:
        report.not_run("checkpoint.signature", where, f"no key of {head.origin} was given (--log-key or --policy)")
        return
    problems = [problem for key in keys if (problem := signed_by(note, key))]
    if len(problems) == len(keys):
        report.failed("checkpoint.signature", where, problems[0])
    else:
        report.passed("checkpoint.signature", where)


def signed_by(note: SignedNote, key: Verifier) -> str:
    """Why the note is not signed by this key, in words; "" if it is."""
    mine = [signature for signature in note.signatures if signature.is_by(key)]
    if not mine:
        signers = ", ".join(sorted({f"{one.name}+{one.key_id.hex()}" for one in note.signatures}))[:200]
        return f"no signature by {key.name}+{key.key_id.hex()}; it is signed by {signers}"
    for signature in mine:
        try:
            key.verify(note.text, signature.signature)
        except TlogError as error:
            return str(error)
    return ""


def check_cosigners(note: SignedNote, head: Checkpoint, where: str, keyring: Keyring, report: Report) -> None:
    """Check the cosignatures of known witnesses, then the policies of the log.

    A witness that did not sign is a warning: the policy says how many suffice."""
    for key in keyring.of_witnesses(head.origin):
        if not any(signature.is_by(key) for signature in note.signatures):
            report.warned("witness.cosignature", where, f"the witness {key.name} did not cosign")
        elif problem := signed_by(note, key):
            report.failed("witness.cosignature", where, f"witness {key.name}: {problem}")
        else:
            report.passed("witness.cosignature", where)
            keyring.used.cosigned |= keyring.was_given(key)
    keyring.used.governed |= keyring.policies.check(note, head.origin, where, keyring.of_log(head.origin))
