"""Files on disk keep their bytes: the ledger's entries, exported histories, what a firm's library keeps."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from . import parts
from .filler import as_json, full, least
from .pins import pinned
from .stream import blank
from .test_streams import played

KEY = bytes(range(32))  # of the salts


def test_entries_of_the_ledger_keep_their_bytes() -> None:
    """Every decision and command of the scripted day, as the ledger holds it; the first of each format in full."""
    out = played("in batches").out
    first: dict[str, Any] = {}
    digests: dict[str, list[str]] = {}
    for record in (*out.decisions, *out.commands):
        raw, words = parts.ledger_entry(blank(record), KEY)
        name = f"format {raw[0]}, type {raw[1]}"
        first.setdefault(
            name,
            {
                "head": raw[: raw.index(b'{"')].hex(),
                "body": raw[raw.index(b'{"') :].decode(),
                "plaintexts": [as_json(w) for w in words],
            },
        )
        digests.setdefault(name, []).append(hashlib.sha256(raw).hexdigest())
    whole = {name: f"{len(d)} entries {hashlib.sha256(''.join(d).encode()).hexdigest()}" for name, d in digests.items()}
    pinned("ledger", "An entry of the ledger never changes its bytes.", {"first": first, "all": whole})


def test_an_exported_history_keeps_its_lines() -> None:
    """A history that was exported years ago is replayed."""
    found = {}
    for name, kind in parts.HISTORY_LINES.items():
        found[name] = {"full": as_json(full(kind)), "least": as_json(least(kind))}
    pinned("history", "A line of an exported history never changes.", found)


def test_the_files_of_the_library_for_firms_keep_their_bytes(tmp_path: Path) -> None:
    """Another version of the library, next to it or after it, reads spool, shared state, notice and resumption."""
    found = parts.sdk_files(tmp_path)
    pinned("sdk_files", "A file that the library for firms writes never changes its bytes.", found)


def test_a_nonce_and_a_cursor_keep_their_form() -> None:
    """A permit answers a heartbeat that another version sent; a notary resumes where another one stood."""
    found = {
        "nonce": parts.nonce(b"k" * 32, "pilot/a", 17_000_000, b"abcd"),
        "cursor": parts.cursor_line({"log": 7}, {"log": 2}, {"p": 3}),
    }
    pinned("small_files", "A nonce and a cursor never change their form.", found)


def test_the_state_of_the_second_stage_keeps_its_bytes() -> None:
    """Snapshot and decisions over pilots of one vendor that exceed together."""
    state, decisions = parts.pooled_state()
    pinned(
        "second_stage",
        "The state and the ids of the second stage never change.",
        {
            "state": msgspec.msgpack.decode(state),
            "sha256": hashlib.sha256(state).hexdigest(),
            "decisions": [as_json(blank(decision)) for decision in decisions],
        },
    )


def test_files_of_monitor_and_notary_keep_their_names(tmp_path: Path) -> None:
    """An operator's backup, and an older directory, hold files of these names."""
    found = {
        "plaintexts": parts.plaintext_files(tmp_path / "notary"),
        "embedded": parts.embedded_files(tmp_path / "own" / "monitor"),
        "delivered.json": parts.kept_by_actors(),
    }
    pinned("directories", "Files of the monitor and the notary never change their names and form.", found)
