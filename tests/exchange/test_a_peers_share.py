"""A peer can have only so much kept here: forks, traces, lives, events held back, lost slots. Lanes go on, and it is told."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from exchange_node import new_subject
from exchange_pair import Pair
from sqlalchemy import ColumnElement, func, select
from sqlmodel import col

from shared.contracts.wire.envelope import ENDED_MAX, EndedStream, Event, Header, Kind, Reopened
from shared.contracts.wire.merkle import EMPTY_ROOT, SALT_BYTES
from shared.contracts.wire.statements import Head, Lost, Receipt, Statement
from shared.exchange import answers, heads, inbox, receipts
from shared.exchange.broker import Receiver
from shared.exchange.inbox import COUNTED_FOR
from shared.exchange.receipts import ASK_AGAIN, STILL, note_unopenable
from shared.exchange.tables import (
    Fork,
    HeldReceipt,
    InboxRow,
    InboxState,
    LostSlot,
    MissingSlot,
    Peer,
    ReceivedHead,
    Reopening,
    UnopenableRecord,
)
from shared.kit.ids import new_id

ROOT = b"\1" * 32


async def count(pair: Pair, table: type, *conditions: ColumnElement[bool]) -> int:
    async with pair.health.database.read() as tx:
        query = select(func.count()).select_from(table).where(*conditions)
        return int((await tx.session.execute(query)).scalar_one())


async def peer(pair: Pair) -> Peer:
    async with pair.health.database.read() as tx:
        return await tx.session.get_one(Peer, "police")


def of_police(
    pair: Pair, incarnation: UUID, seq: int, step: int, *, type_: str = "story.told", data: dict[str, Any] | None = None
) -> bytes:
    """An event that the police signed for a slot of its choice."""
    now = pair.clock.now()
    event = Event(
        id=new_id(), source="police", type=type_, dataversion=1, subject=new_subject(), time=now, recordedtime=now,
        data={"step": step} if data is None else data,
    )  # fmt: skip
    header = Header(
        kind=Kind.EVENT,
        sender="police",
        recipient="health",
        incarnation=incarnation,
        seq=seq,
        salt=bytes([step % 256]) * SALT_BYTES,
    )
    seal = pair.police.seal
    return seal.seal(seal.sign(header, event.to_bytes()), "health")


async def test_the_first_forks_are_kept_whole_and_more_are_counted(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "FORKS_MAX", 3)
    life = new_id()
    await pair.health.hear("police", [of_police(pair, life, 1, 0)])
    others = [of_police(pair, life, 1, step) for step in range(1, 6)]
    for other in [*others, *others[:3]]:  # what is kept already is neither kept nor counted twice
        await pair.health.hear("police", [other])
    assert await count(pair, Fork) == 3
    assert (await peer(pair)).forks_beyond == 2
    assert pair.health.troubles == ["fork"] * 5
    await pair.health.hear("police", [of_police(pair, life, 2, 9)])
    assert [step for _, step in pair.health.applied] == [0, 9]


async def test_the_newest_traces_are_kept_and_more_are_counted(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "TRACES_MAX", 3)
    for number in range(5):
        async with pair.health.database.write() as tx:
            digest = bytes([number]) * 32
            await note_unopenable(tx, digest, "police", ("refnet.police.to.health.v1", 0, number), "broken", pair.health)
        pair.clock.advance(timedelta(seconds=1))
    async with pair.health.database.read() as tx:
        kept = {d[0] for d in (await tx.session.execute(select(col(UnopenableRecord.digest)))).scalars()}
    assert kept == {2, 3, 4}
    assert (await peer(pair)).traces_beyond == 2
    assert pair.health.troubles == ["unopenable"] * 5  # nothing of it is silent


class Record:
    """A record as aiokafka hands it over, as far as the receiver reads it."""

    topic, partition, key, timestamp = "refnet.police.to.health.v1", 0, None, 0

    def __init__(self, value: bytes, offset: int) -> None:
        self.value, self.offset = value, offset


@pytest.mark.parametrize(("limit", "value"), [("HELD_BACK_MAX", 2), ("HELD_BACK_BYTES_MAX", 1_100)])
async def test_events_that_cannot_be_applied_are_refused_beyond_a_peers_share_and_come_once_there_is_room(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(inbox, limit, value)
    letters = pair.health.letters("police")
    receiver = Receiver(pair.health.database, pair.health.inbox, pair.health.seal, pair.health, letters)
    told = [await pair.police.say("health", new_subject(), step, fails="unauthorised" if step < 4 else None) for step in range(5)]
    records = [Record(envelope, place) for place, envelope in enumerate(await pair.police.number("health"))]
    await receiver.receive(records)
    assert [step for _, step in pair.health.applied] == [4]  # an honest word beside them is applied
    parked = [event_id for event_id, state in (await pair.health.inbox_states()).items() if state == InboxState.PARKED]
    assert 1 <= len(parked) <= 2
    assert "overfull" in pair.health.troubles
    pair.clock.advance(STILL)
    (receipt,) = (await pair.health.state("police")).receipts
    refused = [told.index(event_id) + 1 for event_id in told[:4] if event_id not in parked]
    assert receipt.missing == tuple(refused)  # asked for again, not lost
    for event_id in parked:
        async with pair.health.database.write() as tx:
            assert await inbox.refuse_parked(tx, "police", event_id)
    pair.clock.advance(COUNTED_FOR)
    await pair.police.take("health", await pair.health.state("police"))
    await receiver.receive([Record(e, 10 + place) for place, e in enumerate(await pair.police.due("health"))])
    fresh = {e for e, state in (await pair.health.inbox_states()).items() if state == InboxState.PARKED}
    assert fresh
    assert fresh <= {told[seq - 1] for seq in refused}


async def test_what_waits_for_an_invented_predecessor_is_bounded_and_new_referrals_are_not(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "HELD_BACK_MAX", 3)
    subject = new_subject()
    for step in range(6):
        await pair.police.say("health", subject, step)
    _lost, *waiting = await pair.police.number("health")
    outcome = await pair.health.hear("police", waiting)
    assert await count(pair, InboxRow, col(InboxRow.state) == InboxState.WAITING) == 3
    assert [fault for _, fault in outcome.unstorable] == ["Overfull"] * 2
    await pair.police.say("health", new_subject(), 7, type="story.begun")
    await pair.health.hear("police", await pair.police.number("health"))
    assert [step for _, step in pair.health.applied] == [7]
    await pair.health.hear("police", [_lost, *waiting])
    assert [step for _, step in pair.health.applied] == [7, *range(6)]


async def test_of_many_that_wait_a_batch_reads_some_and_the_sweep_the_others(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "WAITERS_MAX", 3)
    subject = new_subject()
    for step in range(12):
        await pair.police.say("health", subject, step)
    first, *waiting = await pair.police.number("health")
    await pair.health.hear("police", waiting)
    await pair.health.hear("police", [first])
    assert [step for _, step in pair.health.applied] == [0, 1, 2, 3]
    while await pair.health.inbox.sweep():
        pass
    assert [step for _, step in pair.health.applied] == list(range(12))


async def test_a_share_is_a_peers_own(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "HELD_BACK_MAX", 1)
    async with pair.health.database.write() as tx:
        for _ in range(3):
            row = InboxRow(
                sender="welfare", event_id=new_id(), subject=new_subject(), after=new_id(), type="story.told", dataversion=1,
                state=InboxState.WAITING, received_at=tx.clock.now(),
            )  # fmt: skip
            tx.session.add(row)
    await pair.police.say("health", new_subject(), 0, fails="unauthorised")
    await pair.health.hear("police", await pair.police.number("health"))
    assert await count(pair, InboxRow, col(InboxRow.state) == InboxState.PARKED) == 1


async def test_lives_that_a_peer_makes_up_are_bounded_whether_it_states_or_uses_them(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "LIVES_MAX", 3)
    stated = tuple(Head(incarnation=new_id(), size=9, root=ROOT) for _ in range(5))
    await pair.health.take("police", Statement(made_at=pair.clock.now(), heads=stated))
    assert await count(pair, ReceivedHead) == 3
    outcome = await pair.health.hear("police", [of_police(pair, new_id(), 1, 0), of_police(pair, stated[0].incarnation, 1, 1)])
    assert await count(pair, ReceivedHead) == 3
    assert len(outcome.unstorable) == 1
    assert [step for _, step in pair.health.applied] == [1]  # in a life that is known it goes on
    assert set(pair.health.troubles) == {"overfull"}


async def test_signatures_that_sign_for_nothing_or_come_from_many_lives_are_bounded(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "RECEIPTS_MAX", 3)
    nothing = tuple(Receipt(incarnation=new_id(), upto=0, root=EMPTY_ROOT) for _ in range(5))
    await pair.health.take("police", Statement(made_at=pair.clock.now(), receipts=nothing))
    assert await count(pair, HeldReceipt) == 0
    said = await pair.health.say("police", new_subject(), 0)
    await pair.health.number("police")
    (row,) = await pair.health.outbox_rows()
    assert row.incarnation is not None
    assert row.root_after is not None
    receipt = Receipt(incarnation=row.incarnation, upto=1, root=row.root_after)
    for _ in range(6):
        pair.clock.advance(ASK_AGAIN)
        await pair.health.take("police", Statement(made_at=pair.clock.now(), receipts=(receipt,)), new_id())
    assert await count(pair, HeldReceipt) == 3
    assert pair.health.delivered_ids == [said]


async def test_a_life_is_told_of_as_often_as_there_may_be_lives_before_it(pair: Pair) -> None:
    life = new_id()
    for seq in (1, 2, 3):
        ended = tuple(EndedStream(incarnation=new_id(), size=1, root=ROOT) for _ in range(60))
        data = Reopened(ended=ended).model_dump(mode="json")
        await pair.health.hear("police", [of_police(pair, life, seq, seq, type_=Reopened.TYPE, data=data)])
    assert await count(pair, Reopening) == ENDED_MAX


async def test_slots_are_lost_on_a_peers_word_only_where_they_were_asked_for_and_only_so_many(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = new_id()
    word = Statement(made_at=pair.clock.now(), lost=(Lost(incarnation=life, slots=(1, 2, 3)),))
    await pair.health.take("police", word, new_id())
    assert await count(pair, LostSlot) == 0
    async with pair.health.database.write() as tx:
        for seq in (1, 2):
            tx.session.add(MissingSlot(sender="police", incarnation=life, seq=seq, asked_at=tx.clock.now()))
    await pair.health.take("police", word, new_id())
    assert await count(pair, LostSlot) == 2
    monkeypatch.setattr(answers, "LOST_SLOTS_MAX", 2)
    async with pair.health.database.write() as tx:
        tx.session.add(MissingSlot(sender="police", incarnation=life, seq=3, asked_at=tx.clock.now()))
    await pair.health.take("police", word, new_id())
    assert await count(pair, LostSlot) == 2
    assert pair.health.troubles == ["overfull"]
