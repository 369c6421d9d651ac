"""The embedded monitor: store, state machine, notary, actors, metrics, board and HTTP ingress in one process.

    HTTP, JSON lines --> store --> runner (validate observe detect decide) --> store --> notary (record) | actors (act)
    | metrics | board

Notary, actors, metrics and board read committed outputs from the store, each from its cursor, so a kill at any point
loses nothing that was acknowledged. A lock file keeps a directory to one process. The ingress accepts requests after
the first `time` entry is in the journal: from then on the monitor can distinguish silence of a firm from an outage of
the monitor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from monitor.act import ACTORS
from monitor.act.deliver import Deliver
from monitor.charter.control import Admission, Amendment
from monitor.charter.spec import Charter, charter_hash
from monitor.clock import wall_ms
from monitor.console.access.gate import BoardAccess
from monitor.console.fleet_view import FleetView
from monitor.console.routes import gate_of, routes
from monitor.embedded.charter_versions import charter_route
from monitor.embedded.firm_records import firm_routes
from monitor.embedded.ingress import Ingress
from monitor.embedded.jsonl import read_file, read_stream
from monitor.embedded.ledger_recorder import EVIDENCE, LedgerRecorder
from monitor.embedded.output_reader import OutputReader
from monitor.embedded.sandbox_record import sandbox_route
from monitor.embedded.sqlite_log import SqliteLog
from monitor.embedded.store import TOPIC, Incoming, Store
from monitor.embedded.users_door import UsersDoor, UsersDoorSettings
from monitor.engine.machine import Machine
from monitor.engine.runner import Runner
from monitor.errors import LedgerBroken, LogBroken, Refused
from monitor.files.durable import replace_file
from monitor.files.key_file import own_key
from monitor.files.lock import try_lock
from monitor.files.side_file import read_side_file
from monitor.http_server.bell import Bell, waited
from monitor.http_server.limits import ServerLimits
from monitor.http_server.server import HttpServer
from monitor.lifecycle.acts import Role
from monitor.lifecycle.sandbox import SUBJECT, Sandbox
from monitor.lifecycle.sandbox_acts import SandboxFounding, configuration_digest
from monitor.logs import EventLogger
from monitor.model.records import Decision, Outputs, digest
from monitor.model.signing import HEADER, Trusted
from monitor.notary.notary import Notary
from monitor.projections.metrics import Metrics
from monitor.publication.desk import desk_of
from monitor.publication.outside import connected
from monitor.publication.publisher import PublicationSettings, Publisher
from monitor.publication.routes import publication_route
from monitor.publication.service import PublicationService
from monitor.state.acts_once import validity

log = EventLogger(__name__)

HOST = "127.0.0.1"
TIME_EVERY_MS = 5_000  # a `time` entry at least this often; the machine takes more than 30 s for an outage
TIME_APART_MS = 20  # and at most this often, however close the timers are
LIMITS = ServerLimits(connections=2_048, connections_per_client=1_536)  # three connections for each pilot of an SDK
IDLE_S = 1.0  # the longest wait between two reads of the clock
_decision = msgspec.json.Decoder(Decision).decode


class DirectoryLock:
    """Keeps a directory to this process. Raises Refused when another process uses it."""

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lock = try_lock(directory / "lock")
        except OSError as error:
            at = error.filename or directory
            raise Refused(f"{at} cannot be used: {error.strerror}; give a --dir that this user may write to") from error
        if lock is None:
            owner = (directory / "lock").read_text(errors="replace")[:32].strip() or "unknown"
            raise Refused(f"{directory} is used by another monitor (process {owner}); stop it first")
        self._file = lock
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Unlock the directory."""
        os.close(self._file)


def secret_of(directory: Path) -> bytes:
    """Return the key of the digests of rejected bytes (32 bytes); create it on first use, readable by its owner
    only."""
    path = directory / "digest.key"
    price = "digests of rejected input differ from earlier ones of the same bytes"
    if not (secret := read_side_file(path, _secret, b"", price)):
        secret = secrets.token_bytes(32)
        replace_file(path, secret)
    return secret


def _secret(raw: bytes) -> bytes:
    if len(raw) != 32:
        raise ValueError(f"{len(raw)} bytes, not 32")
    return raw


class Monitor:
    """`start`, then `wait` until it fails or `stop` is called from elsewhere.

    `charters` are admitted at the start, or amended when their version is higher; repeating has no effect. The
    `sandbox` is founded after that; once it is, `charters` are neither admitted nor amended. `actors` get every
    decision. Only the public keys in `admitters` may admit pilots over HTTP. `watchers` get all committed outputs in
    order from the first one, like metrics and board. `limits` and `host_names`: see `HttpServer`. `publishing`: where
    the ledgers are published, and the seconds between rounds. `users`: how the door of the users runs; none without it.
    `access`: who may read the board; everybody who reaches it without.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 8321,
        charters: Sequence[Charter] = (),
        sandbox: Sandbox | None = None,
        actors: dict[str, Any] | None = None,
        watchers: Sequence[Callable[[Outputs], None]] = (),
        admitters: Sequence[str] = (),
        clock: Callable[[], int] = wall_ms,
        checkpoint_every_ms: int = 5_000,
        failpoint: Callable[[str], None] = lambda name: None,
        limits: ServerLimits = LIMITS,
        host_names: Sequence[str] = (),
        publishing: tuple[PublicationSettings, float] | None = None,
        users: UsersDoorSettings | None = None,
        access: BoardAccess | None = None,
    ) -> None:
        self.directory, self.port, self.clock = directory, port, clock
        self._limits, self._host_names = limits, host_names
        self.metrics = Metrics(actors=ACTORS)
        self.events = 0  # stepped since the start
        self.arrived, self.emitted = Bell(), Bell()
        self.open_mode = not admitters
        self.metrics.open_mode(self.open_mode)
        self.board = FleetView(ledger=self._ledger)
        self.board.open_mode = self.open_mode
        self._open = self.open_mode
        self._charters, self._sandbox, self._access = charters, sandbox, access
        self._learnt: dict[str, str] = {}
        self._watchers = [self.metrics.observe, self.board.apply, *watchers]
        with contextlib.ExitStack() as undo:  # closes what is open when the next one cannot be opened
            self._directory_lock = DirectoryLock(directory)
            undo.callback(self._directory_lock.release)
            self.notary = Notary(directory / "ledger")
            undo.callback(self.notary.close)
            secret = secret_of(directory)
            self._signer = own_key(directory / "signing.key")
            self._deliver = Deliver(
                actors or {},
                directory / "delivered.json",
                counted=self.metrics.acted,
                waiting=self.metrics.pending,
                history=True,
            )
            self.store = Store(directory / "monitor.db", clock=clock)
            undo.pop_all()
        # The operator may pass charters on the command line: those acts are signed with the key of the monitor.
        keys = [*admitters, self._signer.public]
        trusted = Trusted(keys)
        self._log = SqliteLog(self.store, owner=f"embedded/{os.getpid()}", admitters=keys, open_mode=self._open)
        self.runner = Runner(
            self._log,
            clock=clock,
            machine=lambda partition, epoch: Machine(
                partition, epoch, secret=secret, admitters=trusted, open_mode=self._open
            ),
            checkpoint_every_ms=checkpoint_every_ms,
            on_outputs=self._emit,
            on_checkpoint=self._checkpointed,
            failpoint=failpoint,
        )
        self.ingress = Ingress(
            self.store,
            arrived=self.arrived,
            emitted=self.emitted,
            exposition=self.metrics.exposition,
            signer=self._signer,
        )
        self.users: UsersDoor | None = None
        if users is not None:
            self.users = UsersDoor(directory, users, self.store, clock, self._open_charters, self)
            self.users.arrived = self.arrived.ring
            self._watchers = [*self._watchers, self.users.watch]
        self._publishing = publishing
        self.board.desk = desk_of(self.notary, publishing)
        self._publication: PublicationService | None = None
        self._web: HttpServer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._forwarding: asyncio.Task[None] | None = None
        self._stopping = False
        self._stopped = threading.Event()
        self._time_at = 0

    @property
    def address(self) -> str:
        """URL of the board."""
        return f"http://{HOST}:{self.port}/"

    # ---- start, wait, stop

    async def start(self) -> None:
        """Recover, step pending input, admit the charters, journal the time, accept requests.

        Raises Refused when the port is taken, LogBroken or LedgerBroken when a file is damaged or part of the directory
        was restored from an older copy.
        """
        await self._listen()
        await self._one_history()
        await self.runner.recover()
        self.metrics.owns(0, self.runner.epoch)
        self.metrics.set_aside(0, self.runner.machine.aside)
        self._learn()
        await self._telemetry()
        if self.runner.replaying:
            raise LogBroken(
                f"{self.store.path}: it holds outputs of telemetry that is missing; restore monitor.db from a backup"
            )
        await self._admit()
        await self._control()
        await self._found()
        self._warn_of_others()
        await self._telemetry()
        await self._time()
        self.ingress.ready = True
        self._begin("runner", self._drive())
        self._begin("notary", self._record())
        self._begin("act", self._act())
        delivery = asyncio.to_thread(self._deliver.run, self.clock, self._stopped.wait, self._stopped.is_set)
        self._begin("actors", delivery)
        self._begin("watchers", self._project())
        if self.users is not None:
            self._forwarding = asyncio.create_task(self.users.run(), name="users")
        self._publish()

    async def _one_history(self) -> None:
        """Raise LedgerBroken when store or ledger was restored from an older copy than the other."""
        at, end = self.notary.position.get("seq", 0), await self.store.last_output()
        if max(at, self.notary.position.get(EVIDENCE, 1) - 1) > end:
            raise LedgerBroken(
                f"{self.notary.directory} holds outputs up to number {at}, {self.store.path} ends at {end}: the "
                "database is older than the ledger; fix: restore a monitor.db that is as new as the ledger. Without "
                "one, keep "
                "the ledger as the record of what was decided and start with an empty --dir"
            )
        self.notary.must_hold([_decision(raw) for raw in await self.store.last_decisions(at)])

    async def wait(self) -> None:
        """Return when `stop` was called; raise what stopped the monitor otherwise."""
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def stop(self) -> None:
        """Stop accepting requests, finish the current batch, checkpoint, let the readers finish, release the
        directory."""
        self._stopping = True
        self.ingress.ready = False
        if self._web is not None:
            await self._web.stop()
        if self._forwarding is not None:
            self._forwarding.cancel()
            await asyncio.gather(self._forwarding, return_exceptions=True)
        if self.users is not None:
            await self.users.stop()
        self.arrived.ring()
        self.emitted.ring()
        self._stopped.set()
        failed = any(t.done() and not t.cancelled() and t.exception() is not None for t in self._tasks)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            if self._tasks and not failed:
                await self.runner.checkpoint()
        finally:
            await self.store.close()
            if self._publication is not None:
                await asyncio.to_thread(self._publication.stop)
            self.notary.close()
            self._directory_lock.release()

    def _checkpointed(self) -> None:
        """State was written now."""
        self.metrics.checkpointed(0, self.clock())
        self.metrics.set_aside(0, self.runner.machine.aside)

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    async def _listen(self) -> None:
        self._web = HttpServer("embedded", limits=self._limits, names=self._host_names, count=self.metrics.http_refused)
        self.ingress.join(self._web)
        gate = gate_of(self._access, self.clock, self._web.app)
        self._web.app.add_routes(
            [
                charter_route(self.store),
                sandbox_route(self.store),
                *firm_routes(self.board.firms),
                *routes(self.board, self.clock, gate),
            ]
        )
        if self._publishing is not None:
            served = self._publishing[0]
            self._web.app.add_routes([publication_route(served.directory, pilot_logs=served.serve_pilot_logs)])
        self.port = await self._web.start(HOST, self.port)
        if self.users is not None:
            await self.users.start(self.metrics.http_refused)

    def _publish(self) -> None:
        if self._publishing is not None:
            settings, every_s = self._publishing
            settings = connected(settings, self.notary.directory, self.metrics)
            publisher = Publisher(self.notary.directory, lambda: self.notary.logs, settings)
            self._publication = PublicationService(publisher, self.metrics, every_s, self.clock)
            self._publication.start()

    # ---- read and step

    async def _drive(self) -> None:
        """The loop of the owner: step control and telemetry to their ends, then journal the time when it is due."""
        while not self._stopping:
            ticket = self.arrived.ticket
            await self._telemetry()
            if await self._control():
                continue
            now = self.clock()
            if now >= self._next_time(now):
                await self._time()
                continue
            self.metrics.heartbeat(now)
            await waited(ticket, max(0.001, min(IDLE_S, (self._next_time(now) - now) / 1000)))

    def _next_time(self, now: int) -> int:
        """When the next `time` entry is due (ms); immediately after the clock was set back."""
        if now < self._time_at:
            return now
        due, asked = self._time_at + TIME_EVERY_MS, self.runner.notify_at
        # A timer fires at the first `time` that is later than its due time, hence the millisecond.
        return due if asked is None else max(self._time_at + TIME_APART_MS, min(due, asked + 1))

    async def _telemetry(self) -> None:
        """Step telemetry until none is pending."""
        while not self._stopping:
            ends, control_end = await self.store.ends()
            if not self.runner.replaying:  # a pilot is admitted before telemetry sent after its admission is stepped
                await self._control(control_end)
            behind = {topic: end - self.runner.next_telemetry.get(topic, 0) for topic, end in sorted(ends.items())}
            for topic, records in behind.items():
                self.metrics.lagging(topic, 0, records)
            if not any(behind.values()):
                return
            for topic, end in sorted(ends.items()):
                await self._step(topic, end)

    async def _step(self, topic: str, end: int) -> None:
        start = self.runner.next_telemetry.get(topic, 0)
        if start >= end:
            return
        records = await self._log.telemetry(topic, start, end)
        began, before = asyncio.get_running_loop().time(), self.runner.machine.events
        await self.runner.telemetry(topic, records)
        events = self.runner.machine.events - before
        self.events += events
        took = asyncio.get_running_loop().time() - began
        self.metrics.stepped(took, events)
        if topic == TOPIC:
            self.ingress.backlog.stepped(self.runner.next_telemetry.get(topic, 0), took)
        self.metrics.uncounted(self.runner.machine.drain_uncounted())
        # A backlog may take longer than the time between two `time` entries.
        self.board.liveness.mark_alive(0, self.clock())

    async def _control(self, end: int | None = None) -> bool:
        """Step control to `end` (default: the end of the log). Returns whether there was any."""
        if end is None:
            _, end = await self.store.ends()
        start = self.runner.next_control
        if start >= end:
            return False
        await self.runner.control(await self._log.control(start, end))
        self.ingress.acts.stepped(self.runner.next_control)
        self._learn()
        return True

    def _emit(self, outputs: Outputs) -> None:
        """Outputs are committed: wake those who wait for them."""
        self.emitted.ring()
        self.ingress.polls.ring({command.pilot for command in outputs.commands})
        self.ingress.polls.ring({permit.pilot for permit in outputs.permits})

    def _learn(self) -> None:
        """Pass the charters in force to board, actors and metrics, and whether authors are proved."""
        machine = self.runner.machine
        self.open_mode = self.board.open_mode = machine.open_mode
        self.metrics.configured(0, *machine.configuration, machine.open_mode)
        self.board.sandbox.given(machine.sandbox.sandbox)
        for pilot in self.runner.machine.pilots.values():
            in_force = charter_hash(pilot.charter)
            if self._learnt.get(pilot.id) != in_force:
                self._learnt[pilot.id] = in_force
                self.board.learn(pilot.charter)
                self._deliver.learn(pilot.charter)
                self.metrics.learn(pilot.charter)

    def channel_keys(self, author: str) -> tuple[str, ...]:
        """The public keys of a public channel in the configuration in force; none for everybody else."""
        sandbox = self.runner.machine.sandbox.sandbox
        person = None if sandbox is None else sandbox.person(author)
        return () if person is None or Role.PUBLIC_CHANNEL not in person.roles else person.keys

    def _open_charters(self) -> dict[str, Charter]:
        """The charters of the pilots that users may complain about."""
        return {pilot.id: pilot.charter for pilot in self.runner.machine.pilots.values()}

    def _ledger(self, pilot: str) -> tuple[int, str] | None:
        head = self.notary.head(pilot)
        return None if head is None else (head.size, head.root)

    async def _time(self) -> None:
        asked = self.runner.notify_at
        await self.runner.time()
        self._time_at = self.clock()
        self.board.liveness.mark_alive(0, self._time_at)
        if asked is not None and asked < self._time_at:
            self.metrics.woken((self._time_at - asked) / 1000)

    async def _admit(self) -> None:
        """Send the charters to control, unless they are in force already."""
        acts = []
        for charter in self._charters:
            pilot, name = self.runner.machine.pilots.get(charter.pilot), charter_hash(charter)
            if pilot is not None and charter_hash(pilot.charter) == name:
                continue
            kind = Admission if pilot is None else Amendment
            given = validity(0 if pilot is None else pilot.standing.counter, self.clock())
            unguessable = digest("serve", kind.__name__, name, secrets.token_bytes(16))
            act = kind(id=unguessable, pilot=charter.pilot, author="serve", charter=charter, **given)
            body = msgspec.json.encode(act)
            signed = ((HEADER, self._signer.sign("control", body).encode()),)
            acts.append(Incoming(body, key=charter.pilot.encode(), headers=signed))
        if acts:
            await self.store.feed_control(acts)

    async def _found(self) -> None:
        """Found the sandbox, unless one is founded. Charters that are given are admitted before: an operator may not
        admit pilots afterwards."""
        given, founded = self._sandbox, self.runner.machine.sandbox.sandbox
        if given is None:
            return
        if founded is None:
            act = SandboxFounding(id=digest("serve", secrets.token_bytes(16)), pilot=SUBJECT, author="serve",
                                  sandbox=given, **validity(0, self.clock()))  # fmt: skip
            body = msgspec.json.encode(act)
            signed = ((HEADER, self._signer.sign("control", body).encode()),)
            await self.store.feed_control([Incoming(body, key=SUBJECT.encode(), headers=signed)])
            await self._control()
        elif configuration_digest(founded) != configuration_digest(given):
            log.warning(
                "sandbox.not_in_force",
                stage="decide",
                version_in_force=founded.version,
                detail="another configuration is in force; change it with `sandbox-monitor sandbox propose`",
            )

    def _warn_of_others(self) -> None:
        """Warn of each given charter that was refused because another one is in force."""
        for charter in self._charters:
            pilot = self.runner.machine.pilots.get(charter.pilot)
            if pilot is None or pilot.hash != charter_hash(charter):
                log.warning(
                    "charter.not_in_force",
                    stage="decide",
                    pilot=charter.pilot,
                    version=charter.version,
                    version_in_force=None if pilot is None else pilot.charter.version,
                    hash_in_force=None if pilot is None else pilot.hash,
                    detail="GET /v1/rejected has the reason",
                )

    # ---- record, act, project: readers of committed outputs

    async def _follow(
        self, reader: OutputReader | LedgerRecorder, take: Callable[[Outputs], Coroutine[Any, Any, None]]
    ) -> None:
        """Pass on committed outputs as they appear; at a stop, first read to their end."""
        while True:
            ticket = self.emitted.ticket
            outputs = await reader.read()
            if outputs is not None:
                await take(outputs)
            elif self._stopping and self._tasks[0].done():
                return
            else:
                await waited(ticket, 0.1 if self._stopping else IDLE_S)

    async def _record(self) -> None:
        recorder = LedgerRecorder(self.store, self.notary, self.metrics.recorded)
        await self._follow(recorder, recorder.enter)

    async def _act(self) -> None:
        # From the first decision on: each lane has a cursor and skips what it acted on before.
        reader = OutputReader(self.store, ("decisions",))
        _, history = await self.store.outputs_after((), 0, most=1 << 62)
        if not history:
            self._deliver.caught_up()

        async def take(outputs: Outputs) -> None:
            nonlocal history
            self._deliver.feed(outputs.decisions)
            if history and reader.at >= history:
                history = 0
                self._deliver.caught_up()

        await self._follow(reader, take)

    async def _project(self) -> None:
        async def take(outputs: Outputs) -> None:
            for watcher in self._watchers:
                watcher(outputs)

        reader = OutputReader(self.store)
        while (outputs := await reader.read()) is not None:
            await take(outputs)
        self.ingress.restored.set()
        await self._follow(reader, take)

    # ---- JSON lines

    async def read_lines(self, source: Path | BinaryIO, progress: Callable[[int, int], None]) -> int:
        """Append a file or a stream of JSON lines; see `monitor.embedded.jsonl`."""

        def appended(lines: int, size: int) -> None:
            self.arrived.ring()
            progress(lines, size)

        if isinstance(source, Path):
            return await read_file(self.store, source, appended)
        return await read_stream(self.store, source, appended)
