"""Keys that the reader gave: which of them may sign for which log."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.tlog.errors import TlogError
from monitor.tlog.keys import KeyType, Verifier, parse_vkey
from monitor.verifier.anchors import Anchors, KeyRefused
from monitor.verifier.policies import Policies
from monitor.verifier.report import Report
from monitor.verifier.used import Used

AUTHORITY = "authority"


class Keyring:
    """Keys of logs and of witnesses, and policies. Raises KeyRefused.

    One key signs all logs of a sandbox, each under its own origin. So a key named `B` or `B/authority` is also that of
    the logs `B/LOG`, with the same public key; not of `B/x/authority`, which is no log of this sandbox.
    """

    def __init__(self, anchors: Anchors, report: Report) -> None:
        self.policies = Policies(anchors.policies, report)
        self._logs = [*_parsed("--log-key", anchors.log_keys), *self.policies.log_keys()]
        self._witnesses = _parsed("--witness-key", anchors.witness_keys)
        self.used = Used()

    def of_log(self, origin: str) -> list[Verifier]:
        """The keys of the log with this origin; empty where none was given."""
        found = []
        for key in self._logs:
            base = key.name.removesuffix(f"/{AUTHORITY}")
            if origin == key.name or origin.rpartition("/")[0] == base:
                found.append(Verifier(origin, KeyType.ED25519, key.public) if key.kind is KeyType.ED25519 else key)
        return list(dict.fromkeys(found))

    def of_witnesses(self, origin: str) -> list[Verifier]:
        """The witnesses that may cosign this log: those given by key, and those of its policies."""
        return list(dict.fromkeys([*self._witnesses, *self.policies.witnesses(origin)]))

    def was_given(self, witness: Verifier) -> bool:
        """Whether this witness was given by its key."""
        return witness in self._witnesses


def _parsed(flag: str, texts: Iterable[str]) -> list[Verifier]:
    found = []
    for text in texts:
        try:
            found.append(parse_vkey(text.strip()))
        except TlogError as error:
            raise KeyRefused(f"{flag}: {error}") from None
    return found
