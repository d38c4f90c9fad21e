"""A slot whose record comes back unreadable is listed as parked, and is still asked for, slowly."""

import hashlib
from uuid import uuid4

from exchange_node import Node, new_subject
from exchange_pair import Pair

from shared.exchange.receipts import ASK_AGAIN, ASK_PARKED_AGAIN, OVERDUE, PIECE_EVERY, STILL, note_unopenable
from shared.exchange.said import RANGE_SLOTS_MAX
from shared.exchange.tables import ReceivedHead, ReceivedSlot
from shared.kit.bulk import insert_many


async def _unreadable(health: Node, offset: int, digest: bytes | None = None) -> None:
    """Whatever is sent again is sealed anew: no two of its records are alike."""
    digest = digest or hashlib.sha256(offset.to_bytes(8)).digest()
    async with health.database.write() as tx:
        await note_unopenable(tx, digest, "police", ("refnet.police.to.health.v1", 0, offset), "its frame is broken", health)


async def test_parked_once_it_was_asked_for_twice_in_vain_and_asked_for_slowly_from_then_on(pair: Pair) -> None:
    for step in range(2):
        await pair.police.say("health", new_subject(), step)
    _first, second = await pair.police.number("health")
    await _unreadable(pair.health, 0)
    await pair.health.hear("police", [second])
    pair.clock.advance(STILL)
    assert (await pair.health.state("police")).receipts[0].missing == (1,)
    for offset, is_given_up in ((2, False), (4, True)):
        pair.clock.advance(ASK_AGAIN / 2)
        await _unreadable(pair.health, offset)  # the answer
        pair.clock.advance(ASK_AGAIN / 2)
        receipt = (await pair.health.state("police")).receipts[0]
        assert (receipt.missing, receipt.parked) == (((), (1,)) if is_given_up else ((1,), ()))
    pair.clock.advance(ASK_PARKED_AGAIN)
    later = (await pair.health.state("police")).receipts[0]
    assert (later.missing, later.parked) == ((1,), (1,))


async def test_what_was_there_before_a_slot_was_asked_for_gives_no_slot_up(pair: Pair) -> None:
    for step in range(2):
        await pair.police.say("health", new_subject(), step)
    _first, second = await pair.police.number("health")
    await pair.health.hear("police", [second])
    pair.clock.advance(STILL)
    await pair.health.state("police")
    for offset in range(3):  # other records: none is an answer to what is asked for after them
        await _unreadable(pair.health, offset)
    for _ in range(4):
        pair.clock.advance(ASK_AGAIN)
        await _unreadable(pair.health, 0)  # a rewound batch
        receipt = (await pair.health.state("police")).receipts[0]
        assert (receipt.missing, receipt.parked) == ((1,), ())


async def test_one_record_gives_up_one_slot(pair: Pair) -> None:
    for step in range(5):
        await pair.police.say("health", new_subject(), step)
    envelopes = await pair.police.number("health")
    await pair.health.hear("police", [envelopes[-1]])
    pair.clock.advance(STILL)
    assert (await pair.health.state("police")).receipts[0].missing == (1, 2, 3, 4)
    pair.clock.advance(ASK_AGAIN)
    await pair.health.state("police")  # asked for a second time
    pair.clock.advance(ASK_AGAIN / 2)
    await _unreadable(pair.health, 2)
    pair.clock.advance(ASK_AGAIN / 2)
    first = (await pair.health.state("police")).receipts[0]
    assert (len(first.missing), len(first.parked)) == (3, 1)
    await pair.health.hear("police", [envelopes[first.parked[0] - 1]])  # it was another one that could not be read
    pair.clock.advance(ASK_AGAIN)
    second = (await pair.health.state("police")).receipts[0]
    assert (len(second.missing), second.parked) == (3, ())
    pair.clock.advance(ASK_AGAIN / 2)
    await _unreadable(pair.health, 4)  # it goes on coming: one of the others is what it should have been
    pair.clock.advance(ASK_AGAIN / 2)
    third = (await pair.health.state("police")).receipts[0]
    assert (len(third.missing), len(third.parked)) == (2, 1)


async def test_far_above_a_hole_that_stays_all_is_signed_for_and_asked_for_in_turn(pair: Pair) -> None:
    """The slots of more than one statement's look: without turns nothing up there would count as delivered, ever."""
    life, count, second_hole = uuid4(), 2 * RANGE_SLOTS_MAX + 600, RANGE_SLOTS_MAX + 5_000
    held = [seq for seq in range(2, count + 1) if seq != second_hole]
    values = {"sender": "police", "incarnation": life, "received_at": pair.clock.now() - OVERDUE, "is_express": False}
    slots = [{**values, "seq": seq, "leaf": hashlib.sha256(b"%d" % seq).digest(), "event_id": uuid4()} for seq in held]
    head = {"sender": "police", "incarnation": life, "upto": 0, "held": 0, "frontier": b"", "highest": count, "announced": count}
    async with pair.health.database.write() as tx:
        await insert_many(tx, ReceivedSlot, slots)
        await insert_many(tx, ReceivedHead, [head])
    signed, asked = set[int](), set[int]()
    for _ in range(3):
        (receipt,) = (await pair.health.state("police")).receipts
        assert all(part.last - part.first < RANGE_SLOTS_MAX for part in receipt.ranges)  # longer ones nobody compares
        signed |= {seq for part in receipt.ranges for seq in range(part.first, part.last + 1)}
        asked |= set(receipt.missing)
        pair.clock.advance(PIECE_EVERY)
    assert (signed, asked) == (set(held), {1, second_hole})
