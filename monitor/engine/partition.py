"""What the parts of a machine share: the pilots of one partition, the queue of their timers, and how a decision
starts and ends."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

import msgspec
from msgspec import UNSET, Struct, structs

from monitor.deadlines.facts import FactKind
from monitor.deadlines.rules import ClockTable
from monitor.decide.context import DecisionContext
from monitor.decide.control_acts import restart_statistics
from monitor.decide.enforcement import stop_tracking
from monitor.decide.shadow_acts import end_shadow
from monitor.detect.periods import emit_all_held
from monitor.firms.rules import FirmClass
from monitor.lifecycle.sandbox_acts import SandboxState, configuration_digest
from monitor.model.events import Envelope
from monitor.model.records import Outputs
from monitor.model.subjects import firm_subject
from monitor.network.responsibility import network_of
from monitor.observe.fast_path_cache import HotPilots
from monitor.state.applicant import Applicant
from monitor.state.firm_file import FirmFile, class_in
from monitor.state.model_file import ModelFile
from monitor.state.pilot import PilotState
from monitor.state.pilot_cache import PilotCache
from monitor.state.rejection_rate import RejectionRates
from monitor.state.sandbox import SandboxSubject
from monitor.state.timers import NEVER, next_closing, next_timer

MOST_ASIDE = 256  # pilots of a partition that may be set aside: if more are damaged, the store is
STALE_TIMERS = 1_024  # outdated entries that the queue of timers may hold


class PartitionState(Struct, array_like=True):
    """State of the partition that belongs to no pilot: the last `time` (ms), up to where every period is closed (ms),
    the `rates` at which rejections are written, and the pilots that are set `aside`."""

    last_time: int = 0
    closed: int = 0
    rates: RejectionRates = msgspec.field(default_factory=RejectionRates)
    aside: list[str] = []

    def in_order(self) -> PartitionState:
        """Equal, with buckets by name: in which order they were made depends on how topics were interleaved, and is no
        part of the state."""
        return structs.replace(self, rates=self.rates.in_order())


class Partition:
    """The pilots of one partition and when their timers are due.

    `changed` are the pilots, applicants, models and firms whose state differs from the last checkpoint. `service` is
    False for replays of telemetry without a service: then commands are neither resent nor followed up.
    """

    def __init__(self, number: int, epoch: int, *, resident: int, hot: int, service: bool) -> None:
        self.number = number
        self.epoch = epoch
        self.service = service
        self.state = PartitionState()
        self.subject = SandboxSubject()
        self.given_digest = ""  # of a configuration that was put in force without what a history leaves out
        self.hot = HotPilots(epoch, hot)
        self.pilots = PilotCache(resident, on_load=self._loaded, on_evict=self.hot.evicted)
        self.changed: set[str] = set()
        self.applications: dict[str, Applicant] = {}  # pilots that are not admitted
        self.models: dict[str, ModelFile] = {}  # by key, `model:<id>`
        self.firms: dict[str, FirmFile] = {}  # by key, `firm:<id>`
        self._clock_table: ClockTable | None = None
        self.with_clocks: set[str] = set()  # pilots that have cases
        self._queue: list[tuple[int, str]] = []  # (due, pilot), a heap; entries may be outdated
        self._due: dict[str, int] = {}  # the due time that is true, by pilot
        self._closed: dict[str, int] = {}  # up to where (ms) the periods of each pilot are closed

    @property
    def sandbox(self) -> SandboxState:
        """The configuration of the sandbox, as this partition has it."""
        return self.subject.configuration

    @property
    def configuration_digest(self) -> str:
        """The digest of the configuration in force; "" without one."""
        return self.given_digest or configuration_digest(self.sandbox.sandbox)

    def class_of(self, firm: str) -> FirmClass:
        """The class of a firm that is in force."""
        return class_in(self.firms.get(firm_subject(firm)))

    def sandbox_for(self, firm: str) -> SandboxState:
        """The configuration as it is for the pilots of a firm: with the duties of its class."""
        state = self.sandbox
        if state.sandbox is None or state.sandbox.duties is UNSET:
            return state
        return structs.replace(state, sandbox=state.sandbox.for_class(self.class_of(firm)))

    # ---- decisions

    def context(
        self, pilot: PilotState, at: int, source: Envelope | str, out: Outputs, signed: str = ""
    ) -> DecisionContext:
        """A decision context for one cause; see `DecisionContext`."""
        context = DecisionContext(pilot, pilot.plan, at, source, out, self.epoch, signed)
        context.table = self.clock_table
        context.network = network_of(self.sandbox.sandbox)
        context.sandbox = self.sandbox.sandbox
        return context

    def settle(self, context: DecisionContext) -> None:
        """End a cause: when a crossing of a limit was tolerated, its share of alpha is spent and statistics restart."""
        pilot = context.pilot
        if context.tolerated:
            restart = pilot.standing.restart + 1
            pilot.standing = structs.replace(pilot.standing, restart=restart)
            restart_statistics(pilot, context.plan, restart, context.at)
        if pilot.shadow is not None and (pilot.exited or pilot.shadow.live != pilot.hash):
            end_shadow(context, "exited" if pilot.exited else "amended")
        if pilot.exited and pilot.late_held:
            emit_all_held(context)
        if not self.service:
            stop_tracking(pilot)

    @property
    def clock_table(self) -> ClockTable | None:
        """The clock table of the sandbox in force; `None`: there are no clocks."""
        return self._clock_table

    @clock_table.setter
    def clock_table(self, table: ClockTable | None) -> None:
        self._clock_table = table
        self.hot.complaint_deadlines(table if table and table.started_by(FactKind.COMPLAINT) else None)

    def take_clock_table(self) -> ClockTable | None:
        """Use the clock table of the sandbox in force. Returns the one before it."""
        before, sandbox = self.clock_table, self.sandbox.sandbox
        self.clock_table = None if sandbox is None else sandbox.clocks
        return before

    # ---- timers

    def arm(self, pilot: PilotState) -> None:
        """Compute the next due time of a pilot and up to where its periods are closed."""
        due = pilot.due = next_timer(pilot)[0]
        if due != self._due.get(pilot.id) and due < NEVER:
            heappush(self._queue, (due, pilot.id))
        self._due[pilot.id] = due
        if pilot.clocks.cases:
            self.with_clocks.add(pilot.id)
        if len(self._queue) > 2 * len(self._due) + STALE_TIMERS:  # most entries are outdated
            self._queue = [(at, name) for name, at in self._due.items() if at < NEVER]
            heapify(self._queue)
        if pilot.exited:
            self._closed.pop(pilot.id, None)
            return
        closes = next_closing(pilot)
        if closes is not None:
            self._closed[pilot.id] = closes.edge

    @property
    def notify_at(self) -> int | None:
        """When the first timer is due (ms), `None` without one. A lower bound: no timer is due earlier."""
        while self._queue:
            due, name = self._queue[0]
            if self._due.get(name) == due:
                return due
            heappop(self._queue)
        return None

    def fire_due(self, now: int, fire: Callable[[PilotState], None]) -> bool:
        """Call `fire` with each pilot that has a timer due before `now` (ms). Returns whether there was one."""
        fired = False
        while (due := self.notify_at) is not None and due < now:
            pilot = self.pilots[heappop(self._queue)[1]]
            self.hot.use(pilot)
            fire(pilot)
            fired = True
            self.pilots.evict_excess()
        return fired

    def closed_until(self) -> int:
        """Up to where (ms) every period of the partition is closed."""
        return min(self._closed.values(), default=0)

    def drop(self, name: str) -> None:
        """Continue without a pilot."""
        if name in self.pilots:
            del self.pilots[name]
            self.hot.evicted(name)
        self._due.pop(name, None)
        self._closed.pop(name, None)
        self.changed.discard(name)
        self.with_clocks.discard(name)

    @property
    def queued_timers(self) -> int:
        """Entries of the timer queue, outdated ones included."""
        return len(self._queue)

    def _loaded(self, pilot: PilotState) -> None:
        """An evicted pilot becomes resident: its snapshot does not hold the due time."""
        pilot.due = self._due[pilot.id]
