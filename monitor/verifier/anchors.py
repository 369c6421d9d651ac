"""What a reader knows from outside: keys, a policy, earlier checkpoints and roots. The verifier trusts nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from monitor.notary.commitment import Plaintext


def no_progress(done: int, total: int) -> None:
    """Report nothing."""


class KeyRefused(Exception):
    """A key or policy that was given cannot be used; the message names flag and problem."""


@dataclass(frozen=True)
class Anchors:
    """Trust anchors and options of one verification; each may be missing, and the report names those that are.

    `log_keys` and `witness_keys` are vkeys of C2SP signed-note; `policies` (tlog-policy) and earlier `checkpoints`
    (whole notes with their signatures) are pairs of a name and the content; `roots` are tree heads in hex; `texts` are
    disclosed plaintexts. `structure`: do not parse JSON. `entries`: keep each
    entry for the report.
    """

    roots: tuple[str, ...] = ()
    log_keys: tuple[str, ...] = ()
    witness_keys: tuple[str, ...] = ()
    policies: tuple[tuple[str, bytes], ...] = ()
    checkpoints: tuple[tuple[str, bytes], ...] = ()
    stamp_roots: bytes | None = None
    published: str | None = None
    texts: tuple[Plaintext, ...] = ()
    structure: bool = False
    entries: bool = False
    progress: Callable[[int, int], None] = field(default=no_progress, compare=False)

    def with_texts(self, texts: tuple[Plaintext, ...]) -> Anchors:
        """The same with these disclosed texts."""
        return replace(self, texts=texts)


def named_files(paths: list[Path]) -> tuple[tuple[str, bytes], ...]:
    """Name and content of each file. Raises OSError."""
    return tuple((str(path), path.read_bytes()) for path in paths)
