"""A replay divided over processes: each steps its share of the pilots, and the outputs are merged in the order of one
process.

Every process reads the whole file, as the times of all lines decide when each record counts as received; it validates
and steps only the records of its pilots. The parent is shard 0. A child sends its outputs through a pipe, which
bounds how far it can run ahead. If a line holds events of pilots in different shards, the replay is started again in
one process, and what was already emitted is skipped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import click

from monitor.charter.spec import Charter
from monitor.engine.replay import CharterReplay, NotDivisible, Shard, merged, read_lines
from monitor.model.records import Evidence, Outputs
from monitor.projections.alpha_budget import AlphaRuns

LARGE = 32_000_000  # bytes of a file from which a second process pays for its start
MOST = 8  # processes at most
ENDS = 1.0  # seconds in which a process ends by itself: it has sent everything, or the next phase finds the pipe closed

Phases: TypeAlias = Iterator[tuple[int, Outputs]]
Watch: TypeAlias = Callable[[Iterable[bytes]], Iterable[bytes]]


class ShardOfFile(NamedTuple):
    """What a process has to know to replay a shard of the events in a file; see `monitor.engine.replay.Replay` and
    `read_lines`."""

    path: Path
    charters: Sequence[Charter]
    until: int | None
    admit: Literal["cycle", "first"] | int
    service: bool
    latest: int

    def start(self, shard: Shard, watched: Watch = iter) -> tuple[CharterReplay, Phases]:
        """A replay of one shard and its phases. The lines of the file are read through `watched`."""
        replay = CharterReplay(self.charters, admit=self.admit, service=self.service, evidence=False, shard=shard)
        return replay, self._phases(replay, watched)

    def _phases(self, replay: CharterReplay, watched: Watch) -> Phases:
        with self.path.open("rb") as file:
            yield from replay.phases(read_lines(watched(file), self.latest), self.until)


def processes_for(size: int, pilots: int) -> int:
    """How many processes a file of `size` bytes about so many pilots is divided over: one for small files, else two if
    the machine has a second processor."""
    return 2 if size >= LARGE and pilots > 1 and len(os.sched_getaffinity(0)) > 1 else 1


class Progress:
    """What the other processes have done: valid events, closed periods, and (at the end) what was used of alpha by
    pilot."""

    def __init__(self) -> None:
        self.events = 0
        self.periods = 0
        self.runs: dict[str, AlphaRuns] = {}


class Divided:
    """One replay in `count` processes. `own` is the replay of the parent's shard, `others` what the other processes
    have done."""

    def __init__(self, work: ShardOfFile, count: int, watched: Watch = iter) -> None:
        self._work, self._watched = work, watched
        self.own, self._phases = work.start(Shard(0, count), watched)
        self._count = count
        self.others = [Progress() for _ in range(count - 1)]

    def steps(self) -> Iterator[Outputs]:
        """What one replay of all pilots emits, without the evidence of the other shards. Raises what a shard raises,
        and ClickException when a process ends early."""
        emitted = -1
        try:
            with ExitStack() as stack:
                shards = [self._phases]
                for number, progress in enumerate(self.others, 1):
                    pipe = stack.enter_context(_child(self._work, Shard(number, self._count)))
                    shards.append(_received(pipe, progress))
                for phase, out in merged(shards):
                    emitted = phase
                    yield out
                return
        except NotDivisible:
            self.own, phases = self._work.start(Shard(0, 1), self._watched)
            self.others = []
        for phase, out in phases:
            yield out if phase > emitted else Outputs(evidence=out.evidence)


@contextmanager
def _child(work: ShardOfFile, shard: Shard) -> Iterator[Connection]:
    """A process that steps a shard, and the end of the pipe at which its outputs arrive. It ends with the context."""
    context = get_context("spawn")
    ours, its = context.Pipe(duplex=False)
    process = context.Process(target=_step, args=(work, shard, its), daemon=True)
    process.start()
    its.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join(timeout=ENDS)
        if process.is_alive():
            process.terminate()
            process.join()


def _step(work: ShardOfFile, shard: Shard, pipe: Connection) -> None:
    """The child: step a shard and send each phase; last of all what was used of alpha, or the exception that ended
    it."""
    runs: dict[str, AlphaRuns] = {}
    charters = {charter.pilot: charter for charter in work.charters}
    periods = 0
    try:
        replay, phases = work.start(shard)
        for phase, out in phases:
            for decision in out.decisions:
                runs.setdefault(decision.pilot, AlphaRuns()).add_decision(decision)
            for entry in out.evidence:
                if isinstance(entry, Evidence):
                    runs.setdefault(entry.pilot, AlphaRuns()).add_evidence(entry, charters[entry.pilot])
            periods += len(out.evidence)
            out.evidence, out.permits = [], []
            pipe.send((phase, out, replay.events, periods))
        pipe.send(runs)
    except BrokenPipeError:
        return
    except Exception as error:
        pipe.send(error)


def _received(pipe: Connection, progress: Progress) -> Phases:
    """The phases of a child. Raises what it raised, and ClickException when it ended without a word."""
    while True:
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            raise click.ClickException(
                "a process of the replay ended early (out of memory?); try --processes 1"
            ) from None
        if isinstance(message, dict):
            progress.runs = message
            return
        if isinstance(message, Exception):
            raise message
        phase, out, progress.events, progress.periods = message
        yield phase, out
