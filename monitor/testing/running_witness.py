"""A real witness in a thread of the test's process, over HTTP on the loopback interface."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType

from msgspec.structs import replace

from monitor.clock import wall_ms
from monitor.tlog.keys import Signer
from monitor.witness.answers import AddAnswer
from monitor.witness.judge import Logs
from monitor.witness.server import LIMITS, WitnessServer
from monitor.witness.state import WitnessState
from monitor.witness.witness import Witness, WitnessCounts

FAST = replace(LIMITS, client_requests_per_second=1e6, client_request_burst=1e6)


class RunningWitness:
    """A witness of `logs` with its state in `directory`, which is created when missing. Runs from the constructor until
    `stop`, or as a context."""

    def __init__(
        self, directory: Path, logs: Logs, signers: Sequence[Signer], clock: Callable[[], int] = wall_ms
    ) -> None:
        self.answers: list[AddAnswer] = []
        self._state = WitnessState(directory, [key.verifier for key in signers], create=not directory.exists())
        counts = WitnessCounts(self.answers.append)
        self.witness = Witness(self._state, logs, signers, counts=counts, clock=clock)
        self._server_logs = tuple(logs)
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        started: Future[int] = Future()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(started),), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{started.result()}"

    async def _run(self, started: Future[int]) -> None:
        server = WitnessServer(self.witness, self._server_logs, limits=FAST)
        try:
            started.set_result(await server.start("127.0.0.1", 0))
        except BaseException as error:
            started.set_exception(error)
            return
        await self._ended.wait()
        await server.stop()

    def stop(self) -> None:
        """Stop listening and unlock the directory. Idempotent."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join()
            self._loop.close()
            self._state.close()

    def __enter__(self) -> RunningWitness:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()
