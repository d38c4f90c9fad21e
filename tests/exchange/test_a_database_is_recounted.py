"""`refnet verify`: whatever an administrator changes in a database by hand is named, by table, stream and place, also where he has
made the database agree with itself; and nothing is ever named that was not changed.
"""

import contextlib
import random
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from exchange_node import Node, new_subject
from exchange_pair import Pair
from sqlalchemy import bindparam, delete, insert, select, text, update
from sqlmodel import col

from shared.casework.accounts.tables import CaseRead
from shared.casework.cases.tables import Case
from shared.contracts.wire.merkle import Frontier, leaf_of
from shared.contracts.wire.statements import INSIDE_MAX
from shared.exchange import inside
from shared.exchange.clearing import BACKUP_WINDOW, clear
from shared.exchange.counting import Finding, Verdict
from shared.exchange.incarnations import open_incarnation
from shared.exchange.inside import Source, log_inside
from shared.exchange.letters import Letters
from shared.exchange.tables import Incarnation, InsideHead, InsideRow, OutboxRow, Stream
from shared.exchange.verify import recount, verify
from shared.kit.clock import ManualClock
from shared.kit.db import Transaction
from shared.kit.ids import new_id

SAID = 6
on_one = pytest.mark.parametrize("pair", ["sqlite"], indirect=True)
LOOKS = Source(CaseRead, ("id", "case_id", "account_id", "what", "read_at"))


@pytest.fixture
async def letters(pair: Pair) -> dict[str, Letters]:
    """Both have said things to each other, looked at cases, and signed for it."""
    made = {"police": pair.police.letters("health"), "health": pair.health.letters("police")}
    for sender, reader in ((pair.police, pair.health), (pair.health, pair.police)):
        for step in range(SAID):
            await sender.say(reader.agency, new_subject(), step)
        await reader.hear(sender.agency, await sender.number(reader.agency))
        await sender.mark_all_sent()
    await look(pair.police, SAID)
    await exchange(pair, made)
    return made


async def exchange(pair: Pair, letters: dict[str, Letters], times: int = 2) -> None:
    for _ in range(times):
        for sender, reader in ((pair.police, pair.health), (pair.health, pair.police)):
            envelope = (await letters[sender.agency].write(reader.agency))[0]
            await letters[reader.agency].take(reader.seal.open(envelope, sender.agency))
            pair.clock.advance(timedelta(seconds=1))


async def look(node: Node, times: int) -> None:
    """Somebody looks at a case so often, and it is logged."""
    async with node.database.write() as tx:
        case_id = await a_case(tx)
        rows = [
            {"id": new_id(), "case_id": case_id, "account_id": new_id(), "what": "case", "read_at": tx.clock.now()}
            for _ in range(times)
        ]
        await tx.session.execute(insert(CaseRead), rows)
    await log_inside(node.database, [LOOKS])


async def a_case(tx: Transaction) -> UUID:
    id_ = new_id()
    tx.session.add(Case(id=id_, number=str(id_), facility="desk", circle=new_id(), opened_at=tx.clock.now(), opened_by=new_id()))
    await tx.flush()
    return id_


async def recounted(node: Node) -> Verdict:
    return await verify(node.database, node.agency, node.seal, [LOOKS])


async def as_administrator(node: Node, *statements: Any) -> None:
    """SQL with every right."""
    async with node.database.write() as tx:
        for statement in statements:
            await tx.session.execute(text(statement) if isinstance(statement, str) else statement)


def named(verdict: Verdict, table: str, position: int) -> bool:
    return any((one.table, one.position) == (table, position) for one in verdict.findings)


async def test_what_nobody_changed_is_good_at_both_ends(pair: Pair, letters: dict[str, Letters]) -> None:
    for node in (pair.police, pair.health):
        verdict = await recounted(node)
        assert verdict.findings == []
        assert verdict.signatures >= 2
        assert "nothing was changed" in verdict.words


WORDS = "UPDATE exchange_outbox SET data = (SELECT data FROM exchange_outbox WHERE seq = 4) WHERE seq = 3"
EDITS = {
    "words": ("exchange_outbox", WORDS),
    "sealed words": ("exchange_outbox", 'UPDATE exchange_outbox SET "inner" = data WHERE seq = 3'),
    "words that came": (
        "exchange_inbox",
        'UPDATE exchange_inbox SET "inner" = leaf FROM exchange_slots'
        " WHERE exchange_slots.event_id = exchange_inbox.event_id AND seq = 3",
    ),
    "type": ("exchange_outbox", "UPDATE exchange_outbox SET type = 'story.begun' WHERE seq = 3"),
    "subject": ("exchange_outbox", "UPDATE exchange_outbox SET subject = event_id WHERE seq = 3"),
    "time": ("exchange_outbox", "UPDATE exchange_outbox SET occurred_at = '2020-01-01 00:00:00+00:00' WHERE seq = 3"),
    "leaf": ("exchange_outbox", "UPDATE exchange_outbox SET leaf = root_after WHERE seq = 3"),
    "root": ("exchange_outbox", "UPDATE exchange_outbox SET root_after = leaf WHERE seq = 3"),
    "deleted": ("exchange_outbox", "DELETE FROM exchange_outbox WHERE seq = 3"),
    "last deleted": ("exchange_outbox", f"DELETE FROM exchange_outbox WHERE seq = {SAID}"),
    "word deleted": (
        "exchange_inbox",
        "DELETE FROM exchange_inbox WHERE event_id = (SELECT event_id FROM exchange_slots WHERE seq = 3)",
    ),
    "slot deleted": ("exchange_slots", "DELETE FROM exchange_slots WHERE seq = 3"),
    "slot's leaf": ("exchange_slots", "UPDATE exchange_slots SET leaf = (SELECT root FROM exchange_receipts) WHERE seq = 3"),
    "look's time": (
        "casework_case_reads", "UPDATE casework_case_reads SET read_at = '2020-01-01 00:00:00+00:00' WHERE inside_seq = 3",
    ),
    "look deleted": ("casework_case_reads", "DELETE FROM casework_case_reads WHERE inside_seq = 3"),
    "look's leaf deleted": ("exchange_inside", "DELETE FROM exchange_inside WHERE seq = 3"),
    "look's nodes": ("exchange_inside", "UPDATE exchange_inside SET nodes = leaf WHERE seq = 3"),
}  # fmt: skip


class Undone(Exception):
    """What an administrator did is taken back."""


async def after(node: Node, *statements: str) -> Verdict:
    """What a recount finds after SQL with every right; then it is taken back."""
    verdict = Verdict("")
    with contextlib.suppress(Undone):
        async with node.database.write() as tx:
            for statement in statements:
                await tx.session.execute(text(statement))
            verdict = await recount(tx, node.agency, node.seal, [LOOKS])
            raise Undone
    return verdict


async def test_every_row_that_was_changed_by_hand_is_named(pair: Pair, letters: dict[str, Letters]) -> None:
    for what, (table, statement) in EDITS.items():
        verdict = await after(pair.police, statement)
        assert named(verdict, table, SAID if what == "last deleted" else 3), f"{what}: {verdict.words}"
        assert "not as they were signed" in verdict.words
    assert (await recounted(pair.police)).findings == []


async def test_two_rows_that_were_swapped_are_both_named(pair: Pair, letters: dict[str, Letters]) -> None:
    swap = "UPDATE exchange_outbox SET seq = CASE seq WHEN -2 THEN 4 ELSE 2 END WHERE seq IN (-2, -4)"
    verdict = await after(pair.police, "UPDATE exchange_outbox SET seq = -seq WHERE seq IN (2, 4)", swap)
    assert named(verdict, "exchange_outbox", 2)
    assert named(verdict, "exchange_outbox", 4)


async def agreed(node: Node, leaves: dict[int, bytes], *, without: Sequence[int] = ()) -> None:
    """Makes the database agree with itself after rows were changed: leaves, roots, and the head."""
    async with node.database.write() as tx:
        query = select(col(OutboxRow.position), col(OutboxRow.leaf), col(OutboxRow.seq)).order_by(col(OutboxRow.seq))
        frontier = Frontier()
        for position, leaf, seq in (await tx.session.execute(query)).tuples().all():
            if seq in without:
                await tx.session.execute(delete(OutboxRow).where(col(OutboxRow.position) == position))
                continue
            leaf = leaves.get(seq or 0, leaf)
            assert leaf is not None
            frontier = frontier.append(leaf)
            values = {"seq": frontier.size, "leaf": leaf, "root_after": frontier.root()}
            await tx.session.execute(update(OutboxRow).where(col(OutboxRow.position) == position).values(**values))
        moved = {"size": frontier.size, "held": frontier.size, "frontier": frontier.to_bytes()}
        await tx.session.execute(update(Stream).values(**moved))


async def test_a_clever_administrator_is_caught_by_the_agencys_own_signature(pair: Pair, letters: dict[str, Letters]) -> None:
    await as_administrator(pair.police, WORDS)
    await agreed(pair.police, {3: leaf_of(b'{"step": 9}', secrets.token_bytes(16))})
    verdict = await recounted(pair.police)
    assert named(verdict, "exchange_outbox", 3)


@pytest.mark.parametrize("how", ["edited", "deleted"])
async def test_where_the_words_are_cleared_he_is_caught_by_the_peers_signature(
    pair: Pair, letters: dict[str, Letters], how: str
) -> None:
    pair.clock.advance(BACKUP_WINDOW + timedelta(minutes=1))
    await exchange(pair, letters)
    pair.clock.advance(BACKUP_WINDOW + timedelta(minutes=1))
    await exchange(pair, letters)
    await clear(pair.police.database, pair.police.acts_first)
    assert not any(row.inner for row in await pair.police.outbox_rows())
    assert (await recounted(pair.police)).findings == []
    await agreed(pair.police, {3: b"\1" * 32} if how == "edited" else {}, without=() if how == "edited" else [3])
    verdict = await recounted(pair.police)
    assert named(verdict, "exchange_outbox", SAID), verdict.words
    assert any("health signed for other words up to here" in one.words for one in verdict.findings)


@on_one
async def test_a_signature_that_was_changed_or_put_in_anothers_place_is_named(pair: Pair, letters: dict[str, Letters]) -> None:
    async with pair.police.database.read() as tx:
        raw = bytearray((await tx.session.execute(text("SELECT signed FROM exchange_receipts"))).scalar_one())
    raw[-1] ^= 1
    changed = text("UPDATE exchange_receipts SET signed = :raw").bindparams(bindparam("raw", bytes(raw)))
    await as_administrator(pair.police, changed)
    assert named(await recounted(pair.police), "exchange_receipts", SAID)


async def test_a_log_that_was_made_to_agree_with_itself_is_caught_by_the_peers_signature(
    pair: Pair, letters: dict[str, Letters]
) -> None:
    """The look is deleted, and every leaf, node and head after it is made anew."""
    async with pair.police.database.write() as tx:
        kept = list((await tx.session.execute(select(CaseRead).order_by(col(CaseRead.id)))).scalars())
        await tx.session.execute(text("DELETE FROM exchange_inside"))
        await tx.session.execute(text("DELETE FROM exchange_inside_heads"))
        await tx.session.execute(delete(CaseRead).where(col(CaseRead.id) == kept[2].id))
        await tx.session.execute(update(CaseRead).values(inside_seq=None))
    await log_inside(pair.police.database, [LOOKS])
    verdict = await recounted(pair.police)
    assert any(one.table == "exchange_inside" and "health signed another log" in one.words for one in verdict.findings)


async def test_a_look_that_was_added_as_if_it_had_been_logged_is_named(pair: Pair, letters: dict[str, Letters]) -> None:
    async with pair.police.database.write() as tx:
        forged = {"id": new_id(), "case_id": await a_case(tx), "account_id": new_id(), "what": "case", "read_at": tx.clock.now()}
        await tx.session.execute(insert(CaseRead).values(**forged, inside_seq=2))
    assert any(one.table == "casework_case_reads" for one in (await recounted(pair.police)).findings)


@on_one
async def test_an_anchor_beyond_the_database_names_the_rows_that_are_gone(pair: Pair, letters: dict[str, Letters]) -> None:
    async with pair.police.database.read() as tx:
        life = (await tx.session.execute(select(col(Stream.incarnation)))).scalar_one()
    await agreed(pair.police, {}, without=[SAID])
    anchored = (life, {"health": SAID})
    verdict = await verify(pair.police.database, "police", pair.police.seal, [LOOKS], anchored)
    assert any(one.table == "exchange_streams" and "anchor" in one.words for one in verdict.findings)


BITS_TRIED = 60
# Where a row of each table stands in its stream; what was said of a look is named by the look's own table.
PLACES = {
    "exchange_receipts": "upto", "exchange_heads": "upto", "exchange_signed_heads": "size", "exchange_inside_signatures": "size",
    "exchange_streams": "size", "exchange_inside_heads": "size",
    "exchange_inbox": "(SELECT seq FROM exchange_slots AS s WHERE s.event_id = exchange_inbox.event_id)",
}  # fmt: skip


async def test_a_bit_that_flips_in_what_is_signed_or_proved_is_found_and_its_row_named(
    pair: Pair, letters: dict[str, Letters]
) -> None:
    chance = random.Random(7)
    columns = [
        *(("exchange_outbox", column) for column in ("inner", "leaf", "root_after")),
        *(("exchange_inside", column) for column in ("salt", "leaf")),
        *((table, "signed") for table in ("exchange_receipts", "exchange_signed_heads", "exchange_inside_signatures")),
        *((table, "frontier") for table in ("exchange_heads", "exchange_streams", "exchange_inside_heads")),
        ("exchange_slots", "leaf"),
        ("exchange_inbox", "inner"),
    ]
    for turn in range(BITS_TRIED):
        table, column = columns[turn % len(columns)]
        place = PLACES.get(table, "seq")
        async with pair.police.database.read() as tx:
            rows = text(f'SELECT {place}, "{column}" FROM {table} WHERE length("{column}") > 0 ORDER BY 1')
            position, held = chance.choice((await tx.session.execute(rows)).tuples().all())
        before = bytes(held)
        after = bytearray(before)
        after[chance.randrange(len(after))] ^= 1 << chance.randrange(8)
        swap = f'UPDATE {table} SET "{column}" = :after WHERE "{column}" = :before'
        await as_administrator(pair.police, text(swap).bindparams(after=bytes(after), before=before))
        verdict = await recounted(pair.police)
        where = LOOKS.name if table == "exchange_inside" else table
        assert named(verdict, where, position), f"a bit of {table}.{column} flipped at {position}: {verdict.words}"
        await as_administrator(pair.police, text(swap).bindparams(after=before, before=bytes(after)))
    assert (await recounted(pair.police)).findings == []


@on_one
async def test_what_is_counted_takes_no_more_memory_for_more_rows(
    pair: Pair, letters: dict[str, Letters], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By pages: each holds as many rows as it says, and the next begins where it ended."""
    for part in ("counting", "counting_inside", "verify"):
        monkeypatch.setattr(f"shared.exchange.{part}.PAGE", 2)
    verdict = await recounted(pair.police)
    assert verdict.findings == []
    assert verdict.rows == 3 * SAID


# --- what peers sign unread ------------------------------------------------------------------------------------------------------


async def test_looks_are_signed_by_the_peer_and_a_log_that_grows_is_proved_to_extend(
    pair: Pair, letters: dict[str, Letters]
) -> None:
    await look(pair.police, 3)
    await exchange(pair, letters)
    assert pair.health.troubles == pair.police.troubles == []
    async with pair.health.database.read() as tx:
        query = text("SELECT size, state FROM exchange_signed_heads WHERE log = 'inside'")
        assert [tuple(row) for row in (await tx.session.execute(query)).all()] == [(SAID + 3, "good")]
    async with pair.police.database.read() as tx:
        assert (await tx.session.execute(text("SELECT size FROM exchange_inside_signatures"))).scalar_one() == SAID + 3


async def test_a_clock_that_was_ahead_for_a_while_keeps_nobody_from_signing(pair: Pair, letters: dict[str, Letters]) -> None:
    right = pair.health.database.clock
    pair.health.database.clock = ManualClock(pair.clock.now() + timedelta(days=1))
    await look(pair.police, 3)
    await exchange(pair, letters)
    pair.health.database.clock = right
    await look(pair.police, 4)
    await exchange(pair, letters)
    async with pair.police.database.read() as tx:
        assert (await tx.session.execute(text("SELECT said_size FROM exchange_inside_signatures"))).scalar_one() == SAID + 7


# What he does to the rest of what this agency believes of itself, before each of its letters.
SIGNATURES_RESET = ("UPDATE exchange_inside_signatures SET said_size = 0, made_at = '9999-12-31 00:00:00+00:00'",)
NO_HEAD = (
    "DELETE FROM exchange_inside_heads", "DELETE FROM exchange_inside", "DELETE FROM exchange_inside_signatures",
    "UPDATE casework_case_reads SET inside_seq = 1",
)  # fmt: skip
WAYS = {
    "rewritten": (),
    "rolled back": (),
    "what was signed is reset": SIGNATURES_RESET,
    "what was signed is deleted": ("DELETE FROM exchange_inside_signatures",),
    "nothing is told": NO_HEAD,
    "lives are made up": (*SIGNATURES_RESET, "lives"),
}


@pytest.mark.parametrize("how", ["rewritten", "rolled back", "what was signed is reset"])
async def test_a_log_that_was_rewritten_or_rolled_back_is_refused_and_named_at_both_ends(
    pair: Pair, letters: dict[str, Letters], how: str
) -> None:
    await refused_at_both_ends(pair, letters, how)


@on_one
@pytest.mark.parametrize("how", list(WAYS)[2:])
async def test_whatever_else_he_changes_of_what_was_signed_or_is_told_the_log_is_refused(
    pair: Pair, letters: dict[str, Letters], how: str
) -> None:
    """Also where the worker was started anew, and has nothing but the database to know it by until the peer's next letter."""
    letters["police"] = pair.police.letters("health")
    await refused_at_both_ends(pair, letters, how)


async def refused_at_both_ends(pair: Pair, letters: dict[str, Letters], how: str) -> None:
    async with pair.police.database.write() as tx:
        await tx.session.execute(text("DELETE FROM exchange_inside"))
        await tx.session.execute(text("DELETE FROM exchange_inside_heads"))
        ids = list((await tx.session.execute(select(col(CaseRead.id)).order_by(col(CaseRead.id)))).scalars())
        gone = ids[3:] if how == "rolled back" else ids[1:2]
        await tx.session.execute(delete(CaseRead).where(col(CaseRead.id).in_(gone)))
        await tx.session.execute(update(CaseRead).values(inside_seq=None))
    await log_inside(pair.police.database, [LOOKS])
    if how != "rolled back":
        await look(pair.police, 4)
    for _ in range(3):
        for statement in WAYS[how]:
            await as_administrator(pair.police, *(made_up_lives() if statement == "lives" else [statement]))
        await exchange(pair, letters, times=1)
    assert pair.health.troubles.count("head_refused") == 1
    assert pair.police.troubles == ["rewritten"]
    verdict = await recounted(pair.health)
    assert verdict.findings == []
    assert "what police does inside" in verdict.refused[0]
    async with pair.health.database.read() as tx:
        query = text("SELECT against FROM exchange_signed_heads WHERE state = 'refused'")
        assert all(row[0] for row in (await tx.session.execute(query)).all())


@on_one
async def test_of_two_processes_one_that_hears_nothing_for_a_while_accuses_nobody_and_holds_nothing_up(
    pair: Pair, letters: dict[str, Letters]
) -> None:
    hears = {**letters, "police": pair.police.letters("health")}
    await look(pair.police, 2)
    await exchange(pair, hears)
    await look(pair.police, 2)
    await letters["health"].take(pair.health.seal.open((await letters["police"].write("health"))[0], "police"))
    await exchange(pair, hears)
    assert pair.health.troubles == pair.police.troubles == []
    async with pair.police.database.read() as tx:
        assert (await tx.session.execute(text("SELECT said_size FROM exchange_inside_signatures"))).scalar_one() == SAID + 4


def made_up_lives() -> list[Any]:
    """As many lives after the living one as a letter tells of."""
    return [insert(InsideHead).values(incarnation=new_id(), size=1, frontier=b"\1" * 32) for _ in range(INSIDE_MAX)]


async def test_a_life_that_was_begun_by_hand_is_told_like_a_restore_that_lost_a_part_of_the_log(
    pair: Pair, letters: dict[str, Letters]
) -> None:
    """He cannot be told from a restore that came too late to keep everything: so both are named, and neither is accused."""
    await as_administrator(
        pair.police, "UPDATE exchange_incarnations SET is_current = false",
        insert(Incarnation).values(id=new_id(), opened_at=pair.clock.now(), is_current=True), *NO_HEAD,
    )  # fmt: skip
    await look(pair.police, 1)
    await exchange(pair, letters)
    assert pair.health.troubles == ["looks_lost"]
    await exchange(pair, letters)
    assert pair.health.troubles == ["looks_lost"]


async def test_a_restore_begins_the_log_anew_and_says_what_it_comes_from(pair: Pair, letters: dict[str, Letters]) -> None:
    async with pair.police.database.write() as tx:
        await open_incarnation(tx, ("health",), "restored")
    await look(pair.police, 2)
    await exchange(pair, letters)
    async with pair.police.database.read() as tx:
        rows = (
            await tx.session.execute(select(InsideRow).order_by(col(InsideRow.incarnation).desc(), col(InsideRow.seq)))
        ).scalars()
        assert [row.source for row in list(rows)[:3]] == [inside.ABANDONED, LOOKS.name, LOOKS.name]
    assert pair.health.troubles == []
    assert (await recounted(pair.police)).findings == []


def test_a_finding_says_table_stream_and_place() -> None:
    said = str(Finding("exchange_outbox", "police.health.x", 3, "it was deleted."))
    assert said == "exchange_outbox, police.health.x, place 3: it was deleted."


async def test_a_row_that_was_rewritten_stays_named_after_the_peers_copy_has_taken_its_place(
    pair: Pair, letters: dict[str, Letters]
) -> None:
    await agreed(pair.police, {3: b"\1" * 32})
    for _ in range(3):
        for sender, reader in ((pair.health, pair.police), (pair.police, pair.health)):
            statement, *words = await letters[sender.agency].write(reader.agency)
            await letters[reader.agency].take(reader.seal.open(statement, sender.agency))
            await letters[reader.agency].take_home(sender.agency, [reader.seal.open(word, sender.agency) for word in words])
            pair.clock.advance(timedelta(seconds=1))
    assert [row.seq for row in await pair.police.outbox_rows() if row.is_forked] == [3]
    assert named(await recounted(pair.police), "exchange_outbox", 3)
