"""The tampering set: what somebody could do to a ledger, and the check that refuses it. Shipped as data.

    python -m tests.ledger.tampering        # writes tests/data/ledger/tampering; the same bytes each time

`cases.json` lists for each case what was done, the arguments of `ledger verify` (paths relative to the folder) and the
id of the check that must fail; `sound-...` cases must be verified. A verifier in any language can run them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from monitor.charter.spec import charter_hash
from monitor.compile.load import load_charter
from monitor.model.records import Decision, Finding, Reason
from monitor.notary.charter_entries import charter_entries
from monitor.notary.commitment import Plaintext, line
from monitor.notary.cursor import Cursor
from monitor.notary.encoding import Entry, encode
from monitor.notary.entries import entry_of
from monitor.notary.format import frame, header, index_record
from monitor.publication.log_key import AUTHORITY, LogKey, log_name
from monitor.testing.records import decision
from monitor.tlog.checkpoint import parse
from monitor.tlog.merkle import leaf_hash
from monitor.tlog.note import parse_note
from monitor.tlog.tiles import parse_bundle
from monitor.verifier import bundle as layout
from monitor.verifier.bundle_write import make_bundle
from tests.ledger.made_log import KEY, ORIGIN, THIEF, WITNESSES, MadeStore, policy, published, signed

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "data" / "ledger" / "tampering"
STAMP = ROOT / "tests" / "data" / "ledger" / "tampering_stamp"
SALT_KEY = bytes(range(100, 132))
PILOT, OTHER = "p-1", "p-2"
VERIFIER = {"version": "test", "sha256": "0" * 64}
LOG_KEY = ("--log-key", KEY.verifier(AUTHORITY).vkey)


class Case(NamedTuple):
    """One case: its files, the arguments of `ledger verify`, the id of the check that must fail ("": none)."""

    name: str
    what: str
    files: dict[str, bytes]
    arguments: tuple[str, ...]
    check: str


def record() -> tuple[list[Entry], list[Plaintext]]:
    """The history of a pilot: admission with its charter, findings, a failed evaluation, acts of people."""
    charter = load_charter(ROOT / "tests" / "data" / "charters" / "complaints-dpr.yaml")
    admitted = decision(1, kind="act", reason=Reason.ADMITTED, cause="control:act-1", author="Ada Lovelace")
    admitted = msgspec.structs.replace(admitted, charter=charter_hash(charter))
    entries, texts = [], []
    for one in (admitted, *map(_decided, range(2, 9))):
        entry, words = entry_of(one, SALT_KEY)
        entries.append(entry)
        texts += words
        if one is admitted:
            more, withheld = charter_entries(admitted, charter, None, SALT_KEY)
            entries += more
            texts += withheld
    return entries, texts


def _decided(number: int) -> Decision:
    if number == 5:
        return decision(
            number, kind="act", reason=Reason.EVALUATION_RECORDED, cause=f"control:act-{number}", author="Grace Hopper",
            finding=Finding(rule="evaluation", observed=0.0, expected=1.0, detail="scenario 3 failed"),
        )  # fmt: skip
    if number == 7:
        return decision(number, kind="act", cause=f"control:act-{number}", author="Ada Lovelace")
    return decision(number)


def cases() -> list[Case]:
    """Every case, in the order of their names."""
    honest, raw, texts = honest_store()
    made = [*sound(honest, raw, texts)]
    for tamper in TAMPERINGS:
        made += tamper(honest, raw, texts)
    return sorted(made)


def honest_store() -> tuple[MadeStore, list[bytes], list[Plaintext]]:
    """The publication before anything was done to it, the entries of the pilot, and their texts."""
    entries, texts = record()
    raw = [encode(entry) for entry in entries]
    other = [encode(entry_of(decision(number, OTHER), b"")[0]) for number in range(1, 4)]
    return published({PILOT: raw, OTHER: other}), raw, texts


def bundle_of(store: MadeStore, texts: Sequence[Plaintext] = (), with_policy: bytes | None = None) -> bytes:
    """The bundle of all entries of the pilot."""
    policies = [policy() if with_policy is None else with_policy]
    return make_bundle(store, log_name(PILOT), 0, None, policies=policies, texts=texts, verifier=VERIFIER)


def changed(bundle: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """A bundle with other content whose digests fit again."""
    files = layout.unpack(bundle)
    change(files)
    manifest = layout.parse_manifest(files[layout.MANIFEST])
    files[layout.MANIFEST] = manifest._replace(files=layout.digests(files)).encode()
    return layout.pack(files)


def ledger_files(name: str, entries: Sequence[bytes], index: bool = True) -> dict[str, bytes]:
    """A ledger file of the notary, and its index, with right checksums and hashes whatever the entries are."""
    frames, at, records = [header(PILOT)], len(header(PILOT)), []
    for number, entry in enumerate(entries):
        frames.append(frame(number, entry))
        at += len(frames[-1])
        records.append(index_record(at, leaf_hash(entry)))
    found = {f"{name}/{log_name(PILOT)}.ledger": b"".join(frames)}
    return found | ({f"{name}/{log_name(PILOT)}.index": b"".join(records)} if index else {})


def replaced(raw: Sequence[bytes], number: int, old: bytes, new: bytes) -> list[bytes]:
    """The entries with one changed; the change keeps its length."""
    assert old in raw[number], (number, old)
    assert len(old) == len(new)
    return [entry.replace(old, new) if at == number else entry for at, entry in enumerate(raw)]


def in_bundle(name: str, what: str, bundle: bytes, check: str, *more: str, **files: bytes) -> Case:
    """A case of one bundle, verified with the key of the log."""
    paths = {f"{name}/bundle.zip": bundle, **{f"{name}/{file}": data for file, data in files.items()}}
    arguments = (f"{name}/bundle.zip", *LOG_KEY, *more)
    return Case(name, what, paths, arguments, check)


def sound(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    files = ledger_files("sound-ledger", raw) | {"sound-ledger/policy": policy()}
    return [
        in_bundle("sound-bundle", "nothing was changed", bundle_of(honest, texts), ""),
        Case("sound-ledger", "nothing was changed", files, ("sound-ledger", *LOG_KEY), ""),
    ]


def key_substitution(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    store = published({PILOT: raw}, THIEF)
    what = "all checkpoints are signed by another key of the same name"
    return [in_bundle("key-substitution", what, bundle_of(store), "checkpoint.signature")]


def one_character(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    edited = replaced(raw, 4, b'"observed":15', b'"observed":14')

    def change(files: dict[str, bytes]) -> None:
        files[layout.ENTRIES] = b"".join(len(entry).to_bytes(2, "big") + entry for entry in edited)

    what = "one character of an entry was edited, and every digest of the bundle was made to fit"
    return [in_bundle("one-character-edit", what, changed(bundle_of(honest), change), "proof.inclusion")]


def charter_mismatch(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    edited = replaced(raw, 1, b'"alpha":0.01', b'"alpha":0.09')
    what = "the operator entered, signed and published a charter that is not the one whose hash was agreed"
    bundle = bundle_of(published({PILOT: edited}), texts)
    return [in_bundle("charter-hash-mismatch", what, bundle, "charter.hash")]


def swapped_evaluation(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    edited = replaced(raw, 5, b'"observed":0', b'"observed":1')

    def change(files: dict[str, bytes]) -> None:
        files[layout.ENTRIES] = b"".join(len(entry).to_bytes(2, "big") + entry for entry in edited)

    what = "the result of an evaluation was swapped"
    return [in_bundle("swapped-evaluation", what, changed(bundle_of(honest), change), "proof.inclusion")]


def truncation(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    name, newest = "truncation-with-index", honest.files[f"{log_name(PILOT)}/checkpoint"]
    files = ledger_files(name, raw[:-2]) | {f"{name}/earlier": newest}
    what = "the last entries were cut from the ledger and from its index"
    return [Case(name, what, files, (name, *LOG_KEY, "--checkpoint", f"{name}/earlier"), "anchor.checkpoint")]


def fork(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    store = published({PILOT: replaced(raw, 4, b'"observed":15', b'"observed":14'), OTHER: _others(honest)})
    what = "two versions of the log, both signed and cosigned: the reader kept a checkpoint of the other one"
    earlier = honest.files[f"{AUTHORITY}/checkpoint"]
    more = ("--checkpoint", "fork/earlier")
    return [in_bundle("fork", what, bundle_of(store), "anchor.checkpoint", *more, earlier=earlier)]


def restored(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    name = "restored-old-backup"
    cursor = Cursor({"decisions/0": 9}, {"decisions/0": 1}, {PILOT: len(raw)})
    files = ledger_files(name, raw[:4]) | {f"{name}/cursor.json": cursor.line()}
    what = "the ledger and its index are an older copy, the cursor is not"
    return [Case(name, what, files, (name,), "directory.cursor")]


def origin_swap(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    def change(files: dict[str, bytes]) -> None:
        files[layout.CHECKPOINT] = honest.files[f"{log_name(OTHER)}/checkpoint"]

    what = "the checkpoint of another log stands in the place of this one"
    return [in_bundle("origin-swap", what, changed(bundle_of(honest), change), "checkpoint.origin")]


def foreign_cosignature(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    foreign = parse_note(honest.files[f"{log_name(OTHER)}/checkpoint"]).signatures[1:]
    store = MadeStore(dict(honest.files))
    note = parse_note(store.files[f"{AUTHORITY}/checkpoint"])
    store.files[f"{AUTHORITY}/checkpoint"] = note._replace(signatures=(note.signatures[0], *foreign)).data
    what = "the cosignatures of the authority log are those of another log"
    name = "cosignature-of-another-log"
    more = ("--policy", f"{name}/policy")
    return [in_bundle(name, what, bundle_of(store), "witness.cosignature", *more, policy=policy())]


def downgrade(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    older = bytes([1]) + raw[7][1:]
    name, what = "version-downgrade", "an act was rewritten in format version 1, and every hash was made to fit"
    assert raw[7][0] == 2
    return [Case(name, what, ledger_files(name, [*raw[:7], older, *raw[8:]]), (name,), "entry.version")]


def exchanged_words(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    first, second = _authors(texts)
    words = [first._replace(text=second.text), second._replace(text=first.text)]
    salts = [first._replace(salt=second.salt), second._replace(salt=first.salt)]
    found = []
    for name, exchanged in (("exchanged-words", words), ("exchanged-salts", salts)):
        bundle = bundle_of(honest, exchanged)
        found.append(
            in_bundle(name, "the disclosed texts or salts of two acts were exchanged", bundle, "text.commitment")
        )
    told = "".join(line(text) + "\n" for text in words).encode()
    files = ledger_files("exchanged-words-disclosed", raw) | {"exchanged-words-disclosed/told": told}
    arguments = ("exchanged-words-disclosed", "--disclosed", "exchanged-words-disclosed/told")
    return [
        *found,
        Case("exchanged-words-disclosed", "the same, next to a ledger", files, arguments, "text.commitment"),
    ]


def reordered(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    what = "two decisions changed places, and every hash was made to fit"
    first, inside = "reordered-standing", "reordered-standing-inside"
    orders = {first: [raw[2], *raw[:2], *raw[3:]], inside: [*raw[:3], raw[4], raw[3], *raw[5:]]}
    checks = {first: "entry.standing", inside: "entry.gap"}
    return [Case(name, what, ledger_files(name, orders[name]), (name,), checks[name]) for name in orders]


def no_quorum(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    what = "the policy of the bundle accepts checkpoints that no witness has seen"
    return [in_bundle("policy-quorum-none", what, bundle_of(honest, with_policy=policy("none")), "policy.quorum")]


def stamped(honest: MadeStore, revocation: str = "revocation.pem") -> MadeStore:
    """The publication with the time stamp of its authority checkpoint, which was made once (`tampering_stamp.py`)."""
    note = honest.files[f"{AUTHORITY}/checkpoint"]
    place = f"{AUTHORITY}/stamp/{parse(parse_note(note).text).size}"
    files = {name: (STAMP / name).read_bytes() for name in ("token.tsr", "chain.pem")}
    files |= {"checkpoint": note, "revocation.pem": (STAMP / revocation).read_bytes()}
    return MadeStore(honest.files | {f"{place}/{name}": data for name, data in files.items()})


def with_stamp(name: str, what: str, bundle: bytes, check: str) -> Case:
    """A case whose reader trusts the time stamp authority."""
    root = {"root.pem": (STAMP / "root.pem").read_bytes()}
    return in_bundle(name, what, bundle, check, "--stamp-root", f"{name}/root.pem", **root)


def removed_stamp(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    def change(files: dict[str, bytes]) -> None:
        for name in [name for name in files if name.startswith(layout.STAMPS)]:
            del files[name]

    what = "the time stamp was taken out of the bundle"
    whole = bundle_of(stamped(honest))
    return [
        with_stamp("sound-stamp", "nothing was changed", whole, ""),
        with_stamp("removed-stamp", what, changed(whole, change), "stamp.present"),
    ]


def revoked_stamp(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    what = "the certificate that signed the time stamp had been revoked for a stolen key"
    bundle = bundle_of(stamped(honest, "revoked.pem"))
    return [with_stamp("revoked-stamp-certificate", what, bundle, "stamp.revocation")]


def alone(store: MadeStore) -> MadeStore:
    """The publication without cosignatures: what a thief of the log key can make."""
    files = dict(store.files)
    for name in files:
        if name.endswith("/checkpoint"):
            note = parse_note(files[name])
            files[name] = note._replace(signatures=note.signatures[:1]).data
    return MadeStore(files)


def no_cosignature(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    what = "no witness cosigned; the reader gave the key of one, and no policy"
    more = ("--witness-key", WITNESSES[0].verifier.vkey)
    name, whole = "no-cosignature", make_bundle(alone(honest), log_name(PILOT), 0, None, verifier=VERIFIER)
    return [
        in_bundle("sound-witness-key", "nothing was changed", bundle_of(honest), "", *more),
        in_bundle(name, what, whole, "witness.cosignature", *more),
    ]


def other_origin(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    """The maker of a false record chooses the names of its logs."""
    elsewhere, deeper = (LogKey(origin, bytes(range(1, 33))) for origin in ("elsewhere.example", f"{ORIGIN}/deeper"))
    far = make_bundle(published({PILOT: raw}, elsewhere), log_name(PILOT), 0, None, verifier=VERIFIER)
    below = make_bundle(published({PILOT: raw}, deeper), log_name(PILOT), 0, None, verifier=VERIFIER)
    key_what = "the logs have another name, of which no key was given, and any signature"
    name, policy_what = "policy-of-no-log", "no log has the name that the policy of the reader governs"
    return [
        in_bundle("key-of-no-log", key_what, far, "checkpoint.signature"),
        in_bundle(
            "key-of-no-log-below", f"{key_what}; it begins with that of the sandbox", below, "checkpoint.signature"
        ),
        in_bundle(name, policy_what, far, "policy.satisfied", "--policy", f"{name}/policy", policy=policy()),
    ]


def key_below_sandbox(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    """The key of a sandbox `B` is that of the logs `B/LOG`, not of `B/x/LOG`, which no witness follows."""
    below = make_bundle(
        published({PILOT: raw}, LogKey(f"{ORIGIN}/deeper", bytes(range(32)))),
        log_name(PILOT),
        0,
        None,
        verifier=VERIFIER,
    )
    what = "the key of the sandbox signed logs below another name, which no witness follows"
    return [in_bundle("key-below-sandbox", what, below, "checkpoint.signature")]


def foreign_words(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    """A text that no commitment is compared with would be believed."""
    foreign = texts[0]._replace(pilot=OTHER)
    bundle = bundle_of(honest, texts)
    found = []
    for name, what, added in (
        ("words-of-another-pilot", "a disclosed text names another pilot, so that nothing compares it", foreign),
        ("words-without-salt", "a disclosed text has no salt, so that nothing compares it", texts[0]._replace(salt="")),
    ):

        def change(files: dict[str, bytes], added: Plaintext = added) -> None:
            files[layout.WORDS] += f"{line(added)}\n".encode()

        found.append(in_bundle(name, what, changed(bundle, change), "bundle.layout"))
    name, what = (
        "disclosed-of-another-pilot",
        "the reader was given a text of another pilot, next to a bundle with texts",
    )
    told = f"{line(foreign)}\n".encode()
    more = ("--disclosed", f"{name}/told")
    return [*found, in_bundle(name, what, bundle, "text.commitment", *more, told=told)]


def empty_root(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    name, what = "root-of-no-entries", "an earlier checkpoint of no entries has another root than that of no entries"
    files = ledger_files(name, raw) | {f"{name}/earlier": signed(KEY, log_name(PILOT), 0, bytes(32))}
    above = f"{name}-authority"
    return [
        Case(name, what, files, (name, *LOG_KEY, "--checkpoint", f"{name}/earlier"), "anchor.checkpoint"),
        in_bundle(
            above, what, bundle_of(honest), "anchor.checkpoint", "--checkpoint", f"{above}/earlier",
            earlier=signed(KEY, AUTHORITY, 0, bytes(32)),
        ),
    ]  # fmt: skip


def unknown_file(honest: MadeStore, raw: list[bytes], texts: list[Plaintext]) -> list[Case]:
    """A reader who opens the ZIP file could take it for a part of what was verified."""
    whole, found = bundle_of(honest), []
    for name, file in (("unknown-file", "notice.txt"), ("unknown-file-of-a-stamp", f"{layout.STAMPS}notice.txt")):

        def change(files: dict[str, bytes], file: str = file) -> None:
            files[file] = b"what nothing proves"

        what = "a file was added that has no place in a bundle, and is listed with its digest"
        found.append(in_bundle(name, what, changed(whole, change), "bundle.layout"))
    return found


def _others(store: MadeStore) -> list[bytes]:
    return parse_bundle(store.files[f"{log_name(OTHER)}/tile/entries/000.p/3"], 3)


def _authors(texts: list[Plaintext]) -> list[Plaintext]:
    found = [text for text in texts if text.field == "author"]
    different = next(text for text in found if text.text != found[0].text)
    return [found[0], different]


TAMPERINGS = (
    key_substitution, one_character, charter_mismatch, swapped_evaluation, truncation, fork, restored, origin_swap,
    foreign_cosignature, downgrade, exchanged_words, reordered, no_quorum, removed_stamp, revoked_stamp,
    no_cosignature, other_origin, key_below_sandbox, foreign_words, empty_root, unknown_file,
)  # fmt: skip


def written(folder: Path, made: Sequence[Case]) -> None:
    """Write the cases below `folder`."""
    for case in made:
        for name, data in case.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    listed = [
        {"name": case.name, "what": case.what, "arguments": list(case.arguments), "check": case.check} for case in made
    ]
    (folder / "cases.json").write_text(json.dumps(listed, indent=1) + "\n")


if __name__ == "__main__":
    written(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER, cases())
