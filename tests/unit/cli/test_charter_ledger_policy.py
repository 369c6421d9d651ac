"""The policy of a pilot's published log stands in the charter by its hash, which both sides sign."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.charter.spec import charter_hash
from monitor.cli.charter import charter as charter_command
from monitor.compile.load import load_charter

POLICY = b"quorum none\n"
SHA256 = hashlib.sha256(POLICY).hexdigest()


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A charter without a policy."""
    path = tmp_path / "charter.yaml"
    path.write_text(CliRunner().invoke(charter_command, ["new", "consumer_finance"]).output)
    return path


def check(path: Path, policy: Path) -> tuple[int, str]:
    done = CliRunner().invoke(charter_command, ["check", str(path), "--ledger-policy", str(policy)])
    return done.exit_code, done.output


def test_the_hash_in_the_charter_is_that_of_the_policy_file(tmp_path: Path, template: Path) -> None:
    """The same file passes; another one, a changed byte or no statement at all is an error with the line to write."""
    policy, other, stating = tmp_path / "policy", tmp_path / "other", tmp_path / "stating.yaml"
    policy.write_bytes(POLICY)
    other.write_bytes(b"# changed\n" + POLICY)
    stating.write_text(template.read_text() + f"ledger_policy: {SHA256}\n")
    assert check(stating, policy)[0] == 0
    code, output = check(stating, other)
    assert (code, f"is the hash of another policy file: {SHA256}" in output) == (1, True)
    code, output = check(template, policy)
    assert (code, f"write ledger_policy: {SHA256}" in output) == (1, True)


def test_a_policy_is_part_of_what_both_sides_sign(tmp_path: Path, template: Path) -> None:
    """The hash of the charter changes with the policy, and a charter without one keeps its hash."""
    hashes = {charter_hash(load_charter(template))}
    for digit in "01":
        stating = tmp_path / f"{digit}.yaml"
        stating.write_text(template.read_text() + f"ledger_policy: '{digit * 64}'\n")
        hashes.add(charter_hash(load_charter(stating)))
    assert len(hashes) == 3
