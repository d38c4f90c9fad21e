"""What comes by the express lane is signed for before the backlog that it overtakes, and says nothing of what is yet to be read."""

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from exchange_node import new_subject
from exchange_pair import Pair
from sqlalchemy import select, text
from sqlmodel import col
from statements import statements_of

from shared.contracts.wire.envelope import Header, Inner, Kind
from shared.contracts.wire.statements import RANGES_MAX, HeldRange, Recall, Receipt, Statement
from shared.exchange import heads, receipts, reconcile, said
from shared.exchange.broker import Receiver
from shared.exchange.receipts import ASK_AGAIN, GRACE, OVERDUE, STILL
from shared.exchange.reconcile import HURRY_S, PERIOD_S, SHARE_MAX, Reconciler, Report, pause_s, run_reconciler
from shared.exchange.tables import ReceivedHead, Recovery

# The index of what was told of a subject finds no slot: PostgreSQL walks the whole of it.
READ_WHOLE = re.compile(
    r"SCAN exchange_(?:outbox|slots)(?! USING)|Seq Scan on exchange_(?:outbox|slots)|ix_exchange_outbox_(?:told|undelivered)"
)
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
    for node, asked in ((pair.health, written), (pair.police, taken)):
        async with node.database.engine.connect() as connection:
            is_sqlite = connection.dialect.name == "sqlite"
            if not is_sqlite:
                await connection.execute(text("SET LOCAL enable_seqscan = off"))  # so it says where there is no other way
            for words, parameters in asked:
                if words.lstrip().startswith(("SELECT", "UPDATE")):
                    explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
                    plan = (await connection.exec_driver_sql(f"{explain} {words}", parameters)).all()
                    assert not READ_WHOLE.findall("\n".join(" ".join(map(str, line)) for line in plan)), words


async def test_what_a_letter_costs_does_not_grow_with_the_stretches_that_it_tells_of(pair: Pair) -> None:
    lying, costs = await backlog(pair, 4 * RANGES_MAX), list[int]()
    for some in (every_other(lying)[:4], every_other(lying)[:RANGES_MAX]):
        await pair.health.hear("police", some)
        statement = await pair.health.state("police")
        with statements_of(pair.police) as taken:
            await pair.police.take("health", statement)
        costs.append(len(taken))
        assert sum(row.delivered_at is not None for row in await pair.police.outbox_rows()) == len(statement.receipts[0].ranges)
    assert costs[1] <= costs[0]


async def test_short_and_long_stretches_are_proved_alike_and_one_that_is_wrong_alone_is_not(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(said, "TOGETHER_MAX", 4)
    lying = await backlog(pair, 40)
    spans = [(2, 2), (4, 5), (7, 12), (14, 14), (16, 16), (18, 20), (22, 22)]  # by itself or together, at most four slots
    await pair.health.hear("police", [lying[seq - 1] for first, last in spans for seq in range(first, last + 1)])
    statement = await pair.health.state("police")
    (receipt,) = statement.receipts
    assert [(part.first, part.last) for part in receipt.ranges] == spans
    forged = [part.model_copy(update={"root": b"\1" * 32}) if part.first == 16 else part for part in receipt.ranges]
    await pair.police.take("health", statement.model_copy(update={"receipts": (receipt.model_copy(update={"ranges": forged}),)}))
    proved = {seq for first, last in spans if first != 16 for seq in range(first, last + 1)}
    assert {row.seq for row in await pair.police.outbox_rows() if row.delivered_at is not None} == proved
    assert pair.police.troubles == ["reopened"]  # a number that was given twice
    told = {row.event_id for row in await pair.police.outbox_rows() if row.seq in proved}
    assert sorted(pair.police.delivered_ids) == sorted(told)  # each once


async def test_a_stretch_that_is_not_ours_to_prove_has_no_root(pair: Pair) -> None:
    await backlog(pair, 5)
    async with pair.police.database.read() as tx:
        life = (await pair.police.outbox_rows())[0].incarnation
        assert life is not None
        parts = [HeldRange(first=first, last=last, root=b"\1" * 32) for first, last in ((1, 1), (3, 4), (5, 6), (9, 9))]
        roots = await said.range_roots(tx, "health", life, parts)
    assert [root is None for root in roots] == [False, False, True, True]


class Record:
    """A record of the express lane as aiokafka hands it over, as far as the receiver reads it."""

    topic, partition, key, timestamp = "refnet.police.to.health.express.v1", 0, None, 0

    def __init__(self, value: bytes) -> None:
        self.value, self.offset = value, 0


async def taken_of(pair: Pair, monkeypatch: pytest.MonkeyPatch, batch: Sequence[bytes]) -> list[tuple[Inner, int]]:
    """The letters of a batch that are taken, each with how many events had been applied then."""
    letters, taken = pair.health.letters("police"), list[tuple[Inner, int]]()

    async def take_any(_peer: str, inner: Inner) -> int:
        taken.append((inner, len(pair.health.applied)))
        return 0

    monkeypatch.setattr(letters, "take_any", take_any)
    receiver = Receiver(pair.health.database, pair.health.inbox, pair.health.seal, pair.health, letters)
    await receiver.receive([Record(envelope) for envelope in batch])
    return taken


def of_police(pair: Pair, content: bytes, *, kind: Kind = Kind.STATEMENT, life: int = 1) -> bytes:
    header = Header(kind=kind, sender="police", recipient="health", incarnation=UUID(int=life))
    return pair.police.seal.seal(pair.police.seal.sign(header, content), "health")


async def test_what_is_acute_is_applied_before_the_letters_that_came_with_it_but_for_keys(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = of_police(pair, Statement(made_at=pair.clock.now()).to_bytes())
    keys = of_police(pair, b"{}", kind=Kind.DIRECTORY)
    taken = await taken_of(pair, monkeypatch, [letter, keys, await acute(pair)])
    assert [(inner.header.kind, applied) for inner, applied in taken] == [(Kind.DIRECTORY, 0), (Kind.STATEMENT, 1)]


async def test_of_letters_that_came_together_those_are_left_out_that_a_later_one_says_anew(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = pair.clock.now()
    plain = [Statement(made_at=now + timedelta(seconds=step)) for step in range(4)]
    asks = Statement(made_at=now, recalls=(Recall(incarnation=UUID(int=1), first=1, last=2),))
    short = Statement(made_at=now + timedelta(seconds=3), summary=b"\1" * 32)
    batch = [plain[2], *plain[:2], asks, short]  # partitions are read one after another: the newest may stand first
    taken = await taken_of(pair, monkeypatch, [of_police(pair, one.to_bytes()) for one in batch])
    assert [Statement.of(inner) for inner, _ in taken] == [asks, plain[2], short]  # as they were made
    other_life = [of_police(pair, plain[0].to_bytes(), life=1), of_police(pair, plain[1].to_bytes(), life=2)]
    assert len(await taken_of(pair, monkeypatch, other_life)) == 2


async def test_whoever_recovers_from_a_restore_takes_every_letter(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pair.health.database.write() as tx:
        tx.session.add(Recovery(peer="police", incarnation=UUID(int=9), because="restored", opened_at=pair.clock.now()))
    now = pair.clock.now()
    letters = [of_police(pair, Statement(made_at=now + timedelta(seconds=step)).to_bytes()) for step in range(3)]
    assert len(await taken_of(pair, monkeypatch, letters)) == 3


def a_statement(step: int, *spans: tuple[int, int], upto: int = 10, missing: Sequence[int] = (), **more: Any) -> Statement:
    """What an agency says `step` seconds after the first."""
    ranges = tuple(HeldRange(first=first, last=last, root=b"\1" * 32) for first, last in spans)
    receipt = Receipt(incarnation=UUID(int=1), upto=upto, root=b"\1" * 32, ranges=ranges, missing=tuple(missing))
    return Statement(made_at=NOW + timedelta(seconds=step), receipts=(receipt,), **more)


NOW = datetime(2026, 1, 5, tzinfo=UTC)
ASKED, RECALLED = (UUID(int=5), UUID(int=6)), Recall(incarnation=UUID(int=2), first=1, last=2)
LATER = a_statement(1, (12, 20), (30, 31), upto=10, enquiries=ASKED, recalls=(RECALLED,))
ANEW = [
    a_statement(0), a_statement(0, (12, 12), (14, 20), (31, 31)), a_statement(0, (5, 10), upto=3),
    a_statement(0, enquiries=ASKED[:1]),
    a_statement(0, recalls=(RECALLED,)), Statement(made_at=NOW, summary=b"\1" * 32),
]  # fmt: skip
NEWS = [
    a_statement(1), a_statement(2), a_statement(0, (20, 21), upto=10), a_statement(0, (25, 25)), a_statement(0, upto=11),
    a_statement(0, missing=(11,)), a_statement(0, enquiries=(UUID(int=7),)), a_statement(0, gone=ASKED),
    a_statement(0, recalls=(RECALLED.model_copy(update={"last": 3}),)),
    Statement(made_at=NOW, receipts=(Receipt(incarnation=UUID(int=3), upto=1, root=b"\1" * 32),)),
]  # fmt: skip


def test_a_later_statement_says_an_older_one_anew_only_with_all_that_it_asks_and_signs_for() -> None:
    assert [LATER.says_anew(one) for one in ANEW] == [True] * len(ANEW)
    assert [LATER.says_anew(one) for one in NEWS] == [False] * len(NEWS)
    assert not Statement(made_at=NOW + timedelta(seconds=9), summary=b"\1" * 32).says_anew(ANEW[0])


async def test_how_long_a_comparison_is_waited_for_is_judged_anew_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that dies after a comparison of a pair in step leaves the direct line alone, which is used then."""
    monkeypatch.setattr(reconcile, "HURRY_S", 0.01)
    stop, compared, brings = asyncio.Event(), list[str](), [True]

    class Compares:
        """As far as the timer asks it."""

        def is_brought(self) -> bool:
            return brings[0]

        async def reconcile(self, peer: str, _line: Any, *, is_patient: bool) -> Report:
            compared.append(peer)
            if len(compared) == 1:
                asyncio.get_running_loop().call_later(0.05, brings.clear)
                asyncio.get_running_loop().call_later(0.05, brings.append, False)
            else:
                stop.set()
            return Report(peer, in_step=is_patient)

    async with asyncio.timeout(10):
        await run_reconciler(cast(Reconciler, Compares()), cast(Any, None), ["police"], stop)
    assert compared == ["police", "police"]


def test_an_agency_that_the_broker_serves_spends_a_small_part_of_its_time_on_comparing() -> None:
    behind = Report("health")
    assert pause_s(behind, 0.1, is_brought=True) == HURRY_S
    assert pause_s(behind, 3.0, is_brought=True) == pytest.approx(3.0 / SHARE_MAX)
    assert pause_s(behind, 120.0, is_brought=True) == PERIOD_S
    assert pause_s(behind, 120.0, is_brought=False) == HURRY_S  # nothing else brings anything
    assert pause_s(Report("health", in_step=True), 0.1, is_brought=False) == HURRY_S
    assert pause_s(Report("health", in_step=True), 0.1, is_brought=True) == PERIOD_S
    assert pause_s(Report("health", away="It does not answer."), 20.0, is_brought=True) == pytest.approx(20.0 / SHARE_MAX)
    assert pause_s(Report("health", received=25_000), 60.0, is_brought=True) == HURRY_S  # what a broker has lost
    assert pause_s(Report("health", returned=500), 4.0, is_brought=True) == HURRY_S
    assert pause_s(Report("health", received=50), 4.0, is_brought=True) == pytest.approx(4.0 / SHARE_MAX)
    assert pause_s(None, 30.0, is_brought=True) == HURRY_S  # it failed here
