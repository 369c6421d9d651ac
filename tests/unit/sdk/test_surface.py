"""The public surface of the SDK: its names, its tree of errors, its closed lists of refusals."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import monitor.sdk
from monitor.errors import Halted, Lapsed, SandboxMonitorError, Unavailable
from monitor.sdk.asgi import problem
from monitor.sdk.refusals import ArgumentError, MessageRejection, WorkRefusal

SDK = Path(monitor.sdk.__file__).parent
FILES = sorted(SDK.glob("*.py"))


def test_the_public_names_are_these() -> None:
    """A firm imports these names from `monitor.sdk`; each is there."""
    names = "BadEvent Drain Halted Harm Lapsed Pilot Severity SpoolBroken SpoolFull Status TelemetryProblem Unavailable"
    assert monitor.sdk.__all__ == names.split()
    assert all(hasattr(monitor.sdk, name) for name in monitor.sdk.__all__)


def drawn() -> dict[str, str]:
    """Each error in the docstring's tree with the one above it."""
    above: dict[int, str] = {}
    found: dict[str, str] = {}
    for line in inspect.getdoc(monitor.sdk).splitlines():  # type: ignore[union-attr]
        match = re.match(r"^(\s*(?:[│├└─]+\s*)*)([A-Z]\w+)(\s{2,}|$)", line)
        if match and ("─" in match[1] or match[2] == "SandboxMonitorError"):
            depth = len(match[1]) // 4
            found[match[2]] = above.get(depth - 1, "")
            above[depth] = match[2]
    return found


def test_the_tree_of_errors_is_complete_and_true() -> None:
    """Every error that the SDK exports is in the drawn tree, below the class that it inherits from."""
    tree = drawn()
    exported = [getattr(monitor.sdk, name) for name in monitor.sdk.__all__]
    errors = [e for e in exported if inspect.isclass(e) and issubclass(e, Exception)]
    assert {error.__name__ for error in errors} == {name for name in tree if name in monitor.sdk.__all__}
    for error in errors:
        parents = [c.__name__ for c in error.__mro__[1:] if issubclass(c, SandboxMonitorError)]
        lineage, at = [], error.__name__
        while tree[at]:
            at = tree[at]
            lineage.append(at)
        assert lineage == parents


def test_the_words_of_refusals_are_closed() -> None:
    """Dashboards and services compare these words; they stay as they are."""
    assert [*WorkRefusal] == ["halted", "not_resumed", "lapsed", "unavailable"]
    assert [*MessageRejection] == [
        "forged", "unreadable", "other_pilot", "lower_standing", "standing_jump", "key_changed", "repeated",
        "other_nonce", "other_standing", "replayed",
    ]  # fmt: skip
    assert [*ArgumentError] == [
        "closed", "wrong_type", "not_accepted", "not_text", "not_finite", "no_offset", "not_a_time", "in_the_future",
        "before_2000", "after_closing",
    ]  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_rejected_argument_has_a_word_outside_the_list(path: Path) -> None:
    """Every `BadEvent` is raised with a member of `ArgumentError`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "BadEvent":
            assert ast.unparse(node.args[1]).startswith("ArgumentError."), f"{path.name}:{node.lineno}"


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (Halted("m", reason="hard_rule"), WorkRefusal.HALTED, "hard_rule"),
        (Halted("m", reason=WorkRefusal.NOT_RESUMED.value), WorkRefusal.HALTED, "not_resumed"),
        (Lapsed("m"), WorkRefusal.LAPSED, "lapsed"),
        (Unavailable("m"), WorkRefusal.UNAVAILABLE, "unavailable"),
    ],
)
def test_problem_details_carry_words_of_the_list(
    error: Halted | Lapsed | Unavailable, kind: WorkRefusal, reason: str
) -> None:
    """A refused request names its refusal in `type`, and the reason in `reason`."""
    found = problem("p", error)
    assert (found["type"], found["reason"], found["status"]) == (f"urn:sandbox-monitor:{kind}", reason, 503)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_of_the_sdk_is_short(path: Path) -> None:
    """One idea per file: less than 400 lines."""
    assert len(path.read_text().splitlines()) < 400
