"""The charter that is in force can be retrieved after admission, on both runtimes; a refused one is not shown."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from monitor.__main__ import cli
from monitor.charter.spec import Responses, charter_hash
from monitor.compile.dump import charter_yaml
from monitor.compile.load import read_charter
from monitor.testing.environments import WORLDS, World

WORLD = [pytest.param("embedded"), pytest.param("kafka", marks=pytest.mark.kafka)]


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


@pytest.mark.parametrize("name", WORLD)
def test_the_charter_in_force_is_shown_and_a_refused_one_is_not(tmp_path: Path, name: str) -> None:
    """Admitted, amended, and an amendment refused: the YAML has the hash of what is in force, all versions are
    named."""
    world: World = WORLDS[name](tmp_path, 2, Responses())
    try:
        first = world.next()
        second = structs.replace(first, version=2, scenario="Only loans below 1,000 EUR")
        third = structs.replace(first, version=3, alpha=first.alpha / 2)  # alpha is fixed at admission
        to = ["--to", str(world.settings(world.proxy())["to"]), *(["--prefix", "halt"] if name == "kafka" else [])]
        for made, taken in ((second, 0), (third, 1)):
            path = tmp_path / f"{made.version}.yaml"
            path.write_text(charter_yaml(made))
            done = ran("admit", "--amend", str(path), *to, "--author", "regulator-1")
            assert done.exit_code == taken, done.output
        shown = ran("charter", "show", first.pilot, *to)
        assert shown.exit_code == 0, shown.output
        found = read_charter(shown.stdout).charter
        assert found is not None
        assert charter_hash(found) == charter_hash(second)
        assert "version 1 admitted" in shown.stderr
        assert "version 2 amended" in shown.stderr
        assert "by regulator-1" in shown.stderr
        assert "version 3" not in shown.stderr
        older = ran("charter", "show", first.pilot, *to, "--version", "1", "--json")
        assert charter_hash(msgspec.convert(msgspec.json.decode(older.stdout), type(first))) == charter_hash(first)
        assert ran("charter", "show", first.pilot, *to, "--version", "3").exit_code == 1
        if name == "embedded":
            with urllib.request.urlopen(f"{to[1]}/pilot/{first.pilot}", timeout=10) as answer:
                assert f'href="/charter/{first.pilot}"' in answer.read().decode()
            with urllib.request.urlopen(f"{to[1]}/charter/{first.pilot}", timeout=10) as answer:
                page = answer.read().decode()
            assert "scenario: Only loans below 1,000 EUR" in page
            assert charter_hash(first) in page
            assert charter_hash(third) not in page
        unknown = ran("charter", "show", "stranger", *to)
        assert unknown.exit_code == 1
        assert "no pilot stranger was admitted" in unknown.stderr
    finally:
        world.close()
