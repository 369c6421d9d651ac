"""A witness in a separate process that is killed after it stored its n-th checkpoint and before it answers.

Run with: directory, key file, vkey of the log, n (0: never). Prints its port.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from monitor.tlog.keys import parse_vkey
from monitor.witness.key_file import read_witness_key
from monitor.witness.server import WitnessServer
from monitor.witness.state import WitnessState
from monitor.witness.witness import Witness


async def main(directory: Path, key_file: Path, vkey: str, kill_at: int) -> None:
    signers, log, stored = read_witness_key(key_file), parse_vkey(vkey), 0

    def failpoint(name: str) -> None:
        nonlocal stored
        stored += name == "stored"
        if stored == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    state = WitnessState(directory, [signer.verifier for signer in signers], create=not directory.exists())
    server = WitnessServer(Witness(state, {log.name: [log]}, signers, failpoint=failpoint), [log.name])
    print(await server.start("127.0.0.1", 0), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
