"""A relay in another process is woken by a commit that added rows, and by no commit that did not."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from keystores import with_keys

from shared.exchange import bell, outbox
from shared.kit.db import Database

DEADLINE_S = 30


@pytest.fixture
async def two(postgres_url: str) -> AsyncIterator[tuple[Database, Database]]:
    """The same database, as two processes of an agency see it."""
    made = with_keys(postgres_url), with_keys(postgres_url)
    yield made
    for one in made:
        await one.close()


async def test_a_ring_wakes_who_listens_elsewhere(two: tuple[Database, Database]) -> None:
    web, worker = two
    stop, woken, listening = asyncio.Event(), asyncio.Event(), asyncio.Event()
    forget = outbox.on_new_rows(listening.set)  # a listener wakes everybody once, as soon as it listens
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(bell.listen(worker, stop))
        await listening.wait()
        forget()
        forget = outbox.on_new_rows(woken.set)
        async with web.engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            await driver.execute(bell.RING)
        await woken.wait()
        stop.set()
    forget()


async def test_a_commit_that_added_rows_rings(two: tuple[Database, Database]) -> None:
    web, worker = two
    stop, heard = asyncio.Event(), asyncio.Event()
    async with worker.engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.add_listener(bell.CHANNEL, lambda *_: heard.set())
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(bell.ring(web, stop))
            while not heard.is_set():  # the ringer may not have begun to listen to commits yet
                async with web.write() as tx:
                    outbox.wake_on_commit(tx)
                await asyncio.sleep(0)
            stop.set()
        await connection.invalidate()


async def test_without_postgresql_nobody_rings_and_nobody_listens() -> None:
    database, stop = with_keys("sqlite:///:memory:"), asyncio.Event()
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(bell.ring(database, stop))
        tasks.create_task(bell.listen(database, stop))
        await asyncio.sleep(0)
        stop.set()
    await database.close()
