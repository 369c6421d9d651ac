"""`Pilot`: what a service of a participant holds: it reports, it asks before it works, it shows that it lives."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeVar, cast
from urllib.parse import quote

from msgspec import Struct

from monitor.errors import SandboxMonitorError, Unavailable
from monitor.files.key_file import read_key
from monitor.model.events import (
    CommandAcknowledged,
    ComplaintFiled,
    ComplaintResolved,
    ComplaintWithdrawn,
    CostReported,
    Envelope,
    ExposureCorrected,
    ExposureTallied,
    GainReported,
    Harm,
    Heartbeat,
    IncidentReported,
    IncidentUpdated,
    ModelChanged,
    OutcomesCorrected,
    OutcomesTallied,
    Severity,
    encode,
)
from monitor.model.notice import Notice
from monitor.model.records import Command
from monitor.model.signing import Signer
from monitor.sdk.asgi import App, GuardedApp
from monitor.sdk.build import BadEvent, build
from monitor.sdk.clock import SECOND, Clock, boottime
from monitor.sdk.control_loop import ControlLoop, OnLapse
from monitor.sdk.drain import Hook
from monitor.sdk.guard import Entry, Guard
from monitor.sdk.http_link import HttpLink
from monitor.sdk.incarnation import Incarnation, begin
from monitor.sdk.lease import NonceSealer
from monitor.sdk.link import Link
from monitor.sdk.sender import Sender
from monitor.sdk.settings import STOPPING, Tier, consistent
from monitor.sdk.shared_state import SharedState
from monitor.sdk.spool import NO_ROOM, SpoolFull, no_room
from monitor.sdk.standing import Standing
from monitor.sdk.transports import open_link
from monitor.sdk.values import shown
from monitor.sdk.verifier import MessageVerifier, Trust, trusted

P = ParamSpec("P")
R = TypeVar("R")
MOST = 1e15  # of exposure that a heartbeat can state
HALT_BEATS = 4  # after a command heartbeats follow each other quickly, so that a halt is verified soon


class Status(Struct, frozen=True):
    """Health of the emitter, for a service's own monitoring: bytes that wait, why, the standing and the permit.

    `permits` says whether the service runs under permits; `permit_s` seconds are left of the last one (below 0: over;
    None: none came since this process began), `lapsed` tells that there should be one and is not. `refused` counts
    letters that were not believed, by word (see `monitor.sdk.verifier`). `leading`: this process reads for all of them.
    `not_recorded` counts reports, heartbeats among them, for which there was no room. `notice` is what the monitor last
    said of the pilot's telemetry in answer to a heartbeat: what it rejected and why, which findings are active
    (`counted_nowhere`: events were accepted and count nowhere), by when a tolerated crossing is to be rectified. It
    stays as it was while the monitor is away, over restarts, and while the pilot is halted; None before anything was
    said.
    """

    source: str
    waiting_bytes: int
    send_error: str
    follow_error: str
    standing: Standing
    serving: bool
    permits: Literal["required", "off"]
    permit_s: float | None
    lapsed: bool
    refused: dict[str, int]
    leading: bool
    not_recorded: int
    notice: Notice | None = None


def default_spool() -> Path:
    """Where spools live unless told otherwise: `$XDG_STATE_HOME/sandbox-monitor/spool`, else under `~/.local/state`."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "sandbox-monitor" / "spool"


class Pilot:
    """Reports telemetry of one pilot and obeys its commands. Safe to use from any number of threads; not across a fork.

    A call that reports returns when the event is durable: synced to the spool, from which a thread delivers it in order,
    also after a restart. So a call costs one fsync, not a round trip, and works while the other side is away. Inside
    `with pilot.together():` many calls share one fsync.

    `to` is `kafka://host:port[,host:port]`, `http://host:port`, or a `Link` of your own. `source` (default `<participant>/<pilot>`) is the
    stem; each start of a process adds its own incarnation to it. `model` is the digest of the model serving. `pack`
    events or `pack_ms` milliseconds make a batch. `spool_bytes` bounds the disk used for this pilot. `heartbeat_s`
    seconds lie between heartbeats (0: none). `follow=False` reads no commands, and then there is no guard. `serving`
    answers whether the service works; the default derives it from the guard. `guard_timeout` seconds is how long a guard
    waits for a standing or a first permit that is not there yet. `options` go to kafka-python (security settings,
    compression).

    `permits="required"`: no work without a permit, which the monitor gives in answer to a heartbeat and which lapses
    (60 s by default) counted from the sending of that heartbeat. `"off"`: halts are obeyed, the monitor's absence stops
    nothing. Default: required for the tiers high and critical, else off; a tier that stops cannot be off. What a lapse
    means: `on_lapse="stop"` (refuse) or `"shout"` (log, `status().lapsed`); default by `tier`, without one by what the
    permits say, and stop until they say it. A permit that says stop is always obeyed. `trust` holds the monitor's public
    keys (see `monitor.sdk.verifier.trusted`): only what they signed is believed. `key` is the service's own private key (a file
    of `sandbox-monitor keys new`): it signs what is sent, as a charter that names the public one asks. `drain_s` is how long work in hand may go
    on after a halt. `clock` (ns, counting through sleep) is for tests.

    Raises `BadEvent` on a bad pilot or source, ValueError on a bad address or setting, OSError when the spool cannot be
    written, `SpoolFull` when its disk has no room. Does not need the other side to be up.
    """

    def __init__(
        self,
        pilot: str,
        *,
        participant: str,
        to: str | Link = "kafka://127.0.0.1:9092",
        source: str = "",
        model: str = "",
        spool_dir: str | Path | None = None,
        spool_bytes: int = 256 << 20,
        pack: int = 100,
        pack_ms: int = 50,
        heartbeat_s: float = 10.0,
        follow: bool = True,
        guard_timeout: float = 5.0,
        serving: Callable[[], bool] | None = None,
        topic_prefix: str = "sandbox",
        telemetry_topic: str = "",
        options: Mapping[str, Any] | None = None,
        tier: Tier | None = None,
        permits: Literal["required", "off"] | None = None,
        on_lapse: OnLapse | None = None,
        trust: Trust = None,
        key: str | Path | Signer | None = None,
        drain_s: float = 10.0,
        clock: Clock | None = None,
    ) -> None:
        permits = permits or ("required" if tier in STOPPING else "off")
        consistent(tier, permits, on_lapse, heartbeat_s, follow)
        for name, value, least in (("pack", pack, 1), ("pack_ms", pack_ms, 0), ("spool_bytes", spool_bytes, 65536)):
            if value < least:
                raise ValueError(f"{name} is {value}; give at least {least}")
        if drain_s < 0:
            raise ValueError(f"drain_s is {drain_s:g}; give at least 0")
        if not participant:
            raise ValueError("participant is empty; give the firm's id as in the charter")
        link = (
            open_link(to, prefix=topic_prefix, telemetry=telemetry_topic, options=options)
            if isinstance(to, str)
            else to
        )
        keys = trusted(trust)
        signer = key if isinstance(key, Signer) else read_key(Path(key)) if key else None
        stem = source or f"{participant}/{pilot}"
        build(Heartbeat, source=f"{stem}/{'0' * 20}", pilot=pilot, number=1, at=None, data=_beat(model, "0", True, 0.0))
        self.pilot = pilot
        self.participant = participant
        home = Path(spool_dir) if spool_dir else default_spool()
        self._own, adopted = begin(home, pilot, spool_bytes)
        self.source = f"{stem}/{self._own.name}"
        self._model = model
        self._number = self._not_recorded = 0
        self._counter = 0.0
        self._lock = threading.Lock()
        self._open = threading.local()  # depth and last position of `together` in this thread
        self._closed = False
        self._serving = serving
        self._sender = Sender(link, pilot, self._own, adopted, pack=pack, pack_ms=pack_ms, signer=signer)
        self._clock = clock or boottime()
        self._permits: Literal["required", "off"] = permits
        stops = permits == "required" and (on_lapse or ("stop" if tier in (None, *STOPPING) else "shout")) == "stop"
        board = self._board(home / quote(pilot, safe=""), adopted) if follow else None
        self._guard = Guard(pilot, board, self._clock, guard_timeout, stops)
        if isinstance(link, HttpLink):  # the embedded monitor serves its board there
            self._guard.page = f"{link.address}/pilot/{quote(pilot, safe='')}"
        self._seal: NonceSealer | None = None
        self._keeper: ControlLoop | None = None
        if board is not None:
            self._seal = NonceSealer(board.secret, pilot)
            self._intake = MessageVerifier(pilot, keys, self._seal)
            self._keeper = ControlLoop(
                pilot,
                link,
                board,
                self._guard,
                self._intake,
                clock=self._clock,
                permits=permits == "required",
                on_lapse=on_lapse or ({True: "stop", False: "shout"}[tier in STOPPING] if tier else None),  # type: ignore[arg-type]
                drain_s=drain_s,
                answer=self._obeyed,
                beat=lambda: self._beat_now.set(),
            )
        self._beat_now = threading.Event()
        self._quick = 0
        self._beating = threading.Thread(
            target=self._beat, args=(heartbeat_s,), name=f"sandbox-heart-{pilot}", daemon=True
        )
        self._sender.start()
        if self._keeper:
            self._keeper.start()
        if heartbeat_s > 0:
            self._beating.start()

    def _board(self, base: Path, adopted: list[Incarnation]) -> SharedState:
        try:
            return SharedState(base)
        except OSError as error:
            for incarnation in (self._own, *adopted):
                incarnation.close()
            if error.errno in NO_ROOM:
                raise SpoolFull(no_room(base, error)) from error
            raise

    # Reports. Each returns the event's id; each raises `BadEvent`, `SpoolFull` or `SpoolBroken`, and then nothing was
    # recorded.

    def complaint(self, complaint: str, *, segment: str = "", category: str = "", at: datetime | None = None) -> str:
        """A complaint was filed (pseudonymous id; `at` = time of filing)."""
        return self._emit(ComplaintFiled, at, complaint=complaint, segment=segment, category=category)

    def complaint_resolved(
        self, complaint: str, *, filed: datetime, segment: str = "", at: datetime | None = None
    ) -> str:
        """A complaint was resolved; repeats when it was filed."""
        return self._emit(ComplaintResolved, at, complaint=complaint, filed=filed, segment=segment)

    def complaint_withdrawn(
        self, complaint: str, *, filed: datetime, segment: str = "", at: datetime | None = None
    ) -> str:
        """A complaint was withdrawn; repeats when it was filed."""
        return self._emit(ComplaintWithdrawn, at, complaint=complaint, filed=filed, segment=segment)

    def incident(
        self,
        incident: str,
        severity: Severity | str,
        *,
        harm: Harm | str = Harm.NONE,
        segment: str = "",
        at: datetime | None = None,
    ) -> str:
        """Something went wrong at `at`. `serious_incident` is exactly Art. 3(49) of the EU AI Act."""
        return self._emit(IncidentReported, at, incident=incident, severity=severity, harm=harm, segment=segment)

    def incident_update(
        self,
        incident: str,
        severity: Severity | str,
        *,
        was: Severity | str,
        harm: Harm | str = Harm.NONE,
        segment: str = "",
        at: datetime | None = None,
    ) -> str:
        """An earlier report is regraded from `was`; `at` is when the incident occurred."""
        return self._emit(
            IncidentUpdated, at, incident=incident, severity=severity, was=was, harm=harm, segment=segment
        )

    def outcomes(self, *, tp: int, fp: int, tn: int, fn: int, segment: str = "", at: datetime | None = None) -> str:
        """Confusion counts of decisions taken around `at`."""
        return self._emit(OutcomesTallied, at, tp=tp, fp=fp, tn=tn, fn=fn, segment=segment)

    def exposure(self, amount: float, unit: str, *, segment: str = "", at: datetime | None = None) -> str:
        """`amount` of exposure in the charter's `unit` (decisions, users, miles ...); also raises the running counter."""
        return self._emit(ExposureTallied, at, unit=unit, amount=amount, segment=segment)

    def exposure_corrected(self, amount: float, unit: str, *, at: datetime, segment: str = "") -> str:
        """Takes back exposure that was tallied too much: `amount` is below 0, `at` the time of the tally that was
        wrong. The running counter stays as it is."""
        return self._emit(ExposureCorrected, at, unit=unit, amount=amount, segment=segment)

    def outcomes_corrected(
        self, *, at: datetime, tp: int = 0, fp: int = 0, tn: int = 0, fn: int = 0, segment: str = ""
    ) -> str:
        """Takes back confusion counts that were tallied too much: each is 0 or below, `at` the time of that tally."""
        return self._emit(OutcomesCorrected, at, tp=tp, fp=fp, tn=tn, fn=fn, segment=segment)

    def cost(self, amount: float, currency: str, *, at: datetime | None = None) -> str:
        """Cost of complying with the charter."""
        return self._emit(CostReported, at, amount=amount, currency=currency)

    def gain(self, share: float, *, at: datetime | None = None) -> str:
        """Efficiency gained: 0.2 = 20 % less effort than without the pilot; negative = a loss."""
        return self._emit(GainReported, at, share=share)

    def model_changed(self, model: str, *, at: datetime | None = None) -> str:
        """From now on `model` serves; every later event carries it."""
        return self._emit(ModelChanged, at, new_model=model)

    def heartbeat(self, *, at: datetime | None = None) -> str:
        """The service lives: whether it works, its running exposure, a nonce. Sent by itself every `heartbeat_s`."""
        return self._emit(Heartbeat, at, serving=self.serving)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Events of this thread inside the block become durable together, when the block ends: one fsync for all of them."""
        depth = getattr(self._open, "depth", 0)
        self._open.depth, self._open.position = depth + 1, getattr(self._open, "position", 0)
        try:
            yield
        finally:
            self._open.depth = depth
            if not depth:
                position, self._open.position = self._open.position, 0
                if position:
                    self._own.spool.sync(position)
                    self._sender.wake(self._number)

    def _emit(self, kind: type[Envelope], at: datetime | None, **data: Any) -> str:
        with self._lock:
            if self._closed:
                raise BadEvent("pilot", "closed", "this Pilot was closed; make a new one")
            data["model"] = self._model
            if kind is ModelChanged:
                data["model"], data["was"] = data.pop("new_model"), self._model
            if kind is Heartbeat:
                # The lease of the permit that answers runs from here, before the event lies in the spool.
                salt, seal = os.urandom(8), self._seal
                data["nonce"] = seal.nonce(self._clock(), salt) if seal else salt.hex()
                data["exposure"] = self._counter
            # All that can be wrong with the arguments is found before the event is written.
            event: Any = build(kind, source=self.source, pilot=self.pilot, number=self._number + 1, at=at, data=data)
            raw = encode(event)
            counter = min(self._counter + event.data.amount, MOST) if kind is ExposureTallied else self._counter
            try:
                position = self._own.spool.append(raw)
            except SpoolFull:
                self._not_recorded += kind is not CommandAcknowledged  # that one is tried again until there is room
                raise
            self._number = number = self._number + 1
            self._model, self._counter = event.data.model, counter
            if kind is Heartbeat and self._keeper is not None:
                self._keeper.want(event.data.nonce)
        if getattr(self._open, "depth", 0):
            self._open.position = position
        else:
            self._own.spool.sync(position)
            self._sender.wake(number)
        return str(event.id)

    # Obeying.

    @property
    def standing(self) -> Standing:
        """The highest standing met so far."""
        return self._keeper.standing if self._keeper else Standing()

    @property
    def serving(self) -> bool:
        """What heartbeats say: work is going on, or may begin."""
        return bool(self._serving()) if self._serving else self._guard.serving

    def guard(self, decision: str = "", *, finishing: bool = False) -> Entry:
        """`with pilot.guard():` (or `async with`) around a piece of work; `decision` is a pseudonymous id of what it serves.

        Raises `Halted` while a halt stands or until the firm has resumed from its release, saying since when, why and what
        to do; `Lapsed` without a permit, where one is needed to work; `Unavailable` when after `guard_timeout` seconds the
        standing is still unknown: work does not begin before it is known. Work that began before a halt may go on for
        `drain_s` seconds, and heartbeats say `serving` until then; `finishing=True` says that a piece belongs to such
        work, and lets it begin within that time.
        """
        return self._guard.entry(decision, finishing)

    def check(self) -> None:
        """For long work in hand, in a thread: raises `Halted` once a halt's time to finish is over. (An asyncio task is
        cancelled then, and its `async with pilot.guard()` raises `Halted`.)"""
        self._guard.check()

    def on_halt(self, hook: Hook) -> Hook:
        """Have `hook(drain)` called when a halt is met, to finish or hand over work in hand: `drain.command`, `drain.left`
        seconds. A plain function runs in a thread of its own, a coroutine function in the running loop. The halt is
        acknowledged when nothing is in hand and every hook has returned, at the latest after `drain_s`. A decorator."""
        if self._keeper is None:
            raise ValueError("this Pilot was made with follow=False: it meets no halt")
        self._keeper.hooks.add(hook)
        return hook

    def resume(self) -> None:
        """The firm's own act after a release: work may begin again in every process of this machine, also after restarts.

        Raises `Halted` while a halt stands, `Unavailable` while the standing is not known. Nothing happens when there is
        nothing to resume from.
        """
        if self._keeper is None:
            raise Unavailable("this Pilot was made with follow=False: it meets no release")
        self._keeper.resume()

    def asgi(self, app: App, *, exempt: tuple[str, ...] = ()) -> GuardedApp:
        """`app` with each request guarded: what may not begin is answered 503 with problem details that name pilot, reason
        and decision. Paths that begin with one of `exempt` pass."""
        return GuardedApp(app, self.pilot, self._guard, exempt)

    def guarded(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorator: each call of `function`, plain or async, goes through `guard`."""
        guard, entry = self._guard, self._guard.entry("", False)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def later(*args: P.args, **kwargs: P.kwargs) -> Any:
                task, error = await entry.begin(), None
                try:
                    return await cast("Awaitable[Any]", function(*args, **kwargs))
                except BaseException as raised:
                    error = raised
                    raise
                finally:
                    entry.end(task, error)

            return cast("Callable[P, R]", later)

        @functools.wraps(function)
        def now(*args: P.args, **kwargs: P.kwargs) -> R:
            entry.__enter__()
            try:
                return function(*args, **kwargs)
            finally:
                guard.leave()

        return now

    def _obeyed(self, command: Command) -> None:
        self._emit(
            CommandAcknowledged,
            None,
            command=command.id,
            standing=command.standing,
            last_decision=shown(self._guard.last_decision),  # a bad one must not keep a halt unacknowledged
            dry_run=command.dry_run,
        )
        self._quick = HALT_BEATS
        self._beat_now.set()

    def _beat(self, every: float) -> None:
        while not self._closed:
            # A full spool is told to those who report; the heart goes on.
            with contextlib.suppress(SandboxMonitorError):
                self.heartbeat()
            self._beat_now.wait(min(every, 1.0) if self._quick else every)
            self._quick = max(0, self._quick - 1)
            self._beat_now.clear()

    # Ending.

    def status(self) -> Status:
        """Health of this emitter."""
        keeper, lease = self._keeper, self._guard.lease
        return Status(
            source=self.source,
            waiting_bytes=self._sender.waiting,
            send_error=self._sender.error,
            follow_error=keeper.error if keeper else "",
            standing=self.standing,
            serving=self.serving,
            permits=self._permits,
            permit_s=None if lease is None else (lease.until - self._clock()) / SECOND,
            lapsed=keeper.lapsed if keeper else False,
            refused=self._intake.counts if keeper else {},
            leading=keeper.leading if keeper else False,
            not_recorded=self._not_recorded,
            notice=self._guard.notice,
        )

    def flush(self, timeout: float = 30.0) -> None:
        """Return once the other side has everything reported so far.

        Raises `Unavailable` after `timeout` seconds; nothing is lost then, the spool keeps it.
        """
        if not self._sender.flush(timeout):
            raise Unavailable(
                f"{self._sender.waiting} bytes wait in the spool after {timeout:g} s"
                + (f": {self._sender.error}" if self._sender.error else "")
            )

    def close(self, timeout: float = 10.0) -> None:
        """Deliver what waits for at most `timeout` seconds, then stop. What is left is delivered by the next start."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._beat_now.set()
        if self._beating.ident is not None:
            self._beating.join()
        if self._keeper:
            self._keeper.stop()
        try:
            self._own.spool.sync(self._own.spool.written)
            self._sender.flush(timeout)
        finally:
            self._sender.stop()

    def __enter__(self) -> Pilot:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _beat(model: str, nonce: str, serving: bool, exposure: float) -> dict[str, Any]:
    return {"model": model, "nonce": nonce, "serving": serving, "exposure": exposure}
