"""No work before the firm has resumed from the newest release: over all acts, restarts, fresh disks and compaction."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.charter.control import Approval, Drill, Evaluation, Override, Rectification, Release
from monitor.charter.spec import Drills, Window
from monitor.model.records import Command
from monitor.sdk.command_state import CommandState
from monitor.state.snapshots import restore, snapshot
from tests.strength import examples
from tests.unit.engine.test_machine import T0, Bench

ALWAYS = Drills(full_stops=(Window(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "00:00", "24:00"),))
STEPS = ["halt", "release", "dry_run", "full_stop", "drill_ends", "restored"]


class World:
    """The machine, its commands, and whether the firm may work according to the rule itself."""

    def __init__(self) -> None:
        self.bench = Bench(drills=ALWAYS)
        self.at = T0
        self.commands: list[Command] = []
        self.halted, self.owes = False, False

    def step(self, what: str) -> None:
        self.at += 1000
        getattr(self, what)()
        for command in self.bench.out.commands[:]:
            if command.again == 0:
                self.commands.append(command)
                self.halted = command.halts
                self.owes = self.owes or command.action == "release"
        self.bench.out.commands.clear()

    def halt(self) -> None:
        self.bench.act(Override(id=f"o{self.at}", pilot="p", author="anna", level="halt", reason="r"), self.at)

    def release(self) -> None:
        by = {"pilot": "p", "author": "anna"}
        self.bench.act(Rectification(id=f"r{self.at}", **by, finding="f", cause="c", action="a", evidence="e"), self.at)
        self.bench.act(Evaluation(id=f"e{self.at}", **by, passed=True, report="r"), self.at)
        for author in ("anna", "ben"):
            self.bench.act(Approval(id=f"{author}{self.at}", pilot="p", author=author), self.at)
        self.bench.act(Release(id=f"l{self.at}", **by, reason="not verified"), self.at)

    def dry_run(self) -> None:
        self.bench.act(Drill(id=f"d{self.at}", pilot="p", author="anna"), self.at)

    def full_stop(self) -> None:
        self.bench.act(Drill(id=f"d{self.at}", pilot="p", author="anna", full_stop=True), self.at)

    def drill_ends(self) -> None:
        """No acknowledgement comes: an open drill is overdue, which ends it, and resends are due."""
        self.at += 70_000
        self.bench.time(self.at)

    def restored(self) -> None:
        """The monitor is started again from its snapshot."""
        self.bench.machine.restore({"p": snapshot(self.bench.machine.pilots["p"])})


@settings(max_examples=examples(120, 300), deadline=None)
@given(st.data())
def test_a_service_works_only_without_a_halt_and_resumed_from_the_newest_release(data: st.DataObject) -> None:
    """Whatever came after the release, and whichever older commands compaction took: work is allowed exactly where no
    halt is in force and the firm resumed after the newest release; a fresh disk has resumed from nothing."""
    world, service, resumed = World(), CommandState(known=True), ""
    for what in data.draw(st.lists(st.sampled_from([*STEPS, "resume", "restart", "fresh_disk"]), max_size=14)):
        if what == "resume":
            if not service.halted and service.lifted:
                resumed, world.owes = service.release_id, False
        elif what in ("restart", "fresh_disk"):
            resumed = "" if what == "fresh_disk" else resumed
            world.owes = world.owes or (not resumed and any(c.action == "release" for c in world.commands))
            service = CommandState(known=True)
            kept = data.draw(st.sets(st.sampled_from(range(len(world.commands))))) if world.commands else set()
            for n, command in enumerate(world.commands):
                if n in kept or n == len(world.commands) - 1:
                    service = service.after(command)
        else:
            before = len(world.commands)
            world.step(what)
            for command in world.commands[before:]:
                service = service.after(command)
        works = not service.halted and not service.to_resume(resumed)
        assert works == (not world.halted and not world.owes)


@settings(max_examples=100, deadline=None)
@given(st.permutations(range(5)))
def test_the_order_of_arrival_does_not_change_the_result(order: list[int]) -> None:
    """Commands in any order end at the same standing and the same release to resume from."""
    world = World()
    for what in ("halt", "release", "dry_run", "drill_ends", "full_stop", "drill_ends"):
        world.step(what)
    assert len(world.commands) == len(order)
    service = CommandState(known=True)
    for n in order:
        service = service.after(world.commands[n])
    assert not service.halted
    assert service.lifted == world.commands[-1].decision
    assert service.to_resume(world.commands[1].id)


def test_a_snapshot_is_read_by_the_next_start(tmp_path: Path) -> None:
    """The newest release survives a snapshot of the monitor's state, with a drill after it."""
    world = World()
    for what in ("halt", "release", "dry_run"):
        world.step(what)
    pilot, _ = restore(snapshot(world.bench.machine.pilots["p"]))
    assert pilot.standing.newest_release == world.commands[1].decision
