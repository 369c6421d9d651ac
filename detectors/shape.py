"""Watches for an unusual shape: a level, a time of the day or a course of hours unlike this stream's own past."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import msgspec

from detectors.base import Count, Design, Gauge, Observation, Proportion, Score, within
from detectors.shape_tail import Tail
from detectors.shape_views import Level, Motif, Profile

_CUT = 1e100


class Shape(msgspec.Struct, kw_only=True, rename={"threshold": "bar"}):
    """Three views of the values, rates or shares of closed periods, each judged by its own tail; loud if together they are.

    `statistic` is the root mean square of the views' rarities (minus the logarithm of the share of past blocks that reach as
    far), so one view at exp(-5) or three at exp(-3) alarm alike. One alarm per episode: after it the statistic is held just
    under the bar until it has stayed there by itself for `cooldown` periods. Level, profile, past and tails all follow the
    data with a bounded memory (`block x blocks` periods for the tails), so a new level is learnt and does not alarm for ever.
    Both directions alarm. A period without exposure has no rate and no opinion, but counts in the time of the day;
    where the observation says at which period it was made, that is what counts.

    Failure modes: it needs 8 blocks before it speaks, a cycle more for the time of the day; what is unusual from the start, or
    comes in by a slow slope, it learns as usual; a stable stream alarms some six times in a year of hours; where numbers
    become smaller by much (another unit), it is nearly deaf until the tails have forgotten the large ones (`block x blocks`
    periods). A stream that lives by the week wants `season` 168 (hours). State 4 KB for hourly periods, 6 KB for five minutes:
    more than the other detectors, which is one reason to watch only.

    >>> day = [10.0 + 5.0 * abs(12 - hour) for hour in range(24)]
    >>> detector = Shape.design(Design())
    >>> scores = [detector.update(Gauge(value=v)) for v in day * 30 + day[12:] * 4]
    >>> scores[100], any(s.alarm for s in scores[:720] if s), sum(s.alarm for s in scores[720:] if s)
    (None, False, 1)
    """

    observes: ClassVar[tuple[type, ...]] = (Gauge, Count, Proportion)
    claims: ClassVar[str] = "A heuristic without a promised error rate: rare by the stream's own past, at watch only."

    threshold: float
    cooldown: int
    level: Level
    cycle: Profile | None
    past: Motif
    tails: list[Tail]
    row: int = 0
    quiet: int = 0

    @classmethod
    def design(
        cls,
        design: Design,
        *,
        bar: float = 3.0,
        cooldown: int = 100,
        season: int | None = None,
        fast: int = 48,
        slow: int = 576,
        stride: int = 12,
        window: int = 6,
        keep: int = 168,
        block: int = 32,
        blocks: int = 64,
    ) -> Self:
        """Lengths are in periods, `window` and `keep` in points of `stride` periods; `season` None is a day (daily: a week).

        `season` 0 or 1 means no cycle. `threshold` is in units of minus log of a share of blocks.
        """
        points = int(within("window", window, low=2, high=100))
        cycle = _season(design) if season is None else int(within("season", season, low=0, high=1_000_000))
        short = int(within("fast", fast, low=1, high=100_000))
        rows, kept = int(within("block", block, low=1, high=10_000)), int(within("blocks", blocks, low=8, high=200))
        return cls(
            threshold=within("bar", bar, low=0.1, high=14),
            cooldown=int(within("cooldown", cooldown, low=0, high=1_000_000)),
            level=Level(fast=short, slow=int(within("slow", slow, low=short, high=1_000_000))),
            cycle=Profile(season=cycle) if cycle > 1 else None,
            past=Motif(
                stride=int(within("stride", stride, low=1, high=10_000)),
                window=points,
                keep=int(within("keep", keep, low=3 * points + 8, high=500)),
            ),
            tails=[Tail(block=rows, keep=kept) for _ in range(3 if cycle > 1 else 2)],
        )

    def update(self, observation: Observation) -> Score | None:
        """One closed period; `None` until a view can be judged, and for a period without a number."""
        at = getattr(observation, "at", None)
        row = self.row if at is None else at
        self.row = row + 1
        number = _number(observation)
        if number is None:
            return None
        usual = self.level.far if self.level.seen else number
        distances = [self.level.update(number), self.past.update(number)]
        if self.cycle is not None:
            usual = _first(self.cycle.usual(row), usual)
            distances.append(self.cycle.update(number, row))
        rarities = [
            None if distance is None else tail.rarity(distance)
            for distance, tail in zip(distances, self.tails, strict=True)
        ]
        if all(rarity is None for rarity in rarities):
            return None
        statistic = math.sqrt(sum((rarity or 0.0) ** 2 for rarity in rarities) / len(rarities))
        return Score(self._suppressed(statistic), self.threshold, usual, number)

    def _suppressed(self, statistic: float) -> float:
        """The statistic, kept under the bar within an episode that has alarmed already."""
        again = self.quiet > 0
        if statistic < self.threshold:
            self.quiet = max(self.quiet - 1, 0)
            return statistic
        self.quiet = self.cooldown
        return math.nextafter(self.threshold, 0.0) if again else statistic


def _season(design: Design) -> int:
    """Periods in a day; in a week if periods are days; 0 if they are longer."""
    day = round(design.periods_per_year / 365.25)
    return day if day > 1 else 7 if design.periods_per_year > 300 else 0


def _first(value: float | None, other: float) -> float:
    return other if value is None else value


def _number(observation: Observation) -> float | None:
    if isinstance(observation, Gauge):
        value = observation.value
    elif isinstance(observation, Count):
        if observation.m <= 0:
            return None
        value = observation.k / max(observation.m, 1e-100)
    elif isinstance(observation, Proportion):
        if observation.n <= 0:
            return None
        value = observation.k / observation.n
    else:
        return None
    return min(max(value, -_CUT), _CUT)
