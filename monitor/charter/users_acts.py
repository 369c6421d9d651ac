"""Acts of the users' channel: complaints that users make outside the firm, what became of them, and users who leave.

Sent by a public channel (its people and keys are in the configuration of the sandbox), an officer, and, for an answer
or the redress that it gives or refuses, the firm. Ids are pseudonyms of 32 hexadecimal digits. No text of a person is
sent: it stays with the channel, and an act may carry its SHA-256.

One act carries up to `MOST_ITEMS` items. Such acts need no `expected_standing`: a complaint counts once by its id.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from monitor.charter.act_base import ControlBase, Instant

MOST_ITEMS = 50

Pseudonym: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
Pseudonyms: TypeAlias = Annotated[tuple[Pseudonym, ...], Meta(min_length=1, max_length=MOST_ITEMS)]
Sha256: TypeAlias = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")]


class UserComplaint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One complaint: its pseudonymous id, when it was made, about which segment, and the SHA-256 of its text."""

    complaint: Pseudonym
    time: Instant
    segment: Annotated[str, Meta(max_length=64)] = ""
    text: Sha256 = ""


class ComplaintFiling(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.complaint_filing"):
    """Users complained. A complaint that is known is taken once."""

    complaints: Annotated[tuple[UserComplaint, ...], Meta(min_length=1, max_length=MOST_ITEMS)]


class ComplaintWithdrawal(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.complaint_withdrawal"):
    """Users withdrew complaints. What was counted stays counted; the deadline to answer ends."""

    complaints: Pseudonyms


class ComplaintAnswer(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.complaint_answer"):
    """Complaints were answered; `text` is the SHA-256 of the answer, which the user has."""

    complaints: Pseudonyms
    text: Sha256 = ""


class RedressStep(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.redress"):
    """Redress for complaints was asked for, given or refused."""

    step: Literal["asked", "given", "refused"]
    complaints: Pseudonyms
    text: Sha256 = ""


class UserDeparture(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.user_departure"):
    """Users withdrew from the pilot. `users` are their pseudonyms."""

    users: Pseudonyms


UsersAct: TypeAlias = ComplaintFiling | ComplaintWithdrawal | ComplaintAnswer | RedressStep | UserDeparture
