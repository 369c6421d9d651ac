"""`Pilot`: the object that a participant's service holds. It reports, guards work, and sends heartbeats."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeVar

from monitor.access import environment
from monitor.errors import Unavailable
from monitor.files.key_file import read_key
from monitor.model.events import (
    BoundaryBreached,
    ClaimClosed,
    ClaimFiled,
    ComplaintFiled,
    ComplaintResolved,
    ComplaintWithdrawn,
    CostReported,
    ExposureCorrected,
    ExposureTallied,
    GainReported,
    Harm,
    Heartbeat,
    IncidentReported,
    IncidentUpdated,
    ItemsTallied,
    ModelChanged,
    OutcomesCorrected,
    OutcomesTallied,
    Severity,
)
from monitor.model.signing import Signer
from monitor.sdk.asgi import ASGIApp, GuardedApp
from monitor.sdk.clock import Clock, boottime
from monitor.sdk.command_state import CommandState
from monitor.sdk.drain import Hook
from monitor.sdk.guard import GuardedWork, guarded
from monitor.sdk.link import Link
from monitor.sdk.problem_watch import ProblemHook
from monitor.sdk.runtime import Runtime
from monitor.sdk.settings import OnLapse, PilotSettings, Tier, check, permits_of
from monitor.sdk.status import Status
from monitor.sdk.transports import open_link
from monitor.sdk.verifier import Trust, trusted

DEFAULT_TO = "kafka://127.0.0.1:9092"
P = ParamSpec("P")
R = TypeVar("R")


class Pilot:
    """Reports telemetry of one pilot and obeys its commands. Thread-safe; make a new one in a forked child.

    A reporting call returns when the event is durable: it is synced to the spool, from which a thread delivers it in
    order, with retries, also after a restart. It costs one fsync and no round trip, and works while the monitor is
    unavailable. The constructor does not need the monitor either.

    | keyword | meaning |
    |---|---|
    | `participant` | the firm's id, as in the charter |
    | `to` | `kafka://host:port[,host:port]`, `http://host:port`, or a `monitor.sdk.link.Link` |
    | `source` | stem of the events' `source` (default `<participant>/<pilot>`); each start adds its incarnation |
    | `model` | digest of the model that serves |
    | `spool_dir`, `spool_bytes` | where events are stored until they are delivered; bytes of disk for this pilot |
    | `pack`, `pack_ms` | a batch is sent with `pack` events or after `pack_ms` ms |
    | `heartbeat_s` | interval of heartbeats in s; 0: none |
    | `follow` | False: read no commands; there is no guard then |
    | `guard_timeout` | s that a guard waits while the state or a first permit is not known yet |
    | `serving` | returns whether the service works; default: derived from the guard |
    | `topic_prefix`, `telemetry_topic`, `options` | Kafka only; `options` go to kafka-python (security, compression) |
    | `topics` | Kafka only. "own": topics of the participant (`<prefix>.commands.<participant>` ...). "shared": those
      of all. Default: its own where they exist, and commands and permits from both |
    | `permits` | "required": no work without a permit. "off": halts are obeyed, an outage of the monitor stops nothing.
      Default: required for the tiers high and critical, which cannot be off; else off |
    | `on_lapse` | the end of a permit refuses work ("stop") or is logged ("shout"). Default: by `tier`; without one
      what the permits state, and stop until they state it. A permit that states stop is always obeyed |
    | `trust` | public keys of the monitor (`monitor.sdk.verifier.trusted`): only what they signed is accepted. Default:
      the first key that signs is pinned in `spool_dir`; required for the tiers high and critical. "none": no key is
      checked, for trials |
    | `key` | private key of the service (a file of `sandbox-monitor keys new`); signs what is sent |
    | `pseudonyms` | ids of complaints, incidents and decisions are sent as HMACs of what you pass, made with a key that
      is derived from `key`; an id that is a UUID, a ULID or a digest is sent as it is. Default: with `key` |
    | `drain_s` | s that running work may go on after a halt |
    | `board`, `runbook` | addresses of the board and of the runbook, for the links of `Halted` |
    | `clock` | ns, sleep included; for tests |

    Defaults from the environment: `participant` SANDBOX_MONITOR_AUTHOR, `to` SANDBOX_MONITOR_TO, `key`
    SANDBOX_MONITOR_KEY, `board` SANDBOX_MONITOR_BOARD_URL, `runbook` SANDBOX_MONITOR_RUNBOOK_URL.

    A permit answers a heartbeat and ends, after 60 s by default, counted from the sending of that heartbeat.

    Raises `BadEvent` on a bad pilot or source, ValueError on a bad address or setting, OSError when the spool cannot be
    written, `SpoolFull` when its disk is full, `Refused` when `key` cannot be read.
    """

    def __init__(
        self,
        pilot: str,
        *,
        participant: str | None = None,
        to: str | Link | None = None,
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
        topics: Literal["own", "shared"] | None = None,
        options: Mapping[str, Any] | None = None,
        tier: Tier | None = None,
        permits: Literal["required", "off"] | None = None,
        on_lapse: OnLapse | None = None,
        trust: Trust = None,
        key: str | Path | Signer | None = None,
        pseudonyms: bool | None = None,
        drain_s: float = 10.0,
        board: str | None = None,
        runbook: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        participant = os.environ.get(environment.AUTHOR, "") if participant is None else participant
        key = key or os.environ.get(environment.KEY)
        link: str | Link = os.environ.get(environment.TO) or DEFAULT_TO if to is None else to
        if isinstance(link, str):
            link = open_link(
                link,
                prefix=topic_prefix,
                telemetry=telemetry_topic,
                participant=participant,
                topics=topics,
                options=options,
            )
        settings = PilotSettings(
            pilot=pilot,
            participant=participant,
            source=source or f"{participant}/{pilot}",
            model=model,
            spool_dir=Path(spool_dir) if spool_dir else default_spool(),
            spool_bytes=spool_bytes,
            pack=pack,
            pack_ms=pack_ms,
            heartbeat_s=heartbeat_s,
            follow=follow,
            guard_timeout=guard_timeout,
            serving=serving,
            tier=tier,
            permits=permits_of(permits, tier),
            on_lapse=on_lapse,
            keys=trusted(trust),
            pins=trust is None,
            signer=key if isinstance(key, Signer) else read_key(Path(key)) if key else None,
            pseudonyms=pseudonyms,
            drain_s=drain_s,
            board=os.environ.get(environment.BOARD, "") if board is None else board,
            runbook=os.environ.get(environment.RUNBOOK, "") if runbook is None else runbook,
            clock=clock or boottime(),
        )
        check(settings)
        self.pilot = pilot
        self.participant = participant
        self._runtime = runtime = Runtime(link, settings)
        self.source = runtime.source
        self._reporter, self._guard, self._loop = runtime.reporter, runtime.guard, runtime.loop
        runtime.start()

    # Reports. Each returns the event's id once the event is durable, and blocks for one fsync. Each raises `BadEvent`,
    # `SpoolFull` or `SpoolBroken`; after the first two nothing was recorded.

    def complaint(self, complaint: str, *, segment: str = "", category: str = "", at: datetime | None = None) -> str:
        """A complaint was filed (pseudonymous id; `at` = time of filing)."""
        return self._reporter.emit(ComplaintFiled, at, complaint=complaint, segment=segment, category=category)

    def complaint_resolved(
        self, complaint: str, *, filed: datetime, segment: str = "", at: datetime | None = None
    ) -> str:
        """A complaint was resolved; `filed` is when it was filed."""
        return self._reporter.emit(ComplaintResolved, at, complaint=complaint, filed=filed, segment=segment)

    def complaint_withdrawn(
        self, complaint: str, *, filed: datetime, segment: str = "", at: datetime | None = None
    ) -> str:
        """A complaint was withdrawn; `filed` is when it was filed."""
        return self._reporter.emit(ComplaintWithdrawn, at, complaint=complaint, filed=filed, segment=segment)

    def incident(
        self,
        incident: str,
        severity: Severity | str,
        *,
        harm: Harm | str = Harm.NONE,
        segment: str = "",
        at: datetime | None = None,
    ) -> str:
        """An incident occurred at `at`. `serious_incident` is exactly Art. 3(49) of the EU AI Act."""
        return self._reporter.emit(
            IncidentReported, at, incident=incident, severity=severity, harm=harm, segment=segment
        )

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
        """The severity of an earlier report changes from `was`; `at` is when the incident occurred."""
        return self._reporter.emit(
            IncidentUpdated, at, incident=incident, severity=severity, was=was, harm=harm, segment=segment
        )

    def boundary_breached(self, boundary: str, *, segment: str = "", at: datetime | None = None) -> str:
        """Data crossed a `boundary` that the charter's `data_boundary` lists, at `at`."""
        return self._reporter.emit(BoundaryBreached, at, boundary=boundary, segment=segment)

    def outcomes(self, *, tp: int, fp: int, tn: int, fn: int, segment: str = "", at: datetime | None = None) -> str:
        """Confusion counts of decisions taken around `at`."""
        return self._reporter.emit(OutcomesTallied, at, tp=tp, fp=fp, tn=tn, fn=fn, segment=segment)

    def items(self, measure: str, *, marked: int, unmarked: int, segment: str = "", at: datetime | None = None) -> str:
        """Of items made around `at` and looked at, `marked` have the property that the charter's `measure` names (the
        label of generated content, a harm that a review found), and `unmarked` have it not."""
        return self._reporter.emit(ItemsTallied, at, measure=measure, marked=marked, unmarked=unmarked, segment=segment)

    def claim(self, claim: str, kind: str, *, segment: str = "", at: datetime | None = None) -> str:
        """A claim of the charter's `kind` was filed (pseudonymous id; `at` = time of filing): a demand to take an item
        down, or of a holder of rights."""
        return self._reporter.emit(ClaimFiled, at, claim=claim, kind=kind, segment=segment)

    def claim_closed(
        self,
        claim: str,
        kind: str,
        *,
        filed: datetime,
        withdrawn: bool = False,
        segment: str = "",
        at: datetime | None = None,
    ) -> str:
        """A claim was answered (the item was taken down, or the claim refused with reasons), or `withdrawn` by who
        filed it; `filed` is when it was filed."""
        return self._reporter.emit(
            ClaimClosed, at, claim=claim, kind=kind, filed=filed, segment=segment, withdrawn=withdrawn
        )

    def exposure(self, amount: float, unit: str, *, segment: str = "", at: datetime | None = None) -> str:
        """`amount` of exposure in the charter's `unit` (decisions, users, miles ...); increases the running counter."""
        return self._reporter.emit(ExposureTallied, at, unit=unit, amount=amount, segment=segment)

    def exposure_corrected(self, amount: float, unit: str, *, at: datetime, segment: str = "") -> str:
        """Corrects exposure that was reported too high: `amount` is below 0, `at` the time of the wrong report. The
        running counter does not change."""
        return self._reporter.emit(ExposureCorrected, at, unit=unit, amount=amount, segment=segment)

    def outcomes_corrected(
        self, *, at: datetime, tp: int = 0, fp: int = 0, tn: int = 0, fn: int = 0, segment: str = ""
    ) -> str:
        """Corrects confusion counts that were reported too high: each is 0 or below, `at` the time of that report."""
        return self._reporter.emit(OutcomesCorrected, at, tp=tp, fp=fp, tn=tn, fn=fn, segment=segment)

    def cost(self, amount: float, currency: str, *, at: datetime | None = None) -> str:
        """Cost of complying with the charter."""
        return self._reporter.emit(CostReported, at, amount=amount, currency=currency)

    def gain(self, share: float, *, at: datetime | None = None) -> str:
        """Efficiency gained: 0.2 = 20 % less effort than without the pilot; negative = a loss."""
        return self._reporter.emit(GainReported, at, share=share)

    def model_changed(self, model: str, *, at: datetime | None = None) -> str:
        """`model` serves from now on; every later event names it."""
        return self._reporter.emit(ModelChanged, at, new_model=model)

    def heartbeat(self, *, at: datetime | None = None) -> str:
        """Reports whether the service works, and its running exposure. Sent automatically every `heartbeat_s`."""
        return self._reporter.emit(Heartbeat, at, serving=self.serving)

    def together(self) -> AbstractContextManager[None]:
        """Return a context manager: events of this thread inside the block become durable together, with one fsync when
        the block ends."""
        return self._reporter.together()

    # Obeying.

    @property
    def standing(self) -> CommandState:
        """The newest command and release received so far."""
        return self._runtime.commands

    @property
    def serving(self) -> bool:
        """What heartbeats say: work is running, or may begin."""
        return self._runtime.serving

    def guard(self, decision: str = "", *, finishing: bool = False) -> GuardedWork:
        """`with pilot.guard():` (or `async with`) around a piece of work; `decision` is the pseudonymous id that it
        serves.

        Blocks for up to `guard_timeout` seconds while the state or a first permit is not known. Raises `Halted` under
        a halt and until the firm has resumed after its release; `Lapsed` without a permit, where work needs one;
        `Unavailable` when the state is still unknown. Work that began before a halt may go on for `drain_s` seconds,
        and heartbeats say `serving` until then; with `finishing=True` a piece that belongs to such work may begin
        within that time.
        """
        return self._guard.work(decision, finishing)

    def check(self) -> None:
        """For long work in a thread: raises `Halted` once the drain time of a halt is over. (An asyncio task is
        cancelled then, and its `async with pilot.guard()` raises `Halted`.)"""
        self._guard.check()

    def on_halt(self, hook: Hook) -> Hook:
        """Decorator: call `hook(drain)` at a halt, to finish or hand over running work within `drain.left` seconds.

        A plain function runs in its own thread, a coroutine function in the running event loop. The halt is
        acknowledged when no work is running and every hook has returned, at the latest after `drain_s`. Raises
        ValueError with `follow=False`, RuntimeError for a coroutine function when no event loop is running.
        """
        if self._loop is None:
            raise ValueError("this Pilot was made with follow=False: it receives no halt")
        self._loop.hooks.add(hook)
        return hook

    def on_rejected(self, hook: ProblemHook) -> ProblemHook:
        """Decorator: call `hook(problem)` when telemetry of the pilot was rejected, counts nowhere, or came too late to
        count; `problem` names reason, field and fix (`TelemetryProblem`).

        Each problem is told once, and again after an hour if it still occurs, in one process of this machine. A plain
        function runs in a separate thread, a coroutine function in the running event loop; neither delays the service.
        Raises ValueError with `follow=False`, RuntimeError for a coroutine function when no event loop is running.
        """
        if self._loop is None:
            raise ValueError("this Pilot was made with follow=False: it hears of no rejection")
        self._loop.problem_hooks.add(hook)
        return hook

    def resume(self) -> None:
        """The firm's own act after a release: work may begin again in every process of this machine.

        Durable when it returns, also for later starts. Blocks for up to `guard_timeout` seconds. Does nothing when
        there is nothing to resume from. Raises `Halted` under a halt, `Unavailable` while the state is not known.
        """
        if self._loop is None:
            raise Unavailable("this Pilot was made with follow=False: it receives no release")
        self._loop.resume()

    def asgi(self, app: ASGIApp, *, exempt: tuple[str, ...] = ()) -> GuardedApp:
        """Return `app` with each request guarded: a refused one gets 503 with problem details that name pilot, reason
        and decision. Paths that begin with one of `exempt` are not guarded."""
        return GuardedApp(app, self.pilot, self._guard, exempt)

    def guarded(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorator: each call of `function`, plain or async, is one piece of work of `guard`."""
        return guarded(self._guard, function)

    # Ending.

    def status(self) -> Status:
        """Return the health of the SDK in this process. Does not block on the network."""
        return self._runtime.status()

    def flush(self, timeout: float = 30.0) -> None:
        """Block until the monitor has everything reported so far.

        Raises `Unavailable` after `timeout` seconds; nothing is lost then, the events stay in the spool.
        """
        self._runtime.flush(timeout)

    def close(self, timeout: float = 10.0) -> None:
        """Deliver what waits, for at most `timeout` seconds, then stop. The next start delivers the rest."""
        self._runtime.close(timeout)

    def __enter__(self) -> Pilot:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def default_spool() -> Path:
    """The default of `spool_dir`: `$XDG_STATE_HOME/sandbox-monitor/spool`, else under `~/.local/state`."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "sandbox-monitor" / "spool"
