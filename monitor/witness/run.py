"""Runs a witness until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable, Sequence

from monitor.witness.server import WitnessServer
from monitor.witness.witness import Witness


def run_witness(
    witness: Witness,
    origins: Iterable[str],
    listen: tuple[str, int],
    names: Sequence[str],
    count: Callable[[str], None],
    say: Callable[[str], None],
) -> None:
    """Serve on `listen` (host, port) until SIGTERM or SIGINT. `say` is given one line per event for the operator;
    `names` and `count`: see `HttpServer`. Raises Refused when the address is taken."""
    asyncio.run(_serve(WitnessServer(witness, origins, names=names, count=count), listen, say))


async def _serve(server: WitnessServer, listen: tuple[str, int], say: Callable[[str], None]) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    host, port = listen
    port = await server.start(host, port)
    say(f"witness http://{f'[{host}]' if ':' in host else host}:{port}/add-checkpoint")
    await stopping.wait()
    await server.stop()
    say("witness: ended")
