"""A stream of changes never outlives the right to it: not the sign-out, not the lock, not the shift, not the account.

Nor its reader; and no account, and no crowd of them, has more open than the process can carry.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from agencies import World, consent, open_case, refer
from signing_in import settled_account, sign_in
from visitor import Visitor

from shared.casework.accounts.commands import add_account, disable_account, find_account, make_token
from shared.casework.accounts.sessions import ABSOLUTE_END, IDLE_LOCK
from shared.casework.following import streams, web
from shared.casework.work import pages
from shared.contracts.casework.codes import Role
from shared.kit.ids import new_id

DEADLINE_S = 20.0
STREAMS = ("/api/v1/events/stream", "/live?after=0")


class Listener:
    """A browser, or a program, that has a stream open: what it was told, and whether the stream is over."""

    def __init__(self, app: Any, path: str, header: tuple[str, str], *, reads: bool = True) -> None:
        self.said: list[dict[str, Any]] = []
        self._reads = reads
        self._stop = asyncio.Event()
        path, _mark, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": path,
            "raw_path": path.encode(), "query_string": query.encode(), "scheme": "http", "server": ("agency", 80),
            "client": ("192.0.2.7", 1), "headers": [(b"host", b"agency"), (header[0].encode(), header[1].encode())],
        }  # fmt: skip
        self.task = asyncio.create_task(app(scope, self._receive(), self._send))

    def _receive(self) -> Callable[[], Awaitable[dict[str, Any]]]:
        first = [True]

        async def receive() -> dict[str, Any]:
            if first.pop() if first else False:
                return {"type": "http.request", "body": b"", "more_body": False}
            await self._stop.wait()
            return {"type": "http.disconnect"}

        return receive

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body" and not self._reads:
            await asyncio.Event().wait()  # the line is full, and nobody takes anything off it
        self.said.append(message)

    async def status(self) -> int:
        await self.until(lambda: bool(self.said))
        return int(self.said[0]["status"])

    @property
    def text(self) -> str:
        return b"".join(m.get("body", b"") for m in self.said if m["type"] == "http.response.body").decode()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not true():
                await asyncio.sleep(web.STREAM_POLL_S / 5)

    async def close(self) -> None:
        self._stop.set()
        await asyncio.wait_for(self.task, DEADLINE_S)


def cookies_of(visitor: Visitor) -> tuple[str, str]:
    return "cookie", "; ".join(f"{c.name}={c.value}" for c in visitor.client.cookies.jar)


async def something_happens(world: World) -> None:
    desk = await world["police"].sign_in(f"desk-{new_id()}")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "fb", "needs")
    await refer(desk, case_id, incident_id, "health")
    await world.settle()


async def sign_out(_world: World, nurse: Visitor) -> None:
    await nurse.send((await nurse.open("/me")).form("/sign-out"))


async def hide(_world: World, nurse: Visitor) -> None:
    await nurse.send(next(f for f in (await nurse.open("/work")).forms if f.action == "/hide"))


async def go_for_tea(world: World, _nurse: Visitor) -> None:
    world.clock.advance(IDLE_LOCK)


async def end_the_shift(world: World, nurse: Visitor) -> None:
    for _ in range(int(ABSOLUTE_END / timedelta(minutes=9)) + 1):
        world.clock.advance(timedelta(minutes=9))
        await nurse.open("/work")


async def be_disabled(world: World, _nurse: Visitor) -> None:
    async with world["health"].database.write() as tx:
        await disable_account(tx, world["health"].here, "nurse-1")


async def test_both_streams_end_with_the_session_and_say_nothing_afterwards(world: World) -> None:
    clinic, nurse = world["health"], Visitor(world["health"].app)
    issued = await settled_account(clinic)
    for over in (sign_out, hide, go_for_tea, end_the_shift, be_disabled):
        await sign_in(nurse, issued)
        listeners = [Listener(clinic.app, path, cookies_of(nurse)) for path in STREAMS]
        for listener in listeners:
            await listener.until(lambda: bool(listener.said))  # noqa: B023 — awaited in the loop
            assert listener.said[0]["status"] == 200
        await over(world, nurse)
        for listener in listeners:
            await listener.until(listener.task.done)
        told = [listener.text for listener in listeners]
        await something_happens(world)
        assert [listener.text for listener in listeners] == told, over.__name__


async def test_a_stream_has_a_life_and_its_browser_comes_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic, nurse = world["health"], Visitor(world["health"].app)
    await sign_in(nurse, await settled_account(clinic))
    for module in (web, pages):
        monkeypatch.setattr(module, "STREAM_LIFE_S", 0.2)
    listeners = [Listener(clinic.app, path, cookies_of(nurse)) for path in STREAMS]
    for listener in listeners:
        assert await listener.status() == 200
        await listener.until(listener.task.done)
        assert listener.task.exception() is None
    assert clinic.edge.streams.total == 0
    again = Listener(clinic.app, STREAMS[1], cookies_of(nurse))  # nobody was signed out
    assert await again.status() == 200
    await again.close()


async def test_a_stream_goes_on_while_somebody_sits_there(world: World) -> None:
    clinic, nurse = world["health"], Visitor(world["health"].app)
    await sign_in(nurse, await settled_account(clinic))
    listeners = [Listener(clinic.app, path, cookies_of(nurse)) for path in STREAMS]
    for listener in listeners:
        await listener.until(lambda: bool(listener.said))  # noqa: B023 — awaited in the loop
    await something_happens(world)
    for listener in listeners:
        await listener.until(lambda: "event: " in listener.text)  # noqa: B023
        assert not listener.task.done()
        await listener.close()


async def test_a_programs_stream_ends_with_its_token(world: World) -> None:
    clinic = world["health"]
    async with clinic.database.write() as tx:
        await add_account(tx, clinic.here, "program", Role.CLINICIAN, "ndola_clinic")
        token = await make_token(tx, "program")
    listener = Listener(clinic.app, STREAMS[0], ("authorization", f"Bearer {token}"))
    await listener.until(lambda: bool(listener.said))
    async with clinic.database.write() as tx:
        (await find_account(tx, "program")).facility = "ndola_hospital"  # moved to another desk
    await listener.until(listener.task.done)


async def test_an_account_has_so_many_streams_and_each_end_makes_room(world: World) -> None:
    clinic, nurse = world["health"], Visitor(world["health"].app)
    await sign_in(nurse, await settled_account(clinic))
    listeners = [Listener(clinic.app, STREAMS[n % 2], cookies_of(nurse)) for n in range(streams.STREAMS_ACCOUNT_MAX)]
    assert {await listener.status() for listener in listeners} == {200}
    for path in STREAMS:
        refused = Listener(clinic.app, path, cookies_of(nurse))
        assert await refused.status() == 429
        assert b"retry-after" in dict(refused.said[0]["headers"])
        assert "This account has 12 streams open" in refused.text
    await listeners.pop().close()
    listeners.append(Listener(clinic.app, STREAMS[1], cookies_of(nurse)))
    assert await listeners[-1].status() == 200
    await sign_out(world, nurse)
    for listener in listeners:
        await listener.until(listener.task.done)
    assert clinic.edge.streams.total == 0


async def test_all_accounts_together_have_so_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic, nurse = world["health"], Visitor(world["health"].app)
    monkeypatch.setattr(streams, "STREAMS_PROCESS_MAX", 1)
    await sign_in(nurse, await settled_account(clinic))
    async with clinic.database.write() as tx:
        await add_account(tx, clinic.here, "program", Role.CLINICIAN, "ndola_clinic")
        bearer = ("authorization", f"Bearer {await make_token(tx, 'program')}")
    first = Listener(clinic.app, STREAMS[1], cookies_of(nurse))
    assert await first.status() == 200
    refused = Listener(clinic.app, STREAMS[0], bearer)
    assert (await refused.status(), "Too many streams are open here" in refused.text) == (429, True)
    await first.close()
    second = Listener(clinic.app, STREAMS[0], bearer)
    assert await second.status() == 200
    await second.close()


async def test_a_stream_ends_with_a_reader_that_takes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic, nurse = world["health"], Visitor(world["health"].app)
    monkeypatch.setattr(streams, "SEND_TIMEOUT_S", 0.05)
    await sign_in(nurse, await settled_account(clinic))
    listener = Listener(clinic.app, STREAMS[1], cookies_of(nurse), reads=False)
    assert await listener.status() == 200
    await something_happens(world)
    await listener.until(listener.task.done)
    assert listener.task.exception() is None
    assert clinic.edge.streams.total == 0
