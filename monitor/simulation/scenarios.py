"""What can happen to a simulated pilot, as a table of named scenarios, and what was true of it, for judging a monitor.

Rates are shares of the charter's limit: 0.4 is a pilot well inside it, 3.0 one that breaks it threefold. Lengths are in
periods. Each row says in one sentence what happens.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from monitor.model.records import Level, Reason


class Scenario(Struct, frozen=True, kw_only=True):
    """One story. Everything left at its default is a quiet pilot.

    `rate` and `after` are the rates of complaints and incidents before and from the onset on, as shares of their
    limits; `dispersion` is the variance/mean of their counts (gamma-mixed Poisson, 1 = Poisson); `fpr_after` is the
    false-positive rate of one segment from the onset on; shares and probabilities lie in 0..1.
    """

    story: str
    rate: float = 0.4
    swing: float = 0.3  # daily cycle of the rate
    dispersion: float = 1.0
    change: Literal["none", "step", "drift", "spike"] = "none"
    after: float = 0.4
    ramp: int = 48  # periods from `rate` to `after` in a drift
    lasts: int = 3  # periods of a spike
    fpr_after: float | None = None
    death: bool = False
    silent_for: int = 0  # periods without a sign of life; 0 = never silent
    late_share: float = 0.0
    late_periods: int = 6
    duplicates: float = 0.0
    gaps: float = 0.0
    model: Literal["", "announced", "silent"] = ""
    worst: Level = Level.NORMAL  # the level that a right monitor reaches in the end; NORMAL = none is owed
    reasons: tuple[Reason, ...] = ()  # with any of these


SCENARIOS: dict[str, Scenario] = {
    "calm": Scenario(story="Keeps every limit with room to spare."),
    "busy": Scenario(story="Keeps its limits, but barely: 85 % of them, all the time.", rate=0.85, swing=0.1),
    "overdispersed": Scenario(
        story="Keeps its limits with counts that come in clumps (variance/mean 2).", dispersion=2.0
    ),
    "step": Scenario(
        story="From one period to the next it breaks its limits threefold.",
        change="step",
        after=3.0,
        worst=Level.HALT,
        reasons=(Reason.LIMIT_EXCEEDED,),
    ),
    "drift": Scenario(
        story="Gets worse a little every period until it breaks its limits by 150 %.",
        change="drift",
        after=2.5,
        worst=Level.HALT,
        reasons=(Reason.LIMIT_EXCEEDED,),
    ),
    "rise": Scenario(
        story="Its rate doubles and stays below the limit: a change, never a reason to halt.",
        change="step",
        after=0.8,
        swing=0.1,
        worst=Level.WATCH,
        reasons=(Reason.DRIFT_SUSPECTED, Reason.CHANGE_DETECTED),
    ),
    "spike": Scenario(
        story="Three periods at eight times the limit, then calm again.",
        change="spike",
        after=8.0,
        worst=Level.HALT,
        reasons=(Reason.LIMIT_EXCEEDED,),
    ),
    "group": Scenario(
        story="One group of users meets twice the false positives that the charter allows.",
        fpr_after=0.4,
        worst=Level.HALT,
        reasons=(Reason.LIMIT_EXCEEDED,),
    ),
    "death": Scenario(
        story="Calm, but for one serious incident with a death.",
        death=True,
        worst=Level.HALT,
        reasons=(Reason.HARD_RULE,),
    ),
    "silence": Scenario(
        story="Nothing is heard for 30 periods, then it goes on.",
        silent_for=30,
        worst=Level.ESCALATE,
        reasons=(Reason.UNKNOWN_TOO_LONG,),
    ),
    "late": Scenario(
        story="Half of the incidents and complaints are reported up to 6 periods after they happened.",
        late_share=0.5,
        worst=Level.WATCH,
        reasons=(Reason.LATE_SHARE,),
    ),
    "duplicates": Scenario(story="A tenth of its events is sent twice.", duplicates=0.1),
    "gaps": Scenario(
        story="One in a hundred of its events never arrives.",
        gaps=0.01,
        worst=Level.WATCH,
        reasons=(Reason.SEQUENCE_GAP,),
    ),
    "upgrade": Scenario(story="Changes to its second registered model and says so.", model="announced"),
    "silent_model": Scenario(
        story="Another model serves from one moment on; it is not in the charter and was not announced.",
        model="silent",
        worst=Level.ESCALATE,
        reasons=(Reason.UNREGISTERED_MODEL, Reason.HARD_RULE),
    ),
}

DEFAULT = ("calm", "step", "busy", "group", "overdispersed", "drift", "duplicates", "silence", "calm", "late")


class Truth(Struct, frozen=True, kw_only=True):
    """What is true of one simulated pilot: what happens and when (ms), and what a right monitor would have said of it.

    `exceeds_from` is the start of the first period whose expected count is above a limit, `None` if none ever is: such
    a pilot must not be halted by statistics, and is halted by a right monitor only if `worst` says so (a hard rule).
    """

    pilot: str
    scenario: str
    story: str
    onset: int | None  # when the story begins; None when nothing ever changes
    until: int | None  # when it is over; None when it stays
    exceeds_from: int | None
    worst: Level
    reasons: tuple[Reason, ...]

    @property
    def keeps_limits(self) -> bool:
        """Whether halting it on statistics would be a false halt."""
        return self.exceeds_from is None
