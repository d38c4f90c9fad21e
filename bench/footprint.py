"""What one agency costs that nobody uses: `refnet serve`, pages and worker in one process, from its start to an idle minute."""

import asyncio
import secrets
import socket
import time
from statistics import median

import httpx

from bench.children import Child, Unmeasured
from bench.pipes import agency_environment, migrated, refnet, write_network
from bench.report import say
from bench.servers import Servers
from shared.exchange.access import Access, provision

RSS_LIMIT_MB = 160.0
READY_LIMIT_S = 2.0
LOOK_S = 0.02  # between questions whether it is ready
START_DEADLINE_S = 60.0
IDLE_S = 10.0  # after it was ready, so that every loop has gone round: the slowest looks every five seconds


async def footprint(servers: Servers, starts: int) -> tuple[float, float]:
    """(resident MB when idle, seconds from start to ready), medians; a first start that warms the disk is not counted."""
    unique = secrets.token_hex(4)
    folder = servers.folder / unique
    await provision(Access(servers.kafka), write_network(folder, unique), 1)
    url = servers.database(servers.template("health_head", migrated("health")))
    sizes, times = [], []
    for number in range(1 + starts):
        port = _free_port()
        argv = refnet("serve", f"health_{unique}", "--port", str(port))
        begun = time.perf_counter()
        async with Child("serve", argv, agency_environment(folder, servers.kafka, url), folder) as agency:
            await _ready(agency, port)
            took = time.perf_counter() - begun
            if number == 0:
                continue
            await asyncio.sleep(IDLE_S)
            times.append(took)
            sizes.append(agency.rss_mb())
            say(f"footprint {number} of {starts}: {sizes[-1]:.0f} MB idle, ready after {took:.2f} s")
    return median(sizes), median(times)


async def _ready(agency: Child, port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        end = time.perf_counter() + START_DEADLINE_S
        while time.perf_counter() < end:
            agency.check()
            try:
                if (await client.get("/health/ready")).json().get("status") == "ready":
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(LOOK_S)
    raise Unmeasured(f"The agency was not ready within {START_DEADLINE_S:.0f} s: {agency.last_words()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
