"""A halt that stands, as far as it decides whose release it needs. Pure."""

from __future__ import annotations

from typing import NamedTuple


class StandingHalt(NamedTuple):
    """The halt of `pilot` since `since` (ms); `tier` and `authorities` (ids) are those of the charter in force, as is
    `approving`: of how many authorities it asks for approvers. `region` and `sector` are ""
    where they are not known."""

    pilot: str
    since: int
    tier: str
    authorities: tuple[str, ...]
    approving: int = 1
    region: str = ""
    sector: str = ""
