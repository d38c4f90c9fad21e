"""Words are cleared at both ends once no backup that may be put back lacks them; who asks for them later is told the truth."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from exchange_node import new_subject
from exchange_pair import Pair
from sqlalchemy import delete, select, update
from sqlmodel import col

from shared.contracts.wire.envelope import unframe
from shared.contracts.wire.merkle import EMPTY_ROOT, Frontier
from shared.contracts.wire.statements import Cleared, Receipt, Statement
from shared.exchange import clearing
from shared.exchange.clearing import BACKUP_WINDOW, FILLED_KEPT, SILENCE_MAX, clear
from shared.exchange.incarnations import open_incarnation
from shared.exchange.letters import Letters
from shared.exchange.outbox import withhold_event
from shared.exchange.receipts import ASK_AGAIN, STILL
from shared.exchange.tables import (
    Fork,
    HeldReceipt,
    InboxRow,
    InboxState,
    LostSlot,
    MissingSlot,
    OutboxRow,
    Peer,
    ReceivedHead,
    ReceivedSlot,
    Stream,
)
from shared.kit.sealed import as_it_lies, blank

from_here = None
A_MOMENT = timedelta(minutes=1)


@pytest.fixture
def letters(pair: Pair) -> dict[str, Letters]:
    return {"police": pair.police.letters("health"), "health": pair.health.letters("police")}


async def exchange(pair: Pair, letters: dict[str, Letters], times: int = 1) -> None:
    """Each end's letters to the other, with what they bring along, and what was asked for again."""
    for _ in range(times):
        for sender, reader in ((pair.police, pair.health), (pair.health, pair.police)):
            statement, *words = await letters[sender.agency].write(reader.agency)
            await letters[reader.agency].take(reader.seal.open(statement, sender.agency))
            home = [reader.seal.open(word, sender.agency) for word in words]
            await letters[reader.agency].take_home(sender.agency, home)
            await reader.hear(sender.agency, await sender.due(reader.agency))
            await sender.mark_all_sent()
        pair.clock.advance(ASK_AGAIN)


async def cleared(pair: Pair) -> tuple[int, int]:
    return await clear(pair.police.database, pair.police.acts_first), await clear(pair.health.database, pair.health.acts_first)


async def told(pair: Pair, letters: dict[str, Letters], *steps: int) -> list[UUID]:
    """Stories that the desk has told and the clinic has signed for."""
    ids = [await pair.police.say("health", new_subject(), step) for step in steps]
    await pair.health.hear("police", await pair.police.number("health"))
    await pair.police.mark_all_sent()
    await exchange(pair, letters)
    return ids


async def words_of(pair: Pair) -> tuple[list[bool], list[bool]]:
    """Which rows still have their words: of the desk's outbox, of the clinic's inbox."""
    said = [row.inner is not None and row.data is not None for row in await pair.police.outbox_rows()]
    async with pair.health.database.read() as tx:
        rows = (await tx.session.execute(select(col(InboxRow.inner)).order_by(col(InboxRow.received_at)))).scalars()
        return said, [inner is not None for inner in rows]


async def test_words_go_at_both_ends_a_window_after_they_were_signed_for_and_places_stay(
    pair: Pair, letters: dict[str, Letters]
) -> None:
    (event_id,) = await told(pair, letters, 0)
    pair.clock.advance(BACKUP_WINDOW - A_MOMENT)
    await exchange(pair, letters)
    assert await cleared(pair) == (0, 0)
    pair.clock.advance(A_MOMENT)
    await exchange(pair, letters)
    assert await cleared(pair) == (1, 1)
    assert await words_of(pair) == ([False], [False])
    (row,) = await pair.police.outbox_rows()
    assert (row.event_id, row.seq, row.leaf is not None, row.delivered_at is not None) == (event_id, 1, True, True)
    async with pair.health.database.read() as tx:
        assert (await tx.session.execute(select(col(ReceivedSlot.seq), col(ReceivedSlot.leaf)))).tuples().all() == [(1, row.leaf)]
    await exchange(pair, letters)  # and the pair is as much in step as before
    assert pair.health.troubles == pair.police.troubles == []


async def test_what_nobody_has_signed_for_waits_or_is_parked_keeps_its_words(pair: Pair, letters: dict[str, Letters]) -> None:
    await told(pair, letters, 0)
    subject = new_subject()
    await pair.police.say("health", subject, 1)
    await pair.police.say("health", subject, 2)
    await pair.police.say("health", new_subject(), 3, fails="unauthorised")
    _swallowed, waits, parked = await pair.police.number("health")
    await pair.health.hear("police", [waits, parked])
    pair.clock.advance(BACKUP_WINDOW)
    await _heard_whole(pair)
    await cleared(pair)
    assert await words_of(pair) == ([False, True, True, True], [False, True, True])


async def _heard_whole(pair: Pair) -> None:
    """Both ends have heard each other all the time, and neither lacked anything that it once held."""
    for node in (pair.police, pair.health):
        async with node.database.write() as tx:
            now = tx.clock.now()
            await tx.session.execute(update(Peer).values(spoke_at=now, whole_since=now - SILENCE_MAX))


async def test_words_wait_for_an_end_that_is_away_and_not_for_ever(pair: Pair, letters: dict[str, Letters]) -> None:
    await told(pair, letters, 0)
    pair.clock.advance(BACKUP_WINDOW * 2)
    assert await cleared(pair) == (0, 0)  # whatever its backup holds by then, it was not heard since
    pair.clock.advance(SILENCE_MAX)
    assert await cleared(pair) == (1, 1)


async def test_an_old_letter_that_comes_again_is_no_sign_of_life(pair: Pair, letters: dict[str, Letters]) -> None:
    await told(pair, letters, 0)
    (old,) = await letters["health"].write("police")
    pair.clock.advance(BACKUP_WINDOW * 2)
    await letters["police"].take(pair.police.seal.open(old, "health"))
    assert await cleared(pair) == (0, 0)


@pytest.mark.parametrize("ended", ["sender", "reader"])
async def test_a_restored_end_finds_all_that_a_backup_within_the_window_lacks(
    pair: Pair, letters: dict[str, Letters], ended: str
) -> None:
    kept, late = [(await told(pair, letters, step))[0] for step in (0, 1)]
    pair.clock.advance(BACKUP_WINDOW - A_MOMENT)
    await exchange(pair, letters)
    pair.clock.advance(timedelta(days=30))  # the machine is mended at last; its backup was younger than the window when it broke
    await _restored_without(pair, letters, late, ended)
    await cleared(pair)
    await exchange(pair, letters, 6)
    await cleared(pair)
    if ended == "reader":
        assert [step for _, step in pair.health.applied] == [0, 1, 1]
    else:
        assert pair.police.home_ids == [late]
    assert "cleared" not in [*pair.police.troubles, *pair.health.troubles]
    said, heard = await words_of(pair)
    # The end that was restored clears what the other has had all the time; the other keeps everything for another window.
    assert (said, heard) == (([True, True], [False, True]) if ended == "reader" else ([False, True, True], [True, True, True]))
    assert kept != late


async def _restored_without(pair: Pair, letters: dict[str, Letters], event_id: UUID, ended: str) -> None:
    """Yesterday's copy of the desk's or the clinic's database, which had not the second event yet."""
    if ended == "sender":
        node, peer = pair.police, "health"
        first = next(row for row in await pair.police.outbox_rows() if row.event_id != event_id)
        assert first.leaf is not None
        async with node.database.write() as tx:
            await tx.session.execute(delete(OutboxRow).where(col(OutboxRow.event_id) == event_id))
            await tx.session.execute(delete(HeldReceipt))
            head = {"size": 1, "held": 1, "frontier": _frontier([first.leaf])}
            await tx.session.execute(update(Stream).values(**head))
            await open_incarnation(tx, [peer], "restored")
    else:
        node, peer = pair.health, "police"
        async with node.database.write() as tx:
            slot = select(col(ReceivedSlot.seq)).where(col(ReceivedSlot.event_id) == event_id).scalar_subquery()
            await tx.session.execute(delete(ReceivedSlot).where(col(ReceivedSlot.seq) == slot))
            await tx.session.execute(delete(InboxRow).where(col(InboxRow.event_id) == event_id))
            leaf = (await tx.session.execute(select(col(ReceivedSlot.leaf)))).scalars().one()
            head = {"upto": 1, "held": 1, "highest": 1, "frontier": _frontier([leaf])}
            await tx.session.execute(update(ReceivedHead).values(**head))
            await open_incarnation(tx, [peer], "restored")
    letters[node.agency] = node.letters(peer)
    await node.number(peer)


def _frontier(leaves: Sequence[bytes]) -> bytes:
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    return frontier.to_bytes()


async def _all_cleared(pair: Pair, letters: dict[str, Letters]) -> None:
    pair.clock.advance(BACKUP_WINDOW)
    await exchange(pair, letters)
    await cleared(pair)


async def test_a_reader_restored_from_an_older_backup_is_told_that_the_words_are_gone_and_goes_on(
    pair: Pair, letters: dict[str, Letters]
) -> None:
    subject = new_subject()
    _first, late = [(await told(pair, letters, step))[0] for step in (0, 1)]
    await _all_cleared(pair, letters)
    await _restored_without(pair, letters, late, "reader")
    await exchange(pair, letters, 4)
    assert (await pair.health.inbox_states())[late] == InboxState.CLEARED
    assert "cleared" in pair.health.troubles
    assert "cleared" in pair.police.troubles
    receipt = next(r for r in (await pair.health.state("police")).receipts if r.upto == 2)
    assert (receipt.missing, receipt.parked, receipt.lost) == ((), (), ())
    assert [row.is_due for row in await pair.police.outbox_rows() if row.inner is None] == [False, False]
    await told(pair, letters, 2)
    assert [step for _, step in pair.health.applied] == [0, 1, 2]
    assert subject not in [s for s, _ in pair.health.applied]


async def test_what_waits_for_a_word_that_is_cleared_is_freed(pair: Pair, letters: dict[str, Letters]) -> None:
    subject = new_subject()
    first = await pair.police.say("health", subject, 0)
    await pair.health.hear("police", await pair.police.number("health"))
    await pair.police.mark_all_sent()
    await exchange(pair, letters)
    await _all_cleared(pair, letters)
    async with pair.health.database.write() as tx:  # a backup from before
        for table in (ReceivedSlot, InboxRow, ReceivedHead, MissingSlot):
            await tx.session.execute(delete(table))
    letters["health"] = pair.health.letters("police")
    await pair.police.say("health", subject, 1)
    await pair.health.hear("police", await pair.police.number("health"))
    await pair.police.mark_all_sent()
    assert pair.health.applied == [(subject, 0)]
    pair.clock.advance(STILL)
    await exchange(pair, letters, 3)
    assert pair.health.applied == [(subject, 0), (subject, 1)]
    assert (await pair.health.inbox_states())[first] == InboxState.CLEARED


async def test_words_that_turn_up_after_all_are_applied_once(pair: Pair, letters: dict[str, Letters]) -> None:
    subject = new_subject()
    await pair.police.say("health", subject, 0)
    envelopes = await pair.police.number("health")
    inner = pair.health.seal.open(envelopes[0], "police")
    await _asked_for(pair, inner.header.incarnation, 1)
    event_id = (await pair.police.outbox_rows())[0].event_id
    await _state_cleared(pair, Cleared(incarnation=inner.header.incarnation, seq=1, leaf=inner.leaf, event_id=event_id))
    assert (await pair.health.inbox_states())[event_id] == InboxState.CLEARED
    for _ in range(2):
        await pair.health.hear("police", envelopes)  # the broker had it
    assert pair.health.applied == [(subject, 0)]
    assert (await pair.health.inbox_states())[event_id] == InboxState.APPLIED


async def _asked_for(pair: Pair, incarnation: UUID, seq: int) -> None:
    async with pair.health.database.write() as tx:
        tx.session.add(MissingSlot(sender="police", incarnation=incarnation, seq=seq, asked_at=tx.clock.now()))


async def _state_cleared(pair: Pair, *slots: Cleared) -> None:
    await pair.health.take("police", Statement(made_at=pair.clock.now(), cleared=slots))


async def test_a_slot_that_was_not_asked_for_is_not_taken_on_a_peers_word(pair: Pair) -> None:
    life = UUID(int=7)
    await _state_cleared(pair, Cleared(incarnation=life, seq=1, leaf=b"\1" * 32, event_id=new_subject()))
    async with pair.health.database.read() as tx:
        assert (await tx.session.execute(select(ReceivedSlot))).first() is None
    assert pair.health.troubles == []


async def test_another_leaf_in_such_a_word_is_evidence_of_a_fork(pair: Pair, letters: dict[str, Letters]) -> None:
    (event_id,) = await told(pair, letters, 0)
    (row,) = await pair.police.outbox_rows()
    assert row.incarnation is not None
    await _state_cleared(pair, Cleared(incarnation=row.incarnation, seq=1, leaf=b"\1" * 32, event_id=event_id))
    assert pair.health.troubles == ["fork"]
    async with pair.health.database.read() as tx:
        (fork,) = (await tx.session.execute(select(Fork))).scalars()
    assert unframe(fork.inner).header.sender == "police"  # what it signed: the statement


async def test_a_sender_restored_from_an_older_backup_gets_the_places_back(pair: Pair, letters: dict[str, Letters]) -> None:
    _first, late = [(await told(pair, letters, step))[0] for step in (0, 1)]
    await _all_cleared(pair, letters)
    await _restored_without(pair, letters, late, "sender")
    await exchange(pair, letters, 4)
    home = next(row for row in await pair.police.outbox_rows() if row.event_id == late)
    assert (home.type, home.seq, home.inner, home.is_home, home.returned_at is not None) == ("unknown", 2, None, True, True)
    assert pair.police.home_ids == []


async def test_what_takes_a_consent_back_is_kept_for_ever_and_so_is_what_was_blank(
    pair: Pair, letters: dict[str, Letters], monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = await pair.police.say("health", new_subject(), 0)
    async with pair.police.database.write() as tx:
        assert await withhold_event(tx, blank)
    await pair.police.say("health", new_subject(), 1, type="story.begun")
    await told(pair, letters, 2)
    for node in (pair.police, pair.health):
        monkeypatch.setattr(node, "acts_first", frozenset({"story.begun"}))
    await _all_cleared(pair, letters)
    assert [row.inner is not None for row in await pair.police.outbox_rows()] == [True, True, False]
    async with pair.health.database.read() as tx:
        query = select(col(InboxRow.type), col(InboxRow.state)).where(col(InboxRow.inner).is_not(None))
        kept = set((await tx.session.execute(query)).tuples())
    assert kept == {("story.told", "withheld"), ("story.begun", "applied")}


async def test_it_is_done_in_bounded_pieces(pair: Pair, letters: dict[str, Letters], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clearing, "CLEAR_BATCH", 2)
    await told(pair, letters, *range(5))
    pair.clock.advance(BACKUP_WINDOW)
    await exchange(pair, letters)
    assert [await clear(pair.police.database, ()) for _ in range(4)] == [2, 2, 1, 0]


async def test_slots_that_came_or_are_lost_are_missing_no_longer(pair: Pair) -> None:
    life, other = UUID(int=1), UUID(int=2)
    async with pair.health.database.write() as tx:
        now = tx.clock.now()
        tx.session.add(Peer(peer="police"))
        for seq in range(1, 6):
            tx.session.add(MissingSlot(sender="police", incarnation=life, seq=seq, asked_at=now, is_parked=seq in (3, 5)))
        tx.session.add(MissingSlot(sender="police", incarnation=other, seq=1, asked_at=now))
        tx.session.add(LostSlot(sender="police", incarnation=life, seq=2, stated_at=now))
        for seq in (1, 3):
            slot: dict[str, Any] = {"leaf": b"\1" * 32, "event_id": new_subject(), "received_at": now}
            tx.session.add(ReceivedSlot(sender="police", incarnation=life, seq=seq, **slot))

    async def missing() -> list[tuple[UUID, int]]:
        await clear(pair.health.database, ())
        async with pair.health.database.read() as tx:
            query = select(col(MissingSlot.incarnation), col(MissingSlot.seq))
            return [(i, int(n)) for i, n in (await tx.session.execute(query.order_by(*query.selected_columns))).tuples()]

    # What was given up and came is kept for a while: its trace may belong to another.
    assert await missing() == [(life, 3), (life, 4), (life, 5), (other, 1)]
    pair.clock.advance(FILLED_KEPT)
    assert await missing() == [(life, 4), (life, 5), (other, 1)]


async def test_a_receipt_that_asks_for_what_was_signed_for_keeps_words_for_another_window(
    pair: Pair, letters: dict[str, Letters]
) -> None:
    """A copy of a whole machine speaks from the life that it was copied from; only what it asks for betrays it."""
    await told(pair, letters, 0)
    (row,) = await pair.police.outbox_rows()
    pair.clock.advance(BACKUP_WINDOW - A_MOMENT)
    await exchange(pair, letters)
    pair.clock.advance(timedelta(days=30))
    assert row.incarnation is not None
    asks = Receipt(incarnation=row.incarnation, upto=0, root=EMPTY_ROOT, missing=(1,))
    async with pair.police.database.read() as tx:
        (peer,) = (await tx.session.execute(select(Peer))).scalars()
    await pair.police.take("health", Statement(made_at=pair.clock.now(), receipts=(asks,)), peer.incarnation)
    await pair.police.mark_all_sent()
    assert (await cleared(pair))[0] == 0


async def test_a_row_under_a_destroyed_key_is_written_over_though_it_reads_as_nothing(pair: Pair) -> None:
    subject = new_subject()
    await pair.police.say("health", subject, 0)
    await pair.health.hear("police", await pair.police.number("health"))
    async with pair.health.database.write() as tx:
        tx.keys.destroy([subject], tx.clock.now())
    async with pair.health.database.write() as tx:
        row = (await tx.session.execute(select(InboxRow))).scalars().one()
        assert row.inner is None
        blank(row, "inner")
    async with pair.health.database.read() as tx:
        assert (await tx.session.execute(select(as_it_lies(InboxRow.inner)))).scalars().all() == [None]
