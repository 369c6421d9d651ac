"""C2SP tlog-policy: which logs are known, and whose cosignatures a checkpoint needs. https://c2sp.org/tlog-policy

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <member>...
    quorum <name>|none

`parse_policy` reads a file, `Policy.satisfied` says whether a note is accepted, and if not, what is missing. The file
is read as bytes; names are compared byte by byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.tlog import checkpoint
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.errors import BadFormat, NotProved, PolicyFault, PolicyRefused, SignatureRefused
from monitor.tlog.keys import KeyType, Verifier, parse_vkey
from monitor.tlog.note import SignedNote, Verified, verify_note
from monitor.tlog.text import from_decimal, printable, short

WHAT = "policy"
NONE = "none"
MAX_POLICY_BYTES = 1 << 20
MAX_LINES = 256  # of each keyword; the specification asks for at least 32
LOG_KINDS = (KeyType.ED25519, KeyType.COSIGNATURE_ML_DSA_44)
WITNESS_KINDS = (KeyType.COSIGNATURE_ED25519, KeyType.COSIGNATURE_ML_DSA_44)


class KnownKey(NamedTuple):
    """A log or a witness: `name` is that of the policy (of a log: its origin), `url` is opaque here."""

    name: str
    verifier: Verifier
    url: str | None = None


class Group(NamedTuple):
    """At least `needed` of the members, witnesses or earlier groups."""

    name: str
    needed: int
    members: tuple[str, ...]


class Satisfied(NamedTuple):
    """What a policy says of a checkpoint; true in a condition if it is accepted.

    `witnesses` names those whose cosignatures hold, with their times. `missing` are those that the quorum still lacks
    and that did not sign. `refusal` is `None` if the checkpoint is accepted.
    """

    checkpoint: Checkpoint | None
    log: Verifier | None
    witnesses: dict[str, int]
    missing: tuple[str, ...]
    refusal: NotProved | BadFormat | None

    def __bool__(self) -> bool:
        return self.refusal is None

    @property
    def problem(self) -> str:
        """Why it is not accepted; empty if it is."""
        return "" if self.refusal is None else str(self.refusal)


@dataclass(frozen=True)
class Policy:
    """A parsed policy; `data` are the bytes of its file."""

    data: bytes
    logs: tuple[KnownKey, ...]
    witnesses: tuple[KnownKey, ...]
    groups: tuple[Group, ...]
    quorum: str
    _by_name: dict[str, Group] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {group.name: group for group in self.groups})

    @property
    def sha256(self) -> str:
        """The hash of the file, 64 hex digits: what an admission states."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def needs_witnesses(self) -> bool:
        """Whether any cosignature is needed: not with `quorum none`."""
        return self.quorum != NONE

    def of_origin(self, origin: str) -> list[Verifier]:
        """The keys of the log with that origin."""
        return [log.verifier for log in self.logs if log.verifier.name == origin]

    def open(self, note: SignedNote, log: Sequence[Verifier] = ()) -> tuple[Checkpoint, Satisfied]:
        """The checkpoint in a note that the policy accepts; `log` as in `satisfied`.

        Raises:
            BadFormat: the text is no checkpoint.
            SignatureRefused: a signature by a known key is wrong.
            PolicyRefused: no log of the policy signed, or the quorum is not reached.
        """
        found = self.satisfied(note, log)
        if found.refusal is not None or found.checkpoint is None:
            raise found.refusal or PolicyRefused(PolicyFault.NO_LOG)
        return found.checkpoint, found

    def satisfied(self, note: SignedNote, log: Sequence[Verifier] = ()) -> Satisfied:
        """Whether the policy accepts a note, and if not, why.

        Args:
            note: parsed, not yet verified.
            log: keys of the log that are known from elsewhere, next to those of the policy.
        """
        head = None
        try:
            head = checkpoint.parse(note.text)
            keys = [key for key in (*self.of_origin(head.origin), *log) if key.name == head.origin]
            verified = _verified(note, (*keys, *(witness.verifier for witness in self.witnesses)))
        except (BadFormat, SignatureRefused) as error:
            return Satisfied(head, None, {}, (), error)
        signer = next((each.verifier for each in verified if each.verifier in keys), None)
        times = {each.verifier: each.time or 0 for each in verified}
        signed = {each.name: times[each.verifier] for each in self.witnesses if each.verifier in times}
        if signer is None:
            unsigned = PolicyRefused(PolicyFault.NO_LOG, f"origin {short(head.origin)}")
            return Satisfied(head, None, signed, (), unsigned)
        reached = self.reached(signed)
        if self.quorum in reached or not self.needs_witnesses:
            return Satisfied(head, signer, signed, (), None)
        missing = tuple(self._missing(self.quorum, reached))
        return Satisfied(head, signer, signed, missing, PolicyRefused(PolicyFault.QUORUM, self._why(signed, reached)))

    def reached(self, signed: Iterable[str]) -> set[str]:
        """The witnesses that signed, and the groups that are reached by them."""
        reached = {witness.name for witness in self.witnesses} & set(signed)
        for group in self.groups:  # members are defined before their group
            if sum(member in reached for member in group.members) >= group.needed:
                reached.add(group.name)
        return reached

    def _missing(self, name: str, reached: set[str]) -> Iterable[str]:
        """The witnesses below `name` that did not sign, in the order of the file, where their group is not reached."""
        waiting, found = [name], set[str]()
        while waiting:
            name = waiting.pop()
            if name in reached:
                continue
            group = self._by_name.get(name)
            if group is None:
                found.add(name)
            else:
                waiting += group.members
        return [witness.name for witness in self.witnesses if witness.name in found]

    def _why(self, signed: Iterable[str], reached: set[str]) -> str:
        group = self._by_name.get(self.quorum)
        have = ", ".join(map(printable, signed)) or "no witness"
        lacking = ", ".join(map(printable, self._missing(self.quorum, reached)))
        if group is None:
            return f"quorum {printable(self.quorum)}: signed by {have}"
        count = sum(member in reached for member in group.members)
        return f"quorum {printable(group.name)} has {count} of {group.needed}: signed by {have}, not by {lacking}"


def _verified(note: SignedNote, verifiers: Sequence[Verifier]) -> tuple[Verified, ...]:
    """As `verify_note`, but nothing where none of these keys signed."""
    known = {(verifier.name, verifier.key_id) for verifier in verifiers}
    if not any((line.name, line.key_id) in known for line in note.signatures):
        return ()
    return verify_note(note, verifiers)


def parse_policy(data: bytes) -> Policy:
    """A policy from the bytes of its file.

    Raises:
        BadFormat: with line and fix.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise BadFormat(WHAT, f"{len(data)} bytes", f"the limit is {MAX_POLICY_BYTES}")
    reader = _Reader()
    lines = data.split(b"\n")
    if lines.pop():
        raise BadFormat(WHAT, "does not end with a newline", "end the last line with a newline", len(lines) + 1)
    for number, line in enumerate(lines, 1):
        bad = next((byte for byte in line if byte == 0x7F or (byte < 0x20 and byte != 0x09)), None)
        if bad is not None:
            fix = "end lines with a newline alone" if bad == 0x0D else "use no control characters but tab and newline"
            raise BadFormat(WHAT, f"control character 0x{bad:02x}", fix, number)
        # Bytes that are no UTF-8 become lone surrogates: names stay equal if and only if their bytes are.
        words = line.replace(b"\t", b" ").decode("utf-8", "surrogateescape").split(" ")
        words = [word for word in words if word]
        if words and not words[0].startswith("#"):
            reader.read(words, number)
    if reader.quorum is None:
        raise BadFormat(WHAT, "no quorum", "add a line: quorum NAME, or quorum none")
    return Policy(data, tuple(reader.logs), tuple(reader.witnesses), tuple(reader.groups), reader.quorum)


def _names(verifier: Verifier) -> tuple[str, bytes]:
    return verifier.name, verifier.key_id


class _Reader:
    """What was read of a policy so far."""

    def __init__(self) -> None:
        self.logs: list[KnownKey] = []
        self.witnesses: list[KnownKey] = []
        self.groups: list[Group] = []
        self.quorum: str | None = None
        self._defined = set[str]()
        self._member_of: dict[str, str] = {}

    def read(self, words: list[str], line: int) -> None:
        """One line that is neither empty nor a comment."""
        keyword, *rest = words
        if keyword == "log":
            self._log(rest, line)
        elif keyword == "witness":
            self._witness(rest, line)
        elif keyword == "group":
            self._group(rest, line)
        elif keyword == "quorum":
            self._quorum(rest, line)
        else:
            raise BadFormat(WHAT, f"unknown keyword {short(keyword)}", "use log, witness, group or quorum", line)

    def _log(self, words: list[str], line: int) -> None:
        if len(words) not in (1, 2):
            raise BadFormat(WHAT, f"{len(words)} words after log", "write: log VKEY [URL]", line)
        verifier = self._key(words[0], self.logs, LOG_KINDS, line)
        self.logs.append(KnownKey(verifier.name, verifier, words[1] if len(words) > 1 else None))

    def _witness(self, words: list[str], line: int) -> None:
        if len(words) not in (2, 3):
            raise BadFormat(WHAT, f"{len(words)} words after witness", "write: witness NAME VKEY [URL]", line)
        self._define(words[0], line)
        verifier = self._key(words[1], self.witnesses, WITNESS_KINDS, line)
        self.witnesses.append(KnownKey(words[0], verifier, words[2] if len(words) > 2 else None))

    def _group(self, words: list[str], line: int) -> None:
        if len(words) < 3:
            raise BadFormat(WHAT, f"{len(words)} words after group", "write: group NAME all|any|K MEMBER...", line)
        name, count, *members = words
        for member in members:
            if member not in self._defined:
                raise BadFormat(WHAT, f"unknown member {short(member)}", "define it on a line before", line)
            if member in self._member_of:
                problem = f"{short(member)} is already a member of {short(self._member_of[member])}"
                raise BadFormat(WHAT, problem, "list each name in one group, once", line)
            self._member_of[member] = name
        self._define(name, line)
        self._bounded(self.groups, line)
        needed = {"all": len(members), "any": 1}.get(count)
        needed = from_decimal(count, WHAT, line) if needed is None else needed
        if not 1 <= needed <= len(members):
            problem = f"{needed} of {len(members)} members"
            raise BadFormat(WHAT, problem, f"write all, any or a number from 1 to {len(members)}", line)
        self.groups.append(Group(name, needed, tuple(members)))

    def _quorum(self, words: list[str], line: int) -> None:
        if len(words) != 1:
            raise BadFormat(WHAT, f"{len(words)} words after quorum", "write: quorum NAME, or quorum none", line)
        if self.quorum is not None:
            raise BadFormat(WHAT, "second quorum", "write one quorum line", line)
        if words[0] != NONE and words[0] not in self._defined:
            raise BadFormat(WHAT, f"unknown quorum {short(words[0])}", "define it on a line before", line)
        self.quorum = words[0]

    def _define(self, name: str, line: int) -> None:
        if name == NONE or name in self._defined:
            raise BadFormat(WHAT, f"name {short(name)} is taken", "choose another name", line)
        self._defined.add(name)

    def _key(self, vkey: str, known: list[KnownKey], kinds: tuple[KeyType, ...], line: int) -> Verifier:
        self._bounded(known, line)
        verifier = parse_vkey(vkey, line)
        if verifier.kind not in kinds:
            wanted = " or ".join(f"0x{kind:02x}" for kind in kinds)
            raise BadFormat(WHAT, f"key of type 0x{verifier.kind:02x}", f"this line takes type {wanted}", line)
        if any(each.verifier.public == verifier.public for each in known):
            fix = "list each key once; logs that share a key need one policy file each"
            raise BadFormat(WHAT, f"key of {short(verifier.name)} is already listed", fix, line)
        # A key id has 32 bits: another key can be made for the same name and id, which would make the signatures of
        # the first one look wrong.
        same = [each for each in (*self.logs, *self.witnesses) if _names(each.verifier) == _names(verifier)]
        if any(each.verifier != verifier for each in same):
            raise BadFormat(WHAT, f"two keys have the name and id of {short(verifier.name)}", "make another key", line)
        return verifier

    def _bounded(self, known: Sequence[object], line: int) -> None:
        if len(known) >= MAX_LINES:
            raise BadFormat(WHAT, f"more than {MAX_LINES} lines of one keyword", "split the policy", line)
