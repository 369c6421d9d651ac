"""Why an act may not take effect: the closed list of refusals, each with one sentence for people.

A refused act is on the `rejected` log with reason `control_refused` (`conflict` for a copy with other content), and one
of these words in front of its detail. Pure data: no imports from the rest of the monitor.
"""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    """Why an act was refused: the closed list. `REFUSALS` says each in a sentence."""

    # who acts
    NOT_AN_OFFICER = "not_an_officer"
    NOT_AN_APPROVER = "not_an_approver"
    SAME_APPROVER = "same_approver"
    FIRM_ALONE = "firm_alone"
    # once
    REPEATED = "repeated"
    CONFLICT = "conflict"
    VALIDITY_MISSING = "validity_missing"
    VALIDITY_TOO_LONG = "validity_too_long"
    NOT_YET_VALID = "not_yet_valid"
    NO_LONGER_VALID = "no_longer_valid"
    STANDING_BEHIND = "standing_behind"
    STANDING_AHEAD = "standing_ahead"
    # the pilot's state
    NOT_ADMITTED = "not_admitted"
    ALREADY_ADMITTED = "already_admitted"
    AFTER_EXIT = "after_exit"
    EXIT_PENDING = "exit_pending"
    STATE_UNREADABLE = "state_unreadable"
    HALTED = "halted"
    NOT_HALTED = "not_halted"
    HALT_STANDS = "halt_stands"
    HALT_IS_LATCHED = "halt_is_latched"
    HALT_NOT_VERIFIED = "halt_not_verified"
    DRILL_OPEN = "drill_open"
    RECTIFICATION_MISSING = "rectification_missing"
    EVALUATION_MISSING = "evaluation_missing"
    APPROVAL_MISSING = "approval_missing"
    # the content of the act
    BAD_CHARTER = "bad_charter"
    WRONG_PILOT = "wrong_pilot"
    WRONG_PARTICIPANT = "wrong_participant"
    VERSION_MUST_RISE = "version_must_rise"
    RUNNING_BAR = "running_bar"
    UNKNOWN_INDICATOR = "unknown_indicator"
    NOTHING_LEARNT = "nothing_learnt"
    NOT_ACTIVE = "not_active"
    NEVER_A_HALT = "never_a_halt"
    TOO_LONG = "too_long"
    OUTSIDE_WINDOW = "outside_window"
    SCENARIO_MISSING = "scenario_missing"
    OUT_OF_BOUNDS = "out_of_bounds"


class Forgery(StrEnum):
    """Why a signature is not accepted: the closed list. It stands in front of the detail of a rejection with reason
    `forged`."""

    NOT_SIGNED = "not_signed"  # a key is registered for the sender, and the record carries no signature
    UNKNOWN_KEY = "unknown_key"  # signed with a key that is not registered for the sender
    BAD_SIGNATURE = "bad_signature"  # the signature is not one of these bytes
    NO_KEY = "no_key"  # the charter registers keys, but none for the author
    KEY_OF_THE_FIRM = "key_of_the_firm"  # the participant's key signed in the name of somebody else
    KEY_OF_A_REPORTER = "key_of_a_reporter"  # a reporter's key signed an event that only the firm may send
    ATTRIBUTES_NOT_SIGNED = "attributes_not_signed"  # binary mode: the headers with the attributes are not signed
    OLDER_KEY = "older_key"  # signed with a key that this source had before its present one


FORGERIES: dict[Forgery, str] = {
    Forgery.NOT_SIGNED: "The charter names keys, and the record has no header `signature`; sign every record.",
    Forgery.UNKNOWN_KEY: "It is signed with a key that the charter in force does not name.",
    Forgery.BAD_SIGNATURE: "The signature is not one of these bytes; sign the value exactly as it is sent.",
    Forgery.NO_KEY: "The charter names keys, but none for this author.",
    Forgery.KEY_OF_THE_FIRM: "The firm's key signed in the name of somebody else.",
    Forgery.KEY_OF_A_REPORTER: "A reporter may send incidents and complaints only.",
    Forgery.ATTRIBUTES_NOT_SIGNED: (
        "In binary mode the attributes are in headers, which the signature does not cover; send structured JSON."
    ),
    Forgery.OLDER_KEY: (
        "The source has sent events signed with a newer key of the firm; a source cannot return to an earlier key."
    ),
}


REFUSALS: dict[Refusal, str] = {
    Refusal.NOT_AN_OFFICER: "The author is no officer of the charter in force.",
    Refusal.NOT_AN_APPROVER: "The author is no approver of the charter in force.",
    Refusal.SAME_APPROVER: "This approver has approved already; the second approval must come from another person.",
    Refusal.FIRM_ALONE: "A firm cannot admit its own pilot.",
    Refusal.REPEATED: "The same act was judged before; a copy of it changes nothing.",
    Refusal.CONFLICT: "An act with this id and other content, or another signer, was judged before.",
    Refusal.VALIDITY_MISSING: "A signed act must carry `expected_standing`, `not_before` and `not_after`.",
    Refusal.VALIDITY_TOO_LONG: "The act would be valid for too long.",
    Refusal.NOT_YET_VALID: "The act was received before its `not_before`.",
    Refusal.NO_LONGER_VALID: "The act was received after its `not_after`.",
    Refusal.STANDING_BEHIND: "The pilot's record has moved on since the author looked at it.",
    Refusal.STANDING_AHEAD: "The act expects a standing that the pilot has not reached.",
    Refusal.NOT_ADMITTED: "There is no pilot of this name.",
    Refusal.ALREADY_ADMITTED: "The pilot is admitted under another charter, or was admitted by another author.",
    Refusal.AFTER_EXIT: "The pilot has left the sandbox.",
    Refusal.EXIT_PENDING: "The exit is on record already; it takes effect once the stop is verified.",
    Refusal.STATE_UNREADABLE: "The stored state of the pilot cannot be read; only a new admission is accepted.",
    Refusal.HALTED: "A halt stands.",
    Refusal.NOT_HALTED: "There is no halt.",
    Refusal.HALT_STANDS: "While a halt stands, nothing changes who may release it or on which conditions.",
    Refusal.HALT_IS_LATCHED: "Only a release ends a halt.",
    Refusal.HALT_NOT_VERIFIED: "The stop is not verified; the release needs a reason on record.",
    Refusal.DRILL_OPEN: "The last drill is still open.",
    Refusal.RECTIFICATION_MISSING: "No rectification is on record.",
    Refusal.EVALUATION_MISSING: "No passed re-evaluation is on record.",
    Refusal.APPROVAL_MISSING: "Approvals are missing.",
    Refusal.BAD_CHARTER: "The charter does not hold together.",
    Refusal.WRONG_PILOT: "The charter is for another pilot.",
    Refusal.WRONG_PARTICIPANT: "The charter names another participant.",
    Refusal.VERSION_MUST_RISE: "An amendment needs a higher version than the charter in force.",
    Refusal.RUNNING_BAR: "The amendment would move a threshold that is in use.",
    Refusal.UNKNOWN_INDICATOR: "The charter names no such indicator.",
    Refusal.NOTHING_LEARNT: "No detector of this indicator learns what is usual.",
    Refusal.NOT_ACTIVE: "There is no such active finding.",
    Refusal.NEVER_A_HALT: "A halt cannot be shelved.",
    Refusal.TOO_LONG: "The span is longer than the charter allows.",
    Refusal.OUTSIDE_WINDOW: "The charter names no window for a full stop at this time.",
    Refusal.SCENARIO_MISSING: "A result that the charter asks for is missing.",
    Refusal.OUT_OF_BOUNDS: "A result of a passed evaluation is outside the charter's bounds.",
}
