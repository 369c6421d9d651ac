"""A sandbox whose people have keys requires keys of its firms too, unless its configuration says otherwise."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from msgspec import UNSET, structs

from monitor.__main__ import cli
from monitor.charter.control import Submission
from monitor.charter.spec import Participant
from monitor.compile.sandbox_file import read_sandbox, sandbox_yaml
from monitor.console.fleet_page import fleet_page
from monitor.console.fleet_view import FleetView
from monitor.errors import SandboxConfigError
from monitor.lifecycle.sandbox import Sandbox
from monitor.lifecycle.sandbox_acts import PutFirmKeys, configuration_digest
from monitor.lifecycle.sandbox_diff import change_between
from monitor.model.records import Outputs, Reason
from monitor.model.refusals import Refusal

from .applied import application
from .founded import OWN, SANDBOX, Founded

WITHOUT = structs.replace(OWN, participant=Participant("firm"))
LENIENT = structs.replace(SANDBOX, firm_keys=UNSET)


def applied(world: Founded) -> str:
    """The refusal of an application of a firm without a key; "" if it is taken."""
    act = Submission(**world.by("firm"), application=application(WITHOUT), charter=WITHOUT)
    out = world.put(act, "")
    return out.rejected[0].detail if out.rejected else ""


def test_a_new_sandbox_with_keys_refuses_a_firm_without_a_key() -> None:
    """The refusal names the field and the fix; after the change of the configuration the firm may apply."""
    world = Founded(admit=None)
    said = applied(world)
    assert said.startswith(Refusal.BELOW_STANDARD)
    assert "add the public key" in said
    world.change(PutFirmKeys(required=False))
    assert applied(world) == ""


def test_a_configuration_from_before_the_switch_keeps_its_digest_and_its_decisions() -> None:
    """The field is left out where it is not given, and a firm without a key applies as before."""
    assert "firm_keys" not in sandbox_yaml(LENIENT)
    assert configuration_digest(LENIENT) != configuration_digest(SANDBOX)
    assert applied(Founded(LENIENT, admit=None)) == ""


def test_an_amendment_keeps_the_keys_of_the_firm_and_one_of_a_pilot_without_keys_goes_on() -> None:
    """A charter that drops the keys is refused; a pilot that was admitted without them can still be amended."""
    world = Founded()
    dropped = world.amended(structs.replace(WITHOUT, version=2))
    assert Refusal.BELOW_STANDARD in dropped.rejected[0].detail
    old = Founded(LENIENT, admit=WITHOUT)
    old.change(PutFirmKeys(required=True))
    new = structs.replace(WITHOUT, version=2, scenario="another depot")
    signed = structs.replace(old.pilot.life, signed_by_firm="")
    assert old.pilot.life == signed
    old.amended(new)
    assert Refusal.BELOW_STANDARD not in "".join(one.detail for one in old.rejected)


def test_the_switch_is_a_change_like_others() -> None:
    """`sandbox propose` finds it in a file, in both directions."""
    assert change_between(LENIENT, SANDBOX) == PutFirmKeys(required=True)
    assert change_between(SANDBOX, LENIENT) == PutFirmKeys(required=False)
    world = Founded()
    world.change(PutFirmKeys(required=False))
    assert world.decisions[-1].reason is Reason.CONFIGURATION_CHANGED
    assert "put firm keys not required" in world.decisions[-1].finding.detail


def test_sandbox_check_warns_of_firms_that_may_act_unsigned(tmp_path: Path) -> None:
    """Only where the people have keys and the firms need none; the file reads back as it was."""

    def said(sandbox: Sandbox) -> str:
        path = tmp_path / "sandbox.yaml"
        path.write_text(sandbox_yaml(sandbox))
        assert read_sandbox(path) == sandbox
        result = CliRunner().invoke(cli, ["sandbox", "check", str(path)])
        assert result.exit_code == 0
        return result.stderr

    assert "firm_keys: required" in said(LENIENT)
    assert "warning: firm_keys" not in said(SANDBOX)
    open_mode = tuple(structs.replace(person, keys=()) for person in LENIENT.people)
    assert "warning: firm_keys" not in said(structs.replace(LENIENT, people=open_mode))


def test_sandbox_check_names_every_mistake_with_the_words_that_are_allowed(tmp_path: Path) -> None:
    """A word that is not allowed, and an unknown field: both in one run, each with its fix."""
    path = tmp_path / "sandbox.yaml"
    path.write_text(sandbox_yaml(SANDBOX).replace("level: provincial", "level: national") + "colour: red\n")
    result = CliRunner().invoke(cli, ["sandbox", "check", str(path)])
    assert isinstance(result.exception, SandboxConfigError)
    said = str(result.exception)
    assert "level: 'national' is not one of the words allowed here; write one of central, provincial, sectoral" in said
    assert "colour: unknown field" in said


def test_the_board_says_which_firms_act_without_a_signature() -> None:
    """Where the sandbox requires no keys of firms and one acts without; nothing where the firm signs, or has not
    acted."""
    unsigned, signed, silent = Founded(LENIENT, admit=None), Founded(), Founded(LENIENT, admit=None)
    assert applied(unsigned) == ""
    for world, firms in ((unsigned, 1), (signed, 0), (silent, 0)):
        board = FleetView()
        board.apply(Outputs(decisions=list(world.decisions)))
        assert board.unsigned_firms() == firms
        assert ("<b>Unsigned acts.</b> The last act of 1 firm is not signed" in fleet_page(board)) == bool(firms)
