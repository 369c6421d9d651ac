"""`charter check` on damaged charters returns a charter or findings with a place; it never raises."""

from __future__ import annotations

import copy
import itertools
import json
import random
import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from monitor.__main__ import cli
from monitor.charter.spec import charter_hash
from monitor.cli.charter import TEMPLATES
from monitor.compile.load import LoadedCharter, read_bytes
from monitor.toolkits.load import shipped
from tests.strength import examples

VALUES = [
    "null",
    "true",
    "yes",
    "no",
    "~",
    "''",
    "[]",
    "{}",
    "-1",
    "0",
    "-0.0",
    "1",
    "1.5",
    ".5",
    "1e3",
    "1e308",
    "-1e308",
    "1e-320",
    "1_0",
    "0_",
    "_1",
    "+_",
    "010",
    "0o17",
    "0x1F",
    "0b11",
    "12:30:45",
    "1.0",
    ".inf",
    ".nan",
    "9007199254740993",
    "-9007199254740993",
    "1152921504606846977",
    "9" * 90,
    "9" * 300,
    "9" * 5000,
    "1" + "0" * 400,
    "\u0663d",
    "1d",
    "0s",
    "01s",
    "9" * 40 + "d",
    "9" * 40 + "mo",
    "100000mo",
    "1200mo",
    "0mo",
    "1ms",
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    "\u0662\u0660\u0662\u0666-\u0660\u0661-\u0660\u0661",
    '"\\ud800"',
    '"a\\nb"',
    '"a\\0b"',
    '"\\u202e1"',
    '"p\\u200b1"',
    '"\\ufeffp"',
    '"p "',
    '" p"',
    '"p\\u00a0"',
    '".."',
    '"."',
    '"a/b"',
    '"\\e[31m"',
    '"{{ .Labels }}"',
    '"<b>x</b>"',
    '"' + "x" * 300 + '"',
    '"\\U0010ffff"',
    "!!binary cDE=",
    "!!set {a, b}",
    "!x y",
    "*none",
    "&a [*a]",
    "<<: {a: 1}",
    "[[[[[[]]]]]]",
    "[" * 60,
    "{a: {b: {c: 1}}}",
    "? [a]",
    "mon",
    "24:00",
    "08:00",
    "18:60",
    "Europe/Berlin",
    "halt",
    "watch",
    "limit_e_process",
    "silence",
    "cusum",
    "seasonal",
    "maxsprt",
    "share",
    "ed25519:AAAA",
    "- x",
    "\t",
    "\x01",
    "\u2028",
    "\x85",
    "#",
    "'",
    '"',
    "|\n  a\n  b",
]
PATHS = re.compile(r"^( *(?:- )?)([\w]+): ?(.*)$", re.MULTILINE)


def templates() -> list[str]:
    """The charters to damage: the shipped templates, filled in with something else for each placeholder: the firm holds
    no office."""
    texts = [shipped(name).charter_text for name in TEMPLATES]
    numbers = itertools.count(1)
    names: dict[str, str] = {}  # the same placeholder is the same name throughout
    return [re.sub(r"<[^<>]+>", lambda m: names.setdefault(m[0], f"x{next(numbers)}"), text) for text in texts]


def by_line(rng: random.Random, text: str) -> str:
    """`text` with the values of one to three lines replaced, doubled, cut or moved."""
    lines = text.splitlines(keepends=True)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(lines))
        found = PATHS.match(lines[at])
        how = rng.random()
        if found and how < 0.7:
            lines[at] = f"{found[1]}{found[2]}: {rng.choice(VALUES)}\n"
        elif how < 0.8:
            lines.insert(at, lines[rng.randrange(len(lines))])
        elif how < 0.9:
            lines[at] = " " * rng.randrange(4) + lines[at]
        else:
            cut = rng.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:cut] + rng.choice(VALUES) + lines[at][cut:]
    return "".join(lines)


def leaves(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value of a tree."""
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += leaves(item, (*at, key))
    return found


PLAIN: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2**53,
    2**53 + 1,
    2**63,
    2**70,
    1.5,
    1e308,
    5e-324,
    "",
    " ",
    "x",
    "x" * 201,
    "\u0663d",
    "a\nb",
    "a\u202eb",
    "p\u200b",
    "..",
    "1d",
    "1mo",
    "9" * 30 + "d",
    "0001-01-01",
    "9999-12-31",
    [],
    [[]],
    {},
    {"a": 1},
    ["x", "x"],
    "halt",
    "limit_e_process",
    "silence",
    "e_detector",
    "cusum",
    "ewma",
    "glr",
    "maxsprt",
    "seasonal",
    "shape",
    "gauge_limit",
    "river_drift",
    "incident_rate",
    "late_share",
    "efficiency_gain",
    "complaint_rate",
    "compliance_cost",
]


def by_value(rng: random.Random, tree: Any) -> str:
    """The tree as YAML's subset JSON, one to three of its values replaced, one key of them misspelt now and then."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.randint(1, 3)):
        *front, last = rng.choice(leaves(tree))
        inner = tree
        for key in front:
            inner = inner[key]
        if rng.random() < 0.1 and isinstance(inner, dict):
            inner[f"{last}\n"] = inner.pop(last)
        else:
            inner[last] = rng.choice(PLAIN)
    return msgspec.json.encode(tree).decode().replace("\u202e", "\\u202e")


def judge(text: str) -> LoadedCharter:
    """Hold one text against the law of this file."""
    began = time.process_time()
    reading = read_bytes(text.encode("utf-8", "surrogatepass"), "c.yaml")
    assert time.process_time() - began < 3.0
    assert reading.charter is not None or reading.errors
    for one in reading.found:
        assert 1 <= one.line <= text.count("\n") + text.count("\r") + text.count("\x85") + text.count("\u2028") + 3
        assert one.column >= 1
        assert str(one).isprintable()
        assert one.problem
        assert one.fix, one
    if reading.charter is not None and not reading.errors:
        assert len(charter_hash(reading.charter)) == 64
        msgspec.json.decode(msgspec.json.encode(reading.charter))
    return reading


@pytest.mark.parametrize("seed", range(examples(4, 8)))
def test_every_damaged_charter_is_read_or_refused_with_a_place_and_a_fix(seed: int) -> None:
    """Wrong types, huge numbers, hidden characters, odd dates, deep nesting in any field: no exception, in bounded
    time."""
    rng = random.Random(seed)
    bad = 0
    texts = templates()
    assert not judge(texts[0]).errors
    trees = [YAML(typ="safe").load(text) for text in texts]
    for tree in trees:
        tree["cycle"] = {"start": "2026-01-01", "end": "2026-12-31"}
    for number in range(30):
        base = rng.randrange(len(texts))
        text = by_line(rng, texts[base]) if number % 2 else by_value(rng, trees[base])
        reading = judge(text)
        bad += bool(reading.errors)
    assert bad > 15


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        ("cap: 5", "cap: 9007199254740993", "users.cap", "2^53"),
        ("cap: 5", "cap: 1180591620717411303424", "users.cap", "2^53"),
        ("pilot: p-1", 'pilot: "\\ud800"', "pilot", "U+D800"),
        ("pilot: p-1", 'pilot: "p\\n1"', "pilot", "U+000A"),
        ("pilot: p-1", 'pilot: "p\\0"', "pilot", "U+0000"),
        ("pilot: p-1", 'pilot: "p\\u200b1"', "pilot", "U+200B"),
        ("pilot: p-1", 'pilot: "p\\u202e1"', "pilot", "U+202E"),
        ("pilot: p-1", 'pilot: "p\\u00a01"', "pilot", "U+00A0"),
        ("pilot: p-1", 'pilot: "p-1 "', "pilot", "blank"),
        ("pilot: p-1", 'pilot: ".."', "pilot", "directory"),
        ("scenario: test", 'scenario: "te\\ud800st"', "scenario", "U+D800"),
        ("scenario: test", 'scenario: "te\\u202est"', "scenario", "U+202E"),
        ("version: 1", "version: 1_0", "version", "write 10"),
        ("start: 2026-01-01", "start: 0001-01-01", "cycle.start", "2000"),
        ("end: 2026-12-31", "end: 9999-12-31", "cycle.end", "2199"),
        ("start: 2026-01-01", "start: \u0662\u0660\u0662\u0666-\u0660\u0661-\u0660\u0661", "cycle.start", "YYYY-MM-DD"),
        ("period: 1d", "period: \u0663d", "indicators[0].period", "such as 1h"),
        ("name: incidents", 'name: "in\\ncidents"', "indicators[0].name", "U+000A"),
    ],
)
def test_what_cannot_be_hashed_or_seen_is_refused_at_its_place(old: str, new: str, field: str, says: str) -> None:
    """Each is refused with field, problem and fix; ids are stricter than texts for people."""
    good = (
        "schema: sandbox-charter/1\npilot: p-1\nversion: 1\nparticipant: {id: firm}\nscenario: test\ntier: limited\n"
        "users: {cap: 5}\n"
        "cycle: {start: 2026-01-01, end: 2026-12-31}\nmodels: [{digest: m1}]\n"
        "authorities: [{id: a, approvers: [x, y]}]\n"
        "indicators:\n"
        "  - name: incidents\n    kind: incident_rate\n    period: 1d\n    limit: 20\n    exposure: {unit: decisions}\n"
        "    weight: 1\n"
        "    detectors: [{name: limit_e_process, level: halt}]\n"
    )
    assert judge(good).found == ()
    assert good.count(old) == 1
    text = good.replace(old, new)
    (found,) = judge(text).errors
    assert found.field == field
    assert says in f"{found.problem}; {found.fix}"
    assert found.line == good[: good.index(old)].count("\n") + 1


def test_texts_for_people_may_hold_lines_and_any_script() -> None:
    """Only ids are held to what can be seen: a scenario may have paragraphs, joiners and emoji."""
    text = templates()[0]
    reading = judge(
        re.sub(
            r"^scenario:.*\n( .*\n)*",
            'scenario: "a\\n\\tb \u200d \U0001f697 \u0645\u06cc\u200c\u062e"\n',
            text,
            flags=re.MULTILINE,
        )
    )
    assert reading.errors == ()


def test_two_streams_never_share_a_name() -> None:
    """Streams are named indicator/segment: `a` with `b/c` and `a/b` with `c` would be one."""
    spec = "kind: false_positive_rate, limit: 0.2, detectors: [{name: cusum, level: watch}]"
    text = (
        "schema: sandbox-charter/1\npilot: p-1\nparticipant: {id: firm}\nscenario: test\ntier: limited\n"
        "cycle: {start: 2026-01-01, end: 2026-12-31}\nmodels: [{digest: m1}]\n"
        "authorities: [{id: a, approvers: [x, y]}]\n"
        "indicators:\n"
        f"  - {{name: a, segments: [b/c], {spec}}}\n  - {{name: a/b, segments: [c], {spec}}}\n"
    )
    (found,) = judge(text).errors
    assert (found.line, found.field) == (11, "indicators[1].segments[0]")


def test_nesting_is_refused_before_it_takes_long() -> None:
    """A page of brackets is refused in about a second."""
    began = time.process_time()
    (found,) = judge("a: " + "[" * 20_000).errors
    assert "deep" in found.problem
    assert time.process_time() - began < 2.0


def test_the_command_prints_hidden_characters_as_escapes(tmp_path: Path) -> None:
    """Each finding is one line, in text and in JSON, whatever the file contains."""
    path = tmp_path / "c.yaml"
    path.write_bytes(b'"pi\\nlot": "\\ud800"\n"\\ud800": 1\n')
    for options in ([], ["--json"]):
        result = CliRunner().invoke(cli, ["charter", "check", str(path), *options])
        assert result.exit_code == 1
        assert isinstance(result.exception, SystemExit)
        if options:
            assert {f["field"] for f in json.loads(result.stdout)["found"]} >= {"pi\\nlot", "\\ud800"}
        else:
            assert {line.split(": ")[1] for line in result.stderr.splitlines()} >= {"pi\\nlot", "\\ud800"}
