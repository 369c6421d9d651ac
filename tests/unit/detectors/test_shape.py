"""The shape detector: detects values unlike the stream's own past, then learns them; silent on unchanged streams."""

from __future__ import annotations

import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.base import Count, Design, Gauge, Observation, Proportion, Score
from detectors.checks import CHECKS
from detectors.shape import Shape
from detectors.shape_tail import CAP, Tail
from detectors.shape_views import Level, Motif, Profile, Spread
from tests.strength import examples

WAVE = (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4, 3, 3, 8)  # 27: out of step with a day


def day(row: int) -> float:
    """A day of 24 hours with noise that does not repeat within a week."""
    return 10 + 6 * math.sin(2 * math.pi * row / 24) + 0.1 * WAVE[row % 27]


def run(detector: Shape, values: list[float]) -> list[Score | None]:
    return [detector.update(Gauge(value=v)) for v in values]


def alarms(scores: list[Score | None]) -> list[int]:
    return [i for i, s in enumerate(scores) if s is not None and s.alarm]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([0.0] * 5000, id="all zero"),
        pytest.param([7.3] * 5000, id="constant"),
        pytest.param([0.0] * 3000 + [1.0] + [0.0] * 2000, id="one event in thousands of zeros"),
        pytest.param([0.1 + 0.2, 0.3] * 2500, id="the same number, rounded in two ways"),
        pytest.param([day(i % 24) for i in range(5000)], id="the same day again and again"),
    ],
)
def test_no_alarm_where_nothing_ever_changed(values: list[float]) -> None:
    """A stream without variation gives no alarm, not even for its first movement."""
    assert alarms(run(Shape.design(Design()), values)) == []


@pytest.mark.parametrize("season", [0, 24])
@pytest.mark.parametrize("factor", [0.2, 3.0, 1000.0])
def test_a_new_level_is_found_and_then_learnt(factor: float, season: int) -> None:
    """A change of level alarms within two days, at most three times more while it is learnt, and never later."""
    values = [day(i) for i in range(1500)] + [day(i) * factor for i in range(1500, 12000)]
    found = alarms(run(Shape.design(Design(), season=season), values))
    assert found
    assert 1500 <= found[0] < 1548
    assert len(found) <= 4
    assert found[-1] < 1500 + 1000


def test_a_day_that_stays_away_is_found_although_every_number_of_it_is_usual() -> None:
    """A flat day at the stream's mean has an unusual course and unusual values for its hours."""
    values = [day(i) for i in range(1200)] + [10.0] * 36 + [day(i) for i in range(1236, 2000)]
    detector = Shape.design(Design(periods_per_year=8766))
    found = alarms(run(detector, values))
    assert found
    assert 1200 <= found[0] < 1236


def test_periods_without_a_number_keep_the_time_of_the_day() -> None:
    """A stream without exposure at night is scored on the profile of the clock."""
    detector = Shape.design(Design(periods_per_year=8766), block=8)
    scores = [
        detector.update(Count(k=round(100 * day(i)), m=100.0) if i % 24 < 17 else Count(k=0.0, m=0.0))
        for i in range(2400)
    ]
    assert all(s is None for i, s in enumerate(scores) if i % 24 >= 17)
    assert alarms(scores) == []
    last = [s for s in scores if s is not None][-17:]
    assert max(abs(s.expected - s.observed) for s in last) < 2.5


def test_periods_that_were_not_handed_over_keep_the_time_of_the_day() -> None:
    """If observations carry their index, omitting the nights gives the same scores as empty nights."""
    whole, days = Shape.design(Design(), block=8), Shape.design(Design(), block=8)
    for i in range(1200):
        night = i % 24 >= 17
        score = whole.update(Count(k=0.0, m=0.0) if night else Count(k=day(i), m=1.0))
        if not night:
            assert days.update(Count(k=day(i), m=1.0, at=i + 480_000)) == score


def test_an_episode_alarms_once() -> None:
    """The statistic is capped below the threshold until it has stayed there for `cooldown` periods in a row."""
    without, with_cooldown = Shape.design(Design(), cooldown=0), Shape.design(Design(), cooldown=100)
    values = [day(i) for i in range(1500)] + [30.0] * 5 + [day(i) for i in range(1505, 2500)] + [30.0] * 5
    every, first = alarms(run(without, values)), alarms(run(with_cooldown, values))
    expected, quiet_until = [], -1
    for i in every:
        if i > quiet_until:
            expected.append(i)
        quiet_until = i + 100
    assert first == expected
    assert len(every) > len(first) == 2


def test_the_unit_of_a_number_does_not_matter() -> None:
    """Milliseconds and seconds give equal statistics: rarity is relative to the stream itself."""
    values = [day(i) for i in range(1500)] + [25.0, 3.0] * 50
    near = run(Shape.design(Design()), values)
    far = run(Shape.design(Design()), [v * 1024 for v in values])
    assert [s and s.statistic for s in near] == [s and s.statistic for s in far]


def test_counts_and_proportions_are_watched_as_rates() -> None:
    """Ten times the exposure with ten times the events is the same observation."""
    kinds: list[list[Observation]] = [
        [Count(k=float(WAVE[i % 27]), m=10.0) for i in range(400)],
        [Count(k=10.0 * WAVE[i % 27], m=100.0) for i in range(400)],
        [Proportion(k=float(WAVE[i % 27]), n=10.0) for i in range(400)],
        [Gauge(value=WAVE[i % 27] / 10) for i in range(400)],
    ]
    seen = [[Shape.design(Design()).update(o) for o in stream] for stream in kinds]
    runs = [[d.update(o) for o in stream] for stream in kinds for d in [Shape.design(Design())]]
    assert all(all(s is None for s in fresh) for fresh in seen), "a fresh detector has no opinion"
    assert runs[0] == runs[1] == runs[2] == runs[3]
    assert runs[0][-1] is not None


@pytest.mark.parametrize(
    ("periods_per_year", "season"), [(8766, 24), (365.25 * 288, 288), (365.25, 7), (52.18, 0), (12, 0)]
)
def test_the_cycle_is_a_day_unless_periods_are_days(periods_per_year: float, season: int) -> None:
    """Hourly periods have a day of 24, daily ones a week of 7, weekly and monthly ones no cycle."""
    cycle = Shape.design(Design(periods_per_year=periods_per_year)).cycle
    assert (cycle.season if cycle else 0) == season


def test_the_largest_state_is_bounded() -> None:
    """With every memory at its largest a snapshot stays under 16 KB; by default it is 5 KB for hourly periods."""
    large = Shape.design(Design(), season=1440, keep=500, blocks=200, block=1, stride=1)
    usual = Shape.design(Design())
    for i in range(3000):
        large.update(Gauge(value=math.pi * WAVE[i % 27]))
        usual.update(Gauge(value=math.pi * WAVE[i % 27]))
    assert len(msgspec.msgpack.encode(large)) < 16_384
    assert len(msgspec.msgpack.encode(usual)) < 5_100


@pytest.mark.parametrize(
    "params", [{"bar": 20}, {"season": -1}, {"fast": 100, "slow": 50}, {"window": 6, "keep": 20}, {"blocks": 3}]
)
def test_a_wrong_parameter_is_refused_by_name(params: dict[str, float]) -> None:
    """The message names the parameter."""
    with pytest.raises(ValueError, match=next(reversed(params))):
        Shape.design(Design(), **params)  # type: ignore[arg-type]


@settings(max_examples=examples(30, 80), deadline=None, derandomize=True)
@given(
    values=st.lists(
        st.one_of(st.floats(-1.7e308, 1.7e308), st.integers(-3, 3).map(float), st.just(5e-324)),
        min_size=20,
        max_size=60,
    )
)
def test_the_promises_hold_where_it_speaks_soon(values: list[float]) -> None:
    """With the shortest lengths, so that every view has a score within a few periods, on any finite numbers."""

    def make() -> Shape:
        return Shape.design(
            Design(), season=3, fast=1, slow=2, stride=1, window=2, keep=14, block=1, blocks=8, cooldown=2
        )

    stream: list[Observation] = [Gauge(value=v) for v in values]
    for check in CHECKS:
        check(make, stream)
    assert make().update(stream[0]) is None
    assert any(s is not None for d in [make()] for s in map(d.update, stream))


def test_the_tail_is_exponential_beyond_the_level_a_fifth_of_blocks_reach() -> None:
    """Blocks 1..10: level 9, mean excess 1, so 9 -> ln 5, 11 -> ln 5 + 2, 4.5 -> half of ln 5."""
    for distance, rarity in ((9.0, math.log(5)), (11.0, math.log(5) + 2), (4.5, math.log(5) / 2), (1e300, CAP)):
        tail = Tail(block=1, keep=10)
        for m in range(1, 11):
            tail.rarity(float(m))
        assert tail.rarity(distance) == pytest.approx(rarity)


def test_the_tail_forgets_and_learns() -> None:
    """Once the past is full of large distances, a large one is usual; small ones never were rare."""
    tail = Tail(block=4, keep=16)
    for _ in range(64):
        tail.rarity(1.0)
    assert tail.rarity(50.0) == CAP
    for _ in range(64):
        tail.rarity(50.0)
    assert tail.rarity(50.0) == pytest.approx(math.log(5))
    assert tail.rarity(1.0) == pytest.approx(math.log(5) / 50)


def test_the_level_compares_with_what_was_before() -> None:
    """Plain means at first: after 1, 2, 3 the fast mean is 2 and the slow one, before 3 enters, 1.5."""
    level = Level(fast=100, slow=100)
    assert [level.update(x) for x in (1.0, 2.0, 3.0)] == pytest.approx([0.0, 0.5, 0.5])


def test_the_cycle_allows_a_day_to_start_late() -> None:
    """With 288 phases a pulse one phase late is usual; an hour late it is not."""
    cycle = Profile(season=288)
    for row in range(288 * 3):
        cycle.update(100.0 if 95 <= row % 288 < 105 else 0.0, row)
    start = 288 * 3
    assert cycle.usual(start + 94) == 0.0
    assert cycle.usual(start + 97) == pytest.approx(100.0)
    assert cycle.usual(start + 117) == 0.0


def test_the_past_counts_the_nearest_of_all_courses() -> None:
    """Against a brute-force search over all windows that do not overlap the last one."""
    values = [float(WAVE[i * i % 27]) for i in range(60)]
    past = Motif(stride=1, window=4, keep=40, neighbours=2)
    for i, x in enumerate(values):
        got = past.update(x)
        points = values[max(0, i - 39) : i + 1]
        others = [
            math.sqrt(sum((a - b) ** 2 for a, b in zip(points[j : j + 4], points[-4:], strict=True)) / 4)
            for j in range(len(points) - 7)
        ]
        if len(others) < 7:
            assert got is None
        else:
            assert got == pytest.approx(sum(sorted(others)[:2]) / 2, abs=1e-12)


def busy(row: int, rng: random.Random) -> float:
    """Clicks an hour: few and steady at night, many and bursting by day."""
    by_day = 6 <= row % 24 < 20
    return 40.0 + rng.expovariate(1 / 30) if by_day else 10.0 + rng.gauss(0.0, 0.5)


def test_a_deviation_is_judged_by_the_usual_spread_at_its_time_of_the_day() -> None:
    """Thirty more clicks are usual by day, where bursts are larger, and unusual at night, where the stream is
    steady."""
    found = {}
    for name, hour in (("night", 2), ("day", 12)):
        rng, detector = random.Random(7), Shape.design(Design(periods_per_year=8766), cooldown=0)
        for i in range(24 * 100 + hour):
            detector.update(Gauge(value=busy(i, rng)))
        usual = 10.0 if name == "night" else 70.0
        score = detector.update(Gauge(value=usual + 30.0))
        assert score is not None
        found[name] = score.statistic
    assert found["night"] > 3 * found["day"]


def test_a_new_level_within_the_range_of_a_cycle_is_found() -> None:
    """Half as much again for four hours of the night is within the range of every day. The level of the numbers does
    not see it, because it rises and falls with the day; the level of the deviations does."""
    rng = random.Random(3)
    values = [(10 + 8 * math.sin(2 * math.pi * i / 288)) * rng.uniform(0.4, 1.6) for i in range(288 * 15)]
    start = 288 * 14 + 144
    values[start : start + 48] = [v * 1.5 for v in values[start : start + 48]]
    detector, numbers = Shape.design(Design(periods_per_year=365.25 * 288)), Level(fast=48, slow=576)
    of_numbers, of_deviations, found = [], [], []
    for i, value in enumerate(values):
        score = detector.update(Gauge(value=value))
        assert detector.residual is not None
        found += [i] if score is not None and score.alarm else []
        of_numbers.append(numbers.update(value))
        of_deviations.append(abs(detector.residual.near - detector.residual.far))
    assert [i for i in found if start <= i < start + 48]
    assert max(of_numbers[start : start + 48]) < max(of_numbers[start - 288 : start])
    assert max(of_deviations[start : start + 48]) > 1.5 * max(of_deviations[start - 288 * 7 : start])


def test_one_enormous_deviation_does_not_hide_the_next() -> None:
    """After an outlier of a thousand times the usual deviation, one of twenty times is still found."""
    values = [day(i) for i in range(1500)]
    values[1000], values[1400] = 10_000.0, 60.0
    found = alarms(run(Shape.design(Design(), season=24), values))
    assert 1000 in found
    assert 1400 in found


def test_a_maximum_is_remembered_with_a_bound_and_recurring_ones_are_learnt() -> None:
    """A bounded tail remembers at most the level plus `reach` excesses; a distance that comes in every block is usual
    after a while, however large it is."""
    tail = Tail(block=1, keep=10, reach=20.0)
    for m in range(1, 11):
        tail.rarity(float(m))
    tail.rarity(1e9)
    assert max(tail.maxima) == pytest.approx(9 + 20 * 1.0)
    rarities = [tail.rarity(1e9) for _ in range(20)]
    assert rarities[-1] is not None
    assert rarities[-1] < 2


def test_the_spread_of_a_phase_weighs_its_distances() -> None:
    """Phases of spread 1 and 9 (mean 5): divisors 2 and 8, so 4 becomes 10 and 2.5; without variation nothing is
    weighted; a phase not seen before has the mean spread."""
    spread = Spread(season=2)
    for i in range(40):
        spread.update((1.0, 9.0)[i % 2], i)
    assert spread.update(4.0, 40) == pytest.approx(10.0)
    still = Spread(season=2)
    assert [still.update(0.0, i) for i in range(4)] == [None, None, 0.0, 0.0]
    assert still.update(3.0, 4) == 3.0
    gaps = Spread(season=3, seen=3, phases=[2.0, 4.0, None])
    assert gaps.update(6.0, 2) == 6.0


@pytest.mark.parametrize(
    ("season", "most", "gain"), [(24, 24, 0.15), (144, 144, 0.15), (288, 144, 0.075), (1440, 144, 0.015)]
)
def test_a_profile_remembers_the_same_number_of_cycles_for_every_length_of_a_period(
    season: int, most: int, gain: float
) -> None:
    """With several periods to a phase, each weighs as much less."""
    cycle = Profile.of(season)
    cycle.update(1.0, 0)
    assert len(cycle.profile) == most
    assert cycle.gain == pytest.approx(gain)


@pytest.mark.parametrize(
    ("periods_per_year", "block"), [(8766, 16), (365.25 * 48, 16), (365.25 * 288, 32), (365.25 * 1440, 32), (52, 32)]
)
def test_a_block_is_a_ninth_of_a_cycle_within_bounds(periods_per_year: float, block: int) -> None:
    """Of hourly periods 16, of five minutes 32; a charter may set it."""
    assert {tail.block for tail in Shape.design(Design(periods_per_year=periods_per_year)).tails} == {block}
    assert Shape.design(Design(periods_per_year=periods_per_year), block=7).tails[0].block == 7


OLD = {
    "bar": 3.0, "cooldown": 2, "level": {"fast": 1, "slow": 2, "seen": 40, "near": 3.0, "far": 3.9875671930074112},
    "cycle": {
        "season": 3, "gain": 0.15, "start": 0, "profile": [3.0, 3.6383522419938474, 4.639020413010499]
    },
    "past": {
        "stride": 1, "window": 2, "keep": 14, "neighbours": 3, "total": 0.0, "count": 0, "distance": 1.4698553182767933,
        "points": [1.0, 3.0, 1.0, 5.0, 3.0, 2.0, 3.0, 3.0, 6.0, 5.0, 3.0, 4.0, 7.0, 3.0],
    },
    "tails": [
        {
            "block": 1, "keep": 8, "largest": 0.0, "count": 0, "level": 3.063516297597091,
            "excess": 0.15317581487985454,
            "maxima": [
                0.5716466783738188, 0.19054889279127307, 3.063516297597091, 0.021172099199030292, 1.9929426336003235,
                0.33568578879989186, 3.1118952629332974, 2.9627015790222337,
            ],
        },
        {
            "block": 1, "keep": 8, "largest": 0.0, "count": 0, "level": 1.8498365855987975,
            "excess": 0.23415305788127738,
            "maxima": [
                0.4714045207910316, 0.4714045207910316, 1.4698553182767933, 2.083989643480075, 0.9428090415820632,
                0.8047378541243649, 1.8498365855987975, 1.4698553182767933,
            ],
        },
        {
            "block": 1, "keep": 8, "largest": 0.0, "count": 0, "level": 2.7776230435170595,
            "excess": 0.13888115217585298,
            "maxima": [
                1.2766463065507825, 0.0, 2.8534917065829104, 0.914850639431835, 0.0, 0.4254679505954737,
                2.7776230435170595, 0.0,
            ],
        },
    ],
    "row": 40, "quiet": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("cycle", "statistics"),
    [
        (
            True,
            [0.310410171, 11.32488651, 3.0, 2.10296102, 1.042207341, 0.235980678, 2.750086217, 0.984647361],
        ),
        (
            False,
            [0.350108851, 10.380096723, 3.0, 2.537433138, 0.516750246, 0.288816128, 2.805720872, 1.205757045],
        ),
    ],
)
def test_a_snapshot_without_the_newer_fields_continues_as_it_began(cycle: bool, statistics: list[float]) -> None:
    """A detector saved by an earlier version gives the statistics that that version gave."""
    saved = OLD if cycle else {**OLD, "cycle": None, "tails": OLD["tails"][:2]}  # type: ignore[index]
    detector = msgspec.msgpack.decode(msgspec.msgpack.encode(saved), type=Shape)
    scores = run(detector, [4.0, 9.0, 30.0, 2.0, 0.0, 7.0, 31.0, 5.0])
    assert [s.statistic for s in scores if s] == pytest.approx(statistics, abs=1e-8)
