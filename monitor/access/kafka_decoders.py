"""Makes kafka-python prepare its decoders in one thread at a time.

kafka-python 3.0 makes the class and the decoder of a response when the first one of its kind arrives, and keeps both
for the whole process. Two steps of that are not thread-safe:

- `VersionSubscriptable.__getitem__` makes the class of a version and registers it through a weak reference. When two
  threads make the same class at once, the registry may keep a reference to the one that is discarded.
- `StructField.compiled_decode_from` replaces an attribute that all threads share while it compiles. When two threads
  compile at once, the second keeps a decoder that cannot make its object.

Either way the process can read no response of that kind any more: all its clients fail with timeouts until it ends,
although the broker answers. A service starts three clients at once (commands, permits, telemetry), so a service could
start and never get to know its commands.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import Any

_lock = threading.RLock()


def serialise_decoders() -> None:
    """Apply it to the installed kafka-python. Every module that makes a client of it calls this. Does nothing the
    second time, and where a release has no such method."""
    try:
        from kafka.protocol.api_message import VersionSubscriptable
        from kafka.protocol.schemas.fields.struct import StructField
    except ImportError:
        return
    for owner, name in ((VersionSubscriptable, "__getitem__"), (StructField, "compiled_decode_from")):
        method = getattr(owner, name, None)
        if method is not None and not hasattr(method, "__wrapped__"):
            setattr(owner, name, _one_at_a_time(method))


def _one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def serialised(*args: Any, **kwargs: Any) -> Any:
        with _lock:
            return method(*args, **kwargs)

    return serialised


def _after_fork() -> None:
    """The thread that holds the lock at a fork does not exist in the child."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
