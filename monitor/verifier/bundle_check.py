"""Checks a bundle: its layout, then the two stacked proofs from its entries to the checkpoint of the authority log."""

from __future__ import annotations

import hashlib
from pathlib import Path

from monitor.notary.authority_leaf import Leaf
from monitor.notary.commitment import Plaintext, PlaintextBroken, lines
from monitor.tlog.checkpoint import Checkpoint, parse
from monitor.tlog.errors import TlogError
from monitor.tlog.merkle import Frontier, leaf_hash, root_from_inclusion
from monitor.tlog.note import parse_note
from monitor.tlog.proof import parse_proof
from monitor.verifier import bundle as layout
from monitor.verifier.bundle import Manifest
from monitor.verifier.checkpoints import check_checkpoint, check_cosigners
from monitor.verifier.followed import Followed
from monitor.verifier.keyring import AUTHORITY, Keyring
from monitor.verifier.published import LEAF_PROOF, Reader, check_authority, check_log
from monitor.verifier.report import Subject
from monitor.verifier.stamp_files import NAMES, check_stamp, not_here
from monitor.verifier.stores import Store, Unreadable

READINGS = 10  # of a checkpoint and its proof, which change while the log grows


def check_bundle(raw: bytes, where: str, reader: Reader) -> Followed | None:
    """Check the bundle in `raw`, named `where` in the report. Returns its entries as they were followed."""
    report = reader.report
    try:
        files = layout.unpack(raw)
        manifest = layout.parse_manifest(files.get(layout.MANIFEST, b""))
        _compare_files(manifest, files)
    except ValueError as error:
        report.failed("bundle.layout", where, str(error))
        return None
    gone = sorted(name for name in manifest.files if name not in files)
    for name in gone:
        stamp = name.startswith(layout.STAMPS)
        report.failed("stamp.present" if stamp else "bundle.layout", where, f"{name} is listed and missing")
    if any(not name.startswith(layout.STAMPS) for name in gone):
        return None
    report.passed("bundle.layout", where)
    reader = _with_policies(files, where, reader)
    checked = check_checkpoint(files[layout.CHECKPOINT], where, "", reader.keyring, report)
    if checked is None or not _same_log(manifest, checked[0], where, reader):
        return None
    head, note = checked
    check_cosigners(note, head, where, reader.keyring, report)
    followed = _entries(manifest, files, head, where, reader)
    _authority(files, head, where, reader)
    return followed


def check_one_log(store: Store, log: str, reader: Reader) -> dict[str, Followed]:
    """Check one published log, of which the reader may see no other, with the proof that is published next to it."""
    where = f"{store.where}/{log}"
    try:
        if log == AUTHORITY:
            check_authority(store, reader)
            return {}
        raw, proof = _proved(store, log)
        if raw is None:
            reader.report.no_verdict(f"{where}: its checkpoint is gone")
            return {}
        followed = check_log(store, log, raw, reader)
    except Unreadable as error:
        reader.report.no_verdict(str(error))
        return {}
    if followed is None:
        return {}
    head = parse(parse_note(raw).text)
    if proof is None:
        reader.report.not_run("authority.contains", where, f"{LEAF_PROOF} does not lie next to the checkpoint")
    else:
        _authority({layout.LEAF: proof}, head, where, reader)
    return {log: followed}


def _proved(store: Store, log: str) -> tuple[bytes | None, bytes | None]:
    """The checkpoint of a log and the proof next to it. A log that grows shows the proof a moment before the
    checkpoint, so both are read until neither changed meanwhile."""
    found: tuple[bytes | None, bytes | None] = (None, None)
    for _ in range(READINGS):
        before, found = found, (store.read(f"{log}/checkpoint"), store.read(f"{log}/{LEAF_PROOF}"))
        if found == before:
            break
    return found


def _compare_files(manifest: Manifest, files: dict[str, bytes]) -> None:
    digests = layout.digests(files)
    needed = {layout.CHECKPOINT, layout.ENTRIES, layout.RANGE, layout.LEAF}
    known = needed | {layout.WORDS, *(f"{layout.STAMPS}{name}" for name in NAMES)}
    if lacking := sorted(needed - set(manifest.files)):
        raise ValueError(f"{layout.MANIFEST} does not list {', '.join(lacking)}")
    for name, digest in digests.items():
        if name not in manifest.files:
            raise ValueError(f"{name} is not listed in {layout.MANIFEST}")
        if manifest.files[name] != digest:
            raise ValueError(f"{name} does not have the digest that {layout.MANIFEST} lists")
        if name not in known and not name.startswith(layout.POLICIES):
            raise ValueError(f"{name} has no place in a bundle")


def _with_policies(files: dict[str, bytes], where: str, reader: Reader) -> Reader:
    """Add the policies of the bundle, unless the reader gave one: a policy from outside is the one that counts.

    Their log keys are not believed: the maker of the bundle could have written them."""
    mine = tuple((f"{where}:{name}", data) for name, data in files.items() if name.startswith(layout.POLICIES))
    if reader.anchors.policies or not mine:
        return reader
    keyring = Keyring(reader.anchors, reader.report)
    keyring.policies.add(mine)
    keyring.used = reader.keyring.used
    reader.report.own_policies += [f"{name} (SHA-256 {hashlib.sha256(data).hexdigest()})" for name, data in mine]
    return reader._replace(keyring=keyring)


def _same_log(manifest: Manifest, head: Checkpoint, where: str, reader: Reader) -> bool:
    if (head.origin, head.size) == (manifest.origin, manifest.size):
        return True
    message = f"{layout.MANIFEST} says {manifest.origin} at {manifest.size} entries, the checkpoint {head.origin} at "
    reader.report.failed("checkpoint.origin", where, f"{message}{head.size}")
    return False


def _entries(
    manifest: Manifest, files: dict[str, bytes], head: Checkpoint, where: str, reader: Reader
) -> Followed | None:
    report = reader.report
    try:
        entries = layout.split_entries(files[layout.ENTRIES], manifest.end - manifest.start)
        hashes = layout.split_hashes(files[layout.RANGE])
        leaves = [leaf_hash(entry) for entry in entries]
        root = layout.range_root(leaves, manifest.start, manifest.size, hashes)
        texts = tuple(_words(manifest, files))
    except (TlogError, PlaintextBroken) as error:
        report.failed("bundle.layout", where, str(error))
        return None
    if root != head.root:
        message = (
            f"entries {manifest.start} to {manifest.end - 1} do not lead to the root that the checkpoint signs: one of "
            "them at least, or a hash of the proof, was changed"
        )
        report.failed("proof.inclusion", where, message)
    else:
        report.passed("proof.inclusion", where)
    anchors = reader.anchors
    mine = set(texts)
    texts += tuple(text for text in anchors.texts if text not in mine)
    followed = Followed(where, manifest.pilot, anchors.with_texts(texts), report, set(), manifest.start)
    if not all(followed.take(entry, leaf) for entry, leaf in zip(entries, leaves, strict=True)):
        return None
    followed.finish("bundle")
    report.subjects[-1] = _subject(report.subjects[-1], head)
    _earlier(manifest, leaves, hashes, head, where, reader)
    return followed


def _words(manifest: Manifest, files: dict[str, bytes]) -> list[Plaintext]:
    """The disclosed texts. A line that no commitment is compared with is refused: a reader would believe it."""
    texts = list(lines(Path(layout.WORDS), files.get(layout.WORDS, b"")))
    for number, text in enumerate(texts, 1):
        if text.pilot != manifest.pilot or not text.salt:
            raise PlaintextBroken(f"{layout.WORDS}:{number}: not a disclosed text of an entry of {manifest.pilot}")
    return texts


def _subject(one: Subject, head: Checkpoint) -> Subject:
    return Subject(one.kind, one.where, one.name, one.entries, head.root.hex(), {}, one.first, one.last)


def _earlier(
    manifest: Manifest, leaves: list[bytes], hashes: list[bytes], head: Checkpoint, where: str, reader: Reader
) -> None:
    """Compare with earlier checkpoints whose size lies in the range: the subtrees before it are those of a frontier."""
    tree = Frontier(manifest.start, hashes[: manifest.start.bit_count()])
    heads = {head.size: head.root, tree.size: tree.root()}
    for leaf in leaves:
        tree.push(leaf)
        heads[tree.size] = tree.root()
    reader.earlier.compare(where, head.origin, head.size, heads)


def _authority(files: dict[str, bytes], head: Checkpoint, where: str, reader: Reader) -> None:
    report, place = reader.report, f"{where}:{layout.LEAF}"
    try:
        proof = parse_proof(files[layout.LEAF])
    except TlogError as error:
        report.failed("authority.contains", where, str(error))
        return
    checked = check_checkpoint(proof.note.data, place, AUTHORITY, reader.keyring, report)
    if checked is None:
        return
    top, note = checked
    if top.origin.rpartition("/")[0] != head.origin.rpartition("/")[0]:
        report.failed("checkpoint.origin", place, f"{top.origin} is not the authority log of {head.origin}")
        return
    check_cosigners(note, top, place, reader.keyring, report)
    leaf = leaf_hash(Leaf(head.origin, head.size, head.root).encode())
    try:
        root = root_from_inclusion(leaf, proof.index, top.size, proof.hashes)
    except TlogError as error:
        report.failed("authority.contains", where, str(error))
        return
    if root != top.root:
        report.failed("authority.contains", where, "the checkpoint of this log is not in the authority log")
    else:
        report.passed("authority.contains", where)
    reader.earlier.compare(place, top.origin, top.size, {top.size: top.root})
    if not files.keys() - {layout.LEAF}:
        not_here(place, reader.anchors, report)
        return
    stamp = {name.removeprefix(layout.STAMPS): data for name, data in files.items() if name.startswith(layout.STAMPS)}
    check_stamp(stamp, top, place, reader.anchors, report)
