"""The checks of the verifier. An id is never renamed and never reused for another meaning: reports name it for ever.

`tests/contract/test_verifier_checks.py` holds the list of ids. A check that no longer exists keeps its id in RETIRED.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Outcome(StrEnum):
    """The outcome of one check on one subject."""

    PASS = "pass"
    FAIL = "fail"
    WARN = "warn"
    NOT_RUN = "not run"


class Check(NamedTuple):
    """`id`; `shows`: what a pass establishes, as a sentence; `needs`: what must be given for the check to run."""

    id: str
    shows: str
    needs: str = ""


_LEDGER = "no ledger file was given"
_NO_INDEX = "no index lies next to a ledger file"
_DIRECTORY = "no notary directory was given"
_NO_ENTRIES = "there are no entries"
_BUNDLE = "no bundle was given"
_KEY = "no --log-key or --policy was given"
_PUBLISHED = "no --published was given"
_LOG = "no published log, bundle or `--published` was given"
_AUTHORITY = "no authority log was given"
_POLICY = "no --policy was given"
_STAMPS = "no --stamp-root was given"

CHECKS: tuple[Check, ...] = (
    # Files of the notary.
    Check("directory.ledgers", "every ledger that has an index is there", _DIRECTORY),
    Check(
        "directory.cursor",
        "the ledgers hold at least the entries that the notary had acknowledged",
        _DIRECTORY,
    ),
    Check(
        "directory.not-entered",
        "no decision that was read is missing behind the end of its ledger",
        _DIRECTORY,
    ),
    Check("ledger.header", "the file is a ledger of a known format, of one pilot", _LEDGER),
    Check("ledger.frames", "every length matches its checksum; the file holds entries and nothing else", _LEDGER),
    Check("ledger.leaf-hash", "every entry matches the hash that is stored with it", _LEDGER),
    Check("ledger.index", "the index names the same entries as the ledger", _NO_INDEX),
    Check("ledger.acknowledged", "no acknowledged entry is missing at the end", _NO_INDEX),
    Check("ledger.shard", "a yearly shard names size and root of the shard before it", "no yearly shard was given"),
    Check("ledger.torn-end", "the file does not end inside an entry", _LEDGER),
    # Entries, wherever they come from.
    Check("entry.encoding", "every entry has exactly the bytes of a known format version", _NO_ENTRIES),
    Check("entry.body", "every body is canonical JSON and agrees with the fields before it", "--structure was given"),
    Check("entry.pilot", "every entry is about the pilot of its ledger", _NO_ENTRIES),
    Check("entry.id", "no id occurs twice", _NO_ENTRIES),
    Check("entry.standing", "the decisions stand in their order", _NO_ENTRIES),
    Check("entry.gap", "no decision is missing between the first and the last", _NO_ENTRIES),
    Check("entry.first", "the ledger begins with the first decision of the pilot", _NO_ENTRIES),
    Check("entry.epoch", "no entry was written by an owner that had been replaced", _NO_ENTRIES),
    Check("entry.version", "no entry goes back to an older format version", _NO_ENTRIES),
    Check("entry.log", "every entry stands in the log of its type, a shard begins with its beginning", _NO_ENTRIES),
    Check("entry.parts", "the parts of a record stand together, in their order", _NO_ENTRIES),
    Check("text.commitment", "every disclosed text is the one that was entered", "no texts were given (--disclosed)"),
    Check("charter.hash", "every charter has the hash that its decision names", "there are no charters"),
    # What was noted elsewhere.
    Check("anchor.root", "a ledger had the root that was noted", "no --root was given"),
    Check(
        "anchor.checkpoint",
        "the log extends the earlier checkpoint: nothing before it was changed or removed",
        "no earlier checkpoint was given (--checkpoint)",
    ),
    # Published logs.
    Check("checkpoint.format", "every checkpoint is a signed note of C2SP tlog-checkpoint", _LOG),
    Check("checkpoint.origin", "every checkpoint names the log in whose place it stands", _LOG),
    Check("checkpoint.signature", "every checkpoint is signed by the key of its log", _KEY),
    Check("checkpoint.root", "the entries have the root that the checkpoint signs", _LOG),
    Check("checkpoint.size", "no entry that the checkpoint counts is missing", _LOG),
    Check("tile.hash", "every tile holds the hashes of the entries", _LOG),
    Check("ledger.published", "the ledger file and the published log hold the same entries", _PUBLISHED),
    Check("proof.inclusion", "every entry of the bundle is in the log that its checkpoint signs", _BUNDLE),
    Check("authority.leaf", "every entry of the authority log is a record of one checkpoint", _AUTHORITY),
    Check("authority.history", "no log ever went back or had two roots at one size", _AUTHORITY),
    Check("authority.contains", "the checkpoint of every log is in the authority log", _AUTHORITY),
    Check("policy.format", "the policy can be read and demands a signature of the log", _POLICY),
    Check("policy.quorum", "the policy demands witnesses (its quorum is not `none`)", _POLICY),
    Check("policy.satisfied", "every checkpoint carries the cosignatures that the policy demands", _POLICY),
    Check("witness.cosignature", "every cosignature of a known witness is valid", "no witness key was given"),
    Check("stamp.present", "every stamp that the publication lists is there", _STAMPS),
    Check("stamp.signature", "every time stamp is valid for its checkpoint", _STAMPS),
    Check("stamp.revocation", "no certificate of a time stamp was revoked", _STAMPS),
    Check("bundle.layout", "the bundle holds exactly the files of its layout, each with its digest", _BUNDLE),
)
BY_ID = {check.id: check for check in CHECKS}
RETIRED: tuple[str, ...] = ()
"""Ids of checks that no longer exist."""
