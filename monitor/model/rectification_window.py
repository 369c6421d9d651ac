"""The rectification window that the first, tolerated crossing of a limit opens, and which crossings belong to it.
Pure."""

from __future__ import annotations

from msgspec import Struct, structs


class RectificationWindow(Struct, frozen=True, array_like=True, gc=False):
    """`opened` when (ms; 0 = never), `through` the end (ms) of the period on which the first crossing rests, `due`
    until when (ms) it is to be rectified (0 = nothing is owed any more), `rectified` when (ms; 0 = not yet), `keys` the
    streams that crossed, as `indicator/segment/detector`."""

    opened: int = 0
    through: int = 0
    due: int = 0
    rectified: int = 0
    keys: tuple[str, ...] = ()

    @property
    def waiting(self) -> bool:
        """Whether a rectification is owed."""
        return bool(self.due) and not self.rectified

    def shares(self, start: int) -> bool:
        """Whether a period that begins at `start` (ms) holds some of what caused the first crossing."""
        return start < self.through

    def joins(self, key: str, start: int) -> bool:
        """Whether a crossing of `key` in a period that begins at `start` has the same cause: the period overlaps that
        of the first crossing, and the stream has not crossed before. A second crossing of one stream is a rising
        excess."""
        return key not in self.keys and self.shares(start)

    def crossed(self, key: str) -> RectificationWindow:
        """The window with one more stream."""
        return structs.replace(self, keys=(*self.keys, key))

    def names(self, finding: str) -> bool:
        """Whether a rectification of `finding` is one of this window."""
        return any(names_finding(f"{key}/tolerated", finding) for key in self.keys)

    def rectify(self, at: int) -> RectificationWindow:
        """Rectified at `at` (ms)."""
        return structs.replace(self, rectified=at)


def names_finding(key: str, finding: str) -> bool:
    """Whether `finding` names the finding with this key: the whole of it, or its first parts (the indicator, its
    segment).

    >>> named("complaints/north/limit_e_process", "complaints"), named("complaints/north/limit_e_process", "comp")
    (True, False)
    """
    return key == finding or key.startswith(f"{finding.rstrip('/')}/")
