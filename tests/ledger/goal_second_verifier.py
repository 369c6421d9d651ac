"""Goal: a second implementation of the verifier, in Go, gives the same verdicts as the first.

On the tampering set it names the same failed checks; on vectors, ledgers and bundles, and on the same with one bit
flipped, it gives the same exit code.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monitor.notary.encoding import EntryType, decode
from monitor.notary.format import DECISIONS, EVIDENCE, LogName, frame, header
from monitor.verifier.main import main
from tests.ledger.go_tools import GoUnavailable, program
from tests.ledger.goal import QUICK, Goal, none_of
from tests.ledger.tampering import FOLDER

MODULE = Path(__file__).parent / "go_verifier"
VECTORS = FOLDER.parent
FLIPS = 60 if QUICK else 3_000


def run() -> Iterator[Goal]:
    """The goals."""
    try:
        second = program("verifier", MODULE)
    except GoUnavailable as why:
        yield Goal("second_verifier", "-", "0", False, str(why))
        return
    shipped = json.loads((FOLDER / "cases.json").read_text())
    yield none_of("second_verifier_tampering_set", sum(not _agree(second, case) for case in shipped), len(shipped))
    with tempfile.TemporaryDirectory() as name:
        yield none_of("second_verifier_vectors", *vectors(second, Path(name)))
        yield none_of("second_verifier_flipped_bits", *flipped(second, Path(name), shipped))


def _agree(second: Path, case: dict[str, Any]) -> bool:
    ours, theirs = first_verdict(case["arguments"], FOLDER), second_verdict(second, case["arguments"], FOLDER)
    expected = case["check"]
    same = ours[0] == theirs[0] and (expected in ours[1] and expected in theirs[1] if expected else not theirs[1])
    if not same:
        print(f"second_verifier: {case['name']}: {ours} and {theirs}", file=sys.stderr)
    return same


def first_verdict(arguments: list[str], folder: Path) -> tuple[int, set[str]]:
    """Exit code and failed checks of our verifier."""
    out, here = io.StringIO(), Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            status = main([*arguments, "--json"])
    finally:
        os.chdir(here)
    checks = json.loads(out.getvalue())["checks"]
    return status, {check["id"] for check in checks if check["outcome"] == "fail"}


def second_verdict(second: Path, arguments: list[str], folder: Path) -> tuple[int, set[str]]:
    """The same of the verifier in Go."""
    done = subprocess.run([second, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, set(json.loads(done.stdout)["failed"])


def vectors(second: Path, folder: Path) -> tuple[int, int]:
    """The published vectors of whole ledgers, of each format version: how many verdicts differ."""
    differ = tried = 0
    for name in ("entries", "committed", "typed"):
        whole = json.loads((VECTORS / f"{name}.json").read_text())
        for file, data in ledgers_in(whole, name):
            (folder / file).write_bytes(data)
            if file.endswith(".ledger"):
                tried += 1
                ours, theirs = first_verdict([file], folder), second_verdict(second, [file], folder)
                if ours != theirs:
                    differ += 1
                    print(f"second_verifier: {file}: {ours} and {theirs}", file=sys.stderr)
    return differ, tried


def ledgers_in(whole: dict[str, Any], name: str) -> Iterator[tuple[str, bytes]]:
    """The ledgers in a file of vectors, index first: a whole one, else one for each entry."""
    if "ledger_hex" not in whole:
        for number, vector in enumerate(whole.get("entries", [whole])):
            raw = bytes.fromhex(vector["entry_hex"])
            log = EVIDENCE if raw[1] == EntryType.EVIDENCE else DECISIONS
            yield f"{name}-{number}.ledger", header(LogName(decode(raw).pilot, log)) + frame(0, raw)
    if "index_hex" in whole:
        yield f"{name}.index", bytes.fromhex(whole["index_hex"])
    if "ledger_hex" in whole:
        yield f"{name}.ledger", bytes.fromhex(whole["ledger_hex"])


def flipped(second: Path, folder: Path, shipped: list[dict[str, Any]]) -> tuple[int, int]:
    """Sound ledgers and bundles with one bit flipped: how many verdicts differ, or are not `failed`."""
    draw, differ = random.Random(4), 0
    sound = [case for case in shipped if not case["check"]]
    for number in range(FLIPS):
        case = sound[number % len(sound)]
        place = folder / case["name"]
        files = {path: path.read_bytes() for path in sorted((FOLDER / case["name"]).iterdir())}
        chosen = draw.choice([path for path in files if path.suffix in (".zip", ".ledger")])
        changed = bytearray(files[chosen])
        bit = draw.randrange(8 * len(changed))
        changed[bit >> 3] ^= 1 << (bit & 7)
        place.mkdir(exist_ok=True)
        for path, data in files.items():
            (place / path.name).write_bytes(bytes(changed) if path == chosen else data)
        ours = first_verdict(case["arguments"], folder)
        theirs = second_verdict(second, case["arguments"], folder)
        if ours[0] != theirs[0] or ours[0] != 1:
            differ += 1
            print(f"second_verifier: bit {bit} of {chosen}: {ours} and {theirs}", file=sys.stderr)
    return differ, FLIPS
