"""What a partition remembers of the sandbox: its configuration, and the acts on it. A separate snapshot, with the
name `sandbox`, that is written when an act changed it. Pure."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from monitor.errors import LogBroken
from monitor.lifecycle.sandbox_acts import SandboxState
from monitor.state.acts_once import ActMemory


class SandboxSubject(Struct, array_like=True):
    """`configuration` with its open proposals, what is remembered of `acts`, how many were accepted (`standing`), and
    when the last one was (`at`, ms). New fields are appended, with defaults."""

    configuration: SandboxState = SandboxState()
    acts: ActMemory = msgspec.field(default_factory=ActMemory)
    standing: int = 0
    at: int = 0


def restored_subject(raw: bytes) -> SandboxSubject:
    """What a snapshot holds. Raises LogBroken when it is damaged: without it no roles are known."""
    try:
        return msgspec.msgpack.decode(raw, type=SandboxSubject)
    except msgspec.MsgspecError as error:
        raise LogBroken(f"the configuration of the sandbox cannot be read: {error}") from error
