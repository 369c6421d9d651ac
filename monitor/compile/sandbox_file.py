"""Configurations of a sandbox as YAML files: written and read with every mistake at its line."""

from __future__ import annotations

from pathlib import Path

import msgspec

from monitor.compile.dump import plain_yaml
from monitor.compile.settings_file import read_settings
from monitor.errors import SandboxConfigError
from monitor.lifecycle.sandbox import Sandbox
from monitor.lifecycle.sandbox_check import flaws


def sandbox_yaml(sandbox: Sandbox) -> str:
    """All fields of a configuration, in the order of its schema; `read_sandbox` reads back the same."""
    return plain_yaml(msgspec.to_builtins(sandbox, str_keys=True))


def read_sandbox(path: Path) -> Sandbox:
    """The configuration in a file. Raises SandboxConfigError with every mistake, OSError as `open` does."""
    return read_settings(
        path,
        Sandbox,
        flaws,
        SandboxConfigError,
        smaller="remove people or calendars",
        see="monitor/lifecycle/README.md",
    )
