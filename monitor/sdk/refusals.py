"""Why the SDK refuses: closed lists of the words that errors, problem details and `Pilot.status()` carry.

| who refuses | list | where the word is shown |
|---|---|---|
| the guard refuses to begin work | `WorkRefusal` | `Halted.reason`, `reason` and `type` of problem details |
| the verifier rejects a command or permit | `MessageRejection` | keys of `Status.refused` |
| a report rejects an argument | `ArgumentError` | `BadEvent.reason` |

Under a halt `Halted.reason` is the reason of the decision (`monitor.model.records.Reason`), not a word of this file.
"""

from __future__ import annotations

from enum import StrEnum


class WorkRefusal(StrEnum):
    """Why the guard lets no work begin."""

    HALTED = "halted"
    """A halt is in force. The refusal's reason is that of the halt's decision."""
    NOT_RESUMED = "not_resumed"
    """The halt was lifted and the firm has not called `resume()`."""
    LAPSED = "lapsed"
    """No permit is valid."""
    UNAVAILABLE = "unavailable"
    """It is unknown whether a halt is in force."""


class MessageRejection(StrEnum):
    """Why a command or permit was not accepted, and `repeated`, which counts resent commands."""

    FORGED = "forged"
    """The signature is missing, wrong, or by a key that is not trusted."""
    UNREADABLE = "unreadable"
    """The body is not what the schema says, or a command that is too long."""
    OTHER_PILOT = "other_pilot"
    """The message is addressed to another pilot."""
    LOWER_STANDING = "lower_standing"
    """A command older than the newest one known."""
    STANDING_JUMP = "standing_jump"
    """A release or drill that no key proves, with a standing far above the newest one."""
    KEY_CHANGED = "key_changed"
    """Signed by another key than the one pinned at first contact."""
    REPEATED = "repeated"
    """The newest command, resent because it is not acknowledged yet."""
    OTHER_NONCE = "other_nonce"
    """A permit for a heartbeat that no process of this machine sent since the machine was started."""
    OTHER_STANDING = "other_standing"
    """A permit for another standing than the current one, or under a halt."""
    REPLAYED = "replayed"
    """A permit for a heartbeat that is not newer than that of the permit in use."""


class ArgumentError(StrEnum):
    """Why an argument of a report was not accepted."""

    CLOSED = "closed"
    WRONG_TYPE = "wrong_type"
    NOT_ACCEPTED = "not_accepted"
    NOT_TEXT = "not_text"
    NOT_FINITE = "not_finite"
    NO_OFFSET = "no_offset"
    NOT_A_TIME = "not_a_time"
    IN_THE_FUTURE = "in_the_future"
    BEFORE_2000 = "before_2000"
    AFTER_CLOSING = "after_closing"
