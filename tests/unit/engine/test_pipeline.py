"""The shape of the state machine: one visible pipeline, and one function for each kind of timer."""

from __future__ import annotations

import ast
import inspect
import textwrap
from pathlib import Path

import monitor.state.timers
from monitor.engine.firing import TIMERS, WAITING
from monitor.engine.machine import Machine

STAGES = ["_not_accepted", "_catch_up", "accept_sequence", "observe", "detect", "decide", "settle", "arm"]


def _calls(source: str) -> list[str]:
    """Names of the called functions and methods, in the order of the text."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    named = [call.func for call in calls]
    return [func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in named]


def test_the_pipeline_of_one_event_calls_its_stages_in_order() -> None:
    """`Machine.step_event` reads top to bottom, in under 50 lines: validate, timers, sequence, observe, detect, decide,
    record."""
    source = textwrap.dedent(inspect.getsource(Machine.step_event))
    assert [name for name in _calls(source) if name in STAGES] == STAGES
    assert len(source.splitlines()) < 50


def test_every_kind_of_timer_has_a_function() -> None:
    """The kinds that a pilot's state can have are the kinds that fire, those that an outage postpones included."""
    tree = ast.parse(Path(monitor.state.timers.__file__).read_text("utf-8"))
    yielded = [node.value for node in ast.walk(tree) if isinstance(node, ast.Yield)]
    kinds = {
        part.elts[1].value for part in yielded if isinstance(part, ast.Tuple) and isinstance(part.elts[1], ast.Constant)
    }
    assert kinds == set(TIMERS)
    assert set(WAITING) <= kinds
