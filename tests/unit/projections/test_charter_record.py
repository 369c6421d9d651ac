"""The charter of a pilot can be read from the record after its admission: which came into force, when and by whom."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from monitor.charter.control import Admission, Amendment
from monitor.charter.spec import Charter, charter_hash
from monitor.cli.charter import TEMPLATES, charter
from monitor.compile.dump import charter_yaml
from monitor.compile.load import load_charter, read_charter
from monitor.model.records import Finding, Level, Reason
from monitor.projections.charter_record import versions
from monitor.simulation.fleet_charter import HOUR_MS
from monitor.simulation.fleet_charter import charter as fleet
from monitor.testing.records import decision
from monitor.toolkits.load import shipped
from tests.strength import examples

T0 = 1_700_000_000_000
ONE = fleet("p-1", number=0, period_ms=HOUR_MS, cap=1e6, dispersion=1.0, start=T0, end=T0 + HOUR_MS)
TWO = structs.replace(ONE, version=2, scenario="Another scenario")
FILES = sorted((Path(__file__).parents[2] / "data" / "charters").glob("*.yaml"))


def admitted(act: str, made: Charter, standing: int = 1, reason: Reason = Reason.ADMITTED) -> object:
    return decision(
        standing,
        reason=reason,
        kind="act",
        level=Level.NORMAL,
        cause=f"control:{act}",
        charter=charter_hash(made),
        author="regulator one",
        finding=Finding(rule=f"version {made.version}"),
    )


def test_only_what_came_into_force_is_listed() -> None:
    """A refused admission caused no decision, and a copy of an id with another charter has another hash: neither is
    shown."""
    forged = structs.replace(ONE, scenario="Anything goes")
    acts = [
        Admission(id="a-1", pilot="p-1", author="regulator one", charter=ONE),
        Admission(id="a-1", pilot="p-1", author="a firm", charter=forged),
        Admission(id="a-2", pilot="p-1", author="a firm", charter=forged),
        Amendment(id="a-3", pilot="p-1", author="regulator one", charter=TWO),
        Admission(id="a-4", pilot="p-2", author="regulator one", charter=structs.replace(ONE, pilot="p-2")),
    ]
    made = [admitted("a-1", ONE), admitted("a-3", TWO, 5, Reason.AMENDED)]
    found = versions("p-1", [*acts, *acts], [*reversed(made), *made])  # type: ignore[list-item]
    assert [(one.version, one.act, one.standing, one.reason) for one in found] == [
        (1, "a-1", 1, "admitted"),
        (2, "a-3", 5, "amended"),
    ]
    assert [one.charter for one in found] == [ONE, TWO]
    assert versions("p-2", acts, made) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("made", [ONE, TWO, *[load_charter(path) for path in FILES]], ids=lambda made: made.pilot)
def test_a_charter_written_as_yaml_has_its_hash(made: Charter) -> None:
    """What `charter show` prints is read by `charter check` to the same charter."""
    reading = read_charter(charter_yaml(made))
    assert reading.charter is not None, reading.found
    assert charter_hash(reading.charter) == charter_hash(made)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_survives_too(template: str) -> None:
    """Every part that a template uses is written so that it is read again."""
    text = shipped(template).charter_text
    made = read_charter(text).charter
    assert made is not None
    again = read_charter(charter_yaml(made)).charter
    assert again is not None
    assert charter_hash(again) == charter_hash(made)


WORDS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")), max_size=40),
    st.sampled_from(
        ["yes", "no", "null", "~", "1.0", "0x1f", "2024-01-01", "- a", "a: b", "#", "'", '"', "%", "a\tb", " a "]
    ),
)


@settings(max_examples=examples(50, 150), deadline=None)
@given(WORDS, WORDS)
def test_any_words_survive(scenario: str, sector: str) -> None:
    """Whatever a charter says in words is quoted as YAML asks for."""
    made = structs.replace(ONE, scenario=scenario, sector=sector, alpha=0.007)
    reading = read_charter(charter_yaml(made))
    if reading.charter is None:  # what `check` refuses in any file could not have been admitted from one
        assert {found.field for found in reading.errors} <= {"scenario", "sector"}
        return
    assert charter_hash(reading.charter) == charter_hash(made)


def test_a_directory_shows_what_is_in_force(tmp_path: Path) -> None:
    """`charter show --dir`: YAML or canonical JSON on stdout, all versions on stderr; unknown pilots and versions are
    refused."""
    import asyncio

    from monitor.embedded.monitor import Monitor

    async def run(*made: Charter) -> None:
        monitor = Monitor(tmp_path, port=0, charters=made)
        try:
            await monitor.start()
        finally:
            await monitor.stop()

    def show(*options: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(charter, ["show", "p-1", "--dir", str(tmp_path), *options])
        return done.exit_code, done.stdout, done.stderr

    asyncio.run(run(ONE))
    asyncio.run(run(TWO))
    code, text, told = show()
    assert code == 0, told
    found = read_charter(text).charter
    assert found is not None
    assert charter_hash(found) == charter_hash(TWO)
    for made, word in ((ONE, "admitted"), (TWO, "amended")):
        assert f"version {made.version} {word}" in told
        assert f"hash {charter_hash(made)}" in told
    code, raw, _ = show("--version", "1", "--json")
    assert sha256(raw.strip().encode()).hexdigest() == charter_hash(ONE)
    assert json.loads(raw)["pilot"] == "p-1"
    assert show("--version", "7")[0] == 1
    assert "versions in force: 1, 2" in show("--version", "7")[2]
    unknown = CliRunner().invoke(charter, ["show", "p-9", "--dir", str(tmp_path)])
    assert unknown.exit_code == 1
    assert "no pilot p-9 was admitted" in unknown.stderr


def test_versions_travel_as_json() -> None:
    """What the HTTP address answers is read back to the same versions."""
    from monitor.projections.charter_record import Version

    acts = [Admission(id="a-1", pilot="p-1", author="regulator one", charter=ONE)]
    found = versions("p-1", acts, [admitted("a-1", ONE)])  # type: ignore[list-item]
    assert msgspec.json.decode(msgspec.json.encode(found), type=list[Version]) == found
