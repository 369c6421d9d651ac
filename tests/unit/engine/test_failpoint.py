"""Failpoints are read exactly, or refused: a mistyped one must not make a test pass."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import monitor.engine.runner
import monitor.kafka
from monitor.engine.failpoint import PLACES, from_environment, parse


@pytest.mark.parametrize(
    "text",
    ["after_write", "after_write:burn@1", "after_write:kill@x", ":kill@1", "after_write:kill@", "nowhere:kill@1"],
)
def test_a_mistyped_failpoint_is_refused(text: str) -> None:
    """Anything but place:action@n is an error."""
    with pytest.raises(ValueError, match="not a failpoint"):
        parse(text)


def test_without_the_variable_nothing_happens() -> None:
    """Without the environment variable a failpoint does nothing."""
    reach = from_environment({})
    for _ in range(3):
        reach("after_write")


def test_it_kills_at_the_nth_time_and_not_before() -> None:
    """The process dies at the third visit of the place: two lines are printed, not three."""
    code = (
        "from monitor.engine.failpoint import from_environment\n"
        "reach = from_environment()\n"
        "for n in range(9):\n"
        "    reach('after_write'); print(n, flush=True)\n"
    )
    environment = {**os.environ, "SANDBOX_FAILPOINT": "after_write:kill@3"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (-signal.SIGKILL, ["0", "1"])


def test_every_place_is_listed_and_every_listed_place_exists() -> None:
    """`PLACES` names what the sources name, so that a test that kills at every listed place misses none."""
    sources = [Path(monitor.engine.runner.__file__), *Path(monitor.kafka.__path__[0]).glob("*.py")]
    called = "".join(call for path in sources for call in re.findall(r"_failpoint\((.*)\)", path.read_text()))
    assert set(re.findall(r'"(\w+)"', called)) == set(PLACES)
