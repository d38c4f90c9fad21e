"""Two agencies on the direct line alone, the broker silent: all that a broker would have brought comes, and is signed for."""

from typing import Any
from uuid import UUID

import pytest
from exchange_node import Node, new_subject
from exchange_pair import Pair
from sqlalchemy import delete, select, update
from sqlmodel import col

from shared.contracts.wire.envelope import Inner, Unopenable
from shared.exchange.direct import StreamName
from shared.exchange.erasing import erase_said
from shared.exchange.inbox import heard
from shared.exchange.incarnations import open_incarnation
from shared.exchange.receipts import ASK_AGAIN, STILL, summary
from shared.exchange.reconcile import Reconciler, Report
from shared.exchange.recovery import apply_home, take_home
from shared.exchange.tables import OutboxRow, Recovery, Stream
from shared.kit.ids import new_id


class Ends:
    """The reconcilers of both, and the line between them: no socket, no certificate."""

    def __init__(self, pair: Pair) -> None:
        self.at = {
            node.agency: _reconciler(node, peer.agency) for node, peer in ((pair.police, pair.health), (pair.health, pair.police))
        }

    async def compare(self, agency: str, peer: str) -> Report:
        return await self.at[agency].reconcile(peer, _Line(agency, self))


class _Line:
    def __init__(self, agency: str, ends: Ends) -> None:
        self._agency, self._ends = agency, ends

    async def state(self, peer: str, envelope: bytes) -> bytes:
        return await self._ends.at[peer].take_statement(self._agency, envelope)

    async def events(self, peer: str, stream: StreamName, first: int, last: int) -> list[bytes]:
        return await self._ends.at[peer].events(self._agency, stream, first, last)

    async def directory(self, peer: str, known: int) -> bytes:
        return self._ends.at[peer].directory(self._agency, known)


def _reconciler(node: Node, peer: str) -> Reconciler:
    return Reconciler(node.database, node.agency, node.seal, node.inbox, node.letters(peer))


@pytest.fixture
def ends(pair: Pair) -> Ends:
    return Ends(pair)


async def test_what_is_fetched_is_signed_for_at_once(pair: Pair, ends: Ends) -> None:
    said = await pair.police.say("health", new_subject(), 0)
    await pair.police.number("health")
    assert (await ends.compare("health", "police")).received == 1
    assert pair.police.delivered_ids == [said]


async def test_a_signature_that_was_lost_on_the_way_is_asked_for(pair: Pair, ends: Ends) -> None:
    said = await pair.police.say("health", new_subject(), 0)
    await pair.health.hear("police", await pair.police.number("health"))
    assert (await ends.compare("police", "health")).in_step
    assert pair.police.delivered_ids == [said]


async def test_a_restore_is_answered(pair: Pair, ends: Ends) -> None:
    await pair.police.say("health", new_subject(), 0)
    await pair.health.hear("police", await pair.police.number("health"))
    async with pair.police.database.write() as tx:
        await open_incarnation(tx, ["health"], "restored")
    await pair.police.number("health")
    for _ in range(3):
        await ends.compare("health", "police")
        await ends.compare("police", "health")
        pair.clock.advance(ASK_AGAIN)
    async with pair.police.database.read() as tx:
        (answered,) = (await tx.session.execute(select(col(Recovery.answered_at)))).scalars()
    assert answered is not None


async def _answered_before_it_is_home(pair: Pair, subject: UUID, kind: str = "story.told") -> Inner:
    """A word that was under way when we were restored: its recipient had given everything back, got it, and answered."""
    said = await pair.police.say("health", subject, 0)
    (under_way,) = await pair.police.number("health")
    async with pair.police.database.write() as tx:  # an older copy
        await tx.session.execute(delete(OutboxRow).where(col(OutboxRow.event_id) == said))
        await tx.session.execute(update(Stream).values(size=0, held=0, frontier=b""))
        await open_incarnation(tx, ["health"], "restored")
        await tx.session.execute(update(Recovery).values(answered_at=tx.clock.now()))
    await pair.health.hear("police", [under_way])
    pair.police.broken = True  # what it answers is not known here yet
    if kind == "story.begun":  # which never waits: what went before it may still be under way
        await pair.health.say("police", subject, 2)
    await pair.health.say("police", subject, 1, type=kind, fails="once")
    await pair.police.hear("health", (await pair.health.number("police"))[-1:])
    assert set((await pair.police.inbox_states()).values()) == {"parked"}
    pair.police.broken = False
    return pair.health.seal.open(under_way, "police")


async def test_an_answer_that_came_before_our_own_word_came_home_is_used_once_it_has(pair: Pair, ends: Ends) -> None:
    subject = new_subject()
    word = await _answered_before_it_is_home(pair, subject)
    for _ in range(3):
        await ends.compare("police", "health")
        await ends.compare("health", "police")
        pair.clock.advance(ASK_AGAIN)
    assert pair.police.home_ids == [heard(word).event.id]
    assert pair.police.applied == [(subject, 1)]


@pytest.mark.parametrize("kind", ["story.told", "story.begun"])
async def test_it_is_used_too_where_the_process_ends_once_the_word_is_home(pair: Pair, kind: str) -> None:
    subject = new_subject()
    word = await _answered_before_it_is_home(pair, subject, kind)
    async with pair.police.database.write() as tx:
        await take_home(tx, "health", [word])
    await apply_home(pair.police.database, pair.police, "health")
    await pair.police.inbox.sweep()  # another process: of the one before it knows what is in the database
    assert pair.police.applied == [(subject, 1)]


async def test_what_waits_for_a_word_that_nobody_has_asks_for_it(pair: Pair, ends: Ends) -> None:
    subject = new_subject()
    lost = await pair.police.say("health", subject, 0)
    await pair.police.say("health", subject, 1)
    async with pair.police.database.write() as tx:
        await tx.session.execute(delete(OutboxRow).where(col(OutboxRow.event_id) == lost))
    await pair.police.number("health")
    await ends.compare("health", "police")
    assert pair.health.applied == []
    pair.clock.advance(STILL)
    assert (await ends.compare("health", "police")).in_step
    assert pair.health.applied == [(subject, 1)]


async def test_one_that_cannot_be_opened_keeps_no_other_from_coming(
    pair: Pair, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    subjects = [new_subject() for _ in range(3)]
    for subject in subjects:
        await pair.police.say("health", subject, 0)
    opens = pair.health.seal.open
    cursed = opens((await pair.police.number("health"))[0], "police")

    def opens_others(envelope: bytes, sender: str) -> Inner:
        inner = opens(envelope, sender)
        if inner.header.seq == cursed.header.seq:
            raise Unopenable("its key is gone")
        return inner

    monkeypatch.setattr(pair.health.seal, "open", opens_others)
    report = await ends.compare("health", "police")
    assert (report.received, report.away, report.in_step) == (2, None, False)
    assert [subject for subject, _ in pair.health.applied] == subjects[1:]
    assert set(pair.health.troubles) == {"unopenable"}  # every copy of it is sealed anew


async def test_one_that_cannot_be_stored_is_fetched_once_a_comparison(
    pair: Pair, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pair.police.say("health", new_subject(), 0)
    await pair.police.number("health")

    async def fails(*_: Any, **__: Any) -> None:
        raise ValueError

    monkeypatch.setattr(pair.health.inbox, "_receive_together", fails)
    report = await ends.compare("health", "police")
    assert (report.received, report.in_step) == (0, False)
    assert set(pair.health.troubles) == {"unopenable"}  # every copy of it is sealed anew


async def _summaries(pair: Pair) -> list[bytes]:
    found = []
    for node, peer in ((pair.police, pair.health), (pair.health, pair.police)):
        async with node.database.read() as tx:
            found.append(await summary(tx, node.agency, peer.agency))
    return found


@pytest.mark.parametrize("kept", [0, 1])
async def test_a_life_that_is_lost_and_held_but_for_a_slot_is_not_in_step(pair: Pair, ends: Ends, kept: int) -> None:
    subject, numbered, copy = new_subject(), [], {"size": 0, "held": 0, "frontier": b""}
    ids = []
    for step in range(kept + 3):
        if step == kept:  # what the older copy has of its stream
            async with pair.police.database.read() as tx:
                stream = (await tx.session.execute(select(Stream))).scalars().first()
                copy = {name: getattr(stream, name) for name in copy} if kept and stream is not None else copy
        ids.append(await pair.police.say("health", subject, step))
        numbered += await pair.police.number("health")
    await pair.health.hear("police", [*numbered[:kept], *numbered[kept + 1 :]])  # all but the first that the copy has not
    async with pair.police.database.write() as tx:
        await tx.session.execute(delete(OutboxRow).where(col(OutboxRow.event_id).in_(ids[kept:])))
        await tx.session.execute(update(Stream).values(**copy))
        await open_incarnation(tx, ["health"], "restored")
    ours, theirs = await _summaries(pair)
    assert ours != theirs  # else nobody asks for what has to come home
    assert not (await ends.compare("health", "police")).in_step
    for _ in range(3):
        await ends.compare("police", "health")
        pair.clock.advance(ASK_AGAIN)
    await apply_home(pair.police.database, pair.police, "health")
    assert set(pair.police.home_ids) >= set(ids[kept + 1 :])


async def test_what_was_erased_before_its_slot_was_found_taken_is_said_again_without_its_words(pair: Pair, ends: Ends) -> None:
    subject, consent_id = new_subject(), new_id()
    lost = await pair.police.say("health", new_subject(), 0)
    (heard_before,) = await pair.police.number("health")
    await pair.health.hear("police", [heard_before])
    async with pair.police.database.write() as tx:  # an older copy, which goes on in the same life
        await tx.session.execute(delete(OutboxRow).where(col(OutboxRow.event_id) == lost))
        await tx.session.execute(update(Stream).values(size=0, held=0, frontier=b""))
    erased = await pair.police.say("health", subject, 0, consent_id=consent_id)
    await pair.police.number("health")  # into a slot that another word of ours has already
    async with pair.police.database.write() as tx:
        await erase_said(tx, consent_id, ())
        await open_incarnation(tx, ["health"], "restored")
    after = await pair.police.say("health", subject, 1)
    for _ in range(4):
        await ends.compare("health", "police")
        await ends.compare("police", "health")
        await apply_home(pair.police.database, pair.police, "health")
        await pair.police.number("health")
        pair.clock.advance(ASK_AGAIN)
    async with pair.police.database.read() as tx:
        rows = (await tx.session.execute(select(OutboxRow).where(col(OutboxRow.event_id) == erased))).scalars().all()
    assert {(row.is_forked, row.is_withheld, row.data is None) for row in rows} == {(True, False, True), (False, True, True)}
    assert (await pair.health.inbox_states())[erased] == "withheld"
    assert [applied for applied in pair.health.applied if applied[0] == subject] == [(subject, 1)]  # and nothing waits for it
    assert after in pair.police.delivered_ids
