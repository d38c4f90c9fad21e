"""The three passes over a pipe: as fast as it goes, a steady stream, and a backlog. Figures are read from commit times afterwards.

A pass in which anything was lost or doubled gives no figure.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from bench.children import Child, Unmeasured
from bench.pipes import Pipe, Place, connected
from bench.report import say
from bench.servers import Servers
from bench.sizes import DEADLINE_S, RATE_PER_S, WARM_UPS

LOOK_S = 0.1  # between looks at how many have arrived; a look takes a millisecond
EARLY = 0.1  # where a backlog's memory is looked at first: a tenth of the way
OUTAGE_RATE_PER_S = 10  # issued while the recipient is away
QUIET_S = 30.0  # after which nothing more is expected: longer than any retry, and than a consumer's way back into its group
LATE = 1.05  # a desk that takes longer than this for a steady stream does not keep its rate
STEADY_WARM_S = 2  # of a steady pass are not measured


@dataclass(slots=True)
class Line:
    """A pipe at work: its three processes, and a connection at either end for looking."""

    pipe: Pipe
    place: Place
    desk: Child
    relay: Child
    clinic: Child
    at_desk: Any
    at_clinic: Any

    async def arrived(self, count: int) -> None:
        """Waits until `count` referrals are committed at the clinic; raises Unmeasured where they do not come."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while (found := await self.at_clinic.fetchval(self.pipe.arrived)) < count:
                    for child in (self.desk, self.relay, self.clinic):
                        child.check()
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise Unmeasured(f"{self.pipe.name}: of {count} referrals only {found} came within {DEADLINE_S:.0f} s.") from None

    async def ways(self, since: float = 0.0) -> list[tuple[float, float]]:
        """(commit at the desk, commit at the clinic) of every referral that the desk committed since, in seconds, in that order."""
        desk: dict[str, float] = dict(await self.at_desk.fetch(self.pipe.at_desk))
        clinic: dict[str, float] = dict(await self.at_clinic.fetch(self.pipe.at_clinic))
        if desk.keys() != clinic.keys():
            raise Unmeasured(f"{self.pipe.name}: {len(desk)} referrals were issued and {len(clinic)} arrived; no figure.")
        return sorted((at, clinic[referral]) for referral, at in desk.items() if at >= since)


@contextlib.asynccontextmanager
async def line(pipe: Pipe, servers: Servers, referrals: int) -> AsyncIterator[Line]:
    """The pipe with everything warm: WARM_UPS referrals have gone through."""
    place = await pipe.place(servers, referrals + WARM_UPS)
    async with contextlib.AsyncExitStack() as stack:
        children = [await stack.enter_async_context(child) for child in (pipe.desk(place), pipe.relay(place), pipe.clinic(place))]
        ends = [await stack.enter_async_context(connected(url)) for url in (place.desk_url, place.clinic_url)]
        made = Line(pipe, place, *children, *ends)
        await made.desk.order(count=WARM_UPS)
        await made.arrived(WARM_UPS)
        for end in ends:
            await end.execute("ANALYZE")
        yield made


async def throughput(pipe: Pipe, servers: Servers, referrals: int) -> float:
    """Referrals a second, from the first client's start until the clinic has committed the last."""
    async with line(pipe, servers, referrals) as made:
        times = await made.desk.order(count=referrals)
        await made.arrived(WARM_UPS + referrals)
        ways = (await made.ways())[WARM_UPS:]
        began: float = times["began"]
        return referrals / (max(clinic for _, clinic in ways) - began)


async def latencies_ms(pipe: Pipe, servers: Servers, seconds: int, at_end: Callable[[Line], None] = lambda _: None) -> list[float]:
    """From commit to commit, of every referral of a steady stream; `at_end` may look at the processes while they still run."""
    warm = STEADY_WARM_S * RATE_PER_S
    count = warm + seconds * RATE_PER_S
    async with line(pipe, servers, count) as made:
        times = await made.desk.order(count=count, rate=RATE_PER_S)
        if times["ended"] - times["began"] > LATE * count / RATE_PER_S:
            say(f"{pipe.name}: the desk could not issue {RATE_PER_S} a second, so what lay between is a queue, not a latency")
        await made.arrived(WARM_UPS + count)
        at_end(made)
        return [(clinic - desk) * 1000 for desk, clinic in (await made.ways())[WARM_UPS + warm :]]


@dataclass(frozen=True, slots=True)
class Drained:
    """What a backlog cost. Memory is of relay and clinic together, in MB, at a tenth of the way and at its end."""

    per_s: float
    early_mb: float
    late_mb: float


async def drain(pipe: Pipe, servers: Servers, events: int) -> Drained:
    """A backlog goes through a relay that starts: from the clinic's first commit of it to the last."""
    async with line(pipe, servers, 0) as made:
        await made.relay.stop()
        await pipe.fill(made.place, events)
        async with pipe.relay(made.place) as relay:
            made.relay = relay
            await made.arrived(WARM_UPS + int(events * EARLY))
            early = relay.rss_mb() + made.clinic.rss_mb()
            await made.arrived(WARM_UPS + events)
            late = relay.rss_mb() + made.clinic.rss_mb()
            commits = sorted(clinic for _, clinic in await made.ways())[WARM_UPS:]
        after_first = sum(1 for at in commits if at > commits[0])
        return Drained(after_first / (commits[-1] - commits[0]), early, late)


async def outage(pipe: Pipe, servers: Servers, seconds: int) -> int:
    """The recipient is stopped while the desk goes on issuing, then started again; how many referrals never arrive."""
    count = seconds * OUTAGE_RATE_PER_S
    async with line(pipe, servers, count) as made:
        await made.clinic.stop()
        issuing = asyncio.create_task(made.desk.order(count=count, rate=OUTAGE_RATE_PER_S))
        await asyncio.sleep(seconds)
        async with pipe.clinic(made.place) as clinic:
            made.clinic = clinic
            await issuing
            await _quiet(made)
            issued = await made.at_desk.fetchval(pipe.arrived)
            return int(issued - await made.at_clinic.fetchval(pipe.arrived))


async def _quiet(made: Line) -> None:
    """Waits until all has arrived, or nothing has for QUIET_S."""
    issued, found, since = await made.at_desk.fetchval(made.pipe.arrived), -1, time.monotonic()
    while time.monotonic() - since < QUIET_S and found < issued:
        now = await made.at_clinic.fetchval(made.pipe.arrived)
        if now != found:
            found, since = now, time.monotonic()
        await asyncio.sleep(LOOK_S)
