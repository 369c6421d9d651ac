"""The machine decides as the table of acts says: every act by every role in every state, with a sandbox and keys."""

from __future__ import annotations

import functools

import pytest

from monitor.decide.authority import ACT_OF
from monitor.lifecycle.acts import RULES, Role
from monitor.lifecycle.life import Lifecycle
from monitor.lifecycle.names import Act
from monitor.model.records import Outputs
from tests.acts.cells import AUTHORS, MAKERS, Author, Cell, Cells, every_life
from tests.acts.model_cells import ModelCells
from tests.contract.test_acts_table import ROWS, expected
from tests.strength import examples

ROWS_IN_RECORDS = tuple(act for act in ROWS if act in set(ACT_OF.values()))
STRIDE = examples(7, 1, fast=28)  # of all cells, so many are left out between two in the usual run
cells = functools.cache(Cells)


def test_every_record_has_a_cell() -> None:
    """An act that a control record can carry is tried, and has a row of the table."""
    assert set(MAKERS) == set(ACT_OF.values())
    assert set(MAKERS) <= set(ROWS)
    assert {role for author in AUTHORS for role in author.roles} == set(Role) - {Role.ADMITTER}


@pytest.mark.parametrize("act", ROWS_IN_RECORDS)
def test_the_machine_decides_as_the_table_says(act: Act) -> None:
    """A role of the row in a state of the row: accepted and recorded; any other: refused with the reason."""
    tried, wrong = unequal(act, STRIDE)
    assert tried > 700 // STRIDE
    assert not wrong, "\n".join(wrong[:10])


def test_the_machine_decides_on_models_as_the_table_says() -> None:
    """Every kind of entry and withdrawal by every author: accepted in a role of the row, else refused."""
    tried, wrong = unequal_on_models()
    assert tried > 400
    assert not wrong, "\n".join(wrong[:10])


def unequal_on_models() -> tuple[int, list[str]]:
    """How many cells of acts on models were stepped, and those in which the machine decides otherwise."""
    all_cells = ModelCells()
    found = [all_cells.unequal(cell) for cell in all_cells.all()]
    return len(found), [why for why in found if why]


def unequal(act: Act, stride: int = 1) -> tuple[int, list[str]]:
    """How many cells of an act were stepped (each `stride`th), and those in which the machine decides otherwise."""
    row, wrong = ROWS[act], []
    all_cells = [Cell(act, author, life) for life in every_life(row.other) for author in AUTHORS]
    for cell in all_cells[::stride]:
        # A firm reports complaints that are made to it as telemetry: none that was made outside is its own.
        roles = cell.author.roles - ({Role.FIRM} if act in (Act.FILE_COMPLAINT, Act.WITHDRAW_COMPLAINT) else set())
        may = any(role.value in row.roles.split() for role in roles)
        should = may and expected(row, cell.life, act)
        if why := _unequal(cell, should, may, cells().step(cell)[0]):
            wrong.append(why)
    return len(all_cells[::stride]), wrong


def _unequal(cell: Cell, should: bool, may: bool, out: Outputs) -> str:
    """Why the outcome of a cell is not what the table says; empty where it is."""
    where = f"{cell.act.value} by {_name(cell.author)} in {_state(cell.life)}"
    accepted = [one for one in out.decisions if one.author == cell.author.name and one.cause.startswith("control:")]
    if should:
        said = out.rejected[0].detail if out.rejected else "nothing"
        return "" if accepted and not out.rejected else f"{where}: refused, {said}"
    if out.decisions or out.commands or len(out.rejected) != 1:
        return f"{where}: accepted"
    rejected = out.rejected[0]
    pending = cell.life.pilot.value in ("draft",)
    if not may and not pending and rejected.reason not in ("forged", "conflict"):
        wanted = RULES[cell.act].otherwise.value
        known = {wanted, "not_admitted", "already_admitted", "after_exit", "application_closed", "step_passed"}
        known.add("not_its_own")
        return "" if rejected.detail.split(":")[0] in known else f"{where}: {rejected.detail} in place of {wanted}"
    return ""


def _name(author: Author) -> str:
    return author.name if author.key == author.name else f"{author.name} signed by {author.key or 'no key'}"


def _state(life: Lifecycle) -> str:
    return f"{life.pilot.value}, {life.halt.value}"
