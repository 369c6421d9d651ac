"""The ground of a halt: the numbers that are sent with its command, so that a stopped service sees the reason. Pure."""

from __future__ import annotations

from msgspec import Struct

GROUND_CHARACTERS = 300


class Ground(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The finding that caused a command, cut to what an engineer needs: a `statistic` reached its `threshold`,
    `observed` stands against `expected`. `rule` is the detector or the hard rule, `detail` names the incident or gives
    a person's reason. `events` were counted in `exposure` `unit` (or in so many trials, without a unit); `ratio_low` to
    `ratio_high` is the 95 % interval of `ratio`.

    Texts are cut to `GROUND_CHARACTERS`, so that a command stays small. Fields that do not apply are left out.
    """

    indicator: str = ""
    segment: str = ""
    rule: str = ""
    statistic: float | None = None
    threshold: float | None = None
    observed: float | None = None
    expected: float | None = None
    ratio: float | None = None  # observed over expected
    detail: str = ""
    explanation: str = ""
    events: float | None = None
    exposure: float | None = None
    unit: str = ""
    ratio_low: float | None = None
    ratio_high: float | None = None
