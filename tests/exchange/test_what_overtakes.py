"""What comes by the express lane is signed for before the backlog that it overtakes, and says nothing of what is yet to be read."""

import re
from collections.abc import Sequence
from datetime import timedelta

import pytest
from exchange_node import new_subject
from exchange_pair import Pair
from sqlalchemy import select, text
from sqlmodel import col
from statements import statements_of

from shared.contracts.wire.statements import RANGES_MAX
from shared.exchange import heads, receipts
from shared.exchange.receipts import ASK_AGAIN, GRACE, OVERDUE, STILL
from shared.exchange.tables import ReceivedHead

# The index of what was told of a subject finds no slot: PostgreSQL walks the whole of it.
READ_WHOLE = re.compile(r"SCAN exchange_(?:outbox|slots)(?! USING)|Seq Scan on exchange_(?:outbox|slots)|ix_exchange_outbox_told")
HOLES = 2 * RANGES_MAX  # more than one receipt tells of


async def backlog(pair: Pair, size: int) -> list[bytes]:
    """Ordinary events on subjects of their own, numbered."""
    for step in range(size):
        await pair.police.say("health", new_subject(), step)
    return [envelope for _ in range(size // 500 + 1) for envelope in await pair.police.number("health")]


async def acute(pair: Pair, step: int = 99) -> bytes:
    """A new acute one, numbered after all of them."""
    await pair.police.say("health", new_subject(), step, is_acute=True, is_express=True, type="story.begun")
    (envelope,) = await pair.police.number("health")
    return envelope


def every_other(envelopes: Sequence[bytes]) -> list[bytes]:
    """One lane of two: what it holds leaves a hole after each."""
    return list(envelopes[1::2])


async def test_what_overtakes_is_signed_for_at_once(pair: Pair) -> None:
    lying = await backlog(pair, 2 * HOLES)
    await pair.health.hear("police", every_other(lying))
    await pair.health.hear("police", [await acute(pair)], is_express=True)
    await pair.police.take("health", await pair.health.state("police"))
    rows = await pair.police.outbox_rows()
    assert rows[-1].delivered_at is not None
    assert sum(row.delivered_at is not None for row in rows) == RANGES_MAX


async def test_of_more_than_a_receipt_tells_of_the_newest_are_signed_for_and_half_of_it_is_kept_for_the_others(pair: Pair) -> None:
    lying = await backlog(pair, 2 * HOLES)
    await pair.health.hear("police", every_other(lying))
    for step in range(RANGES_MAX):
        await pair.health.hear("police", [await acute(pair, step)], is_express=True)
        await backlog(pair, 1)  # never heard: between two that overtook lies a hole
    await pair.police.take("health", await pair.health.state("police"))
    rows = await pair.police.outbox_rows()
    signed = [row.seq for row in rows if row.delivered_at is not None]
    urgent = [row.seq for row in rows if row.is_express]
    assert signed == [*range(2, RANGES_MAX + 1, 2), *urgent[-RANGES_MAX // 2 :]]


async def test_what_overtook_is_not_told_twice_where_the_lowest_reach_it(pair: Pair) -> None:
    lying = await backlog(pair, 2 * HOLES)
    urgent = await acute(pair)
    after = await backlog(pair, 3)
    await pair.health.hear("police", lying[-3:] + after)
    await pair.health.hear("police", [urgent], is_express=True)
    (receipt,) = (await pair.health.state("police")).receipts
    assert [(part.first, part.last) for part in receipt.ranges] == [(2 * HOLES - 2, 2 * HOLES + 4)]


async def test_where_a_receipt_has_room_for_every_stretch_it_tells_of_all_whatever_lane_they_came_by(pair: Pair) -> None:
    stretches = RANGES_MAX // 2 + 8
    for step in range(stretches):
        _, ordinary = await backlog(pair, 2)
        await pair.health.hear("police", [ordinary])
        await pair.health.hear("police", [await acute(pair, step)], is_express=True)
    (receipt,) = (await pair.health.state("police")).receipts
    assert [(part.first, part.last) for part in receipt.ranges] == [(3 * n + 2, 3 * n + 3) for n in range(stretches)]


async def test_nothing_is_asked_for_while_a_backlog_is_read_that_something_has_overtaken(pair: Pair) -> None:
    lying = await backlog(pair, 20)
    await pair.health.hear("police", [await acute(pair)], is_express=True)
    await pair.health.take("police", await pair.police.state("health"))
    for envelope in lying:
        await pair.health.hear("police", [envelope])
        pair.clock.advance(STILL - timedelta(seconds=1))  # in all more than OVERDUE
        assert (await pair.health.state("police")).receipts[0].missing == ()


async def test_what_is_lost_before_something_that_overtook_it_is_asked_for_once_nothing_else_comes(pair: Pair) -> None:
    lying = await backlog(pair, 2)
    await pair.health.hear("police", lying[:1])
    pair.clock.advance(STILL - GRACE)
    await pair.health.hear("police", [await acute(pair)], is_express=True)
    assert (await pair.health.state("police")).receipts[0].missing == ()
    pair.clock.advance(GRACE)
    assert (await pair.health.state("police")).receipts[0].missing == (2,)


async def test_of_a_stream_that_goes_on_no_more_is_asked_for_before_it_came(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "MISSING_MAX", 3)
    lying = await backlog(pair, 40)
    others = iter(lying[20:])
    await pair.health.hear("police", lying[10:20])

    async def asked_after(wait: timedelta) -> tuple[int, ...]:
        for _ in range(wait // ASK_AGAIN):
            pair.clock.advance(ASK_AGAIN - timedelta(seconds=1))
            await pair.health.hear("police", [next(others)])
        return (await pair.health.state("police")).receipts[0].missing

    assert await asked_after(OVERDUE + ASK_AGAIN) == (1, 2, 3)
    assert await asked_after(ASK_AGAIN) == ()
    await pair.health.hear("police", lying[:2])
    assert await asked_after(ASK_AGAIN) == (4, 5)
    assert (await asked_after(OVERDUE))[:1] == (3,)


async def test_the_highest_slot_is_known_however_much_lies_above_a_hole(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_STEP", 4)
    lying = await backlog(pair, 20)
    await pair.health.hear("police", lying[1:15])
    await pair.health.hear("police", [lying[19]])
    async with pair.health.database.read() as tx:
        assert (await tx.session.execute(select(col(ReceivedHead.highest)))).scalars().all() == [20]
    await pair.health.hear("police", lying[:1])
    await pair.health.hear("police", lying[15:19])
    async with pair.health.database.read() as tx:
        assert (await tx.session.execute(select(col(ReceivedHead.upto)))).scalars().all() == [20]


async def test_a_letter_is_written_and_taken_by_indexes_however_long_the_stream_is(pair: Pair) -> None:
    lying = await backlog(pair, 2 * HOLES)
    await pair.health.hear("police", every_other(lying))
    await pair.health.hear("police", [await acute(pair)], is_express=True)
    with statements_of(pair.health) as written:
        statement = await pair.health.state("police")
    with statements_of(pair.police) as taken:
        await pair.police.take("health", statement)
    for node, said in ((pair.health, written), (pair.police, taken)):
        async with node.database.engine.connect() as connection:
            is_sqlite = connection.dialect.name == "sqlite"
            if not is_sqlite:
                await connection.execute(text("SET LOCAL enable_seqscan = off"))  # so it says where there is no other way
            for words, parameters in said:
                if words.lstrip().startswith(("SELECT", "UPDATE")):
                    explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
                    plan = (await connection.exec_driver_sql(f"{explain} {words}", parameters)).all()
                    assert not READ_WHOLE.findall("\n".join(" ".join(map(str, line)) for line in plan)), words
