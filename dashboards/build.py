"""Builds every dashboard from the table in `boards/`, in two formats: classic JSON and dashboard schema v2.

Run `sandbox-monitor dashboards build` (or this file) after a change and commit the JSON files.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from boards import BOARDS  # noqa: E402 (next to this file, which is loaded by its path)
from boards.classic import classic  # noqa: E402
from boards.schema_v2 import resource  # noqa: E402


def build() -> dict[str, dict[str, Any]]:
    """File name -> dashboard: `NAME.json` is Grafana's classic JSON model, `v2/NAME.yaml` a resource of schema v2 (no
    JSON, since Grafana's file provisioning reads every JSON file below its folder as a classic dashboard)."""
    made = {f"{board.file}.json": classic(board) for board in BOARDS}
    return made | {f"v2/{board.file}.yaml": resource(board) for board in BOARDS}


def text(name: str, made: dict[str, Any]) -> str:
    """The text form of a file."""
    if name.endswith(".yaml"):
        return yaml.safe_dump(made, sort_keys=True, allow_unicode=True, width=120)
    return json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, made in build().items():
        (HERE / name).parent.mkdir(exist_ok=True)
        (HERE / name).write_text(text(name, made))
