"""A halt that stands, as far as it decides whose release it needs. Pure."""

from __future__ import annotations

from typing import NamedTuple


class StandingHalt(NamedTuple):
    """The halt of `pilot` since `since` (ms); `tier` and `authorities` (ids) are those of the charter in force."""

    pilot: str
    since: int
    tier: str
    authorities: tuple[str, ...]
