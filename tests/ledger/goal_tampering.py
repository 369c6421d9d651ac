"""Goals: the tampering set is refused by the checks that it names; no flipped bit of a ledger is missed.

Every bit of the ledger is flipped in two ways: as an accident would (nothing else changes), and with all checksums and
hashes made to fit, as somebody would who can write the file; then one earlier checkpoint finds it. What lies before the
changed frame is read as before, so each flip is checked from that frame on; a sample is verified as a whole.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from monitor.notary.encoding import encode
from monitor.notary.entries import entry_of
from monitor.notary.format import FRAME, Damage, LedgerReader, header
from monitor.publication.log_key import log_name
from monitor.testing.records import decision
from monitor.tlog.merkle import inclusion_proof, leaf_hash, root, root_from_inclusion
from monitor.verifier.anchors import Anchors
from monitor.verifier.main import main
from monitor.verifier.report import Verdict
from monitor.verifier.run import verify_all
from tests.ledger.goal import QUICK, Goal, none_of
from tests.ledger.made_log import KEY, signed
from tests.ledger.tampering import FOLDER, PILOT, ledger_files

BYTES = 1 << 20
SAMPLE = 2_000
WHOLE = 20 if QUICK else 200


def run() -> Iterator[Goal]:
    """The goals."""
    shipped = json.loads((FOLDER / "cases.json").read_text())
    wrong = [case["name"] for case in shipped if not refused(case)]
    for name in wrong:
        print(f"tampering: {name} was not refused by its check", file=sys.stderr)
    yield none_of("tampering_set", len(wrong), len(shipped))
    yield from bits()


def refused(case: dict[str, str]) -> bool:
    """Whether the verifier gives the expected verdict, for the expected reason."""
    out, here = io.StringIO(), Path.cwd()
    os.chdir(FOLDER)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            status = main([*case["arguments"], "--json"])
    finally:
        os.chdir(here)
    failed = {check["id"] for check in json.loads(out.getvalue())["checks"] if check["outcome"] == "fail"}
    return case["check"] in failed and status == 1 if case["check"] else status == 0 and not failed


def bits() -> Iterator[Goal]:
    """Flip bits of a ledger of 1 MiB (QUICK: a sample)."""
    entries = ledger_of(BYTES)
    leaves = [leaf_hash(entry) for entry in entries]
    files = ledger_files("one", entries)
    raw = files[f"one/{log_name(PILOT)}.ledger"]
    places = frames(raw, entries)
    chosen = random.Random(1).sample(range(8 * len(raw)), SAMPLE) if QUICK else range(8 * len(raw))
    missed = sum(not damaged(raw, bit, places) for bit in chosen)
    yield none_of("tampering_bits_accident", missed, len(chosen))
    yield none_of("tampering_bits_made_to_fit", *made_to_fit(entries, leaves))
    yield none_of("tampering_bits_whole", *verified_whole(files, entries, root(leaves)))


def ledger_of(size: int) -> list[bytes]:
    """Entries whose ledger has at least `size` bytes."""
    entries, total = [], 0
    while total < size:
        entries.append(encode(entry_of(decision(len(entries) + 1), b"")[0]))
        total += FRAME.size + len(entries[-1])
    return entries


def frames(raw: bytes, entries: list[bytes]) -> list[int]:
    """For each byte the number of its frame, -1 in the header."""
    places = [-1] * len(header(PILOT))
    for number, entry in enumerate(entries):
        places += [number] * (FRAME.size + len(entry))
    assert len(places) == len(raw)
    return places


def damaged(raw: bytes, bit: int, places: list[int]) -> bool:
    """Whether the reader refuses the file with this bit flipped, in the frame that holds it."""
    byte, number = bit >> 3, places[bit >> 3]
    starts = _starts(places)
    start = starts[number]
    part = bytearray(raw[start : starts.get(number + 1, len(raw))])  # cut after the frame: a longer one would be torn
    part[byte - start] ^= 1 << (bit & 7)
    try:
        if number < 0:
            LedgerReader(Path("flipped"), io.BytesIO(bytes(part)))
            return False
        reader = LedgerReader(Path("flipped"), io.BytesIO(header(PILOT) + part))
        reader.first = number
        next(iter(reader))
        return False
    except Damage:
        return True
    except StopIteration:
        return False


_STARTS: dict[int, int] = {}


def _starts(places: list[int]) -> dict[int, int]:
    """The offset of each frame by its number; there is one ledger in a run."""
    if not _STARTS:
        for at, number in enumerate(places):
            _STARTS.setdefault(number, at)
    return _STARTS


def made_to_fit(entries: list[bytes], leaves: list[bytes]) -> tuple[int, int]:
    """Flips of every bit of every entry with all hashes made again: how many give the root of the checkpoint."""
    chosen = random.Random(2).sample(range(len(entries)), 3) if QUICK else range(len(entries))
    head, missed, tried = root(leaves), 0, 0
    for number in chosen:
        proof = inclusion_proof(leaves, number, len(leaves))
        for bit in range(8 * len(entries[number])):
            changed = bytearray(entries[number])
            changed[bit >> 3] ^= 1 << (bit & 7)
            tried += 1
            missed += root_from_inclusion(leaf_hash(bytes(changed)), number, len(leaves), proof) == head
        if not QUICK and number % 100 == 0:
            print(f"tampering: entry {number} of {len(entries)}", file=sys.stderr)
    return missed, tried


def verified_whole(files: dict[str, bytes], entries: list[bytes], head: bytes) -> tuple[int, int]:
    """A sample of both ways, each verified as a whole with one earlier checkpoint; how many pass."""
    draw, passed = random.Random(3), 0
    anchors = Anchors(
        log_keys=(KEY.verifier(log_name(PILOT)).vkey,),
        checkpoints=(("earlier", signed(KEY, log_name(PILOT), len(entries), head)),),
    )
    with tempfile.TemporaryDirectory() as name:
        for number in range(WHOLE):
            if number % 2:
                flipped = {path: _flipped(data, draw) for path, data in files.items() if path.endswith(".ledger")}
            else:
                at = draw.randrange(len(entries))
                changed = [_flipped(entry, draw) if n == at else entry for n, entry in enumerate(entries)]
                flipped = ledger_files("one", changed)
            for path, data in flipped.items():
                (Path(name) / "one").mkdir(exist_ok=True)
                (Path(name) / path).write_bytes(data)
            passed += verify_all([f"{name}/one"], anchors).verdict is Verdict.VERIFIED
            for path in flipped:
                (Path(name) / path).unlink()
    return passed, WHOLE


def _flipped(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    bit = draw.randrange(8 * len(data))
    changed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(changed)
