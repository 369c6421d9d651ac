"""A bundle: a range of entries with all that proves them, as one file. `README.md` documents it byte by byte.

The same content gives the same bytes: a ZIP file without compression, names in order, every date 1980-01-01.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from monitor.model.canonical import canonical, parse_canonical
from monitor.tlog.errors import BadFormat, ProofFault, ProofRefused
from monitor.tlog.merkle import node_hash
from monitor.tlog.text import HASH_BYTES

FORMAT = "sandbox-monitor/bundle/1"
MANIFEST = "bundle.json"
CHECKPOINT = "log/checkpoint"
ENTRIES = "log/entries"
RANGE = "log/range"
LEAF = "authority/leaf.tlog-proof"
STAMPS = "authority/stamp/"
POLICIES = "policy/"
WORDS = "words.jsonl"
MAX_BUNDLE = 1 << 30
MAX_DIRECTORY = 1 << 20  # bytes of the list of files, which is read whole: some thousand files
END_OF_ZIP, ZIP64 = b"PK\x05\x06", b"PK\x06\x07"
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Manifest(NamedTuple):
    """What `bundle.json` says: entries `start` to `end` (exclusive) of the log `origin` at `size` entries, the SHA-256
    of every other file, version and SHA-256 of the verifier that came with it."""

    origin: str
    pilot: str
    start: int
    end: int
    size: int
    files: dict[str, str]
    verifier: dict[str, str]

    def encode(self) -> bytes:
        """The bytes of `bundle.json`: canonical JSON."""
        return canonical({"format": FORMAT, **self._asdict()})


def parse_manifest(raw: bytes) -> Manifest:
    """Read `bundle.json`. Raises ValueError."""
    value: Any = parse_canonical(raw)
    names = {"format", *Manifest._fields}
    if not isinstance(value, dict) or set(value) != names or value["format"] != FORMAT:
        raise ValueError(f"the members are {', '.join(sorted(names))}, and the format is {FORMAT}")
    for name in ("start", "end", "size"):
        if type(value[name]) is not int or value[name] < 0:
            raise ValueError(f"{name} must be a number from 0")
    for name in ("origin", "pilot"):
        if not isinstance(value[name], str):
            raise ValueError(f"{name} must be a text")
    for name in ("files", "verifier"):
        if not isinstance(value[name], dict) or not all(isinstance(one, str) for one in value[name].values()):
            raise ValueError(f"{name} must be an object of texts")
    if not value["start"] < value["end"] <= value["size"]:
        raise ValueError("start < end <= size must hold")
    del value["format"]
    return Manifest(**value)


def pack(files: Mapping[str, bytes]) -> bytes:
    """The bytes of a ZIP file that holds these files and nothing else: `bundle.json` first, then by name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files, key=lambda name: (name != MANIFEST, name)):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, files[name])
    return out.getvalue()


def unpack(raw: bytes) -> dict[str, bytes]:
    """The files of a bundle. Raises ValueError unless `raw` are exactly the bytes that `pack` makes of them."""
    if len(raw) > MAX_BUNDLE:
        raise ValueError(f"a bundle has at most {MAX_BUNDLE} bytes")
    _check_directory(raw)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            infos = archive.infolist()
            if any(info.compress_type != zipfile.ZIP_STORED or info.file_size > len(raw) for info in infos):
                raise ValueError("a file in it is compressed")
            if sum(info.file_size for info in infos) > len(raw) or len({info.filename for info in infos}) < len(infos):
                raise ValueError("its files overlap, or two have one name")
            files = {info.filename: archive.read(info) for info in infos}
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError, UnicodeError) as error:
        raise ValueError(f"not a ZIP file: {error}") from None
    if len(files) != len(infos) or pack(files) != raw:
        raise ValueError("the ZIP file holds more than its files, or two of one name, or is not in its one form")
    return files


def _check_directory(raw: bytes) -> None:
    """Check the length of the list of files, which the last 22 bytes state: it is read whole. Raises ValueError."""
    if raw[-22:-18] != END_OF_ZIP or raw[-42:-38] == ZIP64:
        raise ValueError("not a ZIP file, or not in the form of a bundle")
    if int.from_bytes(raw[-10:-6], "little") > MAX_DIRECTORY:
        raise ValueError(f"the list of its files has more than {MAX_DIRECTORY} bytes")


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each file but the manifest, as hex."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != MANIFEST}


def outside(start: int, end: int, size: int) -> list[tuple[int, int]]:
    """The largest subtrees of a tree of `size` leaves that hold none of the leaves `start` to `end`, left to right.

    >>> outside(2, 3, 7)
    [(0, 2), (3, 4), (4, 7)]
    """
    return list(_outside(0, size, start, end))


def _outside(low: int, high: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    if high <= start or low >= end:
        yield low, high
    elif not (start <= low and high <= end):
        split = low + (1 << (high - low - 1).bit_length() - 1)
        yield from _outside(low, split, start, end)
        yield from _outside(split, high, start, end)


def range_root(leaves: list[bytes], start: int, size: int, hashes: list[bytes]) -> bytes:
    """The root of a tree of `size` leaves of which these leaf hashes are those from `start` on, and `hashes` those of
    the subtrees `outside`. Raises ProofRefused when their number does not fit."""
    end = start + len(leaves)
    expected = len(outside(start, end, size))
    if not leaves or end > size or len(hashes) != expected:
        raise ProofRefused(ProofFault.LENGTH, f"{len(hashes)} hashes instead of {expected}")
    given = iter(hashes)

    def head(low: int, high: int) -> bytes:
        if high <= start or low >= end:
            return next(given)
        if high - low == 1:
            return leaves[low - start]
        split = low + (1 << (high - low - 1).bit_length() - 1)
        return node_hash(head(low, split), head(split, high))

    return head(0, size)


def split_hashes(raw: bytes) -> list[bytes]:
    """The hashes in `log/range`. Raises BadFormat."""
    if len(raw) % HASH_BYTES:
        raise BadFormat(RANGE, f"{len(raw)} bytes", "it is a list of hashes of 32 bytes")
    return [raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)]


def split_entries(raw: bytes, count: int) -> list[bytes]:
    """The entries in `log/entries`, each after its length in 2 bytes. Raises BadFormat unless there are `count`."""
    entries, at = [], 0
    while at + 2 <= len(raw):
        end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
        if end > len(raw):
            break
        entries.append(raw[at + 2 : end])
        at = end
    if at != len(raw) or len(entries) != count:
        raise BadFormat(ENTRIES, f"{len(entries)} entries, {len(raw) - at} bytes after them", f"there must be {count}")
    return entries
