"""Parts of a history: the route to its broker, the slots of its workers, its report."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
from msgspec import Struct

from monitor.testing.fork_server import Child
from monitor.testing.history.check import Difference
from monitor.testing.proxy import Proxy


class BrokerRoute(Struct, frozen=True):
    """How a history reaches its broker: the address for itself (`direct`), and the one through proxies for its
    workers."""

    direct: str
    workers: str
    proxies: tuple[Proxy, ...] = ()
    replication: int = 1


class BrokerFaults:
    """Coordinates several histories under one fault of their brokers, which lasts `seconds`. Each history releases
    `started` when its topics exist and `ended` when its workload is sent; `brokers_up` is set once the brokers are
    available again."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self.started = asyncio.Semaphore(0)
        self.ended = asyncio.Semaphore(0)
        self.brokers_up = asyncio.Event()


class Report(Struct, kw_only=True):
    """Result of one history. `kills`, `stops`: signals that reached a running worker. `points`: failpoints at which one
    was killed. `resumed`: zombies resumed where they write next; `fenced`: those of them that exited. `seconds`: time
    to catch up."""

    seed: int
    kind: str
    differences: list[Difference] = []
    kills: int = 0
    stops: int = 0
    points: Counter[str] = msgspec.field(default_factory=Counter)
    resumed: int = 0
    fenced: int = 0
    deaths: int = 0  # workers that exited with another code than 0
    seconds: float = 0.0
    records: int = 0
    outputs: int = 0
    error: str = ""


class WorkerSlot:
    """One position for a worker process under a supervisor. `points` are the failpoints of its next processes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.points: list[str] = []
        self.clocks: list[int] = []
        self.wanted = True
        self.child: Child | None = None
        self.codes: list[int] = []
        self.lives = 0
        self.armed = ""  # the failpoint of the current process
        self.task: asyncio.Task[None] | None = None
