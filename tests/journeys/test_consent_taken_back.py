"""After a consent is taken back nothing told under it is left at its recipient, which has signed that; proofs still verify."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from agencies import World, consent, database_at, refer
from canaries import LANGUAGE, Story, among, everything, left, tell
from sqlalchemy import func, select, text
from sqlmodel import col

from services.escrow import erase_again
from shared.casework.accounts.commands import answers_key
from shared.casework.accounts.tables import KeptAnswer
from shared.casework.alarms.watcher import ERASED_WITHIN
from shared.casework.cases.tables import Case
from shared.casework.messages.tables import Message
from shared.casework.referrals.tables import Referral, ReferralFact
from shared.contracts.casework.events import ConsentTakenBack, ReferralIssued, data_of
from shared.exchange import outbox
from shared.exchange.clearing import BACKUP_WINDOW, clear
from shared.exchange.erasing import received_key
from shared.exchange.inside import Source
from shared.exchange.receipts import ASK_AGAIN
from shared.exchange.tables import Activity, InboxRow, OutboxRow
from shared.exchange.verify import verify
from shared.kit.ids import new_id
from shared.kit.keystore import OWN, KeyDestroyed
from shared.kit.sealed import as_it_lies, sealed_columns

RECIPIENTS = ("health", "social_welfare")
NOTHING_INSIDE: list[Source] = []
on_sqlite = pytest.mark.parametrize("world", ["sqlite"], indirect=True)


async def counted_again(world: World) -> list[Any]:
    """What `refnet verify` finds wrong at any of the agencies."""
    found = []
    for agency in world.agencies.values():
        found += (await verify(agency.database, agency.here.agency, agency.seal, NOTHING_INSIDE)).findings
    return found


async def alarms(world: World) -> set[str]:
    desk = await world["police"].sign_in(f"looker_{random.random()}")
    return {alarm["kind"] for alarm in (await desk.get("/alarms"))["items"] if alarm["resolved_at"] is None}


async def served(world: World, story: Story) -> None:
    """She came to both, and the clinic kept what it gave."""
    for to, name in (("health", "nurse"), ("social_welfare", "worker")):
        at = await world[to].sign_in(name)
        await at.post(f"/referrals/{story.sent[to]}/accept")
        await at.post(f"/referrals/{story.sent[to]}/arrive", {"feedback": True, "note": "our own words"})
        if to == "health":
            await at.post(f"/referrals/{story.sent[to]}/care", {"care": "hepatitis_b_vaccine", "result": "given"})
    await world.settle()


async def test_nothing_of_it_is_left_the_receipts_say_so_and_proofs_still_verify(world: World) -> None:
    story, other = await tell(world), await tell(world, "another")
    await world.settle()
    await served(world, story)
    for to in RECIPIENTS:
        assert await left(world[to], story.canaries[to]) == story.canaries[to]  # they are found where they are
        await story.take_back(to)
    assert [await story.erasure(to) for to in RECIPIENTS] == [None, None]
    await world.settle()
    for to in RECIPIENTS:
        still = other.canaries[to]
        assert await left(world[to], story.canaries[to] - still) == set()
        assert await left(world[to], still) == still  # what was told of another is not touched
        assert await story.erasure(to) == "destroyed"
        referral = await (await world[to].sign_in("reader")).get(f"/referrals/{story.sent[to]}")
        assert (referral["status"], referral["services"]) == ("cancelled", [])
    assert "hepatitis_b_vaccine" in await everything(world["health"].database)  # its own record of care
    assert "our own words" in await everything(world["health"].database)
    assert await counted_again(world) == []
    async with world["police"].database.read() as tx:  # nor is it lying there to be said again
        under = [agreed["id"] for agreed in story.agreed.values()]
        rows = (await tx.session.execute(select(OutboxRow))).scalars()
        said = [row for row in rows if str(row.consent_id) in under and row.type != "consent.taken_back" and not row.is_withheld]
    assert len(said) > 4
    assert [row.type for row in said if row.inner is not None or row.data is not None] == []


@on_sqlite
async def test_nothing_is_answered_again_of_her_and_what_became_of_a_message_goes_too(world: World) -> None:
    desk, nurse = await world["police"].sign_in("desk"), await world["health"].sign_in("nurse")
    case = (await desk.post("/cases", {"relay": {"safe_hours": "morning"}}))["id"]
    agreed = await consent(desk, case, "health", "relay")
    sent = await refer(desk, case, None, "health")
    await world.settle()
    async with world["police"].database.read() as tx:
        code = (await tx.session.execute(select(col(Referral.arrival_code)))).scalar_one()
    await nurse.post("/arrivals", {"code": code, "facility": "ndola_clinic"})  # an address that names nothing of her
    there = (await nurse.get(f"/referrals/{sent['id']}"))["case_id"]
    visit = await nurse.post(f"/cases/{there}/follow-ups", {"which": "other", "due_on": "2026-02-20"})
    await nurse.post(f"/follow-ups/{visit['id']}/answer", {"state": "kept"})
    message = await nurse.post(f"/referrals/{sent['id']}/messages", {"code": "bring_card"})
    await nurse.post("/arrivals", {"facility": "ndola_clinic"})  # and somebody else
    await nurse.post("/arrivals", {"facility": "ndola_clinic"}, **{"Idempotency-Key": "spoilt"})  # whose answer does not open
    async with world["health"].database.write() as tx:
        await tx.session.execute(text("UPDATE casework_idempotency SET answer = :shut WHERE key = 'spoilt'"), {"shut": b"shut"})
    await world.settle()
    await desk.post(f"/messages/{message['id']}/answer", {"answer": "passed_on"})
    await world.settle()
    line = select(Activity).where(col(Activity.kind) == "message.answered")
    async with world["health"].database.read() as tx:
        assert [one.detail["answer"] for one in (await tx.session.execute(line)).scalars()] == ["passed_on"]
        lies = (
            await tx.session.execute(select(as_it_lies(Activity.detail)).where(col(Activity.kind) == "message.answered"))
        ).scalar_one()
    await desk.take_back(case, agreed)
    await world.settle()
    async with world["health"].database.read() as tx:
        (kept,) = (await tx.session.execute(select(KeptAnswer).where(col(KeptAnswer.key) != "spoilt"))).scalars()
        assert list((await tx.session.execute(select(col(KeptAnswer.key)).where(col(KeptAnswer.key) == "spoilt"))).scalars())
        asked = (await tx.session.execute(select(Message))).scalar_one()
        assert [one.detail for one in (await tx.session.execute(line)).scalars()] == [{"consent_id": agreed["id"]}]
        with pytest.raises(KeyDestroyed):  # a backup of before tells it no more
            sealed_columns(Activity)["detail"].open(lies, tx.keys)
    assert kept.route == "POST /api/v1/arrivals"
    assert there not in (kept.answer or b"").decode()
    assert (asked.code, asked.answer) == ("bring_card", None)  # its own words, and nothing of what came back


async def test_a_late_event_is_not_opened_into_a_record(world: World) -> None:
    story = await tell(world)
    await world["police"].flush()
    late = [one for one in world["police"].line if not one.is_express]
    world["police"].line.clear()
    for to in RECIPIENTS:
        await story.take_back(to)
    await world.settle()
    for to in RECIPIENTS:
        envelopes = [one.envelope for one in late if one.recipient == to]
        assert len(envelopes) >= 3
        await world[to].hear("police", envelopes)
        assert await left(world[to], story.canaries[to]) == set()
        async with world[to].database.read() as tx:
            rows = list((await tx.session.execute(select(InboxRow).where(col(InboxRow.consent_id).is_not(None)))).scalars())
            assert (await tx.session.execute(select(Referral))).first() is None
        assert {row.state for row in rows if row.type != "consent.taken_back"} == {"tombstoned"}
    await world.settle()
    assert await counted_again(world) == []
    assert [await story.erasure(to) for to in RECIPIENTS] == ["destroyed", "destroyed"]


async def known_at_the_desk(world: World, referral: str) -> tuple[Any, ...]:
    """What the desk knows of how it went with her there: when she came, what was answered, and its diary."""
    async with world["police"].database.read() as tx:
        row = await tx.session.get_one(Referral, UUID(referral))
        theirs = select(col(ReferralFact.type)).where(col(ReferralFact.referral_id) == row.id, ~col(ReferralFact.is_own))
        lines = select(col(Activity.kind)).where(col(Activity.subject) == row.id, ~col(Activity.is_own))
        found = [sorted((await tx.session.execute(query)).scalars()) for query in (theirs, lines)]
    return row.arrived_at, *found


async def she_came(world: World, referral: str) -> None:
    """To the clinic, and the desk may know that: it is said, and has not left."""
    nurse = await world["health"].sign_in("nurse")
    await nurse.post(f"/referrals/{referral}/arrive", {"feedback": True})
    await nurse.post(f"/referrals/{referral}/close", {"outcome_code": "served"})


async def test_what_was_answered_under_it_and_comes_late_is_not_opened_at_the_desk(world: World) -> None:
    story = await tell(world)
    await world.settle()
    sent = story.sent["health"]
    await (await world["health"].sign_in("opener")).post(f"/referrals/{sent}/accept")
    await world.settle()
    before = await known_at_the_desk(world, sent)
    await she_came(world, sent)
    await world["health"].flush()
    late = [one.envelope for one in world["health"].line if one.recipient == "police"]
    world["health"].line.clear()
    await story.take_back("health")
    await world["police"].hear("health", late)
    assert await known_at_the_desk(world, sent) == before
    await world.settle()
    assert await known_at_the_desk(world, sent) == before
    await erase_again(world["police"].database)
    async with world["police"].database.read() as tx:
        under = col(InboxRow.consent_id) == UUID(story.agreed["health"]["id"])
        rows = list((await tx.session.execute(select(InboxRow).where(col(InboxRow.sender) == "health", under))).scalars())
    assert {(row.type, row.state, row.inner) for row in rows} >= {
        ("referral.arrived", "tombstoned", None), ("referral.closed", "tombstoned", None),
    }  # fmt: skip
    assert [row.type for row in rows if row.inner is not None] == ["referral.accepted"]  # what was heard before stays, signed
    assert await counted_again(world) == []
    assert "parked" not in await alarms(world)


async def test_what_was_to_be_answered_under_it_does_not_leave_any_more(world: World) -> None:
    story = await tell(world)
    await world.settle()
    sent = story.sent["health"]
    before = await known_at_the_desk(world, sent)
    await she_came(world, sent)
    await story.take_back("health")
    await world.deliver("police", "health")
    async with world["health"].database.read() as tx:
        under = col(OutboxRow.consent_id) == UUID(story.agreed["health"]["id"])
        rows = list((await tx.session.execute(select(OutboxRow).where(under))).scalars())
    unsaid = [(row.type, row.is_withheld, row.data) for row in rows if row.seq is None]
    assert {("referral.arrived", True, None), ("referral.closed", True, None)} <= set(unsaid)
    assert {withheld for _, withheld, _ in unsaid} == {True}
    await world.settle()
    assert await known_at_the_desk(world, sent) == before
    assert await story.erasure("health") == "destroyed"
    assert await counted_again(world) == []


async def test_a_peer_that_names_our_own_consent_keeps_nothing_of_ours_back(world: World) -> None:
    """What it takes back is what was given there: whatever it calls that."""
    story = await tell(world)
    await world.settle()
    ours = UUID(story.agreed["health"]["id"])
    word = ConsentTakenBack(consent=ours, circle=new_id())
    async with world["health"].database.write() as tx:  # as a clinic would that means the desk harm
        await outbox.add(
            tx,
            outbox.Outgoing(
                recipient="police", type=word.type, dataversion=word.version, subject=ours, lane_key=word.circle,
                data=data_of(word), occurred_at=tx.clock.now(), consent_id=ours, is_express=True,
            ),
        )  # fmt: skip
    await world["health"].flush()
    await story.desk.post(f"/referrals/{story.sent['health']}/set-out", {"mode": "car", "escort": "officer"})
    await world.deliver("health", "police")
    async with world["police"].database.read() as tx:
        rows = (await tx.session.execute(select(OutboxRow).where(col(OutboxRow.consent_id) == ours))).scalars()
        assert {row.is_withheld for row in rows if row.type == "referral.set_out"} == {False}


async def test_what_never_came_is_not_sent_again_and_its_slots_are_held(world: World) -> None:
    story = await tell(world)
    await world["police"].flush()
    world["police"].line.clear()  # the broker has lost it
    await story.take_back("health")
    for _ in range(3):
        world.clock.advance(ASK_AGAIN + timedelta(seconds=1))
        await world.settle()
    async with world["health"].database.read() as tx:
        states = {row.state for row in (await tx.session.execute(select(InboxRow))).scalars() if row.type == "unknown"}
    assert states == {"erased"}
    async with world["police"].database.read() as tx:
        undelivered = select(OutboxRow).where(col(OutboxRow.recipient) == "health", col(OutboxRow.delivered_at).is_(None))
        assert (await tx.session.execute(undelivered)).first() is None
    assert await left(world["health"], story.canaries["health"]) == set()
    assert "cleared" not in await alarms(world)  # nobody is to look for the paper
    assert await counted_again(world) == []


async def test_a_receipt_that_does_not_come_is_an_alarm_until_it_comes(world: World) -> None:
    story = await tell(world)
    await world.settle()
    await story.take_back("health")
    await world["police"].flush()
    kept, world["police"].line = world["police"].line, []
    world.clock.advance(ERASED_WITHIN - timedelta(seconds=1))
    await world["police"].watcher.tick()
    assert "not_erased" not in await alarms(world)
    world.clock.advance(timedelta(seconds=2))
    await world["police"].watcher.tick()
    assert "not_erased" in await alarms(world)
    world["police"].line = kept
    await world.settle()
    assert "not_erased" not in await alarms(world)


@on_sqlite
async def test_a_restore_of_yesterday_brings_nothing_back(world: World, tmp_path: Path) -> None:
    story = await tell(world)
    await world.settle()
    await served(world, story)
    yesterday = await world.back_up("health")
    await story.take_back("health")
    await world["police"].flush()
    late = [one.envelope for one in world["police"].line if one.recipient == "health"]
    assert late
    await world.settle()
    await world.restore("health", yesterday)
    nurse = await world["health"].sign_in("nurse_again")
    await nurse.get(f"/referrals/{story.sent['health']}")  # it is read all the same, as what is left of it
    await story.desk.post(f"/cases/{story.case}/progress", {"code": "statement_taken"})
    await world.settle_restored()
    assert await left(world["health"], story.canaries["health"]) == set()
    assert (await nurse.get(f"/referrals/{story.sent['health']}"))["status"] == "cancelled"
    assert "our own words" in await everything(world["health"].database)
    assert await story.erasure("health") == "destroyed"
    assert await counted_again(world) == []

    world.clock.advance(BACKUP_WINDOW)
    await erase_again(world["health"].database)
    copy = tmp_path / "backup.db"
    await asyncio.to_thread(copy.write_bytes, yesterday)
    database = database_at(f"sqlite:///{copy}", world.clock)
    held = await everything(database)
    assert "our own words" in held
    assert among(story.canaries["health"], held) == set()
    await database.close()


@on_sqlite
async def test_words_that_come_home_do_not_bring_it_back(world: World) -> None:
    yesterday = await world.back_up("police")
    story = await tell(world)
    await world.settle()
    await story.take_back("health")
    await world.settle()
    await world.restore("police", yesterday)
    await world.settle_restored()
    assert await left(world["health"], story.canaries["health"]) == set()
    story.desk = await world["police"].sign_in("teller_again")
    async with world["police"].database.read() as tx:
        case = (await tx.session.execute(select(col(Referral.case_id)))).scalars().first()
    story.case = str(case)
    assert await story.erasure("health") == "destroyed"
    assert "parked" not in await alarms(world)
    world.clock.advance(ERASED_WITHIN * 2)
    await world["police"].watcher.tick()
    assert "not_erased" not in await alarms(world)


async def test_who_declines_knows_nothing_of_her_any_more(world: World) -> None:
    story = await tell(world)
    await world.settle()
    nurse = await world["health"].sign_in("nurse")
    address = f"/referrals/{story.sent['health']}"
    case = (await nurse.get(address))["case_id"]
    assert LANGUAGE in str(await nurse.get(f"/cases/{case}"))
    await nurse.post(f"{address}/acknowledge")
    await nurse.post(f"{address}/decline", {"reason_code": "no_staff", "note": "our own words"})
    await world.settle()
    shown = [await nurse.get(path) for path in (address, f"/cases/{case}", f"/cases/{case}/timeline")]
    assert [one for one in story.canaries["health"] if one in str(shown)] == []
    async with world["health"].database.read() as tx:  # nor does any column that a page reads
        columns: list[Any] = [
            Referral.said,
            Referral.expected_at,
            ReferralFact.data,
            Activity.detail,
            Case.needs,
            KeptAnswer.answer,
        ]
        for column in columns:
            held = str([str(one) for one in (await tx.session.execute(select(column))).scalars()])
            assert among(story.canaries["health"], held) == set(), column
    assert (await nurse.get(address))["services"] == ["acute_care"]
    await nurse.post(f"{address}/arrive", {"feedback": False})  # she may come all the same
    assert (await story.desk.get(address))["status"] == "declined"


async def test_a_request_that_is_called_as_a_key_is_called_opens_no_case_that_would_go_with_that_key(world: World) -> None:
    story = await tell(world)
    await world.settle()
    consent_id, circle = UUID(story.agreed["health"]["id"]), new_id()
    names = [received_key("police", consent_id), answers_key(world.clock.now()), OWN]
    async with world["police"].database.write() as tx:
        said = (await tx.session.get_one(Referral, UUID(story.sent["health"]))).said
        assert said is not None
        for subject, of in [*((name, circle) for name in names), (new_id(), names[0])]:
            word = outbox.Outgoing(
                recipient="health", type=ReferralIssued.type, dataversion=ReferralIssued.version, subject=subject, lane_key=circle,
                data={**said, "circle": str(of)}, occurred_at=tx.clock.now(), consent_id=consent_id,
            )  # fmt: skip
            await outbox.add(tx, word)
    await world.settle()
    async with world["health"].database.read() as tx:
        states = select(col(InboxRow.state), func.count()).where(col(InboxRow.type) == ReferralIssued.type)
        found = (await tx.session.execute(states.group_by(col(InboxRow.state)))).tuples().all()
        assert dict(found) == {"applied": 1, "parked": 4}
        assert len((await tx.session.execute(select(Case))).scalars().all()) == 1


@on_sqlite
async def test_what_whoever_declined_was_told_comes_home_to_a_desk_that_lost_it_and_then_goes(world: World) -> None:
    """Why the signed form is not destroyed at once (decision 26)."""
    yesterday = await world.back_up("police")
    story = await tell(world)
    await world.settle()
    nurse = await world["health"].sign_in("nurse")
    address = f"/referrals/{story.sent['health']}"
    await nurse.post(f"{address}/decline", {"reason_code": "no_staff"})
    await world.settle()
    await world.restore("police", yesterday)
    await world.settle_restored()
    desk = await world["police"].sign_in("desk_again")
    assert ((await desk.get(address))["status"], LANGUAGE in str(await desk.get(address))) == ("declined", True)
    agency = world["health"]
    for _ in range(2):
        world.clock.advance(BACKUP_WINDOW * 2)
        await world.settle()
        await clear(agency.database, agency.hooks.acts_first, agency.hooks.held)
    assert await left(agency, story.canaries["health"]) == set()
