"""What people call each detector. Its name in charters and records stays what it is. Pure."""

from __future__ import annotations

from monitor.translation import mark, tr

DETECTOR_NAMES: dict[str, str] = {
    "limit_e_process": mark("evidence of an exceeded limit"),
    "disparity": mark("evidence against the other segments"),
    "e_detector": mark("evidence of a change"),
    "maxsprt": mark("sequential test of the limit (MaxSPRT)"),
    "cusum": mark("cumulative sum (CUSUM)"),
    "seasonal": mark("seasonal chart"),
    "glr": mark("likelihood ratio (GLR)"),
    "ewma": mark("moving average (EWMA)"),
    "fall": mark("fall of the rate"),
    "aberration": mark("comparison with earlier periods"),
    "silence": mark("silence"),
    "gauge_limit": mark("comparison with the limit"),
    "river_drift": mark("drift of the mean (ADWIN)"),
    "shape": mark("unusual course"),
}


def detector_words(name: str) -> str:
    """The name of a detector for people; a name that is not registered with spaces instead of underscores.

    >>> detector_words("cusum"), detector_words("limit"), detector_words("my_own")
    ('cumulative sum (CUSUM)', 'limit', 'my own')
    """
    return tr(DETECTOR_NAMES[name]) if name in DETECTOR_NAMES else name.replace("_", " ").strip()
