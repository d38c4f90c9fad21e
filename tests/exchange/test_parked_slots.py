"""A slot whose record comes back unreadable is listed as parked, and is still asked for, slowly."""

from exchange_node import Node, new_subject
from exchange_pair import Pair

from shared.exchange.receipts import ASK_AGAIN, ASK_PARKED_AGAIN, STILL, note_unopenable


async def _unreadable(health: Node, offset: int) -> None:
    async with health.database.write() as tx:
        await note_unopenable(tx, b"d" * 32, "police", ("refnet.police.to.health.v1", 0, offset), "its frame is broken", health)


async def test_parked_after_the_second_unreadable_copy_and_asked_for_slowly_from_then_on(pair: Pair) -> None:
    for step in range(2):
        await pair.police.say("health", new_subject(), step)
    _first, second = await pair.police.number("health")
    await _unreadable(pair.health, 0)
    await pair.health.hear("police", [second])
    pair.clock.advance(STILL)
    assert (await pair.health.state("police")).receipts[0].missing == (1,)
    await _unreadable(pair.health, 2)
    pair.clock.advance(ASK_AGAIN)
    parked = (await pair.health.state("police")).receipts[0]
    pair.clock.advance(ASK_PARKED_AGAIN)
    later = (await pair.health.state("police")).receipts[0]
    assert (parked.missing, parked.parked) == ((), (1,))
    assert (later.missing, later.parked) == ((1,), (1,))
    assert pair.health.troubles == ["unopenable"]


async def test_a_record_read_again_at_its_old_place_parks_nothing(pair: Pair) -> None:
    for step in range(2):
        await pair.police.say("health", new_subject(), step)
    _first, second = await pair.police.number("health")
    await pair.health.hear("police", [second])
    for _ in range(3):  # a rewound batch
        await _unreadable(pair.health, 0)
    for wait in (STILL, ASK_AGAIN):
        pair.clock.advance(wait)
        receipt = (await pair.health.state("police")).receipts[0]
        assert (receipt.missing, receipt.parked) == ((1,), ())


async def test_one_trace_gives_up_one_slot_at_a_time(pair: Pair) -> None:
    for step in range(5):
        await pair.police.say("health", new_subject(), step)
    envelopes = await pair.police.number("health")
    await pair.health.hear("police", [envelopes[-1]])
    for offset in (0, 2):  # one record that nobody can read, written twice
        await _unreadable(pair.health, offset)
    pair.clock.advance(STILL)
    assert (await pair.health.state("police")).receipts[0].missing == (1, 2, 3, 4)
    pair.clock.advance(ASK_AGAIN)
    first = (await pair.health.state("police")).receipts[0]
    assert (len(first.missing), len(first.parked)) == (3, 1)
    await pair.health.hear("police", [envelopes[first.parked[0] - 1]])  # it was another one that could not be read
    pair.clock.advance(ASK_AGAIN)
    second = (await pair.health.state("police")).receipts[0]
    assert (len(second.missing), second.parked) == (3, ())
    await _unreadable(pair.health, 4)  # it goes on coming: one of the others is what it should have been
    pair.clock.advance(ASK_AGAIN)
    third = (await pair.health.state("police")).receipts[0]
    assert (len(third.missing), len(third.parked)) == (2, 1)
