"""The people at the desk: sixteen at once as fast as they can, or a steady stream that does not wait for answers.

Every pipe issues through this, in a process of its own, on the orders of the bench: one line of JSON in, one out.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from bench.sizes import CLIENTS

Issue = Callable[[], Awaitable[None]]


async def take_orders(issue: Issue) -> None:
    """Works until standard input ends. Times are of the machine's wall clock, in seconds."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        began = time.time()
        if "rate" in order:
            await _steadily(issue, order["count"], order["rate"])
        else:
            await _at_once(issue, order["count"])
        print(json.dumps({"began": began, "ended": time.time()}), flush=True)


async def _at_once(issue: Issue, count: int) -> None:
    """Closed loop: each client issues its next referral when its last one is committed."""
    numbers = itertools.count()

    async def client() -> None:
        while next(numbers) < count:
            await issue()

    async with asyncio.TaskGroup() as clients:
        for _ in range(CLIENTS):
            clients.create_task(client())


async def _steadily(issue: Issue, count: int, rate: float) -> None:
    """Open loop: each referral is issued at its own time, whether those before it are through or not."""
    loop = asyncio.get_running_loop()
    lines = asyncio.Semaphore(CLIENTS)
    start = loop.time()
    async with asyncio.TaskGroup() as issuing:
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number / rate - loop.time()))
            issuing.create_task(_one(issue, lines))


async def _one(issue: Issue, lines: asyncio.Semaphore) -> None:
    async with lines:
        await issue()


def main(work: Callable[..., Any], *arguments: str) -> None:
    """Runs one role on the loop that the services run on."""
    uvloop.run(work(*arguments))
