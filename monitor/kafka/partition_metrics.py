"""What a worker says about its partitions in metrics: after recovery, at a checkpoint, on release."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from monitor.clock import wall_ms
from monitor.engine.machine import Machine
from monitor.engine.sandbox_acts import HOME
from monitor.kafka.owned_partition import OwnedPartition
from monitor.lifecycle.life import state_words
from monitor.logs import EventLogger
from monitor.model.records import Outputs, Reason
from monitor.model.subjects import firm_of
from monitor.projections.charter_record import CAUSES
from monitor.projections.clock_board import ClockFold, restored_clocks
from monitor.projections.metrics import Metrics
from monitor.projections.open_commands import restored_command
from monitor.projections.pilot_series import Restored
from monitor.projections.restored_alerts import restored_alerts
from monitor.state.pilot import PilotState

logger = EventLogger(__name__)


class PartitionMetrics:
    """Translates what happens to partitions into `Metrics`. `wall` is the wall clock (ms)."""

    def __init__(self, metrics: Metrics, wall: Callable[[], int] = wall_ms) -> None:
        self._metrics = metrics
        self._wall = wall

    def recovered(self, owned: OwnedPartition) -> None:
        """Seed the series of every pilot: a halted one must not vanish from view with a restart."""
        metrics = self._metrics
        metrics.owns(owned.partition, owned.runner.epoch)
        metrics.set_aside(owned.partition, owned.runner.machine.aside)
        self._configured(owned)
        table = owned.runner.machine.clock_table
        for pilot in owned.runner.machine.pilots.values():
            standing = pilot.standing
            clocks = None if table is None else restored_clocks(pilot.clocks, table)
            first = standing.active.get(standing.first_out)
            if pilot.exited:
                metrics.left(pilot.id, pilot.charter.participant.id, state_words(pilot.life))
                if clocks is not None:
                    metrics.left_owing(pilot.id, pilot.charter.participant.id, standing.counter, clocks)
            else:
                metrics.seed(
                    pilot.id,
                    pilot.charter.participant.id,
                    standing.level,
                    unknown=bool(standing.unknown),
                    command=restored_command(standing.halt_state, standing.retransmission),
                    reason=first.reason if first is not None else None,
                    standing=standing.counter,
                    since_ms=standing.since,
                    alerts=restored_alerts(pilot),
                    clocks=clocks,
                    restored=Restored(state_words(pilot.life), standing.restart, _crossed(pilot)),
                )
                metrics.learn(pilot.charter)
        for name, applicant in owned.runner.machine.applicants.items():
            fold = ClockFold() if table is None else restored_clocks(applicant.clocks, table)
            metrics.applicant(name, applicant.firm, applicant.standing, state_words(applicant.life), fold)
        if owned.partition == HOME:
            metrics.firms({firm_of(key) or key: file.firm_class for key, file in owned.runner.machine.firms.items()})

    def check_leases(self, machine: Machine, least: float) -> None:
        """Say which services would stop if this worker crashed now: those whose lease is below `least` (s), which is
        twice the session timeout and the recovery just measured."""
        short = [p.id for p in machine.pilots.values() if not p.exited and p.plan.lease_ms < least * 1000]
        if short:
            logger.error(
                "lease.too_short",
                stage="act",
                partition=machine.partition,
                pilots=len(short),
                examples=",".join(short[:3]),
                least_seconds=round(least, 1),
                detail="a crash of one worker may stop their services: a lease must outlive twice session timeout and "
                "recovery",
            )
        self._metrics.short_leases(machine.partition, len(short))

    def released(self, owned: OwnedPartition) -> None:
        """End the series of the partition and of its pilots: another worker reports them now."""
        self._metrics.revoked(owned.partition)
        for pilot in (*owned.runner.machine.pilots, *owned.runner.machine.applicants):
            self._metrics.forget(pilot)
        if owned.partition == HOME:
            self._metrics.firms({})

    def checkpointed(self, partition: int, owned: OwnedPartition | None) -> None:
        """State was written now; `owned` is None while the partition is still being recovered."""
        self._metrics.checkpointed(partition, self._wall())
        if owned is not None:
            pilots = owned.runner.machine.pilots
            self._metrics.held(partition, len(pilots.resident), len(pilots.evicted))
            self._metrics.set_aside(partition, owned.runner.machine.aside)
            self._configured(owned)

    def _configured(self, owned: OwnedPartition) -> None:
        machine = owned.runner.machine
        self._metrics.configured(owned.partition, *machine.configuration, machine.open_mode)

    def observe(self, outputs: Outputs, partitions: Iterable[OwnedPartition]) -> None:
        """Count outputs; a charter that came into force gives its pilot new labels."""
        self._metrics.observe(outputs)
        for decision in outputs.decisions:
            if decision.reason in CAUSES:
                for owned in partitions:
                    pilot = owned.runner.machine.pilots.get(decision.pilot)
                    if pilot is not None:
                        self._metrics.learn(pilot.charter)

    def stepped(self, owned: OwnedPartition, seconds: float, events: int) -> None:
        """One batch of `events` events went through the machine in `seconds`."""
        self._metrics.stepped(seconds, events)
        self._metrics.uncounted(owned.runner.machine.drain_uncounted())

    def timer_fired(self, late: float) -> None:
        """A timer fired `late` seconds after its due time."""
        self._metrics.woken(late)

    def lagging(self, topic: str, partition: int, records: int) -> None:
        """So many records of this partition are not yet read."""
        self._metrics.lagging(topic, partition, records)

    def without_topics(self, participants: int) -> None:
        """So many participants have no usable separate topics, though others have."""
        self._metrics.without_topics(participants)

    def heartbeat(self) -> None:
        """The worker's loop runs."""
        self._metrics.heartbeat(self._wall())


def _crossed(pilot: PilotState) -> tuple[tuple[str, str], ...]:
    """The limits whose threshold was reached in the run in force, as (indicator, segment)."""
    keys = [key for key, one in pilot.standing.active.items() if one.reason is Reason.LIMIT_EXCEEDED]
    parts = [key.split("/", 1) for key in keys if key.count("/") >= 2]
    return tuple((indicator, rest.rpartition("/")[0]) for indicator, rest in parts)
