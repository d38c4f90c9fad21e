"""What the law has told about a child is no consent: nobody takes it back, and it opens nothing but what the law asks for."""

from agencies import World
from desk_pages import PAGE_2, at_the_desk, fill_page, to_consent, to_place, to_sent
from sqlalchemy import select
from visitor import OWN_PAGE, Page, Visitor

from shared.casework.consents.tables import Consent
from shared.casework.referrals.tables import Referral

NO_TO_ALL = {"answer_health": "no", "answer_social_welfare": "no", "answer_back": "no"}
BY_LAW = {"care": "child_protection", "place": "social_welfare/ndola_district_office", "carries": "nothing"}


async def a_childs_noes(desk: Visitor) -> Page:
    """A child who said no to everybody: page 3."""
    page = await to_consent(desk, age_band="10-14", safe_adult="here")
    return await to_place(desk, page, **NO_TO_ALL)


async def requests(world: World) -> list[Referral]:
    async with world["police"].database.read() as tx:
        return list((await tx.session.execute(select(Referral).order_by(Referral.id))).scalars())  # type: ignore[arg-type]


async def test_what_the_law_has_told_is_not_taken_back(world: World) -> None:
    desk = await at_the_desk(world)
    page = await a_childs_noes(desk)
    case = page.path.removesuffix("/refer")
    referral = await to_sent(desk, page, **BY_LAW)
    async with world["police"].database.read() as tx:
        (consent,) = (await tx.session.execute(select(Consent))).scalars()
    back = f"{case}/consents/{consent.id}/take-back"
    for address in (case, f"/referrals/{referral}", back):
        page = await desk.open(address)
        assert ("told all the same" in page.words, back in page.links) == (True, False), address
        assert back not in [form.action for form in page.forms], address
    csrf = (await desk.open(f"{case}/consent")).form(f"{case}/consent").fields["csrf"][0]
    answer = await desk.client.post(back, data={"csrf": csrf, "version": "1"}, headers=OWN_PAGE)
    assert (answer.status_code, "told all the same" in answer.text) == (409, True)
    program = await world["police"].sign_in("program")
    path = f"/cases/{case.rpartition('/')[2]}/consents/{consent.id}"
    assert (await program.ask("DELETE", path, **{"If-Match": '"1"'})).status_code == 409
    assert [r.is_open for r in await requests(world)] == [True]


async def test_what_nobody_can_take_back_is_said_before_anybody_is_asked(world: World) -> None:
    page = await Visitor(world["police"].app).open("/info")
    assert "That alone cannot be taken back" in page.words
