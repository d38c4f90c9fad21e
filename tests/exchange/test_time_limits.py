"""What PostgreSQL itself cuts off: whoever waits too long, works too long or hangs in a transaction. It is tried again, or told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from exchange_node import Node, Said, new_subject
from keystores import with_keys
from sqlalchemy import text

from shared.casework.migrate import migrate
from shared.exchange import bell
from shared.exchange.inbox import Inbox
from shared.exchange.outbox import on_new_rows
from shared.exchange.registry import Received, Registry, Subscription, of_itself
from shared.exchange.turns import Turns
from shared.kit import db
from shared.kit.clock import ManualClock
from shared.kit.db import Database, Transaction
from shared.kit.errors import DatabaseAway

DEADLINE_S = 30
FOREVER = "SELECT pg_sleep(3600)"
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"


@pytest.fixture
async def two(postgres_url: str) -> AsyncIterator[list[Database]]:
    """The same database, as two processes of an agency see it, with the limits as they are."""
    made = [with_keys(postgres_url), with_keys(postgres_url)]
    yield made
    for one in made:
        await one.close()


async def ask(database: Database, statement: str) -> object:
    async with database.write() as tx:
        done = await tx.session.execute(text(statement))
        return done.scalar() if done.returns_rows else None  # type: ignore[attr-defined]


async def test_each_connection_has_the_limits(two: list[Database]) -> None:
    named = {"lock_timeout": "10s", "statement_timeout": "1min", "idle_in_transaction_session_timeout": "1min"}
    assert {name: await ask(two[0], f"SHOW {name}") for name in named} == named


async def test_whoever_waits_too_long_for_a_row_is_told_to_try_again(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "LOCK_TIMEOUT_S", 0.05)
    one, other = with_keys(postgres_url), with_keys(postgres_url)
    await ask(one, "CREATE TABLE rows (id int PRIMARY KEY, n int)")
    await ask(one, "INSERT INTO rows VALUES (1, 0)")
    async with asyncio.timeout(DEADLINE_S), one.write() as tx:
        await tx.session.execute(text("UPDATE rows SET n = 1"))
        with pytest.raises(DatabaseAway, match="try again"):
            await ask(other, "UPDATE rows SET n = 2")
        with pytest.raises(DatabaseAway):  # the hot statements, which go to the driver
            async with other.write() as mine:
                await (await mine.driver()).execute("UPDATE rows SET n = 2")
    await ask(other, "UPDATE rows SET n = 2")
    for database in (one, other):
        await database.close()


async def test_a_statement_that_goes_on_for_ever_is_cut_off(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "STATEMENT_TIMEOUT_S", 2.0)
    database = with_keys(postgres_url)
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(DatabaseAway):
            await ask(database, FOREVER)
        assert await ask(database, "SELECT 1") == 1
    await database.close()


async def test_a_process_that_hangs_in_a_transaction_lets_go(
    two: list[Database], postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "IDLE_IN_TRANSACTION_S", 2.0)
    hangs = with_keys(postgres_url)

    async def hang() -> None:
        async with hangs.write() as tx:
            pid = (await tx.session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            while await ask(two[0], f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}"):
                await asyncio.sleep(0.01)
            await tx.session.execute(text("SELECT 1"))

    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(DatabaseAway):
            await hang()
        assert await ask(hangs, "SELECT 1") == 1
    await hangs.close()


async def test_an_event_that_met_a_limit_is_taken_again_and_never_parked(
    two_databases: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    police = await Node.make("police", two_databases[0], clock)
    await (await Node.make("health", two_databases[1], clock)).database.close()
    monkeypatch.setattr(db, "STATEMENT_TIMEOUT_S", 3.0)
    health, slow = Node("health", with_keys(two_databases[1], clock)), [True]

    async def on_told(received: Received, tx: Transaction) -> None:
        if slow:
            await tx.session.execute(text(FOREVER))
        health.note(tx, received.subject, received.data.step)

    health.inbox = Inbox(health.database, Registry([Subscription("story.told", 1, Said, of_itself, on_told)]), health)
    subject = new_subject()
    await police.say("health", subject, 1)
    envelopes = await police.number("health")
    with pytest.raises(DatabaseAway):
        await health.hear("police", envelopes)
    assert await health.inbox_states() == {}
    slow.clear()
    await health.hear("police", envelopes)
    assert (health.applied, health.troubles) == ([(subject, 1)], [])
    for node in (police, health):
        await node.database.close()


async def test_turns_and_bells_last_longer_because_they_hold_no_transaction(two: list[Database]) -> None:
    turns, stop, listening = Turns(two[0]), asyncio.Event(), asyncio.Event()
    forget = on_new_rows(listening.set)  # a listener wakes everybody once, as soon as it listens
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(bell.listen(two[0], stop))
        await listening.wait()
        async with turns.of("health") as ours:
            assert ours
            assert await ask(two[1], OPEN) == 0
        stop.set()
    forget()
    await turns.end()


STEP = """
from alembic import op

revision, down_revision, branch_labels, depends_on = "0001_slow", None, ("slow",), None


def upgrade() -> None:
    op.execute("SELECT pg_sleep(4)")
"""


async def test_a_migration_works_until_it_is_done(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "STATEMENT_TIMEOUT_S", 2.0)
    (tmp_path / "0001_slow.py").write_text(STEP)
    database = with_keys(postgres_url)
    await migrate(database, tmp_path, "slow_")
    assert await ask(database, "SELECT count(*) FROM alembic_version WHERE version_num = '0001_slow'") == 1
    await database.close()
