"""Refusals come from a closed list, and open mode is stated wherever somebody looks."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec

from monitor.charter.control import Admission
from monitor.console.fleet_page import fleet_page
from monitor.console.fleet_view import FleetView
from monitor.console.pilot_page import pilot_page
from monitor.embedded.monitor import Monitor
from monitor.engine.machine import Machine
from monitor.model.records import Record
from monitor.model.refusals import REFUSALS, Refusal
from monitor.model.signing import HEADER, Signer, Trusted
from monitor.projections.metrics import Metrics
from tests.unit.engine.test_machine import T0, charter

ROOT = Path(__file__).parents[3]
KEY = Signer(b"\x09" * 32)


def test_every_refusal_has_a_sentence() -> None:
    """None without one, each with a full stop."""
    assert set(REFUSALS) == set(Refusal)
    assert all(text.endswith(".") for text in REFUSALS.values())


def test_every_refusal_in_the_code_is_of_the_closed_list() -> None:
    """What raises `ControlRefused` or `Forged` passes a member of the enum, never a literal; each refusal is raised."""
    files = [path.read_text() for path in (ROOT / "monitor").rglob("*.py") if path.name != "refusals.py"]
    for text in files:
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("ControlRefused", "Forged")
            ):
                assert not isinstance(node.args[1], ast.Constant | ast.JoinedStr), ast.unparse(node)
    whole = "\n".join(files)
    assert {refusal for refusal in Refusal if f"Refusal.{refusal.name}" not in whole} == set()


def admitted(signer: Signer | None) -> FleetView:
    """A board that was shown an admission."""
    machine = Machine(journalled=False, admitters=Trusted([KEY.public]) if signer else None)
    body = msgspec.json.encode(Admission(id="a", pilot="p", author="anna", charter=charter()))
    headers = ((HEADER, signer.sign("control", body).encode()),) if signer else ()
    board = FleetView()
    board.apply(machine.control(Record(0, T0, b"p", body, headers)))
    return board


def test_the_board_says_that_pilots_were_admitted_without_a_signature() -> None:
    """On the fleet's and on the pilot's page; nothing where all are signed."""
    for signer, said in ((None, True), (KEY, False)):
        board = admitted(signer)
        for page in (fleet_page(board), pilot_page(board, "p")):
            assert page is not None
            assert ("<b>Open mode.</b> 1 pilot admitted or amended without a signature." in page) == said


def test_the_embedded_monitor_says_that_it_is_in_open_mode(tmp_path: Path) -> None:
    """On the board and as a metric; with an admitter key it says 0."""
    for number, admitters in enumerate(([], [KEY.public])):
        monitor = Monitor(tmp_path / str(number), port=0, admitters=admitters)
        assert ("nor an admitter key is configured" in fleet_page(monitor.board)) == (not admitters)
        assert f"sandbox_monitor_open_mode {1.0 - number}".encode() in monitor.metrics.exposition()


def test_a_worker_exposes_its_mode() -> None:
    """0 until it is set, so that the series exists from the start."""
    metrics = Metrics()
    assert b"sandbox_monitor_open_mode 0.0" in metrics.exposition()
    metrics.open_mode(True)
    assert b"sandbox_monitor_open_mode 1.0" in metrics.exposition()
