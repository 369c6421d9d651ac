"""`shadow replay`: what would have been different over a recorded history."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from monitor.__main__ import cli
from monitor.charter.spec import Charter
from monitor.compile.dump import charter_yaml
from monitor.model.shadow_records import ShadowSummary
from tests.replay.test_history import FLEET, Recording

PILOT = "pilot-0003"  # its incidents rise in the middle
CALM = "pilot-0001"


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded hour of five pilots, with the history of all and of each."""
    home = tmp_path_factory.mktemp("recorded")
    asyncio.run(Recording(home, 3).run())
    for name, more in (("all", ()), *((pilot, ("--pilot", pilot)) for pilot in (PILOT, CALM))):
        made = ran("export", "--dir", str(home), "--quiet", *more)
        assert made.exit_code == 0, made.output
        (home / f"{name}.history").write_text(made.stdout, encoding="utf-8")
    return home


def compared(home: Path, charter: Charter, history: str, *more: str) -> ShadowSummary:
    path = home / "candidate.yaml"
    path.write_text(charter_yaml(charter), encoding="utf-8")
    result = ran("shadow", "replay", str(path), "--history", str(home / f"{history}.history"), "--json", *more)
    assert result.exit_code == 0, result.output
    return msgspec.json.decode(result.stdout, type=ShadowSummary)


def with_limits(charter: Charter, factor: float) -> Charter:
    indicators = tuple(
        one if one.limit is None else structs.replace(one, limit=one.limit * factor) for one in charter.indicators
    )
    return structs.replace(charter, version=2, indicators=indicators)


@pytest.mark.parametrize("pilot", [PILOT, CALM])
def test_the_charter_that_was_in_force_shows_no_difference(home: Path, pilot: str) -> None:
    """Over the history of all pilots and over that of one, with outages and restarts in it."""
    charter = FLEET.charter_for(pilot)
    for history in ("all", pilot):
        found = compared(home, charter, history)
        assert not found.different, found
        assert found.periods_live == found.periods_shadow > 0
        assert found.ended == "end"


def test_tighter_limits_are_found_to_halt_in_every_history_alike(home: Path) -> None:
    """The history of all pilots and that of one give the same differences; a person reads when, and on which counts."""
    charter = with_limits(FLEET.charter_for(CALM), 0.1)
    whole, own = compared(home, charter, "all"), compared(home, charter, CALM)
    assert whole.first_halt is not None
    assert (whole.first_halt, whole.differences) == (own.first_halt, own.differences)
    result = ran("shadow", "replay", str(home / "candidate.yaml"), "--history", str(home / f"{CALM}.history"))
    assert "would have halted" in result.output
    assert "hypothetical" in result.output


def test_what_cannot_be_compared_says_why(home: Path) -> None:
    """A charter that no amendment could put in force, a pilot that is not in the history, a file that is none."""
    path = home / "bad.yaml"
    other = structs.replace(FLEET.charter_for(CALM), version=2, alpha=0.001)
    path.write_text(charter_yaml(other), encoding="utf-8")
    failed = ran("shadow", "replay", str(path), "--history", str(home / f"{CALM}.history"))
    assert failed.exit_code == 1
    assert "alpha is fixed at admission" in failed.output
    elsewhere = ran("shadow", "replay", str(path), "--history", str(home / f"{PILOT}.history"))
    assert elsewhere.exit_code == 1
    assert "not in the history" in elsewhere.output
    plain = ran("shadow", "replay", str(path), "--history", str(path))
    assert plain.exit_code == 2
    assert "export --pilot" in plain.output
    day = ran("shadow", "replay", str(path), "--history", str(home / f"{CALM}.history"), "--since", "March")
    assert day.exit_code == 2
    assert "YYYY-MM-DD" in day.output
