"""A database administrator with every right edits, deletes or swaps rows, also so that his database agrees with itself: the peer
refuses the next head, names it, keeps both heads, and applies nothing of it. An honest restore is no rewriting.
"""

import secrets
from datetime import timedelta
from typing import Any

import pytest
from exchange_node import Node, new_subject
from exchange_pair import Pair
from sqlalchemy import select, text, update
from sqlmodel import SQLModel, col

from shared.contracts.wire.envelope import unframe
from shared.contracts.wire.merkle import Frontier, leaf_of
from shared.contracts.wire.statements import Statement
from shared.exchange.incarnations import open_incarnation
from shared.exchange.letters import Letters
from shared.exchange.tables import HeadState, InboxRow, OutboxRow, ReceivedSlot, SignedHead, Stream

SAID = 5
on_one = pytest.mark.parametrize("pair", ["sqlite"], indirect=True)  # what an administrator does is done on PostgreSQL too


@pytest.fixture
def letters(pair: Pair) -> dict[str, Letters]:
    return {"police": pair.police.letters("health"), "health": pair.health.letters("police")}


async def tell(pair: Pair, steps: int = SAID) -> None:
    """The desk says so much, and the clinic applies it."""
    for step in range(steps):
        await pair.police.say("health", new_subject(), step)
    await pair.health.hear("police", await pair.police.number("health"))
    await pair.police.mark_all_sent()


async def letter(pair: Pair, letters: dict[str, Letters], sender: Node, reader: Node) -> Statement:
    """One letter from one to the other."""
    envelope = (await letters[sender.agency].write(reader.agency))[0]
    pair.clock.advance(timedelta(seconds=1))
    return await letters[reader.agency].take(reader.seal.open(envelope, sender.agency))


async def rows(node: Node, table: type[SQLModel]) -> list[Any]:
    async with node.database.read() as tx:
        return list((await tx.session.execute(select(table))).scalars())


async def heads(node: Node, state: HeadState) -> list[SignedHead]:
    return [row for row in await rows(node, SignedHead) if row.state == state]


async def rewrite(node: Node, leaves: dict[int, bytes], *, until: int = SAID) -> None:
    """What a clever administrator does: other leaves in some slots, and all roots and the stream's head made to agree with them."""
    async with node.database.write() as tx:
        query = select(col(OutboxRow.seq), col(OutboxRow.leaf)).where(col(OutboxRow.seq).is_not(None)).order_by(col(OutboxRow.seq))
        said = [
            (seq, leaves.get(seq or 0, leaf)) for seq, leaf in (await tx.session.execute(query)).tuples() if seq and seq <= until
        ]
        frontier = Frontier()
        for seq, leaf in said:
            assert leaf is not None
            frontier = frontier.append(leaf)
            changed = update(OutboxRow).where(col(OutboxRow.seq) == seq).values(leaf=leaf, root_after=frontier.root())
            await tx.session.execute(changed)
        await tx.session.execute(text("DELETE FROM exchange_outbox WHERE seq > :until"), {"until": until})
        moved = {"size": frontier.size, "held": frontier.size, "frontier": frontier.to_bytes()}
        await tx.session.execute(update(Stream).values(**moved))


async def leaf_in(node: Node, seq: int) -> bytes:
    (leaf,) = [row.leaf for row in await node.outbox_rows() if row.seq == seq]
    assert leaf is not None
    return leaf


async def test_a_head_that_fits_is_kept_and_the_newest_takes_its_place(pair: Pair, letters: dict[str, Letters]) -> None:
    for size in (SAID, 2 * SAID):
        await tell(pair)
        await letter(pair, letters, pair.police, pair.health)
        (good,) = await heads(pair.health, HeadState.GOOD)
        assert good.size == size
        assert unframe(good.signed).header.sender == "police"
    assert await heads(pair.health, HeadState.REFUSED) == []
    assert pair.health.troubles == []


@on_one
async def test_a_head_that_comes_before_its_words_is_compared_once_they_are_here(pair: Pair, letters: dict[str, Letters]) -> None:
    for step in range(SAID):
        await pair.police.say("health", new_subject(), step)
    envelopes = await pair.police.number("health")
    await letter(pair, letters, pair.police, pair.health)
    assert [row.size for row in await heads(pair.health, HeadState.WAITING)] == [SAID]
    await pair.health.hear("police", envelopes)
    await letter(pair, letters, pair.police, pair.health)
    assert [row.size for row in await heads(pair.health, HeadState.GOOD)] == [SAID]
    assert await heads(pair.health, HeadState.WAITING) == []


@pytest.mark.parametrize("before", [True, False], ids=["a head was signed before", "none was"])
@pytest.mark.parametrize("how", ["edited", "swapped"])
async def test_rows_that_were_edited_or_swapped_give_a_head_that_the_peer_refuses(
    pair: Pair, letters: dict[str, Letters], how: str, before: bool
) -> None:
    await tell(pair)
    if before:
        await letter(pair, letters, pair.police, pair.health)
    applied = list(pair.health.applied)
    second, third = await leaf_in(pair.police, 2), await leaf_in(pair.police, 3)
    forged = {2: leaf_of(b"something else", secrets.token_bytes(16))} if how == "edited" else {2: third, 3: second}
    await rewrite(pair.police, forged)
    said = await letter(pair, letters, pair.police, pair.health)
    (refused,) = await heads(pair.health, HeadState.REFUSED)
    assert (refused.sender, refused.size, refused.root) == ("police", SAID, said.heads[0].root)
    assert pair.health.troubles == ["head_refused"]
    assert Statement.model_validate_json(unframe(refused.signed).content).heads == said.heads
    if before:
        assert refused.against is not None
        (former,) = Statement.model_validate_json(unframe(refused.against).content).heads
        assert (former.size, former.root) != (refused.size, refused.root)
        assert former.size == refused.size  # two signatures of one size: that is all a court needs
    assert pair.health.applied == applied
    assert {row.seq: row.leaf for row in await rows(pair.health, ReceivedSlot)}[2] == second
    await letter(pair, letters, pair.police, pair.health)
    assert pair.health.troubles == ["head_refused"]  # the same head again says nothing new


async def test_what_the_peer_signs_is_its_own_root_and_covers_nothing_that_was_rewritten(
    pair: Pair, letters: dict[str, Letters]
) -> None:
    await tell(pair)
    await rewrite(pair.police, {2: b"\1" * 32})
    await letter(pair, letters, pair.police, pair.health)
    await letter(pair, letters, pair.health, pair.police)
    assert pair.police.delivered_ids == []
    assert "reopened" in pair.police.troubles  # it asks for what the peer holds, and the peer's copy counts


async def test_a_row_that_was_edited_after_the_next_words_were_said_is_refused_with_them(
    pair: Pair, letters: dict[str, Letters]
) -> None:
    await tell(pair)
    await letter(pair, letters, pair.police, pair.health)
    await rewrite(pair.police, {4: b"\1" * 32})
    await tell(pair, 2)
    await letter(pair, letters, pair.police, pair.health)
    (refused,) = await heads(pair.health, HeadState.REFUSED)
    assert refused.size == SAID + 2
    assert refused.against is not None
    (good,) = await heads(pair.health, HeadState.GOOD)
    assert good.size == SAID


@on_one
async def test_an_edited_row_that_is_sent_again_is_kept_out_and_named(pair: Pair, letters: dict[str, Letters]) -> None:
    """The administrator has no key, so a row whose words he changes cannot be signed; what its agency signs is another leaf."""
    await tell(pair)
    async with pair.police.database.read() as tx:
        row = (await tx.session.execute(select(OutboxRow).where(col(OutboxRow.seq) == 2))).scalar_one()
    assert row.inner is not None
    inner = unframe(row.inner)
    forged = pair.police.seal.sign(inner.header, inner.content.replace(b'"step":1', b'"step":7'))
    await pair.health.hear("police", [pair.police.seal.seal(forged, "health")])
    assert pair.health.troubles == ["fork"]
    assert 7 not in [step for _, step in pair.health.applied]


async def test_rows_that_were_deleted_make_a_new_life_that_says_so_and_they_come_home(
    pair: Pair, letters: dict[str, Letters]
) -> None:
    await tell(pair)
    await letter(pair, letters, pair.police, pair.health)
    await rewrite(pair.police, {}, until=3)
    await letter(pair, letters, pair.health, pair.police)
    assert "reopened" in pair.police.troubles
    await pair.health.hear("police", await pair.police.number("health"))
    for _ in range(3):
        await letter(pair, letters, pair.police, pair.health)
        statement, *words = await letters["health"].write("police")
        await letters["police"].take(pair.police.seal.open(statement, "health"))
        await letters["police"].take_home("health", [pair.police.seal.open(word, "health") for word in words])
    assert len([row for row in await pair.police.outbox_rows() if row.type == "story.told" and not row.is_forked]) == SAID
    assert await heads(pair.health, HeadState.REFUSED) == []  # an honest restore cannot be told from it, and nothing is lost


async def test_an_honest_restore_is_explained_by_the_first_leaf_of_its_life(pair: Pair, letters: dict[str, Letters]) -> None:
    await tell(pair)
    await letter(pair, letters, pair.police, pair.health)
    await rewrite(pair.police, {}, until=3)  # yesterday's backup
    async with pair.police.database.write() as tx:
        await open_incarnation(tx, ("health",), "restored")
    await tell(pair)
    await letter(pair, letters, pair.police, pair.health)
    assert await heads(pair.health, HeadState.REFUSED) == []
    assert {row.size for row in await heads(pair.health, HeadState.GOOD)} == {SAID, SAID + 1}
    assert "head_refused" not in pair.health.troubles


async def test_a_new_life_that_states_other_words_for_the_one_before_is_refused(pair: Pair, letters: dict[str, Letters]) -> None:
    """Rewritten, and begun anew before any letter: what the first leaf says was abandoned is not what was said."""
    await tell(pair)
    await letter(pair, letters, pair.police, pair.health)
    await rewrite(pair.police, {2: b"\1" * 32})
    async with pair.police.database.write() as tx:
        await open_incarnation(tx, ("health",), "restored")
    await pair.health.hear("police", await pair.police.number("health"))
    await letter(pair, letters, pair.police, pair.health)
    (refused,) = await heads(pair.health, HeadState.REFUSED)
    assert unframe(refused.signed).header.seq == 1  # the first word of the new life
    assert refused.against is not None
    assert pair.health.troubles.count("head_refused") == 1


@on_one
async def test_a_peer_that_was_restored_itself_accuses_nobody(pair: Pair, letters: dict[str, Letters]) -> None:
    await tell(pair)
    async with pair.health.database.write() as tx:
        for name in ("exchange_slots", "exchange_inbox", "exchange_heads", "exchange_peers"):
            await tx.session.execute(text(f"DELETE FROM {name}"))
        await open_incarnation(tx, ("police",), "restored")
    await letter(pair, letters, pair.police, pair.health)
    assert [row.size for row in await heads(pair.health, HeadState.WAITING)] == [SAID]
    async with pair.police.database.write() as tx:
        await tx.session.execute(update(OutboxRow).values(is_due=True))
    await pair.health.hear("police", await pair.police.due("health"))
    await letter(pair, letters, pair.police, pair.health)
    assert [row.size for row in await heads(pair.health, HeadState.GOOD)] == [SAID]
    assert "head_refused" not in pair.health.troubles


@on_one
async def test_a_flood_of_heads_is_bounded_and_the_lowest_and_the_highest_are_kept(
    pair: Pair, letters: dict[str, Letters], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.exchange.witness.WAITING_MAX", 3)
    for step in range(6):
        await pair.police.say("health", new_subject(), step)
        await pair.police.number("health")
        await letter(pair, letters, pair.police, pair.health)
    assert sorted(row.size for row in await heads(pair.health, HeadState.WAITING)) == [1, 2, 6]


@on_one
async def test_nothing_is_read_again_for_a_head_that_is_known(pair: Pair, letters: dict[str, Letters]) -> None:
    await tell(pair)
    await letter(pair, letters, pair.police, pair.health)
    async with pair.health.database.write() as tx:
        await tx.session.execute(text("DELETE FROM exchange_slots"))  # whoever counted all leaves again would find none
    await tell(pair, 1)
    await letter(pair, letters, pair.police, pair.health)
    assert [row.size for row in await heads(pair.health, HeadState.GOOD)] == [SAID + 1]
    assert len(await rows(pair.health, InboxRow)) == SAID + 1
