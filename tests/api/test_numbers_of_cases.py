"""Whoever takes case numbers keeps nobody else from taking the next: intake is always open, whatever a batch is at."""

import asyncio

import pytest
from agencies import World

from shared.casework.cases.commands import next_numbers

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
