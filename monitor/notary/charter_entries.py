"""The entries of a charter that comes into force: its public part, commitments to the rest, and what was amended.

Withheld are the parts that the charter lists as `confidential`, and names and addresses of people and their keys. Each
is committed to with its own salt, so that it can be disclosed alone, and erased.
"""

from __future__ import annotations

import json
from typing import Any

from monitor.charter.spec import Charter, canonical_charter
from monitor.compile.charter_diff import differences
from monitor.model.canonical import canonical
from monitor.model.records import Decision, digest
from monitor.notary.commitment import WITHHELD, Plaintext, salt
from monitor.notary.encoding import TYPED, Entry, EntryType
from monitor.notary.typed import CHARTER, PART

PART_BYTES = 48 * 1024
"""Above so many bytes of document and difference, as canonical JSON, they are cut into parts."""
_PEOPLE = {"authorities": ("approvers", "officers", "keys", "contacts"), "participant": ("contacts",)}


def public_and_withheld(charter: Charter) -> tuple[dict[str, Any], dict[str, Any]]:
    """The public part of a charter, and what is left out of it by path (`users`, `authorities.0.officers`).

    A part that is empty is not withheld."""
    public: dict[str, Any] = json.loads(canonical_charter(charter))
    withheld = {name: public.pop(name) for name in charter.confidential or () if name in public}
    for name, fields in _PEOPLE.items():
        found = public.get(name)
        for at, one in (
            [(f"{name}.{i}", one) for i, one in enumerate(found)] if isinstance(found, list) else [(name, found)]
        ):
            for field in fields:
                if isinstance(one, dict) and one.get(field):
                    withheld[f"{at}.{field}"] = one.pop(field)
    return public, withheld


def difference(old: Charter, new: Charter) -> list[dict[str, Any]]:
    """What changes from one charter to the next, in the order of the schema: `{"field","was","now"}` for a field of the
    public part, `{"field","withheld":true}` for a part that is withheld."""
    (was, hidden), (now, hides) = public_and_withheld(old), public_and_withheld(new)
    found = [{"field": field, "was": before, "now": after} for field, before, after in differences(was, now)]
    changed = sorted(path for path in hidden.keys() | hides.keys() if hidden.get(path) != hides.get(path))
    return [*found, *({"field": path, "withheld": True} for path in changed)]


def charter_entries(
    decision: Decision, charter: Charter, before: Charter | None, key: bytes
) -> tuple[list[Entry], list[Plaintext]]:
    """The entries of the charter that `decision` put in force, `before` being the one that it replaces; and the
    plaintexts that they only commit to, salted with `key` (32 bytes). Raises ValueError on what canonical JSON cannot
    hold."""
    identity = digest(CHARTER, decision.id)
    public, withheld = public_and_withheld(charter)
    plaintexts = []
    for path, value in sorted(withheld.items()):
        field = WITHHELD + path
        plaintexts.append(
            Plaintext(decision.pilot, identity, field, salt(key, identity, field).hex(), canonical(value).decode())
        )
    commitments = {one.field.removeprefix(WITHHELD): {"commitment": one.commitment()} for one in plaintexts}
    said: dict[str, Any] = {"document": public}
    if before is not None:
        said["difference"] = difference(before, charter)
    body = {
        "kind": CHARTER,
        "id": identity,
        "pilot": decision.pilot,
        "at": decision.at,
        "standing": decision.standing,
        "epoch": decision.epoch,
        "decision": decision.id,
        "reason": decision.reason.value,
        "charter": decision.charter,
        "version": charter.version,
        "withheld": commitments,
        "part": 1,
        "parts": 1,
    }
    text = canonical(said).decode()
    if len(text.encode()) <= PART_BYTES:
        return [entry_of_body(body | said)], plaintexts
    slices = _slices(text)
    bodies = [body | {"text": one, "part": n, "parts": len(slices)} for n, one in enumerate(slices, 1)]
    rest = [one | {"id": f"{identity}{PART}{one['part']}", "withheld": {}} for one in bodies[1:]]
    return [entry_of_body(one) for one in (bodies[0], *rest)], plaintexts


def entry_of_body(body: dict[str, Any]) -> Entry:
    """The entry of version 3 with this body. Raises ValueError on what canonical JSON cannot hold."""
    fields = (body["id"], body["pilot"], body["at"], body["standing"], body["epoch"])
    return Entry(EntryType[body["kind"].upper()], *fields, canonical(body), TYPED)


def _slices(text: str) -> list[str]:
    """`text` cut where the JSON string of a piece would have more than `PART_BYTES` bytes: each piece is the longest
    one."""
    pieces, start, size = [], 0, 0
    for at, character in enumerate(text):
        more = len(canonical(character)) - 2
        if size + more > PART_BYTES:
            pieces.append(text[start:at])
            start, size = at, 0
        size += more
    return [*pieces, text[start:]]
