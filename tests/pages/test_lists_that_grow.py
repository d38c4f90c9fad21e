"""No page reads a whole table that grows with the years: its statements are explained, and each finds its rows by an index."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from agencies import TestAgency, World
from schema import as_superuser
from shift import nurse, officer, sent
from signing_in import settled_account, sign_in
from sqlalchemy import text, update
from statements import Said, statements_of
from visitor import Visitor

from bench.pages import BATCH, OPEN_EVERY, FullAgency
from shared.casework.lines.figures import FIGURES_KEPT_S
from shared.contracts.casework.codes import Role
from shared.exchange.tables import InboxRow, OutboxRow
from shared.kit.db import Database
from shared.kit.ids import new_id
from shared.kit.keystore import Keystore

OPENED_MAX = 250  # sealed values of one page: five of each of fifty rows
GROWING = ("casework_cases", "casework_referrals", "casework_referral_facts", "casework_progress", "casework_case_reads",
           "exchange_activity", "exchange_outbox", "exchange_inbox", "exchange_slots", "exchange_events")  # fmt: skip
# SQLite says SCAN also where it walks an index; a covering or partial one that is named is no table.
READS_ALL = {
    "sqlite": re.compile(rf"SCAN ({'|'.join(GROWING)})(?! USING)"),
    "postgresql": re.compile(rf"Seq Scan on ({'|'.join(GROWING)})"),
}


async def plans(agency: TestAgency, said: Sequence[Said]) -> AsyncIterator[tuple[str, str]]:
    """Each statement that looks, with how the database finds its rows where it may not read a table whole."""
    async with agency.database.engine.connect() as connection:
        kind = connection.dialect.name
        if kind == "postgresql":
            await connection.execute(text("SET LOCAL enable_seqscan = off"))  # so it says where there is no other way
        for statement, parameters in said:
            if statement.lstrip().startswith(("SELECT", "WITH")):
                explain = "EXPLAIN QUERY PLAN" if kind == "sqlite" else "EXPLAIN"
                plan = (await connection.exec_driver_sql(f"{explain} {statement}", parameters)).all()
                yield statement, "\n".join(" ".join(map(str, line)) for line in plan)


async def tables_read_whole(agency: TestAgency, said: Sequence[Said]) -> list[str]:
    """The statements for which no index can be found, each with the table."""
    whole = READS_ALL[agency.database.dialect]
    return [f"{table}: {statement}" async for statement, plan in plans(agency, said) for table in whole.findall(plan)]


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


COUNTED_BY = ("ix_exchange_outbox_undelivered", "ix_exchange_inbox_waiting", "ix_exchange_inbox_parked")


async def test_figures_are_counted_by_an_index_of_what_is_open(world: World) -> None:
    await sent(world, await officer(world))
    police = world["police"]
    chief = await police.sign_in("chief", Role.SUPERVISOR)
    async with police.database.write() as tx:  # beside what has been signed for, and what waits from another, there is little
        now = tx.clock.now()
        tx.session.add_all([spoken(now, delivered_at=now) for _ in range(300)])
        tx.session.add_all([heard(now, "social_welfare", state) for state in ("waiting", "applied") for _ in range(300)])
    await analyze(police, "exchange_outbox", "exchange_inbox")
    with statements_of(police) as said:
        assert (await police.client.get("/metrics")).status_code == 200
        assert (await chief.get("/peers"))["items"]
        assert (await chief.get("/parked"))["items"] == []
    found = [plan async for _statement, plan in plans(police, said)]
    assert [name for name in COUNTED_BY if not any(name in plan for plan in found)] == []
    assert await tables_read_whole(police, said) == []


async def analyze(agency: TestAgency, *tables: str) -> None:
    """As autovacuum does it sooner or later; nobody but the tables' owner may."""
    url = as_superuser(agency.database.url).replace("+asyncpg", "").replace("+aiosqlite", "")
    owner = Database(url, keys=agency.database.keys)
    async with owner.write() as tx:
        for table in tables:
            await tx.session.execute(text(f"ANALYZE {table}"))
    await owner.close()


def heard(at: datetime, sender: str, state: str) -> InboxRow:
    """A word of that sender, in that state."""
    return InboxRow(
        sender=sender, event_id=new_id(), state=state, type="story.told", dataversion=1, subject=new_id(), received_at=at
    )


def spoken(at: datetime, delivered_at: datetime | None = None) -> OutboxRow:
    """A word to the clinic, that nobody has signed for unless it says when."""
    about = new_id()
    return OutboxRow(
        event_id=new_id(),
        recipient="health",
        type="story.told",
        dataversion=1,
        subject=about,
        lane_key=about,
        occurred_at=at,
        recorded_at=at,
        delivered_at=delivered_at,
    )


async def test_figures_are_kept_for_whoever_asks_all_the_time(world: World) -> None:
    police = world["police"]
    none, one = (f'refnet_undelivered_events{{peer="health"}} {count}.0' for count in (0, 1))
    assert none in (await police.client.get("/metrics")).text
    async with police.database.write() as tx:
        tx.session.add(spoken(tx.clock.now()))
    with statements_of(police) as said:
        assert none in (await police.client.get("/metrics")).text
    assert said == []
    world.clock.advance(timedelta(seconds=FIGURES_KEPT_S))
    assert one in (await police.client.get("/metrics")).text
    async with police.database.write() as tx:
        await tx.session.execute(update(OutboxRow).values(is_forked=True))  # another word of ours has its slot
    world.clock.advance(timedelta(seconds=FIGURES_KEPT_S))
    assert none in (await police.client.get("/metrics")).text


async def test_a_list_opens_what_it_shows_and_nothing_else(tmp_path: Path) -> None:
    """However many cases lie sealed: what a page shows is opened, and of the work list what is open."""
    opened: list[dict[str, int]] = []
    for size in (BATCH, 2 * BATCH):
        agency = FullAgency("health", f"sqlite:///{tmp_path}/{size}.db")
        await agency.fill(size)
        keys, counts = agency.database.keys, {}
        assert keys is not None
        client = await agency.browser()
        for path in ("/cases", "/work", "/api/v1/cases", "/api/v1/referrals?direction=in&status=closed"):
            with counted(keys) as count:
                assert (await client.get(path)).status_code == 200
            counts[path] = count[0]
        opened.append(counts)
        await client.aclose()
        await agency.database.close()
    at_work = [counts.pop("/work") - 1 for counts in opened]  # whoever asks has a list of what she may not see: that is one more
    assert at_work == [BATCH // OPEN_EVERY, 2 * BATCH // OPEN_EVERY]
    assert opened[0] == opened[1]
    assert 0 < max(opened[0].values()) <= OPENED_MAX


@contextmanager
def counted(keys: Keystore) -> Iterator[list[int]]:
    """How many sealed values are opened meanwhile."""
    count, real = [0], keys.open

    def counting(label: str, sealed: bytes, of: UUID | None = None) -> bytes:
        count[0] += 1
        return real(label, sealed, of)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "open", counting)
        yield count
