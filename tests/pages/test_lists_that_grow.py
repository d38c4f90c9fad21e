"""No page reads a whole table that grows with the years: its statements are explained, and each finds its rows by an index."""

import re
from collections.abc import Sequence

from agencies import TestAgency, World
from shift import nurse, officer, sent
from signing_in import settled_account, sign_in
from sqlalchemy import text
from statements import Said, statements_of
from visitor import Visitor

from shared.contracts.casework.codes import Role

GROWING = ("casework_cases", "casework_referrals", "casework_referral_facts", "casework_progress", "casework_case_reads",
           "exchange_activity", "exchange_outbox", "exchange_slots", "exchange_events")  # fmt: skip
# SQLite says SCAN also where it walks an index; a covering or partial one that is named is no table.
READS_ALL = {
    "sqlite": re.compile(rf"SCAN ({'|'.join(GROWING)})(?! USING)"),
    "postgresql": re.compile(rf"Seq Scan on ({'|'.join(GROWING)})"),
}


async def tables_read_whole(agency: TestAgency, said: Sequence[Said]) -> list[str]:
    """The statements for which no index can be found, each with the table."""
    found = []
    async with agency.database.engine.connect() as connection:
        kind = connection.dialect.name
        if kind == "postgresql":
            await connection.execute(text("SET LOCAL enable_seqscan = off"))  # so it says where there is no other way
        for statement, parameters in said:
            if not statement.lstrip().startswith(("SELECT", "WITH")):
                continue
            explain = "EXPLAIN QUERY PLAN" if kind == "sqlite" else "EXPLAIN"
            plan = (await connection.exec_driver_sql(f"{explain} {statement}", parameters)).all()
            found += [f"{table}: {statement}" for line in plan for table in READS_ALL[kind].findall(" ".join(map(str, line)))]
    return found


async def colleague(world: World) -> Visitor:
    """A social worker who follows a place and a service, so that her list asks what changed in them."""
    visitor = Visitor(world["social_welfare"].app)
    await sign_in(visitor, await settled_account(world["social_welfare"], "worker-1", Role.SOCIAL_WORKER), "worker-1")
    forms = (await visitor.open("/following")).forms
    place, service = (next(form for form in forms if what in form.choices) for what in ("facility", "service"))
    await visitor.send(place, facility=place.choices["facility"][-1])
    await visitor.send(service, service=service.choices["service"][-1])
    return visitor


async def test_every_page_and_the_watcher_find_their_rows_by_an_index(world: World) -> None:
    desk = await officer(world)
    at_work = {"police": desk, "health": await nurse(world), "social_welfare": await colleague(world)}
    case, referral = await sent(world, desk)
    pages = ["/work", "/cases", "/hand-over", "/here-now", "/api/v1/referrals?direction=in&status=closed", "/api/v1/cases"]
    for agency, visitor in at_work.items():
        with statements_of(world[agency]) as said:
            for path in pages + ([case, referral] if visitor is desk else []):
                await visitor.open(path)
            await world[agency].watcher.tick()
        assert said
        assert await tables_read_whole(world[agency], said) == [], agency
