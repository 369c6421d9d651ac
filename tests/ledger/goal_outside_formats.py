"""Goal `outside_formats`: Go's transparency-dev/formats reads and verifies what we write, and we what it writes.

Each `Case` is a request to `tests/ledger/go/formats` with what must hold of its answer. Where input is
mutated at random the rule is one-sided: what we accept, Go accepts too and reads the same.
"""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from operator import eq
from typing import Any, NamedTuple

from monitor.tlog import cosignature, merkle
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.checkpoint_note import open_checkpoint, sign_checkpoint
from monitor.tlog.errors import TlogError
from monitor.tlog.keys import KeyType, Signer, parse_skey, parse_vkey
from monitor.tlog.note import SignedNote, parse_note, verify_note
from monitor.tlog.policy import parse_policy
from monitor.tlog.proof import TlogProof, parse_proof
from monitor.tlog.tiles import Tile
from tests.ledger.go_tools import GoUnavailable, ask, program
from tests.ledger.goal import QUICK, Goal, none_of

NAME = "outside_formats"
LOG = Signer("example.com/log", KeyType.ED25519, b"l" * 32)
COSIGNERS = [
    Signer("witness.example/ed", KeyType.COSIGNATURE_ED25519, b"w" * 32),
    Signer("witness.example/ml", KeyType.COSIGNATURE_ML_DSA_44, b"q" * 32),
    Signer("wíťness.example/ü", KeyType.COSIGNATURE_ED25519, b"u" * 32),
]
SIZE = 12 if QUICK else 64
MUTATED = 300 if QUICK else 20_000
TREE = merkle.HashTree(merkle.leaf_hash(b"%d" % number) for number in range(600))


class Case(NamedTuple):
    """A request to the Go program, and the rule for its answer."""

    request: dict[str, Any]
    holds: Callable[[dict[str, Any]], bool]


def run() -> Iterator[Goal]:
    """The goal."""
    try:
        path = program("formats")
    except GoUnavailable as why:
        yield Goal(NAME, "", "0", ok=True, skipped=str(why))
        return
    rng = random.Random(1)
    cases = [
        *notes(), *proofs(), *policies(), *trees(rng), *tile_paths(rng), *signed_by_go(),
        *mutated_notes(rng), *mutated_proofs(rng), *mutated_policies(rng),
    ]  # fmt: skip
    answers = ask(path, [case.request for case in cases])
    failed = sum(not case.holds(answer) for case, answer in zip(cases, answers, strict=True))
    yield none_of(NAME, failed + _from_go_keys(path), len(cases))


def b64(data: bytes) -> str:
    """Bytes as Go's JSON has them."""
    return b64encode(data).decode()


def accepted(answer: dict[str, Any]) -> bool:
    """Go accepts."""
    return bool(answer["ok"])


def anything(answer: dict[str, Any]) -> bool:
    """Go may do as it likes: we refuse the input."""
    return True


def _written(data: str, answer: dict[str, Any]) -> bool:
    return bool(answer["ok"] and answer["data"] == data)


def _has_path(path: str, answer: dict[str, Any]) -> bool:
    return bool(answer.get("path") == path)


def head(size: int) -> Checkpoint:
    """The checkpoint of the first `size` leaves."""
    return Checkpoint(LOG.name, size, merkle.tree_root(TREE, size))


def vkeys() -> list[str]:
    """The public keys of all cosigners."""
    return [signer.verifier.vkey for signer in COSIGNERS]


def notes() -> Iterator[Case]:
    """Go opens our notes of each kind of key, reads our checkpoints and the times in them."""
    for size in range(SIZE):
        note = sign_checkpoint(head(size), [LOG, *COSIGNERS], time=1_700_000_000 + size).data.decode()
        request = {"op": "checkpoint", "note": note, "origin": LOG.name, "log": LOG.verifier.vkey, "vkeys": vkeys()}
        expected = {
            "ok": True, "origin": LOG.name, "size": size, "root": b64(head(size).root), "rest": "",
            "signatures": 4, "times": [1_700_000_000 + size] * 3,
        }  # fmt: skip
        yield Case(request, partial(eq, expected))
        yield Case({"op": "note", "note": note, "vkeys": vkeys()[:1]}, lambda answer: answer.get("unverified") == 3)
        yield Case({**request, "origin": "example.com/other"}, lambda answer: not answer["ok"])


def proofs() -> Iterator[Case]:
    """Go parses and verifies our proof of each entry, writes the same bytes, and refuses the entry before."""
    for size in range(1, SIZE):
        note = sign_checkpoint(head(size), [LOG])
        for index in range(size):
            proof = TlogProof(index, tuple(merkle.inclusion_proof(TREE, index, size)), note, b"x" * index or None)
            data = proof.data.decode()
            request = {
                "op": "proof", "data": data, "log": LOG.verifier.vkey, "origin": LOG.name,
                "leaf": b64(TREE.node(0, index)),
            }  # fmt: skip
            yield Case(request, partial(_written, data))
            if index:
                yield Case({**request, "leaf": b64(TREE.node(0, index - 1))}, lambda answer: not answer["ok"])


def policies() -> Iterator[Case]:
    """Go and we judge every subset of five cosigners alike, under a policy of two levels."""
    signers = {
        name: Signer(f"w.example/{name}", KeyType.COSIGNATURE_ED25519, name.encode() * 16)
        for name in ("a1", "a2", "a3", "b1", "b2")
    }
    lines = [f"witness {name} {signer.verifier.vkey} https://w.example/{name}" for name, signer in signers.items()]
    groups = ["group a 2 a1 a2 a3", "group b any b1 b2", "group both all a b", "quorum both"]
    text = "\n".join([f"log {LOG.verifier.vkey}", *lines, *groups, ""])
    policy = parse_policy(text.encode())
    for mask in range(32):
        note = sign_checkpoint(
            head(5), [LOG, *(signer for bit, signer in enumerate(signers.values()) if mask >> bit & 1)], time=9
        )
        expected = bool(policy.satisfied(note))
        urls = {f"{each.url}/add-checkpoint": "+".join(each.verifier.vkey.split("+")[:2]) for each in policy.witnesses}
        yield Case(
            {"op": "policy", "data": text, "note": note.data.decode()},
            partial(eq, {"ok": True, "satisfied": expected, "urls": urls}),
        )


def trees(rng: random.Random) -> Iterator[Case]:
    """Go proves and verifies as we do, in trees of up to 600 leaves; what we mutate it refuses."""
    for _ in range(10 if QUICK else 200):
        size = rng.randint(2, TREE.size)
        index, old = rng.randrange(size), rng.randint(1, size)
        inclusion, consistency = merkle.inclusion_proof(TREE, index, size), merkle.consistency_proof(TREE, old, size)
        expected = {
            "ok": True, "root": b64(head(size).root), "old_root": b64(head(old).root),
            "inclusion": [b64(each) for each in inclusion], "consistency": [b64(each) for each in consistency],
        }  # fmt: skip
        yield Case(
            {"op": "prove", "size": size, "old_size": old, "index": index},
            partial(eq, expected),
        )
        request = {
            "op": "inclusion", "index": index, "size": size, "leaf": b64(TREE.node(0, index)),
            "root": expected["root"], "hashes": expected["inclusion"],
        }  # fmt: skip
        yield Case(request, accepted)
        yield Case({**request, "index": (index + 1) % size}, lambda answer: not answer["ok"])
        growth = {
            "op": "consistency", "old_size": old, "size": size, "old_root": expected["old_root"],
            "root": expected["root"], "hashes": expected["consistency"],
        }  # fmt: skip
        yield Case(growth, accepted)
        yield Case({**growth, "old_root": b64(merkle.EMPTY_ROOT)}, lambda answer: not answer["ok"])


def tile_paths(rng: random.Random) -> Iterator[Case]:
    """Our tile paths are those of Go's sumdb."""
    for exponent in range(40):
        for width in (1, 255, 256):
            level = rng.choice([None, *range(8)])
            tile = Tile(level, rng.randrange(1 << exponent), width)
            yield Case(
                {"op": "tile", "level": -1 if level is None else level, "index": tile.index, "width": width},
                partial(_has_path, tile.path),
            )


def signed_by_go() -> Iterator[Case]:
    """We open checkpoints and cosignatures that Go made with the keys that we wrote, and read Go's proofs."""
    for size in range(SIZE):
        request = {
            "op": "sign", "origin": LOG.name, "size": size, "root": b64(head(size).root), "skey": LOG.skey,
            "cosigners": [signer.skey for signer in COSIGNERS],
        }  # fmt: skip
        yield Case(request, partial(_opens, size))
    note = sign_checkpoint(head(9), [LOG])
    hashes = merkle.inclusion_proof(TREE, 4, 9)
    request = {"op": "make_proof", "index": 4, "note": note.data.decode(), "hashes": [b64(each) for each in hashes]}
    expected = TlogProof(4, tuple(hashes), note)
    yield Case(request, lambda answer: parse_proof(answer["data"].encode()) == expected)


def _opens(size: int, answer: dict[str, Any]) -> bool:
    verifiers = [signer.verifier for signer in COSIGNERS]
    opened = open_checkpoint(answer["note"].encode(), LOG.name, [LOG.verifier], verifiers)
    return opened.checkpoint == head(size) and len(opened.verified) == 4


def _from_go_keys(path: Any) -> int:
    """Failures with ML-DSA-44 keys that Go generated: same public key, and each verifies the other's signature."""
    failed = 0
    for made in ask(path, [{"op": "generate", "origin": f"made.example/{number}"} for number in range(3)]):
        signer = parse_skey(made["skey"])
        note = sign_checkpoint(head(7), [LOG, signer], time=3)
        failed += signer.verifier != parse_vkey(made["vkey"])
        failed += cosignature.verify(note, parse_vkey(made["vkey"])) != 3
        failed += not ask(path, [{"op": "note", "note": note.data.decode(), "vkeys": [made["vkey"]]}])[0]["ok"]
    return failed


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One byte changed, removed, doubled or exchanged for one that means something in these formats."""
    at = rng.randrange(len(data))
    what = rng.randrange(4)
    if what == 0:
        return data[:at] + data[at + 1 :]
    if what == 1:
        return data[:at] + data[at : at + 1] + data[at:]
    byte = bytes([data[at] ^ 1 << rng.randrange(7)]) if what == 2 else rng.choice([b"\n", b" ", b"=", b"+", b"0", b"#"])
    return data[:at] + byte + data[at + 1 :]


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:  # JSON cannot carry it; we refuse it
        return None


def mutated_notes(rng: random.Random) -> Iterator[Case]:
    """A mutated note that we accept by one of the keys, Go accepts, with the same text and as many signatures."""
    note = sign_checkpoint(head(7), [LOG, COSIGNERS[0]], time=9).data
    keys = [LOG.verifier, COSIGNERS[0].verifier]
    for _ in range(MUTATED):
        text = _text(mutate(note, rng))
        if text is None:
            continue
        ours = _verified(text.encode(), keys)
        yield Case(
            {"op": "note", "note": text, "vkeys": [key.vkey for key in keys]},
            partial(_same_note, ours),
        )


def _same_note(ours: tuple[str, int] | None, answer: dict[str, Any]) -> bool:
    return ours is None or (answer["ok"] and (answer["text"], len(answer["verified"])) == ours)


def _verified(data: bytes, keys: list[Any]) -> tuple[str, int] | None:
    try:
        note = parse_note(data)
        return note.text, len(verify_note(note, keys))
    except TlogError:
        return None


def mutated_proofs(rng: random.Random) -> Iterator[Case]:
    """A mutated proof that we accept, Go accepts, and writes the same bytes; only the extra data may differ."""
    proof = TlogProof(4, tuple(merkle.inclusion_proof(TREE, 4, 9)), sign_checkpoint(head(9), [LOG]), b"extra")
    policy = parse_policy(f"log {LOG.verifier.vkey}\nquorum none\n".encode())
    for _ in range(MUTATED):
        text = _text(mutate(proof.data, rng))
        if text is None:
            continue
        try:
            parse_proof(text.encode()).verify(TREE.node(0, 4), policy)
            ours = True
        except TlogError:
            ours = False
        request = {
            "op": "proof", "data": text, "log": LOG.verifier.vkey, "origin": LOG.name, "leaf": b64(TREE.node(0, 4)),
        }  # fmt: skip
        yield Case(request, partial(_written, text) if ours else anything)


def mutated_policies(rng: random.Random) -> Iterator[Case]:
    """A mutated policy that we accept, Go accepts, and judges the same note alike; addresses are opaque to us."""
    keys = "".join(f"witness w{n} {signer.verifier.vkey} https://w/{n}\n" for n, signer in enumerate(COSIGNERS))
    text = f"# policy\nlog {LOG.verifier.vkey}\n{keys}group g 2 w0 w1 w2\nquorum g\n".encode()
    note = sign_checkpoint(head(9), [LOG, *COSIGNERS[:2]], time=9)
    for _ in range(MUTATED):
        changed = mutate(text, rng)
        read = _text(changed)
        ours = _satisfied(changed, note)
        if read is None or ours is None or b"#" in changed.replace(b"# policy", b""):
            continue  # Go cuts a line at each number sign, the specification only where a line begins with it
        yield Case(
            {"op": "policy", "data": read, "note": note.data.decode()},
            partial(_same_verdict, ours),
        )


def _same_verdict(ours: bool, answer: dict[str, Any]) -> bool:
    return answer.get("satisfied") == ours or "witness URL" in answer["error"]


def _satisfied(data: bytes, note: SignedNote) -> bool | None:
    try:
        policy = parse_policy(data)
    except TlogError:
        return None
    return policy.quorum == "none" or policy.quorum in policy.reached(policy.satisfied(note, [LOG.verifier]).witnesses)
