"""Whoever takes case numbers keeps nobody else from taking the next: intake is always open, whatever a batch is at."""

import asyncio

import asyncpg
import pytest
from agencies import World
from schema import as_superuser

from shared.casework.cases.commands import next_numbers
from shared.exchange.incarnations import current_incarnation, open_incarnation

AT_ONCE_S = 8.0  # a lock is waited for longer (LOCK_TIMEOUT_S); a case is opened in milliseconds


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)  # on SQLite a writer is alone
async def test_a_case_is_opened_while_a_batch_that_has_taken_numbers_goes_on(world: World) -> None:
    police, desk = world["police"], await world["police"].sign_in("desk")
    async with police.database.write() as batch:
        taken = await next_numbers(batch, police.here, world.clock.now().year, 3)
        async with asyncio.timeout(AT_ONCE_S):
            opened = await desk.post("/cases")
    assert len({*taken, opened["number"]}) == 4


async def test_each_number_is_given_once_though_a_batch_was_rolled_back(world: World) -> None:
    police, desk = world["police"], await world["police"].sign_in("desk")

    async def rolled_back() -> None:
        async with police.database.write() as batch:
            await next_numbers(batch, police.here, world.clock.now().year, 3)
            raise LookupError

    with pytest.raises(LookupError):
        await rolled_back()
    numbers = [(await desk.post("/cases"))["number"] for _ in range(3)]
    assert len(set(numbers)) == 3


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)  # with SQLite: tests/journeys/test_what_a_restore_lost.py
async def test_a_restore_puts_the_numbers_back_and_gives_none_twice(world: World) -> None:
    police, year = world["police"], world.clock.now().year
    async with police.database.write() as tx:
        await current_incarnation(tx)
        lost = await next_numbers(tx, police.here, year, 40)
    owner = await asyncpg.connect(as_superuser(police.database.url).replace("+asyncpg", ""))
    await owner.execute("SELECT setval('casework_case_number', 1, false)")
    await owner.close()
    async with police.database.write() as tx:
        await open_incarnation(tx, police.here.peers, "restored")
        assert not {*lost} & {*await next_numbers(tx, police.here, year, 40)}
