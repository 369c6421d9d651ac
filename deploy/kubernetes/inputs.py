"""A digest of the chart and its example values: `rendered.yaml` names the one that it was rendered from."""

from __future__ import annotations

import hashlib
from pathlib import Path

HERE = Path(__file__).parent


def digest() -> str:
    """SHA-256 over names and contents of all files that rendering reads."""
    total = hashlib.sha256()
    for path in [*sorted((HERE / "chart").rglob("*.*")), HERE / "example-values.yaml"]:
        total.update(path.relative_to(HERE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


if __name__ == "__main__":
    print(digest())
