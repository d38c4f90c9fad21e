"""The direct way: two FastAPI services, and the issuer's posts each referral to the recipient's after its own commit, with retry.

What its retries do not carry across is lost: there is no outbox. Tables, data and clients are the raw pipe's.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import uvicorn
from fastapi import FastAPI, Request, Response

from bench import clients, raw
from bench.children import Child
from bench.payload import referral_data
from bench.pipes import Place, Raw, plain_environment, python
from bench.sizes import CLIENTS
from shared.kit.ids import new_id
from shared.kit.local.ports import free_ports

TRIES = 5  # what a careful client does while its own caller waits: six seconds in all
FIRST_WAIT_S = 0.2  # doubled after each try
TIMEOUT_S = 5.0  # of one request
READY_TRIES = 600  # looks for the service, a tenth of a second apart

PORTS: dict[str, tuple[int, int]] = {}  # of a pass: the issuer's service and the recipient's


class Rest(Raw):
    """Desk clients → the issuer's service → the recipient's service. The middle one stands where a relay would."""

    name = "rest"

    def desk(self, place: Place) -> Child:
        argv = python("bench.peers.rest", "desk", str(_ports(place)[0]))
        return Child("rest-desk", argv, plain_environment(), place.folder, is_ordered=True)

    def relay(self, place: Place) -> Child:
        issuer, recipient = _ports(place)
        argv = python("bench.peers.rest", "issuer", place.desk_url, str(issuer), str(recipient))
        return Child("rest-issuer", argv, plain_environment(), place.folder)

    def clinic(self, place: Place) -> Child:
        argv = python("bench.peers.rest", "recipient", place.clinic_url, str(_ports(place)[1]))
        return Child("rest-recipient", argv, plain_environment(), place.folder)


def _ports(place: Place) -> tuple[int, int]:
    if place.unique not in PORTS:
        first, second = free_ports(2)
        PORTS[place.unique] = (first, second)
    return PORTS[place.unique]


async def desk(port: str) -> None:
    """Sixteen clients of the issuer's service. An answer other than 201 is what a person at the desk would see and write down."""
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60) as client:
        await _until_it_answers(client)

        async def issue() -> None:
            await client.post("/referrals", json={"id": str(new_id()), "data": referral_data()})

        await clients.take_orders(issue)


async def _until_it_answers(client: httpx.AsyncClient) -> None:
    for _ in range(READY_TRIES):
        try:
            await client.get("/ready")
        except httpx.TransportError:
            await asyncio.sleep(0.1)
        else:
            return


async def issuer(url: str, port: str, recipient_port: str) -> None:
    """Commits the referral, then posts it to the recipient; 502 where all tries failed."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{recipient_port}", timeout=TIMEOUT_S) as client:

        async def after_commit(body: bytes) -> int:
            for number in range(TRIES):
                try:
                    if (await client.post("/referrals", content=body)).status_code == 201:
                        return 201
                except httpx.TransportError:
                    pass
                await asyncio.sleep(FIRST_WAIT_S * 2**number)
            return 502

        await _serve(url, port, after_commit)


async def recipient(url: str, port: str) -> None:
    """Commits what is posted to it."""

    async def nothing_more(_: bytes) -> int:
        return 201

    await _serve(url, port, nothing_more)


async def _serve(url: str, port: str, after_commit: Callable[[bytes], Coroutine[Any, Any, int]]) -> None:
    pool: Any = None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        nonlocal pool
        async with asyncpg.create_pool(url, min_size=CLIENTS, max_size=CLIENTS) as pool:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/ready")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/referrals")
    async def post_referral(request: Request) -> Response:
        said = await request.json()
        await pool.execute(raw.KEPT, said["id"], json.dumps(said["data"]))
        return Response(status_code=await after_commit(await request.body()))

    config = uvicorn.Config(app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    roles: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"desk": desk, "issuer": issuer, "recipient": recipient}
    clients.main(roles[sys.argv[1]], *sys.argv[2:])
