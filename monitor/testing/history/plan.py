"""The fault of a history: one kind for each seed in turn, its details drawn from the seed."""

from __future__ import annotations

from random import Random

from msgspec import Struct

from monitor.engine.failpoint import PLACES

# kind -> what is done to the workers, and its share of 100 histories
KINDS: dict[str, tuple[str, int]] = {
    "point": ("SIGKILL at failpoints of the protocol, one after another", 26),
    "kill": ("SIGKILL at any moment, one or two workers", 10),
    "term": ("SIGTERM in the middle of a batch", 6),
    "zombie": ("stopped at a labelled point until another worker owns its partitions, then woken", 10),
    "storm": ("three workers join, leave and die", 8),
    "join": ("a worker joins while another one recovers", 7),
    "commit": ("the network ends between the last line of a transaction and its commit, both ways of ending", 8),
    "send": ("the network ends before a write, for seconds", 5),
    "slow": ("every response of the broker is delayed", 4),
    "forgot": ("the state topic is lost, wholly or from some transaction on, while no worker runs", 6),
    "compacted": ("the state topic is compacted hard between deaths", 4),
    "clock": ("each owner's clock is an hour ahead or behind", 4),
    "calm": ("nothing: the workload alone, with bad records at the edges of batches", 2),
}
BROKERS = {
    "broker": "the broker is stopped or killed, again and again, and comes back after seconds",
    "away": "the broker is unavailable for over a minute: workers exit, restart in vain, continue when it is back",
    "hour": "the broker's clock repeatedly jumps an hour ahead or behind and back; then the broker is restarted",
    "leader": "one broker of three is stopped or killed, with the leaders it holds, and comes back",
    "frozen": "one broker of three, with the leaders it holds, is suspended for moments and for seconds",
}
WRITING = ("before_append", "before_write", "before_checkpoint", "in_transaction")  # a zombie woken here must end
EARLY = ("fenced", "state_read", "claimed", "recovered")  # passed once per partition or assignment
RARE = ("revoking", "leaving", "hint_committed")


class HistoryPlan(Struct, frozen=True, kw_only=True):
    """How one history runs. `points`: failpoints of the first worker's processes, in turn."""

    seed: int
    kind: str
    workers: int
    partitions: int
    topics: int
    batch: int
    checkpoint_every_ms: int
    static: bool
    points: tuple[str, ...] = ()


def kind_of(seed: int) -> str:
    """Kinds in the shares that `KINDS` gives, evenly mixed, so that any stretch of seeds holds them all."""
    wheel = sorted((place / share, name) for name, (_, share) in KINDS.items() for place in range(1, share + 1))
    return wheel[seed % len(wheel)][1]


def plan(seed: int, kind: str = "") -> HistoryPlan:
    """The plan of a seed; `kind` overrides which fault it is."""
    rng = Random(f"plan/{seed}")
    kind = kind or kind_of(seed)
    workers = {"storm": 3, "zombie": 2, "join": 2}.get(kind, 1 if kind in ("point", "clock") else rng.choice((1, 1, 2)))
    return HistoryPlan(
        seed=seed,
        kind=kind,
        workers=workers,
        partitions=rng.choice((1, 2, 2)),
        topics=rng.choice((1, 1, 2)),
        batch=rng.choice((3, 17, 200, 5_000)),
        checkpoint_every_ms=rng.choice((50, 400) if kind == "point" else (50, 400, 3_000, 60_000)),
        static=kind in ("point", "clock", "forgot", "compacted") or (workers == 1 and rng.random() < 0.5),
        points=_points(seed, kind, rng),
    )


def _points(seed: int, kind: str, rng: Random) -> tuple[str, ...]:
    if kind == "point":
        names = list(PLACES)
        first = names[seed % len(names)]
        return tuple(f"{p}:kill@{_times(p, rng)}" for p in (first, *rng.choices(names, k=2)))
    if kind == "term":
        return tuple(f"{p}:term@{_times(p, rng)}" for p in rng.choices(WRITING, k=2))
    if kind == "zombie":
        place = rng.choice(
            (*WRITING, *WRITING, "fenced", "claimed", "after_append", "committed", "replayed", "hint_committed")
        )
        return (f"{place}:stop@{_times(place, rng)}",)
    if kind == "join":
        place = rng.choice(("fenced", "state_read", "claimed", "replayed", "recovered"))
        return (f"{place}:stop@1",)
    if kind == "commit":
        return (f"in_transaction:stop@{rng.randrange(2, 12)}",)
    if kind == "send":
        place = rng.choice(("before_write", "before_append", "before_checkpoint"))
        return (f"{place}:stop@{rng.randrange(1, 6)}",)
    return ()


def _times(place: str, rng: Random) -> int:
    if place in EARLY:
        return rng.randrange(1, 3) if place != "recovered" else 1
    if place in RARE:
        return 1
    return rng.randrange(1, 4) if "checkpoint" in place or place == "replayed" else rng.randrange(1, 8)
