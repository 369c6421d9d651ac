"""`sandbox-monitor firm`: records and classes on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli.firm import firm
from monitor.compile.firm_rules_file import read_rules, rules_yaml
from monitor.errors import SandboxConfigError
from monitor.firms.rules import SHIPPED_RULES, reference_to


def test_the_shipped_rules_are_printed_as_a_file_that_reads_back_the_same(tmp_path: Path) -> None:
    """YAML on stdout; the reference for the configuration of the sandbox on stderr."""
    result = CliRunner().invoke(firm, ["rules"])
    assert result.exit_code == 0
    (tmp_path / "rules.yaml").write_text(result.stdout)
    assert read_rules(tmp_path / "rules.yaml") == SHIPPED_RULES
    assert reference_to(SHIPPED_RULES).digest in result.stderr
    again = CliRunner().invoke(firm, ["rules", str(tmp_path / "rules.yaml")])
    assert (again.exit_code, again.stdout) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 1", "version: 1\nextra: 2", "extra"),
        ("    A: 1.0", "    A: 9.0", "limits.halts.A"),
        ("  halts:", "  huts:", "huts"),
        ("schema:", "schema", "rules.yaml"),
    ],
)
def test_a_mistake_in_rules_is_named_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    """Unknown fields and measures, limits that fall, and files that are no YAML are refused."""
    path = tmp_path / "rules.yaml"
    path.write_text(rules_yaml(SHIPPED_RULES).replace(old, new, 1))
    with pytest.raises(SandboxConfigError, match=said):
        read_rules(path)


def test_a_bad_id_is_a_usage_error() -> None:
    """Before anything is sent."""
    for command in (["show", "a b"], ["classify", "a b", "--author", "o"]):
        result = CliRunner().invoke(firm, command)
        assert result.exit_code == 2, result.output
        assert "The id of a firm" in result.output


def test_a_decision_is_named_by_its_whole_id() -> None:
    """Else nothing is sent."""
    result = CliRunner().invoke(firm, ["annul", "f-1", "p-1", "abc", "--reason", "x", "--author", "a"])
    assert result.exit_code == 2
    assert "decision" in result.output
