"""Programs in Go that know nothing of our code: built once from a module here, with checksums in its `go.sum`."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "tests" / "ledger" / "go"
BUILT = ROOT / "build" / "go"


class GoUnavailable(Exception):
    """This machine cannot build programs in Go; the message says why. Skip visibly."""


def program(package: str, module: Path = MODULE) -> Path:
    """The path of the built program of a module: of its folder `package`, or of a package that it requires, by import
    path.

    Raises:
        GoUnavailable: no Go, one that is too old, or its modules cannot be fetched.
        subprocess.CalledProcessError: the program does not compile.
    """
    go = shutil.which("go")
    if go is None:
        raise GoUnavailable("Go is not installed")
    wanted = re.search(r"^go (\d+)\.(\d+)", (module / "go.mod").read_text(), re.M)
    have = re.search(r"go(\d+)\.(\d+)", _run(module, go, "version"))
    if wanted and have and (int(have[1]), int(have[2])) < (int(wanted[1]), int(wanted[2])):
        raise GoUnavailable(f"Go {have[1]}.{have[2]} is installed, {wanted[1]}.{wanted[2]} is needed")
    sources = [module / "go.mod", module / "go.sum", *sorted((module / package).glob("*.go"))]
    key = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    target = BUILT / f"{package.rpartition('/')[2]}-{key}"
    if not target.exists():
        try:
            _run(module, go, "mod", "download")
        except subprocess.CalledProcessError as error:
            raise GoUnavailable(f"go mod download: {error.stderr.strip()[-200:]}") from None
        BUILT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILT) as scratch:
            _run(module, go, "build", "-o", f"{scratch}/program", package if "." in package else f"./{package}")
            os.replace(f"{scratch}/program", target)  # two test processes may build at the same time
    return target


def _run(module: Path, go: str, *arguments: str) -> str:
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    done = subprocess.run(
        [go, *arguments], cwd=module, env=environment, check=True, capture_output=True, text=True, timeout=1200
    )
    return done.stdout


def ask(path: Path, requests: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers of a program that reads and writes one JSON object per line."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run([path], input=lines, capture_output=True, text=True, check=True, timeout=1200)
    return [json.loads(line) for line in done.stdout.splitlines()]
