"""A list of what the diary opened is read in two statements, and what is numbered between them is on it once (PostgreSQL, where
each statement sees what others have written meanwhile)."""

import asyncio
from typing import Any

import pytest
from agencies import World, consent, open_case, refer
from schema import postgres_at_head

from shared.casework.referrals.tables import Referral
from shared.casework.timeline.views import page_by_opening
from shared.exchange.feed import number_feed
from shared.kit.local.postgres_databases import PostgresDatabases


async def test_what_is_numbered_while_a_list_is_read_is_on_it_once(
    postgres: PostgresDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await asyncio.to_thread(postgres_at_head, postgres, "police")
    world = await World.make({"police": url})
    try:
        desk, database = await world["police"].sign_in("desk"), world["police"].database
        sent = []
        for _ in range(3):
            case_id, incident_id = await open_case(desk)
            await consent(desk, case_id, "health")
            sent.append((await refer(desk, case_id, incident_id, "health"))["id"])
        numbered = []
        async with database.write() as tx:
            execute = tx.session.execute

            async def and_then_number(*asked: Any, **more: Any) -> Any:
                found = await execute(*asked, **more)
                numbered.append(await number_feed(database))
                return found

            monkeypatch.setattr(tx.session, "execute", and_then_number)
            rows, _following = await page_by_opening(tx, Referral, "referral.issued", None, 50)
        assert numbered[0] > 0
        assert [str(row.id) for row in rows] == sent[::-1]
    finally:
        await world.close()
        await asyncio.to_thread(postgres.drop_database, url.rpartition("/")[2])
