"""The verifier as one file that Python runs: its sources in a ZIP file, the same bytes for the same sources.

python -m monitor.verifier.package dist/sandbox-verifier.pyz        # make verifier
python3 sandbox-verifier.pyz PATH                                   # needs Python >= 3.11; signatures: cryptography
"""

from __future__ import annotations

import ast
import hashlib
import io
import sys
import zipfile
from pathlib import Path

import monitor

ROOT = Path(monitor.__file__).parents[1]
START = b"""import sys

from monitor.verifier.main import main

sys.exit(main(sys.argv[1:], "sandbox-verifier"))
"""
_EPOCH = (1980, 1, 1, 0, 0, 0)


def sources() -> list[Path]:
    """Every file of ours that the verifier is made of: its folder, and what that imports."""
    pending = [*sorted((ROOT / "monitor" / "verifier").glob("*.py")), *(ROOT / "monitor" / "verifier").glob("*.json")]
    seen: set[Path] = set()
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        for module in _imported(path) if path.suffix == ".py" else ():
            pending += _files_of(module)
    return sorted(seen)


def zipapp() -> bytes:
    """The file: a line that names the interpreter, then the ZIP file."""
    out = io.BytesIO(b"#!/usr/bin/env python3\n")
    out.seek(0, io.SEEK_END)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in sources()}
        for name, data in sorted({"__main__.py": START, **files}.items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, data)
    return out.getvalue()


def identity() -> dict[str, str]:
    """Version of the verifier, and the SHA-256 of the file that `zipapp` makes of it."""
    return {"version": monitor.__version__, "sha256": hashlib.sha256(zipapp()).hexdigest()}


def _imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {module for module in found if module.split(".")[0] == "monitor"}


def _files_of(module: str) -> list[Path]:
    """The file of a module, and the `__init__` of each package above it."""
    found, parts = [], module.split(".")
    for count in range(1, len(parts) + 1):
        here = ROOT.joinpath(*parts[:count])
        found += [path for path in (here.with_suffix(".py"), here / "__init__.py") if path.exists()]
    return found


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(zipapp())
    print(f"{target} {identity()['sha256']}")
