"""The libraries whose private parts are used, in the versions whose source was read: see `private_hooks`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from monitor.errors import Stop

PINNED = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}


def check_versions(installed: Callable[[str], str] = version) -> None:
    """Refuse to run on another version of the three than the one whose source was read. Raises `Stop`."""
    wrong = {name: installed(name) for name, pinned in PINNED.items() if installed(name) != pinned}
    if wrong:
        raise Stop(
            "the worker uses private parts of "
            + ", ".join(f"{name} {PINNED[name]} (found {found})" for name, found in wrong.items())
            + "; fix: install the locked versions"
        )
