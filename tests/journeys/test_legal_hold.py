"""Shredding under a hold is refused; what is taken back meanwhile is read by nobody; after the hold nothing opens it any more."""

import asyncio
import logging
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from agencies import Desk, Refused, TestAgency, World, database_at
from canaries import Story, everything, left, tell
from kafka_line import until
from keystores import lose
from sqlalchemy import func, select, text
from sqlmodel import col

import services.escrow
from services.escrow import Escrow, deposit, erase_again, look_after_case_keys, read_held
from shared.casework.accounts.commands import actor_of
from shared.casework.cases.commands import key_names
from shared.casework.cases.tables import Case
from shared.casework.holds.commands import add_to_holds, lift_hold
from shared.casework.holds.releasing import destroy_released
from shared.casework.holds.tables import HeldCopy
from shared.contracts.casework import events
from shared.contracts.casework.codes import Role
from shared.exchange.clearing import BACKUP_WINDOW, clear
from shared.exchange.erasing import received_key
from shared.exchange.tables import InboxRow, OutboxRow
from shared.exchange.verify import verify
from shared.kit.db import Transaction
from shared.kit.errors import DatabaseAway
from shared.kit.keystore import KeyHeld, Keystore, KeystoreAway

on_postgres = pytest.mark.parametrize("world", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("world", ["sqlite"], indirect=True)
LOOKED_WITHIN_S = 30  # all three steps take some milliseconds
ORDER = {"order": "High Court, order 12 of 2026"}


async def case_at(world: World, agency: str, story: Story) -> str:
    reader = await world[agency].sign_in(f"reader_{agency}")
    return str((await reader.get(f"/referrals/{story.sent[agency]}"))["case_id"])


async def supervisor(world: World, agency: str) -> Desk:
    return await world[agency].sign_in(f"in_charge_{agency}", Role.SUPERVISOR)


async def shown(world: World, case: str, referral: str) -> str:
    """What the clinic's people see of it."""
    nurse = await world["health"].sign_in("nurse")
    return str([await nurse.get(path) for path in (f"/referrals/{referral}", f"/cases/{case}", f"/cases/{case}/timeline")])


async def test_shred_under_hold_is_refused_and_after_it_the_copies_are_irrecoverable(world: World, tmp_path: Path) -> None:
    story = await tell(world)
    await world.settle()
    case, canaries = await case_at(world, "health", story), story.canaries["health"]
    judge = await supervisor(world, "health")
    hold = await judge.post(f"/cases/{case}/holds", ORDER)
    async with world["health"].database.write() as tx:
        row = (await tx.session.execute(select(Case))).scalar_one()
        names = await key_names(tx, row.id)
        with pytest.raises(KeyHeld, match="order of a court"):
            tx.keys.destroy(names, tx.clock.now())
    await story.take_back("health")
    await world.settle()
    assert await story.erasure("health") == "held"
    seen = await shown(world, case, story.sent["health"])
    assert {one for one in canaries if one in seen} == set()  # read by nobody
    assert await left(world["health"], canaries) == canaries  # and kept, for the court
    for _ in range(2):
        world.clock.advance(BACKUP_WINDOW * 2)
        await world.settle()
        agency = world["health"]
        await clear(agency.database, agency.hooks.acts_first, agency.hooks.held)
    assert await left(world["health"], canaries) == canaries
    kept = await world.back_up("health") if world["health"].database.dialect == "sqlite" else None

    await judge.ask("DELETE", f"/cases/{case}/holds/{hold['id']}")
    assert (await judge.get(f"/cases/{case}/holds"))["items"] == []
    await world.settle()
    assert await story.erasure("health") == "destroyed"
    assert await left(world["health"], canaries) == set()
    if kept is not None:  # what was copied while the hold was in force
        copy = tmp_path / "copy.db"
        copy.write_bytes(kept)
        database = database_at(f"sqlite:///{copy}", world.clock)
        held = await everything(database)
        assert {one for one in canaries if one in held} == set()
        await database.close()
    agency = world["health"]
    assert (await verify(agency.database, "health", agency.seal, [])).findings == []


async def test_while_one_hold_of_two_is_left_nothing_is_destroyed(world: World) -> None:
    story = await tell(world)
    await world.settle()
    case = await case_at(world, "health", story)
    judge = await supervisor(world, "health")
    first, second = [await judge.post(f"/cases/{case}/holds", ORDER) for _ in range(2)]
    await story.take_back("health")
    await world.settle()
    await judge.ask("DELETE", f"/cases/{case}/holds/{first['id']}")
    await world.settle()
    assert await story.erasure("health") == "held"
    assert await left(world["health"], story.canaries["health"]) == story.canaries["health"]
    await judge.ask("DELETE", f"/cases/{case}/holds/{second['id']}")
    await world.settle()
    assert await story.erasure("health") == "destroyed"
    assert await left(world["health"], story.canaries["health"]) == set()


async def test_nothing_is_destroyed_before_the_lifting_is_committed_and_a_crash_after_it_is_made_good(world: World) -> None:
    story = await tell(world)
    await world.settle()
    case, canaries = await case_at(world, "health", story), story.canaries["health"]
    judge, agency = await supervisor(world, "health"), world["health"]
    hold = await judge.post(f"/cases/{case}/holds", ORDER)
    await story.take_back("health")
    await world.settle()

    async def lift(tx: Transaction) -> None:
        by = await actor_of(tx, agency.here, judge.token)
        assert by is not None
        await lift_hold(UUID(case), UUID(hold["id"]), tx, agency.here, by)

    async with agency.database.write() as tx:
        await lift(tx)
        await tx.connection.rollback()  # as where a process dies before the commit
        tx.committed.clear()
    async with agency.database.write() as tx:
        names = await key_names(tx, UUID(case))
        with pytest.raises(KeyHeld):
            tx.keys.destroy(names, tx.clock.now())
    assert await destroy_released(agency.database, agency.here) == 0
    assert await left(agency, canaries) == canaries
    assert [one["id"] for one in (await judge.get(f"/cases/{case}/holds"))["items"]] == [hold["id"]]

    async with agency.database.write() as tx:
        await lift(tx)
        tx.committed.clear()  # and now it dies right after it
    assert await left(agency, canaries) == canaries
    assert await destroy_released(agency.database, agency.here) == 1  # as the worker does every minute
    assert await destroy_released(agency.database, agency.here) == 0
    assert await left(agency, canaries) == set()
    await world.settle()
    assert await story.erasure("health") == "destroyed"


@on_sqlite
async def test_a_kept_copy_whose_key_is_missing_keeps_nothing_else_from_being_looked_after(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    story = await tell(world)
    await world.settle()
    case, judge, agency = await case_at(world, "health", story), await supervisor(world, "health"), world["health"]
    hold = await judge.post(f"/cases/{case}/holds", ORDER)
    await story.take_back("health")
    await world.settle()
    assert agency.database.keys is not None
    lose(agency.database.keys, received_key("police", UUID(story.agreed["health"]["id"])), tmp_path / "copy")
    assert (await judge.ask("DELETE", f"/cases/{case}/holds/{hold['id']}")).status_code == 200
    await world.settle()
    assert await story.erasure("health") == "destroyed"
    async with agency.database.read() as tx:
        assert (await tx.session.execute(select(func.count()).select_from(HeldCopy))).scalar_one() == 0

    async def away(*_of: object) -> int:
        raise DatabaseAway("The database is away; try again soon.")

    monkeypatch.setattr(services.escrow, "destroy_released", away)
    await judge.post(f"/cases/{case}/holds", ORDER)
    stop = asyncio.Event()
    with caplog.at_level(logging.WARNING):
        looking = asyncio.create_task(look_after_case_keys(agency.database, agency.here, Escrow(tmp_path / "escrow"), stop))
        async with asyncio.timeout(LOOKED_WITHIN_S):
            while "holds_without_escrow" not in caplog.messages:  # its last step was reached
                await asyncio.sleep(0)
        stop.set()
        await looking
    assert "released_not_destroyed" in caplog.messages


@on_postgres
async def test_a_hold_that_is_placed_while_words_are_cleared_keeps_all_that_is_there_then(world: World) -> None:
    story = await tell(world)
    await world.settle()
    case, judge, agency = await case_at(world, "health", story), await supervisor(world, "health"), world["health"]
    world.clock.advance(BACKUP_WINDOW * 2)
    await world.settle()
    placing: list[asyncio.Task[int]] = []

    async def worded() -> int:
        query = select(func.count()).where(col(InboxRow.inner).is_not(None), col(InboxRow.consent_id).is_not(None))
        async with agency.database.read() as tx:
            return int((await tx.session.execute(query)).scalar_one())

    async def place() -> int:
        await judge.post(f"/cases/{case}/holds", ORDER)
        return await worded()

    async def is_placed_or_waits() -> bool:
        query = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database"
                     " WHERE datname = current_database())")  # fmt: skip
        async with agency.database.read() as tx:
            return placing[0].done() or bool((await tx.session.execute(query)).scalar_one())

    async def held(tx: Transaction) -> set[UUID]:
        found = await agency.hooks.held(tx)
        if not placing:  # between what is held now, and the clearing
            placing.append(asyncio.create_task(place()))
            await until(is_placed_or_waits)
        return found

    before = await worded()
    await clear(agency.database, agency.hooks.acts_first, held)
    assert await placing[0] == await worded()
    assert before > 0


LATER = "2031-06-01T01:01:01.000001Z"


async def for_the_court(agency: TestAgency, case: str) -> str:
    """Whatever the keys in escrow open of a case."""
    async with agency.database.read() as tx:
        return str(await read_held(tx, tx.keys.reveal(await key_names(tx, UUID(case)))))


async def test_words_that_wait_at_a_held_case_are_kept_for_the_court(world: World) -> None:
    story = await tell(world)
    await world.settle()
    case, judge = await case_at(world, "health", story), await supervisor(world, "health")
    police, health = world["police"], world["health"]
    hold = await judge.post(f"/cases/{case}/holds", ORDER)
    for expected_at in ("2031-06-01T00:00:00Z", LATER):
        way = {"mode": "car", "escort": "officer", "expected_at": expected_at}
        await story.desk.post(f"/referrals/{story.sent['health']}/set-out", way)
    await police.flush()
    *_lost, last = [one.envelope for one in police.line if one.recipient == "health"]
    police.line.clear()
    await health.hear("police", [last])  # what goes before it has not come
    await story.take_back("health")
    await world.deliver("police", "health")
    async with health.database.read() as tx:
        waiting = select(InboxRow).where(col(InboxRow.state) == "waiting")
        assert [row.inner for row in (await tx.session.execute(waiting)).scalars()] == [None]  # it is opened by nobody
    assert LATER in await for_the_court(health, case)
    await judge.ask("DELETE", f"/cases/{case}/holds/{hold['id']}")
    assert LATER not in await for_the_court(health, case)


async def test_words_that_had_not_left_a_held_case_are_kept_for_the_court(world: World, tmp_path: Path) -> None:
    story = await tell(world)
    police, judge = world["police"], await supervisor(world, "police")
    hold = await judge.post(f"/cases/{story.case}/holds", ORDER)
    await story.take_back("health")
    async with police.database.read() as tx:
        (copy,) = (await tx.session.execute(select(HeldCopy))).scalars().all()
        assert {word["type"] for word in copy.kept["unsent"]} >= {"referral.issued", "referral.set_out"}
        assert tx.keys.held([received_key("police", copy.consent_id)])
    assert "'column': 'kept'" in await for_the_court(police, story.case)
    await world.settle()
    assert await left(world["health"], story.canaries["health"]) == set()
    await judge.ask("DELETE", f"/cases/{story.case}/holds/{hold['id']}")
    async with police.database.read() as tx:
        assert (await tx.session.execute(select(HeldCopy))).first() is None
        assert tx.keys.gone([received_key("police", copy.consent_id)])
    keys, name = police.database.keys, received_key("police", copy.consent_id)
    assert keys is not None
    lose(keys, name, tmp_path / "copy")
    keys.seal(name, "any", b"what an older keystore opens again")
    await erase_again(police.database)
    assert keys.gone([name])


async def test_a_hold_at_the_desk_keeps_its_words_and_sends_them_to_nobody(world: World) -> None:
    story = await tell(world)
    await world["police"].flush()
    world["police"].line.clear()  # the broker has lost it
    judge = await supervisor(world, "police")
    hold = await judge.post(f"/cases/{story.case}/holds", ORDER)
    await story.take_back("health")
    await world.settle_restored()
    assert await left(world["health"], story.canaries["health"]) == set()
    async with world["health"].database.read() as tx:
        states: dict[Any, int] = {}
        for row in (await tx.session.execute(select(InboxRow))).scalars():
            states[row.state] = states.get(row.state, 0) + 1
    assert states.get("erased", 0) >= 3
    await judge.ask("DELETE", f"/cases/{story.case}/holds/{hold['id']}")
    agency = world["police"]
    assert (await verify(agency.database, "police", agency.seal, [])).findings == []


@on_sqlite
async def test_what_was_destroyed_before_is_not_held_by_an_older_copy_of_the_records(world: World) -> None:
    story = await tell(world)
    await world.settle()
    case, judge = await case_at(world, "health", story), await supervisor(world, "health")
    hold = await judge.post(f"/cases/{case}/holds", ORDER)
    yesterday = await world.back_up("health")
    await story.take_back("health")
    await world.settle()
    await judge.ask("DELETE", f"/cases/{case}/holds/{hold['id']}")
    await world.settle()
    assert await story.erasure("health") == "destroyed"
    await world.restore("health", yesterday)  # the hold is in force there
    async with world["health"].database.read() as tx:
        await add_to_holds(tx)
    await story.desk.post(f"/cases/{story.case}/progress", {"code": "statement_taken"})
    await world.settle_restored()
    nurse = await world["health"].sign_in("nurse_again")
    assert (await nurse.get(f"/referrals/{story.sent['health']}"))["status"] == "cancelled"
    assert await left(world["health"], story.canaries["health"]) == set()
    async with world["health"].database.read() as tx:
        words = (await tx.session.execute(select(InboxRow).where(col(InboxRow.type) == "consent.taken_back"))).scalars().all()
    assert {word.state for word in words} == {"applied"}


@on_sqlite
async def test_a_hold_that_a_restore_has_forgotten_is_in_force_all_the_same(world: World, tmp_path: Path) -> None:
    story = await tell(world)
    await world.settle()
    case, canaries = await case_at(world, "health", story), story.canaries["health"]
    yesterday = await world.back_up("health")
    hold = await (await supervisor(world, "health")).post(f"/cases/{case}/holds", ORDER)
    await world.settle()
    await world.restore("health", yesterday)
    await story.take_back("health")
    await world.settle_restored()
    assert await story.erasure("health") == "held"
    assert await left(world["health"], canaries) == canaries
    await deposit(world["health"].database, Escrow(tmp_path))
    judge = await supervisor(world, "health")
    assert [one["id"] for one in (await judge.get(f"/cases/{case}/holds"))["items"]] == [hold["id"]]
    await judge.ask("DELETE", f"/cases/{case}/holds/{hold['id']}")
    await world.settle()
    assert await story.erasure("health") == "destroyed"
    assert await left(world["health"], canaries) == set()


@on_sqlite
async def test_a_keystore_that_is_away_as_a_hold_is_placed_holds_its_keys_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = await tell(world)
    await world.settle()
    case, judge, agency = await case_at(world, "health", story), await supervisor(world, "health"), world["health"]

    def away(*_of: object) -> None:
        raise KeystoreAway("The keystore is away.")

    with monkeypatch.context() as broken:
        broken.setattr(Keystore, "hold", away)
        answer = await judge.ask("POST", f"/cases/{case}/holds", ORDER)
    assert answer.status_code == 201
    hold, keys = UUID(answer.json()["id"]), agency.database.keys
    assert keys is not None
    assert hold not in keys.holds()
    await destroy_released(agency.database, agency.here)  # the worker's turn, each minute
    assert keys.holds()[hold]
    with pytest.raises(KeyHeld):
        keys.destroy([UUID(case)], world.clock.now())


@on_sqlite
async def test_a_keystore_that_is_away_as_a_hold_is_lifted_lets_go_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    story = await tell(world)
    await world.settle()
    case, judge, agency = await case_at(world, "health", story), await supervisor(world, "health"), world["health"]
    hold = await judge.post(f"/cases/{case}/holds", ORDER)
    await story.take_back("health")
    await world.settle()

    def away(*_of: object) -> None:
        raise KeystoreAway("The keystore is away.")

    with monkeypatch.context() as broken:
        broken.setattr(Keystore, "let_go", away)
        answer = await judge.ask("DELETE", f"/cases/{case}/holds/{hold['id']}")
    assert (answer.status_code, answer.json()["lifted_at"] is None) == (200, False)
    assert await destroy_released(agency.database, agency.here) == 1
    assert await left(agency, story.canaries["health"]) == set()


@on_sqlite
async def test_a_hold_that_a_restore_has_forgotten_keeps_the_desks_own_words_too(world: World) -> None:
    story = await tell(world)
    await world.settle()
    yesterday = await world.back_up("police")
    await (await supervisor(world, "police")).post(f"/cases/{story.case}/holds", ORDER)
    await world.settle()
    await world.restore("police", yesterday)
    story.desk = await world["police"].sign_in("again")
    await story.take_back("health")
    async with world["police"].database.read() as tx:
        under = select(OutboxRow).where(
            col(OutboxRow.consent_id) == UUID(story.agreed["health"]["id"]), ~col(OutboxRow.type).in_(events.OVER)
        )
        said = (await tx.session.execute(under)).scalars().all()
    assert {(row.data is None, row.erased_at is None) for row in said} == {(False, False)}


async def test_only_a_supervisor_places_a_hold_and_lifts_it(world: World) -> None:
    story = await tell(world)
    await world.settle()
    with pytest.raises(Refused) as refused:
        await story.desk.post(f"/cases/{story.case}/holds", ORDER)
    assert refused.value.status == 403
    hold = await (await supervisor(world, "police")).post(f"/cases/{story.case}/holds", ORDER)
    answer = await story.desk.ask("DELETE", f"/cases/{story.case}/holds/{hold['id']}")
    assert answer.status_code == 403
