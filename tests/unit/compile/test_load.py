"""Charter files: every mistake is found, with file, line, column, field, problem and fix; nothing a file says can
raise."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.__main__ import cli
from monitor.charter import spec as charter_words
from monitor.charter.spec import Charter, canonical_charter, charter_hash
from monitor.cli.charter import TEMPLATES
from monitor.compile.load import load_charter, read_bytes, read_charter
from monitor.errors import CharterError
from monitor.model.signing import Signer
from monitor.toolkits.load import shipped
from monitor.toolkits.new import new_charter

KEY = Signer(bytes(32)).public
GOOD = """\
schema: sandbox-charter/1
pilot: p-1
participant: {id: firm}
scenario: test
tier: limited
cycle: {start: 2026-01-01, end: 2026-12-31}
models: [{digest: m1}]
authorities: [{id: a, approvers: [x, y]}]
indicators:
  - name: incidents
    kind: incident_rate
    limit: 20
    per: 1000
    weight: 0.5
    exposure: {unit: decisions}
    detectors:
      - {name: limit_e_process, level: halt}
"""


def found(text: str) -> list[tuple[int, int, str, str, str]]:
    return [(f.line, f.column, f.field, f.problem, f.fix) for f in read_charter(text).found]


def test_a_good_charter_is_read_without_findings() -> None:
    """Dates stay text, whole numbers may stand for fractions."""
    reading = read_charter(GOOD)
    assert reading.found == ()
    assert reading.charter is not None
    assert reading.charter.cycle.start == "2026-01-01"
    assert reading.charter.indicators[0].limit == 20.0


MISTAKES = [
    ("a field that is missing", "pilot: p-1\n", "", 1, 1, "pilot", "the field is missing", "add it"),
    (
        "a field that is misspelt",
        "tier: limited",
        "tier: limited\nsectr: x",
        6,
        8,
        "sectr",
        "unknown field",
        "did you mean sector?",
    ),
    (
        "a word that is misspelt",
        "tier: limited",
        "tier: limitd",
        5,
        7,
        "tier",
        "'limitd' is not one of the words",
        "did you mean limited?",
    ),
    ("a number as a name", "pilot: p-1", "pilot: 17", 2, 8, "pilot", "Expected str, got int", "put it in quotes"),
    ("a quoted number", "limit: 20", 'limit: "20"', 12, 12, "indicators[0].limit", "got str", "without quotes"),
    (
        "a number out of range",
        "limit: 20",
        "limit: -20",
        12,
        12,
        "indicators[0].limit",
        "> 0.0",
        "keep within the range",
    ),
    (
        "a span in words",
        "limit: 20",
        "limit: 20\n    period: 1 hour",
        13,
        13,
        "indicators[0].period",
        "of another form",
        "such as 1h",
    ),
    ("a date in another form", "2026-12-31", "31.12.2026", 6, 33, "cycle.end", "of another form", "YYYY-MM-DD"),
    (
        "an old boolean",
        "indicators:",
        "hard_rules: [{name: x, level: halt, unregistered_model: yes}]\nindicators:",
        9,
        57,
        "hard_rules[0].unregistered_model",
        "Expected bool, got str",
        "write true or false",
    ),
    (
        "a number that begins with nought",
        "per: 1000",
        "per: 0100",
        13,
        10,
        "indicators[0].per",
        "8-based to some",
        'write 100 or "0100"',
    ),
    ("not a number", "per: 1000", "per: .nan", 13, 10, "indicators[0].per", "not finite", "ordinary size"),
    (
        "a doubled key",
        "scenario: test",
        "scenario: test\nscenario: other",
        5,
        1,
        "scenario",
        "the key is written twice",
        "remove one",
    ),
    ("a tab", "  - name: incidents", "\t- name: incidents", 10, 1, "charter", "cannot start any token", "spaces"),
    (
        "a merge key",
        "participant: {id: firm}",
        "participant: {<<: {id: firm}}",
        3,
        15,
        "participant.<<",
        "not used",
        "write the fields out",
    ),
    ("a tag", "scenario: test", "scenario: !!python/name:os.system test", 4, 11, "scenario", "tag", "a text"),
    (
        "an empty list",
        "authorities: [{id: a, approvers: [x, y]}]",
        "authorities: []",
        8,
        14,
        "authorities",
        "length >= 1",
        "write at least one",
    ),
    ("a value left out", "scenario: test", "scenario:", 4, 9, "scenario", "got null", "give it a value"),
    ("a list that is none", "models: [{digest: m1}]", "models: m1", 7, 9, "models", "Expected array", "write a list"),
    ("a second document", "indicators:", "---\nindicators:", 9, 1, "charter", "another document", "the one before"),
]


@pytest.mark.parametrize("row", MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_named_with_its_place_and_fix(row: tuple[str, str, str, int, int, str, str, str]) -> None:
    """One change to the good charter, one finding at the right place."""
    _, old, new, line, column, field, problem, fix = row
    assert GOOD.count(old) == 1
    ((at_line, at_column, at_field, said, remedy),) = found(GOOD.replace(old, new))
    assert (at_line, at_column, at_field) == (line, column, field)
    assert problem in said
    assert fix in remedy


def test_all_mistakes_are_found_at_once() -> None:
    """One run of the check reports all mistakes."""
    text = (
        GOOD.replace("p-1", "17").replace("limited", "limitd").replace("limit: 20", 'limit: "20"').replace("firm", "[]")
    )
    assert [line for line, *_ in found(text)] == [2, 3, 5, 12]


MEANING = [
    ("end: 2026-12-31", "end: 2025-12-31", "cycle.end"),
    ("approvers: [x, y]", "approvers: [x, y], keys: {x: abc}", "authorities[0].keys.x"),
    ("kind: incident_rate", "kind: incident_rat", "indicators[0].kind"),
]


@pytest.mark.parametrize("row", MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_of_form_hides_none_of_meaning_elsewhere(row: tuple[str, str, str, int, int, str, str, str]) -> None:
    """A name that does not exist, an end before the start, a key that is none are said at once, but for those in the
    same part of the charter; where the file as a whole cannot be read nothing else is said."""
    _, old, new, _, _, field, _, _ = row
    text, expected = GOOD.replace(old, new), [field]
    for right, wrong, where in MEANING:
        if right in text:
            text = text.replace(right, wrong)
            if field != "charter" and where.split(".")[0] not in (field.split(".")[0], f"{field}[0]"):
                expected.append(where)
    assert len(expected) > 1 or field == "charter"
    assert sorted(f for _, _, f, _, _ in found(text)) == sorted(expected)
    assert read_charter(text).charter is None


def test_mistakes_of_yaml_form_and_meaning_are_found_at_once_each_at_its_place() -> None:
    """Elements of a list keep their places when one before them is wrong; what follows from another mistake is not
    said."""
    text = (
        GOOD.replace("tier: limited", "tier: limited\ntier: high")
        .replace("models: [{digest: m1}]", "models: [{digest: 1}, {digest: m2}, {digest: m2}]")
        .replace("approvers: [x, y]", "aprovers: [x, y]")
        .replace("limit: 20", "limit: 020")
    )
    text += (
        "  - {name: b, kind: incident_rate, exposure: {unit: decisions}, detectors: [{name: cusums, level: watch}]}\n"
    )
    assert [(line, field) for line, _, field, _, _ in found(text)] == [
        (6, "tier"),
        (8, "models[0].digest"),
        (8, "models[2].digest"),
        (9, "authorities[0].aprovers"),
        (13, "indicators[0].limit"),
        (19, "indicators[1].detectors[0].name"),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("models: [{digest: m1}]", "modls: [{digest: m1}]"),
        ("indicators:", "drills: {every: 5m}\nrespnses: {acknowledge_within: 1s, lease: 30s}\nindicators:"),
        ("indicators:", "drills: {every: 90s}\nresponses: {acknowledge_within: 1s, lease: 30}\nindicators:"),
        ("tier: limited", "tier: limitd\nresponses: {tolerate_first: true}"),
        ("participant: {id: firm}", "participant: {<<: {id: firm}}"),
    ],
)
def test_what_follows_from_a_mistake_is_not_a_second_one(old: str, new: str) -> None:
    """Nothing is said of a field that is right, because another on which it rests is wrong or misspelt."""
    fields = {field.split(".")[0] for _, _, field, _, _ in found(GOOD.replace(old, new))}
    assert fields <= {"modls", "models", "respnses", "responses", "tier", "participant"}
    assert fields


def test_an_alias_is_followed_and_a_bomb_of_aliases_is_not() -> None:
    """Anchors spare repetition; a page that would fill the memory, or holds itself, is a mistake."""
    shared = (
        GOOD.replace("{unit: decisions}", "&e {unit: decisions}")
        + "  - {name: b, kind: incident_rate, exposure: *e, detectors: []}\n"
    )
    reading = read_charter(shared)
    assert reading.errors == ()
    assert reading.charter is not None
    assert reading.charter.indicators[0].exposure == reading.charter.indicators[1].exposure
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "too many values" in found(bomb)[0][3]
    assert "contains itself" in found("a: &a [*a]\n")[0][3]


@pytest.mark.parametrize(
    "raw", [b"", b"# nothing\n", b"\xff\xfe", b"- 1\n", b"x" * 2_000_000, b"[" * 5000, b'"\\UFFFFFFFF"', b"a: \x00"]
)
def test_what_is_no_charter_is_said_to_be_none(raw: bytes) -> None:
    """Empty, binary, endless: an error with a place, never an exception."""
    reading = read_bytes(raw, "x.yaml")
    assert reading.charter is None
    assert reading.errors
    assert str(reading.errors[0]).startswith("x.yaml:")


@given(st.integers(0, len(GOOD)), st.integers(0, 30), st.text(max_size=12))
@settings(max_examples=100, deadline=None)
def test_a_damaged_file_never_raises(start: int, cut: int, insert: str) -> None:
    """Any slip of the hand gives a charter or findings inside the file."""
    text = GOOD[:start] + insert + GOOD[start + cut :]
    reading = read_charter(text)
    assert reading.charter is not None or reading.errors
    for one in reading.found:
        assert 1 <= one.line <= len(text.splitlines()) + 2
        assert one.column >= 1


def test_load_charter_raises_the_first_error_with_its_place(tmp_path: Path) -> None:
    """For programs: an exception that prints like the check does."""
    path = tmp_path / "c.yaml"
    path.write_text(GOOD.replace("limited", "limitd"))
    with pytest.raises(CharterError) as raised:
        load_charter(path)
    assert (raised.value.line, raised.value.column, raised.value.field) == (5, 7, "tier")
    path.write_text(GOOD)
    assert load_charter(path).pilot == "p-1"


def test_the_hash_is_of_the_meaning_and_not_of_the_spelling() -> None:
    """Comments, order, quotes and written-out defaults change nothing; a changed limit does."""
    other = "alpha: 0.01\n" + GOOD.replace("pilot: p-1", 'pilot: "p-1"  # ours').replace("per: 1000", "per: 1e3")
    one, two, three = (read_charter(t).charter for t in (GOOD, other, GOOD.replace("limit: 20", "limit: 21")))
    assert one is not None
    assert two is not None
    assert three is not None
    assert charter_hash(one) == charter_hash(two) != charter_hash(three)
    assert canonical_charter(one) == canonical_charter(two)
    assert charter_hash(one) == "1fc1fd2c06163bd0242404e0ec9ed793e6a7cc5c5a7cd5be0a2ed424a64e6cda"


class TestCommand:
    """`sandbox-monitor charter`."""

    @pytest.mark.parametrize("template", TEMPLATES)
    def test_a_template_passes_its_own_check_without_warnings(self, template: str, tmp_path: Path) -> None:
        """What `new` writes, `check` accepts, and the alpha printed sums to the charter's times the weights."""
        path = tmp_path / "c.yaml"
        path.write_text(CliRunner().invoke(cli, ["charter", "new", template]).stdout)
        text = CliRunner().invoke(cli, ["charter", "check", str(path)])
        assert text.exit_code == 0
        assert text.stderr.startswith("still to fill in before `admit` or `serve`: ")
        assert text.stdout.startswith(f"OK {path}: pilot <pilot-id>, version 1, hash ")
        result = CliRunner().invoke(cli, ["charter", "check", str(path), "--json"])
        told = json.loads(result.stdout)
        assert (told["ok"], told["found"]) == (True, [])
        assert sum(share["alpha"] for share in told["alpha"]) == pytest.approx(0.01 * 6 / 3.141592653589793**2)
        assert all(share["bar"] == pytest.approx(1 / share["alpha"]) for share in told["alpha"])
        hashed = CliRunner().invoke(cli, ["charter", "hash", str(path)]).stdout.strip()
        assert hashed == told["hash"]

    @pytest.mark.parametrize("template", TEMPLATES)
    def test_each_choice_that_a_template_shows_can_be_made(self, template: str) -> None:
        """Without the `#` before them all choices together make a charter that passes (of a tier that may tolerate a
        crossing)."""
        shown = shipped(template).charter_text
        made = re.sub(r"^( +)#(?=[a-z])", r"\1", shown, flags=re.MULTILINE)
        made = re.sub(r"^ +limit: .*\n( +baseline: )", r"\1", made, flags=re.MULTILINE)  # "in place of a limit"
        made = re.sub(r"^tier: \w+", "tier: limited", made, flags=re.MULTILINE).replace("<ed25519:...>", KEY)
        first, second, third = (Signer(bytes([n]) * 32).public for n in (1, 2, 3))
        made = made.replace(
            f"<officer>: {KEY}", f"<first approver>: {first}, <second approver>: {second}, <officer>: {third}"
        )
        reading = read_charter(made)
        assert reading.found == ()
        assert reading.charter is not None
        assert reading.charter.participant.keys == (KEY,)
        assert reading.charter.responses.tolerate_first
        assert any(spec.baseline for spec in reading.charter.indicators)

    def test_the_templates_show_every_field_of_a_charter(self) -> None:
        """A template shows each field that a charter can have, with responses, drills and evaluation."""
        shown = "".join(new_charter(shipped(t)) for t in TEMPLATES)
        unshown = {
            f"{kind.__name__}.{field}"
            for kind in vars(charter_words).values()
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == charter_words.__name__
            for field in kind.__struct_fields__
            if not re.search(rf"(^|[ #{{]){field}:", shown, re.MULTILINE)
        }
        assert not unshown

    def test_a_template_that_is_not_filled_in_is_not_served(self, tmp_path: Path) -> None:
        """`serve` refuses it as `admit` does, names what is open, and makes no directory."""
        path = tmp_path / "c.yaml"
        path.write_text(CliRunner().invoke(cli, ["charter", "new", "consumer_finance"]).stdout)
        result = CliRunner().invoke(cli, ["serve", "--dir", str(tmp_path / "d"), "--port", "0", "--charter", str(path)])
        assert result.exit_code == 1
        assert f"{path}: fill in the placeholders of the template: <" in result.stderr
        assert not (tmp_path / "d").exists()

    def test_a_bad_file_ends_with_1_and_its_mistakes_on_stderr(self, tmp_path: Path) -> None:
        """Good files of the same call are still reported; stdout has data only."""
        good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
        good.write_text(GOOD)
        bad.write_text(GOOD.replace("limited", "limitd"))
        result = CliRunner().invoke(cli, ["charter", "check", str(bad), str(good)])
        assert result.exit_code == 1
        mistake = f"{bad}:5:7: tier: 'limitd' is not one of the words allowed here; did you mean limited?"
        assert result.stderr.splitlines()[0] == mistake
        assert result.stdout.startswith(f"OK {good}")

    def test_a_granted_dispersion_that_nothing_checks_is_named(self, tmp_path: Path) -> None:
        """Limits that halt without a check are listed with what is granted; the templates check theirs."""
        path = tmp_path / "c.yaml"
        path.write_text(GOOD)
        said = CliRunner().invoke(cli, ["charter", "check", str(path)])
        assert said.exit_code == 0
        assert "not checked: incidents (1)" in said.stderr
        for name in TEMPLATES:
            path.write_text(CliRunner().invoke(cli, ["charter", "new", name]).stdout)
            assert "not checked" not in CliRunner().invoke(cli, ["charter", "check", str(path)]).stderr

    def test_the_templates_grant_a_dispersion_of_two(self) -> None:
        """Of every indicator with a limit on counts or proportions, and their halts are checked."""
        for name in TEMPLATES:
            text = shipped(name).charter_text
            made = read_charter(text).charter
            assert made is not None
            limits = [spec for spec in made.indicators if any(d.name == "limit_e_process" for d in spec.detectors)]
            assert {spec.variance_mean for spec in limits} == {2.0}

    def test_help_says_what_the_exit_codes_mean(self) -> None:
        """`charter check` documents its exit codes, and `charter` lists its subcommands."""
        assert "1  at least one is not" in CliRunner().invoke(cli, ["charter", "check", "--help"]).stdout
        for name in ("check", "hash", "new"):
            assert name in CliRunner().invoke(cli, ["charter", "--help"]).stdout


def test_the_hash_does_not_depend_on_whole_numbers_written_as_integers() -> None:
    """A charter built in Python with `limit=5` and the same one read back from JSON, with `5.0`, are one charter."""
    one = read_charter(GOOD).charter
    assert one is not None
    two = msgspec.json.decode(msgspec.json.encode(one), type=Charter)
    built = msgspec.structs.replace(one, indicators=(msgspec.structs.replace(one.indicators[0], limit=5),))
    read = msgspec.json.decode(msgspec.json.encode(built), type=Charter)
    assert charter_hash(one) == charter_hash(two)
    assert charter_hash(built) == charter_hash(read)
