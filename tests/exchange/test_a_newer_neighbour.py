"""A statement of a newer version says more than this one knows: what this one knows is read, at every depth."""

import json
from typing import Any

import pytest
from exchange_node import new_subject
from exchange_pair import Pair

from shared.contracts.wire.envelope import Header, Kind, Unopenable, unframe
from shared.contracts.wire.statements import Statement
from shared.exchange.incarnations import current_incarnation
from shared.exchange.receipts import STILL


def of_tomorrow(said: Any) -> Any:
    """The same with a field more in every part."""
    if isinstance(said, dict):
        return {**{name: of_tomorrow(value) for name, value in said.items()}, "field_of_tomorrow": {"code": 1}}
    return [of_tomorrow(one) for one in said] if isinstance(said, list) else said


async def test_a_newer_statement_is_read_signed_for_and_kept_as_it_came(pair: Pair) -> None:
    for step in range(3):
        await pair.police.say("health", new_subject(), step)
    envelopes = await pair.police.number("health")
    await pair.health.hear("police", [envelopes[0], envelopes[2]])  # so that the receipt has a range and a missing slot
    pair.clock.advance(STILL)
    statement = await pair.health.state("police")
    newer = json.dumps(of_tomorrow(json.loads(statement.to_bytes()))).encode()
    assert newer.count(b"field_of_tomorrow") > 2
    async with pair.health.database.read() as tx:
        header = Header(kind=Kind.STATEMENT, sender="health", recipient="police", incarnation=await current_incarnation(tx))
    envelope = pair.health.seal.seal(pair.health.seal.sign(header, newer), "police")
    inner = pair.police.seal.open(envelope, "health")
    assert Statement.of(inner) == statement
    await pair.police.letters("health").take(inner)
    assert len(pair.police.delivered_ids) == 2
    assert [row.seq for row in await pair.police.outbox_rows() if row.is_due and row.delivered_at is None] == [2]
    assert unframe(inner.raw).content == newer


async def test_what_a_statement_must_say_is_still_asked_for(pair: Pair) -> None:
    header = Header(kind=Kind.STATEMENT, sender="health", recipient="police", incarnation=new_subject())
    for content in (b"{}", b'{"made_at": "2026-01-04T12:00:00Z", "heads": [{"size": 1, "field_of_tomorrow": 1}]}'):
        inner = unframe(pair.health.seal.sign(header, content))
        with pytest.raises(Unopenable):
            Statement.of(inner)
