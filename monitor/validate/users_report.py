"""Validate a signed report of a users' channel before it is forwarded to `control`. Pure.

The machine verifies it again; what is refused here costs it nothing.
"""

from __future__ import annotations

from typing import Protocol, get_args

from monitor.charter.control import ControlBase
from monitor.charter.users_acts import UsersAct
from monitor.errors import Forged
from monitor.model.records import Record, Rejected
from monitor.model.signing import Trusted
from monitor.validate.parse import validate_control

REPORT_BYTES = 32 * 1024  # of one act: fifty complaints have less, in any script
_USERS_ACTS = get_args(UsersAct)


class Channels(Protocol):
    """Who may report."""

    def channel_keys(self, author: str) -> tuple[str, ...]:
        """The public keys of a person with the role `public_channel` in the configuration in force; else none."""


def report_of(channels: Channels, key: bytes | None, value: bytes | None, signature: str) -> ControlBase | str:
    """The report in a record, or why it is not forwarded. `key` is the key of the record."""
    if value is None or len(value) > REPORT_BYTES:
        return "too large, or empty"
    act = validate_control(Record(0, 0, None, value, ()), "users", 0, secret=b"")
    if isinstance(act, Rejected):
        return f"no act: {act.reason}, {act.field}"
    if not isinstance(act, _USERS_ACTS):
        return "no report of users"
    if key != act.pilot.encode():
        return "the key of the record is not the pilot"
    keys = channels.channel_keys(act.author)
    if not keys:
        return "the author is no public channel of the sandbox"
    try:
        Trusted(keys).verify("control", value, signature)
    except Forged as error:
        return f"not signed by the author: {error.reason}"
    report: ControlBase = act
    return report
