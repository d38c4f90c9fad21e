"""Letters that a broken or hostile peer may sign: each costs a trace or nothing, and what comes behind it is served."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from exchange_node import new_subject
from exchange_pair import Pair
from pydantic import ValidationError
from sqlalchemy import delete, update
from sqlmodel import col

from shared.contracts.wire.envelope import SLOT_MAX, Header, Kind
from shared.contracts.wire.merkle import EMPTY_ROOT, Frontier
from shared.contracts.wire.statements import INCARNATIONS_MAX, RANGES_MAX, Bare, HeldRange, LostRange, Receipt, Statement
from shared.exchange import herald
from shared.exchange.broker import Receiver
from shared.exchange.herald import Herald
from shared.exchange.inbox import Inbox
from shared.exchange.incarnations import current_incarnation, open_incarnation
from shared.exchange.reconcile import Reconciler, run_reconciler
from shared.exchange.relay import BrokerAway
from shared.exchange.tables import InboxRow, Incarnation, LostSlot, OutboxRow, ReceivedHead, Recovery, Stream
from shared.kit.ids import new_id

ROOT = b"\1" * 32


class Record:
    """A record as aiokafka hands it over, as far as the receiver reads it."""

    topic, partition, key, timestamp = "refnet.police.to.health.express.v1", 0, None, 0

    def __init__(self, value: bytes, offset: int) -> None:
        self.value, self.offset = value, offset


def of_police(pair: Pair, statement: Statement) -> bytes:
    """A statement that the police signed."""
    header = Header(kind=Kind.STATEMENT, sender="police", recipient="health", incarnation=UUID(int=1))
    return pair.police.seal.seal(pair.police.seal.sign(header, statement.to_bytes()), "health")


async def hear(pair: Pair, letters: Sequence[bytes]) -> None:
    receiver = Receiver(pair.health.database, pair.health.inbox, pair.health.seal, pair.health, pair.health.letters("police"))
    await receiver.receive([Record(value, offset) for offset, value in enumerate(letters)])


async def test_a_letter_that_breaks_our_code_is_passed_over_and_what_comes_behind_it_is_applied(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.exchange import letters

    async def breaks(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(letters, "take_statement", breaks)
    subject = new_subject()
    await pair.police.say("health", subject, 0)
    await hear(pair, [of_police(pair, Statement(made_at=pair.clock.now())), *await pair.police.number("health")])
    assert pair.health.applied == [(subject, 0)]
    assert pair.health.troubles == ["unopenable"]


async def test_an_event_of_ours_that_is_shown_as_our_signature_shows_nothing(pair: Pair) -> None:
    await pair.health.say("police", new_subject(), 0)
    (event,) = await pair.health.number("police")
    shown = pair.police.seal.open(event, "health").raw
    async with pair.health.database.read() as tx:
        life = await current_incarnation(tx)
    await hear(pair, [of_police(pair, Statement(made_at=pair.clock.now(), shown=shown))])
    async with pair.health.database.read() as tx:
        assert await current_incarnation(tx) == life
    assert pair.health.troubles == []


@pytest.mark.parametrize(
    "claim",
    [
        {"upto": SLOT_MAX, "root": ROOT},
        {"upto": SLOT_MAX, "root": ROOT, "lost": (LostRange(first=1, last=SLOT_MAX),)},
        {"upto": SLOT_MAX, "root": ROOT, "lost": (LostRange(first=5, last=9), LostRange(first=2, last=SLOT_MAX))},
        {"upto": 0, "root": EMPTY_ROOT, "ranges": (HeldRange(first=2, last=SLOT_MAX, root=ROOT),)},
    ],
)
async def test_a_claim_to_hold_any_number_of_words_costs_one_comparison(pair: Pair, claim: dict[str, Any]) -> None:
    await pair.health.say("police", new_subject(), 0)
    await pair.health.number("police")
    for life in (new_id(), new_id()):
        receipt = Receipt(incarnation=life, **claim)
        await asyncio.wait_for(hear(pair, [of_police(pair, Statement(made_at=pair.clock.now(), receipts=(receipt,)))]), 30)
    assert "unopenable" not in pair.health.troubles


def test_a_letter_that_says_a_slot_twice_is_none() -> None:
    def over(*spans: tuple[int, int], upto: int = 0) -> Receipt:
        ranges = tuple(HeldRange(first=first, last=last, root=ROOT) for first, last in spans)
        return Receipt(incarnation=UUID(int=1), upto=upto, root=ROOT, ranges=ranges)

    one = over((2, 3), (5, 9), upto=1)
    for spans, upto in (([(2, 9), (5, 12)], 0), ([(5, 9), (2, 3)], 0), ([(2, 3)], 2), ([(3, 2)], 0)):
        with pytest.raises(ValidationError):
            over(*spans, upto=upto)
    with pytest.raises(ValidationError):
        Statement(made_at=datetime.now(UTC), receipts=(one, one))


async def test_slots_without_words_are_heeded_only_where_they_were_asked_for(pair: Pair) -> None:
    made_up = [new_id() for _ in range(20)]
    bare = tuple(Bare(incarnation=life, seq=1, leaf=ROOT, event_id=new_id()) for life in made_up)
    await hear(pair, [of_police(pair, Statement(made_at=pair.clock.now(), bare=bare))])
    assert await pair.health.outbox_rows() == []
    async with pair.health.database.read() as tx:
        for life in made_up:
            assert await tx.session.get(Incarnation, life) is None


async def test_a_slot_whose_words_are_gone_comes_home_after_the_restore_was_answered_too(pair: Pair) -> None:
    first, second = [await pair.police.say("health", new_subject(), step) for step in range(2)]
    await pair.health.hear("police", await pair.police.number("health"))
    kept = next(row for row in await pair.police.outbox_rows() if row.event_id == first)
    assert kept.incarnation is not None
    assert kept.leaf is not None
    async with pair.police.database.write() as tx:  # yesterday's copy, and a peer that had nothing more to say then
        await tx.session.execute(delete(OutboxRow).where(col(OutboxRow.event_id) == second))
        head = {"size": 1, "held": 1, "frontier": Frontier().append(kept.leaf).to_bytes()}
        await tx.session.execute(update(Stream).values(**head))
        await open_incarnation(tx, ["health"], "restored")
        await tx.session.execute(update(Recovery).values(answered_at=tx.clock.now()))
    async with pair.health.database.write() as tx:  # she took her consent back
        await tx.session.execute(update(InboxRow).where(col(InboxRow.event_id) == second).values(inner=None))
    desk, clinic = pair.police.letters("health"), pair.health.letters("police")
    for _ in range(3):
        statement, *_words = await clinic.write("police")
        await desk.take(pair.police.seal.open(statement, "health"))
        statement, *_words = await desk.write("health")
        await clinic.take(pair.health.seal.open(statement, "police"))
    home = [row for row in await pair.police.outbox_rows() if row.incarnation == kept.incarnation]
    assert [(row.seq, row.event_id) for row in home] == [(1, first), (2, second)]
    assert await desk.recalled("health") == []


async def test_more_lives_than_a_letter_can_tell_of_leave_the_newest_in_it(pair: Pair) -> None:
    for _ in range(INCARNATIONS_MAX + 5):
        async with pair.health.database.write() as tx:
            await open_incarnation(tx, ["police"], "restored")
        await pair.health.number("police")
    async with pair.health.database.write() as tx:
        for seen in range(INCARNATIONS_MAX + 5):
            row = ReceivedHead(
                sender="police", incarnation=UUID(int=seen), upto=200, held=0, frontier=b"", highest=200, announced=200
            )
            tx.session.add(row)
        for seq in range(1, 200, 2):  # of the newest, every second was lost
            newest_life = UUID(int=INCARNATIONS_MAX + 4)
            tx.session.add(LostSlot(sender="police", incarnation=newest_life, seq=seq, stated_at=tx.clock.now()))
    statement = await pair.health.state("police")
    async with pair.health.database.read() as tx:
        assert statement.heads[-1].incarnation == await current_incarnation(tx)
    assert len(statement.heads) == len(statement.receipts) == INCARNATIONS_MAX
    newest = statement.receipts[-1]
    assert (len(newest.lost), newest.upto) == (RANGES_MAX, 2 * RANGES_MAX)  # it signs for what lies before the next
    letters = await pair.health.letters("police").write("police")
    assert pair.police.seal.open(letters[0], "health").header.kind is Kind.STATEMENT


async def test_a_peer_that_cannot_be_written_to_keeps_no_other_from_its_letter(pair: Pair) -> None:
    sent: list[str] = []

    async def send(peer: str, _envelope: bytes) -> None:
        if peer == "a_closed_clinic":
            raise BrokerAway("its topics do not exist")
        sent.append(peer)

    letters = pair.health.letters("a_closed_clinic", "police")
    with pytest.raises(BrokerAway):
        await Herald(pair.health.database, ["a_closed_clinic", "police"], letters, send).state_all()
    assert (sent, letters.due) == (["police", "police"], {"a_closed_clinic"})  # its directory first, as at every start


async def test_a_busy_peer_and_one_that_is_away_keep_no_other_from_its_heartbeat(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("HEARTBEAT_S", 0.05), ("STRETCH_S", 0.01), ("GATHER_S", 0.0)):
        monkeypatch.setattr(herald, name, value)
    letters = pair.health.letters("a_away", "b_busy", "c_quiet")
    quiet, heard = asyncio.Event(), list[str]()

    async def send(peer: str, _envelope: bytes) -> None:
        heard.append(peer)
        letters.heard_from("b_busy")
        if heard.count("c_quiet") == 4:
            quiet.set()
        if peer == "a_away":
            raise BrokerAway("its topics do not exist")

    stop = asyncio.Event()
    running = asyncio.create_task(Herald(pair.health.database, ["a_away", "b_busy", "c_quiet"], letters, send).run(stop))
    await asyncio.wait_for(quiet.wait(), 60)
    stop.set()
    await running


class Silent(Reconciler):
    """It compares, and one peer never answers, while another breaks our code."""

    def __init__(self, pair: Pair, inbox: Inbox) -> None:
        super().__init__(pair.health.database, "health", pair.health.seal, inbox, pair.health.letters("police"))
        self.compared: list[str] = []
        self.all_three = asyncio.Event()

    async def reconcile(self, peer: str, line: Any, *, is_patient: bool = False) -> Any:
        self.compared.append(peer)
        if len(set(self.compared)) == 3:
            self.all_three.set()
        if peer == "b_hanging":
            await asyncio.Event().wait()
        raise ZeroDivisionError


async def test_a_peer_that_hangs_or_breaks_our_code_keeps_no_other_from_being_compared(pair: Pair) -> None:
    reconciler, stop = Silent(pair, pair.health.inbox), asyncio.Event()
    running = asyncio.create_task(run_reconciler(reconciler, None, ["a_broken", "b_hanging", "police"], stop))  # type: ignore[arg-type]
    await asyncio.wait_for(reconciler.all_three.wait(), 30)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
