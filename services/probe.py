"""A worker's own addresses, on a port of its own: /health/live and /health/ready, as every agency's web answers them.

It serves nothing else: no page, no API, nothing about anybody.
"""

import contextlib
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.bounded import BoundedProtocol
from services.runtime import Agency
from shared.casework.lines.readiness import ExchangeState, readiness

BACKLOG = 16  # probes come one by one
GRACE_S = 1  # a probe under way when the worker ends is answered within this


class ProbeServer(uvicorn.Server):
    """Runs beside the worker, which alone takes signals."""

    def __init__(self, agency: Agency, exchange: ExchangeState) -> None:
        config = uvicorn.Config(
            _app(agency, exchange), http=BoundedProtocol, ws="none", log_config=None, access_log=False, backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE_S, lifespan="off", server_header=False,
        )  # fmt: skip
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes none."""
        yield


def _app(agency: Agency, exchange: ExchangeState) -> Starlette:
    async def live(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "live"})

    async def ready(_request: Request) -> JSONResponse:
        found = await readiness(agency.database, agency.parts.migrations, exchange, has_pages=False)
        return JSONResponse({"status": found.status, "checks": found.checks}, found.code)

    return Starlette(routes=[Route("/health/live", live), Route("/health/ready", ready)])
