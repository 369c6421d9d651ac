"""What the notary passes to its board on Kafka, record by record, gives the pages of the embedded monitor."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from monitor.console.authorities_view import authorities_data, authorities_view
from monitor.console.clocks_view import clocks_data, clocks_view
from monitor.console.firms_view import firm_data, firm_view, views_of
from monitor.console.fleet_view import FleetView
from monitor.console.halts_view import halts_data, halts_view
from monitor.console.models_view import model_data, model_view
from monitor.console.problems_part import problem_data, problems_of
from monitor.kafka.control_charters import ControlCharters
from monitor.kafka.notary_service import _learn, _project_on
from monitor.kafka.output_consumer import ConsumedOutput, ReadPosition
from monitor.lifecycle.sandbox_acts import SandboxFounding
from tests import board_world as w


def told(board: FleetView, now: int) -> bytes:
    """The data of the pages, as bytes."""
    model, firm = model_view(board, w.MODEL), firm_view(board, "firm-6", now)
    assert model is not None
    assert firm is not None
    pages = (
        halts_data(halts_view(board, now)), clocks_data(clocks_view(board, now)), model_data(model), firm_data(firm),
        authorities_data(authorities_view(board, now)),
        [problem_data(one) for one in problems_of(board, views_of(board, "firm-6"))],
    )  # fmt: skip
    return msgspec.json.encode(pages)


def test_the_board_of_the_notary_has_the_same_pages_as_the_embedded_one() -> None:
    """Decisions, commands, evidence, shadows and rejections come one by one from several topics, acts from `control`
    after them; the pages are equal."""
    made = w.world(Path("/nonexistent"), ledger=False)
    out, board = made.outputs, FleetView()
    take = _project_on(board)

    async def read() -> None:
        records = [*out.rejected, *out.decisions, *out.commands, *out.evidence, *out.shadows]
        for offset, value in enumerate(records):
            await take(ConsumedOutput("t", 0, offset, 0, 1, value, ReadPosition(offset + 1)))

    asyncio.run(read())
    for plan in made.charters.values():
        board.learn(plan)
    sandbox = made.board.sandbox.in_force
    assert sandbox is not None
    assert board.sandbox.in_force is None, "its act was not read yet"
    learn = _learn(board, ControlCharters())
    learn(SandboxFounding(id="founding", pilot="sandbox", author="operator", sandbox=sandbox))
    assert told(board, made.now) == told(made.board, made.now)
