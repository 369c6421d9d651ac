"""The rectification window: it opens with the first, tolerated crossing of a limit; which crossings belong to it.
Pure."""

from __future__ import annotations

from msgspec import Struct, structs


class RectificationWindow(Struct, frozen=True, array_like=True, gc=False):
    """`opened` when the window opened (ms), `through` the end (ms) of the period on which the first crossing rests,
    `due` the time (ms) by which it is to be rectified, `rectified` when it was (ms); each is `None` when there is no
    such time. `keys` are the streams that crossed, as `indicator/segment/detector`."""

    opened: int | None = None
    through: int | None = None
    due: int | None = None
    rectified: int | None = None
    keys: tuple[str, ...] = ()

    @property
    def waiting(self) -> bool:
        """Whether a rectification is owed."""
        return self.due is not None and self.rectified is None

    def shares(self, start: int) -> bool:
        """Whether a period that begins at `start` (ms) overlaps that of the first crossing."""
        return self.through is not None and start < self.through

    def joins(self, key: str, start: int) -> bool:
        """Whether a crossing of `key` in a period that begins at `start` (ms) has the same cause: the period overlaps
        that of the first crossing, and the stream has not crossed before. A second crossing of one stream is a rising
        excess."""
        return key not in self.keys and self.shares(start)

    def crossed(self, key: str) -> RectificationWindow:
        """The window with one more stream."""
        return structs.replace(self, keys=(*self.keys, key))

    def names(self, finding: str) -> bool:
        """Whether a rectification of `finding` rectifies this window."""
        return any(names_finding(f"{key}/tolerated", finding) for key in self.keys)

    def rectify(self, at: int) -> RectificationWindow:
        """Rectified at `at` (ms)."""
        return structs.replace(self, rectified=at)


def names_finding(key: str, finding: str) -> bool:
    """Whether `finding` names the finding with this key: the whole key, or its first parts (the indicator, its
    segment).

    >>> names_finding("complaints/north/limit_e_process", "complaints")
    True
    >>> names_finding("complaints/north/limit_e_process", "comp")
    False
    """
    return key == finding or key.startswith(f"{finding.rstrip('/')}/")
