"""Anomaly heuristic on level, time of day and recent course, each compared with the stream's own past; `watch` only."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self

import msgspec

from detectors.base import Count, Design, Gauge, Observation, Proportion, Score, value_of, within
from detectors.shape_tail import Tail
from detectors.shape_views import Level, Motif, Profile, Spread, deviation

_EXPONENT = 1.5  # of the power mean of rarities: between their sum and their root mean square
_FLOOR = 0.1  # smallest mean excess of a tail, as a fraction of its level
_REACH = 12.0  # mean excesses above the level that a maximum is remembered as, at most


class ShapeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of `shape` in a charter. Lengths are in periods, except `window` and `keep`.

    `bar`: threshold (0.1 to 14), in units of minus the logarithm of a fraction of blocks. `cooldown`: periods below
    the threshold that end an episode. `season`: length of the cycle; `None` is a day (for daily periods a week), 0 or
    1 no cycle. `fast`, `slow`: lengths of the two means of the level. `stride`: periods per point; `window` and
    `keep`: points of a course, and points of the past. `block`, `blocks`: periods per block (`None`: a ninth of the
    cycle, 16 to 32 periods; 32 without a cycle), and blocks kept.
    """

    bar: float = 2.9
    cooldown: int = 50
    season: int | None = None
    fast: int = 48
    slow: int = 576
    stride: int = 12
    window: int = 6
    keep: int = 168
    block: int | None = None
    blocks: int = 64


class Shape(msgspec.Struct, kw_only=True, rename={"threshold": "bar"}):
    """Three views of the values, rates or proportions of closed periods, each scored by its own tail and combined.

    The views are the level (of the deviations from the usual value at that time of the day; of the numbers themselves
    without a cycle), the course of the last hours, and the deviation of the number itself, which is as rare as the
    rarer of two: in its own unit, and relative to the usual spread at that time of the day. `statistic` is the power
    mean (exponent 1.5) of the views' rarities (minus the logarithm of the fraction of past blocks that reach as far),
    so that one view at exp(-6) or three at exp(-3) alarm. There is one alarm per episode: after it the statistic is
    capped below the threshold until it has stayed there for `cooldown` periods. Level, profile, past and tails follow
    the data with bounded memory (`block x blocks` periods for the tails), so a lasting change alarms once. Both
    directions alarm. A period without exposure has no value and no score, but counts for the time of day, which is
    taken from the observation's `at` if given. Sources: `shape_views.py` and `shape_tail.py`; a chart of deviations
    from a model instead of numbers: Alwan and Roberts (1988), Time-series modeling for statistical process control.

    Limitations: no score before 8 blocks, and one or two more cycles for the time of day. What is unusual from the
    start, or arrives by a slow slope, is learnt as normal. A stable hourly stream alarms about once a month. After
    values become much smaller (another unit), it has low power until the tails have forgotten the large ones (`block x
    blocks` periods). A stream with a weekly cycle needs `season` 168 (hours). State 5 KB for hourly periods, 6.5 KB for
    five minutes, more than the other detectors.

    A snapshot that has no `exponent`, `residual` and `spread` continues as it began: level of the numbers, no relative
    deviation, root mean square, and maxima without bound.

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
    exponent: float = 2.0
    residual: Level | None = None
    spread: Spread | None = None

    @classmethod
    def design(cls, design: Design, **params: Any) -> Self:
        """Builds the detector from the charter's settings; `params` are the fields of `ShapeSettings`.

        Raises ValueError naming the parameter.
        """
        s = ShapeSettings(**params)
        window = int(within("window", s.window, low=2, high=100))
        season = _season(design) if s.season is None else int(within("season", s.season, low=0, high=1_000_000))
        cyclic = season > 1
        fast = int(within("fast", s.fast, low=1, high=100_000))
        slow = int(within("slow", s.slow, low=fast, high=1_000_000))
        block = _block(season) if s.block is None else int(within("block", s.block, low=1, high=10_000))
        blocks = int(within("blocks", s.blocks, low=8, high=200))
        return cls(
            threshold=within("bar", s.bar, low=0.1, high=14),
            cooldown=int(within("cooldown", s.cooldown, low=0, high=1_000_000)),
            level=Level(fast=fast, slow=slow),
            cycle=Profile.of(season) if cyclic else None,
            past=Motif(
                stride=int(within("stride", s.stride, low=1, high=10_000)),
                window=window,
                keep=int(within("keep", s.keep, low=3 * window + 8, high=500)),
            ),
            tails=[Tail(block=block, keep=blocks, floor=_FLOOR, reach=_REACH) for _ in range(4 if cyclic else 2)],
            exponent=_EXPONENT,
            residual=Level(fast=fast, slow=slow) if cyclic else None,
            spread=Spread(season=season) if cyclic else None,
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
        distances, expected = self._distances(number, row)
        rarities = [
            None if distance is None else tail.rarity(distance)
            for distance, tail in zip(distances, self.tails, strict=True)
        ]
        if all(rarity is None for rarity in rarities):
            return None
        return Score(self._suppressed(self._combined(rarities)), self.threshold, expected, number)

    def _distances(self, number: float, row: int) -> tuple[list[float | None], float]:
        """Returns the distance of each view, in the order of the tails, and the usual number."""
        expected = self.level.far if self.level.seen else number
        level: float | None = self.level.update(number)
        course = self.past.update(number)
        if self.cycle is None:
            return [level, course], expected
        usual = self.cycle.usual(row)
        own = self.cycle.update(number, row)
        if self.residual is not None:
            level = None if usual is None else self.residual.update(deviation(number, usual))
        distances = [level, course, own]
        if self.spread is not None:
            distances.append(None if own is None else self.spread.update(own, row))
        return distances, expected if usual is None else usual

    def _combined(self, rarities: list[float | None]) -> float:
        """Returns the power mean of the views' rarities; the two of the number itself are one view."""
        views = [rarity or 0.0 for rarity in rarities]
        if self.spread is not None:
            views[2:] = [max(views[2:])]
        total = sum([rarity**self.exponent for rarity in views])
        return math.pow(total / len(views), 1 / self.exponent)

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


def _block(season: int) -> int:
    """Returns the periods of a block: shorter where a cycle has few periods, so that weeks of past are enough."""
    return min(max(season // 9, 16), 32) if season > 1 else 32
