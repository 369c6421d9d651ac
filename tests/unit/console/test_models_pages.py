"""The files of models on the board."""

from __future__ import annotations

from monitor.console.models_page import model_page, models_page
from monitor.console.models_view import model_data, model_view, models_view
from monitor.model.records import Finding, Outputs, Reason
from monitor.projections.model_files import ENTRIES, ModelFilesFold
from monitor.testing.records import decision
from tests import board_world as w
from tests.unit.console.world import seen


def test_entries_stand_by_kind_and_withdrawn_ones_are_folded_away() -> None:
    """A withdrawn limitation is no limitation any more, and stays readable."""
    view = model_view(seen().board, w.MODEL)
    assert view is not None
    assert {kind: len(those) for kind, those in view.entries.items()} == {
        "supplier": 1, "version": 2, "evaluation": 2, "inspection": 1, "scenario": 1, "data_compliance": 1,
    }  # fmt: skip
    assert [one.text("limitation") for one in view.withdrawn] == ["children"]
    text = model_page(seen().board, w.MODEL, seen().now)
    assert text is not None
    assert text.index("1 withdrawn entry") < text.index("children")


def test_the_pilots_that_use_a_model_are_those_whose_charter_lists_a_digest() -> None:
    """By digest, not by the name of a version, which other models may have."""
    view = model_view(seen().board, w.CHINESE_MODEL)
    assert view is not None
    assert [(one.view.pilot, one.versions) for one in view.pilots] == [(w.CHINESE, ("2.0",))]


def test_the_list_counts_what_matters() -> None:
    """Failed evaluations, and halted pilots, by model."""
    rows, page, pages = models_view(seen().board)
    found = {row.model: (row.evaluations, row.failed, row.halted) for row in rows}
    assert (found[w.MODEL], page, pages) == ((2, 1, 5), 1, 1)
    assert "2, 1 failed" in models_page(seen().board, seen().now)


def test_for_the_eyes_of_a_firm_there_is_nothing_of_other_firms() -> None:
    """Only its own pilots; a model that it does not use is unknown."""
    board, now = seen().board, seen().now
    text = model_page(board, w.MODEL, now, firm="firm-4")
    assert text is not None
    shown = text.split("<h1>", 1)[1]
    assert w.ROLLOUT in shown
    for pilot, view in board.pilots.items():
        assert view.participant == "firm-4" or f"/pilot/{pilot}" not in shown
    view = model_view(board, w.MODEL, "firm-4")
    assert view is not None
    assert "firm-1" not in str(model_data(view))
    assert model_page(board, w.CHINESE_MODEL, now, firm="firm-4") is None
    assert [row.model for row in models_view(board, "firm-4")[0]] == [w.MODEL]


def test_a_file_that_is_refilled_without_end_stays_bounded() -> None:
    """Of more entries than the bound those that were withdrawn are forgotten first."""
    fold = ModelFilesFold()
    for number in range(1, 4 * ENTRIES, 2):
        content = {"kind": "version", "entry": f"e{number}", "version": f"{number}"}
        gone = {"kind": "version", "number": float(number)}
        for standing, reason, fields in (
            (number, Reason.MODEL_ENTRY_ADDED, content), (number + 1, Reason.MODEL_ENTRY_WITHDRAWN, gone),
        ):  # fmt: skip
            if reason is Reason.MODEL_ENTRY_ADDED or number > 1:
                fold.decide(decision(standing, "model:m", reason=reason, finding=Finding(content=fields)))
    file = fold.models["m"]
    assert len(file.entries) == ENTRIES
    assert [one.text("version") for one in file.of("version")] == ["1"], "what stands is kept"


def test_what_is_written_in_a_file_is_text() -> None:
    """No markup of a supplier reaches the page."""
    board = seen().board
    content = {"kind": "limitation", "by": "supplier", "limitation": "<script>alert(1)</script>", "entry": "e"}
    one = decision(1, "model:evil", reason=Reason.MODEL_ENTRY_ADDED, finding=Finding(content=content))
    board.apply(Outputs(decisions=[one]))
    text = model_page(board, "evil", seen().now)
    del board.models.models["evil"]
    assert text is not None
    assert "<script>alert" not in text
