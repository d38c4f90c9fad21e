"""Whoever may write to a database without its keystore, puts one person's sealed words into another's row: nobody reads them."""

from typing import Any

import pytest
from agencies import World, consent, open_case, refer
from reports import nurse, officer
from sqlalchemy import select, text
from sqlmodel import SQLModel

from shared.kit.db import Database
from shared.kit.keystore import ValueNotOpened
from shared.kit.sealed import Sealed

# What two requests that end in care leave behind, at the desk and at the clinic.
SEEN = {
    "casework_cases.needs", "casework_incidents.incident_type", "casework_incidents.latest_at", "casework_consents.language",
    "casework_notes.text", "casework_referrals.said", "casework_referrals.arrival_code", "casework_referral_facts.data",
    "exchange_outbox.data", "exchange_activity.detail",
}  # fmt: skip


def bound() -> list[Any]:
    return [c for table in SQLModel.metadata.sorted_tables for c in table.columns if isinstance(c.type, Sealed) and c.type.of]


async def test_what_is_put_into_another_persons_row_opens_for_nobody(world: World) -> None:
    desk, clinic = await officer(world), await nurse(world)
    for _ in range(2):
        case_id, incident_id = await open_case(desk)
        await consent(desk, case_id, "health", "needs", "fb")
        rid = (await refer(desk, case_id, incident_id, "health", note="She is afraid of the way."))["id"]
        await world.settle()
        await clinic.post(f"/referrals/{rid}/arrive", {"feedback": True})
        await clinic.post(f"/referrals/{rid}/care", {"care": "examination", "result": "given"})
        await world.settle()
    tried = {
        f"{column.table.name}.{column.name}"
        for kind in ("police", "health")
        for column in bound()
        if await opens_nowhere_else(world[kind].database, kind, column)
    }
    assert tried >= SEEN, SEEN - tried


async def opens_nowhere_else(database: Database, kind: str, column: Any) -> bool:
    """Puts a value into a row about something else; False where there are not two such rows. Nothing of it is kept."""
    table, of = column.table, column.type.of
    others = {"police", "health", "social_welfare", "justice"} - {kind}
    if table.name.startswith(tuple(f"{one}_" for one in others)):
        return False
    key = next(iter(table.primary_key.columns)).name
    async with database.read() as tx:
        rows = (
            await tx.session.execute(text(f'SELECT {key} AS key, {of} AS about, "{column.name}" AS held FROM {table.name}'))
        ).all()
        full = [row for row in rows if row.held is not None]
        other = next((row for row in full if row.about != full[0].about), None)
        if other is None:
            return False
        assert (await tx.session.execute(select(column))).all()
        change = text(f'UPDATE {table.name} SET "{column.name}" = :held WHERE {key} = :key')
        await tx.session.execute(change, {"held": full[0].held, "key": other.key})
        with pytest.raises(ValueNotOpened, match="changed or moved"):
            (await tx.session.execute(select(column))).all()
    return True
