"""No command prints control characters that came from a firm, a file or a log."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.__main__ import cli
from monitor.charter.values import escaped
from monitor.cli.terminal import printable
from monitor.model.records import Reason
from monitor.notary.notary import Notary
from monitor.testing.records import decision

PACKAGE = Path(__file__).parents[2] / "monitor"
STEERING = "".join(map(chr, [*range(9), 11, 12, *range(14, 32), *range(127, 160), 0x202E, 0x2066, 0x200B]))
FILES = sorted(path for path in (PACKAGE / "cli").glob("*.py") if path.name != "terminal.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_commands_print_through_the_one_function(path: Path) -> None:
    """`monitor.cli.terminal.echo` alone writes to the terminal."""
    found = re.findall(r"\bclick\.s?echo\(|(?<![\w.])print\(", path.read_text())
    assert not found


def test_printable_text_has_no_character_that_steers_a_terminal() -> None:
    """Every control character and every character that turns text is escaped; line breaks and tabs stay."""
    text = printable(f"a\tb\n{STEERING}")
    assert text.startswith("a\tb\n")
    assert not set(text) & set(STEERING)
    assert escaped("\x1b") in text


def test_a_ledger_with_control_characters_is_printed_without_them(tmp_path: Path) -> None:
    """`ledger show` and `ledger verify`, with whatever stands in a finding, a cause or the name of a pilot."""
    steered = decision(1, pilot=f"p{STEERING}", cause=f"event:{STEERING}", author=STEERING, reason=Reason.ADMITTED)
    Notary(tmp_path / "ledger").record([steered], [])
    (file,) = (tmp_path / "ledger").glob("*.ledger")
    for command in (["show", str(file)], ["show", "--json", str(file)], ["verify", str(tmp_path / "ledger")]):
        done = CliRunner().invoke(cli, ["ledger", *command])
        assert done.exit_code == 0, done.output
        assert not set(done.output) & set(STEERING), command
