"""The users' door of the embedded monitor: forms without scripts, receipts, signed reports, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner
from msgspec import structs

from monitor.charter.control import ControlBase
from monitor.charter.users_acts import ComplaintAnswer, ComplaintFiling, RedressStep, UserComplaint
from monitor.cli.complaints import complaints
from monitor.cli.status import status as status_of
from monitor.embedded import users_door
from monitor.embedded.monitor import Monitor
from monitor.embedded.store import Incoming
from monitor.embedded.users_door import UsersDoorSettings
from monitor.embedded.users_store import pseudonym_of
from monitor.model.events import instant
from monitor.model.signing import HEADER, HTTP_HEADER
from monitor.state.acts_once import validity
from monitor.testing.wait import Until
from tests.unit.lifecycle.founded import KEYS, NAMES, SANDBOX
from tests.unit.users.test_users_acts import WATCHED

until = Until(60.0, every=0.05)
CHARTER = structs.replace(WATCHED, pilot="p")
Answer = tuple[int, str, dict[str, str]]


def fetch(url: str, form: dict[str, str] | bytes | None = None, **headers: str) -> Answer:
    """Status, text and headers."""
    body = form if isinstance(form, bytes) or form is None else urllib.parse.urlencode(form).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, given), timeout=30) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


class World:
    """A monitor with the door open."""

    def __init__(self, monitor: Monitor) -> None:
        assert monitor.users is not None
        self.monitor, self.door = monitor, monitor.users
        self.url = f"http://127.0.0.1:{self.door.port}"

    async def get(self, path: str, form: dict[str, str] | bytes | None = None, **headers: str) -> Answer:
        return await asyncio.to_thread(fetch, self.url + path, form, **headers)

    async def complain(self, text: str = "It refused my loan.", **more: str) -> Answer:
        _, page, _ = await self.get("/complain/p")
        token = re.findall(r'name="token" value="([0-9a-f]+)"', page)[0]
        return await self.get("/complain/p", {"text": text, "token": token, **more})

    async def receipt(self, **more: str) -> str:
        status, page, _ = await self.complain(**more)
        assert status == 200, page
        return str(re.findall(r'class="receipt"[^>]*>([A-Z2-7-]+)<', page)[0])

    async def act(self, make: Callable[..., ControlBase], author: str, **fields: Any) -> None:
        """An act of a person, straight to control."""
        body, key = self.signed(make, author, **fields)
        headers = ((HEADER, key.encode()),)
        await self.monitor.store.feed_control([Incoming(body, key=b"p", headers=headers)])
        self.monitor.arrived.ring()

    def signed(self, make: Callable[..., ControlBase], author: str, **fields: Any) -> tuple[bytes, str]:
        pilot = self.monitor.runner.machine.pilots.get("p")
        assert pilot is not None
        given = validity(pilot.standing.counter, self.monitor.clock())
        body = msgspec.json.encode(make(id=f"a{self.monitor.clock()}", pilot="p", author=author, **given, **fields))
        return body, KEYS[author].sign("control", body)

    async def eventually(self, found: Callable[[], Any]) -> None:
        await asyncio.to_thread(until, found)

    @property
    def users(self) -> Any:
        return self.monitor.runner.machine.pilots["p"].users


def told(world: World) -> str:
    """What `status` prints of the pilot."""
    result = CliRunner().invoke(status_of, ["p", "--to", f"http://127.0.0.1:{world.monitor.port}"])
    assert result.exit_code == 0, result.output
    return result.output


@asynccontextmanager
async def opened(directory: Path, **more: Any) -> AsyncIterator[World]:
    settings = UsersDoorSettings(signer=KEYS["public"], port=0, forward_s=0.05)
    monitor = Monitor(directory, port=0, charters=[CHARTER], sandbox=SANDBOX, users=settings, **more)
    await monitor.start()
    try:
        yield World(monitor)
    finally:
        await monitor.stop()


def test_a_complaint_goes_from_the_form_to_the_record_and_back(tmp_path: Path) -> None:
    """Receipt, on record, answered, redress asked for and given; the text is in no log."""

    async def run() -> None:
        async with opened(tmp_path) as world:
            receipt = await world.receipt(leave="1")
            await world.eventually(lambda: world.users.filed == 1 and world.users.departed == 1)
            name = pseudonym_of(receipt)
            owed = await asyncio.to_thread(told, world)
            assert "deadline   firm owes an answer to 1 complaint of a user: " in owed
            assert ", by " in owed, "the promise of the charter"
            await world.act(ComplaintAnswer, "firm", complaints=(name,))
            await world.eventually(lambda: world.users.answered == 1)
            status, _, _ = await world.get("/receipt/redress", {"receipt": receipt.lower()})
            assert status == 200
            await world.eventually(lambda: world.users.asked == 1)
            await world.act(RedressStep, "firm", step="given", complaints=(name,))
            await world.eventually(lambda: world.users.given == 1)

            async def shown() -> str:
                return (await world.get("/receipt", {"receipt": receipt, "lang": "en"}))[1]

            for _ in range(600):
                page = await shown()
                if "redress given" in page:
                    break
                await asyncio.sleep(0.05)
            assert all(words in page for words in ("on record", "answered", "redress asked for", "redress given"))
            await world.get("/receipt/withdraw", {"receipt": receipt})
            await world.eventually(lambda: world.users.withdrawn == 1)

    asyncio.run(run())
    raw = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "users.db" not in path.name)
    assert b"refused my loan" not in raw
    assert (tmp_path / "users.db").stat().st_mode & 0o077 == 0


def test_a_complaint_that_was_confirmed_survives_a_restart_and_counts_once(tmp_path: Path) -> None:
    """Also if it was sent before and the door does not know."""

    async def run() -> None:
        async with opened(tmp_path) as world:
            first = await world.receipt()
            await world.eventually(lambda: world.users.filed == 1)
        with sqlite3.connect(tmp_path / "users.db") as db:
            db.execute("UPDATE complaints SET filed = 0")
        async with opened(tmp_path) as world:
            second = await world.receipt()
            await world.eventually(lambda: world.users.filed == 2)
            for receipt in (first, second):
                for _ in range(600):
                    page = (await world.get("/receipt", {"receipt": receipt, "lang": "en"}))[1]
                    if "<li>on record</li>" in page:
                        break
                    await asyncio.sleep(0.05)
                assert "<li>on record</li>" in page

    asyncio.run(run())


def test_a_form_of_another_site_is_refused(tmp_path: Path) -> None:
    """By its origin, by what the browser says, and without the token of this page."""

    async def run() -> None:
        async with opened(tmp_path) as world:
            assert (await world.get("/complain/p", {"text": "x"}))[0] == 403
            assert (await world.get("/complain/p", {"text": "x", "token": "0" * 64}))[0] == 403
            receipt = await world.receipt()
            for name, value in (("Origin", "https://evil.example"), ("Sec_Fetch_Site", "cross-site")):
                status, _, _ = await world.get("/receipt/withdraw", {"receipt": receipt}, **{name: value})
                assert status == 403, name
            status, _, _ = await world.get("/receipt", {"receipt": receipt}, Origin=world.url)
            assert status == 200

    asyncio.run(run())


def test_pages_load_nothing_from_elsewhere_and_escape_what_they_show(tmp_path: Path) -> None:
    """The content security policy allows no script; a text is shown as text; both languages are served."""

    async def run() -> None:
        async with opened(tmp_path) as world:
            status, page, headers = await world.complain("")
            assert status == 400
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "script" not in policy
            assert "form-action 'self'" in policy
            assert "<script" not in page
            _, page, _ = await world.get("/complain/p", {"text": "<b>x</b>" * 600, "token": ""})
            assert "&lt;b&gt;" in page
            assert "<b>x" not in page
            _, chinese, _ = await world.get("/complain/p?lang=zh")
            assert 'lang="zh-Hans"' in chinese
            assert "提交投诉" in chinese
            assert (await world.get("/complain/none"))[0] == 404
            assert (await world.get("/receipt", {"receipt": "AAAAA"}))[0] == 404

    asyncio.run(run())


def test_a_client_that_floods_the_form_is_told_to_wait(tmp_path: Path) -> None:
    """Its budget is used up; a look at a receipt still works."""

    async def run() -> None:
        async with opened(tmp_path) as world:
            statuses = [(await world.complain())[0] for _ in range(9)]
            assert statuses[0] == 200
            assert statuses[-1] == 429
            assert statuses.count(200) <= users_door.CLIENT_BURST + 1
            assert (await world.get("/receipt"))[0] == 200

    asyncio.run(run())


def test_a_signed_report_is_taken_and_one_of_the_firm_is_refused(tmp_path: Path) -> None:
    """The key must be that of a public channel of the configuration; nothing else passes this door."""

    async def run() -> None:
        async with opened(tmp_path) as world:
            now = world.monitor.clock()
            filed = (UserComplaint(complaint="d" * 32, time=instant(now)),)

            async def sent(author: str, signer: str, make: Any = ComplaintFiling, **fields: Any) -> int:
                body, _ = world.signed(make, author, **fields)
                headers = {"Content_Type": "application/json", HTTP_HEADER: KEYS[signer].sign("control", body)}
                return (await world.get("/reports/p", body, **headers))[0]

            assert await sent("public", "public", complaints=filed) == 202
            await world.eventually(lambda: world.users.filed == 1)
            assert await sent("public", "firm", complaints=filed) == 403
            assert await sent("firm", "firm", make=ComplaintAnswer, complaints=("d" * 32,)) == 403
            assert await sent("officer", "officer", complaints=filed) == 403

    asyncio.run(run())


def test_a_file_that_is_imported_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    """Also beyond what the machine remembers; a dry run sends nothing; the firm's key is refused."""
    table = tmp_path / "public.csv"
    lines = [f"{n},2026-01-01" for n in range(1_300)]
    table.write_text("complaint_id,filed\n" + "\n".join([*lines, "7,2026-01-01", "x,soon"]) + "\n")
    for name in ("public", "firm"):
        key = tmp_path / f"{name}.key"
        key.write_bytes(bytes([NAMES.index(name) + 1]) * 32)
        key.chmod(0o600)

    async def run() -> None:
        async with opened(tmp_path / "data") as world:

            async def imported(*more: str, author: str = "public") -> dict[str, Any]:
                options = ["--pilot", "p", "--author", author, "--key", str(tmp_path / f"{author}.key"), "--json"]
                command = ["import", str(table), *options, "--to", world.monitor.address.rstrip("/"), *more]
                done = await asyncio.to_thread(CliRunner().invoke, complaints, command)
                assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
                return dict(json.loads(done.stdout))

            dry = await imported("--dry-run")
            assert (dry["rows"], dry["new"], world.users.filed) == (1_302, 1_300, 0)
            assert set(dry["refused"]) == {"repeated", "no_time"}
            assert "not_its_own" in (await imported(author="firm"))["why"]
            first = await imported()
            assert (first["taken"], world.users.filed) == (1_300, 1_300)
            again = await imported()
            assert (again["repeated"], again["new"], again["taken"]) == (1_300, 0, 0)
            assert world.users.filed == 1_300
            assert world.users.counted + world.users.late + world.users.over == 1_300

    asyncio.run(run())
