"""Golden files: what the product writes, kept as readable JSON under `tests/data/golden`.

`pinned` compares what the code gives now with what a file says, and names each place that moved. A pinned value is
never written again: `GOLDEN=add pytest tests/contract/golden` adds what a file does not hold yet and changes nothing
else. The one exception are the explanations of detectors, sentences for people: `GOLDEN=explanations` writes
`explanations.json` anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "data" / "golden"
SHOWN = 12  # places that a failure names
AROUND = 160  # characters shown of a long text that moved
MODE = os.environ.get("GOLDEN", "")
_MISSING = object()


def pinned(name: str, rule: str, found: Any) -> None:
    """Assert that `found` (values of JSON) is what the golden file `name` holds. Raises AssertionError that states the
    `rule` and names up to `SHOWN` places that moved, with the old and the new value."""
    path = FOLDER / f"{name}.json"
    found = json.loads(json.dumps(found, default=bytes.hex))
    kept = json.loads(path.read_text("utf-8")) if path.exists() else None
    if MODE == "explanations" and name == "explanations":
        _write(path, found)
        return
    if MODE == "add":
        kept = _grown(kept, found)
        _write(path, kept)
    assert kept is not None, f"{path} is missing"
    moved = list(differences(kept, found))
    assert not moved, "\n".join(
        [
            f"{rule} Moved in {path.name}: {len(moved)} place(s).",
            *moved[:SHOWN],
            *(["..."] if len(moved) > SHOWN else []),
        ]
    )


def differences(kept: Any, found: Any, at: str = "") -> Iterator[str]:
    """One line for each place at which two values of JSON differ; the order of keys in an object counts."""
    if isinstance(kept, dict) and isinstance(found, dict):
        for name in {**kept, **found}:
            yield from differences(kept.get(name, _MISSING), found.get(name, _MISSING), f"{at}/{name}")
        if kept != found or list(kept) == list(found):
            return
        yield f"  {at or '/'}: the order of fields moved: {', '.join(kept)} -> {', '.join(found)}"
    elif isinstance(kept, list) and isinstance(found, list) and len(kept) == len(found):
        for number, (old, new) in enumerate(zip(kept, found, strict=True)):
            yield from differences(old, new, f"{at}/{number}")
    elif isinstance(kept, list) and isinstance(found, list) and all(isinstance(v, str) for v in (*kept, *found)):
        gone, new = [v for v in kept if v not in found], [v for v in found if v not in kept]
        yield f"  {at or '/'}: gone: {gone}; new: {new}"
    elif isinstance(kept, str) and isinstance(found, str) and kept != found and len(kept) > AROUND:
        at_char = next(n for n in range(len(kept) + 1) if kept[n : n + 1] != found[n : n + 1])
        old, new = (text[max(at_char - AROUND // 2, 0) : at_char + AROUND // 2] for text in (kept, found))
        yield f"  {at or '/'}, at character {at_char}: ...{old}... -> ...{new}..."
    elif kept != found or type(kept) is not type(found):
        yield f"  {at or '/'}: {_short(kept)} -> {_short(found)}"


def _grown(kept: Any, found: Any) -> Any:
    """`kept` with the keys of objects and the words of lists that only `found` has, in the order of `found`."""
    if kept is None:
        return found
    if isinstance(kept, list) and isinstance(found, list) and all(isinstance(v, str) for v in (*kept, *found)):
        return found if set(kept) <= set(found) and [v for v in found if v in kept] == kept else kept
    if not isinstance(kept, dict) or not isinstance(found, dict):
        return kept
    return {name: _grown(kept[name], value) if name in kept else value for name, value in found.items()} | {
        name: value for name, value in kept.items() if name not in found
    }


def _short(value: Any) -> str:
    if value is _MISSING:
        return "nothing"
    text = json.dumps(value)
    return text if len(text) <= 300 else f"{text[:300]}..."


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")
