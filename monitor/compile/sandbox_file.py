"""Configurations of a sandbox as YAML files: written and read with every mistake at its line."""

from __future__ import annotations

from pathlib import Path

import msgspec

from monitor.compile.dump import plain_yaml
from monitor.compile.load import LARGEST_FILE, LocatedProblem, Tree
from monitor.errors import SandboxConfigError
from monitor.lifecycle.sandbox import Sandbox
from monitor.lifecycle.sandbox_check import flaws


def sandbox_yaml(sandbox: Sandbox) -> str:
    """All fields of a configuration, in the order of its schema; `read_sandbox` reads back the same."""
    return plain_yaml(msgspec.to_builtins(sandbox, str_keys=True))


def read_sandbox(path: Path) -> Sandbox:
    """The configuration in a file. Raises SandboxConfigError with every mistake, OSError as `open` does."""
    raw = path.read_bytes()
    if len(raw) > LARGEST_FILE:
        raise SandboxConfigError(f"{path}: the file is larger than {LARGEST_FILE} bytes; remove people or calendars")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SandboxConfigError(f"{path}: not UTF-8; save it as UTF-8") from None
    tree = Tree(str(path))
    data = tree.load(text)
    if tree.found:
        raise SandboxConfigError(_said(tree.sorted()))
    try:
        sandbox = msgspec.convert(data, Sandbox)
    except msgspec.ValidationError as error:
        tree.check(Sandbox, data, "")
        if not tree.found:
            problem, _, where = str(error).partition(" - at `$")
            tree.add(where.rstrip("`").lstrip("."), problem, "see monitor/lifecycle/README.md")
        raise SandboxConfigError(_said(tree.sorted())) from None
    for flaw in flaws(sandbox):
        tree.add(flaw.field, flaw.problem, flaw.fix)
    if tree.found:
        raise SandboxConfigError(_said(tree.sorted()))
    return sandbox


def _said(found: tuple[LocatedProblem, ...]) -> str:
    return "\n".join(map(str, found))
