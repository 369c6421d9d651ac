"""Keeps signed checkpoints that a witness refused to cosign, with the one it had cosigned: evidence of a fork.

One JSON file per refused checkpoint, readable by anybody with a parser of signed notes:

    kind       fork: two signed checkpoints that cannot both be true. unproven: the log gave no valid consistency proof
    refused    the refused checkpoint, a signed note
    cosigned   the checkpoint that was cosigned last, a signed note; empty where there was none
    old, proof the request's old size and hashes (base64)
    received   when, ISO 8601

A fork can only be made by a holder of the log's key. `unproven` alone proves nothing: anyone can send a true
checkpoint with a wrong proof; its file is removed when that checkpoint is cosigned later.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from monitor.files.durable import replace_file
from monitor.tlog.add_checkpoint import AddCheckpoint
from monitor.tlog.text import to_base64

MOST_KEPT = 100  # files of each kind per log


class EvidenceKind(StrEnum):
    """What a kept checkpoint shows."""

    FORK = "fork"
    UNPROVEN = "unproven"


class EvidenceStore:
    """Refused checkpoints in `directory`, at most `MOST_KEPT` of each kind for a log: the first ones stay."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def keep(self, kind: EvidenceKind, request: AddCheckpoint, cosigned: bytes, now_ms: int) -> Path | None:
        """Store a refused checkpoint. Returns its file, durable; None when it is stored already, or the log has as many
        as are kept. Raises OSError."""
        folder, name = self._place(kind, request.checkpoint.origin, request.note.text)
        path = folder / name
        if path.exists() or len(list(folder.glob(f"{kind.value}-*.json"))) >= MOST_KEPT:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        fields = {
            "kind": kind.value,
            "origin": request.checkpoint.origin,
            "received": datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="seconds"),
            "refused": request.note.data.decode(),
            "cosigned": cosigned.decode(),
            "old": request.old_size,
            "proof": [to_base64(found) for found in request.proof],
        }
        replace_file(path, json.dumps(fields, indent=1, ensure_ascii=False).encode() + b"\n", mode=0o644)
        return path

    def settle(self, origin: str, text: str) -> None:
        """The checkpoint with this text was cosigned: it is unproven no longer. Raises OSError."""
        folder, name = self._place(EvidenceKind.UNPROVEN, origin, text)
        (folder / name).unlink(missing_ok=True)

    def count(self, kind: EvidenceKind) -> int:
        """How many checkpoints of this kind are kept."""
        return len(list(self._directory.glob(f"*/{kind.value}-*.json")))

    def _place(self, kind: EvidenceKind, origin: str, text: str) -> tuple[Path, str]:
        log, checkpoint = hashlib.sha256(origin.encode()).hexdigest(), hashlib.sha256(text.encode()).hexdigest()
        return self._directory / log[:32], f"{kind.value}-{checkpoint[:32]}.json"
