"""Taking consent back travels on the express lane while what rests on it travels on the other: both orders end alike."""

import asyncio
from typing import Any

import pytest
from agencies import World, consent, open_case, refer
from schema import postgres_at_head
from sqlalchemy import select

from shared.casework.referrals.tables import Referral
from shared.exchange import inbox as inbox_module
from shared.exchange.heads import advance_head
from shared.kit.local.postgres_databases import PostgresDatabases

AGENCIES = ("police", "health", "social_welfare")


@pytest.fixture
async def on_postgres(postgres: PostgresDatabases) -> Any:
    urls = {
        agency: await asyncio.to_thread(postgres_at_head, postgres, agency) for agency in ("police", "health", "social_welfare")
    }
    world = await World.make(urls)
    yield world
    await world.close()
    for url in urls.values():
        await asyncio.to_thread(postgres.drop_database, url.rpartition("/")[2])


@pytest.mark.parametrize("first", ["normal", "express"])
async def test_both_lanes_at_once_leave_both_ends_agreed(on_postgres: World, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = on_postgres
    desk, clinic = await world["police"].sign_in("desk"), world["health"]
    case_id, incident_id = await open_case(desk)
    agreed = await consent(desk, case_id, "health", "fb", "prog")
    await world.settle()
    issued = await refer(desk, case_id, incident_id, "health", urgency="routine")
    await world["police"].flush()
    await desk.take_back(case_id, agreed)
    await world["police"].flush()
    lanes: dict[str, list[bytes]] = {"normal": [], "express": []}
    for one in world["police"].line:
        if one.recipient == "health":
            lanes["express" if one.is_express else "normal"].append(one.envelope)
    assert lanes["normal"]
    assert lanes["express"]
    second = "express" if first == "normal" else "normal"
    almost_done, go_on = asyncio.Event(), asyncio.Event()

    async def held(*args: Any) -> Any:
        if not almost_done.is_set():
            almost_done.set()
            await go_on.wait()  # everything of the first batch is written and nothing is committed
        return await advance_head(*args)

    monkeypatch.setattr(inbox_module, "advance_head", held)
    earlier = asyncio.create_task(clinic.hear("police", lanes[first]))
    await almost_done.wait()
    later = asyncio.create_task(clinic.hear("police", lanes[second]))
    done, _ = await asyncio.wait([later], timeout=1)
    assert not done  # it waits for what rests on the same consent
    go_on.set()
    await earlier
    await later
    await world.settle()
    async with clinic.database.read() as tx:
        held_there = list((await tx.session.execute(select(Referral))).scalars())
    # What came before it was taken back is ended; what came after it was never opened.
    assert [referral.is_open for referral in held_there] == ([False] if first == "normal" else [])
    assert (await desk.get(f"/referrals/{issued['id']}"))["status"] == "cancelled"
