"""What another agency signed and cannot stand by leaves in a file that a third party checks offline; a changed one is none."""

from datetime import timedelta

import pytest
from exchange_node import Node, new_subject
from exchange_pair import Pair
from keys import holder_of
from sqlalchemy import insert, text

from shared.casework.accounts.tables import Attempt
from shared.contracts.wire.bundle import SealedEvidence
from shared.contracts.wire.envelope import Header, Kind
from shared.exchange.directory import fingerprint
from shared.exchange.evidence import NOTHING, check_evidence, make_evidence
from shared.exchange.inside import Source, log_inside
from shared.kit.errors import RefnetError
from shared.kit.ids import new_id

pytestmark = pytest.mark.parametrize("pair", ["sqlite"], indirect=True)  # what is tried is the file, whatever it came from
LOG = Source(Attempt, ("id", "account_id", "what", "about", "tried_at"))
BOTH = "and cannot have meant both"


async def exported(node: Node) -> bytes:
    async with node.database.read() as tx:
        return await make_evidence(tx, node.seal)


async def do(node: Node, times: int) -> None:
    """So many things are done inside, and logged."""
    async with node.database.write() as tx:
        rows = [
            {"id": new_id(), "account_id": new_id(), "what": "x", "about": new_id(), "tried_at": tx.clock.now()}
            for _ in range(times)
        ]
        await tx.session.execute(insert(Attempt), rows)
    await log_inside(node.database, [LOG])


async def a_second_word_for_a_slot(pair: Pair) -> None:
    await pair.police.say("health", new_subject(), 0)
    (envelope,) = await pair.police.number("health")
    await pair.health.hear("police", [envelope])
    inner = pair.health.seal.open(envelope, "police")
    header = Header(**{**inner.header.model_dump(), "kind": Kind.EVENT, "salt": b"other" * 3 + b"!"})
    await pair.health.hear("police", [pair.police.seal.seal(pair.police.seal.sign(header, inner.content), "health")])


async def a_log_that_is_rewritten(pair: Pair) -> None:
    ours, theirs = pair.police.letters("health"), pair.health.letters("police")
    await do(pair.police, 5)
    for turn in range(4):
        if turn == 2:
            async with pair.police.database.write() as tx:
                for table in ("exchange_inside", "exchange_inside_heads"):
                    await tx.session.execute(text(f"DELETE FROM {table}"))
            await do(pair.police, 9)
        await theirs.take(pair.health.seal.open((await ours.write("health"))[0], "police"))
        await ours.take(pair.police.seal.open((await theirs.write("police"))[0], "health"))
        pair.clock.advance(timedelta(seconds=1))


async def test_forks_refused_heads_and_parked_words_check_offline_and_prove_themselves(pair: Pair) -> None:
    await a_second_word_for_a_slot(pair)
    await a_log_that_is_rewritten(pair)
    await pair.police.say("health", new_subject(), 7, fails="unauthorised")
    await pair.health.hear("police", (await pair.police.number("health"))[-1:])
    assert set(pair.health.troubles) == {"fork", "head_refused", "parked"}
    check = check_evidence(await exported(pair.health))
    assert check.faults == []
    head, slot, word = check.shown
    assert "what it does inside" in head
    assert f"two heads of its log, {BOTH}" in head
    assert f"place 1: it signed two words for one place, {BOTH}" in slot
    assert "place 2: it said story.told there" in word
    assert "not used, as health says: health may not say this." in word
    assert check.roots == {name: fingerprint(holder_of(name).directory.root) for name in ("police", "health")}
    for words in (*check.roots.values(), "Compare each", "It does not prove"):
        assert words in check.words


async def test_evidence_that_was_changed_or_made_up_is_none(pair: Pair) -> None:
    await a_second_word_for_a_slot(pair)
    good = await exported(pair.health)
    sealed = SealedEvidence.model_validate_json(good)
    (item,) = sealed.body.items

    def with_item(**to: object) -> bytes:
        changed = sealed.body.model_copy(update={"items": (item.model_copy(update=to),)})
        signer, signature = pair.health.seal.sign_bundle(changed.to_bytes())  # by the exporter itself
        return SealedEvidence(body=changed, signer=signer, signature=signature).to_bytes()

    assert check_evidence(with_item()).is_good
    for data, words in (
        (with_item(signed=item.signed[:-1] + bytes([item.signed[-1] ^ 1])), "not what police signed"),
        (with_item(beside=item.signed), "its two words are the same"),
        (with_item(place=2), "says nothing of that place"),
        (with_item(speaker="health"), "not what health signed"),
        (good.replace(b'"slot"', b'"word"'), "was changed"),
        (good[:-1], "not in the form"),
        (b"{}", "is no evidence"),
    ):
        check = check_evidence(data)
        assert any(words in fault for fault in check.faults), (words, check.faults)
        assert "not good" in check.words


async def test_where_there_is_nothing_it_says_so(pair: Pair) -> None:
    with pytest.raises(RefnetError, match=NOTHING[:30]):
        await exported(pair.health)
