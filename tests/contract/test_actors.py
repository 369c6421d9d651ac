"""What every actor in `ACTORS` promises, held against a real other side: a file system or an HTTP server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec
import pytest

from monitor.act import ACTORS, AnyActor, Notifier
from monitor.errors import Refused, Unavailable
from monitor.model.records import Decision, Level, Reason
from monitor.projections.alerts import PilotAlerts, after_decision
from monitor.testing.ports import free_port
from monitor.testing.recorder import Recorded, Recorder
from monitor.testing.records import halted


class World(NamedTuple):
    """One actor's other side: an address, what has taken effect there, how to make it go away or refuse."""

    address: str
    effects: Callable[[], list[Any]]
    away: Callable[[], str]
    refusing: Callable[[], str]


@contextmanager
def http_world(
    effects: Callable[[list[Recorded]], list[Any]], has: Callable[[str, list[Recorded]], bool]
) -> Iterator[World]:
    with Recorder() as recorder:

        def answer(recorded: Recorded) -> tuple[int, Any]:
            return 200, [{}] if recorded.method == "GET" and has(recorded.path, recorder.seen) else []

        def refusing() -> str:
            recorder.answer = lambda recorded: (400, {"message": "no"})
            return recorder.url

        recorder.answer = answer
        yield World(recorder.url, lambda: effects(recorder.seen), lambda: f"http://127.0.0.1:{free_port()}", refusing)


@contextmanager
def alertmanager_world(tmp_path: Path) -> Iterator[World]:
    def standing(seen: list[Recorded]) -> list[Any]:
        posts = [recorded for recorded in seen if recorded.method == "POST"]
        names = {alert["labels"]["pilot"] for post in posts for alert in post.body}
        labels = {str(sorted(alert["labels"].items())) for post in posts for alert in post.body}
        assert len(labels) == 2 * len(names), "one alert of the level and one of the limit, however often they are sent"
        return sorted(names)

    with http_world(standing, lambda path, seen: False) as world:
        yield world


@contextmanager
def annotations_world(tmp_path: Path) -> Iterator[World]:
    def posted(seen: list[Recorded]) -> list[Any]:
        return [recorded.body["text"] for recorded in seen if recorded.method == "POST"]

    def has(path: str, seen: list[Recorded]) -> bool:
        tags = [tag for recorded in seen if recorded.method == "POST" for tag in recorded.body["tags"]]
        return any(tag.replace(":", "%3A") in path for tag in tags)

    with http_world(posted, has) as world:
        yield world


@contextmanager
def json_lines_world(tmp_path: Path) -> Iterator[World]:
    path = tmp_path / "decisions.jsonl"
    yield World(
        str(path),
        lambda: path.read_bytes().splitlines() if path.exists() else [],
        lambda: str(tmp_path / "gone" / "decisions.jsonl"),
        lambda: str(tmp_path),
    )


@contextmanager
def webhook_world(tmp_path: Path) -> Iterator[World]:
    """What an actor gets whose row is missing below: its address is a URL, and the other side tells repeats apart."""

    def bodies(seen: list[Recorded]) -> list[Any]:
        return sorted({str(recorded.body) for recorded in seen})

    with http_world(bodies, lambda path, seen: False) as world:
        yield world


WORLDS = {"alertmanager": alertmanager_world, "annotations": annotations_world, "json_lines": json_lines_world}


class Hand:
    """One way to hand a decision to either kind of actor: a notifier gets the alerts that the decision leaves
    standing."""

    def __init__(self, actor: AnyActor) -> None:
        self._actor = actor

    def act(self, decision: Decision) -> None:
        if isinstance(self._actor, Notifier):
            self._actor.notify(list(after_decision(PilotAlerts(), decision).alerts()), [])
        else:
            self._actor.act(decision)


Make: TypeAlias = Callable[[str], Hand]


@pytest.fixture(params=sorted(ACTORS))
def actor_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Make, World]]:
    with WORLDS.get(request.param, webhook_world)(tmp_path) as world:
        yield lambda address: Hand(ACTORS[request.param](address)), world


def test_a_decision_takes_effect_once(actor_world: tuple[Make, World]) -> None:
    """`act` returns after the decision is visible outside, one effect each."""
    make, world = actor_world
    actor = make(world.address)
    actor.act(halted(pilot="p-1"))
    assert len(world.effects()) == 1
    actor.act(halted(pilot="p-2"))
    assert len(world.effects()) == 2


def test_a_repeat_is_harmless(actor_world: tuple[Make, World]) -> None:
    """The same decision twice, also from a new process, has the effect of once."""
    make, world = actor_world
    actor = make(world.address)
    actor.act(halted())
    actor.act(halted())
    make(world.address).act(halted())
    assert len(world.effects()) == 1


def test_away_is_unavailable(actor_world: tuple[Make, World]) -> None:
    """An address that does not answer raises `Unavailable`, nothing else."""
    make, world = actor_world
    with pytest.raises(Unavailable):
        make(world.away()).act(halted())


def test_no_for_good_is_refused(actor_world: tuple[Make, World]) -> None:
    """A 4xx, or a path that can never be a file, raises `Refused`."""
    make, world = actor_world
    with pytest.raises(Refused):
        make(world.refusing()).act(halted())


def test_a_failed_act_can_be_repeated(actor_world: tuple[Make, World]) -> None:
    """After `Unavailable` the same actor delivers the same decision once the other side is back."""
    make, world = actor_world
    with pytest.raises(Unavailable):
        make(world.away()).act(halted())
    make(world.address).act(halted())
    assert len(world.effects()) == 1


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_accepted(actor_world: tuple[Make, World], reason: Reason) -> None:
    """No reason, at any level, makes an actor raise."""
    make, world = actor_world
    actor = make(world.address)
    for standing, level in enumerate(Level, start=1):
        actor.act(halted(level=level, standing=standing, reason=reason))


def test_every_actor_is_small() -> None:
    """An actor has one method; one that notifies people has two, and says how often what stands is resent."""
    for make in ACTORS.values():
        assert isinstance(make, type)
        methods = [name for name in vars(make) if not name.startswith("_")]
        assert set(methods) in ({"act"}, {"notify", "open", "resend_ms"})


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
@pytest.mark.parametrize("name", ["alertmanager", "annotations"])
def test_a_passing_fault_is_unavailable(name: str, status: int) -> None:
    """Overload and server faults mean later, not never."""
    with Recorder(lambda recorded: (status, {"message": "busy"})) as recorder, pytest.raises(Unavailable):
        Hand(ACTORS[name](recorder.url)).act(halted())


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 413, 422])
@pytest.mark.parametrize("name", ["alertmanager"])
def test_a_lasting_no_is_refused(name: str, status: int) -> None:
    """Client faults, and redirects that would turn a POST into a GET, mean never."""
    with Recorder(lambda recorded: (status, {})) as recorder, pytest.raises(Refused):
        Hand(ACTORS[name](recorder.url)).act(halted())


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    """After a crash within a write the file holds whole lines only, and the decision is written again."""
    path = tmp_path / "decisions.jsonl"
    Hand(ACTORS["json_lines"](str(path))).act(halted(pilot="p-1"))
    whole = path.read_bytes()
    Hand(ACTORS["json_lines"](str(path))).act(halted(pilot="p-2"))
    path.write_bytes(path.read_bytes()[:-5])
    again = Hand(ACTORS["json_lines"](str(path)))
    again.act(halted(pilot="p-2"))
    lines = path.read_bytes().splitlines(keepends=True)
    assert lines[0] == whole
    assert [msgspec.json.decode(line, type=Decision) for line in lines] == [halted(pilot="p-1"), halted(pilot="p-2")]


def test_a_line_is_canonical(tmp_path: Path) -> None:
    """Keys are sorted, so equal decisions are equal bytes."""
    path = tmp_path / "decisions.jsonl"
    Hand(ACTORS["json_lines"](str(path))).act(halted())
    keys = list(msgspec.json.decode(path.read_bytes()))
    assert keys == sorted(keys)
