"""Walks through a page of documentation on Kafka: the same commands; the monitor is a broker, a worker and a notary.

Only the address differs (`kafka://` in place of `http://`), and what the block of `serve` starts.
"""

from __future__ import annotations

import subprocess
import sys

from monitor.files.key_file import read_key
from monitor.testing.broker import KafkaBroker
from monitor.testing.workers import Worker
from tests.processes import piped

from .walked_page import LEDGER, PORT, Walk

PARTITIONS = 3


class WalkOnKafka(Walk):
    """A walk whose monitor runs on Kafka, on a separate broker with the default names of topics."""

    broker: KafkaBroker
    worker: Worker | None = None
    notary: subprocess.Popen[bytes] | None = None

    def through(self) -> None:
        """See `Walk.through`."""
        with KafkaBroker(self.home / "kafka", port=self.port) as self.broker:
            super().through()

    def adapted(self, text: str) -> str:
        """See `Walk.adapted`."""
        return super().adapted(text.replace(f"http://127.0.0.1:{PORT}", f"kafka://127.0.0.1:{PORT}"))

    def serve(self, text: str) -> str:
        """Create the topics, start worker and notary. Returns the line that the page expects."""
        bootstrap = self.broker.bootstrap
        where = ["--bootstrap", bootstrap]
        monitor = [sys.executable, "-m", "monitor"]
        subprocess.run([*monitor, "topics", "create", *where, "--partitions", str(PARTITIONS)], check=True)
        key = read_key(self.home / "admitter.key").public
        self.worker = Worker(bootstrap, "sandbox", self.home / "worker.log", "--admit-key", key)
        with (self.home / "notary.log").open("wb") as log:
            command = [*monitor, "notary", *where, "--dir", LEDGER, "--port", "0"]
            self.notary = piped(command, stdout=log, stderr=log)
        self.worker.wait_ready()
        return f"board kafka://{bootstrap}/\n"

    def end(self) -> None:
        """See `Walk.end`."""
        if self.worker is not None:
            self.worker.stop()
        if self.notary is not None:
            self.notary.terminate()
            self.notary.wait(60)
