"""What a shadow charter writes: its decisions, marked, and summaries of how they differ from those of the pilot.

They are separate types on a separate topic. No reader of decisions, commands, permits, alerts or ledgers
decodes them, and none of them can become a `Decision`. Pure.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

TEXT = 300  # characters of an explanation
LISTED = 32  # differences in one summary

Side: TypeAlias = Literal["only_live", "only_shadow", "earlier", "later"]
CAVEAT = (
    "The shadow charter would have halted the pilot here. After that the service would have stopped, so what is "
    "listed after it is hypothetical."
)


class ShadowFinding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one side decided at `at` (ms): the numbers that a person can check. `level` and `was` are levels of the
    side, `asked` the level that its finding asks for (0 = none)."""

    at: int
    reason: str
    key: str = ""  # of the finding
    level: int = 0
    was: int = 0
    asked: int = 0
    indicator: str = ""
    segment: str = ""
    rule: str = ""
    statistic: float | None = None
    threshold: float | None = None
    observed: float | None = None
    expected: float | None = None
    events: float | None = None
    exposure: float | None = None
    unit: str = ""
    period_start: int | None = None
    period_end: int | None = None
    explanation: str = ""

    @property
    def halts(self) -> bool:
        """Whether it began a halt."""
        return self.was < 3 == self.level


class ShadowDecision(Struct, frozen=True, kw_only=True):
    """One decision that the shadow charter would have taken. It has no effect on the pilot."""

    pilot: str
    participant: str
    shadow: str  # id of the run
    candidate: str  # hash of the shadow charter
    live: str  # hash of the charter in force
    at: int
    finding: ShadowFinding


class ShadowDifference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One difference. `earlier`, `later`: the shadow decided the same, `by` ms before or after the pilot's charter.
    `hypothetical`: after a halt of the shadow that the pilot did not have."""

    side: Side
    finding: ShadowFinding
    by: int = 0
    hypothetical: bool = False


class ShadowSummary(Struct, frozen=True, kw_only=True):
    """A comparison from `start` to `through` (ms). Pairs are decisions about the same indicator, segment and rule that
    ask for the same level, at most `tolerance` ms apart; `same` counts those at the same moment. `not_comparable`
    decisions fell into halts of the pilot, in which no telemetry came (`halted` ms together). `differences` lists the
    first `LISTED`. `ended` says why the run ended ("" = it goes on)."""

    pilot: str
    participant: str
    shadow: str
    candidate: str
    version: int
    live: str
    start: int
    through: int
    until: int
    tolerance: int
    ended: str = ""
    detail: str = ""
    same: int = 0
    earlier: int = 0
    later: int = 0
    only_live: int = 0
    only_shadow: int = 0
    hypothetical: int = 0
    not_comparable: int = 0
    pending: int = 0  # too young to be compared
    dropped: int = 0  # not compared, as too many waited
    halted: int = 0
    periods_live: int = 0
    periods_shadow: int = 0
    alpha_live: float = 0.0
    alpha_shadow: float = 0.0
    restarted: int = 0  # times that the shadow began again from the released pilot
    not_applied: int = 0  # acts on the pilot that do not apply to the shadow
    first_halt: ShadowFinding | None = None  # of the shadow alone
    caveat: str = ""
    differences: tuple[ShadowDifference, ...] = ()

    @property
    def different(self) -> bool:
        """Whether there is any difference."""
        return bool(self.earlier or self.later or self.only_live or self.only_shadow)
