"""What is shipped can be built again bit by bit, and its bill of materials says what is in it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from importlib import metadata, resources
from pathlib import Path
from types import ModuleType

import jsonschema
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from referencing import Registry, Resource

SUPPLY = Path(__file__).parents[2] / "deploy" / "supply"


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SUPPLY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


bill = module("bill")
package = module("package")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("package") / "dist"
    package.package(folder)
    return folder


def test_two_wheels_of_the_same_tree_are_equal(dist: Path) -> None:
    """`package` compares them itself; the sums are those of the files, and no path of this machine is in the wheel."""
    check = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=dist, capture_output=True, text=True)
    assert check.returncode == 0, check.stdout
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        assert {info.date_time for info in opened.infolist()} == {(2020, 2, 2, 0, 0, 0)}
        assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_the_bill_follows_its_schema_and_names_every_library(dist: Path) -> None:
    """CycloneDX 1.6; every requirement of the wheel is there, with the locked hashes and a licence."""
    (path,) = dist.glob("*.cdx.json")
    found = json.loads(path.read_text())
    shipped = resources.files("cyclonedx.schema._res")
    schemas = {
        name: json.loads(shipped.joinpath(f"{name}.SNAPSHOT.schema.json").read_text())
        for name in ("bom-1.6", "spdx", "jsf-0.82")
    }
    registry: Registry[object] = Registry().with_resources(
        (f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json".replace("bom-1.6.SNAPSHOT", "bom-1.6"), one)
        for name, content in schemas.items()
        for one in [Resource.from_contents(content)]
    )
    jsonschema.Draft7Validator(schemas["bom-1.6"], registry=registry).validate(found)
    parts = {part["name"]: part for part in found["components"]}
    assert {canonicalize_name(Requirement(text).name) for text in _requires()} <= set(parts)
    pins = bill.locked_hashes(bill.ROOT / "requirements.lock")
    for name, part in parts.items():
        assert part["version"] == pins[name][0]
        assert part["licenses"], name
        hashes = {digest["content"] for digest in part["externalReferences"][0]["hashes"]}
        assert hashes == set(pins[name][1])


def _requires() -> list[str]:
    texts = metadata.requires("sandbox-monitor") or []
    return [text for text in texts if "extra ==" not in text or 'extra == "monitor"' in text.replace("'", '"')]


def test_a_library_that_is_not_the_locked_one_stops_the_build(tmp_path: Path) -> None:
    """The bill never describes another environment than the lock file."""
    lock = tmp_path / "requirements.lock"
    text = (bill.ROOT / "requirements.lock").read_text()
    lock.write_text(text.replace(f"msgspec=={metadata.version('msgspec')}", "msgspec==0.0.1"))
    with pytest.raises(LookupError, match="msgspec"):
        bill.bill(lock)


def test_every_licence_is_permissive() -> None:
    """Nothing under a copyleft licence is shipped or required."""
    tree = bill.closure("sandbox-monitor", frozenset({"monitor"}))
    licences = {name: bill.licence(name) for name in tree}
    assert not {name: text for name, text in licences.items() if "GPL" in text or not text}
