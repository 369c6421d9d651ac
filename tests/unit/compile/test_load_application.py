"""Application files: read with the line and fix of the first mistake, and compared with the charter."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import msgspec
import pytest

from monitor.charter.application import FIELDS, Application
from monitor.compile.load import Tree
from monitor.compile.load_application import load_application
from monitor.errors import CharterError
from tests.unit.lifecycle.applied import application
from tests.unit.lifecycle.founded import OWN


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_an_application_is_read_as_it_was_written(tmp_path: Path) -> None:
    """JSON is YAML, so that a program can write one too."""
    text = msgspec.json.format(msgspec.json.encode(application(OWN)), indent=2).decode()
    assert load_application(written(tmp_path / "a.yaml", text), OWN) == application(OWN)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"cap": 500', '"cap": 0', "scope.cap"),
        ('"cap": 500', '"cap": 100', "scope.cap"),
        ('"decides": false', '"decides": "no"', "system.decides"),
        ('"sector": "logistics"', '"sector": "health"', "scope.sector"),
        ('"harm": "none"', '"harm": "all"', "safeguards[0].harm"),
        ('"personal": false', '"personal": true', "data.legal_basis"),
        ('"objectives"', '"aims"', "objectives"),
    ],
)
def test_a_mistake_is_named_with_its_field_and_line(tmp_path: Path, old: str, new: str, field: str) -> None:
    """The first one, as `charter check` names those of a charter."""
    text = msgspec.json.format(msgspec.json.encode(application(OWN)), indent=2).decode()
    assert old in text
    with pytest.raises(CharterError) as caught:
        load_application(written(tmp_path / "a.yaml", text.replace(old, new)), OWN)
    assert caught.value.field == field
    assert caught.value.line > 1 or field == "objectives"  # a missing part has the line of the whole


def test_the_template_is_well_formed_and_every_field_names_its_legal_basis() -> None:
    """It has every part; what stands behind `#` is an option."""
    text = resources.files("monitor.charter.templates").joinpath("application.yaml").read_text("utf-8")
    tree = Tree("application.yaml")
    data = tree.load(text)
    tree.check(Application, data, "")
    assert tree.found == []
    assert set(data) | {"real_world_test"} == set(Application.__struct_fields__)
    assert set(FIELDS) == set(Application.__struct_fields__) - {"schema"}
