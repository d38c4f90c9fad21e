"""What one agency costs that nobody uses: `refnet serve`, pages and worker in one process, from its start to an idle minute."""

import asyncio
import secrets
import socket
import time
from pathlib import Path
from statistics import median

import httpx

from bench.children import Child, Unmeasured
from bench.pipes import agency_environment, migrated, provisioned, refnet
from bench.report import say
from bench.servers import Servers

RSS_LIMIT_MB = 160.0
READY_LIMIT_S = 2.0
LOOK_S = 0.02  # between questions whether it is ready
START_DEADLINE_S = 60.0
IDLE_S = 10.0  # after it was ready, so that every loop has gone round: the slowest looks every five seconds


async def footprint(servers: Servers, starts: int) -> tuple[float, float]:
    """(resident MB when idle, seconds from start to ready), medians; a first start that warms the disk is not counted."""
    folder, url, agency_id = await _agency(servers)
    await _start(servers, folder, url, "serve", agency_id, idle_s=0.0)
    found = []
    for number in range(1, starts + 1):
        found.append(await _start(servers, folder, url, "serve", agency_id))
        say(f"footprint {number} of {starts}: {found[-1][0]:.0f} MB idle, ready after {found[-1][1]:.2f} s")
    return median(rss for rss, _ in found), median(took for _, took in found)


async def resting(servers: Servers, role: str) -> float:
    """Resident MB of an idle process of one role, `serve` or `web`."""
    folder, url, agency_id = await _agency(servers)
    return (await _start(servers, folder, url, role, agency_id))[0]


async def _agency(servers: Servers) -> tuple[Path, str, str]:
    unique = secrets.token_hex(4)
    folder = servers.folder / unique
    await provisioned(servers, folder, unique)
    return folder, servers.database(servers.template("health_head", migrated("health"))), f"health_{unique}"


async def _start(
    servers: Servers, folder: Path, url: str, role: str, agency_id: str, idle_s: float = IDLE_S
) -> tuple[float, float]:
    """(resident MB after `idle_s`, seconds to ready) of one start."""
    port = _free_port()
    begun = time.perf_counter()
    argv = refnet(role, agency_id, "--port", str(port))
    async with Child(role, argv, agency_environment(folder, servers.kafka, url), folder) as agency:
        await _ready(agency, port)
        took = time.perf_counter() - begun
        await asyncio.sleep(idle_s)
        return agency.rss_mb(), took


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
