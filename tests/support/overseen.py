"""The demo's three agencies and an oversight body beside them, in one process."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from agencies import World, network
from schema import as_application, postgres_at_head, sqlite_at_head

from shared.casework.directory.network import Network, parse_network
from shared.kit.local.postgres_databases import PostgresDatabases

SERVING = ("police", "health", "social_welfare")
KINDS = (*SERVING, "oversight")
OFFICE = {
    "name": "National office", "district": "lusaka", "posts": ["protocol_officer", "director"], "open_hours": "08:00-17:00",
}  # fmt: skip
OVERSIGHT = {"kind": "oversight", "name": "National body", "facilities": {"national_office": OFFICE}}


def overseen_network() -> Network:
    """The demo's, with an oversight body that is paired with everybody."""
    content = network().model_dump(mode="json", exclude_defaults=True)
    content["agencies"]["oversight"] = OVERSIGHT
    content["pairs"] = [*content["pairs"], *([kind, "oversight"] for kind in SERVING)]
    return parse_network(content | {"purpose": "test"}, "this test's")


async def overseen(folder: Path) -> World:
    """On SQLite."""
    urls = {kind: await asyncio.to_thread(sqlite_at_head, folder / f"{kind}.db", kind) for kind in KINDS}
    return await World.make(urls, net=overseen_network())


async def overseen_on_postgresql(server: PostgresDatabases) -> tuple[World, list[str]]:
    """On PostgreSQL, as agencies connect; and the databases that are to be dropped."""
    urls = {kind: await asyncio.to_thread(postgres_at_head, server, kind) for kind in KINDS}
    return await World.make({kind: as_application(url) for kind, url in urls.items()}, net=overseen_network()), list(urls.values())


async def later(world: World, day: str) -> None:
    """It is that day, in the morning."""
    world.clock.advance(datetime.fromisoformat(f"{day}T08:00:00+00:00") - world.clock.now())


async def watch(world: World, *agencies: str) -> None:
    """An hour later every watcher has looked, and everything is delivered."""
    world.clock.advance(timedelta(hours=1))
    for agency in agencies or KINDS:
        await world[agency].watcher.tick()
    await world.settle()
