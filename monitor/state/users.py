"""What is remembered of the users' channel of a pilot. Values only; `monitor/decide/users_acts.py` changes them. Pure.

A pilot about which no user reported has `NO_USERS`, and its snapshot leaves it out.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

ID_BYTES = 16  # of a pseudonym
KNOWN = 1_024  # complaints that are remembered, and users who left
SENDERS = 8  # with a separate budget; those beyond share one
OTHER_SENDERS = "*"


class KnownIds(Struct, array_like=True, frozen=True, gc=False):
    """Ids, the oldest first, `ID_BYTES` each, with one byte of state each; at most `KNOWN`."""

    ids: bytes = b""
    states: bytes = b""

    def place(self, name: str) -> int | None:
        """The place of an id; `None` if it is not remembered."""
        wanted, at = bytes.fromhex(name), self.ids.find(bytes.fromhex(name))
        while at >= 0 and at % ID_BYTES:
            at = self.ids.find(wanted, at + 1)
        return None if at < 0 else at // ID_BYTES

    def plus(self, names: Collection[str], state: int, held: Collection[str] = ()) -> KnownIds:
        """With these ids. Beyond the bound the oldest are forgotten that are settled, then the oldest of all; none that
        is `held`, of which there are fewer than `KNOWN`."""
        ids = self.ids + b"".join(map(bytes.fromhex, names))
        states = self.states + bytes([state]) * len(names)
        if (excess := len(states) - KNOWN) <= 0:
            return KnownIds(ids, states)
        stays = {self.place(name) for name in held}
        free = [place for place in range(len(states)) if place not in stays]
        settled = [place for place in free if states[place] & SETTLED][:excess]
        open_ones = [place for place in free if not states[place] & SETTLED][: excess - len(settled)]
        gone = {*settled, *open_ones}
        kept = [place for place in range(len(states)) if place not in gone]
        return KnownIds(
            b"".join(ids[place * ID_BYTES : (place + 1) * ID_BYTES] for place in kept),
            bytes(states[place] for place in kept),
        )

    def with_state(self, place: int, state: int) -> KnownIds:
        """With another state of one id."""
        return KnownIds(self.ids, self.states[:place] + bytes([state]) + self.states[place + 1 :])


# Bits of the state of a complaint.
ANSWERED, WITHDRAWN, ASKED, GIVEN, REFUSED = 1, 2, 4, 8, 16
SETTLED = ANSWERED | WITHDRAWN


class Spent(Struct, array_like=True, frozen=True, gc=False):
    """What senders reported on one day: its number (days since 1970), and complaints by sender."""

    day: int = 0
    counts: dict[str, int] = {}


class UsersState(Struct, array_like=True, frozen=True, gc=False):
    """`complaints` and `left` are ids that were reported. The rest are totals: complaints that were `filed`, that
    `counted` in indicators, that were too `late` for them or `over` the budget of their sender; those `withdrawn` and
    `answered`, redress `asked`, `given` and `refused`, users who left (`departed`); `inside`: complaints that the firm
    reported. `spent` is what of today's budgets is used. New fields are appended, with defaults."""

    complaints: KnownIds = KnownIds()
    left: KnownIds = KnownIds()
    spent: Spent = Spent()
    filed: int = 0
    counted: int = 0
    late: int = 0
    over: int = 0
    withdrawn: int = 0
    answered: int = 0
    asked: int = 0
    given: int = 0
    refused: int = 0
    departed: int = 0
    inside: int = 0


NO_USERS = UsersState()
USERS_BYTES = 2 * KNOWN * (ID_BYTES + 1) + SENDERS * 80 + 512
