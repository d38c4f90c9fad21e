"""What members say of a circle: the newest word of each stands, however often and in whatever order they come."""

import asyncio
from typing import Any
from uuid import UUID

from agencies import World
from sqlalchemy import select, text
from sqlmodel import col

from shared.casework.circles.handlers import forget_told, on_circles_announced
from shared.casework.circles.tables import CircleMember
from shared.contracts.casework import events
from shared.exchange.registry import Received
from shared.kit.ids import new_id

DEADLINE_S = 60


def said(world: World, circle: UUID, version: int, *shares_with: str, consent: UUID | None = None) -> Received:
    """Health's word of whom it shares with."""
    now, word = world.clock.now(), events.CircleAnnounced(circle_version=version, shares_with=shares_with)
    return Received(new_id(), "health", new_id(), word.type, word.version, circle, now, now, consent, version, word)


async def hear(world: World, *words: Received) -> None:
    async with world["police"].database.write() as tx:
        await on_circles_announced(words, tx, world["police"].here)


async def kept(world: World, circle: UUID) -> Any:
    query = select(col(CircleMember.circle_version), col(CircleMember.shares_with), col(CircleMember.consent_id))
    async with world["police"].database.read() as tx:
        return [tuple(row) for row in await tx.session.execute(query.where(col(CircleMember.circle) == circle))]


async def test_the_newest_word_of_a_member_stands_in_one_batch_and_over_several(world: World) -> None:
    circle, first, later = new_id(), new_id(), new_id()
    words = [said(world, circle, version, *shares, consent=first) for version, shares in
             ((1, ["police"]), (3, ["police", "social_welfare"]), (2, []))]  # fmt: skip
    await hear(world, *words)
    assert await kept(world, circle) == [(3, ["police", "social_welfare"], first)]
    await hear(world, said(world, circle, 2, consent=first))
    assert await kept(world, circle) == [(3, ["police", "social_welfare"], first)]
    await hear(world, said(world, circle, 3, "police", "social_welfare", consent=later))  # it goes with the newer consent
    assert await kept(world, circle) == [(3, ["police", "social_welfare"], later)]
    await hear(world, said(world, circle, 4, "police", consent=later), said(world, circle, 5, consent=later))
    assert await kept(world, circle) == [(5, [], later)]


async def test_a_word_under_a_new_consent_stands_though_the_old_one_goes_at_the_same_moment(world: World) -> None:
    circle, old, new = new_id(), new_id(), new_id()
    await hear(world, said(world, circle, 1, "police", consent=old))
    again = said(world, circle, 2, "police", consent=new)
    police = world["police"].database
    if police.dialect == "sqlite":  # one writer after the other
        async with police.write() as tx:
            await forget_told(tx, "health", circle, old)
        await hear(world, again)
    else:
        async with police.write() as tx:
            await forget_told(tx, "health", circle, old)
            hearing = asyncio.create_task(hear(world, again))
            await _waits_for_a_row(world)
        await hearing
    assert await kept(world, circle) == [(2, ["police"], new)]


async def _waits_for_a_row(world: World) -> None:
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with world["police"].database.read() as tx:
                if (await tx.session.execute(waiting)).scalar_one():
                    return
            await asyncio.sleep(0.01)
