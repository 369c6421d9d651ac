"""One partition that this worker owns, with everything that belongs to it alone."""

from __future__ import annotations

from monitor.engine.machine import Machine
from monitor.engine.runner import Runner
from monitor.kafka.careful_start import CarefulStart
from monitor.kafka.control_gate import ControlGate
from monitor.kafka.interfaces import PartitionLog
from monitor.kafka.time_journal import TimeJournal


class OwnedPartition:
    """A claimed and recovered partition: its log, its runner, the gate for control and the time journal."""

    def __init__(
        self, log: PartitionLog, runner: Runner[Machine], generation: int, gate: ControlGate, time: TimeJournal
    ) -> None:
        self.careful = CarefulStart(runner.fruitless)
        self.log = log
        self.runner = runner
        self.generation = generation
        self.gate = gate
        self.time = time
        self.delivered: dict[str, int] = {}  # topic -> offset after the last record given to the runner or the gate

    @property
    def partition(self) -> int:
        """Its number."""
        return self.log.partition
