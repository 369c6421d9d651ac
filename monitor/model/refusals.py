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
    NOT_THE_FIRM = "not_the_firm"
    NOT_AN_EVALUATOR = "not_an_evaluator"
    NOT_A_PUBLISHER = "not_a_publisher"
    NOT_A_SUPPLIER = "not_a_supplier"
    NOT_A_COMPLAINT_CHANNEL = "not_a_complaint_channel"
    UNKNOWN_COMPLAINT = "unknown_complaint"
    NOT_ITS_OWN = "not_its_own"
    NOT_ACCREDITED = "not_accredited"
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
    TIER_NOT_APPROVED = "tier_not_approved"
    # the life of the pilot: what is missing before the act is possible
    APPLICATION_MISSING = "application_missing"
    SCREENING_MISSING = "screening_missing"
    SCREENING_FAILED = "screening_failed"
    POWER_TOO_LOW = "power_too_low"
    SIGNATURES_MISSING = "signatures_missing"
    OTHER_CHARTER = "other_charter"
    ADMISSION_MISSING = "admission_missing"
    NOT_RUNNING = "not_running"
    NOT_PAUSED = "not_paused"
    EXIT_MISSING = "exit_missing"
    REPORT_MISSING = "report_missing"
    PUBLICATION_UNDECIDED = "publication_undecided"
    GRADUATION_MISSING = "graduation_missing"
    NOT_SCALED = "not_scaled"
    STEP_PASSED = "step_passed"
    APPLICATION_CLOSED = "application_closed"
    NOT_SUSPENDED = "not_suspended"
    NO_CHANGE_PROPOSED = "no_change_proposed"
    CHANGE_OPEN = "change_open"
    NOTHING_REQUESTED = "nothing_requested"
    REQUEST_OPEN = "request_open"
    ASSESSMENT_NOT_DUE = "assessment_not_due"
    ASSESSMENT_OPEN = "assessment_open"
    EVIDENCE_HELD = "evidence_held"
    NO_EVIDENCE_HOLD = "no_evidence_hold"
    LIMITS_NOT_KEPT = "limits_not_kept"
    POWER_NOT_REACHED = "power_not_reached"
    EXIT_CONDITIONS_UNMET = "exit_conditions_unmet"
    NOT_THINNER = "not_thinner"
    STOP_NOT_VERIFIED = "stop_not_verified"
    OUTSIDE_PLAN = "outside_plan"
    SHADOW_RUNS = "shadow_runs"
    NO_SHADOW = "no_shadow"
    SHADOW_TOO_COSTLY = "shadow_too_costly"
    # applications
    BAD_APPLICATION = "bad_application"
    TOO_MANY_APPLICATIONS = "too_many_applications"
    NOT_RESPONSIBLE = "not_responsible"
    # the configuration of the sandbox
    SAME_PERSON = "same_person"
    NOT_FOUNDED = "not_founded"
    ALREADY_FOUNDED = "already_founded"
    BAD_CONFIGURATION = "bad_configuration"
    TOO_MANY_PROPOSALS = "too_many_proposals"
    UNKNOWN_PROPOSAL = "unknown_proposal"
    PROPOSAL_CHANGED = "proposal_changed"
    UNKNOWN_AUTHORITY = "unknown_authority"
    RESERVED_NAME = "reserved_name"
    BELOW_STANDARD = "below_standard"
    # the file of a model
    BAD_MODEL_ID = "bad_model_id"
    UNKNOWN_VERSION = "unknown_version"
    UNKNOWN_SCENARIO = "unknown_scenario"
    UNKNOWN_ENTRY = "unknown_entry"
    MODEL_FILE_FULL = "model_file_full"
    TOO_MANY_MODELS = "too_many_models"
    # the file of a firm
    BAD_FIRM_ID = "bad_firm_id"
    NO_FIRM_RULES = "no_firm_rules"
    OTHER_FIRM_RULES = "other_firm_rules"
    OTHER_FIRM = "other_firm"
    OTHER_CLASS = "other_class"
    RECORD_OUTDATED = "record_outdated"
    TOO_MANY_FIRMS = "too_many_firms"
    TOO_MANY_PILOTS = "too_many_pilots"
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
    CONTENT_MISSING = "content_missing"
    ALREADY_REGISTERED = "already_registered"
    UNKNOWN_REFERENCE = "unknown_reference"
    TOO_MANY_OPEN = "too_many_open"
    BAD_CYCLE = "bad_cycle"


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
    Refusal.NOT_THE_FIRM: "Only the firm that runs the pilot may do this.",
    Refusal.NOT_AN_EVALUATOR: "The author is no evaluator of the sandbox, nor the firm.",
    Refusal.NOT_A_PUBLISHER: "The author is neither an authority nor a publisher that an authority named.",
    Refusal.NOT_A_SUPPLIER: "The sandbox does not list the author as an officer, or as a supplier of this model.",
    Refusal.NOT_A_COMPLAINT_CHANNEL: "The author is neither the public channel, nor an authority, nor the firm.",
    Refusal.NOT_ACCREDITED: "The author has the role, and is not accredited for this by the sandbox's configuration.",
    Refusal.NOT_ITS_OWN: "The author may do this only on its own: a complaint made to it, its model, its entry.",
    Refusal.UNKNOWN_COMPLAINT: "No complaint with one of these ids is known of this pilot, or it was settled before.",
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
    Refusal.TIER_NOT_APPROVED: "The tier would fall; two different people must approve that first (`approve-tier`).",
    Refusal.APPLICATION_MISSING: "No application is on record.",
    Refusal.SCREENING_MISSING: "The application is not screened.",
    Refusal.SCREENING_FAILED: "The application is on the negative list, or misses a minimum standard of its tier.",
    Refusal.POWER_TOO_LOW: "With the planned users and weeks, an excess would probably not be found.",
    Refusal.SIGNATURES_MISSING: "The firm and an authority have not both signed this charter.",
    Refusal.OTHER_CHARTER: "The charter is not the one that both sides signed.",
    Refusal.ADMISSION_MISSING: "The pilot is not registered.",
    Refusal.NOT_RUNNING: "The pilot is not running.",
    Refusal.NOT_PAUSED: "The pilot is not paused.",
    Refusal.EXIT_MISSING: "The pilot has not left the sandbox.",
    Refusal.REPORT_MISSING: "Written proof and exit report are not issued.",
    Refusal.PUBLICATION_UNDECIDED: "The exit report is neither published nor withheld.",
    Refusal.GRADUATION_MISSING: "The pilot is not under routine supervision.",
    Refusal.NOT_SCALED: "The pilot left the sandbox with another outcome than `scale`.",
    Refusal.STEP_PASSED: "The pilot is past this step.",
    Refusal.APPLICATION_CLOSED: "The application was refused or withdrawn; a new application needs a new name.",
    Refusal.NOT_SUSPENDED: "There is no suspension.",
    Refusal.NO_CHANGE_PROPOSED: "No change is proposed.",
    Refusal.CHANGE_OPEN: "A proposed change is not decided yet.",
    Refusal.NOTHING_REQUESTED: "There is no such request of the firm.",
    Refusal.REQUEST_OPEN: "A request of the firm is not decided yet.",
    Refusal.ASSESSMENT_NOT_DUE: "No assessment is due.",
    Refusal.ASSESSMENT_OPEN: "An assessment is due already.",
    Refusal.EVIDENCE_HELD: "An evidence hold stands: nothing may change before the authority was told.",
    Refusal.NO_EVIDENCE_HOLD: "There is no evidence hold.",
    Refusal.LIMITS_NOT_KEPT: "For some indicator the upper bound is not below its limit.",
    Refusal.POWER_NOT_REACHED: "The declared power was not reached.",
    Refusal.EXIT_CONDITIONS_UNMET: "A condition for the outcome `scale` is not met.",
    Refusal.NOT_THINNER: "The charter for routine supervision asks for more than the one in force.",
    Refusal.STOP_NOT_VERIFIED: "The stop is not verified.",
    Refusal.OUTSIDE_PLAN: "The plan of changes does not cover the change.",
    Refusal.SHADOW_RUNS: "The pilot has a shadow charter; stop it first.",
    Refusal.NO_SHADOW: "The pilot has no shadow charter.",
    Refusal.SHADOW_TOO_COSTLY: "The shadow charter would cost more than the charter in force.",
    Refusal.BAD_APPLICATION: "The application does not hold together, or contradicts its charter.",
    Refusal.TOO_MANY_APPLICATIONS: "Too many applications are open, or were closed; decide or withdraw one.",
    Refusal.NOT_RESPONSIBLE: "The charter names an authority that is not responsible for its region and sector.",
    Refusal.SAME_PERSON: "A second person must do this.",
    Refusal.NOT_FOUNDED: "The sandbox has no configuration yet; found it first.",
    Refusal.ALREADY_FOUNDED: "The sandbox has a configuration; change it by proposals.",
    Refusal.BAD_CONFIGURATION: "The configuration does not hold together.",
    Refusal.TOO_MANY_PROPOSALS: "Too many proposals are open; approve them, or withdraw one.",
    Refusal.UNKNOWN_PROPOSAL: "There is no open proposal of this id.",
    Refusal.PROPOSAL_CHANGED: "The approval names another content, or another version of the configuration.",
    Refusal.UNKNOWN_AUTHORITY: "The charter names an authority that the sandbox does not have.",
    Refusal.BELOW_STANDARD: "The amended charter misses a minimum standard of its tier.",
    Refusal.RESERVED_NAME: "Keys `sandbox` and `model:...` are of the sandbox and of models; no pilot has this name.",
    Refusal.BAD_MODEL_ID: "The id of a model has 1 to 64 letters, digits, dots, underscores or hyphens.",
    Refusal.UNKNOWN_VERSION: "The file of the model has no such version; add the version first.",
    Refusal.UNKNOWN_SCENARIO: "The file of the model has no such scenario; add the scenario first.",
    Refusal.UNKNOWN_ENTRY: "The file of the model has no such entry, or it was withdrawn.",
    Refusal.MODEL_FILE_FULL: "The file of the model is full; withdraw entries that no longer hold.",
    Refusal.TOO_MANY_MODELS: "Too many models have a file; no further one can be opened.",
    Refusal.BAD_FIRM_ID: "The id of a firm has 1 to 128 letters, digits, dots, underscores or hyphens.",
    Refusal.NO_FIRM_RULES: "The configuration of the sandbox names no rules for classes of firms (`firm_rules`).",
    Refusal.OTHER_FIRM_RULES: "These are not the rules for classes of firms that are in force in the sandbox.",
    Refusal.OTHER_FIRM: "The record is that of another firm.",
    Refusal.OTHER_CLASS: "By the rules another class follows from the record.",
    Refusal.RECORD_OUTDATED: "The record was computed before what was already recorded of the firm; compute it again.",
    Refusal.TOO_MANY_FIRMS: "Too many firms have a file; no further one can be opened.",
    Refusal.TOO_MANY_PILOTS: "The firm has as many open pilots as its class permits in this tier.",
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
    Refusal.CONTENT_MISSING: "The act lacks what its kind needs, or has what its kind excludes.",
    Refusal.ALREADY_REGISTERED: "The model is registered already.",
    Refusal.UNKNOWN_REFERENCE: "The act names a question, guidance or finding that is not open.",
    Refusal.TOO_MANY_OPEN: "Too many of these are open already; close some first.",
    Refusal.BAD_CYCLE: "The dates make no cycle of use.",
}
