"""Environment variables are in one table, which the README prints and the code keeps to."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from monitor.access.environment import VARIABLES, variables_table

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"(SANDBOX_[A-Z][A-Z_]*[A-Z]|NO_COLOR|QUICK|XDG_STATE_HOME)\Z")
NO_VARIABLE = {"SANDBOX_BYTES"}


def named_in_code() -> set[str]:
    """Every text in the product's code that is the name of an environment variable."""
    found: set[str] = set()
    for path in ROOT.glob("monitor/**/*.py"):
        if path.parts[-2] == "testing" or path.name == "environment.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.match(node.value):
                found.add(node.value)
    return found


def test_every_variable_that_the_code_reads_is_in_the_table() -> None:
    """A variable is found in the README, not by a search of the code."""
    own = {"SANDBOX_MONITOR_TO", "SANDBOX_MONITOR_AUTHOR", "SANDBOX_MONITOR_KEY", "SANDBOX_MONITOR_LANG", "NO_COLOR"}
    assert named_in_code() - NO_VARIABLE <= set(VARIABLES)
    assert set(VARIABLES) - own <= named_in_code()


def test_the_readme_prints_the_table() -> None:
    """The page of the command line has the table as the code has it."""
    assert variables_table() in (ROOT / "monitor/cli/README.md").read_text()
