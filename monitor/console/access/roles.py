"""Roles of readers and what each sees, as data. Pure."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from monitor.translation import mark


class Role(StrEnum):
    """What a reader of the board is."""

    REGULATOR = "regulator"
    OPERATOR = "operator"
    AUTHORITY = "authority"
    FIRM = "firm"


class Sight(Struct, frozen=True):
    """What a role sees. `of` names what the entries of `of` in the access file are; "" where the role takes none."""

    all_pilots: bool
    of: str
    meaning: str


SIGHTS: dict[Role, Sight] = {
    Role.REGULATOR: Sight(True, "", mark("everything")),
    Role.OPERATOR: Sight(True, "", mark("everything, to find faults of the monitor and to answer alerts")),
    Role.AUTHORITY: Sight(False, "authorities", mark("the pilots that one of its authorities is responsible for")),
    Role.FIRM: Sight(False, "firms", mark("its own pilots and its own record")),
}


class Reader(Struct, frozen=True):
    """A reader who is logged in. `of` are ids of authorities or of firms, by role."""

    name: str
    role: Role
    of: frozenset[str] = frozenset()

    @property
    def sees_all(self) -> bool:
        """Whether nothing is hidden from this reader."""
        return SIGHTS[self.role].all_pilots

    def sees_pilot(self, firm: str, authorities: frozenset[str]) -> bool:
        """Whether the reader sees a pilot of this firm for which these authorities are responsible."""
        if self.sees_all:
            return True
        return firm in self.of if self.role is Role.FIRM else bool(self.of & authorities)
