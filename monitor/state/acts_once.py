"""Acts take effect once: the fields that make an act valid once, and what a pilot remembers of acts. Pure.

An act may carry `expected_standing` (the standing of the pilot that its author saw), `not_before` and `not_after`.
Where it does:

- it is received (log-append time) between `not_before` and `not_after`, at most `LONGEST_MS` apart;
- `expected_standing` is not above the pilot's standing, and not below that of the last record that an act of the same
  key made. Each record raises the standing, so no copy of an act that took effect can take effect later;
- the author of a step towards a release has seen the halt, and the earlier steps, that it builds on (`Lifting.basis`,
  `Lifting.last`).

So one integer per key is remembered without end, and a refused act is void after its `not_after`. An act without these
fields (old clients, open mode) is recognised by its id. Ids of unsigned acts are remembered for the last `RECENT_ACTS`
acts; ids of signed acts and of steps towards a release are never forgotten: once `KEPT_ACTS` of them are remembered,
such an act is refused until it carries the fields; and a key that has used the fields must use them from then on. The
firm's acts are remembered separately from all others, so that neither can displace the other.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Collection, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import TypedDict, get_args

import msgspec
from msgspec import Struct, structs

from monitor.charter.control import Admission, Amendment, Approval, ControlBase, Evaluation, Rectification, Release
from monitor.charter.spec import hash_of
from monitor.charter.users_acts import UsersAct
from monitor.errors import ControlRefused
from monitor.model.events import instant, millis
from monitor.model.refusals import REFUSALS, Refusal
from monitor.model.signing import Proved

RECENT_ACTS = 64  # acts that took effect, per side (the firm, all others)
KEPT_ACTS = 512  # signed acts and steps towards a release without validity fields, per side
VALID_MS = 3_600_000  # from `not_before` to `not_after`, by default
AUTHOR_SKEW_MS = 300_000  # how far the clock of an author may be ahead
LONGEST_VALIDITY_MS = 31 * 86_400_000  # between `not_before` and `not_after`
USERS_ACTS = get_args(UsersAct)  # a copy changes nothing, as what they report counts once by its id
RELEASE_STEPS = (Rectification, Evaluation, Approval, Release)
DIGEST_CHARACTERS = 11  # of a digest: 8 bytes in base64


class Validity(TypedDict):
    """The fields of an act that make it valid once."""

    expected_standing: int
    not_before: datetime
    not_after: datetime


def validity(standing: int, now: int, valid_ms: int = VALID_MS) -> Validity:
    """The fields of an act whose author saw `standing` at `now` (ms): valid for `valid_ms`, with a margin for the
    author's clock."""
    return Validity(
        expected_standing=standing, not_before=instant(now - AUTHOR_SKEW_MS), not_after=instant(now + valid_ms)
    )


class ActMemory(Struct, array_like=True, gc=False):
    """`recent` and `kept`: digests of ids and contents of all acts but the firm's, `firm_recent` and `firm_kept` those
    of the firm. `keys`: the id of a key -> the standing of the last record that an act signed with it made. `by`:
    author and key id of the act that put the charter in force; empty = not known."""

    recent: list[str] = []
    kept: list[str] = []
    firm_recent: list[str] = []
    firm_kept: list[str] = []
    keys: dict[str, int] = {}
    by: tuple[str, str] = ("", "")


def short_digest(raw: bytes | str) -> str:
    """A short digest (64 bits) of an id or a content."""
    data = raw.encode() if isinstance(raw, str) else raw
    return urlsafe_b64encode(blake2b(data, digest_size=8).digest())[:DIGEST_CHARACTERS].decode()


def act_digests(act: ControlBase, by: Proved) -> str:
    """The digest of the id, then that of the content: all but the validity fields, and the signing key."""
    plain = structs.replace(act, expected_standing=None, not_before=None, not_after=None)
    return short_digest(act.id) + short_digest(msgspec.json.encode(plain) + by.key.encode())


def memory_before_version_6(taken: Sequence[str], steps: Sequence[str]) -> ActMemory:
    """The memory of a snapshot of version 5 or below, which held ids only, of both sides together: of the last acts,
    and of all steps towards a release."""
    recent, kept = (
        [short_digest(name) for name in taken[-RECENT_ACTS:]],
        [short_digest(name) for name in steps[-KEPT_ACTS:]],
    )
    return ActMemory(recent, kept, recent[:], kept[:])


def check_copy(memory: ActMemory, act: ControlBase, by: Proved, firm: bool) -> None:
    """Raises ControlRefused when an act with this id was judged before: `repeated`, or `conflict` if its content
    differed."""
    recent, kept = (memory.firm_recent, memory.firm_kept) if firm else (memory.recent, memory.kept)
    mine = act_digests(act, by)
    for known in (*recent, *kept):
        if known[:DIGEST_CHARACTERS] == mine[:DIGEST_CHARACTERS]:
            same = known in (mine, mine[:DIGEST_CHARACTERS])  # before version 6 of the state only ids were remembered
            refusal = Refusal.REPEATED if same else Refusal.CONFLICT
            raise ControlRefused("id", refusal, REFUSALS[refusal])


def check_already_admitted(
    memory: ActMemory, act: Admission | Amendment, by: Proved, version: int, digest: str
) -> None:
    """Raises ControlRefused for a charter sent to a pilot that has one: `repeated` where the same author put the same
    charter in force, else `already_admitted`, naming what is in force (`version`, `digest`) and by whom."""
    author, key = memory.by
    words = f"version {version} is in force, hash {digest}"
    words += f", by {author}, {f'signed by key {key}' if key else 'not signed'}" if author else ""
    if hash_of(act.charter) == digest and memory.by in ((act.author, by.key), ("", "")):
        raise ControlRefused("charter", Refusal.REPEATED, words)
    raise ControlRefused("charter", Refusal.ALREADY_ADMITTED, f"{words}; what was sent is not in force")


def check_time(act: ControlBase, received: int) -> None:
    """Raises ControlRefused unless the act is valid at `received` (ms), as far as it states validity."""
    first, last = act.not_before, act.not_after
    if first is not None and last is not None and millis(last) - millis(first) > LONGEST_VALIDITY_MS:
        raise ControlRefused("not_after", Refusal.VALIDITY_TOO_LONG, "an act is valid for at most 31 days")
    if first is not None and received < millis(first):
        raise ControlRefused(
            "not_before",
            Refusal.NOT_YET_VALID,
            f"it is valid from {first.isoformat()}; wait, or set the sender's clock",
        )
    if last is not None and received > millis(last):
        raise ControlRefused(
            "not_after", Refusal.NO_LONGER_VALID, f"it was valid until {last.isoformat()}; send a new act"
        )


def check_valid(memory: ActMemory, act: ControlBase, by: Proved, firm: bool, standing: int, seen: int) -> None:
    """Check the validity fields of an act that is about to be judged at `standing`, and remember it. Its author must
    have seen the standing `seen`. Raises ControlRefused."""
    if isinstance(act, USERS_ACTS):
        _check_users_act(act, by)
        return
    expected = act.expected_standing
    fields = {"expected_standing": expected, "not_before": act.not_before, "not_after": act.not_after}
    missing = [name for name, value in fields.items() if value is None]
    kept = memory.firm_kept if firm else memory.kept
    if len(missing) == len(fields) and (by.key or isinstance(act, RELEASE_STEPS)):
        if by.key in memory.keys or len(kept) >= KEPT_ACTS:
            raise ControlRefused(missing[0], Refusal.VALIDITY_MISSING, REFUSALS[Refusal.VALIDITY_MISSING])
        kept.append(act_digests(act, by))
    elif missing and by.key:
        raise ControlRefused(missing[0], Refusal.VALIDITY_MISSING, REFUSALS[Refusal.VALIDITY_MISSING])
    if expected is None:
        return
    if isinstance(act, RELEASE_STEPS):  # so that a copy of a refused one is refused as a copy
        _remember_recent(memory.firm_recent if firm else memory.recent, act_digests(act, by))
    if expected > standing:
        raise ControlRefused("expected_standing", Refusal.STANDING_AHEAD, f"the pilot's standing is {standing}")
    least = max(seen, memory.keys.get(by.key, 0) if by.key else 0)
    if expected < least:
        raise ControlRefused(
            "expected_standing", Refusal.STANDING_BEHIND, f"read the record up to entry {least}, then send a new act"
        )


def _check_users_act(act: ControlBase, by: Proved) -> None:
    """A signed report of users is valid for a stated time, so that no copy counts once its ids are forgotten."""
    for name in ("not_before", "not_after") if by.key else ():
        if getattr(act, name) is None:
            raise ControlRefused(name, Refusal.VALIDITY_MISSING, REFUSALS[Refusal.VALIDITY_MISSING])


def remember_act(memory: ActMemory, act: ControlBase, by: Proved, firm: bool, standing: int) -> None:
    """Remember an act that took effect; `standing` is that of the last record it made. Reports of users are remembered
    by what they report (`monitor/state/users.py`), so that no number of them displaces acts of officers."""
    if isinstance(act, USERS_ACTS):
        return
    _remember_recent(memory.firm_recent if firm else memory.recent, act_digests(act, by))
    if by.key and act.expected_standing is not None:
        memory.keys[by.key] = standing


def _remember_recent(recent: list[str], mine: str) -> None:
    if mine not in recent:
        recent.append(mine)
        del recent[:-RECENT_ACTS]


def may_forget_ids(memory: ActMemory) -> bool:
    """Whether the id of an act that took effect may be forgotten, so that another act may have it."""
    return len(memory.recent) >= RECENT_ACTS or len(memory.firm_recent) >= RECENT_ACTS


def change_keys(
    memory: ActMemory,
    act: ControlBase,
    old: Collection[str],
    new: Collection[str],
    others: Collection[str],
    standing: int,
) -> None:
    """The charter in force now trusts the keys `new` in place of `old`; `others` are trusted in addition. What an added
    key signed before `standing` is never accepted: the key may have been trusted, and removed, before."""
    memory.keys = {key: at for key, at in memory.keys.items() if key in new or key in others}
    if act.expected_standing is not None:  # an act of an old client: its keys need no validity fields yet
        memory.keys |= {key: standing for key in sorted(new) if key not in old}
