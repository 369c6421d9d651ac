"""SIGKILL the embedded monitor while users complain: every complaint that was confirmed is on record, once."""

from __future__ import annotations

import asyncio
import http.client
import re
import signal
import subprocess
import sys
import urllib.parse
from collections import Counter
from pathlib import Path

from monitor.embedded.output_reader import OutputReader
from monitor.embedded.store import Store
from monitor.embedded.users_store import pseudonym_of
from monitor.model.records import Reason
from monitor.testing.wait import Until
from tests.processes import piped

until = Until(120.0, every=0.05)
# As `serve --users-port`, with a shorter round, so that kills fall into every step of it.
SERVE = """
import asyncio, sys
from pathlib import Path
from monitor.embedded.monitor import Monitor
from monitor.embedded.run import run_until_stopped
from monitor.embedded.users_door import UsersDoorSettings
from tests.integration.test_users_door import CHARTER
from tests.unit.lifecycle.founded import KEYS, SANDBOX

async def run():
    users = UsersDoorSettings(signer=KEYS["public"], port=0, forward_s=0.01)
    monitor = Monitor(Path(sys.argv[1]), port=0, charters=[CHARTER], sandbox=SANDBOX, users=users)
    await run_until_stopped(monitor, lambda: print(monitor.users.port, flush=True))

asyncio.run(run())
"""
CLIENTS, KILLS = 24, 4


def serve(directory: Path) -> tuple[subprocess.Popen[bytes], int]:
    process = piped([sys.executable, "-c", SERVE, str(directory)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def complain(port: int, client: int) -> str | None:
    """The receipt of a complaint from a separate address; `None` if the server went away before it was confirmed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(f"127.0.1.{client + 1}", 0))
    try:
        connection.request("GET", "/complain/p")
        page = connection.getresponse().read().decode()
        (token,) = re.findall(r'name="token" value="([0-9a-f]+)"', page)
        form = urllib.parse.urlencode({"text": f"complaint {client}", "token": token})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/complain/p", form, headers)
        return str(re.findall(r'class="receipt"[^>]*>([A-Z2-7-]+)<', connection.getresponse().read().decode())[0])
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def recorded(directory: Path) -> Counter[str]:
    """How often each complaint is in the decisions."""

    async def read() -> Counter[str]:
        store, found = Store(directory / "monitor.db"), Counter[str]()
        reader = OutputReader(store, ("decisions",))
        while (outputs := await reader.read()) is not None:
            for decision in outputs.decisions:
                if decision.reason is Reason.COMPLAINT_FILED and decision.finding.content:
                    found.update(decision.finding.content["complaints"])  # type: ignore[arg-type]
        await store.close()
        return found

    return asyncio.run(read())


def test_a_confirmed_complaint_is_on_record_once_whatever_is_killed(tmp_path: Path) -> None:
    """Four kills between the complaints of 24 clients; those without an answer may be on record or not."""
    confirmed, client = list[str](), 0
    for _ in range(KILLS):
        process, port = serve(tmp_path)
        for _ in range(CLIENTS // KILLS):
            receipt = complain(port, client)
            client += 1
            confirmed += [receipt] if receipt else []
        process.send_signal(signal.SIGKILL)
        process.wait()
    process, _ = serve(tmp_path)
    wanted = {pseudonym_of(receipt) for receipt in confirmed}
    assert len(wanted) == CLIENTS
    until(lambda: wanted <= set(recorded(tmp_path)))
    process.send_signal(signal.SIGTERM)
    process.wait()
    found = recorded(tmp_path)
    assert set(found.values()) == {1}
