"""A country that nobody has seen, with registers that only its profile names: its agencies, and who writes in them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from agencies import Desk, World
from schema import sqlite_at_head

from shared.casework.accounts.commands import find_account
from shared.casework.accounts.tables import Duty
from shared.casework.directory.of_programme import network_of
from shared.contracts.casework.codes import AgencyKind, Role
from shared.kit.ids import new_id
from shared.programmes.profile import Programme, load_programme

JETTY = "jetty_post_1"
WHOLE = {"came_by": "boat", "people": 3, "hours_at_sea": 7.5, "where_to": "healers/malas_bay", "told": "synthetic words",
         "signed": "A synthetic name"}  # fmt: skip


def anywhere() -> Programme:
    """The country with a register of its own of no case, beside the one of cases."""
    programme = load_programme("tests/support/programmes/xx-anywhere.yaml")
    log = programme.records["tide_log"].model_copy(update={"numbered": True})
    drills = log.model_copy(update={"about": "nobody", "fields": {"people": log.fields["people"]}, "readers": type(log.readers)()})
    return programme.model_copy(update={"records": {**programme.records, "tide_log": log, "drill": drills}})


@asynccontextmanager
async def atoll_world(folder: Path) -> AsyncIterator[World]:
    """Its agencies on fresh SQLite files; lines are carried by hand."""
    programme = anywhere()
    net = network_of(programme, "test", (AgencyKind.POLICE, AgencyKind.HEALTH, AgencyKind.SOCIAL_WELFARE))
    urls = {
        agency: await asyncio.to_thread(sqlite_at_head, folder / f"{agency}.db", str(entry.kind))
        for agency, entry in net.agencies.items()
    }
    world = await World.make(urls, programme, net)
    try:
        yield world
    finally:
        await world.close()


async def captain(world: World, name: str = "captain") -> Desk:
    """Somebody who holds the post that the profile names as the register's reader, and its certificate."""
    desk = await world["guardians"].sign_in(name, Role.OFFICER, JETTY)
    chief = await world["guardians"].sign_in(f"chief-of-{name}", Role.SUPERVISOR, JETTY)
    async with world["guardians"].database.write() as tx:
        account, now = await find_account(tx, name), tx.clock.now()
        tx.session.add(Duty(id=new_id(), facility=JETTY, post="harbour_captain", account_id=account.id, from_at=now,
                            until_at=now + timedelta(days=60), entered_by=account.id))  # fmt: skip
    await chief.post("/certificates", {"account_id": str(account.id), "certificate": "listener", "trained_on": "2025-12-01",
                                       "certified_on": "2025-12-10", "certified_by": "hearth"})  # fmt: skip
    return desk


async def a_case(desk: Desk) -> str:
    return str((await desk.post("/cases", {"needs": {"age_band": "18-24", "sex": "female", "language": "dv"}}))["id"])
