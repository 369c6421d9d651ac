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
from typing import Any, ParamSpec, TypeVar, cast

from msgspec import Struct

from monitor.errors import SandboxMonitorError, Unavailable
from monitor.model import Command
from monitor.sdk.build import BadEvent, build
from monitor.sdk.follower import Follower
from monitor.sdk.guard import Entry, Guard
from monitor.sdk.incarnation import begin
from monitor.sdk.link import Link, open_link
from monitor.sdk.sender import Sender
from monitor.sdk.standing import Standing
from monitor.telemetry import (
    CommandAcknowledged,
    ComplaintFiled,
    ComplaintResolved,
    ComplaintWithdrawn,
    CostReported,
    Envelope,
    ExposureTallied,
    GainReported,
    Harm,
    Heartbeat,
    IncidentReported,
    IncidentUpdated,
    ModelChanged,
    OutcomesTallied,
    Severity,
    encode,
)

P = ParamSpec("P")
R = TypeVar("R")
HALT_BEATS = 4  # after a command heartbeats follow each other quickly, so that a halt is verified soon


class Status(Struct, frozen=True):
    """Health of the emitter, for a service's own monitoring: bytes that wait, why, and the standing."""

    source: str
    waiting_bytes: int
    send_error: str
    follow_error: str
    standing: Standing


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
    waits for a standing that is not known yet. `options` go to kafka-python (security settings, compression).

    Raises `BadEvent` on a bad pilot or source, ValueError on a bad address or setting, OSError when the spool cannot be
    written. Does not need the other side to be up.
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
    ) -> None:
        for name, value, least in (("pack", pack, 1), ("pack_ms", pack_ms, 0), ("spool_bytes", spool_bytes, 65536)):
            if value < least:
                raise ValueError(f"{name} is {value}; give at least {least}")
        if not participant:
            raise ValueError("participant is empty; give the firm's id as in the charter")
        link = (
            open_link(to, prefix=topic_prefix, telemetry=telemetry_topic, options=options)
            if isinstance(to, str)
            else to
        )
        stem = source or f"{participant}/{pilot}"
        build(Heartbeat, source=f"{stem}/{'0' * 20}", pilot=pilot, number=1, at=None, data=_beat(model, "0", True, 0.0))
        self.pilot = pilot
        self.participant = participant
        self._own, adopted = begin(Path(spool_dir) if spool_dir else default_spool(), pilot, spool_bytes)
        self.source = f"{stem}/{self._own.name}"
        self._model = model
        self._number = 0
        self._counter = 0.0
        self._lock = threading.Lock()
        self._open = threading.local()  # depth and last position of `together` in this thread
        self._closed = False
        self._serving = serving
        self._sender = Sender(link, pilot, self._own, adopted, pack=pack, pack_ms=pack_ms)
        self._follower = Follower(link.feed(pilot), pilot, moved=self._moved, obeyed=self._obeyed) if follow else None
        self._guard = Guard(pilot, self._follower, guard_timeout)
        self._beat_now = threading.Event()
        self._quick = 0
        self._beating = threading.Thread(
            target=self._beat, args=(heartbeat_s,), name=f"sandbox-heart-{pilot}", daemon=True
        )
        self._sender.start()
        if self._follower:
            self._follower.start()
        if heartbeat_s > 0:
            self._beating.start()

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
                data["exposure"], data["nonce"] = self._counter, os.urandom(12).hex()
            event = build(kind, source=self.source, pilot=self.pilot, number=self._number + 1, at=at, data=data)
            position = self._own.spool.append(encode(event))
            self._number = number = self._number + 1
            self._model = data["model"]
            if kind is ExposureTallied:
                self._counter += data["amount"]
        if getattr(self._open, "depth", 0):
            self._open.position = position
        else:
            self._own.spool.sync(position)
            self._sender.wake(number)
        return event.id

    # Obeying.

    @property
    def standing(self) -> Standing:
        """The highest standing met so far."""
        return self._follower.standing if self._follower else Standing()

    @property
    def serving(self) -> bool:
        """What heartbeats say: work is going on, or may begin."""
        return self._serving() if self._serving else self._guard.serving

    def guard(self, decision: str = "") -> Entry:
        """`with pilot.guard():` (or `async with`) around a piece of work; `decision` is a pseudonymous id of what it serves.

        Raises `Halted` while a halt stands, saying since when, why and what to do; raises `Unavailable` when the
        standing is still unknown after `guard_timeout` seconds: work does not begin before it is known. Work that began
        before a halt goes on to its end, and heartbeats say `serving` until then.
        """
        return self._guard.entry(decision)

    def guarded(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorator: each call of `function`, plain or async, goes through `guard`."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def later(*args: P.args, **kwargs: P.kwargs) -> Any:
                async with self.guard():
                    return await cast("Awaitable[Any]", function(*args, **kwargs))

            return cast("Callable[P, R]", later)

        @functools.wraps(function)
        def now(*args: P.args, **kwargs: P.kwargs) -> R:
            with self.guard():
                return function(*args, **kwargs)

        return now

    def _obeyed(self, command: Command) -> None:
        self._emit(
            CommandAcknowledged,
            None,
            command=command.id,
            standing=command.standing,
            last_decision=self._guard.last_decision,
        )
        self._quick = HALT_BEATS
        self._beat_now.set()

    def _moved(self) -> None:
        self._beat_now.set()

    def _beat(self, every: float) -> None:
        while not self._closed:
            with contextlib.suppress(
                SandboxMonitorError
            ):  # a full spool is told to those who report; the heart goes on
                self.heartbeat()
            self._beat_now.wait(min(every, 1.0) if self._quick else every)
            self._quick = max(0, self._quick - 1)
            self._beat_now.clear()

    # Ending.

    def status(self) -> Status:
        """Health of this emitter."""
        follower = self._follower
        return Status(
            source=self.source,
            waiting_bytes=self._sender.waiting,
            send_error=self._sender.error,
            follow_error=follower.error if follower else "",
            standing=self.standing,
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
        if self._follower:
            self._follower.stop()
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
