"""Anomaly heuristic on level, time of day and recent course, each compared with the stream's own past; `watch` only."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self

import msgspec

from detectors.base import Count, Design, Gauge, Observation, Proportion, Score, value_of, within
from detectors.shape_tail import Tail
from detectors.shape_views import Level, Motif, Profile


class ShapeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of `shape` in a charter. Lengths are in periods, except `window` and `keep`.

    `bar`: threshold (0.1 to 14), in units of minus the logarithm of a fraction of blocks. `cooldown`: periods below
    the threshold that end an episode. `season`: length of the cycle; `None` is a day (for daily periods a week), 0 or
    1 no cycle. `fast`, `slow`: lengths of the two means of the level. `stride`: periods per point; `window` and
    `keep`: points of a course, and points of the past. `block`, `blocks`: periods per block, and blocks kept.
    """

    bar: float = 3.0
    cooldown: int = 100
    season: int | None = None
    fast: int = 48
    slow: int = 576
    stride: int = 12
    window: int = 6
    keep: int = 168
    block: int = 32
    blocks: int = 64


class Shape(msgspec.Struct, kw_only=True, rename={"threshold": "bar"}):
    """Three views of the values, rates or proportions of closed periods, each scored by its own tail and combined.

    `statistic` is the root mean square of the views' rarities (minus the logarithm of the fraction of past blocks that
    reach as far), so one view at exp(-5) or three at exp(-3) alarm alike. There is one alarm per episode: after it the
    statistic is capped below the threshold until it has stayed there for `cooldown` periods. Level, profile, past and
    tails follow the data with bounded memory (`block x blocks` periods for the tails), so a lasting change alarms once.
    Both directions alarm. A period without exposure has no value and no score, but counts for the time of day, which is
    taken from the observation's `at` if given. Sources: `shape_views.py` and `shape_tail.py`.

    Limitations: no score before 8 blocks, and one more cycle for the time of day. What is unusual from the start, or
    arrives by a slow slope, is learnt as normal. A stable hourly stream alarms about six times a year. After values
    become much smaller (another unit), it has low power until the tails have forgotten the large ones (`block x blocks`
    periods). A stream with a weekly cycle needs `season` 168 (hours). State 4 KB for hourly periods, 6 KB for five
    minutes, more than the other detectors.

    >>> day = [10.0 + 5.0 * abs(12 - hour) for hour in range(24)]
    >>> detector = Shape.design(Design())
    >>> scores = [detector.update(Gauge(value=v)) for v in day * 30 + day[12:] * 4]
    >>> scores[100], any(s.alarm for s in scores[:720] if s), sum(s.alarm for s in scores[720:] if s)
    (None, False, 1)
    """

    settings: ClassVar[type] = ShapeSettings
    observes: ClassVar[tuple[type, ...]] = (Gauge, Count, Proportion)
    claims: ClassVar[str] = (
        "A heuristic without a guaranteed error rate: rare relative to the stream's past; level watch only."
    )

    threshold: float
    cooldown: int
    level: Level
    cycle: Profile | None
    past: Motif
    tails: list[Tail]
    row: int = 0
    quiet: int = 0

    @classmethod
    def design(cls, design: Design, **params: Any) -> Self:
        """Builds the detector from the charter's settings; `params` are the fields of `ShapeSettings`.

        Raises ValueError naming the parameter.
        """
        s = ShapeSettings(**params)
        window = int(within("window", s.window, low=2, high=100))
        season = _season(design) if s.season is None else int(within("season", s.season, low=0, high=1_000_000))
        fast = int(within("fast", s.fast, low=1, high=100_000))
        block, blocks = (
            int(within("block", s.block, low=1, high=10_000)),
            int(within("blocks", s.blocks, low=8, high=200)),
        )
        return cls(
            threshold=within("bar", s.bar, low=0.1, high=14),
            cooldown=int(within("cooldown", s.cooldown, low=0, high=1_000_000)),
            level=Level(fast=fast, slow=int(within("slow", s.slow, low=fast, high=1_000_000))),
            cycle=Profile(season=season) if season > 1 else None,
            past=Motif(
                stride=int(within("stride", s.stride, low=1, high=10_000)),
                window=window,
                keep=int(within("keep", s.keep, low=3 * window + 8, high=500)),
            ),
            tails=[Tail(block=block, keep=blocks) for _ in range(3 if season > 1 else 2)],
        )

    def update(self, observation: Observation) -> Score | None:
        """Processes one closed period. Returns `None` until a view has enough past, and for a period without a
        value."""
        at = getattr(observation, "at", None)
        row = self.row if at is None else at
        self.row = row + 1
        number = value_of(observation)
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
        """Returns the statistic, capped just below the threshold during an episode that has already alarmed."""
        again = self.quiet > 0
        if statistic < self.threshold:
            self.quiet = max(self.quiet - 1, 0)
            return statistic
        self.quiet = self.cooldown
        return math.nextafter(self.threshold, 0.0) if again else statistic


def _season(design: Design) -> int:
    """Returns the periods in a day; in a week if periods are days; 0 if they are longer."""
    day = round(design.periods_per_year / 365.25)
    return day if day > 1 else 7 if design.periods_per_year > 300 else 0


def _first(value: float | None, other: float) -> float:
    return other if value is None else value
