"""The public part of charters, from a ledger alone: what anybody with a copy of the ledger can read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from monitor.errors import Refused
from monitor.model.canonical import canonical
from monitor.notary.encoding import EntryType
from monitor.notary.format import Damage
from monitor.notary.store import file_name
from monitor.notary.typed import joined
from monitor.notary.verify import entries


class PublicVersion(Struct, frozen=True, kw_only=True):
    """A charter that came into force: `hash` is that of the whole charter, `document` its public part."""

    version: int
    hash: str
    reason: str
    at: int
    standing: int
    document: dict[str, Any]

    def text(self) -> str:
        """The public part as JSON with line breaks, which is YAML too."""
        return msgspec.json.format(canonical(self.document), indent=2).decode()


def public_versions(ledger: Path, pilot: str) -> list[PublicVersion]:
    """The versions in the ledger of a pilot, in order; `ledger` is a ledger file or the directory. Raises Refused when
    there is none, or it is damaged."""
    path = ledger / file_name(pilot) if ledger.is_dir() else ledger
    if not path.exists():
        raise Refused(f"{ledger} holds no ledger of {pilot}: give the directory of the notary, or the file")
    found: dict[int, PublicVersion] = {}
    parts: list[dict[str, Any]] = []
    try:
        for entry in entries(path):
            if entry.type is EntryType.CHARTER:
                parts.append(entry.record())
                if parts[-1]["part"] < parts[-1]["parts"]:
                    continue
                body, parts = joined(parts), []
            else:
                body = entry.record()
            document = body.get("document")
            if entry.pilot == pilot and isinstance(document, dict):
                version = PublicVersion(
                    version=int(document["version"]),
                    hash=str(body["charter"]),
                    reason=str(body["reason"]),
                    at=entry.at,
                    standing=entry.standing,
                    document=document,
                )
                found.setdefault(entry.standing, version)  # a decision may hold it before the entry of the charter
    except Damage as damage:
        raise Refused(str(damage)) from None
    return list(found.values())
