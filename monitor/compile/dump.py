"""Charters and plain values as YAML; `charter check` reads a charter back to the same hash."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from monitor.charter.spec import Charter, canonical_charter
from monitor.errors import SandboxConfigError

LARGEST_PLAIN = 1 << 20  # bytes of a file


def charter_yaml(charter: Charter) -> str:
    """All fields of a charter that are set, in the order of its schema."""
    written = _kept(msgspec.to_builtins(charter, str_keys=True), json.loads(canonical_charter(charter)))
    return plain_yaml(written)


def plain_yaml(value: Any) -> str:
    """Plain values as YAML, in their order."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 110
    out = StringIO()
    yaml.dump(value, out)
    return out.getvalue()


def plain_of(path: Path) -> Any:
    """The plain values of a YAML file. Raises SandboxConfigError with the line, where it is none or too large."""
    try:
        if path.stat().st_size > LARGEST_PLAIN:
            raise SandboxConfigError(f"{path}: has more than {LARGEST_PLAIN} bytes; write less")
        return YAML(typ="safe", pure=True).load(path.read_bytes())
    except (YAMLError, UnicodeDecodeError) as error:
        raise SandboxConfigError(f"{path}: is no YAML: {error}") from error


def _kept(value: Any, like: Any) -> Any:
    """`value` with its order, without what its canonical form leaves out or does not set."""
    if isinstance(value, dict):
        return {name: _kept(inner, like[name]) for name, inner in value.items() if like.get(name) is not None}
    if isinstance(value, list | tuple):
        return [_kept(inner, other) for inner, other in zip(value, like, strict=True)]
    return value
