"""`make package`: the wheel, built twice and compared byte by byte, its bill of materials, and SHA256SUMS, in `dist/`.

Exit codes: 0 done, 1 the two wheels differ, or the installed environment is not the locked one.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from bill import ROOT, bill

NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "var", "build", "dist", "__pycache__", ".*_cache", ".hypothesis")


def wheel(out: Path) -> Path:
    """Build the wheel from a copy of the tree in a temporary folder, so that no path of this machine gets into it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
        subprocess.run(command, cwd=copy, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def sha256(path: Path) -> str:
    """The digest of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def package(dist: Path) -> list[Path]:
    """Write all files. Returns them. Raises ValueError when two builds of the wheel differ."""
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir(parents=True)
    first = wheel(dist)
    with tempfile.TemporaryDirectory() as other:
        second = sha256(wheel(Path(other)))
    if sha256(first) != second:
        raise ValueError(f"two builds of {first.name} differ: {sha256(first)} and {second}")
    sbom = dist / f"{first.name.split('-py3')[0]}.cdx.json"
    sbom.write_text(bill() + "\n", encoding="utf-8")
    sums = dist / "SHA256SUMS"
    sums.write_text("".join(f"{sha256(path)}  {path.name}\n" for path in (sbom, first)), encoding="utf-8")
    return [first, sbom, sums]


def main() -> int:
    """Write `dist/` and print its files."""
    try:
        files = package(ROOT / "dist")
    except (ValueError, LookupError) as error:
        print(error, file=sys.stderr)
        return 1
    for path in files:
        print(f"{sha256(path)}  {path.relative_to(ROOT)}")
    print("the wheel was built twice with the same bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
