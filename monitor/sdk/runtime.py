"""The parts of a `Pilot` and how they are connected."""

from __future__ import annotations

import os
from urllib.parse import quote

from monitor.errors import Unavailable
from monitor.model.events import CommandAcknowledged, Heartbeat
from monitor.model.records import Command
from monitor.sdk.build import build
from monitor.sdk.clock import SECOND
from monitor.sdk.command_state import CommandState
from monitor.sdk.control_loop import ControlLoop
from monitor.sdk.guard import Guard
from monitor.sdk.heartbeat import HeartbeatThread
from monitor.sdk.http_link import HttpLink
from monitor.sdk.incarnation import Incarnation, begin
from monitor.sdk.lease import NonceSealer
from monitor.sdk.link import Link
from monitor.sdk.reporter import Reporter, random_nonce
from monitor.sdk.sender import Sender
from monitor.sdk.settings import PilotSettings
from monitor.sdk.shared_state import SharedState
from monitor.sdk.spool import NO_ROOM, SpoolFull, no_room
from monitor.sdk.status import Status
from monitor.sdk.values import sendable


class Runtime:
    """Reporter and spool, sender, guard, heartbeats and control loop of one pilot in one process.

    `loop` is None with `follow=False`. Raises as the constructor of `Pilot`; nothing is left locked then.
    """

    def __init__(self, link: Link, settings: PilotSettings) -> None:
        _check_names(settings)
        pilot = settings.pilot
        self.settings = settings
        self.incarnation, adopted = begin(settings.spool_dir, pilot, settings.spool_bytes)
        self.source = f"{settings.source}/{self.incarnation.name}"
        self.sender = Sender(link, self.incarnation, adopted, settings)
        shared = self._open_shared(adopted) if settings.follow else None
        self.guard = Guard(pilot, shared, settings.clock, settings.guard_timeout, settings.stops_at_first)
        board = settings.board or (link.address if isinstance(link, HttpLink) else "")  # `serve` has its board there
        self.guard.page = f"{board.rstrip('/')}/pilot/{quote(pilot, safe='')}" if board else ""
        self.guard.runbook = f"{settings.runbook}#sandboxpilothalted" if settings.runbook else ""
        sealer = NonceSealer(shared.secret, pilot) if shared else None
        self.reporter = Reporter(
            settings,
            self.source,
            self.incarnation.spool,
            recorded=self.sender.wake,
            nonce=(lambda: sealer.seal(settings.clock(), os.urandom(8))) if sealer else random_nonce,
            announced=lambda nonce: self.loop.want(nonce) if self.loop else None,
        )
        self.heartbeats = HeartbeatThread(pilot, settings.heartbeat_s, self.heartbeat)
        self.loop: ControlLoop | None = None
        if shared is not None:
            self.loop = ControlLoop(
                link,
                shared,
                self.guard,
                settings,
                acknowledge=self._acknowledge,
                heartbeat=self.heartbeats.now,
            )

    def _open_shared(self, adopted: list[Incarnation]) -> SharedState:
        base = self.settings.spool_dir / quote(self.settings.pilot, safe="")
        try:
            return SharedState(base)
        except OSError as error:
            for incarnation in (self.incarnation, *adopted):
                incarnation.close()
            if error.errno in NO_ROOM:
                raise SpoolFull(no_room(base, error)) from error
            raise

    def start(self) -> None:
        """Start the threads."""
        self.sender.start()
        if self.loop:
            self.loop.start()
        self.heartbeats.start()

    @property
    def commands(self) -> CommandState:
        """The newest command and release received so far."""
        return self.loop.state if self.loop else CommandState()

    @property
    def serving(self) -> bool:
        """What heartbeats say: work is running, or may begin."""
        return bool(self.settings.serving()) if self.settings.serving else self.guard.serving

    def heartbeat(self) -> str:
        """Record a heartbeat and return its id."""
        return self.reporter.emit(Heartbeat, None, serving=self.serving)

    def _acknowledge(self, command: Command) -> None:
        self.reporter.emit(
            CommandAcknowledged,
            None,
            command=command.id,
            standing=command.standing,
            last_decision=sendable(self.guard.last_decision),  # a malformed one must not prevent the acknowledgement
            dry_run=command.dry_run,
        )
        self.heartbeats.burst()

    def status(self) -> Status:
        """See `Pilot.status`."""
        loop, lease = self.loop, self.guard.lease
        authority = loop.verifier.authority if loop else None
        return Status(
            source=self.source,
            waiting_bytes=self.sender.waiting,
            send_error=self.sender.error,
            follow_error=loop.error if loop else "",
            standing=self.commands,
            serving=self.serving,
            permits=self.settings.permits,
            permit_s=None if lease is None else (lease.until - self.settings.clock()) / SECOND,
            lapsed=loop.lapsed if loop else False,
            refused=loop.verifier.counts if loop else {},
            leading=loop.leading if loop else False,
            not_recorded=self.reporter.not_recorded,
            notice=self.guard.notice,
            trust=authority.mode if authority else "open",
            trusted_keys=authority.key_ids if authority else (),
        )

    def flush(self, timeout: float) -> None:
        """See `Pilot.flush`."""
        if not self.sender.flush(timeout):
            raise Unavailable(
                f"{self.sender.waiting} bytes wait in the spool after {timeout:g} s"
                + (f": {self.sender.error}" if self.sender.error else "")
            )

    def close(self, timeout: float) -> None:
        """See `Pilot.close`."""
        if not self.reporter.close():
            return
        self.heartbeats.stop()
        if self.loop:
            self.loop.stop()
        try:
            self.incarnation.spool.sync(self.incarnation.spool.written)
            self.sender.flush(timeout)
        finally:
            self.sender.stop()


def _check_names(settings: PilotSettings) -> None:
    """Raise `BadEvent` for a pilot, source or model that no event can carry, before anything is written."""
    data = {"model": settings.model, "nonce": "0", "serving": True, "exposure": 0.0}
    source = f"{settings.source}/{'0' * 20}"  # as long as one with an incarnation
    build(Heartbeat, source=source, pilot=settings.pilot, number=1, at=None, data=data)
