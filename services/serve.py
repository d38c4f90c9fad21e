"""The two roles of an agency's processes: web (pages, API, streams) and worker (exchange and watcher); `serve` is both in one.

The exchange starts in the background, so a desk can work before the broker answers. SIGTERM closes streams, finishes the batch in
flight, commits it, and exits 0.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
import uvloop

from services.bounded import BoundedProtocol
from services.probe import ProbeServer
from services.runtime import Agency, check_database
from services.settings import Settings
from shared.casework.edge import Edge
from shared.casework.lines.room import look_for_room
from shared.exchange import bell
from shared.exchange.worker import ExchangeWorker
from shared.kit.collector import calm_collector
from shared.kit.errors import RefnetError
from shared.kit.web import AsgiApp

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
BACKLOG = 512  # connections that may wait while the process is busy
GRACE_S = 10  # a request in flight is answered within this, then the process goes
FIRST_S = 2.0  # the pages end first, and what they commit leaves; who takes longer is answered while the exchange ends
LAST_S = 2.0  # what is cut off, or closed last, has this long to end

Loop = Callable[[asyncio.Event], Coroutine[Any, Any, None]]

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """uvicorn waits for open streams before it stops: they are told first. What works beside it begins to end when it has ended, or
    soon after the signal. `told` are signals that came earlier."""

    def __init__(self, config: uvicorn.Config, edge: Edge, told: list[int], stop: asyncio.Event) -> None:
        super().__init__(config)
        self._edge, self._told, self._stop, self._loop = edge, told, stop, asyncio.get_running_loop()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """From here on they come here."""
        with super().capture_signals():
            if self._told:
                self.should_exit = True
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal has come."""
        self._edge.closing = True
        self._loop.call_soon_threadsafe(self._loop.call_later, FIRST_S, self._stop.set)  # a signal comes between any two steps
        super().handle_exit(sig, frame)


def serve(agency: Agency, settings: Settings, host: str, port: int, *, with_worker: bool) -> None:
    """Serves until a signal comes; raises RefnetError where it cannot start."""
    if settings.stays_here() and agency.here.network.purpose == "production" and host not in LOOPBACK:
        raise RefnetError(
            f"REFNET_BASE_URL says that the pages stay on this machine, and --host {host} opens them to others; leave --host out."
        )
    listener = _bind(host, port)
    # uvicorn raises the signal again when it is done; a handler of ours makes that an exit with 0.
    told: list[int] = []
    for kind in (signal.SIGTERM, signal.SIGINT):
        signal.signal(kind, lambda number, _: told.append(number))
    uvloop.run(_serve(agency, settings, listener, told, with_worker=with_worker))
    _leave_at_once()


def _cut_off(loop: Loop) -> Loop:
    """As the loop, which ends soon after `stop` though it is in the middle of looking at a hundred thousand referrals: what it has
    begun is rolled back, and the next start does it again."""

    async def run(stop: asyncio.Event) -> None:
        working, stopping = asyncio.create_task(loop(stop)), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({working}, timeout=LAST_S)
            if working.done():
                working.result()
        finally:
            working.cancel()
            stopping.cancel()
            await asyncio.wait({working}, timeout=LAST_S)

    return run


async def _close(agency: Agency) -> None:
    """Gives the connections back, where the server is there to take them; they end with the process otherwise."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_S):
            await agency.database.close()


async def _leave_nothing_behind() -> None:
    """Everything is closed. asyncio would wait for ever for a task that ignores its cancellation: the process ends without it."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    stuck = (await asyncio.wait(left, timeout=LAST_S))[1] if left else set()
    if stuck:
        log.error("left_behind", extra={"what": sorted({getattr(task.get_coro(), "__qualname__", "?") for task in stuck})})
        logging.shutdown()
        os._exit(0)


def _leave_at_once() -> None:
    """Everything is closed. Python would look through all its modules for rubbish now: 1.3 s, longer than the stop itself."""
    gc.freeze()


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise RefnetError(f"Port {port} on {host} cannot be used ({error.strerror}); choose another with --port.") from error
    return listener


async def _serve(agency: Agency, settings: Settings, listener: socket.socket, told: list[int], *, with_worker: bool) -> None:
    await check_database(agency)
    edge = agency.edge(settings)
    loops: list[Loop] = [_cut_off(partial(bell.ring, agency.database))]
    if with_worker:
        exchange = agency.exchange(settings)
        edge.exchange = exchange
        loops = [exchange.run, _cut_off(agency.watcher().run), _cut_off(agency.keeper(settings, exchange))]
        loops += _direct(agency, settings, exchange, listener.getsockname()[1])
    stop = asyncio.Event()
    server = Server(config_of(agency.app(edge)), edge, told, stop)
    calm_collector()
    working = [asyncio.create_task(loop(stop)) for loop in loops]
    ended = asyncio.Event()
    keeping = asyncio.create_task(_cut_off(partial(look_for_room, agency.database))(ended))  # who looked last is kept, too
    try:
        await server.serve(sockets=[listener])
    finally:
        stop.set()
        await asyncio.gather(*working)
        ended.set()
        await keeping
        await _close(agency)
    await _leave_nothing_behind()


def config_of(app: AsgiApp) -> uvicorn.Config:
    """How the users' port answers."""
    return uvicorn.Config(
        app, http=BoundedProtocol, ws="none", log_config=None, access_log=False, backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S, lifespan="off", server_header=False,
    )  # fmt: skip


def _direct(agency: Agency, settings: Settings, exchange: ExchangeWorker, users_port: int | None = None) -> list[Loop]:
    server = agency.direct_server(settings, exchange.reconciler, users_port)
    if server is None:
        return []

    async def run(stop: asyncio.Event) -> None:
        """Answers once it is known whether this database is an older copy of itself, whose words may be of a life that is over."""
        begun, ended = asyncio.create_task(exchange.anchored.wait()), asyncio.create_task(stop.wait())
        await asyncio.wait({begun, ended}, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        ended.cancel()
        if not stop.is_set():
            await server.run(stop)

    return [run]


def work(agency: Agency, settings: Settings, host: str, port: int | None) -> None:
    """Runs the exchange and the watcher until a signal comes; with a port, it tells there whether it works."""
    listener = _bind(host, port) if port is not None else None
    exchange = agency.exchange(settings)
    beside = [_cut_off(one) for one in (agency.watcher().run, agency.keeper(settings, exchange))]
    beside.append(_cut_off(partial(look_for_room, agency.database)))
    beside += _direct(agency, settings, exchange, port)
    uvloop.run(_work(agency, exchange, beside, listener))
    _leave_at_once()


async def _work(agency: Agency, exchange: ExchangeWorker, beside: list[Loop], listener: socket.socket | None) -> None:
    await check_database(agency)
    probe = ProbeServer(agency, exchange)
    probing = [asyncio.create_task(probe.serve(sockets=[listener]))] if listener is not None else []
    stop = asyncio.Event()
    calm_collector()
    loop = asyncio.get_running_loop()
    for kind in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(kind, stop.set)
    await asyncio.gather(exchange.run(stop), *(run(stop) for run in beside))
    probe.should_exit = True
    await asyncio.gather(*probing)
    await _close(agency)
    await _leave_nothing_behind()
