"""Rules for classes of firms as YAML files: written, and read with every mistake at its line."""

from __future__ import annotations

from pathlib import Path

import msgspec

from monitor.compile.dump import plain_yaml
from monitor.compile.load import LARGEST_FILE, Tree
from monitor.errors import SandboxConfigError
from monitor.firms.rules import FirmRules, rule_flaws


def rules_yaml(rules: FirmRules) -> str:
    """All fields of rules; `read_rules` reads back the same."""
    return plain_yaml(msgspec.to_builtins(rules, str_keys=True))


def read_rules(path: Path) -> FirmRules:
    """The rules in a file. Raises SandboxConfigError with every mistake, OSError as `open` does."""
    raw = path.read_bytes()
    if len(raw) > LARGEST_FILE:
        raise SandboxConfigError(f"{path}: the file is larger than {LARGEST_FILE} bytes; write less")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SandboxConfigError(f"{path}: not UTF-8; save it as UTF-8") from None
    tree, rules = Tree(str(path)), None
    data = tree.load(text)
    if not tree.found:
        try:
            rules = msgspec.convert(data, FirmRules)
        except msgspec.ValidationError as error:
            problem, _, where = str(error).partition(" - at `$")
            tree.add(where.rstrip("`").lstrip("."), problem, "see monitor/firms/README.md")
    for flaw in () if rules is None else rule_flaws(rules):
        tree.add(*flaw)
    if rules is None or tree.found:
        raise SandboxConfigError("\n".join(map(str, tree.sorted())))
    return rules
