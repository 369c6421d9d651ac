"""Toolkits as folders: the shipped ones are whole and stay as published; every mistake in one is named with its fix."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import monitor.toolkits
from monitor.__main__ import cli
from monitor.compile.charter_basis import catalogue_warnings
from monitor.compile.load import read_charter
from monitor.compile.load_basis import shipped_catalogue
from monitor.errors import ToolkitError
from monitor.toolkits.load import FILES, SHIPPED, load_toolkit, read_toolkit, shipped
from monitor.toolkits.new import new_charter

HOME = Path(monitor.toolkits.__file__).parent
# A published version never changes: a changed file is a new version, with another row.
PUBLISHED: dict[tuple[str, int], str] = {
    ("automated_driving", 1): "f0c8f09adfd78ede9d114e4f460b62308ea2a79fd212235b215ed96cdad8ac9f",
    ("consumer_finance", 1): "5c68fb02373b7535e2369c613164af8d6c42ad6d4bfd012aa1b3b4f10532f87b",
    ("generative_services", 1): "67be3c3b5fcf378eb8c7acb57ff1da908de093616c66ce8b91367a74625846b3",
    ("health", 1): "3b915cf85f52be7f83833101347b799f8963034b7f8d130e226c4d9b36d2de72",
    ("education", 1): "34f9d2e188b3f3dd12148d4d65063e1be1e82425ffea6c62338d08a327719b0c",
}


def edited(folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of a shipped toolkit with one text replaced."""
    copy = folder / "consumer_finance"
    shutil.copytree(HOME / "consumer_finance", copy)
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new, 1))
    return copy


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_toolkit_is_whole_and_as_it_was_published(name: str) -> None:
    """Its parts agree, and its digest is the one of its version."""
    made, found = read_toolkit(HOME / name)
    assert found == []
    assert made is not None
    assert made == shipped(name)
    assert made.digest == PUBLISHED[made.about.id, made.about.version]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_catalogue_has_what_a_toolkit_cites(name: str) -> None:
    """In force, and not too weak to rest a halt on: `charter check` has no warning on them."""
    assert list(catalogue_warnings(shipped(name).charter, shipped_catalogue())) == []


def test_every_folder_is_shipped() -> None:
    """A folder that is not in `SHIPPED` would not be listed."""
    assert {path.parent.name for path in HOME.glob("*/toolkit.yaml")} == set(SHIPPED)
    with pytest.raises(KeyError):
        shipped("no-such")


def test_the_digest_is_reproduced_by_sha256sum() -> None:
    """So an authority can compare a folder without this program."""
    lines = subprocess.run(["sha256sum", *FILES], cwd=HOME / SHIPPED[0], capture_output=True, check=True).stdout
    found = subprocess.run(["sha256sum"], input=lines, capture_output=True, check=True).stdout
    assert found.split()[0].decode() == shipped(SHIPPED[0]).digest


@pytest.mark.parametrize("name", SHIPPED)
def test_a_new_charter_names_the_toolkit_that_it_comes_from(name: str) -> None:
    """It is the template with the field `toolkit`, and both commands write it."""
    text = new_charter(shipped(name))
    made = read_charter(text).charter
    assert made is not None
    assert made.toolkit == shipped(name).ref
    for command in (["charter", "new", name], ["toolkit", "new", name], ["toolkit", "new", str(HOME / name)]):
        assert CliRunner().invoke(cli, command).stdout == text


MISTAKES: list[tuple[str, str, str, str]] = [
    ("toolkit.yaml", "id: consumer_finance", "id: finance", "id: the folder is named consumer_finance"),
    ("toolkit.yaml", "sector: finance", "sector: health", "sector: the charter is of sector finance"),
    ("toolkit.yaml", "version: 1", "version: 0", "version: "),
    ("toolkit.yaml", "scope:", "scoop:", "unknown field; did you mean scope?"),
    ("toolkit.yaml", "indicators: [false-positives]", "indicators: [false-positive]", "did you mean false-positives?"),
    ("toolkit.yaml", "rules: [foreign-model]", "rules: []", "hazards[5]: nothing sees this hazard"),
    ("toolkit.yaml", "rules: [foreign-model]", "scenarios: [last-quarter-again]",
     "no hazard names foreign-model of the rules"),
    ("toolkit.yaml", "id: no-answer", "id: one-group", "one-group is written twice"),
    ("toolkit.yaml", "    not_seen: Costs that the firm does not state.\n", "",
     "hazards[7].not_seen: the field is missing"),
    ("toolkit.yaml", "name: each-group-alone", "name: each-group", "the charter has no scenario each-group"),
    ("toolkit.yaml", "name: each-group-alone", "name: each-group", "it is not said how each-group-alone is run"),
    ("toolkit.yaml", "      recall: share", "      recal: share", "recall is not explained"),
    ("toolkit.yaml", "      recall: share", "      recal: share", "recal: the charter has no bound for it"),
    ("charter.yaml", "tier: high", "tier: hgih", "tier: 'hgih' is not one of the words"),
    ("charter.yaml", "alpha: 0.01", "alpha: 0.2", "warning: alpha"),
    ("charter.yaml", "version: 1 ", f"toolkit: {{id: x, version: 1, digest: '{'0' * 64}'}}\nversion: 1 ",
     "remove `toolkit`"),
    ("charter.yaml", "    clauses: [eu-aia-10]\n", "",
     "indicators[false-positives-gap] of the charter cites no clause"),
    ("charter.yaml", ", clauses: [eu-aia-43-4]", "", "hard_rules[foreign-model] of the charter cites no clause"),
    ("playbook.md", "## silence", "## quiet", "## silence: the section is missing"),
    ("playbook.md", "## silence", "## quiet", "## quiet: the charter has no such indicator or hard rule"),
    ("playbook.md", "**Do.** Call the contact.", "Call the contact.", "## silence: **Do.** is missing"),
    ("playbook.md", "## foreign-model", "## silence", "## silence: the heading is written twice"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "says"), MISTAKES)
def test_a_mistake_is_named_with_its_file_and_the_fix(file: str, old: str, new: str, says: str, tmp_path: Path) -> None:
    """Where two parts do not agree, where something is missing, and where a name is misspelt."""
    folder = edited(tmp_path, file, old, new)
    made, found = read_toolkit(folder)
    assert made is None
    assert any(says in str(problem) for problem in found), [str(problem) for problem in found]
    assert all(problem.fix and problem.line >= 1 for problem in found)
    with pytest.raises(ToolkitError):
        load_toolkit(folder)
    said = CliRunner().invoke(cli, ["toolkit", "check", str(folder)])
    assert said.exit_code == 1
    assert says in said.stderr


BREAKS: dict[str, Callable[[Path], object]] = {
    "a missing file": lambda path: path.unlink(),
    "no UTF-8": lambda path: path.write_bytes(b"\xff\xfe"),
    "nothing": lambda path: path.write_text(""),
    "too much": lambda path: path.write_bytes(b"#" * (1 << 20) + b"#"),
}


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("file", FILES)
def test_an_unreadable_file_is_a_mistake_and_no_traceback(file: str, how: str, tmp_path: Path) -> None:
    """Each of the three files, in each way."""
    folder = edited(tmp_path, "toolkit.yaml", "a", "a")
    BREAKS[how](folder / file)
    made, found = read_toolkit(folder)
    assert made is None
    assert any(problem.file == str(folder / file) for problem in found)


def test_a_newcomer_copies_a_neighbour(tmp_path: Path) -> None:
    """Copy a folder, change its id, and it is a toolkit: listed, checked, and the start of a charter that is compared
    with it."""
    folder = tmp_path / "micro_credit"
    shutil.copytree(HOME / "consumer_finance", folder)
    text = (folder / "toolkit.yaml").read_text()
    (folder / "toolkit.yaml").write_text(text.replace("id: consumer_finance", "id: micro_credit"))
    run = CliRunner().invoke
    assert run(cli, ["toolkit", "check", str(folder)]).stdout.startswith(f"OK {folder}: micro_credit, version 1")
    assert "micro_credit" in run(cli, ["toolkit", "list", str(folder)]).stdout
    charter = tmp_path / "charter.yaml"
    charter.write_text(run(cli, ["toolkit", "new", str(folder)]).stdout.replace("limit: 0.02", "limit: 0.5"))
    said = run(cli, ["charter", "check", str(charter)])
    assert "there is no toolkit micro_credit here to compare with; give the folder" in said.stderr
    said = run(cli, ["charter", "check", str(charter), "--toolkit", str(folder)])
    assert said.exit_code == 0
    assert "indicators[0].limit: loosened: 0.5 where the toolkit has 0.02" in said.stderr


def test_show_prints_what_is_seen_and_what_is_not() -> None:
    """Hazards with what sees them; the playbook, or one section of it; a name that is unknown is refused with those
    that are known."""
    run = CliRunner().invoke
    said = run(cli, ["toolkit", "show", "consumer_finance"]).stdout
    assert "seen by: false-positives-by-group, false-positives-gap, scenario each-group-alone" in said
    assert "not seen: Groups that the charter does not list" in said
    assert (
        "**Do.** Call the contact." in run(cli, ["toolkit", "show", "consumer_finance", "--finding", "silence"]).stdout
    )
    assert "## silence" in run(cli, ["toolkit", "show", "consumer_finance", "--playbook"]).stdout
    assert '"playbook":{' in run(cli, ["toolkit", "show", "consumer_finance", "--json"]).stdout
    unknown = run(cli, ["toolkit", "show", "consumer_finance", "--finding", "sirens"])
    assert unknown.exit_code == 1
    assert "there is false-positives" in unknown.stderr
    missing = run(cli, ["toolkit", "show", "no-such"])
    assert missing.exit_code == 2
    assert "shipped are automated_driving" in missing.stderr
