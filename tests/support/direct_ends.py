"""Both ends of a direct line in a test: real sockets, real certificates, and what a clinic answers from memory."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from keys import seal_of

from shared.contracts.wire.envelope import Header, Kind
from shared.exchange.direct import DirectLine, StreamName
from shared.exchange.direct_server import DirectServer
from shared.exchange.direct_tls import Credentials
from shared.kit.certificates import Authority
from shared.kit.errors import DatabaseAway

DAY = timedelta(days=1)
LIFE = UUID(int=7)  # the incarnation that every stream of these tests is of
DEADLINE_S = 20.0


def statement(sender: str, recipient: str, content: bytes = b"{}") -> bytes:
    """A sealed statement."""
    seal = seal_of(sender)
    return seal.seal(
        seal.sign(Header(kind=Kind.STATEMENT, sender=sender, recipient=recipient, incarnation=LIFE), content), recipient
    )


def said(answer: bytes, sender: str = "health", reader: str = "police") -> bytes:
    """What a sealed statement says, as its reader opens it."""
    return seal_of(reader).open(answer, sender).content


class Memory:
    """What an agency answers, from memory. Slots are held by stream; `gate` holds every answer back while it is closed."""

    def __init__(self, agency: str) -> None:
        self.agency, self.heard, self.slots = agency, list[tuple[str, bytes]](), dict[StreamName, dict[int, bytes]]()
        self.is_away, self.is_broken = False, False
        self.gate, self.entered = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.at_once, self.at_once_max = 0, 0

    @contextlib.asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        if self.is_away:
            raise DatabaseAway("the database did not answer")
        if self.is_broken:
            raise ZeroDivisionError("Mwansa")  # a name as an error's text might hold it
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        self.entered.set()
        try:
            await self.gate.wait()
            yield
        finally:
            self.at_once -= 1

    async def take_statement(self, peer: str, envelope: bytes) -> bytes:
        async with self._answering():
            self.heard.append((peer, seal_of(self.agency).open(envelope, peer).content))
            return statement(self.agency, peer, self.heard[-1][1])

    async def events(self, peer: str, stream: StreamName, first: int, last: int) -> list[bytes]:
        async with self._answering():
            held = self.slots.get(stream, {})
            return [held[slot] for slot in range(first, last + 1) if slot in held]

    def directory(self, peer: str, known: int) -> bytes:
        told = seal_of(self.agency).lines_for(peer, known)
        return told.to_bytes() if told is not None else b""


class Town:
    """An authority, the credentials it gave out, and a folder for their files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, datetime.now(UTC)
        self.authority = Authority.make("the town's", self.now, 30 * DAY)
        self._made = 0

    def credentials(
        self, agency: str, *, authority: Authority | None = None, trusts: Authority | None = None, ended: bool = False
    ) -> Credentials:
        """An agency's files; `ended` has expired an hour ago."""
        self._made += 1
        folder = self.folder / f"{agency}-{self._made}"
        folder.mkdir()
        now, lasts = (self.now - 3 * DAY, 3 * DAY - timedelta(hours=1)) if ended else (self.now, DAY)
        pair = (authority or self.authority).issue(agency, now, lasts)
        for name, content in (("ca", (trusts or self.authority).pair.cert), ("cert", pair.cert), ("key", pair.key)):
            (folder / f"{name}.pem").write_bytes(content)
        return Credentials(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")


def bound() -> socket.socket:
    """A socket on a free port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener


def url_of(listener: socket.socket) -> str:
    """Its address as a network file has it."""
    return f"https://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.asynccontextmanager
async def listening(
    answers: Memory, credentials: Credentials, peers: tuple[str, ...] = ("police",), *, body_timeout_s: float = DEADLINE_S
) -> AsyncIterator[str]:
    """A listening end; gives its address."""
    listener, stop = bound(), asyncio.Event()
    url = url_of(listener)
    port = listener.getsockname()[1]
    server = DirectServer(answers.agency, peers, credentials, answers, "127.0.0.1", port, body_timeout_s=body_timeout_s)
    running = asyncio.create_task(server.serve(listener, stop))
    try:
        await asyncio.wait_for(server.listening.wait(), DEADLINE_S)
        yield url
    finally:
        stop.set()
        await running


@contextlib.asynccontextmanager
async def asking(url: str, credentials: Credentials, peer: str = "health", **options: float) -> AsyncIterator[DirectLine]:
    """An asking end with one peer."""
    line = DirectLine({peer: url}, credentials, **options)
    try:
        yield line
    finally:
        await line.close()
