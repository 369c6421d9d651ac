"""A reader sees what the role sees, on every page and in all data: what is hidden is in no answer."""

from __future__ import annotations

import msgspec
import pytest

from monitor.charter.spec import charter_hash
from monitor.console.access.roles import Reader, Role
from monitor.console.access.seen import SHARED, seen_by
from monitor.console.fleet_view import FleetView
from monitor.console.pages import DATA, PAGES, Asked
from monitor.model.records import Level, Outputs, Reason
from monitor.model.subjects import FIRM, model_subject
from monitor.testing.records import decision
from tests.board_world import HALTED, World, world

REGULATOR = Reader("regulator", Role.REGULATOR)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory.mktemp("world"), publish=True)


def firm(world: World) -> Reader:
    """The firm of the first pilot."""
    name = next(view.participant for _, view in sorted(world.board.pilots.items()) if view.participant)
    return Reader("engineer", Role.FIRM, frozenset({name}))


def authority(world: World) -> Reader:
    return Reader("officer", Role.AUTHORITY, frozenset({"north"}))


def subjects(board: FleetView) -> dict[str, set[str]]:
    """The names that the board can show, by kind of page."""
    return {
        "pilot": set(board.pilots),
        "firm": set(board.firms.firms),
        "model": set(board.models.models),
        "authority": {"north", "south"},
        "ledger": {one.name.subject for one in (board.desk.ledgers() if board.desk else ())},
    }


def answers(board: FleetView, names: dict[str, set[str]], now: int) -> dict[str, str]:
    """What every page and all data answer, for every name."""
    found = {}
    for path, shown in [*PAGES.items(), *DATA.items()]:
        kind = path.removeprefix("/api").split("/")[1]
        parameter = "pilot" if "{pilot" in path else kind
        for name in sorted(names[kind if kind in names else "pilot"]) if "{" in path else [""]:
            given = {parameter: name, "entry": "1"} if name else {}
            answer = shown(Asked(board, {}, given, now))
            text = msgspec.json.encode(answer).decode() if path in DATA else str(answer or "")
            found[path + name] = text if answer is not None else ""
    return found


@pytest.mark.parametrize("role", ["firm", "authority"])
def test_nothing_hidden_is_in_any_answer(whole: World, role: str) -> None:
    """Asked for every name of the whole board, the pages answer with nothing about what the reader does not see."""
    reader = firm(whole) if role == "firm" else authority(whole)
    seen = seen_by(whole.board, reader)
    hidden = {name for name in whole.board.pilots if name not in seen.pilots}
    firms = {view.participant for view in whole.board.pilots.values()} - {v.participant for v in seen.pilots.values()}
    assert hidden, "the world has nothing to hide"
    assert firms, "the world has no other firm"
    for path, text in answers(seen, subjects(whole.board), whole.now).items():
        for name in sorted(hidden | (firms if role == "firm" else set())):
            assert name not in text or name in path or any(name in one for one in seen.pilots), f"{path} names {name}"


def test_pages_of_what_is_hidden_are_not_there(whole: World) -> None:
    reader = firm(whole)
    seen, names = seen_by(whole.board, reader), subjects(whole.board)
    found = answers(seen, names, whole.now)
    assert {name for name in names["pilot"] if found["/pilot/{pilot:[\\s\\S]+}" + name]} == set(seen.pilots)
    assert {name for name in names["firm"] if found["/firm/{firm:[\\s\\S]+}" + name]} <= set(reader.of)


def test_a_firm_sees_its_own_ledgers_only(whole: World) -> None:
    reader = firm(whole)
    seen = seen_by(whole.board, reader)
    assert seen.desk is not None
    own = {one.name.subject for one in seen.desk.ledgers()}
    models = {model_subject(file.model) for file in seen.models.models.values()}
    assert own
    assert own <= set(seen.pilots) | {FIRM + name for name in reader.of} | models


def test_a_regulator_sees_the_board_itself(whole: World) -> None:
    assert seen_by(whole.board, REGULATOR) is whole.board


def test_every_part_of_the_board_is_shared_or_reduced(whole: World) -> None:
    """A part that is added later must be named in `SHARED` or be reduced."""
    seen = seen_by(whole.board, firm(whole))
    same = {name for name, value in vars(seen).items() if value is vars(whole.board)[name]}
    unknown = {name for name in same - SHARED if not isinstance(vars(seen)[name], bool | int | str | None)}
    assert unknown == set()


def test_the_board_stays_as_it_is(whole: World) -> None:
    before = {kind: sorted(names) for kind, names in subjects(whole.board).items()}
    seen_by(whole.board, firm(whole)).pilots.clear()
    assert {kind: sorted(names) for kind, names in subjects(whole.board).items()} == before


def test_an_application_opens_no_model_file_to_its_firm(whole: World) -> None:
    """A firm may write any digest in it: an applicant uses no model. An authority reads the file to screen it."""
    board, plan = FleetView(), whole.charters[HALTED]
    board.models = whole.board.models
    applied = decision(
        1, HALTED, participant="firm-1", charter=charter_hash(plan), reason=Reason.APPLICATION_SUBMITTED,
        states="submitted", level=Level.NORMAL, kind="act", responsible=("north",),
    )  # fmt: skip
    board.learn(plan)
    board.apply(Outputs(decisions=[applied]))
    assert board.pilots[HALTED].applicant
    assert not seen_by(board, Reader("e", Role.FIRM, frozenset({"firm-1"}))).models.models
    assert seen_by(board, authority(whole)).models.models
    assert seen_by(whole.board, Reader("e", Role.FIRM, frozenset({"firm-1"}))).models.models
