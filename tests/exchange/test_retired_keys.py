"""A private key to seal to is destroyed once nothing that is still to come can lie under it, and not before: files, as they lie."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from exchange_node import Node, new_subject
from exchange_pair import Pair
from sqlalchemy import update
from sqlmodel import col

from services.keys import KeyFolder, Keys, make_missing
from services.retired_keys import destroy_retired, held
from shared.contracts.wire.envelope import Kind, Unopenable
from shared.exchange.incarnations import open_incarnation
from shared.exchange.keyring import HYBRID, X25519
from shared.exchange.letters import Letters
from shared.exchange.retired import KEPT, SETTLED
from shared.exchange.seal import KeyedSeal
from shared.exchange.tables import Peer, Recovery

PINS: dict[str, str | None] = {"police": None, "health": None}
LONG_ENOUGH = SETTLED + timedelta(minutes=1)


class End(NamedTuple):
    """An agency whose keys are files."""

    node: Node
    folder: KeyFolder
    seal: KeyedSeal
    letters: Letters


class Ends(NamedTuple):
    """The desk; and the clinic, whose key to seal to is replaced."""

    police: End
    health: End
    now: Callable[[], datetime]

    def replace_key(self, suite: int = X25519) -> bytes:
        """The clinic's keeper makes new keys; its processes have taken them up. Returns the old one's id."""
        (old,) = [file.stem.removeprefix("seal-") for file in self.health.folder.private.glob("seal-*.json")]
        folder = self.health.folder
        folder.make_keys(folder.root(None, None), self.now(), suite, folder.own())
        self.health.seal.refresh()
        return bytes.fromhex(old)

    async def letter(self, one: End, to: End) -> None:
        """A herald's round from one to the other."""
        peer = to.node.agency
        for envelope in [*await one.letters.write_lines(peer), *await one.letters.write(peer)]:
            inner = to.seal.open(envelope, one.node.agency)
            if inner.header.kind is Kind.DIRECTORY:
                await to.letters.take_lines(one.node.agency, inner.content)
            else:
                await to.letters.take(inner)

    async def waits_for(self) -> str:
        (one,) = await held(self.health.node.database, self.health.folder, ["police"], self.now())
        return "due" if one.is_due else one.words

    async def destroy(self) -> list[bool]:
        found = await destroy_retired(self.health.node.database, self.health.folder, ["police"], self.now())
        return [one.is_due for one in found]


@pytest.fixture
def ends(pair: Pair, tmp_path: Path) -> Ends:
    make_missing(tmp_path, PINS, pair.clock.now())
    made = []
    for node, other in ((pair.police, "health"), (pair.health, "police")):
        keys = Keys(tmp_path, node.agency, PINS)
        node.seal = KeyedSeal(keys.load(), keys.renewed)
        made.append(End(node, KeyFolder(tmp_path, node.agency), node.seal, node.letters(other)))
    return Ends(made[0], made[1], pair.clock.now)


async def test_a_replaced_key_opens_until_all_that_may_lie_under_it_is_here_and_is_then_destroyed(ends: Ends, pair: Pair) -> None:
    police, health = ends.police, ends.health
    await police.node.say("health", new_subject(), 0)
    (under_old,) = await police.node.number("health")
    assert await ends.destroy() == []  # the key in use
    old = ends.replace_key()
    secret = (health.folder.private / f"seal-{old.hex()}.json").read_bytes()
    pair.clock.advance(KEPT)
    assert await ends.waits_for() == "police: it has not said that it knows the newer key"
    await ends.letter(police, health)  # a heartbeat
    await ends.letter(health, police)  # it learns of it
    await ends.letter(police, health)  # and says so
    assert "an hour after" in await ends.waits_for()
    pair.clock.advance(LONG_ENOUGH)
    assert "an hour after" in await ends.waits_for()  # it may have died since
    await ends.letter(police, health)
    assert await ends.waits_for() == "police: not everything that it has said is here"
    assert await ends.destroy() == [False]
    await health.node.hear("police", [under_old])
    assert await ends.waits_for() == "due"
    assert await ends.destroy() == [True]
    health.seal.refresh()
    with pytest.raises(Unopenable, match="not here"):
        health.seal.open(under_old, "police")
    left = b"".join(file.read_bytes() for file in health.folder.private.iterdir())
    assert all(part not in left for part in (secret, secret.split(b'"private": "')[1][:40]))
    assert health.folder.destroyed(old) == ends.now()
    # What is said from now on comes, and so does what is sent again: it is sealed anew.
    await police.node.say("health", new_subject(), 1)
    await health.node.hear("police", [*await police.node.number("health"), *await police.node.due("health")])
    assert [step for _, step in health.node.applied] == [0, 1]
    assert await ends.destroy() == []


async def test_it_is_kept_for_its_window_whatever_the_peers_say(ends: Ends, pair: Pair) -> None:
    ends.replace_key(HYBRID)
    await known_to_all(ends, pair)
    pair.clock.advance(KEPT - LONG_ENOUGH - timedelta(seconds=1))
    assert await ends.waits_for() == f"it is kept until {ends.now() + timedelta(seconds=1):%Y-%m-%d} at least"
    assert await ends.destroy() == [False]
    pair.clock.advance(timedelta(seconds=1))
    assert await ends.destroy() == [True]


async def known_to_all(ends: Ends, pair: Pair) -> None:
    for one, to in ((ends.police, ends.health), (ends.health, ends.police), (ends.police, ends.health)):
        await ends.letter(one, to)
    pair.clock.advance(LONG_ENOUGH)
    await ends.letter(ends.police, ends.health)


async def test_a_peer_or_an_agency_that_was_restored_is_waited_for_again(ends: Ends, pair: Pair) -> None:
    ends.replace_key()
    await known_to_all(ends, pair)
    pair.clock.advance(KEPT)
    assert await ends.waits_for() == "due"
    async with ends.police.node.database.write() as tx:  # another life: it may have lost what it knew
        await open_incarnation(tx, ["health"], "restored")
    await ends.letter(ends.police, ends.health)
    assert "an hour after" in await ends.waits_for()
    pair.clock.advance(LONG_ENOUGH)
    await ends.letter(ends.police, ends.health)
    await ends.health.node.hear("police", await ends.police.node.number("health"))
    assert await ends.waits_for() == "due"
    async with ends.health.node.database.write() as tx:
        await open_incarnation(tx, ["police"], "restored")
    assert "it has not yet given back" in await ends.waits_for()
    async with ends.health.node.database.write() as tx:
        await tx.session.execute(update(Recovery).values(answered_at=tx.clock.now()))
    assert await ends.waits_for() == "due"


async def test_an_old_letter_that_comes_again_takes_nothing_from_what_is_known(ends: Ends, pair: Pair) -> None:
    old_letters = await ends.police.letters.write("health")
    ends.replace_key()
    await known_to_all(ends, pair)
    pair.clock.advance(KEPT)
    for envelope in old_letters:
        await ends.health.letters.take(ends.health.seal.open(envelope, "police"))
    assert await ends.waits_for() == "due"


async def test_a_silent_peer_is_waited_for(ends: Ends, pair: Pair) -> None:
    ends.replace_key()
    pair.clock.advance(10 * KEPT)
    assert await ends.destroy() == [False]
    async with ends.health.node.database.write() as tx:
        tx.session.add(Peer(peer="police"))
    assert "has not said" in await ends.waits_for()
    async with ends.health.node.database.write() as tx:
        await tx.session.execute(update(Peer).where(col(Peer.peer) == "police").values(knows_lines=99))
    assert "has not said" in await ends.waits_for()  # a number alone is no word of it
