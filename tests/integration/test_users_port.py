"""The users' port on a real socket: nobody holds it by connecting, by sending half a request, or by reading half an answer."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse

from services import bounded
from services.serve import config_of
from shared.kit import web

DEADLINE_S = 30.0
SHORT_S = 0.1
HALF_A_HEAD = b"GET /live HTTP/1.1\r\nHost: agency\r\n"
HEAD = HALF_A_HEAD + b"\r\n"
HALF_A_FORM = b"POST /form HTTP/1.1\r\nHost: agency\r\nContent-Length: 20\r\n\r\nname=val"


class Server(uvicorn.Server):
    """Beside the tests: signals stay theirs."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Port:
    """The port with an application behind it, and what that was given."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        app = FastAPI()
        web.install(app)

        @app.get("/live")
        async def live() -> dict[str, str]:
            return {"status": "live"}

        @app.post("/form")
        async def form(request: Request) -> dict[str, int]:
            self.bodies.append(await request.body())
            return {"taken": len(self.bodies)}

        @app.get("/endless")
        async def endless() -> StreamingResponse:
            async def parts() -> AsyncIterator[bytes]:
                while True:
                    yield b"x" * 65536
                    await asyncio.sleep(0)

            return StreamingResponse(parts())

        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.number = listener.getsockname()[1]
        self._listener = listener
        self._server = Server(config_of(app))

    async def __aenter__(self) -> "Port":
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        await self.until(lambda: self._server.started)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._serving

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not true():
                await asyncio.sleep(0.01)

    @property
    def connected(self) -> int:
        return len(self._server.server_state.connections)

    async def connect(self) -> "Caller":
        before = self.connected
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.number))
        await self.until(lambda: self.connected > before)
        return caller


class Caller:
    """Somebody's end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> tuple[int, Any]:
        """The status and the document of one answer."""
        async with asyncio.timeout(DEADLINE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
            return int(head.split(" ")[1]), json.loads(await self.reader.readexactly(length))

    async def rest(self) -> bytes:
        """What comes until the other end closes."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.read()


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    async with Port() as made:
        yield made


async def test_half_a_head_is_refused_after_its_time(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "HEAD_TIMEOUT_S", SHORT_S)
    caller = await port.connect()
    caller.writer.write(HALF_A_HEAD)
    status, said = await caller.answer()
    assert (status, said["detail"]) == (408, "Look at your line, and send the request again.")
    assert await caller.rest() == b""


async def test_half_a_head_after_an_answer_is_refused_too(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = await port.connect()
    caller.writer.write(HEAD)
    assert (await caller.answer())[0] == 200
    monkeypatch.setattr(bounded, "HEAD_TIMEOUT_S", SHORT_S)
    caller.writer.write(HALF_A_HEAD)
    assert (await caller.answer())[0] == 408
    assert await caller.rest() == b""


async def test_a_connection_that_asks_nothing_is_closed_without_a_word(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "HEAD_TIMEOUT_S", SHORT_S)
    caller = await port.connect()
    assert await caller.rest() == b""
    await port.until(lambda: port.connected == 0)


async def test_half_a_body_is_refused_after_its_time_and_reaches_nobody(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "BODY_TIMEOUT_S", SHORT_S)
    caller = await port.connect()
    caller.writer.write(HALF_A_FORM)
    status, said = await caller.answer()
    assert (status, said["type"]) == (408, "urn:refnet:problem:too-slow")
    assert await caller.rest() == b""
    assert port.bodies == []


async def test_a_body_that_is_cut_off_reaches_nobody(port: Port) -> None:
    caller = await port.connect()
    caller.writer.write(HALF_A_FORM)
    await caller.writer.drain()
    caller.writer.close()
    await port.until(lambda: port.connected == 0)
    whole = await port.connect()
    whole.writer.write(HALF_A_FORM + b"ue&more=more")
    assert await whole.answer() == (200, {"taken": 1})
    assert port.bodies == [b"name=value&more=more"]


async def test_whoever_was_refused_and_goes_on_sending_is_cut_off(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "BODY_END_S", SHORT_S)
    caller = await port.connect()
    caller.writer.write(b"POST /form HTTP/1.1\r\nHost: agency\r\nContent-Length: 10000000\r\n\r\n")
    assert (await caller.answer())[0] == 413
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(DEADLINE_S):
            while port.connected:
                caller.writer.write(b"x")
                await caller.writer.drain()
                await asyncio.sleep(0.01)
    await port.until(lambda: port.connected == 0)


async def test_a_newcomer_is_refused_where_too_many_are_connected_and_the_others_are_served(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "CONNECTIONS_MAX", 1)
    monkeypatch.setattr(bounded, "LINGER_S", SHORT_S)
    first, second = await port.connect(), await port.connect()
    second.writer.write(HEAD)
    assert (await second.answer())[0] == 503
    assert await second.rest() == b""
    first.writer.write(HEAD)
    assert (await first.answer())[0] == 200
    first.writer.close()
    await port.until(lambda: port.connected == 0)
    third = await port.connect()
    third.writer.write(HEAD)
    assert (await third.answer())[0] == 200


async def test_a_reader_that_stops_reading_is_let_go(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "SEND_TIMEOUT_S", SHORT_S)
    deaf = socket.create_connection(("127.0.0.1", port.number))
    deaf.sendall(b"GET /endless HTTP/1.1\r\nHost: agency\r\n\r\n")
    await port.until(lambda: port.connected == 1)
    await port.until(lambda: port.connected == 0)
    deaf.close()
