"""What pages read instead of all decisions of all pilots says the same as the decisions."""

from __future__ import annotations

from collections import Counter

from monitor.console.access.roles import Reader, Role
from monitor.console.access.seen import seen_by
from monitor.console.fleet_view import FleetView
from monitor.console.today_view import Kind, today_view
from monitor.model.records import Decision, Finding, Level, Outputs, Reason
from monitor.testing.records import decision

KEPT = 6


def _calm(standing: int, pilot: str = "p-1", **more: object) -> Decision:
    return decision(standing, pilot, kind="finding", level=Level.NORMAL, was=Level.NORMAL, **more)


def test_what_is_counted_of_stored_decisions_is_what_they_say() -> None:
    """Whom a pilot concerns and which models it registered follow from the stored decisions, also when old ones are
    forgotten."""
    board = FleetView(decisions=KEPT)
    for standing in range(1, 4 * KEPT):
        name = f"authority:a-{standing // 4}"
        registered = Finding(content={"model": f"m-{standing}"})
        made = (
            _calm(standing, addressed=(name, "firm:f"), reason=Reason.CHANGE_REGISTERED, finding=registered)
            if standing % 3
            else _calm(standing)
        )
        board.apply(Outputs(decisions=[made]))
        view = board.pilots["p-1"]
        assert len(view.decisions) <= KEPT
        assert view.addressed == Counter(name for one in view.decisions for name in one.addressed or ())
        models = [one.finding.content["model"] for one in view.decisions if one.addressed]  # type: ignore[index]
        assert sorted(view.registered.elements()) == sorted(models)
    assert view.concerns(f"a-{standing // 4}")
    assert not view.concerns("a-0")


def test_an_old_finding_waits_while_it_is_open() -> None:
    """An open finding at escalate and a request for guidance wait also when their decisions are no longer stored."""
    board = FleetView(decisions=KEPT)
    found = decision(1, level=Level.ESCALATE, finding_key="k", finding_level=Level.ESCALATE)
    asked = decision(2, reason=Reason.GUIDANCE_ASKED, was=Level.ESCALATE)
    later = [decision(standing, was=Level.ESCALATE) for standing in range(3, 4 * KEPT)]
    board.apply(Outputs(decisions=[found, asked, *later]))
    kinds = {one.kind for one in today_view(board, now=found.at).rest}
    assert {Kind.FINDING, Kind.GUIDANCE} <= kinds


def test_lists_follow_every_change() -> None:
    """The lists of pilots, firms and authorities show what was applied last."""
    board = FleetView()
    board.apply(Outputs(decisions=[_calm(1, f"p-{n}", participant=f"f-{n % 2}") for n in range(4)]))
    assert [view.pilot for view in board.fleet()] == ["p-0", "p-1", "p-2", "p-3"]
    assert [view.pilot for view in board.of_firm("f-1")] == ["p-1", "p-3"]
    board.apply(Outputs(decisions=[decision(2, "p-3", level=Level.HALT, participant="f-1", responsible=("north",))]))
    assert [view.pilot for view in board.fleet()] == ["p-3", "p-0", "p-1", "p-2"]
    assert [view.pilot for view in board.of_firm("f-1")] == ["p-3", "p-1"]
    assert [view.pilot for view in board.of_authority("north")] == ["p-3"]
    assert (board.firm_names(), board.authority_names()) == ({"f-0", "f-1"}, {"north"})


def test_a_reader_of_some_pilots_has_own_lists() -> None:
    """Lists that were made for one reader are not shown to another."""
    board = FleetView()
    board.apply(Outputs(decisions=[_calm(1, f"p-{n}", participant=f"f-{n % 2}") for n in range(4)]))
    assert len(board.fleet()) == 4
    seen = seen_by(board, Reader("r", Role.FIRM, frozenset({"f-1"})))
    assert vars(seen)["_index"] is None, "nothing of the lists of all pilots is in the copy"
    assert [view.pilot for view in seen.fleet()] == ["p-1", "p-3"]
    assert seen.of_firm("f-0") == []
    assert seen.firm_names() == {"f-1"}
    assert len(board.fleet()) == 4
