"""Pages of whoever looks after the lines: what came and could not be used, tried again or given up; how each line stands."""

from datetime import timedelta
from uuid import UUID

import pytest
from agencies import World, consent, open_case, refer
from signing_in import settled_account, sign_in
from visitor import Visitor

from shared.casework.lines.views import SILENT_AFTER, TRACES_SHOWN
from shared.contracts.casework.codes import Role
from shared.exchange.heads import keep_fork
from shared.exchange.reconcile import note_step
from shared.kit.ids import new_id
from shared.kit.sealed import Under


async def supervisor(world: World, agency: str = "health") -> Visitor:
    visitor = Visitor(world[agency].app)
    await sign_in(visitor, await settled_account(world[agency], "in-charge", Role.SUPERVISOR), "in-charge")
    return visitor


async def parked(world: World) -> str:
    """A referral to a place that the clinic's own network file does not have yet."""
    desk = await world["police"].sign_in("desk")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health")
    rid: str = (await refer(desk, case_id, incident_id, "health"))["id"]
    places = world["health"].here.entry.facilities
    known = dict(places)
    places.pop("ndola_clinic")
    await world.settle()
    places.clear()
    places.update(known)
    return rid


async def test_what_could_not_be_used_is_tried_again_from_its_page(world: World) -> None:
    rid = await parked(world)
    visitor = await supervisor(world)
    page = await visitor.open("/parked")
    assert "This agency has no facility “ndola_clinic”." in page.words
    retry = next(f for f in page.forms if f.action.endswith("/retry"))
    assert "Nothing waits." in (await visitor.send(retry)).words
    assert (await visitor.open(f"/referrals/{rid}")).status == 200
    gone = await visitor.send(retry)
    assert (gone.status, "There is no such parked event." in gone.words) == (404, True)


async def test_what_is_given_up_is_told_to_its_sender_once(world: World) -> None:
    await parked(world)
    visitor = await supervisor(world)
    page = await visitor.open("/parked")
    discard = next(f for f in page.forms if f.action.endswith("/discard"))
    for _ in range(2):
        assert "Nothing waits." in (await visitor.send(discard)).words
    await world.settle()
    inspector = await supervisor(world, "police")
    assert (await inspector.open("/alarms")).text.count("<h2>The other agency gave a message of ours up") == 1
    wrong = discard
    wrong.action = discard.action.replace("/discard", "/burn")
    assert (await visitor.send(wrong)).status == 404


SET_ASIDE = {
    "the key that it is sealed to is not here": ("It is locked with a key that is not here any more", "Verrouillé avec une clé"),
    "its signer's key is revoked": ("It is signed with a key that its owner has given up", "Signé avec une clé que"),
    "its signer is not known": ("It is signed with a key that is not known here", "Signé avec une clé inconnue"),
    "it is not a word of the one to the other": ("It was meant for another, comes from another, or is damaged", "Destiné à"),
    "its padding is broken": ("It is damaged, or has a form that is not known here", "Endommagé"),
}


async def test_what_could_not_be_opened_is_shown_by_sender_and_reason(world: World) -> None:
    health = world["health"]
    for place, reason in enumerate([*SET_ASIDE, "its padding is broken"]):
        await health.letters.note_unopenable("police", bytes([place]), ("refnet.police.to.health.v1", 0, place), reason)
    visitor = await supervisor(world)
    assert (await visitor.open("/alarms")).text.count("<h2>A message could not be opened") == 1
    page = await visitor.open("/parked")
    assert "Nothing waits." in page.words
    for english, _ in SET_ASIDE.values():
        assert page.words.count(f"{english}.") == 1, english
    assert page.words.count("Messages: 1") == len(SET_ASIDE) - 1
    assert page.words.count("Messages: 2") == 1
    await visitor.send((await visitor.open("/me")).form("/me/language"), button=("language", "fr"))
    french = (await visitor.open("/parked")).words
    assert "Messages : 2" in french
    for english, words in SET_ASIDE.values():
        assert (words in french, english in french) == (True, False)
    world.clock.advance(TRACES_SHOWN)
    assert "Mis de côté" not in (await visitor.open("/parked")).words


async def test_a_message_in_two_versions_is_shown(world: World) -> None:
    async with world["health"].database.write() as tx:
        for seq in (1, 2):
            await keep_fork(tx, world["health"].hooks, ("police", UUID(int=7), seq), b"", Under(new_id(), b"signed"))
    page = await (await supervisor(world)).open("/parked")
    assert "It came in two versions: the first stands, the other is kept as evidence." in page.words
    assert "Messages: 2" in page.words
    assert "Set aside" not in (await (await supervisor(world, "police")).open("/parked")).words


class Broken:
    """An exchange whose broker does not answer."""

    words: str | None = "No broker answers at 127.0.0.1:9."
    stuck: str | None = None
    is_open = False


async def test_each_line_says_how_it_stands(world: World) -> None:
    visitor = await supervisor(world)
    page = await visitor.open("/lines")
    assert page.words.count("Nothing has been heard yet") == 2
    await parked(world)
    page = await visitor.open("/lines")
    assert "Everything is signed for" in page.words
    assert "Could not be used: 1" in page.words
    world.clock.advance(SILENT_AFTER + timedelta(seconds=1))
    assert "Silent" in (await visitor.open("/lines")).words
    world["health"].edge.exchange = Broken()
    page = await visitor.open("/lines")
    assert "No broker answers" in page.words  # for whoever looks after it
    assert "The line to the other agencies is not open." in page.words
    nurse = Visitor(world["health"].app)
    await sign_in(nurse, await settled_account(world["health"]))
    inbox = await nurse.open("/work")
    assert "No broker answers" not in inbox.words  # a desk is told what it means, not what failed
    for path in ("/lines", "/parked"):
        assert (await nurse.open(path)).status == 403


async def test_a_line_says_when_the_two_were_alike_or_since_when_they_are_not_and_what_is_not_here(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    agencies, health = world["health"].here.network.agencies, world["health"]
    for agency in ("police", "health"):
        entry = agencies[agency].model_copy(update={"exchange_url": f"https://{agency}.test:8443"})
        monkeypatch.setitem(agencies, agency, entry)
    visitor, desk = await supervisor(world), await world["police"].sign_in("desk")

    async def compared(*, in_step: bool) -> str:
        """What the page says of the police, five minutes after a comparison."""
        async with health.database.write() as tx:
            await note_step(tx, "police", in_step=in_step)
        world.clock.advance(timedelta(minutes=5))
        return (await visitor.open("/lines")).words

    words = await compared(in_step=True)
    assert ("Compared and alike 10:00" in words, "Not alike" in words, "and not here" in words) == (True, False, False)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health")
    await refer(desk, case_id, incident_id, "health")
    await world["police"].flush()
    lost = sum(one.recipient == "health" for one in world["police"].line)
    world["police"].line.clear()  # what it said is lost on its way, and its statement is not
    for letter in await world["police"].letters.write("health"):
        await health.take_letter("police", letter)
    words = await compared(in_step=False)
    assert ("Not alike since 10:05" in words, "Compared and alike" in words) == (True, False)
    assert lost > 0
    assert f"Said by it and not here: {lost} " in words
    assert "Not alike since 10:05" in await compared(in_step=False)  # since it was first found, not since it was looked at
    words = await compared(in_step=True)
    assert ("Compared and alike 10:15" in words, "Not alike" in words) == (True, False)
