"""Published vectors (`tests/data/tlog`), each as a name and a function that returns whether we agree with it."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from monitor.tlog import add_checkpoint, cosignature, merkle
from monitor.tlog.checkpoint import Checkpoint, parse
from monitor.tlog.checkpoint_note import open_checkpoint
from monitor.tlog.errors import BadFormat
from monitor.tlog.keys import parse_skey, parse_vkey
from monitor.tlog.note import parse_note, sign_note, verify_note
from monitor.tlog.tiles import Tile, encode_bundle, grow, parse_bundle, parse_tile_path, tiles_of

DATA = Path(__file__).parents[1] / "data" / "tlog"
Vector = tuple[str, Callable[[], bool]]


def load(name: str) -> Any:
    """A file of vectors."""
    return json.loads((DATA / name).read_text("utf-8"))


def vectors() -> Iterator[Vector]:
    """All of them."""
    yield from _ct(load("ct.json"))
    yield from _notes(load("notes.json"))
    yield from _sumdb(load("sum.golang.org.json"))
    yield from _tessera(load("tessera.json"))


def _holds(check: Callable[..., None], *arguments: Any) -> bool:
    """A check that raises where it does not hold; everything else that it raises is a failure of the test."""
    check(*arguments)
    return True


def _root(leaves: list[bytes], root: bytes) -> bool:
    return merkle.root(leaves) == root


def _ct(data: Any) -> Iterator[Vector]:
    leaves = [merkle.leaf_hash(bytes.fromhex(entry)) for entry in data["leaves_hex"]]
    roots = {head["size"]: bytes.fromhex(head["root"]) for head in data["heads"]}
    for size, root in roots.items():
        yield f"ct root {size}", partial(_root, leaves[:size], root)
    for each in data["inclusion"]:
        yield f"ct inclusion {each['index']} {each['size']}", partial(_inclusion, leaves, roots, each)
    for each in data["consistency"]:
        yield f"ct consistency {each['old_size']} {each['size']}", partial(_consistency, leaves, roots, each)


def _inclusion(leaves: list[bytes], roots: dict[int, bytes], each: Any) -> bool:
    index, size, hashes = each["index"], each["size"], [bytes.fromhex(text) for text in each["hashes"]]
    merkle.verify_inclusion(leaves[index], index, size, hashes, roots[size])
    return merkle.inclusion_proof(leaves, index, size) == hashes


def _consistency(leaves: list[bytes], roots: dict[int, bytes], each: Any) -> bool:
    old, size, hashes = each["old_size"], each["size"], [bytes.fromhex(text) for text in each["hashes"]]
    merkle.verify_consistency(old, roots[old], size, roots[size], hashes)
    return merkle.consistency_proof(leaves, old, size) == hashes


def _refused(vkey: str) -> bool:
    try:
        parse_vkey(vkey)
    except BadFormat:
        return True
    return False


def _notes(data: Any) -> Iterator[Vector]:
    for vkey in data["vkeys"]:
        yield f"vkey {vkey[:20]}", partial(_vkey, vkey)
    for vkey in data["bad_vkeys"]:
        yield f"bad vkey {vkey[:30]}", partial(_refused, vkey)
    for skey, vkey in data["skeys"].items():
        yield f"skey {vkey[:20]}", partial(_skey, skey, vkey)
    for each in data["signed"]:
        yield f"signed {each['skey'][:20]}", partial(_signs, each["skey"], each["note"])
    for note in data["notes"]:
        yield f"note {note[:10]}", partial(_note, note)
    for each in data["checkpoints"]:
        yield f"checkpoint {each['size']}", partial(_checkpoint, each)
    for each in data["requests"]:
        yield f"request {each['old_size']}", partial(_request, each)
    for body in data["answers"]:
        yield "answer", partial(_answer, body.encode())
    for path, place in data["tile_paths"].items():
        yield f"path {path}", partial(_path, path, Tile(*place))
    for size, paths in data["tiles_of"].items():
        yield f"tiles {size}", partial(_tiles, int(size), paths)


def _vkey(vkey: str) -> bool:
    return parse_vkey(vkey).vkey == vkey


def _skey(skey: str, vkey: str) -> bool:
    return parse_skey(skey).verifier.vkey == vkey


def _note(note: str) -> bool:
    return parse_note(note.encode()).data.decode() == note


def _answer(body: bytes) -> bool:
    return add_checkpoint.cosignatures(add_checkpoint.parse_cosignatures(body)) == body


def _tiles(size: int, paths: list[str]) -> bool:
    return [tile.path for tile in tiles_of(size)] == paths


def _signs(skey: str, note: str) -> bool:
    signer, parsed = parse_skey(skey), parse_note(note.encode())
    verify_note(parsed, [signer.verifier])
    return sign_note(parsed.text, [signer]).data.decode() == note


def _checkpoint(each: Any) -> bool:
    note = parse_note(each["note"].encode())
    head = parse(note.text)
    times = [cosignature.time_of(line) for line in note.signatures if len(line.signature) == 72]
    return (head.origin, head.size, head.text, times) == (each["origin"], each["size"], note.text, [each["cosigned"]])


def _request(each: Any) -> bool:
    request = add_checkpoint.parse_request(each["body"].encode())
    found = (request.old_size, len(request.proof), request.data.decode())
    return found == (each["old_size"], each["hashes"], each["body"])


def _path(path: str, tile: Tile) -> bool:
    return tile.path == path and parse_tile_path(path) == tile


def _sumdb(data: Any) -> Iterator[Vector]:
    newest = _head(data, data["checkpoint"])
    for each in data["inclusion"]:
        hashes = [b64decode(text) for text in each["hashes"]]
        leaf = merkle.leaf_hash(each["record"].encode())
        yield (
            f"sum.golang.org record {each['index']}",
            partial(_holds, merkle.verify_inclusion, leaf, each["index"], newest.size, hashes, newest.root),
        )
    for each in data["consistency"]:
        old, hashes = _head(data, each["checkpoint"]), [b64decode(text) for text in each["hashes"]]
        yield (
            f"sum.golang.org head {old.size}",
            partial(_holds, merkle.verify_consistency, old.size, old.root, newest.size, newest.root, hashes),
        )


def _head(data: Any, note: str) -> Checkpoint:
    return open_checkpoint(note.encode(), data["origin"], [parse_vkey(data["vkey"])]).checkpoint


def _tessera(data: Any) -> Iterator[Vector]:
    entries = [entry.encode() for entry in data["entries"]]
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    bundle, tile = bytes.fromhex(data["bundle_of_15_hex"]), bytes.fromhex(data["tile_of_15_hex"])
    yield "tessera bundle", lambda: encode_bundle(entries) == bundle and parse_bundle(bundle, 15) == entries
    yield "tessera tile", lambda: dict(grow(0, leaves, {}.__getitem__)) == {Tile(0, 0, 15): tile}
    for note in data["checkpoints"]:
        head = _head(data, note)
        yield f"tessera head {head.size}", partial(_root, leaves[: head.size], head.root)
