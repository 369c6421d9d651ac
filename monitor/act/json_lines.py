"""Appends decisions to a file, one canonical JSON line each, on disk before it returns."""

from __future__ import annotations

from pathlib import Path

import msgspec

from monitor.errors import Refused, Unavailable
from monitor.files.durable import append_synced
from monitor.logs import EventLogger
from monitor.model.records import Decision

log = EventLogger(__name__)
_decode = msgspec.json.Decoder(Decision).decode


class JsonLines:
    """Append each decision to this file.

    A decision that the file contains (by the standing of the pilot) is not written again.
    """

    def __init__(self, address: str) -> None:
        self._path = Path(address)
        self._standing: dict[str, int] | None = None

    def act(self, decision: Decision) -> None:
        """Append one line. Raises `Unavailable` when the disk is full or away, `Refused` when the path cannot be a
        file."""
        line = msgspec.json.encode(decision, order="sorted") + b"\n"
        try:
            if self._standing is None:
                self._standing = self._read()
            if self._standing.get(decision.pilot, 0) >= decision.standing:
                return
            append_synced(self._path, line)
        except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
            raise Refused(f"{self._path}: {error}") from error
        except OSError as error:
            raise Unavailable(f"{self._path}: {error}") from error
        self._standing[decision.pilot] = decision.standing

    def _read(self) -> dict[str, int]:
        """The highest standing per pilot. A last line that a crash cut short is truncated; other unreadable lines are
        skipped."""
        found: dict[str, int] = {}
        if not self._path.exists():
            return found
        with self._path.open("r+b") as file:
            good = 0
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    file.truncate(good)
                    break
                good += len(line)
                try:
                    decision = _decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    if line.strip():
                        log.warning(
                            "json_lines.line_unreadable", stage="act", path=self._path, line=number, error=error
                        )
                    continue
                found[decision.pilot] = max(found.get(decision.pilot, 0), decision.standing)
        return found
