"""She wants to think: what was written for her waits at her desk, nobody is told, and no draft answers for her."""

from datetime import timedelta

from agencies import World
from desk_pages import A_CHILD, PAGE_2, PAGE_3, at_the_desk, fill_page, to_consent, to_place, to_sent
from shift import officer
from sqlalchemy import select
from visitor import Form, Page, Visitor

from shared.casework.consents.tables import Consent
from shared.casework.referrals.tables import DraftedReferral, Referral

THINK = ("think", "yes")
ON_THE_LIST = "Time to think, not sent yet"


async def kept(world: World, agency: str = "police") -> list[DraftedReferral]:
    async with world[agency].database.read() as tx:
        return list((await tx.session.execute(select(DraftedReferral))).scalars())


async def sent_by(world: World) -> list[Referral]:
    async with world["police"].database.read() as tx:
        return list((await tx.session.execute(select(Referral))).scalars())


def form_of(page: Page) -> Form:
    return page.form(page.path)


async def stopped_at_the_place(desk: Visitor) -> str:
    """She agreed that a clinic and a social worker may know, and stopped before anything was sent; the case's address."""
    page = await to_place(desk, await to_consent(desk))
    written = {**PAGE_3, "also_social_welfare": []}
    page = await desk.send(form_of(page), button=THINK, **written)
    assert page.path.startswith("/cases/"), page.words
    return page.path


async def test_what_was_chosen_waits_on_the_list_of_her_desk_until_it_is_sent(world: World) -> None:
    desk = await at_the_desk(world)
    case = await stopped_at_the_place(desk)
    page = await desk.open(case)
    assert ("Nobody has been told" in page.words, f"{case}/refer" in page.links) == (True, True)
    assert await sent_by(world) == []
    world.clock.advance(timedelta(hours=20))
    colleague = await officer(world)
    page = await colleague.open("/work")
    assert (ON_THE_LIST in page.words, "Do not call or visit" in page.words) == (True, True)
    page = await colleague.open(next(one for one in page.links if one == f"{case}/refer"))
    assert "stands here again" in page.words
    again = form_of(page).fields
    chosen = ("care", "place", "mode", "escort", "carries")
    assert {name: again[name] for name in chosen} == {name: [PAGE_3[name]] for name in chosen}
    assert "also_social_welfare" not in again  # not to be told along with it, as it was chosen
    assert (again["expected"], "there at 06:15" in page.words) == ([""], True)  # the way is another one now
    await to_sent(colleague, page, expected="06:15")
    assert [r.recipient for r in await sent_by(world)] == ["health"]
    assert await kept(world) == []
    assert ON_THE_LIST not in (await desk.open("/work")).words


async def test_a_page_on_which_nothing_was_chosen_yet_is_found_again_too(world: World) -> None:
    desk = await at_the_desk(world)
    page = await to_place(desk, await to_consent(desk))
    page = await desk.send(form_of(page), button=THINK)
    page = await desk.open(next(one for one in (await desk.open("/work")).links if one == f"{page.path}/refer"))
    assert "place" not in form_of(page).fields


async def test_who_may_know_is_asked_again_where_she_stopped(world: World) -> None:
    desk = await at_the_desk(world)
    page = await to_consent(desk)
    asked = page.path
    page = await desk.send(form_of(page), button=THINK, language="en", items_health=[])
    assert page.path == asked.removesuffix("/consent")
    assert asked in (await desk.open("/work")).links
    page = await desk.open(asked)
    form = form_of(page)
    assert form.fields["language"] == ["en"]
    assert not [name for name in form.fields if name.startswith(("answer_", "items_health"))]
    page = await fill_page(desk, page, **{**PAGE_2, "answer_social_welfare": "no"})
    assert page.path.endswith("/refer"), page.words
    assert await kept(world) == []
    async with world["police"].database.read() as tx:
        (consent,) = (await tx.session.execute(select(Consent))).scalars()
    assert (consent.recipient, consent.items) == ("health", ["req", "fb"])  # without what she left out the first time


async def test_what_she_answered_counts_at_once_and_is_not_chosen_for_her_the_next_time(world: World) -> None:
    desk = await at_the_desk(world)
    page = await to_consent(desk)
    asked = page.path
    half = {"answer_health": "yes", "answer_back": "no", "how": "spoken"}
    await desk.send(form_of(page), button=THINK, **half)
    async with world["police"].database.read() as tx:
        (consent,) = (await tx.session.execute(select(Consent))).scalars()
    assert (consent.recipient, "fb" in consent.items) == ("health", False)
    back = f"{asked.removesuffix('/consent')}/consents/{consent.id}/take-back"
    assert asked in (await desk.open("/work")).links
    assert "Agreed, " in (await desk.open(asked)).words
    await desk.send((await desk.open(back)).form(back))
    page = await desk.open(asked)
    assert "The last answer was no" in page.words
    assert not [name for name in form_of(page).fields if name.startswith("answer_")]


async def test_what_nobody_wants_is_thrown_away(world: World) -> None:
    desk = await at_the_desk(world)
    case = await stopped_at_the_place(desk)
    page = await desk.open(f"{case}/refer")
    page = await desk.send(page.form(f"{case}/drafted/forget"))
    assert (page.path, await kept(world)) == (case, [])
    assert ON_THE_LIST not in (await desk.open("/work")).words
    assert "place" not in form_of(await desk.open(f"{case}/refer")).fields


async def test_a_later_thought_takes_the_place_of_the_first(world: World) -> None:
    desk = await at_the_desk(world)
    case = await stopped_at_the_place(desk)
    page = await desk.open(f"{case}/refer")
    await desk.send(form_of(page), button=THINK, place="health/ndola_hospital")
    assert [row.answers["place"] for row in await kept(world)] == [["health/ndola_hospital"]]


async def test_another_desk_does_not_see_it_and_the_next_shift_does(world: World) -> None:
    desk = await at_the_desk(world)
    case = await stopped_at_the_place(desk)
    elsewhere = await officer(world, "officer-9", "masaiti_vsu")
    assert ON_THE_LIST not in (await elsewhere.open("/work")).words
    assert (await elsewhere.open(f"{case}/refer")).status == 404
    page = await desk.open("/hand-over")
    assert (ON_THE_LIST in page.words, f"{case}/refer" in page.links) == (True, True)
    page = await desk.send(page.form("/hand-over"))
    assert page.path == "/locked"
    assert f"{ON_THE_LIST}: 1" in (await (await officer(world)).open("/hand-over")).words


async def test_what_the_law_asks_for_is_not_left_out_by_a_draft_that_did_not_offer_it(world: World) -> None:
    desk = await at_the_desk(world)
    page = await to_consent(desk, age_band="10-14", safe_adult="here")
    case = page.path.removesuffix("/consent")
    await desk.send(form_of(page), button=THINK, answer_health="yes", how="spoken", language="bem", **A_CHILD)
    page = await desk.open(f"{case}/refer")
    await desk.send(form_of(page), button=THINK, care="acute_care")
    page = await to_place(desk, await desk.open(f"{case}/consent"), answer_social_welfare="no", answer_back="no")
    fields = form_of(page).fields
    assert (fields["care"], fields["also_social_welfare"]) == (["acute_care"], ["child_protection"])
    await to_sent(desk, page)
    assert {r.recipient: r.services for r in await sent_by(world)}["social_welfare"] == ["child_protection"]
