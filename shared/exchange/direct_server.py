"""The direct line's listening end: a port of its own, behind mutual TLS, in the worker's process, never on the users' port.

It knows its peer by its certificate alone, opens nothing that it is handed, and never writes down what it was asked.
"""

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, cast

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from shared.contracts.wire.envelope import SLOT_MAX, Unopenable
from shared.exchange.anchor import AnchorAway
from shared.exchange.direct import (
    DIRECTORY,
    EVENTS,
    EVENTS_MAX,
    LINE,
    OCTETS,
    STATEMENT_BYTES_MAX,
    STATEMENTS,
    TIMEOUT_S,
    UNOPENABLE,
    Answers,
    StreamName,
    pack,
)
from shared.exchange.direct_tls import Credentials, agency_of
from shared.exchange.keyring import KeyAway
from shared.kit.errors import DatabaseAway
from shared.kit.web import problem

HANDSHAKE_S = 10.0  # a handshake takes 0.01 s, over a poor line a second; whoever holds one open is let go
CLOSE_S = 1.0  # an asking end that is idle never answers the end of TLS; what is still being sent has this long to leave
IDLE_S = 30.0  # an unused connection, longer than the asking end keeps it
GRACE_S = 10  # a request in flight is answered within this, then the process goes
BACKLOG = 64  # connections that may wait while the process is busy
CONNECTIONS_MAX = 16  # of one certificate's name: four processes of a peer at their own limit; each may hold a page in memory
ANSWERING_MAX = 4  # requests of one peer answered at a time, a page of events in memory each; more wait
HEADERS_BYTES_MAX = 8 * 1024  # a request's line and headers are some 300 bytes
TAKE_OVER_S = 5.0  # how often a worker that does not hold the port tries to take it

log = logging.getLogger(__name__)

Answer = Callable[[Request, str], Awaitable[Response]]


class Refused(Exception):
    """The request is answered with this problem and nothing else."""

    def __init__(self, status: int, slug: str, title: str, detail: str) -> None:
        super().__init__(detail)
        self.response = problem(status, slug, title, detail)


class MutualProtocol(H11Protocol):
    """uvicorn's own HTTP/1.1, which also hands on the agency that the peer's certificate names.

    uvicorn has no place for a client's certificate yet (its pull request 3132); the transport does, before the first byte is read.
    """

    peer: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.peer = agency_of(transport.get_extra_info("peercert"))
        inner = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["state"]["peer"] = self.peer
            await inner(scope, receive, send)

        self.app = app
        # From the start, not only after an answer: a connection that asks nothing is let go.
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        if sum(isinstance(one, MutualProtocol) and one.peer == self.peer for one in self.connections) > CONNECTIONS_MAX:
            transport.abort()


class _Server(uvicorn.Server):
    """uvicorn beside other work: signals are the process's own, a handshake has a deadline, `listening` is set once it answers."""

    def __init__(self, config: uvicorn.Config, listening: asyncio.Event) -> None:
        super().__init__(config)
        self._listening = listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()
        assert self.config.ssl is not None, "a direct line is never without TLS"

        def protocol() -> MutualProtocol:
            return MutualProtocol(self.config, self.server_state, {})

        self.servers = [
            await loop.create_server(
                protocol, sock=one, ssl=self.config.ssl, backlog=BACKLOG, ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=CLOSE_S,
            )
            for one in sockets or ()
        ]  # fmt: skip
        self.started = True
        self._listening.set()


class DirectServer:
    """The listening end of `agency`; `peers` are the agencies paired with it.

    Raises RefnetError where the credentials cannot be used.
    """

    def __init__(
        self, agency: str, peers: Sequence[str], credentials: Credentials, answers: Answers, host: str, port: int, *,
        body_timeout_s: float = TIMEOUT_S, take_over_s: float = TAKE_OVER_S,
    ) -> None:  # fmt: skip
        self._agency, self._peers, self._answers = agency, frozenset(peers), answers
        self._host, self._port = host, port
        self._context = credentials.server_context()
        self._body_timeout_s, self._take_over_s = body_timeout_s, take_over_s
        self._answering: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(ANSWERING_MAX))
        self.listening = asyncio.Event()  # set while this process holds the port

    async def run(self, stop: asyncio.Event) -> None:
        """Listens until `stop` is set; then requests in flight are answered.

        One worker of an agency on a machine holds the port; the others go on without, and one takes it when it is free.
        """
        said = ""
        while not stop.is_set():
            try:
                await self.serve(_bind(self._host, self._port), stop)
                said = ""
            except Exception as error:  # a direct line that fails never takes the rest of the worker with it
                if repr(error) != said:
                    self._say(error)
                said = repr(error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._take_over_s)

    def _say(self, error: Exception) -> None:
        if not isinstance(error, OSError):
            log.error("direct_line_failed", extra={"because": type(error).__name__})
        elif error.errno == errno.EADDRINUSE:
            words = f"Another process holds port {self._port}, as a rule another worker of this agency; this one goes on without."
            log.info("direct_line_elsewhere", extra={"words": words})
        else:
            where = f"{self._host}:{self._port}"
            words = f"The direct line cannot listen on {where} ({error.strerror}); correct REFNET_EXCHANGE_HOST and _PORT."
            log.warning("direct_line_closed", extra={"words": words})

    async def serve(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Answers on a bound socket until `stop` is set, and closes it."""
        config = uvicorn.Config(
            self._app, interface="asgi3", http=MutualProtocol, ws="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, proxy_headers=False, timeout_keep_alive=int(IDLE_S), timeout_graceful_shutdown=GRACE_S,
            h11_max_incomplete_event_size=HEADERS_BYTES_MAX, ssl_context_factory=self._ssl_context,
        )  # fmt: skip
        server = _Server(config, self.listening)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        stopping = asyncio.create_task(stop.wait())
        log.info("direct_line_open", extra={"port": self._port})
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            await serving
        finally:
            self.listening.clear()
            stopping.cancel()
            listener.close()

    def _ssl_context(self, _config: uvicorn.Config, _usual: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        return self._context

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The whole application: four addresses, behind one question."""
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        """Asks who it is first, and says every failure as a problem, without what was asked."""
        try:
            peer = self._peer(request)
            return await self._answers_at(request.method, request.scope["path"])(request, peer)
        except Refused as refusal:
            return refusal.response
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Unopenable:
            return problem(UNOPENABLE, "unopenable", "The statement cannot be opened", "Seal it for this agency and send it again.")
        except (DatabaseAway, AnchorAway):
            return problem(503, "database-away", "Not just now", "The database here does not answer; ask again later.")
        except KeyAway:
            return problem(503, "key-away", "Not just now", "A key to answer with is missing here; ask again later.")
        except Exception as error:
            log.error("direct_request_failed", extra={"because": type(error).__name__})
            return problem(500, "unexpected", "Something went wrong here", "Nothing was saved; ask again later.")

    def _answers_at(self, method: str, path: str) -> Answer:
        known = {("POST", STATEMENTS): self._take_statement, ("GET", EVENTS): self._events, ("GET", LINE): self._line}
        known["GET", DIRECTORY] = self._directory
        if (method, path) not in known:
            raise Refused(404, "http-404", "Not found", "Nothing takes that method at this address.")
        return known[method, path]

    def _peer(self, request: Request) -> str:
        name = cast("str | None", request.scope["state"].get("peer"))
        if name is None or name not in self._peers:
            raise Refused(
                403,
                "not-paired",
                "Not paired",
                "The certificate names no agency that this one is paired with; see the network file.",
            )
        return name

    async def _take_statement(self, request: Request, peer: str) -> Response:
        envelope = await _body(request, self._body_timeout_s)
        if not envelope:
            raise Refused(400, "empty", "The statement is empty", "The body must be one sealed statement; send it again.")
        async with self._answering[peer]:
            return Response(await self._answers.take_statement(peer, envelope), media_type=OCTETS)

    async def _events(self, request: Request, peer: str) -> Response:
        stream = _stream(request)
        if {stream.sender, stream.recipient} != {peer, self._agency}:
            # What is between others is no stream to this peer: whether we hold one is not told either.
            raise Refused(404, "no-stream", "No such stream", "This agency holds no such stream with you; ask for one of your own.")
        first, last = _number(request, "from"), _number(request, "to")
        if not first <= last < first + EVENTS_MAX:
            raise Refused(400, "range", "The range is not valid", f"Ask for 1 to {EVENTS_MAX} slots, from the lower to the higher.")
        async with self._answering[peer]:
            return Response(pack(await self._answers.events(peer, stream, first, last)), media_type=OCTETS)

    async def _directory(self, request: Request, peer: str) -> Response:
        return Response(self._answers.directory(peer, _number(request, "from") - 1), media_type=OCTETS)

    async def _line(self, _request: Request, _peer: str) -> Response:
        return Response(status_code=204)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By its number: where it says 0, asyncio leaves Nagle's algorithm on, and each answer waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Never SO_REUSEPORT: two agencies set to one port by mistake would each answer half of the other's peers.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _stream(request: Request) -> StreamName:
    try:
        return StreamName.parse(request.query_params.get("stream", ""))
    except ValueError as error:
        raise Refused(400, "stream", "The stream's name is not valid", f"Correct `stream`: {error}.") from error


def _number(request: Request, name: str) -> int:
    given = request.query_params.get(name, "")
    if not (given.isascii() and given.isdigit() and len(given) <= len(str(SLOT_MAX)) and 1 <= int(given) <= SLOT_MAX):
        raise Refused(400, "number", "A slot is not valid", f"Correct `{name}`: a slot is a whole number from 1 on.")
    return int(given)


async def _body(request: Request, timeout_s: float) -> bytes:
    too_large = Refused(
        413, "too-large", "The statement is too large", f"A statement may hold {STATEMENT_BYTES_MAX} bytes at most."
    )
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > STATEMENT_BYTES_MAX:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for part in request.stream():
                body += part
                if len(body) > STATEMENT_BYTES_MAX:
                    raise too_large
    except TimeoutError as error:
        raise Refused(
            408, "too-slow", "The statement came too slowly", "Look at the line between us, and send it again."
        ) from error
    return bytes(body)
