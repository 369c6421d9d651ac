"""The desk: what becomes of the records that Faust fetches - one runner per partition that this worker wholly holds.

A partition is seated (fence, recover, claim) when this worker holds it of control and of every telemetry topic, and let
go when any of it is revoked. In between, `drain` hands each fetched list over whole. Every failure ends the process: what
was written is known to the log alone, and a supervisor starts a worker that asks it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol

from msgspec import Struct, structs

from monitor.clock import wall_ms
from monitor.engine.machine import Machine
from monitor.engine.runner import Runner
from monitor.errors import LogBroken
from monitor.kafka.log import KafkaLog
from monitor.kafka.standby import Others
from monitor.kafka.topics import Names
from monitor.model.records import Outputs, Reason, Record
from monitor.model.signing import Signer, Trusted
from monitor.projections.alerts import restored_alerts
from monitor.projections.metrics import Metrics
from monitor.projections.open_commands import restored_command

logger = logging.getLogger(__name__)

Name = tuple[str, int]  # topic and partition


class Settings(Struct, frozen=True, kw_only=True):
    """How a worker runs. Times in seconds unless they say ms."""

    bootstrap: str = "127.0.0.1:9092"
    group: str = "sandbox-monitor"
    prefix: str = "sandbox"
    participants: tuple[str, ...] = ()
    each: bool = False  # every participant has a telemetry topic of its own; new ones are found while running
    find_every: float = 10.0
    instance: str = ""  # a stable name makes membership static: a restart takes no rebalance
    session_timeout: float = 10.0
    write_timeout: float = 30.0  # what is not acknowledged by then ends the process
    checkpoint_every_ms: int = 5_000
    time_every_ms: int = 10_000  # a `time` entry at least this often
    batch: int = 20_000  # records per write, at most; of large ones a fetch holds less
    kept: int = 10_000  # records of control that wait for telemetry; what comes behind them stays in the log meanwhile
    stall: float = 120.0  # without progress for so long, the process ends
    secret: bytes = b""  # keys the digests of rejected input; the same for every worker of the group
    signer: Signer | None = None  # signs commands and permits; the same for every worker of the group
    skip_lost: bool = False  # go on behind telemetry that the log deleted unread, on record; else the worker ends
    admitters: tuple[str, ...] = ()  # public keys that may admit pilots; empty: whoever writes to control may

    @property
    def names(self) -> Names:
        """The topics."""
        return Names(self.prefix, self.participants, self.each)


class Fetching(Protocol):
    """What the desk needs of the consumer; `hooks.Consumer` has it."""

    generation: int
    flowing: bool

    async def records(self, timeout: float) -> dict[Name, list[Record]]: ...
    async def position_of(self, name: Name) -> int: ...
    async def hint(self, offsets: dict[Name, int]) -> None: ...


def machine(settings: Settings, partition: int, epoch: int) -> Machine:
    """The machine of one partition as this deployment sets it up; a replay that is to agree must set it up so too."""
    owners = dict(zip(settings.names.telemetry, settings.participants, strict=False))
    return Machine(
        partition,
        epoch,
        secret=settings.secret,
        control_topic=settings.names.control,
        keyed=True,
        owner_of=owners.get,
        admitters=Trusted(settings.admitters),
    )


def _deleted(topic: str, partition: int, at: int, first: int, control: bool) -> str:
    """What an operator reads when the log begins behind what is to be read next."""
    fix = (
        "acts of people are among it: restore the topic from a backup"
        if control
        else "restore them from a backup, or start the workers once with --skip-lost, which puts the loss on record and flags each pilot "
        "that may have sent some of it"
    )
    return (
        f"{topic}/{partition} begins at {first}, but {at} is needed: offsets {at} to {first - 1} were deleted unread, by retention or by "
        f"hand; {fix} (runbook, SandboxTelemetryLost)"
    )


def end_process(why: str) -> NoReturn:
    """End at once with exit code 1: no clean-up may write another byte under an outcome nobody knows."""
    logger.critical("worker ends: %s", why)
    print(f"sandbox-monitor worker ends: {why}", file=sys.stderr, flush=True)
    os._exit(1)


class Seat:
    """One partition that this worker owns: its log, its runner, and how far each topic was handed over."""

    def __init__(self, log: KafkaLog, runner: Runner, generation: int) -> None:
        self.log = log
        self.runner = runner
        self.generation = generation
        self.handed: dict[str, int] = {}  # topic -> next offset that was not handed over yet
        self.kept: list[Record] = []  # control that waits until telemetry has come as far as `kept_until`
        self.dropped = False  # control that was fetched and not kept has to be read from the log
        self.kept_until: tuple[int, dict[str, int]] | None = None  # so many of `kept` wait for telemetry up to there
        self.time_at = -math.inf  # s, monotonic: the broker's clock may jump
        self.asked: tuple[float, dict[str, int]] | None = None  # when the ends were asked for, and what they were
        self.moves_seen = -1
        self.moved_at = time.monotonic()


class Desk:
    """All partitions of one worker. `metrics` may be None; `failpoint` is for tests that kill workers."""

    CLOSE_ENOUGH = 0.5  # s; ends asked for longer ago than this do not prove that telemetry is read to its end
    HINT_EVERY = 1.0  # s
    TURN = 0.005  # s; what comes within it is worked on together, as a transaction costs as much for one record as for many
    STOP_WITHIN = 5.0  # s from the last checkpoint of an orderly stop to the end of the process
    LATE = 5.0  # s by which an idle seat's next `time` entry may be late before it is no proof of progress any more

    def __init__(
        self,
        settings: Settings,
        consumer: Callable[[], Fetching],
        *,
        metrics: Metrics | None = None,
        on_outputs: Callable[[Outputs], None] = lambda outputs: None,
        failpoint: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._metrics = metrics
        self._on_outputs = on_outputs
        self._failpoint = failpoint
        self._seats: dict[int, Seat] = {}
        self._logs: list[KafkaLog] = []  # seated or being recovered
        self._holds = 0  # rises whenever partitions are let go, also under a recovery that goes on
        self._torn: list[int] = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._leaving = False
        self.left = False  # an orderly stop has written all there was to write
        self._seated_once = False
        self._hinted_at = 0.0
        self._proof_at = time.monotonic()
        self._moves = -1
        self._others: Others | None = None  # while this worker has no partitions and is ready to take some

    # ---- what health and the watchdog look at

    @property
    def topics(self) -> set[str]:
        """What the worker subscribes to."""
        return {*self._settings.names.telemetry, self._settings.names.control}

    def meet(self, participants: tuple[str, ...]) -> None:
        """From the next assignment on, these have telemetry topics; the caller subscribes again."""
        self._settings = structs.replace(self._settings, participants=participants)

    @property
    def ready(self) -> bool:
        """Whether an assignment has been recovered and is being worked on."""
        return self._seated_once and not self._leaving and not self._torn

    @property
    def quiet_for(self) -> float:
        """Seconds since the last proof of progress."""
        return time.monotonic() - self._proof_at

    @property
    def _lately(self) -> float:
        """Whoever owns a partition has written the time to its journal within so many seconds."""
        return 2 * self._settings.time_every_ms / 1000 + self.LATE

    # ---- ownership

    async def seat(self, assigned: set[Name], generation: int) -> dict[Name, int]:
        """Recover every partition that is wholly assigned; returns where each topic is to be read from.

        Empty when the group went on to another generation meanwhile, or when the worker was told to leave. Ends the process
        on any failure of what it still holds; a cancellation (another rebalance) passes, and leaves nothing seated.
        """
        await self._let_go()
        gc.collect()  # before there is much to look at; what is garbage later, and frozen, would stay
        held = self._holds
        self._seated_once, self._others = False, None
        partitions = sorted({p for _, p in assigned})
        whole = [p for p in partitions if all((topic, p) in assigned for topic in self.topics)]
        self._torn = [p for p in partitions if p not in whole]
        if self._torn:
            logger.error("partitions %s are held in part only: not claimed", self._torn)
        try:
            seats = await asyncio.gather(*(self._recover(p, generation) for p in whole))
            places: dict[Name, int] = {}
            for seat in seats:
                places |= await self._places(seat)
        except asyncio.CancelledError:
            await self._let_go()
            raise
        except Exception as error:
            if held == self._holds and not self._leaving:
                end_process(f"recovery failed: {error if isinstance(error, LogBroken) else repr(error)}")
            logger.info("recovery was overtaken by a rebalance or a stop: %r", error)
            await self._let_go()
            return {}
        if generation != self._consumer().generation or held != self._holds or self._leaving:
            await self._let_go()
            return {}
        self._seats = {seat.log.partition: seat for seat in seats}
        self._seated_once = True
        gc.freeze()  # a look at 100,000 pilots for garbage, of which they make none, would hold up a halt
        self._failpoint("seated")
        for seat in seats:
            logger.info("partition %d seated, epoch %d, from %s", seat.log.partition, seat.runner.epoch, seat.handed)
            self._tell(seat)
        return places

    def spare(self) -> None:
        """The group has more members than partitions, and left none for this one: it has nothing to recover, and is ready."""
        self._torn, self._seated_once = [], True
        self._others = Others(self._settings.bootstrap, self._settings.names.journal, self._lately)
        logger.info("no partition is left for this worker: it takes some when another ends")

    async def unseat(self) -> None:
        """Before partitions are given up: wait for the batch in flight, at most half the session time-out, let go."""
        try:
            await asyncio.wait_for(self._idle.wait(), self._settings.session_timeout / 2)
        except TimeoutError:
            end_process("a batch did not end in time for a rebalance")
        if self._seats:
            self._failpoint("unseating")
        self._seated_once = False  # who gives up and is never given anything again has made no progress
        await self._let_go()

    async def leave(self) -> None:
        """A clean stop: finish the batch in flight, checkpoint, let go."""
        self._leaving = True
        try:  # heartbeats go on meanwhile, so that a slow batch costs nobody the partitions
            await asyncio.wait_for(self._idle.wait(), self._settings.write_timeout)
            self._failpoint("leaving")
            for seat in self._seats.values():
                if self._owns(seat) and not seat.runner.replaying:
                    await seat.runner.checkpoint()
        except Exception as error:
            end_process(f"could not stop in order: {error!r}")
        await self._let_go()
        self.left = True
        threading.Thread(target=self._out, name="out", daemon=True).start()

    def _out(self) -> None:
        """All of ours is written; what Faust still does is to tell the group. Asked to stop while joining, it may wait for ever."""
        time.sleep(self.STOP_WITHIN)
        os._exit(0)

    async def _recover(self, partition: int, generation: int) -> Seat:
        s = self._settings
        log = KafkaLog(
            s.bootstrap,
            partition,
            s.prefix,
            s.group,
            participants=s.participants,
            each=s.each,
            owner=s.instance or f"{os.uname().nodename}/{os.getpid()}",
            generation=generation,
            chunk=min(s.batch, 5_000),
            timeout=s.write_timeout,
            signer=s.signer,
            admitters=s.admitters,
            failpoint=self._failpoint,
        )
        self._logs.append(log)
        runner = Runner(
            log,
            clock=lambda: int(time.monotonic() * 1000),  # the broker's may jump back, and no checkpoint would come
            machine=lambda p, epoch: machine(s, p, epoch),
            checkpoint_every_ms=s.checkpoint_every_ms,
            on_outputs=self._observe,
            on_checkpoint=lambda: self._checkpointed(partition),
            owner=s.instance,
            failpoint=self._failpoint,
        )
        began = time.monotonic()
        await runner.recover()
        self._check_leases(runner.machine, time.monotonic() - began)
        return Seat(log, runner, generation)

    def _check_leases(self, machine: Machine, recovery: float) -> None:
        """Say which services would stop if this worker crashed now: a lease must outlive twice the session time-out and the
        recovery that was just measured (s)."""
        least = 2 * (self._settings.session_timeout + recovery)
        short = [p.id for p in machine.pilots.values() if not p.exited and p.plan.lease_ms < least * 1000]
        if short:
            logger.error(
                "partition %d: the lease of %d pilots (%s ...) is below %.1f s, twice session time-out and recovery: a crash of "
                "one worker may stop their services",
                machine.partition,
                len(short),
                ", ".join(short[:3]),
                least,
            )
        if self._metrics is not None:
            self._metrics.short_leases(machine.partition, len(short))

    async def _places(self, seat: Seat) -> dict[Name, int]:
        """Where each topic is to be read from. What telemetry lost before it was read is skipped, where the settings
        say so."""
        lost: dict[str, tuple[int, int]] = {}
        for topic in sorted(self.topics):
            runner = seat.runner
            control = topic == seat.log.names.control
            at = runner.next_control if control else runner.next_telemetry.get(topic, 0)
            first = await seat.log.first(topic)
            if 0 < at < first:
                if control or not self._settings.skip_lost:
                    raise LogBroken(_deleted(topic, seat.log.partition, at, first, control))
                lost[topic] = (at, first)
            seat.handed[topic] = max(at, first)
        if lost:
            for topic, (at, first) in lost.items():
                logger.error("%s/%d: offsets %d to %d were lost unread", topic, seat.log.partition, at, first - 1)
            await seat.runner.skip(lost)
        return {(topic, seat.log.partition): at for topic, at in seat.handed.items()}

    async def _let_go(self) -> None:
        self._holds += 1
        gc.unfreeze()
        seats, self._seats = self._seats, {}
        logs, self._logs = self._logs, []
        for partition, seat in seats.items():
            if self._metrics is not None:
                self._metrics.revoked(partition)
                for pilot in seat.runner.machine.pilots:
                    self._metrics.forget(pilot)
        for log in logs:
            with contextlib.suppress(Exception):  # it is only the connection; the fence keeps what matters
                await log.close()

    def _checkpointed(self, partition: int) -> None:
        if self._metrics is not None:
            self._metrics.checkpointed(partition, wall_ms())
            seat = self._seats.get(partition)
            if seat is not None:
                pilots = seat.runner.machine.pilots
                self._metrics.held(partition, len(pilots.resident), len(pilots.evicted))

    def _tell(self, seat: Seat) -> None:
        """Metrics of what was recovered, so that a halted pilot does not vanish from view with a restart."""
        if self._metrics is None:
            return
        self._metrics.owns(seat.log.partition, seat.runner.epoch)
        for pilot in seat.runner.machine.pilots.values():
            standing = pilot.standing
            first = standing.active.get(standing.first_out)
            if pilot.exited:
                self._metrics.left(pilot.id, pilot.charter.participant.id)
            else:
                self._metrics.seed(
                    pilot.id,
                    pilot.charter.participant.id,
                    standing.level,
                    unknown=bool(standing.unknown),
                    command=restored_command(standing.halt_state, standing.retransmission),
                    reason=first.reason if first is not None else None,
                    standing=standing.counter,
                    since_ms=standing.since,
                    alerts=restored_alerts(pilot),
                )
                self._metrics.learn(pilot.charter)

    def _owns(self, seat: Seat) -> bool:
        return self._seats.get(seat.log.partition) is seat and seat.generation == self._consumer().generation

    # ---- the drain

    async def drain(self, consumer: Fetching, ending: Callable[[], bool]) -> None:
        """Fetch and work until `ending()`; a cancellation lets the list in hand finish first."""
        while not ending():
            try:
                fetched = await consumer.records(self._patience())
            except asyncio.CancelledError:
                if (
                    self._leaving
                ):  # Faust's fetcher takes this for a crash when a rebalance ends it while it is told to stop
                    return
                raise
            except Exception as error:
                if ending() or self._leaving:
                    return
                end_process(f"fetching failed: {error!r}")
            if self._leaving:
                return
            await asyncio.sleep(0)
            began = time.monotonic()
            self._idle.clear()
            task = asyncio.ensure_future(self._guarded(self._work(consumer, fetched)))
            try:
                await asyncio.shield(task)
            finally:
                if not task.done():
                    await asyncio.wait([task])
            if fetched:
                await asyncio.sleep(began + self.TURN - time.monotonic())

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:
            end_process(repr(error))
        finally:
            self._idle.set()

    def _patience(self) -> float:
        """Seconds to wait for records: until the next timer is due, at most one second; hardly any while control waits."""
        if any(seat.kept or seat.dropped for seat in self._seats.values()):
            return 0.01
        waits = [
            (seat.runner.notify_at - seat.log.clock()) / 1000
            for seat in self._seats.values()
            if seat.runner.notify_at is not None
        ]
        return min(1.0, max(0.05, min(waits, default=1.0)))

    def _going(self, consumer: Fetching, seat: Seat) -> bool:
        return consumer.flowing and self._owns(seat) and not self._leaving

    async def _work(self, consumer: Fetching, fetched: dict[Name, list[Record]]) -> None:
        for (topic, partition), raw in fetched.items():
            seat = self._seats.get(partition)
            if seat is not None and raw and consumer.flowing:
                await self._hand(consumer, seat, topic, raw)
        for seat in list(self._seats.values()):
            if self._going(consumer, seat) and not seat.runner.replaying:
                if seat.kept:
                    await self._control(consumer, seat)
                if seat.dropped and not seat.kept:
                    await self._more_control(consumer, seat)
                await self._time(consumer, seat)
        if self._metrics is not None:
            self._metrics.heartbeat(wall_ms())
        if time.monotonic() - self._hinted_at >= self.HINT_EVERY:
            await self._hint(consumer)

    async def _hand(self, consumer: Fetching, seat: Seat, topic: str, records: list[Record]) -> None:
        """Give one list to the runner, in batches; what lies between it and the last list is read from the log first."""
        at = seat.handed[topic]
        while at < records[0].offset:  # a list lost around a rebalance, or a hole that the log left: only the log knows
            missing = list(await seat.log.telemetry(topic, at, records[0].offset))
            if not missing:
                break
            at = missing[-1].offset + 1
            await self._give(consumer, seat, topic, missing)
        await self._give(consumer, seat, topic, records)

    async def _give(self, consumer: Fetching, seat: Seat, topic: str, records: list[Record]) -> None:
        for start in range(0, len(records), self._settings.batch):
            if not self._going(consumer, seat):
                return
            batch = records[start : start + self._settings.batch]
            if topic == seat.log.names.control:
                if len(seat.kept) >= self._settings.kept:
                    seat.dropped = True
                    return
                seat.kept.extend(batch)
            else:
                before, events = time.perf_counter(), seat.runner.machine.events
                await seat.runner.telemetry(topic, batch)
                if self._metrics is not None:
                    self._metrics.stepped(time.perf_counter() - before, seat.runner.machine.events - events)
                    self._metrics.uncounted(seat.runner.machine.drain_uncounted())
            seat.handed[topic] = max(seat.handed[topic], batch[-1].offset + 1)

    async def _control(self, consumer: Fetching, seat: Seat) -> None:
        """Hand over control once the telemetry that stood before it is stepped.

        In a backlog an act would else run ahead of telemetry that came before it, and close periods whose data still wait.
        And an owner that has lost its state steps again, before any act, all telemetry that an earlier owner can have
        stepped: only so does it put out the same again.
        """
        if seat.kept_until is None:
            seat.kept_until = len(seat.kept), await seat.log.ends(seat.log.names.telemetry)
        count, ends = seat.kept_until
        if not await self._read_to(consumer, seat, ends) or not self._going(consumer, seat):
            return
        kept, seat.kept, seat.kept_until = seat.kept[:count], seat.kept[count:], None
        await seat.runner.control(kept)

    async def _more_control(self, consumer: Fetching, seat: Seat) -> None:
        """Read on in control where a backlog was longer than `kept`: what was fetched meanwhile has been dropped."""
        control = seat.log.names.control
        at, fetched = seat.handed[control], await consumer.position_of((control, seat.log.partition))
        records = list(await seat.log.control(at, fetched)) if at < fetched else []
        seat.dropped = bool(records)
        if records:
            await self._give(consumer, seat, control, records)

    async def _read_to(self, consumer: Fetching, seat: Seat, ends: dict[str, int]) -> bool:
        """Whether all telemetry below these offsets has been handed over."""
        for topic, end in ends.items():
            if await consumer.position_of((topic, seat.log.partition)) < end:
                return False
        return True

    async def _time(self, consumer: Fetching, seat: Seat) -> None:
        """A `time` entry when one is due and telemetry has been read to its end.

        The end moves while records come in. So the ends are asked for, and once they have been reached within
        `CLOSE_ENOUGH`, telemetry counts as read to its end; a longer way means a backlog, and the ends are asked again.
        """
        runner, now = seat.runner, seat.log.clock()
        due = runner.notify_at is not None and now >= runner.notify_at
        if time.monotonic() - seat.time_at < (100 if due else self._settings.time_every_ms) / 1000:
            seat.asked = None
            return
        if seat.asked is None or time.monotonic() - seat.asked[0] > self.CLOSE_ENOUGH:
            asked_at = time.monotonic()
            seat.asked = asked_at, await seat.log.ends(seat.log.names.telemetry)
        if not await self._read_to(consumer, seat, seat.asked[1]):
            return
        seat.asked = None
        if not self._going(consumer, seat):
            return
        wanted = runner.notify_at
        await runner.time()
        if due and wanted is not None and self._metrics is not None:
            self._metrics.woken((now - wanted) / 1000)
        seat.time_at = time.monotonic()

    async def _hint(self, consumer: Fetching) -> None:
        self._hinted_at = time.monotonic()
        for seat in list(self._seats.values()):
            if self._going(consumer, seat):
                await consumer.hint({(topic, seat.log.partition): at for topic, at in seat.handed.items()})
                self._failpoint("hinted")

    def _observe(self, outputs: Outputs) -> None:
        if self._metrics is not None:
            self._metrics.observe(outputs)
            for decision in outputs.decisions:
                if decision.reason in (Reason.ADMITTED, Reason.AMENDED):
                    self._learn(self._metrics, decision.pilot)
        self._on_outputs(outputs)

    def _learn(self, metrics: Metrics, name: str) -> None:
        for seat in self._seats.values():
            pilot = seat.runner.machine.pilots.get(name)
            if pilot is not None:
                metrics.learn(pilot.charter)

    # ---- the watchdog

    def start_watchdog(self) -> None:
        """A thread, so that it also sees an event loop that stands still."""
        self._proof_at = time.monotonic()
        threading.Thread(target=self._bark, name="watchdog", daemon=True).start()

    def _bark(self) -> None:
        while True:
            time.sleep(min(5.0, self._settings.stall / 4))
            if self.quiet_for > self._settings.stall:
                end_process(f"no progress for {self.quiet_for:.0f} s")

    async def look(self) -> None:
        """For ever: note the proof of progress that the watchdog wants. Every seat must have moved, or have no lag and have
        written the time not long ago."""
        while True:
            await asyncio.sleep(min(5.0, self._settings.stall / 4))
            try:
                proven = await self._proven()
            except Exception as error:  # a rebalance closes logs under our eyes; a lasting fault brings no proof either
                logger.info("no proof of progress: %r", error)
                proven = False
            if proven:
                self._proof_at = time.monotonic()

    async def _proven(self) -> bool:
        if not self._seated_once:  # joining or recovering: what has been read or written counts
            moves = sum(log.moves for log in self._logs)
            before, self._moves = self._moves, moves
            return bool(self._logs) and moves != before
        if self._torn or self._leaving:
            return False
        if not self._seats and self._others is not None:
            return await self._others.work()
        consumer, proven = self._consumer(), True
        for seat in list(self._seats.values()):
            moved, seat.moves_seen = seat.log.moves != seat.moves_seen, seat.log.moves
            if moved:
                seat.moved_at = time.monotonic()
            ends = await seat.log.ends(sorted(self.topics))
            at = {topic: await consumer.position_of((topic, seat.log.partition)) for topic in ends}
            lag = {topic: end - at[topic] for topic, end in ends.items()}
            if self._metrics is not None:
                for topic, records in lag.items():
                    self._metrics.lagging(topic, seat.log.partition, max(0, records))
            # A seat without lag still writes the time now and then; one that does not would find no silence.
            resting = time.monotonic() - seat.moved_at < self._lately
            proven = proven and (moved or (resting and max(lag.values()) <= 0))
        return proven
