"""Keys that the reader gave: which of them may sign for which log."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.tlog.errors import TlogError
from monitor.tlog.keys import KeyType, Verifier, parse_vkey
from monitor.verifier.anchors import Anchors, KeyRefused

AUTHORITY = "authority"


class Keyring:
    """Keys of logs and of witnesses, parsed. Raises KeyRefused.

    One key signs all logs of a sandbox, each under its own origin. So a key named `B` or `B/authority` is also that of
    the logs `B/...`, with the same public key.
    """

    def __init__(self, anchors: Anchors) -> None:
        self._logs = _parsed("--log-key", anchors.log_keys)
        self.witnesses = _parsed("--witness-key", anchors.witness_keys)

    def of_log(self, origin: str) -> list[Verifier]:
        """The keys of the log with this origin; empty where none was given."""
        found = []
        for key in self._logs:
            base = key.name.removesuffix(f"/{AUTHORITY}")
            if origin == key.name or origin.startswith(f"{base}/"):
                found.append(Verifier(origin, KeyType.ED25519, key.public) if key.kind is KeyType.ED25519 else key)
        return found

    def add_logs(self, keys: Iterable[Verifier]) -> None:
        """Add log keys that a policy names."""
        self._logs += [key for key in keys if key not in self._logs]

    def add_witnesses(self, keys: Iterable[Verifier]) -> None:
        """Add witness keys that a policy names."""
        self.witnesses += [key for key in keys if key not in self.witnesses]


def _parsed(flag: str, texts: Iterable[str]) -> list[Verifier]:
    found = []
    for text in texts:
        try:
            found.append(parse_vkey(text.strip()))
        except TlogError as error:
            raise KeyRefused(f"{flag}: {error}") from None
    return found
