"""The mutation score of the tests of the alert rules: `python -m tests.bench.notify.rule_mutants [ALERT...]`.

Each mutant changes one thing in one rule: a threshold, a comparator, `for`, a label matcher, or a label of an
aggregation. It is killed when `promtool test rules` fails on the shipped cases (`rules_test.yaml` and
`latch_test.yaml`). Prints the survivors and the score. Exit code 1 below `BOUND`.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

PROMETHEUS = Path(__file__).parents[3] / "deploy" / "prometheus"
BOUND = 0.9
_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*")|(?P<span>\[[^\]]*\]|offset\s+\w+)|(?P<compare>==|!=|>=|<=|>(?!=)|<(?!=))"""
    r"""|(?P<match>=~|!~|=)|(?P<by>\bby\s*\([^)]*\))|(?P<name>[A-Za-z_:][\w:]*)|(?P<number>\b\d+(?:\.\d+)?\b)""",
    re.VERBOSE,
)
_OTHER = {">": (">=", "<"), "<": ("<=", ">"), ">=": (">", "<"), "<=": ("<", ">"), "==": ("!=",), "!=": ("==",)}
_MATCH = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}


class Mutant(NamedTuple):
    """One changed rule: its place in the file, its name, what was changed, and the changed fields."""

    group: int
    rule: int
    name: str
    what: str
    fields: dict[str, Any]


def mutants(rules: dict[str, Any]) -> Iterator[Mutant]:
    """Every mutant of a file of rules."""
    for g, group in enumerate(rules["groups"]):
        for r, rule in enumerate(group["rules"]):
            name = rule.get("alert") or rule["record"]
            for what, fields in (*_of_hold(rule), *_of_expression(rule["expr"])):
                yield Mutant(g, r, name, what, fields)


def _of_hold(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if "for" in rule:
        number, unit = re.fullmatch(r"(\d+)([smhd])", rule["for"]).groups()  # type: ignore[union-attr]
        yield "for removed", {"for": "0s"}
        yield "for twice as long", {"for": f"{2 * int(number)}{unit}"}


def _of_expression(expr: str) -> Iterator[tuple[str, dict[str, Any]]]:
    inside = False  # of a selector, where `=` and `!=` match labels
    for found in _tokens(expr):
        kind, text = str(found.lastgroup), found[0]
        inside = expr.count("{", 0, found.start()) > expr.count("}", 0, found.start())
        for new in _changes(kind, text, inside):
            changed = expr[: found.start()] + new + expr[found.end() :]
            yield f"{text} -> {new} at {found.start()}", {"expr": changed}


def _tokens(expr: str) -> Iterator[re.Match[str]]:
    """Tokens outside of texts and ranges; braces in texts are rare enough to be left out of account."""
    return (found for found in _TOKEN.finditer(expr) if found.lastgroup not in ("text", "span", "name"))


def _changes(kind: str, text: str, inside: bool) -> Iterator[str]:
    if kind == "compare" and not inside:
        yield from _OTHER[text]
    elif inside and text in _MATCH:
        yield _MATCH[text]
    elif kind == "number":
        number = float(text)
        yield f"{number * 1.5 + (number == 0):g}"
        if number:
            yield f"{number * 0.5:g}"
    elif kind == "by":
        labels = [label.strip() for label in text[text.index("(") + 1 : -1].split(",")]
        for label in labels:
            yield f"by ({', '.join(other for other in labels if other != label)})"


class Suite(NamedTuple):
    """The shipped rules and the files of cases about them."""

    rules: dict[str, Any]
    cases: list[list[dict[str, Any]]]


def shipped() -> Suite:
    """Those of this repository."""
    rules, *cases = (
        yaml.safe_load((PROMETHEUS / name).read_text()) for name in ("rules.yaml", "rules_test.yaml", "latch_test.yaml")
    )
    return Suite(rules, [file["tests"] for file in cases])


def killed(mutant: Mutant, suite: Suite, directory: Path) -> bool:
    """Whether the cases fail on the mutant. Only the alerts that it concerns are evaluated: itself, or those that use
    the recorded series. A mutant that Prometheus cannot parse is killed."""
    changed = copy.deepcopy(suite.rules)
    changed["groups"][mutant.group]["rules"][mutant.rule] |= mutant.fields
    concerned = {
        rule["alert"]
        for group in suite.rules["groups"]
        for rule in group["rules"]
        if "alert" in rule and (rule["alert"] == mutant.name or mutant.name in rule["expr"])
    }
    for group in changed["groups"]:
        group["rules"] = [rule for rule in group["rules"] if rule.get("alert") in {None, *concerned}]
    changed["groups"] = [group for group in changed["groups"] if group["rules"]]
    (directory / "rules.yaml").write_text(json.dumps(changed))  # JSON is YAML
    order = [group["name"] for group in changed["groups"]]
    return any(_fail(cases, concerned, order, directory) for cases in suite.cases)


def _fail(cases: list[dict[str, Any]], concerned: set[str], order: list[str], directory: Path) -> bool:
    """Whether these cases fail, of those about the alerts `concerned`."""
    mine = []
    for case in cases:
        checks = [check for check in case["alert_rule_test"] if check["alertname"] in concerned]
        mine += [{**case, "alert_rule_test": checks}] if checks else []
    if not mine:
        return False
    head = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "group_eval_order": order}
    (directory / "tests.yaml").write_text(json.dumps({**head, "tests": mine}))
    done = subprocess.run(["promtool", "test", "rules", "tests.yaml"], cwd=directory, capture_output=True, check=False)
    return done.returncode != 0


def score(names: list[str]) -> tuple[int, list[Mutant]]:
    """How many mutants there are of the rules `names` (none: all), and those that survive."""
    suite = shipped()
    every = [mutant for mutant in mutants(suite.rules) if not names or mutant.name in names]
    with tempfile.TemporaryDirectory() as scratch:
        survivors = []
        for mutant in every:
            if not killed(mutant, suite, Path(scratch)):
                print(f"survives: {mutant.name}: {mutant.what}", flush=True)
                survivors.append(mutant)
    return len(every), survivors


def main(names: list[str]) -> int:
    """Print the survivors and the goal. Returns the exit code."""
    every, survivors = score(names)
    figure = 1 - len(survivors) / max(every, 1)
    print(f"{every} mutants, {every - len(survivors)} killed")
    print(f"GOAL rule_mutation_score {figure:.3f} >={BOUND:g} {'ok' if figure >= BOUND else 'short'}", flush=True)
    return int(figure < BOUND)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
