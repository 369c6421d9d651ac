"""Shadow charters of one partition: each runs in a separate machine, over the same input as its pilot.

That machine has separate pilots, timers and outputs, and shares no object that changes with the partition. Of its
outputs only decisions are read here, and become `ShadowDecision` and `ShadowSummary`; commands, permits, evidence and
rejections are dropped. Nothing of a run is read by the partition. So a shadow charter can move no level and send
nothing to a service. An error in it ends its run and nothing else. See `monitor/shadow/README.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, structs

from monitor.charter.control import Amendment, ControlBase, Release
from monitor.charter.shadow_acts import ShadowStart
from monitor.charter.spec import Charter
from monitor.engine.partition import Partition
from monitor.errors import ControlRefused, LogBroken
from monitor.lifecycle.acts import Role
from monitor.model.bounds import short
from monitor.model.periods import parse_span
from monitor.model.records import Decision, Evidence, Outputs, Reason, Record, digest
from monitor.model.shadow_records import TEXT, ShadowDecision
from monitor.shadow.findings import compared
from monitor.shadow.summary import Comparison, Run, summarise
from monitor.state.marked import MarkedSnapshot
from monitor.state.pilot import PilotState
from monitor.state.shadow import ShadowTerm, state_name
from monitor.state.snapshots import snapshot

if TYPE_CHECKING:
    from monitor.engine.machine import Machine

ENDS = (Reason.SHADOW_ENDED, Reason.SHADOW_STOPPED)
ENDED_BY_OFFICER = "stopped"


class AppliedAct(NamedTuple):
    """An act that took effect on a pilot, when it was received (ms), and the roles of its author."""

    act: ControlBase
    received: int
    roles: frozenset[Role]


class ShadowState(Struct, array_like=True):
    """The state of a run as it is stored: what was compared, when the next summary is `due` (ms), the state of the
    pilot under the shadow charter, and the error that ended it ("" = none)."""

    run: Run
    comparison: Comparison
    due: int
    pilot: bytes
    failed: str = ""


class ShadowRun:
    """One run. `machine` is `None` until it is needed after a restart, and once the run has failed."""

    def __init__(self, state: ShadowState, machine: Machine | None) -> None:
        self.run, self.comparison, self.due, self.failed = state.run, state.comparison, state.due, state.failed
        self.stored = state.pilot
        self.machine = machine

    @property
    def name(self) -> str:
        """The pilot."""
        return self.run.pilot

    def state(self) -> ShadowState:
        """What is stored."""
        raw = self.stored if self.machine is None else self.machine.pilots.raw(self.name)
        return ShadowState(self.run, self.comparison, self.due, raw, self.failed)

    def fail(self, error: Exception) -> None:
        """End the run at the next `time`."""
        words = f": {error}" if isinstance(error, ControlRefused) else ""
        self.failed, self.machine, self.stored = f"{type(error).__name__}{words}"[:TEXT], None, b""


class Shadows:
    """The runs of a partition, by pilot. `make` makes a machine like that of the partition, without shadows and without
    pilots, that has reached the same time. False when there is no run."""

    def __init__(self, partition: Partition, make: Callable[[], Machine]) -> None:
        self._partition, self._make = partition, make
        self._runs: dict[str, ShadowRun] = {}

    def __bool__(self) -> bool:
        return bool(self._runs)

    @property
    def runs(self) -> dict[str, ShadowRun]:
        """The runs, for reading only."""
        return self._runs

    @property
    def machines(self) -> Iterator[Machine]:
        """The machines of the runs."""
        return (run.machine for run in self._runs.values() if run.machine is not None)

    @property
    def notify_at(self) -> int | None:
        """When a run wants a `time` (ms)."""
        wanted = [run.due for run in self._runs.values()] + [0 for run in self._runs.values() if run.failed]
        wanted += [at for machine in self.machines if (at := machine.notify_at) is not None]
        return min(wanted, default=None)

    # ---- begin and end

    def begin(self, act: ShadowStart, at: int, out: Outputs) -> None:
        """Begin a run by an act that took effect at `at` (ms)."""
        if (before := self._runs.get(act.pilot)) is not None:  # one that has failed
            self._end(before, at, "failed", out, before.failed)
        term = self._partition.pilots[act.pilot].shadow
        if term is not None and state_name(act.pilot) not in self._partition.pilots:
            every = parse_span(act.every).after(0)
            self.start(act.pilot, act.charter, (at, term.until), every, act.id)

    def start(self, pilot: str, candidate: Charter, times: tuple[int, int], every: int, name: str) -> None:
        """Begin a run from the state that the pilot has now; `times` are now and its end (ms), `every` is how often it
        is summarised (ms), `name` is unique for the pilot."""
        live, (at, until) = self._partition.pilots[pilot], times
        run = Run(
            digest("shadow", pilot, name, at), pilot, live.charter.participant.id, "", candidate.version, live.hash,
            until, every,
        )  # fmt: skip
        made = ShadowRun(ShadowState(run, Comparison(0, at), at + every, b""), None)
        self._runs[pilot] = made
        self._seed(made, candidate, at)
        if made.machine is not None:
            shadow = made.machine.pilots[pilot]
            slowest = [p.plan.slowest.length for p in (live, shadow) if p.plan.slowest is not None]
            made.comparison.tolerance = max(slowest, default=0)
            made.run = structs.replace(run, candidate=shadow.hash)
        self._touch(made)

    def _seed(self, run: ShadowRun, candidate: Charter, at: int) -> None:
        """Begin from a copy of the pilot, under the shadow charter."""
        live = self._partition.pilots[run.name]
        try:
            machine = self._make()
            machine.restore({run.name: snapshot(live)})
            shadow = machine.pilots[run.name]
            shadow.shadow = None
            if candidate_of(live) != candidate:
                machine.amend(Amendment(id=run.run.id, pilot=run.name, author="", charter=candidate), at)
            # Its own timer ends the run at the same place in the order of timers as that of the pilot.
            shadow.shadow = ShadowTerm(short(run.run.id), shadow.hash, shadow.hash, run.run.until)
            machine.arm(shadow)
            run.machine = machine
        except MemoryError:
            raise
        except Exception as error:  # whatever is wrong with a candidate concerns its run alone
            run.fail(error)

    def _end(self, run: ShadowRun, at: int, why: str, out: Outputs, detail: str = "") -> None:
        found = run.comparison
        if run.failed:  # how much was compared before depends on how records were cut
            found = Comparison(found.tolerance, found.start)
        self._summarise(run, found, at, out, why, detail)
        del self._runs[run.name]
        self._partition.changed.add(state_name(run.name))

    def _summarise(
        self, run: ShadowRun, found: Comparison, at: int, out: Outputs, ended: str = "", detail: str = ""
    ) -> None:
        live = self._partition.pilots.get(run.name)
        shadow = None if run.machine is None else run.machine.pilots[run.name]
        alpha = _alpha(live), _alpha(shadow)
        out.shadows.append(summarise(run.run, found, at, alpha, ended=ended, detail=detail))

    def drop(self, pilots: Sequence[str], at: int, out: Outputs) -> None:
        """End the runs of pilots that are set aside, as their state cannot be read."""
        for name in pilots:
            if (run := self._runs.get(name)) is not None:
                self._end(run, at, "set_aside", out)

    def finish(self, at: int) -> Outputs:
        """End all runs at the end of a replay; returns their summaries."""
        out = Outputs()
        for run in list(self._runs.values()):
            self._end(run, at, "failed" if run.failed else "end", out, run.failed)
        return out

    # ---- input

    def prepare(self) -> None:
        """Restore the machines of the runs before input is stepped that changes the time."""
        for run in self._runs.values():
            if run.machine is None and not run.failed:
                try:
                    machine = self._make()
                    machine.restore({run.name: run.stored})
                    if machine.unreadable:
                        raise LogBroken("the state of a shadow charter cannot be read")
                    run.machine, run.stored = machine, b""
                except MemoryError:
                    raise
                except Exception as error:
                    run.fail(error)

    def telemetry(self, topic: str, records: Sequence[Record], out: Outputs) -> Iterator[None]:
        """Step the records of each pilot with a run; `out` is what the partition emitted for all of them."""
        self.prepare()
        mine, sides = self._records(records), self._sides(out)
        for run in list(self._runs.values()):
            stepped = Outputs()
            if mine[run.name] and run.machine is not None:
                steps = run.machine.telemetry_steps(topic, mine[run.name])
                while True:
                    try:
                        next(steps)
                    except StopIteration as done:
                        stepped = done.value
                        break
                    except MemoryError:
                        raise
                    except Exception as error:
                        run.fail(error)
                        self._touch(run)
                        break
                    yield
            self._fold(run, sides[run.name], stepped, out)

    def _records(self, records: Sequence[Record]) -> dict[str, list[Record]]:
        """The records of each pilot with a run: by their key, and without one all that may name it."""
        found: dict[str, list[Record]] = {name: [] for name in self._runs}
        by_key = {name.encode(): name for name in self._runs}
        for record in records:
            if record.key is not None:
                if (name := by_key.get(record.key)) is not None:
                    found[name].append(record)
            elif record.value is not None:
                for key, name in by_key.items():
                    if key in record.value or b"\\" in record.value:
                        found[name].append(record)
        return found

    def _sides(self, out: Outputs) -> dict[str, Outputs]:
        """What the partition emitted about each pilot with a run."""
        found = {name: Outputs() for name in self._runs}
        for decision in out.decisions:
            if (mine := found.get(decision.pilot)) is not None:
                mine.decisions.append(decision)
        for one in out.evidence:
            if isinstance(one, Evidence) and (mine := found.get(one.pilot)) is not None:
                mine.evidence.append(one)
        return found

    def control(self, received: int, applied: AppliedAct | None, out: Outputs) -> None:
        """Follow an act; `applied` is it, where it took effect on a pilot. `out` is what the partition emitted."""
        if applied is not None and isinstance(applied.act, ShadowStart):
            self.begin(applied.act, applied.received, out)
            return
        sides = self._sides(out)
        for run in list(self._runs.values()):
            mine = sides[run.name]
            follows = applied is not None and applied.act.pilot == run.name
            if follows or mine.decisions or mine.evidence:
                ended = self._fold(run, mine, self._step(run, _caught_up(run.name, received)), out)
                if follows and not ended and applied is not None:
                    self._follow(run, applied, out)

    def _follow(self, run: ShadowRun, applied: AppliedAct, out: Outputs) -> None:
        """An act on the pilot, on the shadow. After a release the shadow begins again from the released pilot."""
        act = applied.act
        if self._partition.pilots[run.name].exited:  # without an act that started it, nothing else ends it
            self._end(run, applied.received, "exited", out)
            return
        if isinstance(act, Amendment):
            return
        if isinstance(act, Release) and run.machine is not None:
            candidate = candidate_of(run.machine.pilots[run.name])
            live = self._partition.pilots[run.name]
            same = run.run.candidate == run.run.live
            run.comparison.restart(applied.received)
            self._seed(run, candidate_of(live) if same else candidate, applied.received)
            return
        partition = self._partition
        states = partition.sandbox, partition.sandbox_for(run.run.participant)
        stepped = self._step(run, lambda machine: machine.follow(*applied, states))
        run.comparison.not_applied += stepped is REFUSED
        self._fold(run, Outputs(), stepped, out)

    def configured(self, received: int, at: int, out: Outputs) -> None:
        """Another configuration of the sandbox is in force from `at` (ms) on."""
        sandbox, digest_ = self._partition.sandbox.sandbox, self._partition.configuration_digest
        if sandbox is not None:
            self._all(lambda machine: machine.use_configuration(sandbox, digest_, at, received), out)

    def time(self, now: int, unbroken: bool, out: Outputs) -> None:
        """Step to `now` (ms), and emit the summaries that are due."""
        sides = self._sides(out)
        for run in list(self._runs.values()):
            if run.failed:
                self._end(run, now, "failed", out, run.failed)
                continue
            stepped = self._step(run, lambda machine: machine.time(now, unbroken=unbroken))
            if self._fold(run, sides[run.name], stepped, out) or run.failed:
                continue
            if run.due < now:
                due = run.due + (now - 1 - run.due) // run.run.every * run.run.every
                run.comparison.settle(due)
                self._summarise(run, run.comparison, due, out)
                run.due = due + run.run.every
                self._touch(run)
            run.comparison.settle(now)

    def lost(self, lost: dict[str, tuple[int, int]], keys: dict[str, str], out: Outputs) -> None:
        """Telemetry was deleted unread."""
        self._all(lambda machine: machine.lost(lost, keys), out)

    def _all(self, step: Callable[[Machine], Outputs], out: Outputs) -> None:
        sides = self._sides(out)
        for run in list(self._runs.values()):
            self._fold(run, sides[run.name], self._step(run, step), out)

    def _step(self, run: ShadowRun, step: Callable[[Machine], Outputs]) -> Outputs:
        """The outputs of one step; an error ends the run alone."""
        if run.machine is None:
            return Outputs()
        try:
            return step(run.machine)
        except ControlRefused:
            return REFUSED
        except MemoryError:
            raise
        except Exception as error:
            run.fail(error)
            self._touch(run)
            return Outputs()

    # ---- compare

    def _fold(self, run: ShadowRun, live: Outputs, shadow: Outputs, out: Outputs) -> bool:
        """Take what both sides emitted in one step, and emit the decisions of the shadow to `out`. Returns whether the
        run has ended."""
        changed = live.decisions or live.evidence or (run.machine is not None and run.machine.dirty)
        if not changed:
            return False
        self._touch(run)
        if run.machine is not None:
            run.machine.dirty.clear()
        end = next((one for one in live.decisions if one.reason in ENDS), None)
        theirs, found = _before_end(shadow.decisions, end), run.comparison
        found.add_live(_before_end(live.decisions, end))
        found.add_shadow(theirs)
        found.periods_live += _closed(self._partition.pilots.get(run.name), live, end)
        found.periods_shadow += _closed(None if run.machine is None else run.machine.pilots[run.name], shadow, end)
        out.shadows += [
            ShadowDecision(
                pilot=run.name,
                participant=run.run.participant,
                shadow=run.run.id,
                candidate=run.run.candidate,
                live=run.run.live,
                at=finding.at,
                finding=finding,
            )
            for finding in map(compared, theirs)
            if finding is not None
        ]
        if end is not None:
            why = ENDED_BY_OFFICER if end.reason is Reason.SHADOW_STOPPED else end.finding.rule
            self._end(run, end.at, "failed" if run.failed else why, out, run.failed)
        return end is not None

    def _touch(self, run: ShadowRun) -> None:
        self._partition.changed.add(state_name(run.name))

    # ---- state

    def snapshot(self, name: str) -> bytes | None:
        """The bytes of the state of this name; `None` when its run has ended."""
        run = next((run for run in self._runs.values() if state_name(run.name) == name), None)
        return None if run is None else _snapshot.encode(run.state())

    def restore(self, raw: bytes) -> bool:
        """Continue a run from a snapshot. Returns whether it is one."""
        state = _snapshot.decode(raw)
        if state is None:
            return False
        self._runs[state.run.pilot] = ShadowRun(state, None)
        return True


REFUSED = Outputs()
_snapshot = MarkedSnapshot("shadow", ShadowState)


def candidate_of(pilot: PilotState) -> Charter:
    """The charter of a state, as an act carries it."""
    return pilot.charter


def _alpha(pilot: PilotState | None) -> float:
    return 0.0 if pilot is None else pilot.plan.alpha_spent(pilot.standing.restart)


def _before_end(decisions: Sequence[Decision], end: Decision | None) -> list[Decision]:
    """The decisions up to the end of the run; `end` is that of the pilot."""
    found = []
    for decision in decisions:
        if decision.reason in ENDS or (end is not None and decision.at > end.at):
            break
        found.append(decision)
    return found


def _closed(pilot: PilotState | None, out: Outputs, end: Decision | None) -> int:
    """How many periods of a pilot closed, up to the end of the run."""
    closed = [one for one in out.evidence if isinstance(one, Evidence) and not one.late]
    if end is None or pilot is None:
        return len(closed)
    indicators = [(pilot.plan.indicator(one.indicator), one.start) for one in closed]
    return sum(indicator.closes(indicator.grid.index(start)) <= end.at for indicator, start in indicators)


def _caught_up(pilot: str, received: int) -> Callable[[Machine], Outputs]:
    """A step that fires the timers that are due before an act that was received at `received` (ms)."""
    return lambda machine: machine.withheld(pilot, received)
