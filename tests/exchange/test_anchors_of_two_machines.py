"""Two machines, each with an anchor of its own for one database: either covers only what left there, and the doctor is told."""

from pathlib import Path

from exchange_node import new_subject
from exchange_pair import Pair

from shared.exchange.anchor import Anchor, check_anchor, uncovered
from shared.exchange.relay import cover
from shared.exchange.streams import number


async def test_an_anchor_that_does_not_cover_what_was_sent_is_found(pair: Pair, tmp_path: Path) -> None:
    police = pair.police
    one, other, lost = (Anchor(tmp_path / f"{name}.anchor") for name in ("one", "other", "lost"))

    async def uncovered_by(anchor: Anchor) -> list[str]:
        async with police.database.read() as tx:
            return await uncovered(tx, anchor)

    async def send_beside(anchor: Anchor) -> None:
        await police.say("health", new_subject(), 0)
        cover(anchor, "health", await number(police.database, "police", "health", police.seal))
        await police.mark_all_sent()

    assert await uncovered_by(lost) == [], "a database that has not lived has nothing to cover"
    await check_anchor(police.database, one, ("health",))
    assert await uncovered_by(lost) == []
    marks = one.read()
    assert marks is not None
    other.write(marks)
    await send_beside(one)
    assert [await uncovered_by(anchor) for anchor in (one, other, lost)] == [[], ["health"], ["health"]]
    await send_beside(other)
    assert [await uncovered_by(anchor) for anchor in (one, other)] == [["health"], []]
    await police.say("health", new_subject(), 0)
    await police.number("health")
    assert await uncovered_by(other) == [], "what has a number and was not sent yet is covered before it is"
