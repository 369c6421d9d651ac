"""Legal deadlines on the page of a pilot and in the data of the board, from decisions alone."""

from __future__ import annotations

import re
from html import unescape

import pytest

from monitor.charter.incident_acts import IncidentReportAct
from monitor.console.board_json import as_data
from monitor.console.fleet_view import FleetView
from monitor.console.pilot_page import pilot_page
from monitor.model.clock_record import ClockState, Owes
from monitor.model.events import Harm
from monitor.projections.clock_board import MOST, ClockFold, clock_rows
from tests.unit.clocks.clock_bench import ClockBench
from tests.unit.clocks.test_histories import ROWS, play
from tests.unit.clocks.test_machine_clocks import DAY_MS, DUE, HOUR_MS, START, firm
from tests.unit.deadlines.test_tables import at


def page_of(bench: ClockBench, now: int) -> str:
    board = FleetView()
    board.learn(bench.charter)
    board.apply(bench.out)
    found = unescape(re.sub(r"<[^>]+>", " ", pilot_page(board, "p", now) or ""))
    return re.sub(r"\s+", " ", found)


def test_the_page_says_what_is_owed_by_whom_until_when_and_why() -> None:
    """Occurrence, debtor, due instant with the last local day, time left, basis, what is forbidden until then."""
    bench = ClockBench()
    bench.send(bench.incident(START, Harm.SERIOUS_INJURY), START)
    text = page_of(bench, DUE - 2 * DAY_MS - 3 * HOUR_MS)
    for words in (
        "Next deadline Report of a serious incident (an incomplete initial report suffices), 2 d 3 h, owed by the firm",
        "Report of a serious incident (an incomplete initial report suffices) (incident i-1)",
        "EU AI Act, Art. 73(2) and (5)",
        "2026-03-17 23:00:00 last day 2026-03-17, Europe/Berlin 2 d 3 h",
        "no change of the model until then",
        "no date",
    ):
        assert words in text, words


def test_a_miss_comes_first_and_what_is_settled_is_folded_away() -> None:
    """What is overdue says by how much; a report in time is listed as done."""
    bench = ClockBench()
    bench.send(bench.incident(START, Harm.SERIOUS_INJURY), START)
    bench.send(bench.incident(START, Harm.SERIOUS_INJURY, "i-2"), START)
    bench.act(IncidentReportAct(**firm(), incident="i-2", report="r", complete=True), START + HOUR_MS)
    bench.time(DUE + 1)
    text = page_of(bench, DUE + DAY_MS)
    assert "✕ missed Report of a serious incident" in text
    assert "overdue by 1 d" in text
    assert "3 settled deadlines" in text
    assert "done 2026-03-02 10:00:00 UTC" in text


def test_a_pilot_without_deadlines_has_no_section() -> None:
    """Deployments without a sandbox see the page as before."""
    bench = ClockBench()
    assert "What is owed" not in page_of(bench, START)


def test_the_data_of_the_board_has_the_same_rows() -> None:
    """`/api/board.json` lists every clock with its due instant and the time left in ms."""
    bench = ClockBench()
    bench.send(bench.incident(START, Harm.SERIOUS_INJURY), START)
    board = FleetView()
    board.apply(bench.out)
    (pilot,) = as_data(board, START)["pilots"]  # type: ignore[misc]
    rows = {row["rule"]: row for row in pilot["deadlines"]}
    assert set(rows) == {"incident-report", "complete-report", "evidence-hold"}
    assert (
        rows["incident-report"] | {"due": DUE, "left": DUE - START, "state": "running", "owed_by": "firm"}
        == rows["incident-report"]
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["name"]))
def test_decisions_alone_give_the_rows_of_the_machine(row: dict[str, object]) -> None:
    """A reader of the log of decisions knows each clock as the machine does."""
    bench = play(row)
    now, fold = at(str(row["until"])) or 0, ClockFold()
    for decision in bench.out.decisions:
        fold.add(decision)
    table = bench.machine.clock_table
    assert table is not None
    assert sorted(fold.rows(now), key=repr) == sorted(
        clock_rows(bench.machine.pilots["p"].clocks, table, now), key=repr
    )


def test_the_fold_is_bounded_and_forgets_what_is_settled_first() -> None:
    """Any number of incidents leaves at most as many rows as the machine holds clocks."""
    bench, fold = ClockBench(), ClockFold()
    bench.send(bench.incident(START, Harm.SERIOUS_INJURY, "open"), START)
    for n in range(200):
        at_ = START + n
        bench.send(bench.incident(at_, Harm.SERIOUS_INJURY, f"i-{n}"), at_)
        bench.act(IncidentReportAct(**firm(n), incident=f"i-{n}", report="r", complete=True), at_)
    for decision in bench.out.decisions:
        fold.add(decision)
    assert len(fold.records) <= MOST
    assert fold.counts()[Owes.FIRM, ClockState.RUNNING] == 3
    assert fold.due() == {Owes.FIRM: DUE}
