"""What a history is made of: where it runs, the places of its workers, what is told of it in the end."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
from msgspec import Struct

from monitor.testing.fork_server import Child
from monitor.testing.history.check import Difference
from monitor.testing.proxy import Proxy


class Lane(Struct, frozen=True):
    """Where a history runs: the broker's own address, and the one (through a proxy) that its workers get."""

    direct: str
    workers: str
    proxies: tuple[Proxy, ...] = ()
    replication: int = 1


class Disturbed:
    """Faults of the brokers themselves, which meet several histories at once for so many seconds: each releases `begun`
    when its topics stand and `told` when its story is told; `over` is set when the brokers are well again."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self.begun = asyncio.Semaphore(0)
        self.told = asyncio.Semaphore(0)
        self.over = asyncio.Event()


class Report(Struct, kw_only=True):
    """What became of one history. `kills`, `stops`: signals that found a living worker; `points`: labelled places where
    one was killed; `woken`: zombies woken at a place where they write, `fenced`: those that ended; `seconds` to catch
    up."""

    seed: int
    kind: str
    differences: list[Difference] = []
    kills: int = 0
    stops: int = 0
    points: Counter[str] = msgspec.field(default_factory=Counter)
    woken: int = 0
    fenced: int = 0
    deaths: int = 0  # ends by a worker's own hand, with another code than 0
    seconds: float = 0.0
    records: int = 0
    outputs: int = 0
    error: str = ""


class Slot:
    """One place for a worker, with its supervisor. `points` are the failpoints of its next lives."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.points: list[str] = []
        self.clocks: list[int] = []
        self.wanted = True
        self.child: Child | None = None
        self.codes: list[int] = []
        self.lives = 0
        self.armed = ""  # the failpoint of the life that goes on
        self.task: asyncio.Task[None] | None = None
